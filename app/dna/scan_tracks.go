package dna

import (
	bin "encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"heed/format"
	"heed/format/bed"
	"heed/format/bgzf"
	"heed/format/bigwig"
	"heed/internal/cli"
)

// An Output is a file that a scan is written to.
type Output struct {
	Path string
	Kind string // "bedgraph", "bigwig", "bed" or "tsv"
}

// outputKinds are the endings of names, .gz aside.
var outputKinds = map[string]string{
	"bedgraph": "bedgraph", "bg": "bedgraph", "bigwig": "bigwig", "bw": "bigwig", "bed": "bed", "tsv": "tsv",
}

// ParseOutput returns the output of a path. The kind is that of its ending if it
// is not given.
func ParseOutput(path, kind string) (Output, error) {
	ending := kind
	if kind == "" {
		name := strings.TrimSuffix(path, ".gz")
		ending = strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
	}
	k, ok := outputKinds[ending]
	switch {
	case !ok && kind != "":
		return Output{}, cli.Usagef("--format %q: want bedgraph, bigwig, bed or tsv", kind)
	case !ok:
		return Output{}, cli.Hint(cli.Usagef("%s: the ending says no format", path), "end it with .bedgraph, .bw, .bed or .tsv, or give --format")
	case k == "bigwig" && strings.HasSuffix(path, ".gz"):
		return Output{}, cli.Usagef("%s: bigWig is compressed already", path)
	}
	return Output{path, k}, nil
}

// A track is one score of every window.
type track struct {
	name    string // "plus", "minus", or empty if there is one only
	control bool
	minus   bool // the strand
	max     bool // the larger of both strands
	dot     bool // of no strand
	columns []int
}

// tracks returns the tracks of the genome, or those of the control.
func (s *Scan) tracks(control bool) []track {
	var ts []track
	for i, c := range s.columns {
		if c.control != control {
			continue
		}
		t := track{control: control, minus: c.minus, columns: []int{i}, dot: s.Config.Strand == "."}
		if s.Config.Strand == "both" {
			t.name = "plus"
			if c.minus {
				t.name = "minus"
			}
		}
		ts = append(ts, t)
	}
	if s.Config.Strand == "max" {
		return []track{{control: control, max: true, columns: []int{ts[0].columns[0], ts[1].columns[0]}}}
	}
	return ts
}

// A score is that of one window on one track.
type score struct {
	value float32 // NaN where a letter is unknown
	minus bool    // its strand
}

// of picks the score of a window from its columns.
func (t *track) of(values []float32) score {
	v := score{values[t.columns[0]], t.minus}
	if t.max && values[t.columns[1]] > v.value {
		v = score{values[t.columns[1]], true}
	}
	return v
}

// strand is '+', '-' or '.'.
func (t *track) strand(v score) byte {
	switch {
	case t.dot:
		return '.'
	case v.minus:
		return '-'
	}
	return '+'
}

// each calls f with the scores of all windows of a sequence in order: one for
// each column of the spool.
func (s *Scan) each(sequence int, f func(start int, values []float32) error) error {
	r := s.spool.read(sequence)
	raw, values := make([]byte, 4*len(s.columns)), make([]float32, len(s.columns))
	for start := 0; ; start += s.Config.Step {
		_, err := io.ReadFull(r, raw)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return cli.SystemError(s.spool.path, err)
		}
		for i := range values {
			values[i] = math.Float32frombits(bin.LittleEndian.Uint32(raw[4*i:]))
		}
		if err := f(start, values); err != nil {
			return err
		}
	}
}

// position returns the letter of the sequence that the score of a window belongs
// to: the middle one, or that of Config.TSS as the strand reads it.
func (s *Scan) position(start int, minus bool) int {
	switch {
	case s.Config.TSS < 0:
		return start + s.Config.Window/2
	case minus:
		return start + s.Config.Window - 1 - s.Config.TSS
	}
	return start + s.Config.TSS
}

// interval returns what a score is written at: as many letters as a step has,
// around its position, so that intervals lie side by side.
func (s *Scan) interval(sequence, start int, minus bool) (from, to int) {
	from = s.position(start, minus) - s.Config.Step/2
	return max(0, from), min(s.tiles.lengths[sequence], from+s.Config.Step)
}

// Write writes a result and returns the paths of its files: two, with .plus and
// .minus before the ending, where a format has no place for the strand.
func (s *Scan) Write(o Output) (paths []string, err error) {
	if s.Done() != s.Total() {
		return nil, fmt.Errorf("dna: a scan is written after %d of %d windows", s.Done(), s.Total())
	}
	write := func(path string, f func(io.Writer) error) error {
		paths = append(paths, path)
		return cli.WriteFile(path, func(w io.Writer) error {
			if !strings.HasSuffix(path, ".gz") {
				return f(w)
			}
			z := bgzf.NewWriter(w)
			if err := f(z); err != nil {
				return err
			}
			return z.Close()
		})
	}
	switch o.Kind {
	case "bed":
		return paths, write(o.Path, s.writeCalls)
	case "tsv":
		return paths, write(o.Path, s.writeTSV)
	}
	for _, t := range s.tracks(false) {
		path := trackPath(o.Path, t.name)
		if o.Kind == "bigwig" {
			paths = append(paths, path)
			err = cli.SystemFileError(path, format.WriteFileAt(path, func(f format.ReadWriterAt) error { return s.writeBigWig(f, t) }))
		} else {
			err = write(path, func(w io.Writer) error { return s.writeGraph(w, t) })
		}
		if err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// trackPath puts the name of a track before the ending of a path.
func trackPath(path, name string) string {
	if name == "" {
		return path
	}
	base := strings.TrimSuffix(path, ".gz")
	dot := strings.LastIndexByte(base, '.')
	if dot <= strings.LastIndexByte(base, '/') {
		dot = len(base)
	}
	return path[:dot] + "." + name + path[dot:]
}

// about describes the scores in a comment.
func (s *Scan) about(t *track) string {
	strand := ""
	if t != nil {
		strand = ", " + map[bool]string{true: "both strands averaged", false: "strand +"}[t.dot]
		switch {
		case t.max:
			strand = ", the larger of both strands"
		case t.minus:
			strand = ", strand -"
		}
	}
	at := "the middle letter"
	if s.Config.TSS >= 0 {
		at = fmt.Sprintf("letter %d, counted from 0,", s.Config.TSS)
	}
	return fmt.Sprintf("probability of %s%s, written at %s of windows of %d letters, step %d; calibrated to the classes of the training set at best, not to a genome",
		s.Config.Class, strand, at, s.Config.Window, s.Config.Step)
}

func (s *Scan) writeGraph(w io.Writer, t track) error {
	name := strings.TrimSpace(s.Config.Class + " " + t.name)
	if _, err := fmt.Fprintf(w, "# %s\ntrack type=bedGraph name=%s description=%s viewLimits=0:1 autoScale=off\n",
		s.about(&t), browserQuote(name), browserQuote("heed: probability of "+name)); err != nil {
		return err
	}
	return s.signal(t, func(chrom string, from, to int, value float32) error {
		return bed.WriteSignal(w, bed.Signal{Chrom: chrom, Start: from, End: to, Value: value})
	})
}

func (s *Scan) writeBigWig(f format.ReadWriterAt, t track) error {
	var chroms []bigwig.Chrom
	for i, name := range s.tiles.names {
		chroms = append(chroms, bigwig.Chrom{Name: name, Size: s.tiles.lengths[i]})
	}
	w, err := bigwig.NewWriter(f, chroms)
	if err != nil {
		return err
	}
	if err := s.signal(t, w.Add); err != nil {
		return err
	}
	return w.Close()
}

// signal calls f with the known scores of a track and where they are written.
func (s *Scan) signal(t track, f func(chrom string, from, to int, value float32) error) error {
	for sequence, chrom := range s.tiles.names {
		err := s.each(sequence, func(start int, values []float32) error {
			v := t.of(values)
			if math.IsNaN(float64(v.value)) {
				return nil
			}
			from, to := s.interval(sequence, start, v.minus)
			return f(chrom, from, to, v.value)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// browserQuote quotes a value of a track line; the browser knows no escapes.
func browserQuote(text string) string { return `"` + strings.ReplaceAll(text, `"`, "'") + `"` }

func (s *Scan) writeTSV(w io.Writer) error {
	if _, err := fmt.Fprintln(w, "sequence\tstart\tend\tstrand\tposition\tp_"+s.Config.Class); err != nil {
		return err
	}
	tracks := s.tracks(false)
	for sequence, chrom := range s.tiles.names {
		err := s.each(sequence, func(start int, values []float32) error {
			for _, t := range tracks {
				v := t.of(values)
				p := "NA"
				if !math.IsNaN(float64(v.value)) {
					p = fmt.Sprintf("%.6f", v.value)
				}
				_, err := fmt.Fprintf(w, "%s\t%d\t%d\t%c\t%d\t%s\n",
					chrom, start+1, start+s.Config.Window, t.strand(v), s.position(start, v.minus)+1, p)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Remove deletes the file of the scores.
func (s *Scan) Remove() error { return s.spool.remove() }

// Close leaves the file of the scores for a scan that resumes.
func (s *Scan) Close() { s.spool.close() }

// Unknown returns how many windows have no score, because a letter is none of A,
// C, G, T and U.
func (s *Scan) Unknown() (int, error) {
	n := 0
	for sequence := range s.tiles.names {
		err := s.each(sequence, func(_ int, values []float32) error {
			if math.IsNaN(float64(values[0])) {
				n++
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}
