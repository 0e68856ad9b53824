package dna

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"heed/explain"
	"heed/internal/par"
)

// A Verdict is what the referee says about the methods of an explanation.
type Verdict struct {
	Sequences int
	// Replacements hold the tests of faithfulness: letters replaced by N, and by
	// those of shuffled sequences.
	Replacements []*explain.Verification
	Agreement    *explain.Agreement
	// Randomised, Logits (nil if there are not two classes) and Seeds (nil if there
	// is one model) hold one result for each method.
	Randomised []*explain.Randomised
	Logits     []*explain.LogitTest
	Seeds      []*explain.Stability
	Models     int // that Seeds compares
}

// verifyConfig says how a verification is made.
type verifyConfig struct {
	how    Explaining
	limit  int       // sequences of the referee; the checks of sanity take a quarter
	others []*Fitted // trained like the model from other seeds
	tell   func(Progress)
}

// refereeSeed makes the shuffles of the referee others than those that integrated
// gradients start from: no method may be tested on its own baseline.
const refereeSeed = 0x7265666572656500 // "referee"

// verify puts the methods to the test on the first explained sequences of each
// class.
func (x *Explained) verify(ctx context.Context, c verifyConfig) (*Verdict, error) {
	es := x.firstOf(c.limit)
	few := es[:(len(es)+3)/4]
	v := &Verdict{Sequences: len(es)}
	var ms []explain.Method
	for _, m := range x.How.Methods {
		ms = append(ms, m.Method)
	}
	steps := 2*len(es) + 1 + len(x.How.Methods)*2
	done := 0
	tell := func() {
		if done++; c.tell != nil {
			c.tell(Progress{Stage: "verify", Done: min(done, steps), Total: steps})
		}
	}
	for _, replacement := range []struct {
		name        string
		backgrounds func(e *Explanation) [][]byte
	}{
		{"N in place of the letter", func(e *Explanation) [][]byte { return [][]byte{slices.Repeat([]byte{'N'}, len(e.Sequence))} }},
		{"letters of shuffled sequences", func(e *Explanation) [][]byte { return backgrounds(e.Sequence, c.how.Seed+refereeSeed) }},
	} {
		var examples []explain.Example
		for _, e := range es {
			g := explain.ReplaceGame(e.Sequence, replacement.backgrounds(e), x.Model.logOddsOf(e.Class, c.how.Cores))
			g.Batch = 256
			examples = append(examples, explain.Example{Game: g, Scores: e.Scores})
			tell()
		}
		r, err := explain.Referee{Replacement: replacement.name}.Verify(ctx, rand.New(rand.NewPCG(c.how.Seed, 1)), ms, examples)
		if err != nil {
			return nil, err
		}
		v.Replacements = append(v.Replacements, r)
	}
	var err error
	var examples []explain.Example
	for _, e := range x.Sequences {
		examples = append(examples, explain.Example{Scores: e.Scores})
	}
	if v.Agreement, err = explain.Agree(rand.New(rand.NewPCG(c.how.Seed, 2)), ms, examples, 0.1); err != nil {
		return nil, err
	}
	tell()
	if err := x.randomise(ctx, v, few, c, tell); err != nil {
		return nil, err
	}
	if len(x.Model.Classes) == 2 {
		if err := x.flip(ctx, v, few, c, tell); err != nil {
			return nil, err
		}
	}
	return v, x.seeds(ctx, v, few, c)
}

// firstOf returns the first n explained sequences, the classes in turn.
func (x *Explained) firstOf(n int) []*Explanation { return x.inTurn(min(n, len(x.Sequences))) }

// logOddsOf returns the score of sequences for a class.
func (f *Fitted) logOddsOf(class, cores int) func(seqs [][]byte) []float64 {
	return func(seqs [][]byte) []float64 {
		out := make([]float64, len(seqs))
		for i, p := range f.Probabilities(seqs, cores) {
			out[i] = logOdds(p, class)
		}
		return out
	}
}

// maps returns the scores of one method for sequences, and the class for each
// that class says: (sequences, L).
func (f *Fitted) maps(ctx context.Context, m method, es []*Explanation, class func(e *Explanation) int, how Explaining) ([][]float64, error) {
	out, errs := make([][]float64, len(es)), make([]error, len(es))
	how.Methods = []method{m}
	cores := how.Cores
	if cores < 1 {
		cores = par.Cores()
	}
	how.Cores = 1
	par.Do(len(es), cores, func(_, i int) {
		e := &Explanation{Name: es[i].Name, Sequence: es[i].Sequence, Class: class(es[i])}
		if m.rows == nil {
			if e.Effects, errs[i] = f.mutagenesis(ctx, e.Sequence, e.Class, 1); errs[i] != nil {
				return
			}
			e.Importance = e.Effects.Importance()
		}
		if errs[i] = f.scoreLetters(ctx, e, how); errs[i] == nil {
			out[i] = e.Scores[0]
		}
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func ownClass(e *Explanation) int { return e.Class }

// randomise asks whether the maps depend on what the model has learned, on its
// first member.
func (x *Explained) randomise(ctx context.Context, v *Verdict, es []*Explanation, c verifyConfig, tell func()) error {
	one := *x.Model
	one.Members = x.Model.Members[:1]
	for k, m := range x.How.Methods {
		r, err := explain.ParameterTest{Module: one.Members[0], Layer: learned}.Run(ctx, rand.New(rand.NewPCG(c.how.Seed, 3)), func() ([][]float64, error) {
			return one.maps(ctx, m, es, ownClass, c.how)
		})
		if err != nil {
			return fmt.Errorf("random parameters, %s: %w", x.How.Methods[k].Name, err)
		}
		v.Randomised = append(v.Randomised, r)
		tell()
	}
	return nil
}

// learned groups parameters into layers; the head of the pre-training has no
// part in a classification.
func learned(name string) string {
	l := explain.LayerName(name)
	if l == "masked" {
		return ""
	}
	return l
}

// flip compares the maps for the two classes.
func (x *Explained) flip(ctx context.Context, v *Verdict, es []*Explanation, c verifyConfig, tell func()) error {
	for _, m := range x.How.Methods {
		own, err := x.Model.maps(ctx, m, es, ownClass, c.how)
		if err != nil {
			return err
		}
		other, err := x.Model.maps(ctx, m, es, func(e *Explanation) int { return 1 - e.Class }, c.how)
		if err != nil {
			return err
		}
		t, err := explain.RandomLogit(rand.New(rand.NewPCG(c.how.Seed, 4)), own, other)
		if err != nil {
			return err
		}
		v.Logits = append(v.Logits, t)
		tell()
	}
	return nil
}

// seeds compares the maps of models that differ in nothing but the seed: the
// members of an ensemble, and those that were trained for the purpose.
func (x *Explained) seeds(ctx context.Context, v *Verdict, es []*Explanation, c verifyConfig) error {
	var single []*Fitted
	for _, f := range append([]*Fitted{x.Model}, c.others...) {
		for i := range f.Members {
			one := *f
			one.Members = []Network{f.Members[i]}
			single = append(single, &one)
		}
	}
	if v.Models = len(single); v.Models < 2 {
		return nil
	}
	for _, m := range x.How.Methods {
		maps := make([][][]float64, len(single))
		for k, f := range single {
			var err error
			if maps[k], err = f.maps(ctx, m, es, ownClass, c.how); err != nil {
				return err
			}
		}
		s, err := explain.SeedStability(maps)
		if err != nil {
			return err
		}
		v.Seeds = append(v.Seeds, s)
	}
	return nil
}
