package dna

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"

	"heed/data"
	"heed/format"
	"heed/format/bed"
	"heed/format/fasta"
	"heed/internal/cli"
)

// A ScanConfig says how a genome is scanned.
type ScanConfig struct {
	Window int // letters; 0 means the longest that the model reads
	Step   int // letters between the starts of two windows; 0 means 10
	// Strand is "both", "+", "-", or "max" for the larger score of the two
	// strands; empty means both. A model that averages the strands has one score
	// for both, and takes empty only.
	Strand string
	// TSS is the index of the letter, from 0, that a window's score belongs to,
	// such as the start site; -1 means the middle letter.
	TSS       int
	Class     string  // whose probability is the score; empty means the positive of two
	Threshold float64 // of a call; 0 means that of the model
	Control   bool    // scan a shuffled copy too
	Seed      uint64  // of the copy
	Cores     int     // 0 means all
}

// A Scan is the scores of all windows of a genome, in a file of its own until
// Remove. Results are written from there, any number of them.
type Scan struct {
	Config  ScanConfig
	model   *Fitted
	class   int
	columns []column
	tiles   *tiling
	spool   *spool
}

// A column is one score of every window.
type column struct {
	minus   bool // the window's other strand
	control bool // of the shuffled copy
}

// defaultStep is the default of ScanConfig.Step.
const defaultStep = 10

// complete fills in what depends on the model and reports what makes no sense.
func (c *ScanConfig) complete(f *Fitted) (class int, err error) {
	limit := f.Config.Model.MaxLen
	if c.Window == 0 {
		c.Window = limit
	}
	if c.Step == 0 {
		c.Step = defaultStep
	}
	switch {
	case c.Window < 0 || c.Window > limit:
		return 0, cli.Usagef("--window %d: the model reads up to %d letters", c.Window, limit)
	case c.Window < max(1, f.MinLen):
		return 0, cli.Usagef("--window %d: the model was trained with %d letters or more", c.Window, f.MinLen)
	case c.Step < 0:
		return 0, cli.Usagef("--step %d: want 1 or more", c.Step)
	case !slices.Contains([]string{"", "both", "+", "-", "max"}, c.Strand):
		return 0, cli.Usagef("--strand %q: want both, +, - or max", c.Strand)
	case f.Config.Strands && c.Strand != "":
		return 0, cli.Hint(cli.Usagef("--strand %s: the model averages both strands", c.Strand), "leave --strand out: there is one score for the two")
	case c.TSS < -1 || c.TSS >= c.Window:
		return 0, cli.Usagef("--tss %d: a window has %d letters", c.TSS, c.Window)
	case c.TSS >= 0 && f.Config.Strands:
		return 0, cli.Usagef("--tss: the model averages both strands, its score belongs to the middle of a window")
	case c.TSS >= 0 && c.Strand == "max":
		return 0, cli.Usagef("--tss and --strand max do not go together: the strands have their start sites at different places")
	case !(c.Threshold >= 0 && c.Threshold <= 1):
		return 0, cli.Usagef("--threshold %v: want a share in [0, 1]", c.Threshold)
	}
	if c.Strand == "" {
		c.Strand = "both"
		if f.Config.Strands {
			c.Strand = "."
		}
	}
	class = f.Positive
	switch {
	case c.Class != "":
		if class = slices.Index(f.Classes, c.Class); class < 0 {
			return 0, cli.Usagef("--class %q: the classes are %s", c.Class, list(f.Classes))
		}
	case len(f.Classes) > 2:
		return 0, cli.Usagef("the model has %d classes: --class says whose probability is the score", len(f.Classes))
	}
	c.Class = f.Classes[class]
	if c.Threshold == 0 {
		c.Threshold = 0.5
		if len(f.Classes) == 2 {
			if c.Threshold = f.Threshold; class != f.Positive {
				c.Threshold = 1 - f.Threshold
			}
		}
	}
	return class, nil
}

// strands returns the columns of the genome itself.
func (c *ScanConfig) strands() []column {
	switch c.Strand {
	case "-":
		return []column{{minus: true}}
	case "both", "max":
		return []column{{}, {minus: true}}
	}
	return []column{{}}
}

// OpenScan prepares the scan of a genome whose scores are kept in the file
// partial and described in partial.json. If resume is set the windows that an
// interrupted scan has scored already are taken over; else such files are an
// error.
func (f *Fitted) OpenScan(ctx context.Context, model, genome, partial string, c ScanConfig, resume bool) (*Scan, error) {
	s := &Scan{Config: c, model: f}
	var err error
	if s.class, err = s.Config.complete(f); err != nil {
		return nil, err
	}
	if !resume {
		if err := noPartial(partial); err != nil {
			return nil, err
		}
	}
	g, err := readGenome(ctx, genome)
	if err != nil {
		return nil, err
	}
	s.tiles = g.tile(s.Config.Window, s.Config.Step)
	if s.tiles.total() == 0 {
		return nil, format.Invalidf(genome, 0, "no sequence has the %d letters of a window", s.Config.Window)
	}
	for _, name := range g.names {
		if err := bed.WriteSignal(io.Discard, bed.Signal{Chrom: name, End: 1}); err != nil {
			return nil, format.Unsupportedf(genome, 0, "%w", err)
		}
	}
	s.columns = s.Config.strands()
	if c.Control {
		for _, col := range s.columns {
			s.columns = append(s.columns, column{col.minus, true})
		}
	}
	hash, err := fileHash(model)
	if err != nil {
		return nil, err
	}
	id := scanID{
		Version: 1, Model: hash, Genome: g.sha256, Window: s.Config.Window, Step: s.Config.Step,
		Class: s.Config.Class, Columns: len(s.columns), Minus: s.columns[0].minus, Control: c.Control,
	}
	if c.Control {
		id.Seed = c.Seed
	}
	if s.spool, err = openSpool(partial, id, s.tiles, resume); err != nil {
		return nil, err
	}
	return s, nil
}

// fileHash returns the SHA-256 of a file.
func fileHash(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", cli.SystemError(path, err)
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", cli.SystemError(path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Done and Total count windows.
func (s *Scan) Done() int  { return s.spool.done }
func (s *Scan) Total() int { return s.tiles.total() }

// Run scores the windows that are left. Where ctx ends it, or anything else, the
// state is saved, and another Scan may resume.
func (s *Scan) Run(ctx context.Context, progress func(Progress)) (err error) {
	defer func() {
		if e := s.spool.save(); err == nil {
			err = e
		}
	}()
	in, err := format.Open(s.tiles.path)
	if err != nil {
		return err
	}
	defer in.Close()
	var shuffle func(int, int, []byte) []byte
	if s.Config.Control {
		shuffle = s.shuffle
	}
	c := chunk{scan: s, limit: max(1, chunkTokens/(s.Config.Window*len(s.columns)))}
	flush := func() error {
		if err := s.spool.append(c.score()); err != nil {
			return err
		}
		if progress != nil {
			progress(Progress{Stage: "scan", Done: s.Done(), Total: s.Total()})
		}
		return ctx.Err()
	}
	for w, err := range s.tiles.windows(in, s.Done(), shuffle) {
		if err != nil {
			return err
		}
		if c.add(w) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if len(c.known) > 0 {
		if err := flush(); err != nil && s.Done() < s.Total() {
			return err
		}
	}
	if s.Done() != s.Total() {
		return format.Invalidf(s.tiles.path, 0, "the file changed while it was read")
	}
	return nil
}

// A chunk is windows that are scored together.
type chunk struct {
	scan  *Scan
	limit int
	known []bool   // of each window
	seqs  [][]byte // of the known ones, one for each column
}

// add takes a window and reports whether the chunk is full.
func (c *chunk) add(w stretch) bool {
	c.known = append(c.known, w.known)
	if w.known {
		for _, col := range c.scan.columns {
			letters := w.letters
			if col.control {
				letters = w.shuffled
			}
			if col.minus {
				letters = fasta.ReverseComplement(letters)
			} else {
				letters = slices.Clone(letters)
			}
			c.seqs = append(c.seqs, letters)
		}
	}
	return len(c.seqs) >= c.limit*len(c.scan.columns) || len(c.known) >= 64*c.limit
}

// score returns the scores of the windows, one for each column, NaN where a
// letter is unknown, and empties the chunk.
func (c *chunk) score() []float32 {
	probs := c.scan.model.Probabilities(c.seqs, c.scan.Config.Cores)
	var out []float32
	for _, known := range c.known {
		for range c.scan.columns {
			v := float32(math.NaN())
			if known {
				v = float32(probs[0][c.scan.class])
				probs = probs[1:]
			}
			out = append(out, v)
		}
	}
	c.known, c.seqs = c.known[:0], c.seqs[:0]
	return out
}

// shuffle makes the control of some letters: runs of known letters are shuffled,
// with their dinucleotides kept, and the others stay where they are.
func (s *Scan) shuffle(sequence, at int, letters []byte) []byte {
	r := rand.New(rand.NewPCG(s.Config.Seed, uint64(sequence)<<40^uint64(at)))
	out := slices.Clone(letters)
	for i := 0; i < len(out); i++ {
		n := i
		for n < len(out) && data.Nucleotide(out[n]) >= 0 {
			n++
		}
		copy(out[i:], data.ShuffleDinucleotides(out[i:n], r))
		i = max(i, n)
	}
	return out
}

// list writes names with commas between them.
func list(names []string) string {
	out := ""
	for i, n := range names {
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprintf("%q", n)
	}
	return out
}
