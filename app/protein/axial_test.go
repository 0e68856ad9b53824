package protein

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/checkpoint"
	"heed/model/alignment"
	"heed/train"
)

// The axial transformer finds what was planted, and what it writes can be read.
func TestPlantedAxial(t *testing.T) {
	family, structure := planted(t, 400)
	j := &Job{Family: FamilyConfig{File: family}, Structure: StructureConfig{File: structure}, Seed: 3,
		Fit: FitConfig{Model: "axial", Axial: alignment.AxialConfig{Layers: 2, Width: 32, Heads: 4, Rows: 8, Batch: 4, Steps: 250, Rate: 0.01}}}
	o, err := j.Load()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	for _, m := range o.Fit.models() {
		if p := o.Comparison.Row(m.Method, "all").At[2].Estimate; p < 5./6 {
			t.Errorf("%s: P@L/5 %v", m.Method, p)
		}
	}
	if len(o.AxialHeads) != 8 || o.AxialHeads[5].Name != "2.2" || o.AxialHeads[5].Values != nil {
		t.Errorf("%d heads, the sixth %+v", len(o.AxialHeads), o.AxialHeads[5])
	}
	dir := t.TempDir()
	if err := o.Write(dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Axial transformer", "Column attention of every layer", "Uniformity 0.", "rows tied, 250 steps"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if bytes.Contains(page, []byte("Amino acids</h2>")) {
		t.Error("the report has couplings of amino acids, which this model lacks")
	}
	path := filepath.Join(dir, "axial.safetensors")
	m, err := LoadAxial(path)
	if err != nil {
		t.Fatal(err)
	}
	states := o.Family.States[:60]
	a := slices.Clone(o.Fit.Axial.Logits(&autograd.Tape{NoGrad: true}, states, nil).Data)
	if b := m.Logits(&autograd.Tape{NoGrad: true}, states, nil).Data; !slices.Equal(a, b) {
		t.Error("the loaded model has other logits")
	}
	for want, config := range map[string]string{
		"config: columns 1: want 2 to 65536":              `{"columns": 1}`,
		"config: layers 100: want 1 to 64":                `{"columns": 30, "layers": 100}`,
		"values, the file has 28652":                      `{"columns": 30, "layers": 2}`,
		"config: width 30: want a multiple of 32 heads":   `{"columns": 30, "width": 30}`,
		"config: json: cannot unmarshal string into Go s": `{"columns": "many"}`,
	} {
		info := checkpoint.Info{Version: checkpoint.Version, Architecture: alignment.ArchitectureAxial, Config: []byte(config)}
		meta, err := info.Meta()
		if err != nil {
			t.Fatal(err)
		}
		if err := checkpoint.Save(path, meta, train.Weights(o.Fit.Axial)); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadAxial(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", config, err, want)
		}
	}
}

// A model over a grid of tokens: columns left out have no place in the maps.
func TestRollouts(t *testing.T) {
	family, _ := planted(t, 40)
	j := &Job{Family: FamilyConfig{File: family}, Seed: 3, Fit: FitConfig{Model: "axial", Axial: alignment.AxialConfig{Layers: 1, Width: 16, Heads: 2, Rows: 4, Batch: 1, Steps: 2}}}
	o, err := j.Load()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if _, names, err := o.axialExample(); err != nil || len(names) != shownRows || names[0] != "1" {
		t.Errorf("rows %v, %v", names, err)
	}
	if _, err := o.axialMaps(); err != nil {
		t.Fatal(err)
	}
	byColumn, byCell := (&gridAttention{rows: 3, columns: 5}).rolled(1)
	for i, v := range byColumn { // without layers every cell keeps itself
		if want := float32(0); i%5 == 0 && v != 1 || i%5 > 0 && v != want {
			t.Errorf("entry %d is %v", i, v)
		}
	}
	for i, v := range byCell {
		if i < 4 && v != 0.25 || i >= 4 && v != 0 {
			t.Errorf("cell %d is %v", i, v)
		}
	}
}
