package protein

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heed/autograd"
	"heed/checkpoint"
	"heed/format/npy"
	"heed/format/rr"
	"heed/model/esm"
)

// encoder writes the model of model/esm/testdata as "heed model import" does,
// but for what change does to its entries and configuration.
func encoder(t *testing.T, config string, change func([]checkpoint.Entry) []checkpoint.Entry) string {
	f, err := checkpoint.Load("../../model/esm/testdata/tiny.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	arrays := map[string]esm.Array{}
	for _, e := range f.Entries {
		arrays[e.Name] = esm.Array{Shape: e.Shape, Values: func() ([]float32, error) { return e.Float, nil }}
	}
	m, _, err := esm.Load(arrays)
	if err != nil {
		t.Fatal(err)
	}
	var entries []checkpoint.Entry
	m.Visit("", func(name string, v *autograd.Var) { entries = append(entries, checkpoint.Tensor(name, &v.Tensor)) })
	if change != nil {
		entries = change(entries)
	}
	meta, err := (&checkpoint.Info{Version: checkpoint.Version, Architecture: esm.Architecture, Config: json.RawMessage(config)}).Meta()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := checkpoint.Save(path, meta, entries); err != nil {
		t.Fatal(err)
	}
	return path
}

const tinyConfig = `{"layers":2,"dim":8,"heads":2,"ffn":12,"token_dropout":true,"contacts":true}`

// protein runs "heed protein" and returns what it printed.
func protein(args ...string) (string, error) {
	c := Command("test")
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(io.Discard)
	c.SetArgs(args)
	c.SilenceErrors, c.SilenceUsage = true, true
	err := c.ExecuteContext(context.Background())
	return out.String(), err
}

// An array of an .npz file.
type array struct {
	Shape []int
	Data  []float64
}

// archive reads an .npz file.
func archive(t *testing.T, path string) map[string]array {
	a, err := npy.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	out := map[string]array{}
	for _, name := range a.Names() {
		x, err := a.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		one := array{Shape: x.Shape}
		for _, v := range x.Float32s() {
			one.Data = append(one.Data, float64(v))
		}
		out[name] = one
	}
	return out
}

// The commands give what the plain program of model/esm/testdata computed.
func TestEncoderCommands(t *testing.T) {
	text, err := os.ReadFile("../../model/esm/testdata/tiny.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Repr     map[string][][][]float64
		Contacts [][][]float64
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	model, dir := encoder(t, tinyConfig, nil), t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if !(math.Abs(got-want) < 1e-5) {
			t.Errorf("%s: %g, want %g", what, got, want)
		}
	}
	fasta := file("p.fa", ">b\nlAJ\n") // "LAX" of the golden, its second sequence
	npz := filepath.Join(dir, "x.npz")
	if _, err := protein("contacts", model, fasta, "-o", npz); err != nil {
		t.Fatal(err)
	}
	x := archive(t, npz)["b"]
	for i, row := range want.Contacts[1] {
		for j, v := range row {
			near("contact", x.Data[i*3+j], v)
		}
	}
	if _, err := protein("embed", model, fasta, "-o", npz, "--per-residue", "--layer", "1"); err != nil {
		t.Fatal(err)
	}
	x = archive(t, npz)["b"]
	if len(x.Shape) != 2 || x.Shape[0] != 3 || x.Shape[1] != 8 {
		t.Fatalf("shape %v", x.Shape)
	}
	for i, row := range want.Repr["1"][1][1:4] {
		for j, v := range row {
			near("state", x.Data[i*8+j], v)
		}
	}
	if _, err := protein("embed", model, fasta, "-o", npz); err != nil {
		t.Fatal(err)
	}
	x = archive(t, npz)["b"]
	for j := range 8 {
		near("mean", x.Data[j], (want.Repr["2"][1][1][j]+want.Repr["2"][1][2][j]+want.Repr["2"][1][3][j])/3)
	}

	long := file("long.fa", ">one\nMKTVRQERLKSJ\n")
	out := filepath.Join(dir, "x.rr")
	table, err := protein("contacts", model, long, "-o", out, "--pairs", "0.25")
	if err != nil || strings.Count(table, "\none\t") != 3 {
		t.Errorf("%v: %s", err, table)
	}
	r, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := rr.Read(out, r)
	if err != nil || string(p.Sequence) != "MKTVRQERLKSX" || p.Target != "one" {
		t.Errorf("%v: %+v", err, p)
	}
}

func TestLoadEncoderErrors(t *testing.T) {
	for _, test := range []struct {
		config string
		change func([]checkpoint.Entry) []checkpoint.Entry
		want   string
	}{
		{`{"layers":3,"dim":8,"heads":2,"ffn":12,"token_dropout":true,"contacts":true}`, nil,
			"invalid: the config is {Layers:3 Dim:8 Heads:2 FFN:12 TokenDropout:true Contacts:true}, the tensors are of {Layers:2 Dim:8 Heads:2 FFN:12 TokenDropout:true Contacts:true}"},
		{`{"layers":"x"}`, nil, "invalid: config: json: cannot unmarshal string into Go struct field Config.layers of type int"},
		{tinyConfig, func(e []checkpoint.Entry) []checkpoint.Entry { return e[1:] }, `invalid: no array "embed.weight" (embed_tokens.weight): not ESM-2`},
		{tinyConfig, func(e []checkpoint.Entry) []checkpoint.Entry {
			return append(e, checkpoint.Entry{Name: "more", DType: checkpoint.F32, Shape: []int{1}, Float: []float32{1}})
		}, `invalid: tensor "more" has no place in the model`},
		{tinyConfig, func(e []checkpoint.Entry) []checkpoint.Entry {
			e[0].Float[3] = float32(math.NaN())
			return e
		}, `invalid: tensor "embed.weight": value 3 is NaN`},
	} {
		path := encoder(t, test.config, test.change)
		if _, err := LoadEncoder(path); err == nil || !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("got error\n%v, want\n%s", err, test.want)
		}
	}
	// A model without a contact head says where the authors' is.
	path := encoder(t, strings.Replace(tinyConfig, `"contacts":true`, `"contacts":false`, 1),
		func(e []checkpoint.Entry) []checkpoint.Entry { return e[:len(e)-2] })
	fasta := filepath.Join(t.TempDir(), "p.fa")
	if err := os.WriteFile(fasta, []byte(">a\nMK\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := protein("contacts", path, fasta)
	if err == nil || err.Error() != path+": not supported: the model has no contact head; the authors' is in NAME-contact-regression.pt beside NAME.pt" {
		t.Errorf("got error %v", err)
	}
}
