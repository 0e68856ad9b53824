package ct

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heed/format/npy"
)

// writeNPY writes a volume whose voxels are all v, and a single one 1 more.
func writeNPY(t *testing.T, path string, v float32, shape ...int) {
	t.Helper()
	x := slices.Repeat([]float32{v}, shape[0]*shape[1]*shape[2])
	x[0]++
	var b bytes.Buffer
	if err := npy.Write(&b, x, shape...); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// Volumes of other sizes are cut and filled around the centre, and values are
// scaled by the window alone.
func TestVolumeIsCutFilledAndScaled(t *testing.T) {
	dir := t.TempDir()
	writeNPY(t, filepath.Join(dir, "a.npy"), 50, 2, 4, 3)
	m := filepath.Join(dir, "m.csv")
	write(t, m, "path,label\na.npy,x\n")
	d, err := OpenDataset(m, DatasetConfig{Size: [3]int{4, 2, 3}, Scaling: Scaling{0, 100}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // from the file, then from the cache
		x := make([]float32, d.Voxels())
		if err := d.Volume(x, 0); err != nil {
			t.Fatal(err)
		}
		want := make([]float32, 24)
		for i := 6; i < 18; i++ {
			want[i] = 0.5
		}
		if !slices.Equal(x, want) {
			t.Errorf("%v, want %v", x, want)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := cache{limit: 100}
	for i := range 10 {
		c.put(i, make([]float32, 10))
	}
	if c.bytes > 100 || len(c.volumes) != 2 || c.get(9) == nil || c.get(0) != nil {
		t.Errorf("%d bytes of %d volumes", c.bytes, len(c.volumes))
	}
}

// Patients are never divided, whatever the seed.
func TestDivideKeepsPatientsTogether(t *testing.T) {
	for seed := range uint64(10) {
		d := &Dataset{}
		for i := range 60 {
			d.Cases = append(d.Cases, Case{Label: i / 3 % 2, Patient: string(rune('a' + i/3))})
		}
		if err := d.Divide(0.2, 0.3, seed); err != nil {
			t.Fatal(err)
		}
		of := map[string]string{}
		for _, c := range d.Cases {
			if s, ok := of[c.Patient]; ok && s != c.Split || c.Split == "" {
				t.Fatalf("seed %d: patient %s is in %q and %q", seed, c.Patient, s, c.Split)
			}
			of[c.Patient] = c.Split
		}
		if n := len(d.Part("test")); n < 12 || n > 24 {
			t.Errorf("seed %d: %d of 60 to test", seed, n)
		}
	}
}

func TestDatasetErrors(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	writeNPY(t, "a.npy", 1, 2, 2, 2)
	writeNPY(t, "nan.npy", float32(nan()), 2, 2, 2)
	write(t, "flat.npy", "\x93NUMPY")
	write(t, "a.png", "")
	for name, c := range map[string][2]string{
		"no.csv":     {"", "no.csv:1: invalid: empty file"},
		"head.csv":   {"path,label\n", "head.csv:1: invalid: no rows"},
		"path.csv":   {"path,label\n,a\n", "path.csv:2: invalid: no path"},
		"split.csv":  {"path,split\na.npy,later\n", "split.csv:2: invalid: split: want train, valid or test"},
		"some.csv":   {"path,split\na.npy,train\na.npy,\n", "some.csv:3: invalid: some rows have a split and some have none"},
		"ragged.csv": {"path,label\na.npy\n", "ragged.csv:2: invalid: wrong number of fields"},
		"three.csv":  {"path,label\na.npy,a\na.npy,b\na.npy,c\n", "three.csv: not supported: 3 different labels: want two classes"},
		"nan.csv":    {"path\nnan.npy\n", "nan.csv: invalid: case 1: voxel 0 is not finite"},
		"png.csv":    {"path\na.png\n", "png.csv:2: the volume: invalid: file is empty"},
	} {
		write(t, name, c[0])
		if _, err := OpenDataset(name, DatasetConfig{}); err == nil || err.Error() != c[1] {
			t.Errorf("got  %v\nwant %s", err, c[1])
		}
	}
	for name, c := range map[string]struct {
		arrays map[string]any
		shape  []int
		want   string
	}{
		"none.npz":  {map[string]any{"x": []uint8{1}}, []int{1}, "none.npz: invalid: no volumes"},
		"flat.npz":  {map[string]any{"train_images": []uint8{1, 2}}, []int{1, 2}, "flat.npz(train_images.npy): not supported: shape [1 2]: want (cases, depth, height, width)"},
		"label.npz": {map[string]any{"train_images": []uint8{1}, "train_labels": []uint8{7}}, []int{1, 1, 1, 1}, "label.npz(train_labels.npy): not supported: label 7 of case 0: want 0 or 1"},
	} {
		var b bytes.Buffer
		w := npy.NewWriter(&b)
		for _, key := range []string{"x", "train_images", "train_labels"} {
			if data, ok := c.arrays[key]; ok {
				if err := w.Add(key, data, c.shape...); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		write(t, name, b.String())
		if _, err := OpenDataset(name, DatasetConfig{}); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

func nan() float64 {
	zero := 0.0
	return zero / zero
}
