package dna

import (
	"context"
	"fmt"
	"math"
	"slices"

	"heed/autograd"
	"heed/explain"
	"heed/metric"
	"heed/model/sequence"
)

// Letters are the columns of everything that has one column per nucleotide.
const Letters = "ACGT"

// An Explanation says what a model made of one sequence, by two methods that
// answer different questions: mutagenesis, which is evidence of cause, and the
// rollout of attention, which is not.
type Explanation struct {
	Name     string
	Sequence []byte // (L)
	Class    int    // whose log-odds are explained
	Label    int    // true class; -1 if unknown
	Prob     float64

	Effects    *explain.Effects // of the log-odds of Class, in nats
	Importance []float64        // (L)
	// Layers are the weights of the first member, [CLS] leading, and Tokens the
	// names of their rows. Nil for a model without attention.
	Layers []explain.Layer
	Tokens []string
	// Rollout (L) is what each letter could have contributed to the position
	// that the classifier reads, averaged over the members; the share of [CLS]
	// itself is left out.
	Rollout    []float64
	Uniformity float64 // of Rollout
	Spearman   float64 // rank correlation of Rollout with |Importance|
}

// Explain explains the probability of a class for one sequence, at most
// Config.Model.MaxLen letters long, by 3·L+1 forward passes and one that
// collects attention.
func (f *Fitted) Explain(ctx context.Context, name string, seq []byte, class, cores int) (*Explanation, error) {
	if n, limit := len(seq), f.Config.Model.MaxLen; n > limit {
		return nil, fmt.Errorf("sequence %q has %d letters, the model takes %d", name, n, limit)
	}
	if f.Config.Model.Tokenizer.Length(len(seq)) == 0 {
		return nil, fmt.Errorf("sequence %q has %d letters, one token needs %d", name, len(seq), f.Config.Model.Tokenizer.K)
	}
	e := &Explanation{Name: name, Sequence: seq, Class: class, Label: -1}
	var err error
	batch := max(1, 8*batchTokens/(1+len(seq)))
	e.Effects, err = explain.Mutagenesis(ctx, seq, []byte(Letters), batch, func(seqs [][]byte) []float64 {
		out := make([]float64, len(seqs))
		for i, p := range f.Probabilities(seqs, cores) {
			out[i] = logOdds(p, class)
		}
		return out
	})
	if err != nil {
		return nil, err
	}
	e.Prob = 1 / (1 + math.Exp(-e.Effects.Score))
	e.Importance = e.Effects.Importance()
	f.attend(e)
	return e, nil
}

// logOdds returns log p/(1-p) of a class, with 1-p as the sum of the others: it
// is right for probabilities next to 1 too.
func logOdds(probs []float64, class int) float64 {
	const least = 1e-30 // a float32 softmax may give 0
	others := 0.0
	for k, p := range probs {
		if k != class {
			others += p
		}
	}
	return math.Log(max(probs[class], least)) - math.Log(max(others, least))
}

// attend fills in what the attention shows.
func (f *Fitted) attend(e *Explanation) {
	z := f.Config.Model.Tokenizer
	ids := z.Encode(e.Sequence)
	e.Uniformity, e.Spearman = math.NaN(), math.NaN()
	if f.Config.Model.Layers == 0 {
		return
	}
	e.Rollout = make([]float64, len(e.Sequence))
	for i, m := range f.Members {
		c := caseOf(m, ids, e.Class)
		layers := explain.Attention(c)
		if i == 0 {
			e.Layers = layers
		}
		for j, v := range explain.RolloutFrom(layers, c.Readout, explain.Mean)[1:] {
			for k := range z.K { // a token shares its part among its letters
				e.Rollout[j+k] += v / float64(z.K*len(f.Members))
			}
		}
	}
	e.Tokens = append(e.Tokens, "[CLS]")
	for _, id := range ids {
		e.Tokens = append(e.Tokens, z.Name(id))
	}
	e.Uniformity = explain.Uniformity(e.Rollout)
	size := make([]float64, len(e.Importance))
	for i, v := range e.Importance {
		size[i] = math.Abs(v)
	}
	if rho, err := metric.Spearman(e.Rollout, size); err == nil {
		e.Spearman = rho
	}
}

// caseOf returns the case of one member and the tokens of one strand, explained
// for a class; row 0 is [CLS].
func caseOf(m *sequence.Model, ids []int32, class int) *explain.Case {
	c := &explain.Case{Rows: 1 + len(ids)}
	if m.Config.Pooling == "mean" {
		c.Readout = explain.ReadMean(c.Rows, 1)
	} else {
		c.Readout = explain.ReadRow(c.Rows, 0)
	}
	c.Run = func(t *autograd.Tape, n int) *autograd.Var {
		return explain.Contrast(t, m.Logits(t, m.Pack(slices.Repeat([][]int32{ids}, n)...)), class)
	}
	return c
}
