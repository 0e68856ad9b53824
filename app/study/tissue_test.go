package study

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heed/format"
	"heed/format/nrrd"
)

// On made volumes a model learns the tissues and attends by them, and one that was
// trained on shuffled tissues does not. Whether four heads are better than one is
// what the full size is for.
func TestTissue(t *testing.T) {
	f, err := runTissue(context.Background(), &Lab{Seed: 3, Seeds: 1, Tiny: true})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, c := range f.Checks {
		switch c.Name {
		case "four heads, mean recall", "control: tissues shuffled in training", "divergence of attention less the largest of shuffled tissues":
			if seen++; !c.Met() {
				t.Error(c)
			}
		}
	}
	if seen != 3 || len(f.Figures) != 1 {
		t.Errorf("%d checks, %d figures", seen, len(f.Figures))
	}
}

func TestDistances(t *testing.T) {
	const nx, ny = 9, 7
	mask := make([]uint8, nx*ny)
	mask[3*nx+4] = 1
	d := distances(mask, nx, ny, 0.5)
	for y := range ny {
		for x := range nx {
			want := 0.5 * math.Hypot(float64(x-4), float64(y-3))
			if got := d[y*nx+x]; got < want-1e-9 || got > 1.09*want {
				t.Errorf("pixel %d, %d: %v mm, want %v", x, y, got, want)
			}
		}
	}
	if d := distances(make([]uint8, 4), 2, 2, 1); !math.IsInf(d[0], 1) {
		t.Errorf("%v mm from an empty mask", d[0])
	}
}

// Texture of stripes along x: pixels differ along x and not along y.
func TestTexture(t *testing.T) {
	p := make([]float64, patchEdge*patchEdge)
	for i := range p {
		p[i] = float64(i % 2)
	}
	f := texture(p)
	for i, want := range map[int]float64{0: 0.5, 1: 0.5, 2: 0, 3: 1, 6: 1, 7: 0, 8: -1, 9: 1, 10: math.Log(2)} {
		if math.Abs(f[i]-want) > 1e-6 {
			t.Errorf("%s is %v, want %v", textures[i], f[i], want)
		}
	}
}

// All tissues count alike after balancing.
func TestBalance(t *testing.T) {
	label := []int32{0, 1, 1, 1, 2, 2, -1, 2, 2, 0}
	if kept := balance(label, rand.New(rand.NewPCG(1, 2))); kept != 6 {
		t.Errorf("%d tokens kept of %v, want 6", kept, label)
	}
	var count [tissues]int
	for _, l := range label {
		if l >= 0 {
			count[l]++
		}
	}
	if count != [tissues]int{2, 2, 2} {
		t.Errorf("tissues %v", count)
	}
}

func TestReadTissues(t *testing.T) {
	write := func(dir, name string, size int, v float32) {
		data := make([]float32, size*size)
		for i := range data {
			data[i] = v
		}
		err := nrrd.WriteFile(filepath.Join(dir, name), &format.Volume{Shape: [3]int{size, size, 1}, Data: data, Affine: format.Affine{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}, Stored: format.Float32})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		want string
		make func(dir string)
	}{
		{"0 pairs of brain*_image.nrrd and brain*_label.nrrd, want 2 or more", func(string) {}},
		{"brain1_label.nrrd", func(dir string) { write(dir, "brain1_image.nrrd", 8, 1) }},
		{"not on the grid of the image", func(dir string) {
			write(dir, "brain1_image.nrrd", 8, 1)
			write(dir, "brain1_label.nrrd", 9, 1)
		}},
		{"want a whole number from 0 to 255", func(dir string) {
			write(dir, "brain1_image.nrrd", 8, 1)
			write(dir, "brain1_label.nrrd", 8, 0.5)
		}},
		{"no slice has tokens of all tissues", func(dir string) {
			write(dir, "brain1_image.nrrd", 8, 1)
			write(dir, "brain1_label.nrrd", 8, 1)
		}},
	} {
		dir := t.TempDir()
		tt.make(dir)
		if _, err := readTissues(dir); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want %s", err, tt.want)
		}
	}
	if _, err := readTissues(filepath.Join(t.TempDir(), "none")); err == nil || !os.IsNotExist(err) && !strings.Contains(err.Error(), "no such file") {
		t.Errorf("error %v of a folder that is not there", err)
	}
}
