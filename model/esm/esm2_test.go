package esm

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/checkpoint"
	"heed/format/torch"
	"heed/internal/kernel"
	"heed/tensor"
)

const shared = "../../../shared/golden/esm/"

// safetensors returns the arrays of a file.
func safetensors(t testing.TB, path string) map[string]Array {
	f, err := checkpoint.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	arrays := map[string]Array{}
	for _, e := range f.Entries {
		arrays[e.Name] = Array{e.Shape, func() ([]float32, error) { return e.Float, nil }}
	}
	return arrays
}

// pytorch returns the arrays of some files.
func pytorch(t testing.TB, paths ...string) map[string]Array {
	arrays := map[string]Array{}
	for _, path := range paths {
		f, err := torch.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		model := f.Root.(*torch.Dict).Get("model").(*torch.Dict)
		for i, v := range model.Values {
			x := v.(*torch.Tensor)
			arrays[model.Keys[i].(string)] = Array{x.Shape, func() ([]float32, error) { return f.Floats(x) }}
		}
	}
	return arrays
}

// A reference is what another implementation computed, padded to the longest
// sequence.
type reference struct {
	Seqs       [][2]string
	Tokens     [][]int32
	Logits     [][][]float64
	Repr       map[string][][][]float64
	Attentions [][][][][]float64 // sequence, layer, head, query, key
	Contacts   [][][]float64
}

func readReference(t testing.TB, path string) *reference {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := &reference{}
	if err := json.Unmarshal(text, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// compare checks got (rows, columns) against the upper left corner of want.
func compare(t *testing.T, what string, got []float32, rows, columns int, want [][]float64, bound float64) {
	t.Helper()
	if len(got) != rows*columns || len(want) < rows {
		t.Fatalf("%s: %d values, want %d x %d", what, len(got), rows, columns)
	}
	worst := 0.0
	for i := range rows {
		for j := range columns {
			d := math.Abs(float64(got[i*columns+j]) - want[i][j])
			if !(d <= bound) {
				t.Fatalf("%s: value (%d, %d) is %g, want %g", what, i, j, got[i*columns+j], want[i][j])
			}
			worst = max(worst, d)
		}
	}
	t.Logf("%s: largest difference %.2g", what, worst)
}

func checkReference(t *testing.T, m *Model, ref *reference) {
	const bound = 1e-4
	var seqs [][]int32
	for i, s := range ref.Seqs {
		ids, changes, err := Encode(s[1])
		if err != nil || changes != (Changes{}) {
			t.Fatalf("%s: %v %v", s[0], changes, err)
		}
		if n := len(ids); !slices.Equal(ids, ref.Tokens[i][:n]) || n < len(ref.Tokens[i]) && ref.Tokens[i][n] != Pad {
			t.Fatalf("%s: tokens %v, want %v", s[0], ids, ref.Tokens[i])
		}
		seqs = append(seqs, ids)
	}
	b := Pack(seqs...)
	d, h := m.Config.Dim, m.Config.Heads
	each := func(what string, x []float32, width int, want [][][]float64) {
		t.Helper()
		for i, s := range b.Segments {
			compare(t, fmt.Sprintf("sequence %d, %s", i, what), x[s.Start*width:(s.Start+s.Count)*width], s.Count, width, want[i], bound)
		}
	}
	var hidden []float32
	m.Each(b, 2, nil, func(layer int, x []float32) {
		each(fmt.Sprintf("representation %d", layer), x, d, ref.Repr[fmt.Sprint(layer)])
		hidden = slices.Clone(x)
	})
	tape := &autograd.Tape{NoGrad: true}
	each("logits", m.Logits(tape, autograd.Input(hidden, len(b.Tokens), d)).Data, Tokens, ref.Logits)

	// Encode gives the bits of Each, and shows the attention to a probe.
	weights := map[string][]float32{}
	probed := &autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
		if strings.HasSuffix(name, ".weights") {
			weights[name] = slices.Clone(v.Data)
		}
	}}
	m.Encode(probed, b)
	if got := m.Encode(tape, b).Data; !slices.Equal(got, hidden) {
		t.Error("Encode and Each differ")
	}
	longest := 0
	for _, s := range b.Segments {
		longest = max(longest, s.Count)
	}
	for i, s := range b.Segments {
		for l := range m.Layers {
			for head := range h {
				all := weights[fmt.Sprintf("layers.%d.attention.weights", l)][(i*h+head)*longest*longest:]
				var a []float32
				for q := range s.Count {
					a = append(a, all[q*longest:q*longest+s.Count]...)
				}
				compare(t, fmt.Sprintf("sequence %d, layer %d, head %d", i, l, head), a, s.Count, s.Count, ref.Attentions[i][l][head], bound)
			}
		}
		p, err := m.Contacts(seqs[i], Work{Cores: 1})
		if err != nil {
			t.Fatal(err)
		}
		compare(t, fmt.Sprintf("sequence %d, contacts", i), p.Data, s.Count-2, s.Count-2, ref.Contacts[i], bound)
		two, err := m.Contacts(seqs[i], Work{Cores: 2})
		if err != nil || !slices.Equal(two.Data, p.Data) {
			t.Errorf("sequence %d: contacts depend on the number of cores (%v)", i, err)
		}
	}
}

// Both layouts of the authors' tiny model give what their program computed.
func TestPublished(t *testing.T) {
	if _, err := os.Stat(shared + "esm2_ref.json"); err != nil {
		t.Skip("../shared/golden/esm is missing: it holds outputs of the authors' program")
	}
	ref := readReference(t, shared+"esm2_ref.json")
	for name, arrays := range map[string]map[string]Array{
		"pt":          pytorch(t, shared+"esm2_tiny.pt", shared+"esm2_tiny-contact-regression.pt"),
		"safetensors": safetensors(t, shared+"esm2_tiny.safetensors"),
	} {
		m, ignored, err := Load(arrays)
		if err != nil || len(ignored) > 0 {
			t.Fatalf("%s: %v, ignored %v", name, err, ignored)
		}
		if want := (Config{Layers: 2, Dim: 32, Heads: 4, FFN: 128, TokenDropout: true, Contacts: true}); m.Config != want {
			t.Errorf("%s: configuration %+v, want %+v", name, m.Config, want)
		}
		for _, impl := range kernel.Available() {
			t.Run(name+" "+impl.String(), func(t *testing.T) {
				defer kernel.Force(impl)()
				checkReference(t, m, ref)
			})
		}
	}
}

// The layout of Hugging Face gives what testdata/make.py computed in plain
// Python from the definition.
func TestHuggingFace(t *testing.T) {
	ref := readReference(t, "testdata/tiny.json")
	m, ignored, err := Load(safetensors(t, "testdata/tiny.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"esm.embeddings.position_embeddings.weight"}; !slices.Equal(ignored, want) {
		t.Errorf("ignored %v, want %v", ignored, want)
	}
	checkReference(t, m, ref)
}

// A model goes through its own names and comes back.
func TestOwnNames(t *testing.T) {
	m, _, err := Load(safetensors(t, "testdata/tiny.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	arrays := map[string]Array{}
	m.Visit("", func(name string, p *autograd.Var) {
		arrays[name] = Array{p.Shape, func() ([]float32, error) { return slices.Clone(p.Data), nil }}
	})
	again, ignored, err := Load(arrays)
	if err != nil || len(ignored) > 0 || again.Config != m.Config {
		t.Fatalf("%v, ignored %v, %+v", err, ignored, again.Config)
	}
	ids, _, _ := Encode("MKTVRQERL")
	a, err1 := m.Contacts(ids, Work{Cores: 1})
	b, err2 := again.Contacts(ids, Work{Cores: 1})
	if err1 != nil || err2 != nil || !slices.Equal(a.Data, b.Data) {
		t.Errorf("contacts differ: %v, %v", err1, err2)
	}
}

func TestLoadErrors(t *testing.T) {
	const q = "esm.encoder.layer.1.attention.self.query.weight"
	for _, test := range []struct {
		name   string
		change func(a map[string]Array)
		want   string
	}{
		{"missing", func(a map[string]Array) { delete(a, q) }, `no array "layers.1.attention.query.weight" (layers.1.self_attn.q_proj.weight)`},
		{"shape", func(a map[string]Array) { a[q] = Array{Shape: []int{8, 9}} }, `array "layers.1.attention.query.weight" (layers.1.self_attn.q_proj.weight) has shape [8 9], want [8 8]`},
		{"axes", func(a map[string]Array) { a["esm.encoder.layer.0.intermediate.dense.weight"] = Array{Shape: []int{12}} }, `array "layers.0.up.weight" (layers.0.fc1.weight) has shape [12], want two axes`},
		{"embedding", func(a map[string]Array) { delete(a, "esm.embeddings.word_embeddings.weight") }, `no array "embed.weight" (embed_tokens.weight): not ESM-2`},
		{"rotary", func(a map[string]Array) { delete(a, "esm.encoder.layer.0.attention.self.rotary_embeddings.inv_freq") }, `no rotary frequencies in layer 0: not ESM-2`},
		{"positions", func(a map[string]Array) { a["encoder.sentence_encoder.embed_positions.weight"] = Array{} }, `"embed_positions.weight": learned positions or a norm of the embedding; ESM-1b and ESM-1v are not supported`},
		{"alignment", func(a map[string]Array) { a["layers.0.row_self_attention.layer.q_proj.weight"] = Array{} }, `row attention: an encoder of alignments (ESM-MSA), not ESM-2`},
		{"twice", func(a map[string]Array) { a["lm_head.bias"] = Array{}; a["encoder.lm_head.bias"] = Array{} }, `arrays "encoder.lm_head.bias" and "lm_head.bias" are the same part of the model`},
		{"hole", func(a map[string]Array) { a["layers.3.fc1.weight"] = Array{} }, `no array "layers.2.norm1.weight" (layers.2.self_attn_layer_norm.weight)`},
		{"heads", func(a map[string]Array) {
			a["esm.encoder.layer.0.attention.self.rotary_embeddings.inv_freq"] = Array{Shape: []int{3}}
		}, `array "layers.0.attention.rotary" (layers.0.self_attn.rot_emb.inv_freq) has shape [3], want [4]`},
		{"values", func(a map[string]Array) {
			a["lm_head.bias"] = Array{[]int{Tokens}, func() ([]float32, error) { return nil, os.ErrClosed }}
		}, os.ErrClosed.Error()},
		{"untied", func(a map[string]Array) {
			a["lm_head.decoder.weight"] = Array{[]int{Tokens, 8}, func() ([]float32, error) { return make([]float32, 8*Tokens), nil }}
		}, "the output layer differs from the embedding: not ESM as published"},
	} {
		arrays := safetensors(t, "testdata/tiny.safetensors")
		test.change(arrays)
		if _, _, err := Load(arrays); err == nil || err.Error() != test.want {
			t.Errorf("%s: got error\n%v, want\n%s", test.name, err, test.want)
		}
	}
}

func TestEncode(t *testing.T) {
	for _, test := range []struct {
		in      string
		want    []int32
		changes Changes
	}{
		{"MKTVRQG", []int32{0, 20, 15, 11, 7, 10, 16, 6, 2}, Changes{}}, // these two are the authors' tests
		{"KALTA<mask>ISQP", []int32{0, 15, 5, 4, 11, 5, 32, 12, 8, 16, 14, 2}, Changes{}},
		{"", []int32{0, 2}, Changes{}},
		{" K A <mask> X-B\n", []int32{0, 15, 5, 32, 24, 30, 25, 2}, Changes{}},
		{"mKJ*A**", []int32{0, 20, 15, 24, 24, 5, 2}, Changes{Lower: 1, J: 1, Stops: 2, Inner: 1}},
		{"j", []int32{0, 24, 2}, Changes{Lower: 1, J: 1}},
		{"<pad><cls>.", []int32{0, 1, 0, 29, 2}, Changes{}},
	} {
		ids, changes, err := Encode(test.in)
		if err != nil || !slices.Equal(ids, test.want) || changes != test.changes {
			t.Errorf("%q: %v %+v %v", test.in, ids, changes, err)
		}
	}
	for in, want := range map[string]string{
		"MK1":     `"1" at letter 3 is no amino acid`,
		"M<masc>": `no token begins with "<masc>" at letter 2`,
	} {
		if _, _, err := Encode(in); err == nil || err.Error() != want {
			t.Errorf("%q: got error %v, want %s", in, err, want)
		}
	}
	if Name(20) != "M" || Name(Mask) != "<mask>" || Name(28) != "O" {
		t.Error("names are out of order")
	}
}

// The published sizes have the published numbers of parameters.
func TestSizes(t *testing.T) {
	for _, test := range []struct{ layers, dim, heads, want int }{
		{6, 320, 20, 7_512_353}, {12, 480, 20, 33_501_153}, {30, 640, 20, 148_139_553},
		{33, 1280, 20, 651_042_593}, {36, 2560, 40, 2_839_004_193}, {48, 5120, 40, 15_129_098_273},
	} {
		c := Config{Layers: test.layers, Dim: test.dim, Heads: test.heads, FFN: 4 * test.dim}
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
		n := 0
		build(c, func(name string, shape ...int) *autograd.Var {
			if !strings.HasSuffix(name, ".rotary") {
				n += tensor.Size(shape)
			}
			return &autograd.Var{}
		})
		if n != test.want {
			t.Errorf("%d layers: %d parameters, want %d", test.layers, n, test.want)
		}
	}
}

// The smallest published model, where somebody has put it: the values are those
// with which Hugging Face tests its own port.
func TestRealWeights(t *testing.T) {
	const path = "../../../shared/data/esm2_t6_8M_UR50D"
	var arrays map[string]Array
	switch {
	case exists(path + ".pt"):
		arrays = pytorch(t, path+".pt")
	case exists(path + ".safetensors"):
		arrays = safetensors(t, path+".safetensors")
	default:
		t.Skip("../shared/data/esm2_t6_8M_UR50D.pt (or .safetensors) is missing: 30 MB of published weights")
	}
	m, _, err := Load(arrays)
	if err != nil {
		t.Fatal(err)
	}
	tape := &autograd.Tape{NoGrad: true}
	corner := func(x *autograd.Var) (out []float32) {
		for i := range 3 {
			out = append(out, x.Data[i*x.Dim(1):i*x.Dim(1)+3]...)
		}
		return out
	}
	compare(t, "logits", corner(m.Logits(tape, m.Encode(tape, Pack([]int32{0, 1, 2, 3, 4, 5})))), 3, 3,
		[][]float64{{8.9215, -10.5898, -6.4671}, {-6.3967, -13.9114, -1.1212}, {-7.7812, -13.9516, -3.7406}}, 2e-3)
	compare(t, "states", corner(m.Encode(tape, Pack([]int32{0, 6, 4, 13, 5, 4, 16, 12, 11, 7, 2}))), 3, 3,
		[][]float64{{0.1444, 0.5413, 0.3248}, {0.3034, 0.0053, 0.3108}, {0.3228, -0.2499, 0.3415}}, 2e-4)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
