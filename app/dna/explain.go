package dna

import (
	"context"
	"fmt"
	"math"

	"heed/explain"
)

// Letters are the columns of everything that has one column per nucleotide.
const Letters = "ACGT"

// An Explanation says what a model made of one sequence, by methods that answer
// different questions: mutagenesis, which is evidence of cause, and others, which
// are not and are compared with it.
type Explanation struct {
	Name     string
	Sequence []byte // (L)
	Class    int    // whose log-odds are explained
	Label    int    // true class; -1 if unknown
	Prob     float64

	Effects    *explain.Effects // of the log-odds of Class, in nats
	Importance []float64        // (L)
	Scores     [][]float64      // (methods, L), in the order of the methods
	// Integral says how well integrated gradients add up; nil if they were not
	// asked for.
	Integral *Integral
	// Heads describes those of the first member, layer by layer, and Tokens are the
	// names of the rows of its attention, [CLS] leading. Nil for a model without
	// attention.
	Heads  []explain.HeadStats
	Tokens []string
	// Rollout (L) is what each letter could have contributed to the position
	// that the classifier reads, averaged over the parts of the model; the share
	// of [CLS] itself is left out.
	Rollout    []float64
	Uniformity float64 // of Rollout
	Spearman   float64 // rank correlation of Rollout with |Importance|
}

// An Integral describes the integrated gradients of one sequence: the mean over
// the parts of the model and over shuffled sequences.
type Integral struct {
	Score    float64 // log-odds
	Baseline float64 // of the shuffled sequences
	Error    float64 // sum of the shares of all rows less Score - Baseline
	Steps    int     // the most of any path
	Met      bool    // every path came within the bound
}

// Explaining says how to explain.
type Explaining struct {
	Methods []method
	Seed    uint64 // of the shuffled sequences
	Cores   int    // 0 means all. Results do not depend on it
}

// Explain explains the probability of a class for one sequence, at most
// Config.Model.MaxLen letters long: 3·L+1 forward passes for mutagenesis, and
// what the methods need.
func (f *Fitted) Explain(ctx context.Context, name string, seq []byte, class int, how Explaining) (*Explanation, error) {
	if err := f.fits(name, seq); err != nil {
		return nil, err
	}
	e := &Explanation{Name: name, Sequence: seq, Class: class, Label: -1, Uniformity: math.NaN(), Spearman: math.NaN()}
	var err error
	if e.Effects, err = f.mutagenesis(ctx, seq, class, how.Cores); err != nil {
		return nil, err
	}
	e.Prob = 1 / (1 + math.Exp(-e.Effects.Score))
	e.Importance = e.Effects.Importance()
	if err := f.scoreLetters(ctx, e, how); err != nil {
		return nil, err
	}
	return e, nil
}

// fits says whether the model can read a sequence.
func (f *Fitted) fits(name string, seq []byte) error {
	if n, limit := len(seq), f.Config.Model.MaxLen; n > limit {
		return fmt.Errorf("sequence %q has %d letters, the model takes %d", name, n, limit)
	}
	if f.Config.reader().most(len(seq)) == 0 {
		return fmt.Errorf("sequence %q has %d letters, one token needs %d", name, len(seq), f.Config.Model.Tokenizer.K)
	}
	return nil
}

// mutagenesis measures the effects of all substitutions on the log-odds of a
// class.
func (f *Fitted) mutagenesis(ctx context.Context, seq []byte, class, cores int) (*explain.Effects, error) {
	batch := max(1, 8*batchTokens/(1+len(seq)))
	return explain.Mutagenesis(ctx, seq, []byte(Letters), batch, func(seqs [][]byte) []float64 {
		out := make([]float64, len(seqs))
		for i, p := range f.Probabilities(seqs, cores) {
			out[i] = logOdds(p, class)
		}
		return out
	})
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
