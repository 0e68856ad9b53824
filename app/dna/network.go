package dna

import (
	"math/rand/v2"

	"heed/autograd"
	"heed/data"
	"heed/explain"
	"heed/model/bert"
	"heed/model/sequence"
	"heed/nn"
)

// A Network is a classifier of sequences of token ids: the transformer of
// model/sequence, trained from nothing, or a published encoder of model/bert with
// a new classifier. Packages of models know nothing of it.
type Network interface {
	nn.Module
	// logits returns class logits (S, C) of S sequences of ids, as a reader encodes
	// them.
	logits(t *autograd.Tape, seqs ...[]int32) *autograd.Var
	// readout returns the weights by which the classifier reads so many rows.
	readout(rows int) []float64
}

// A reader turns the letters of a sequence into the ids that a Network takes.
type reader interface {
	// encode returns the ids of a sequence, or of its other strand.
	encode(seq []byte, reverse bool) []int32
	// vary returns the ids of a training example, changed as a says; ids are those
	// of seq.
	vary(seq []byte, ids []int32, a sequence.Augment, r *rand.Rand) []int32
	// backgrounds returns the ids of sequences of the length of ids that stand for
	// the absence of a signal.
	backgrounds(seq []byte, ids []int32, reverse bool, seed uint64) [][]int32
	// spans returns the letters that each id covers.
	spans(seq []byte) []bert.Span
	name(id int32) string
	// most is the greatest number of ids of so many letters.
	most(letters int) int
	// ends names the rows of the network before and behind the ids.
	ends() (before, behind []string)
}

// own is a transformer of model/sequence.
type own struct{ *sequence.Model }

func (m own) logits(t *autograd.Tape, seqs ...[]int32) *autograd.Var {
	return m.Logits(t, m.Pack(seqs...))
}

func (m own) readout(rows int) []float64 {
	if m.Config.Pooling == "mean" {
		return explain.ReadMean(rows, 1)
	}
	return explain.ReadRow(rows, 0)
}

// ownReader reads single letters and k-mers.
type ownReader struct{ sequence.Tokenizer }

func (z ownReader) encode(seq []byte, reverse bool) []int32 {
	ids := z.Encode(seq)
	if reverse {
		return z.ReverseComplement(ids)
	}
	return ids
}

func (z ownReader) vary(_ []byte, ids []int32, a sequence.Augment, r *rand.Rand) []int32 {
	return a.Apply(z.Tokenizer, ids, r)
}

func (z ownReader) backgrounds(seq []byte, _ []int32, reverse bool, seed uint64) [][]int32 {
	var out [][]int32
	for _, s := range backgrounds(seq, seed) {
		out = append(out, z.encode(s, reverse))
	}
	return out
}

func (z ownReader) spans(seq []byte) []bert.Span {
	out := make([]bert.Span, z.Length(len(seq)))
	for i := range out {
		out[i] = bert.Span{From: i, To: i + z.K}
	}
	return out
}

func (z ownReader) name(id int32) string            { return z.Name(id) }
func (z ownReader) most(letters int) int            { return z.Length(letters) }
func (z ownReader) ends() (before, behind []string) { return []string{"[CLS]"}, nil }

// imported is a published encoder with a classifier.
type imported struct{ *bert.Model }

func (m imported) logits(t *autograd.Tape, seqs ...[]int32) *autograd.Var {
	return m.Logits(t, m.Pack(seqs...))
}

func (m imported) readout(rows int) []float64 {
	if m.Config.Task.Pooling != "mean" {
		return explain.ReadRow(rows, 0)
	}
	return append(explain.ReadMean(rows-1, 1), 0) // without the end token
}

// importedReader reads k-mers and byte pairs by a published vocabulary.
type importedReader struct{ *bert.Tokenizer }

func (z importedReader) encode(seq []byte, reverse bool) []int32 {
	if reverse {
		seq = bert.ReverseComplement(seq)
	}
	return z.Encode(seq)
}

// vary changes letters, not tokens: the tokens of the other strand, and those
// beside a changed letter, are others.
func (z importedReader) vary(seq []byte, ids []int32, a sequence.Augment, r *rand.Rand) []int32 {
	reverse := a.ReverseComplement && r.IntN(2) == 1
	if !reverse && a.Mutate == 0 {
		return ids
	}
	if a.Mutate > 0 {
		seq = append([]byte(nil), seq...)
		for i, c := range seq {
			if r.Float64() >= a.Mutate {
				continue
			}
			if n := data.Nucleotide(c); n >= 0 {
				seq[i] = Letters[(n+1+r.IntN(3))%4]
			} else {
				seq[i] = Letters[r.IntN(4)]
			}
		}
	}
	return z.encode(seq, reverse)
}

// backgrounds are shuffled sequences where the number of ids is that of the
// letters, and otherwise the ids of the sequence in another order: a shuffled
// sequence is cut into another number of byte pairs, and a path from one embedding
// to the other needs as many rows.
func (z importedReader) backgrounds(seq []byte, ids []int32, reverse bool, seed uint64) [][]int32 {
	var out [][]int32
	if z.K > 0 {
		for _, s := range backgrounds(seq, seed) {
			out = append(out, z.encode(s, reverse))
		}
		return out
	}
	r := sequenceRand(seq, seed)
	for range backgroundCount {
		s := append([]int32(nil), ids...)
		r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
		out = append(out, s)
	}
	return out
}

func (z importedReader) spans(seq []byte) []bert.Span { return z.Spans(seq) }
func (z importedReader) name(id int32) string         { return z.Name(id) }
func (z importedReader) most(letters int) int         { return z.Most(letters) }
func (z importedReader) ends() (before, behind []string) {
	return []string{z.Begin}, []string{z.End}
}

// reader returns what turns letters into ids for the networks of a configuration.
func (c *Config) reader() reader {
	if c.Encoder != nil {
		return importedReader{c.Encoder.model.Tokenizer}
	}
	return ownReader{c.Model.Tokenizer}
}

// rows returns how many rows of a network so many ids are.
func rows(z reader, ids int) int {
	before, behind := z.ends()
	return len(before) + ids + len(behind)
}
