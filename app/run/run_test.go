package run

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heed/checkpoint"
	"heed/format"
)

const (
	tiny   = "../../model/esm/testdata/tiny.safetensors"
	shared = "../../../shared/golden/esm/"
)

// heed runs "heed model" and returns what it printed.
func heed(args ...string) (string, error) {
	c := Command("test")
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(io.Discard)
	c.SetArgs(args)
	c.SilenceErrors, c.SilenceUsage = true, true
	err := c.Execute()
	return out.String(), err
}

// put copies a file into a folder.
func put(t *testing.T, folder, name, from string) string {
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const config = `{"model_type":"esm","num_hidden_layers":2,"hidden_size":8,"num_attention_heads":2,"intermediate_size":12,
"layer_norm_eps":1e-05,"position_embedding_type":"rotary","token_dropout":true,"vocab_size":33}`

func TestImportFolder(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "model.safetensors", tiny)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.safetensors")
	got, err := heed("import", dir, "-o", out)
	want := "esm2: 2 layers of width 8, 2 heads, 1470 parameters, contact head\nfrom model.safetensors, config.json\n" +
		"no use for esm.embeddings.position_embeddings.weight\n" +
		"weights sha256 e7716d918ea8604430d3d7af00e3cacb281ae46e966a317a390e49ea5fabca11\nwrote " + out + ", "
	if err != nil || !strings.HasPrefix(got, want) {
		t.Fatalf("%v, printed\n%swant\n%s", err, got, want)
	}
	f, err := checkpoint.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Info("esm2")
	if err != nil || string(info.Config) != `{"layers":2,"dim":8,"heads":2,"ffn":12,"token_dropout":true,"contacts":true}` {
		t.Errorf("%v: %s", err, info.Config)
	}
	got, err = heed("info", out, "--hash", "--arrays")
	for _, want := range []string{"architecture", "e7716d918ea8604430d3d7af00e3cacb281ae46e966a317a390e49ea5fabca11", "layers.1.attention.rotary", "F32 [33 8]"} {
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("%v, %q is not in\n%s", err, want, got)
		}
	}
}

func TestImportErrors(t *testing.T) {
	dir := t.TempDir()
	weights := put(t, dir, "model.safetensors", tiny)
	cfg := filepath.Join(dir, "config.json")
	out := filepath.Join(dir, "out.safetensors")
	for _, test := range []struct{ config, want string }{
		{strings.Replace(config, `"num_attention_heads":2`, `"num_attention_heads":4`, 1), weights + ": invalid: the configuration says heads 4, the arrays are of 2"},
		{strings.Replace(config, `"esm"`, `"bert"`, 1), cfg + `: not supported: model_type "bert"; esm can be imported`},
		{strings.Replace(config, `rotary`, `absolute`, 1), cfg + `: not supported: position_embedding_type "absolute": ESM-2 has rotary`},
		{strings.Replace(config, `1e-05`, `1e-12`, 1), cfg + `: not supported: layer_norm_eps 1e-12: ESM-2 has 1e-05`},
		{`{`, cfg + `: invalid: unexpected end of JSON input`},
	} {
		if err := os.WriteFile(cfg, []byte(test.config), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := heed("import", weights, "-o", out); err == nil || err.Error() != test.want {
			t.Errorf("got error\n%v, want\n%s", err, test.want)
		}
	}
	if err := os.WriteFile(cfg, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := heed("import", weights, "-o", out); err != nil {
		t.Fatal(err)
	}
	absent := filepath.Join(dir, "absent.pt")
	empty := t.TempDir()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"import", weights}, "-o FILE says where to write the model"},
		{[]string{"import", "-o", out}, "import takes one argument, the published file or folder; got 0"},
		{[]string{"import", weights, "-o", out}, out + " exists"},
		{[]string{"import", out, "-o", out, "--force"}, out + ": invalid: a file of heed already: nothing to import"},
		{[]string{"import", absent, "-o", out, "--force"}, absent + ": no such file"},
		{[]string{"import", empty, "-o", out, "--force"}, empty + ": invalid: no model.safetensors and no pytorch_model.bin in this folder"},
		{[]string{"info", absent}, absent + ": no such file"},
		{[]string{"export"}, `no command "model export"`},
	} {
		if _, err := heed(test.args...); err == nil || !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("%v: got error\n%v, want\n%s", test.args, err, test.want)
		}
	}
}

// A file that is cut off, and a pickle that would run a program in Python, are errors,
// and leave nothing behind.
func TestImportDamaged(t *testing.T) {
	if !isThere(shared) {
		t.Skip("../shared/golden/esm is missing: it holds files in the containers of published weights")
	}
	whole, err := os.ReadFile(shared + "esm2_tiny.pt")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out, mark := filepath.Join(dir, "out"), filepath.Join(dir, "mark")
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"cut.pt":     {whole[:len(whole)-100], "cut.pt: invalid: the directory at the end of the zip archive is missing or damaged: is the file cut off?"},
		"half.pt":    {whole[:len(whole)/2], "half.pt: invalid: the directory at the end of the zip archive is missing or damaged: is the file cut off?"},
		"hostile.pt": {hostile(t, "touch "+mark), "hostile.pt: "},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, c.text, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := heed("import", path, "-o", out)
		var placed *format.Error
		if err == nil || !errors.As(err, &placed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %s", name, err, c.want)
		}
		if isThere(out) || isThere(mark) {
			t.Errorf("%s left something behind", name)
		}
	}
}

// hostile is a zip archive as PyTorch writes it, whose pickle asks for a command.
func hostile(t *testing.T, command string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateHeader(&zip.FileHeader{Name: "a/data.pkl", Method: zip.Store})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(w, "\x80\x02cos\nsystem\n(X%s\x00\x00\x00%stR.", []byte{byte(len(command))}, command)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The authors' two files and the safetensors file of the same model give the
// same weights, and so the same hash.
func TestImportPublished(t *testing.T) {
	if !isThere(shared) {
		t.Skip("../shared/golden/esm is missing: it holds files in the containers of published weights")
	}
	dir := t.TempDir()
	hash := func(args ...string) string {
		text, err := heed(append(append([]string{"import"}, args...), "--json", "--force", "-o", filepath.Join(dir, "out"))...)
		if err != nil {
			t.Fatal(err)
		}
		var done struct {
			Config  struct{ Contacts bool }
			Ignored []string
			SHA256  string
		}
		if err := json.Unmarshal([]byte(text), &done); err != nil {
			t.Fatal(err)
		}
		if !done.Config.Contacts || len(done.Ignored) > 0 {
			t.Errorf("%+v", done)
		}
		return done.SHA256
	}
	pt := hash(shared + "esm2_tiny.pt")
	if st := hash(shared + "esm2_tiny.safetensors"); st != pt {
		t.Errorf("hashes %s and %s", pt, st)
	}
	alone := put(t, dir, "alone.pt", shared+"esm2_tiny.pt")
	if st := hash(alone, "--contacts", shared+"esm2_tiny-contact-regression.pt"); st != pt {
		t.Errorf("hashes %s and %s", pt, st)
	}
	text, err := heed("import", alone, "-o", filepath.Join(dir, "out2"))
	if err != nil || !strings.Contains(text, "no contact head") {
		t.Errorf("%v: %s", err, text)
	}
	text, err = heed("info", alone, "--arrays")
	if err != nil || !strings.Contains(text, "model/encoder.lm_head.layer_norm.bias") {
		t.Errorf("%v: %s", err, text)
	}
	// The MSA Transformer. Its safetensors file does not say that its heads are not
	// 64 wide.
	text, err = heed("import", shared+"esm_msa1b_tiny.pt", "-o", filepath.Join(dir, "out3"))
	if err != nil || !strings.HasPrefix(text, "esm-msa: 2 layers of width 32, 4 heads, ") {
		t.Errorf("%v: %s", err, text)
	}
	_, err = heed("import", shared+"msa_tiny.safetensors", "-o", filepath.Join(dir, "out4"))
	if err == nil || !strings.HasSuffix(err.Error(), "heads 0: want a divisor of dim 32 that leaves heads of even width") {
		t.Errorf("got error %v", err)
	}
}
