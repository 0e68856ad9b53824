package bert

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/checkpoint"
	"heed/format"
	"heed/format/tokenizer"
	"heed/format/torch"
	"heed/internal/kernel"
	"heed/nn"
)

// A reference is what the modules of testdata/make.py computed for one sequence.
type reference struct {
	Seq       string
	IDs       []int32
	Hidden    [][]float64 // (L, D) of each layer, the embedding first
	Attention [][]float64 // (H, L, L) of each layer
	Logits    []float64   // (L, V)
	Pooled    []float64   // (D)
}

func references(t testing.TB) map[string][]reference {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var r map[string][]reference
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// arrays returns the weights of a folder, read from its file.
func arrays(t testing.TB, folder string) map[string]Array {
	out := map[string]Array{}
	if folder == "dnabert" {
		f, err := torch.Open("testdata/dnabert/pytorch_model.bin")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		d := f.Root.(*torch.Dict)
		for i, v := range d.Values {
			if x := v.(*torch.Tensor); x.DType == format.F32 {
				out[d.Keys[i].(string)] = Array{x.Shape, func() ([]float32, error) { return f.Floats(x) }}
			}
		}
		return out
	}
	f, err := checkpoint.Load("testdata/dnabert2/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range f.Entries {
		out[e.Name] = Array{e.Shape, func() ([]float32, error) { return e.Float, nil }}
	}
	return out
}

// vocabulary returns the tokenizer of a folder.
func vocabulary(t testing.TB, folder string) *Tokenizer {
	var v Vocabulary
	if folder == "dnabert" {
		f, err := os.Open("testdata/dnabert/vocab.txt")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		tokens, err := tokenizer.ReadVocab("vocab.txt", f)
		if err != nil {
			t.Fatal(err)
		}
		if v, err = KMers(tokens); err != nil {
			t.Fatal(err)
		}
	} else {
		f, err := os.Open("testdata/dnabert2/tokenizer.json")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b, err := tokenizer.ReadBPE("tokenizer.json", f)
		if err != nil {
			t.Fatal(err)
		}
		v = Vocabulary{Tokens: b.Tokens, Merges: b.Merges, Unknown: b.Unknown, FuseUnknown: b.FuseUnknown, Begin: b.Begin, End: b.End}
	}
	z, err := NewTokenizer(v)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func tiny(t testing.TB, folder string) *Model {
	m, ignored, err := Load(arrays(t, folder), 12, 1e-12, vocabulary(t, folder))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"classifier.bias", "classifier.weight"}; !slices.Equal(ignored, want) {
		t.Errorf("ignored %q, want %q", ignored, want)
	}
	return m
}

func near(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	worst := 0.0
	for i, x := range got {
		worst = max(worst, math.Abs(float64(x)-want[i]))
	}
	if !(worst < 1e-4) {
		t.Errorf("%s: error %.2g", what, worst)
	}
}

// Hidden states of every layer, attention, masked-token logits and the pooler agree
// with PyTorch, alone and packed.
func TestGoldens(t *testing.T) {
	all := references(t)
	for _, folder := range []string{"dnabert", "dnabert2"} {
		m := tiny(t, folder)
		for _, impl := range kernel.Available() {
			t.Run(folder+" "+impl.String(), func(t *testing.T) {
				defer kernel.Force(impl)()
				for _, ref := range all[folder] {
					ids := m.Tokenizer.Encode([]byte(ref.Seq))
					b := m.Pack(ids)
					if !slices.Equal(b.Tokens, ref.IDs) {
						t.Fatalf("%s: tokens %v, want %v", ref.Seq, b.Tokens, ref.IDs)
					}
					seen := map[string][]float32{}
					tape := &autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) { seen[name] = slices.Clone(v.Data) }}
					x := m.Encode(tape, b)
					near(t, "embedded", seen["embedded"], ref.Hidden[0])
					for l := range m.Config.Layers {
						near(t, fmt.Sprint("layer ", l), seen[fmt.Sprintf("layers.%d.output", l)], ref.Hidden[l+1])
						near(t, fmt.Sprint("attention ", l), seen[fmt.Sprintf("layers.%d.attention.weights", l)], ref.Attention[l])
					}
					near(t, "logits", m.MaskedLogits(tape, x).Data, ref.Logits)
					near(t, "pooled", m.Pool(tape, autograd.Rows(tape, x, b.Cls)).Data, ref.Pooled)
				}
				var seqs [][]int32
				for _, ref := range all[folder] {
					seqs = append(seqs, m.Tokenizer.Encode([]byte(ref.Seq)))
				}
				b := m.Pack(seqs...)
				x := m.Encode(&autograd.Tape{NoGrad: true}, b)
				for i, s := range b.Segments {
					near(t, "packed", x.Data[s.Start*24:(s.Start+s.Count)*24], all[folder][i].Hidden[2])
				}
			})
		}
	}
}

// Values counts what Visit shows, so that a checkpoint can be refused before room
// is made for it.
func TestValues(t *testing.T) {
	for _, folder := range []string{"dnabert", "dnabert2"} {
		m := tiny(t, folder)
		for _, task := range []Task{{}, {Classes: 3, Pooling: "cls", MaxLen: 50}, {Classes: 2, Pooling: "mean", MaxLen: 50}} {
			c := m
			if task.Classes > 0 {
				c = m.Classify(task, rand.New(rand.NewPCG(1, 2)))
			}
			if got, want := c.Config.Values(), int64(nn.Count(c)); got != want {
				t.Errorf("%s %+v: %d values, want %d", folder, task, got, want)
			}
		}
	}
}

// BERT-base with the vocabulary of DNABERT-6, and DNABERT-2, have the published
// number of parameters, 89 M and 117 M.
func TestPublishedSizes(t *testing.T) {
	six := Config{Layers: 12, Dim: 768, Heads: 12, FFN: 3072, Vocab: 4101, Types: 2, Positions: 512, Pooler: true}
	if n := six.Values(); n != 89_190_912 {
		t.Errorf("DNABERT-6 has %d values", n)
	}
	two := Config{Layers: 12, Dim: 768, Heads: 12, FFN: 3072, Vocab: 4096, Types: 2, Gated: true, Pooler: true}
	if n := two.Values(); n != 117_068_544 {
		t.Errorf("DNABERT-2 has %d values", n)
	}
}

func TestClassify(t *testing.T) {
	m := tiny(t, "dnabert2")
	before := slices.Clone(m.Embed.Weight.Data)
	c := m.Classify(Task{Classes: 2, Pooling: "cls", MaxLen: 100, Dropout: 0.1}, rand.New(rand.NewPCG(1, 2)))
	tape := &autograd.Tape{Rand: rand.New(rand.NewPCG(3, 4))}
	b := c.Pack(c.Tokenizer.Encode([]byte("GATTACA")), c.Tokenizer.Encode([]byte("TATAATCCG")))
	tape.Backward(autograd.CrossEntropy(tape, c.Logits(tape, b), []int32{0, 1}, 2))
	c.Visit("", func(name string, v *autograd.Var) {
		g := tape.Grad(v)
		if len(g) != len(v.Data) || !slices.ContainsFunc(g, func(x float32) bool { return x != 0 }) {
			t.Errorf("%s has no gradient", name)
		}
		v.Data[0]++
	})
	if !slices.Equal(before, m.Embed.Weight.Data) {
		t.Error("the encoder was not copied")
	}
}

// Files of the first years call the weights of norms gamma and beta, and files
// without heads have no "bert." before the names.
func TestOtherNames(t *testing.T) {
	want := tiny(t, "dnabert")
	renamed := map[string]Array{}
	for name, a := range arrays(t, "dnabert") {
		if strings.Contains(name, "LayerNorm") {
			name = strings.NewReplacer(".weight", ".gamma", ".bias", ".beta").Replace(name)
		}
		renamed[strings.TrimPrefix(name, "bert.")] = a
	}
	got, _, err := Load(renamed, 12, 1e-12, want.Tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	a, b := nn.Params(want), nn.Params(got)
	for i := range a {
		if !slices.Equal(a[i].Data, b[i].Data) {
			t.Errorf("parameter %d differs", i)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	z, z2 := vocabulary(t, "dnabert"), vocabulary(t, "dnabert2")
	for _, c := range []struct {
		folder string
		change func(map[string]Array)
		heads  int
		want   string
	}{
		{"dnabert", func(a map[string]Array) { delete(a, "bert.encoder.layer.1.output.dense.bias") }, 12,
			`no array "layers.1.down.bias" (bert.encoder.layer.1.output.dense.bias)`},
		{"dnabert", func(a map[string]Array) { delete(a, "bert.embeddings.word_embeddings.weight") }, 12,
			`no array "embed.weight" (bert.embeddings.word_embeddings.weight)`},
		{"dnabert", func(a map[string]Array) {
			a["bert.pooler.dense.weight"] = a["bert.encoder.layer.0.intermediate.dense.weight"]
		}, 12, `array "pooler.weight" (bert.pooler.dense.weight) has shape [20 24], want [24 24]`},
		{"dnabert", func(a map[string]Array) {
			a["cls.predictions.decoder.weight"] = Array{Values: func() ([]float32, error) { return make([]float32, 69*24), nil }}
		}, 12, "the output layer differs from the embedding: not BERT as published"},
		{"dnabert", func(a map[string]Array) { a["embeddings.LayerNorm.weight"] = a["bert.embeddings.LayerNorm.weight"] }, 12,
			`arrays "bert.embeddings.LayerNorm.weight" and "embeddings.LayerNorm.weight" are the same part of the model`},
		{"dnabert", func(map[string]Array) {}, 5, "heads 5: want a divisor of dim 24"},
		{"dnabert2", func(a map[string]Array) {
			a["bert.encoder.layer.0.attention.self.Wqkv.weight"] = a["bert.encoder.layer.0.mlp.gated_layers.weight"]
		}, 12, `array "bert.encoder.layer.0.attention.self.Wqkv.weight" has shape [40 24], want a first axis of three equal parts`},
		{"dnabert2", func(a map[string]Array) {
			a["bert.embeddings.word_embeddings.weight"] = a["bert.embeddings.token_type_embeddings.weight"]
		}, 12, "the tokenizer has 49 tokens, the embedding 2 rows"},
	} {
		a := arrays(t, c.folder)
		c.change(a)
		_, _, err := Load(a, c.heads, 1e-12, map[string]*Tokenizer{"dnabert": z, "dnabert2": z2}[c.folder])
		if err == nil || err.Error() != c.want {
			t.Errorf("got error\n%v, want\n%s", err, c.want)
		}
	}
}

func TestFits(t *testing.T) {
	m := tiny(t, "dnabert")
	c := m.Config
	c.Task = Task{Classes: 2, Pooling: "cls", MaxLen: 60}
	if err := c.Fits(m.Tokenizer); err != nil {
		t.Error(err)
	}
	c.Task.MaxLen = 61
	want := "sequences of 61 letters are 61 tokens, the encoder has 60 positions: up to 60 letters"
	if err := c.Fits(m.Tokenizer); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}
