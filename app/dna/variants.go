package dna

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"slices"

	"heed/data"
	"heed/format"
	"heed/format/fasta"
	"heed/format/vcf"
	"heed/internal/cli"
)

// A VariantConfig says how variants are scored.
type VariantConfig struct {
	Window int // letters; 0 means the longest that the model reads
	// Shift is how far the first letter of a variant moves from the middle of the
	// window, to either side: a variant is scored in 2·Shift+1 windows.
	Shift        int
	Class        string // whose log-odds are compared; empty means the positive of two
	SkipMismatch bool   // count variants whose REF is not the reference's, in place of an error
	Seed         uint64 // of the control
	Cores        int    // 0 means all
}

// An Effect is what an allele does to the score of a class.
type Effect struct {
	Ref, Alt float64 // probability with each allele, averaged over windows and strands
	// Delta is the mean over windows and strands of the log-odds with ALT less
	// those with REF, in nats; SD the standard deviation over windows, NaN if
	// there is only one. Plus and Minus are the means of each strand, NaN for a
	// model that averages them.
	Delta, SD, Plus, Minus float64
	Windows                int     // that were scored
	Quantile               float64 // among random substitutions; NaN if unknown
	Note                   string  // why there are no values; empty if there are
}

// VariantCounts is what became of the alleles of a VCF.
type VariantCounts struct {
	Records, Alleles, Scored int
	Kinds                    map[vcf.Kind]int // alleles that are not letters
	Mismatches               int              // alleles whose REF is not the reference's
	Outside                  int              // alleles without a window of known letters within the sequence
}

// variants is the state of one pass over a VCF.
type variants struct {
	f       *Fitted
	c       VariantConfig
	class   int
	ref     reference
	refName string
	name    string // of the VCF
	control bool   // score random substitutions in place of the variants
	counts  VariantCounts
	emit    func(vcf.Record, []Effect) error

	pending []pending
	seqs    [][]byte
}

// A pending record waits for its scores.
type pending struct {
	rec     vcf.Record
	effects []Effect // with Windows set; their sequences follow one another
}

func (c *VariantConfig) complete(f *Fitted) (class int, err error) {
	s := ScanConfig{Window: c.Window, TSS: -1, Class: c.Class}
	if class, err = s.complete(f); err != nil {
		return 0, err
	}
	c.Window, c.Class = s.Window, s.Class
	if most := (c.Window - 1) / 2; c.Shift < 0 || c.Shift > most {
		return 0, cli.Usagef("--shift %d: want 0 to %d, or the variant leaves the window of %d letters", c.Shift, most, c.Window)
	}
	return class, nil
}

// run scores the records of r and calls emit with each, in order.
func (v *variants) run(ctx context.Context, r *vcf.Reader) error {
	v.counts.Kinds = map[vcf.Kind]int{}
	for rec, err := range r.Records() {
		if err != nil {
			return err
		}
		if err := v.add(rec); err != nil {
			return err
		}
		if len(v.seqs)*v.c.Window >= chunkTokens || len(v.pending) >= 1<<12 {
			if err := v.flush(); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return v.flush()
}

// add prepares the windows of a record.
func (v *variants) add(rec vcf.Record) error {
	p := pending{rec, make([]Effect, len(rec.Alts))}
	v.counts.Records++
	at := rec.Pos - 1
	var letters []byte
	start, note := 0, "position 0"
	// REF of symbolic alleles is often N, and not worth an error.
	if at >= 0 && slices.ContainsFunc(rec.Alts, func(alt string) bool { return vcf.KindOf(alt) == vcf.Sequence }) {
		// The control lies up to half a window away, and has windows of its own.
		var err error
		letters, start, err = v.ref.fetch(rec.Chrom, at-2*v.c.Window, at+len(rec.Ref)+2*v.c.Window)
		if err != nil {
			return v.placed(rec, err)
		}
		if note, err = v.checkRef(rec, letters, at-start); err != nil {
			return err
		}
	}
	for i, alt := range rec.Alts {
		e := &p.effects[i]
		*e = Effect{math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN(), 0, math.NaN(), note}
		v.counts.Alleles++
		kind := vcf.KindOf(alt)
		switch {
		case kind != vcf.Sequence:
			v.counts.Kinds[kind]++
			e.Note = kind.String() + ": not supported"
			if kind == vcf.Missing {
				e.Note = kind.String()
			}
			continue
		case at < 0:
			v.counts.Outside++
			continue
		case note != "":
			v.counts.Mismatches++
			continue
		}
		place, ref, alt := at-start, len(rec.Ref), bytes.ToUpper([]byte(alt))
		if v.control {
			place, alt = v.substitution(rec, i, letters, place)
			ref = 1
		}
		if place >= 0 {
			e.Windows = v.pairs(letters, place, ref, alt)
		}
		if e.Windows == 0 {
			v.counts.Outside++
			e.Note = "no window of known letters"
			continue
		}
		v.counts.Scored++
	}
	v.pending = append(v.pending, p)
	return nil
}

// placed gives an error of the reference the place in the VCF.
func (v *variants) placed(rec vcf.Record, err error) error {
	switch {
	case errors.Is(err, errNoSequence):
		return cli.Hint(format.Invalidf(v.name, rec.Line, "no sequence %q in %s", rec.Chrom, v.refName),
			"names must be the same letter by letter: chr1 is not 1")
	case errors.Is(err, errNotSorted):
		return cli.Hint(format.Invalidf(v.name, rec.Line, "not sorted: %s:%d comes too late", rec.Chrom, rec.Pos),
			"sort it by sequence and position, or let samtools faidx index the FASTA")
	}
	return err
}

// checkRef compares REF with the reference, of which it begins at letter i. It
// returns a note, or an error, if they differ.
func (v *variants) checkRef(rec vcf.Record, letters []byte, i int) (note string, err error) {
	have := letters[min(i, len(letters)):min(i+len(rec.Ref), len(letters))]
	if bytes.EqualFold(have, []byte(rec.Ref)) {
		return "", nil
	}
	if v.c.SkipMismatch {
		return "REF mismatch", nil
	}
	shown := func(s string) string { return fmt.Sprintf("%q", s[:min(len(s), 20)]) }
	err = format.Invalidf(v.name, rec.Line, "REF is %s, %s has %s at %s:%d", shown(rec.Ref), v.refName, shown(string(have)), rec.Chrom, rec.Pos)
	if len(have) < len(rec.Ref) {
		err = format.Invalidf(v.name, rec.Line, "REF of %d letters at %s:%d reaches beyond the end of the sequence", len(rec.Ref), rec.Chrom, rec.Pos)
	}
	return "", cli.Hint(err, "is it the same build of the genome? --skip-mismatch leaves such variants out")
}

// substitution draws a letter at most half a window from a place, and another
// letter for it. It depends on the allele alone, not on the rest of the file. The place is -1 if there is
// none.
func (v *variants) substitution(rec vcf.Record, allele int, letters []byte, place int) (int, []byte) {
	h := fnv.New64a()
	fmt.Fprint(h, rec.Chrom, "\t", rec.Pos, "\t", rec.Ref, "\t", rec.Alts[allele])
	r := rand.New(rand.NewPCG(v.c.Seed, h.Sum64()))
	for range 50 {
		at, step := place-v.c.Window/2+r.IntN(v.c.Window), 1+r.IntN(3)
		if at < 0 || at >= len(letters) || at >= place && at < place+len(rec.Ref) {
			continue
		}
		if n := data.Nucleotide(letters[at]); n >= 0 {
			return at, []byte{Letters[(n+step)%4]}
		}
	}
	return -1, nil
}

// pairs adds the windows with either allele, and returns for how many shifts
// both lie within the letters and are known. Both begin at the same letter; the
// one with ALT ends earlier or later in the genome by what ALT is longer or
// shorter.
func (v *variants) pairs(letters []byte, place, ref int, alt []byte) int {
	n, w := 0, v.c.Window
	for shift := -v.c.Shift; shift <= v.c.Shift; shift++ {
		begin := place - w/2 - shift
		if begin < 0 || begin+w > len(letters) {
			continue
		}
		changed := append(slices.Clone(letters[begin:place]), alt...)
		changed = append(changed, letters[place+ref:min(len(letters), place+ref+w)]...)
		if len(changed) < w {
			continue
		}
		pair := [2][]byte{slices.Clone(letters[begin : begin+w]), changed[:w]}
		if !known(pair[0]) || !known(pair[1]) {
			continue
		}
		n++
		for _, seq := range pair {
			v.seqs = append(v.seqs, seq)
			if !v.f.Config.Strands {
				v.seqs = append(v.seqs, fasta.ReverseComplement(seq))
			}
		}
	}
	return n
}

func known(seq []byte) bool {
	return !slices.ContainsFunc(seq, func(c byte) bool { return data.Nucleotide(c) < 0 })
}

// flush scores what is pending.
func (v *variants) flush() error {
	probs := v.f.Probabilities(v.seqs, v.c.Cores)
	strands := 2
	if v.f.Config.Strands {
		strands = 1
	}
	for _, p := range v.pending {
		for i := range p.effects {
			if e := &p.effects[i]; e.Windows > 0 {
				n := e.Windows * 2 * strands
				e.measure(probs[:n], v.class, strands)
				probs = probs[n:]
			}
		}
		if err := v.emit(p.rec, p.effects); err != nil {
			return err
		}
	}
	v.pending, v.seqs = v.pending[:0], v.seqs[:0]
	return nil
}

// measure fills in the values from the probabilities of each window: REF on each
// strand, then ALT.
func (e *Effect) measure(probs [][]float64, class, strands int) {
	var sum [2]float64 // of each strand
	each := make([]float64, e.Windows)
	e.Ref, e.Alt = 0, 0
	share := 1 / float64(e.Windows*strands)
	for k := range each {
		of := probs[k*2*strands:]
		for s := range strands {
			ref, alt := of[s], of[strands+s]
			e.Ref += share * ref[class]
			e.Alt += share * alt[class]
			d := logOdds(alt, class) - logOdds(ref, class)
			sum[s] += d
			each[k] += d / float64(strands)
		}
	}
	e.Delta = share * (sum[0] + sum[1])
	if strands == 2 {
		e.Plus, e.Minus = sum[0]/float64(e.Windows), sum[1]/float64(e.Windows)
	}
	if e.Windows > 1 {
		squares := 0.0
		for _, d := range each {
			squares += (d - e.Delta) * (d - e.Delta)
		}
		e.SD = math.Sqrt(squares / float64(e.Windows-1))
	}
}

// ScoreVariants scores the alleles of a VCF against a reference and calls emit
// with each record and the effects of its alleles, in order. With control it
// scores for each allele a random substitution nearby instead, in a window of its
// own: a letter at most half a window away becomes another. It reads in; the
// header has been read.
func (f *Fitted) ScoreVariants(ctx context.Context, reference, name string, in *vcf.Reader, c VariantConfig, control bool, emit func(vcf.Record, []Effect) error) (VariantCounts, error) {
	v := variants{f: f, c: c, refName: reference, name: name, control: control, emit: emit}
	var err error
	if v.class, err = v.c.complete(f); err != nil {
		return v.counts, err
	}
	if v.ref, err = openReference(reference); err != nil {
		return v.counts, err
	}
	defer v.ref.close()
	err = v.run(ctx, in)
	return v.counts, err
}

// A counted reader knows how much was read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
