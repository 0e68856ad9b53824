package dna

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heed/checkpoint"
	"heed/explain"
	"heed/model/bert"
	"heed/nn"
	"heed/train"
)

// pairs is a vocabulary of letters and a few byte pairs, mers one of 2-mers.
func pairs() bert.Vocabulary {
	return bert.Vocabulary{Tokens: []string{"[UNK]", "[CLS]", "[SEP]", "A", "C", "G", "T", "TA", "TATA", "AC", "GT"},
		Merges: [][2]string{{"T", "A"}, {"TA", "TA"}, {"A", "C"}, {"G", "T"}}, Unknown: "[UNK]", Begin: "[CLS]", End: "[SEP]"}
}

func mers(t *testing.T) bert.Vocabulary {
	tokens := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
	for _, a := range "ATCG" {
		for _, b := range "ATCG" {
			tokens = append(tokens, string(a)+string(b))
		}
	}
	v, err := bert.KMers(tokens)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// encoderFile writes an encoder of random weights as "heed model import" would.
func encoderFile(t *testing.T, v bert.Vocabulary) string {
	c := bert.Config{Layers: 2, Dim: 8, Heads: 2, FFN: 12, Vocab: len(v.Tokens), Types: 2, Eps: 1e-12, Pooler: true, Masked: true}
	if v.K > 0 {
		c.Positions = 40
	} else {
		c.Gated = true
	}
	z, err := bert.NewTokenizer(v)
	if err != nil {
		t.Fatal(err)
	}
	m := bert.New(c, z)
	r := rand.New(rand.NewPCG(8, 9))
	for _, p := range nn.Params(m) {
		for i := range p.Data {
			p.Data[i] = float32(0.5 * r.NormFloat64())
		}
	}
	config, _ := json.Marshal(c)
	tokenizer, _ := json.Marshal(v)
	meta, err := (&checkpoint.Info{Version: checkpoint.Version, Architecture: bert.Architecture, Config: config, Tokenizer: tokenizer}).Meta()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "encoder.safetensors")
	if err := checkpoint.Save(path, meta, train.Weights(m)); err != nil {
		t.Fatal(err)
	}
	return path
}

// initialised returns a configuration that begins with an encoder.
func initialised(t *testing.T, v bert.Vocabulary) Config {
	e, err := LoadEncoder(encoderFile(t, v))
	if err != nil {
		t.Fatal(err)
	}
	c := e.defaults(20)
	c.Train.Epochs, c.Train.Batch, c.Train.Rate = 3, 8, 2e-3
	return c
}

func both(t *testing.T, f func(t *testing.T, v bert.Vocabulary)) {
	t.Run("k-mers", func(t *testing.T) { f(t, mers(t)) })
	t.Run("byte pairs", func(t *testing.T) { f(t, pairs()) })
}

// A fit that begins with an encoder has the same bits on any number of cores and
// when it was cut, and what was saved gives the same probabilities.
func TestFitFromEncoder(t *testing.T) {
	both(t, func(t *testing.T, v bert.Vocabulary) {
		c := initialised(t, v)
		c.Strands, c.Augment.ReverseComplement, c.Augment.Mutate = true, true, 0.1
		c.Ensemble = 2
		d := planted(40)
		idx := make([]int, 30)
		for i := range idx {
			idx[i] = i
		}
		valid := []int{30, 31, 32, 33, 34, 35, 36, 37, 38, 39}
		var probs [2][][]float64
		for k := range probs {
			c.Train.Cores = 1 + 2*k
			f, err := Fit(context.Background(), c, d, idx, valid, nil)
			if err != nil {
				t.Fatal(err)
			}
			probs[k] = f.Probabilities(d.Seqs, 1+k)
			if k == 0 {
				continue
			}
			if !slices.EqualFunc(probs[0], probs[1], slices.Equal[[]float64]) {
				t.Error("cores change the result")
			}
			path := filepath.Join(t.TempDir(), "m.safetensors")
			if err := f.Save(path); err != nil {
				t.Fatal(err)
			}
			g, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(probs[1], g.Probabilities(d.Seqs, 2), slices.Equal[[]float64]) {
				t.Error("a saved model gives other probabilities")
			}
			if g.Config.Model.MaxLen != 20 || g.Config.Model.Classes != 2 || len(g.Members) != 2 || !g.Config.Strands {
				t.Errorf("%+v", g.Config)
			}
		}
		// Cut after two epochs, and resumed.
		fit := &Fitting{Config: c, Data: d, Train: idx, Valid: valid, Checkpoint: filepath.Join(t.TempDir(), "c.safetensors"), SaveEvery: 1}
		ctx, cancel := context.WithCancel(context.Background())
		fit.Progress = func(p Progress) {
			if p.Stage == "valid" && p.Epoch == 2 {
				cancel()
			}
		}
		if _, err := fit.Run(ctx); err == nil {
			t.Fatal("not cut")
		}
		fit.Progress = nil
		f, err := fit.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(probs[0], f.Probabilities(d.Seqs, 1), slices.Equal[[]float64]) {
			t.Error("a resumed fit gives another model")
		}
	})
}

// What rows get is shared among the letters that their tokens cover, on both
// strands, and nothing is lost but what the end tokens have.
func TestExplainEncoder(t *testing.T) {
	both(t, func(t *testing.T, v bert.Vocabulary) {
		c := initialised(t, v)
		d := planted(24)
		idx := make([]int, 24)
		for i := range idx {
			idx[i] = i
		}
		for _, pooling := range []string{"cls", "mean"} {
			c.Strands, c.Model.Pooling = true, pooling
			f, err := Fit(context.Background(), c, d, idx, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			seq := []byte("ACGTNTATATAACCGTTGCA")
			ms, err := pickMethods("all")
			if err != nil {
				t.Fatal(err)
			}
			if ms, err = f.possible(ms, "all"); err != nil || len(ms) != 7 {
				t.Fatal(err, len(ms))
			}
			e, err := f.Explain(context.Background(), "s", seq, 1, Explaining{Methods: ms, Seed: 1, Cores: 2})
			if err != nil {
				t.Fatal(err)
			}
			if !e.Integral.Met {
				t.Errorf("integrated gradients do not add up: %+v", e.Integral)
			}
			parts := f.parts(seq, 1, 1)
			for k, p := range parts {
				rows, sum := make([]float64, p.c.Rows), 0.0
				for i := range rows {
					rows[i] = float64(1 + i*i)
					if i > 0 && i < len(rows)-1 {
						sum += rows[i]
					}
				}
				got := 0.0
				for _, x := range p.letters(rows, len(seq)) {
					got += x
				}
				if len(p.spans) != len(rows)-2 || math.Abs(got-sum) > 1e-9 {
					t.Errorf("part %d: letters have %v of %v, %d spans of %d rows", k, got, sum, len(p.spans), len(rows))
				}
				if readout := p.c.Readout; pooling == "mean" && (readout[0] != 0 || readout[len(rows)-1] != 0) {
					t.Errorf("the mean reads end tokens: %v", readout)
				}
			}
			// The first token of the other strand covers the last letters.
			rows := make([]float64, parts[1].c.Rows)
			rows[1] = 1
			letters := parts[1].letters(rows, len(seq))
			n := parts[1].spans[0].To
			for i, x := range letters {
				if want := map[bool]float64{true: 1 / float64(n)}[i >= len(seq)-n]; x != want {
					t.Errorf("letter %d of the other strand has %v, want %v", i, x, want)
				}
			}
			if len(e.Tokens) != parts[0].c.Rows || e.Tokens[0] != "[CLS]" || e.Tokens[len(e.Tokens)-1] != "[SEP]" {
				t.Errorf("tokens %q", e.Tokens)
			}
			x := &Explained{Model: f, How: Explaining{Methods: ms, Seed: 1}, TSS: -1, Sequences: []*Explanation{e}}
			if _, err := x.sections(); err != nil {
				t.Error(err)
			}
		}
	})
}

// Gradient x attention of the map that is shown is that of the tokens.
func TestEncoderMap(t *testing.T) {
	c := initialised(t, pairs())
	c.Model.Classes, c.Model.MaxLen = 2, 20
	f := &Fitted{Config: c, Classes: []string{"no", "yes"}, Positive: 1, Members: []Network{c.newMember(rand.New(rand.NewPCG(1, 2)))}}
	seq := []byte("TATAACGC") // TATA AC G C
	p := f.parts(seq, 1, 1)[0]
	rows := explain.GradientAttention(p.attention(), p.c.Readout, explain.Positive)
	want := []float64{rows[1] / 4, rows[1] / 4, rows[1] / 4, rows[1] / 4, rows[2] / 2, rows[2] / 2, rows[3], rows[4]}
	if got := p.letters(rows, len(seq)); !slices.Equal(got, want) {
		t.Errorf("letters %v, want %v", got, want)
	}
	if !strings.HasPrefix(p.model.(imported).Tokenizer.Name(p.ids[0]), "TATA") {
		t.Errorf("tokens %v", p.ids)
	}
}
