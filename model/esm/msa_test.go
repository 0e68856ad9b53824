package esm

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/tensor"
)

// Both files of the authors' tiny MSA Transformer give what their program
// computed; the one with its published names has rows and columns exchanged.
func TestPublishedMSA(t *testing.T) {
	text, err := os.ReadFile(shared + "msa_ref.json")
	if err != nil {
		t.Skip("../shared/golden/esm is missing: it holds outputs of the authors' program")
	}
	var ref struct {
		MSA      [][2]string
		Tokens   [][][]int32
		Logits   [][][][]float64
		Repr     map[string][][][][]float64
		Rows     [][][][][]float64   `json:"row_attentions"`
		Columns  [][][][][][]float64 `json:"col_attentions"`
		Contacts [][][]float64
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	const bound = 1e-4
	for name, arrays := range map[string]map[string]Array{
		"pt":          pytorch(t, shared+"esm_msa1b_tiny.pt", shared+"esm_msa1b_tiny-contact-regression.pt"),
		"safetensors": safetensors(t, shared+"msa_tiny.safetensors"),
	} {
		t.Run(name, func(t *testing.T) {
			m, ignored, err := LoadMSA(arrays, 4)
			if err != nil || len(ignored) > 0 {
				t.Fatalf("%v, ignored %v", err, ignored)
			}
			if want := (MSAConfig{2, 32, 4, 128, 1024, 1024, 32, true}); m.Config != want {
				t.Errorf("configuration %+v, want %+v", m.Config, want)
			}
			var rows [][]int32
			for i, s := range ref.MSA {
				ids, _, err := EncodeRow(s[1])
				if err != nil || !slices.Equal(ids, ref.Tokens[0][i]) {
					t.Fatalf("tokens %v, want %v; %v", ids, ref.Tokens[0][i], err)
				}
				rows = append(rows, ids)
			}
			r, c, d := len(rows), len(rows[0]), m.Config.Dim
			each := func(what string, x []float32, width int, want [][][]float64) {
				t.Helper()
				for i := range r {
					compare(t, fmt.Sprintf("row %d, %s", i, what), x[i*c*width:(i+1)*c*width], c, width, want[i], bound)
				}
			}
			var hidden []float32
			layers := 0
			m.Each(rows, 1, true, func(name string, v *autograd.Var) {
				layer := 0
				fmt.Sscanf(name, "layers.%d.", &layer)
				switch {
				case strings.HasSuffix(name, ".row.weights"):
					layers++
					for h := range 4 {
						compare(t, name, v.Data[h*c*c:(h+1)*c*c], c, c, ref.Rows[0][layer][h], bound)
					}
				case strings.HasSuffix(name, ".column.weights"):
					layers++
					for column := range c {
						for h := range 4 {
							at := (column*4 + h) * r * r
							compare(t, name, v.Data[at:at+r*r], r, r, ref.Columns[0][layer][h][column], bound)
						}
					}
				}
			}, func(layer int, x []float32) {
				each(fmt.Sprintf("representation %d", layer), x, d, ref.Repr[fmt.Sprint(layer)][0])
				hidden = slices.Clone(x)
			})
			if layers != 4 {
				t.Errorf("saw the attention of %d layers and axes, want 4", layers)
			}
			each("logits", m.Logits(&autograd.Tape{NoGrad: true}, autograd.Input(hidden, r*c, d)).Data, Tokens, ref.Logits[0])
			p, err := m.Contacts(rows, Work{Cores: 1})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, "contacts", p.Data, c-1, c-1, ref.Contacts[0], bound)
			if two, err := m.Contacts(rows, Work{Cores: 2}); err != nil || !slices.Equal(two.Data, p.Data) {
				t.Errorf("contacts depend on the number of cores (%v)", err)
			}
		})
	}
}

// randomMSA returns the arrays of an untrained model under the names of the
// authors' file: row and column exchanged.
func randomMSA(c MSAConfig) map[string]Array {
	arrays := map[string]Array{}
	i := 0
	buildMSA(c, func(name string, shape ...int) *autograd.Var {
		p := autograd.Param(shape...)
		for k := range p.Data {
			i++
			p.Data[k] = float32(math.Sin(float64(i)) * 0.4)
		}
		theirs := name
		if rest, ok := strings.CutPrefix(name, "layers.0."); ok {
			at := strings.LastIndexByte(rest, '.')
			for _, l := range msaLayouts {
				if rest[:at] == l[0] {
					theirs = "encoder.sentence_encoder.layers.0." + strings.NewReplacer("row", "column", "column", "row").Replace(l[1]) + rest[at:]
				}
			}
		}
		arrays[theirs] = Array{shape, func() ([]float32, error) { return p.Data, nil }}
		return p
	})
	return arrays
}

func TestLoadMSA(t *testing.T) {
	c := MSAConfig{Layers: 1, Dim: 8, Heads: 2, FFN: 12, MaxColumns: 6, MaxRows: 4, RowWidth: 1, Contacts: true}
	arrays := randomMSA(c)
	m, ignored, err := LoadMSA(arrays, 2)
	if err != nil || len(ignored) > 0 || m.Config != c {
		t.Fatalf("%v, ignored %v, %+v", err, ignored, m)
	}
	ours := map[string]Array{}
	m.Visit("", func(name string, v *autograd.Var) {
		ours[name] = Array{v.Shape, func() ([]float32, error) { return v.Data, nil }}
	})
	again, ignored, err := LoadMSA(ours, 2)
	if err != nil || len(ignored) > 0 || again.Config != c {
		t.Fatalf("%v, ignored %v", err, ignored)
	}
	want, _ := arrays["encoder.sentence_encoder.layers.0.row_self_attention.layer.q_proj.weight"].Values()
	if !slices.Equal(m.Layers[0].ColumnAttention.Query.Weight.Data, want) {
		t.Error("the names of rows and columns were not exchanged")
	}
	for _, test := range []struct {
		change func(a map[string]Array)
		want   string
	}{
		{func(a map[string]Array) { delete(a, "row_position") }, `no array "row_position" (msa_position_embedding) of four axes: not ESM-MSA-1b`},
		{func(a map[string]Array) { delete(a, "embed.weight") }, `no array "embed.weight" of two axes: not ESM-MSA-1b`},
		{func(a map[string]Array) { a["row_position"] = Array{Shape: []int{1, 4, 1, 3}} }, `row_width 3: want 1 or dim 8`},
		{func(a map[string]Array) { a["norm.bias"] = Array{Shape: []int{9}} }, `array "norm.bias" (emb_layer_norm_after.bias) has shape [9], want [8]`},
	} {
		a := maps.Clone(ours)
		test.change(a)
		if _, _, err := LoadMSA(a, 2); err == nil || err.Error() != test.want {
			t.Errorf("got error\n%v, want\n%s", err, test.want)
		}
	}
	row := []int32{Begin, 4, 5}
	for _, test := range []struct {
		rows [][]int32
		want string
	}{
		{nil, "an alignment without rows or columns"},
		{[][]int32{row, row, row, row, row}, "5 rows, the model has positions for 4"},
		{[][]int32{{0, 4, 4, 4, 4, 4, 4}}, "7 columns with <cls>, the model has positions for 6"},
		{[][]int32{row, {0, 4}}, "row 2 has 2 tokens, row 1 has 3"},
	} {
		if _, err := m.Contacts(test.rows, Work{Cores: 1}); err == nil || err.Error() != test.want {
			t.Errorf("got error %v, want %s", err, test.want)
		}
	}
	if p, err := m.Contacts([][]int32{row, row}, Work{Cores: 1}); err != nil || !slices.Equal(p.Shape, []int{2, 2}) {
		t.Errorf("%v", err)
	}
}

// The published size has the published number of parameters.
func TestSizeMSA(t *testing.T) {
	n := 0
	c := MSAConfig{Layers: 12, Dim: 768, Heads: 12, FFN: 3072, MaxColumns: 1024, MaxRows: 1024, RowWidth: 768}
	buildMSA(c, func(_ string, shape ...int) *autograd.Var {
		n += tensor.Size(shape)
		return &autograd.Var{}
	})
	if n != 115_616_289 {
		t.Errorf("%d parameters, want 115616289", n)
	}
}
