package ct

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"heed/format"
	"heed/format/nifti"
	"heed/model/volume"
	"heed/radiomics"
)

// drawn returns a model with random weights.
func drawn(size [3]int, stem []int, mixer string, members int) *Fitted {
	c := volume.Config{Size: size, Spacing: [3]float64{3, 2, 1}, Channels: 1, Stem: stem, Mixer: mixer, Layers: 2, Heads: 2, FFN: 16,
		Position: "learned", Pooling: "mean", Classes: 2}
	if mixer == volume.Attention {
		c.Pooling = "cls"
	}
	f := &Fitted{Config: TrainConfig{Model: c, Ensemble: members, Scaling: Scaling{-1000, 400}, Classes: [2]string{"healthy", "ill"}}}
	for m := range members {
		f.Members = append(f.Members, volume.New(c, rand.New(rand.NewPCG(uint64(m), 1))))
	}
	return f
}

// lps returns a scan whose axes run to the patient's left, back and top.
func lps(shape [3]int, value func(x, y, z int) float32) *Picture {
	v := &format.Volume{Shape: shape, Affine: format.Affine{{-1, 0, 0, 30}, {0, -2, 0, 40}, {0, 0, 3, -50}}}
	for z := range shape[2] {
		for y := range shape[1] {
			for x := range shape[0] {
				v.Data = append(v.Data, value(x, y, z))
			}
		}
	}
	return &Picture{Volume: v, Format: "NIfTI-1"}
}

func noise(seed uint64) func(x, y, z int) float32 {
	r := rand.New(rand.NewPCG(seed, 9))
	return func(_, _, _ int) float32 { return float32(-850 + 300*r.NormFloat64()) }
}

func TestBetween(t *testing.T) {
	grid := [3]int{2, 3, 4}
	scores := make([]float64, 24)
	for i := range scores { // linear in the place
		scores[i] = float64(i/12)*100 + float64(i/4%3)*10 + float64(i%4)
	}
	for _, p := range [][3]int{{0, 0, 0}, {2, 5, 9}, {4, 8, 12}, {3, 1, 7}} {
		want := 25*float64(p[0]) + 2.5*float64(p[1]) + 0.25*float64(p[2])
		if got := between(scores, grid, 4, p); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v: %v, want %v", p, got, want)
		}
	}
	// Beyond the last centre lies the value there.
	if got := between(scores, grid, 4, [3]int{7, 11, 15}); got != 123 {
		t.Errorf("at the border %v, want 123", got)
	}
}

// A cell is centred on the voxel that its convolutions are centred on: a change of
// that voxel moves it, and one beyond its reach does not.
func TestCellOfIsWhatTheStemSees(t *testing.T) {
	f := drawn([3]int{16, 16, 16}, []int{4, 8}, volume.Conv, 1)
	grid := f.Config.Model.Grid()
	for _, p := range [][3]int{{0, 0, 0}, {4, 8, 12}, {5, 7, 13}, {6, 2, 15}, {15, 15, 15}} {
		cell := cellOf(grid, 2, p)
		at := [3]int{cell / 16, cell / 4 % 4, cell % 4}
		for a := range 3 {
			if d := p[a] - 4*at[a]; d < -2 || d >= 2 && at[a] < 3 {
				t.Errorf("voxel %v is in cell %v", p, at)
			}
		}
	}
}

func TestBlur(t *testing.T) {
	size := [3]int{3, 4, 5}
	x := make([]float32, 60)
	for i := range x {
		x[i] = 0.25
	}
	for i, v := range blur(x, size, 2) {
		if math.Abs(float64(v)-0.25) > 1e-6 {
			t.Fatalf("a constant becomes %v at %d", v, i)
		}
	}
	x[(1*4+2)*5+2] = 1.25
	sum, top, at := float32(0), float32(0), -1
	b := blur(x, [3]int{3, 4, 5}, 0.5)
	for i, v := range b {
		if sum += v; v > top {
			top, at = v, i
		}
	}
	if at != (1*4+2)*5+2 || top > 0.8 || math.Abs(float64(sum)-16) > 0.1 {
		t.Errorf("peak %v, sum %v, want about 16", top, sum)
	}
}

// Maps come back onto the voxels of the scan, whether it is larger or smaller than
// what the model sees.
func TestOnScan(t *testing.T) {
	f := drawn([3]int{8, 8, 8}, []int{4, 8}, volume.Conv, 1)
	for _, shape := range [][3]int{{12, 8, 6}, {8, 8, 8}, {5, 9, 8}} {
		v, err := viewOf(f, lps(shape, noise(1)))
		if err != nil {
			t.Fatal(err)
		}
		x := &explaining{f, v, 1}
		m := &ScanMap{Blocks: true, Scores: []float64{1, 2, 3, 4, 5, 6, 7, 8}}
		out := x.onScan(m)
		if out.Affine != v.picture.Affine || out.Shape != shape {
			t.Fatalf("a map of shape %v on %v", out.Shape, out.Affine)
		}
		e := &ScanExplanation{Grid: [3]int{2, 2, 2}, x: x}
		zeros := 0
		for _, s := range out.Data {
			if s == 0 {
				zeros++
			}
		}
		if zeros != v.outside {
			t.Errorf("%v: %d voxels without a value, %d outside", shape, zeros, v.outside)
		}
		// The voxel nearest to the place of a cell has its score, where there is one.
		for cell := range 8 {
			mm := e.place(cell)
			i := [3]int{int(math.Round(30 - mm[0])), int(math.Round((40 - mm[1]) / 2)), int(math.Round((mm[2] + 50) / 3))}
			if i[0] < 0 || i[1] < 0 || i[2] < 0 || i[0] >= shape[0] || i[1] >= shape[1] || i[2] >= shape[2] {
				continue
			}
			if got := out.At(i[0], i[1], i[2]); got != float32(cell+1) {
				t.Errorf("%v: voxel %v has %v, want that of cell %d", shape, i, got, cell)
			}
		}
	}
}

// The box of the page is turned to RAS, and every cell lies in it where it lies in
// the patient.
func TestBox(t *testing.T) {
	f := drawn([3]int{12, 8, 16}, []int{4, 8}, volume.Attention, 1)
	v, err := viewOf(f, lps([3]int{20, 8, 12}, func(x, y, z int) float32 { return float32(x + 100*y + 10000*z) }))
	if err != nil {
		t.Fatal(err)
	}
	x := &explaining{f, v, 1}
	e := &ScanExplanation{Grid: f.Config.Model.Grid(), x: x}
	for _, limit := range []int{1 << 20, 500} {
		b, err := x.boxOf(limit)
		if err != nil {
			t.Fatal(err)
		}
		if (b.thinned > 1) != (limit == 500) || len(b.scan.Data) > 1536 {
			t.Errorf("limit %d: %v voxels, thinned %d", limit, b.scan.Shape, b.thinned)
		}
		seen := map[int]bool{}
		for i, cell := range b.order {
			seen[cell] = true
			p := [3]int{i % b.grid[0], i / b.grid[0] % b.grid[1], i / b.grid[0] / b.grid[1]}
			var middle [3]float64
			for a := range 3 {
				step := float64(b.scan.Shape[a]) / float64(b.grid[a])
				middle[a] = (float64(p[a])+0.5)*step - 0.5
			}
			got, want := b.scan.Affine.Apply(middle), e.place(cell)
			for a, mm := range [3]float64{1, 2, 3} { // half a voxel: a block has an even edge
				if math.Abs(got[a]-want[a]) > mm/2+1e-9 {
					t.Fatalf("cell %d lies at %v, want %v", cell, got, want)
				}
			}
		}
		if len(seen) != f.Config.Model.Tokens() {
			t.Errorf("%d of %d cells", len(seen), f.Config.Model.Tokens())
		}
		for a := range 3 {
			if b.scan.Affine[a][a] <= 0 {
				t.Errorf("the box is not RAS: %v", b.scan.Affine)
			}
		}
		// Voxels are where they were in the patient.
		for _, at := range [][3]int{{0, 0, 0}, {b.scan.Shape[0] / 2, b.scan.Shape[1] / 2, b.scan.Shape[2] / 2}} {
			if limit == 500 {
				continue
			}
			value := b.scan.At(at[0], at[1], at[2])
			if value == -1000 {
				continue
			}
			mm := b.scan.Affine.Apply([3]float64{float64(at[0]), float64(at[1]), float64(at[2])})
			want := float32(math.Round(30-mm[0]) + 100*math.Round((40-mm[1])/2) + 10000*math.Round((mm[2]+50)/3))
			if value != want {
				t.Errorf("voxel %v holds %v, want %v", at, value, want)
			}
		}
	}
}

// Lobes whose replacement changes nothing have no value, and the values of all sum
// to what all of them do.
func TestExplainLobes(t *testing.T) {
	f := drawn([3]int{8, 8, 8}, []int{4}, volume.Attention, 2)
	r := noise(3)
	p := lps([3]int{8, 8, 8}, func(x, y, z int) float32 {
		if x == 0 {
			return r(x, y, z)
		}
		return -400
	})
	v, err := viewOf(f, p)
	if err != nil {
		t.Fatal(err)
	}
	x := &explaining{f, v, 1}
	m := radiomics.NewMask(p.Volume)
	for i := range m.Data {
		switch i % 8 {
		case 0:
			m.Data[i] = 10
		case 7:
			m.Data[i] = 13
		case 3, 4:
			m.Data[i] = 11
		}
	}
	labels, names, err := lobesOf("lobes.nii", m, "totalsegmentator")
	if err != nil {
		t.Fatal(err)
	}
	l, err := x.explainLobes(context.Background(), m, labels, names, 1)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(l.Names, ", ") != "left upper lobe, left lower lobe, right middle lobe" || l.Voxels[0] != 64 || l.Voxels[1] != 128 {
		t.Errorf("lobes %q of %v voxels", l.Names, l.Voxels)
	}
	sum := 0.0
	for _, s := range l.Shapley {
		sum += s
	}
	if math.Abs(sum-(l.All-l.None)) > 1e-9 || math.Abs(l.All-l.None) < 1e-3 {
		t.Errorf("values %v sum to %v, all less none is %v", l.Shapley, sum, l.All-l.None)
	}
	// Sigma is two voxels: the border of the blurred noise ends before x = 7.
	if math.Abs(l.Shapley[2]) > 1e-5 || math.Abs(l.Occlusion[2]) > 1e-5 || math.Abs(l.Shapley[0]) < 1e-3 {
		t.Errorf("Shapley values %v, occlusion %v", l.Shapley, l.Occlusion)
	}
	if got := l.onScan(p, l.Shapley); got.At(0, 3, 3) != float32(l.Shapley[0]) || got.At(2, 3, 3) != 0 {
		t.Errorf("on the scan %v and %v", got.At(0, 3, 3), got.At(2, 3, 3))
	}
}

func TestLobesOf(t *testing.T) {
	m := &radiomics.Mask{Shape: [3]int{20, 1, 1}, Data: make([]uint8, 20)}
	if _, _, err := lobesOf("lobes.nii", m, ""); err == nil || err.Error() != "lobes.nii: invalid: the mask has none of the labels" {
		t.Errorf("an empty mask: %v", err)
	}
	for i := range m.Data {
		m.Data[i] = uint8(i)
	}
	if _, _, err := lobesOf("lobes.nii", m, ""); err == nil || !strings.Contains(err.Error(), "19 labels, and exact Shapley values need 2^19 evaluations; the limit is 12 labels") {
		t.Errorf("many labels: %v", err)
	}
	labels, names, err := lobesOf("lobes.nii", m, "lungmask")
	if err != nil || len(labels) != 5 || names[3] != "right middle lobe" {
		t.Errorf("%v %q %v", labels, names, err)
	}
}

// With random weights the attention methods run for every mixer that has them, the
// referee says something of each, and a page can be made.
func TestExplainScan(t *testing.T) {
	for _, mixer := range []string{volume.Attention, volume.Conv, volume.Axial} {
		f := drawn([3]int{8, 8, 8}, []int{4, 8}, mixer, 2)
		v, err := viewOf(f, lps([3]int{9, 8, 8}, noise(5)))
		if err != nil {
			t.Fatal(err)
		}
		e, err := explainScan(context.Background(), f, v, 1, 1)
		if err != nil {
			t.Fatalf("%s: %v", mixer, err)
		}
		want := 2
		if mixer == volume.Attention {
			want = 4
		}
		if len(e.Maps) != want || len(e.Maps[0].Scores) != 8 {
			t.Fatalf("%s: %d maps", mixer, len(e.Maps))
		}
		if e.Verdict, err = e.verify(context.Background(), 1, 1); err != nil {
			t.Fatalf("%s: %v", mixer, err)
		}
		// The maps of the two classes of a contrast are opposite.
		if rho := e.Verdict.Logits[0].Rho.Estimate; math.Abs(rho+1) > 1e-9 {
			t.Errorf("%s: occlusion of both classes has a correlation of %v", mixer, rho)
		}
		if mixer == volume.Attention && !e.Verdict.Logits[3].ClassAgnostic {
			t.Error("a rollout that knows the class")
		}
		sections, err := e.sections()
		if err != nil || len(sections) != 2 {
			t.Fatalf("%s: %v", mixer, err)
		}
		var b bytes.Buffer
		if err := e.print(&b); err != nil || !strings.Contains(b.String(), Disclaimer) {
			t.Errorf("%s: %v\n%s", mixer, err, b.String())
		}
	}
}

// Occlusion is the effect that it claims: f less f with the block replaced.
func TestOcclusionIsMeasured(t *testing.T) {
	f := drawn([3]int{8, 8, 8}, []int{4}, volume.Attention, 1)
	v, err := viewOf(f, lps([3]int{8, 8, 8}, noise(7)))
	if err != nil {
		t.Fatal(err)
	}
	x := &explaining{f, v, 1}
	s, err := occlusionScores(context.Background(), x, 1)
	if err != nil {
		t.Fatal(err)
	}
	other := blur(v.x, f.Config.Model.Size, 2)
	changed := append([]float32(nil), v.x...)
	for z := 1; z < 3; z++ { // the block around cell (1, 2, 0): voxels 2, 4, 0
		for y := 3; y < 5; y++ {
			changed[(z*8+y)*8] = other[(z*8+y)*8]
		}
	}
	scores := x.scores([][]float32{v.x, changed}, 1)
	if want := scores[0] - scores[1]; math.Abs(s[(1*4+2)*4]-want) > 1e-6 || want == 0 {
		t.Errorf("occlusion %v, want %v", s[(1*4+2)*4], want)
	}
}

// nibabel reads maps with the affine and the type that they should have.
func TestMapsInNibabel(t *testing.T) {
	python := "/usr/bin/python3"
	if out, err := exec.Command(python, "-c", "import nibabel").CombinedOutput(); err != nil {
		t.Skipf("needs nibabel: %s", out)
	}
	f := drawn([3]int{8, 8, 8}, []int{4, 8}, volume.Conv, 1)
	p := lps([3]int{12, 8, 6}, noise(1))
	p.Affine = format.Affine{{-0.9, 0.1, 0, 30}, {-0.1, -2, 0.2, 40}, {0, 0.1, 3, -50}}
	dir := t.TempDir()
	scan, path := filepath.Join(dir, "scan.nii"), filepath.Join(dir, "map.nii.gz")
	if err := nifti.WriteFile(scan, p.Volume); err != nil {
		t.Fatal(err)
	}
	v, err := viewOf(f, p)
	if err != nil {
		t.Fatal(err)
	}
	// Whole numbers stay float32.
	if err := writeMap(path, (&explaining{f, v, 1}).onScan(&ScanMap{Blocks: true, Scores: []float64{1, 2, 3, 4, 5, 6, 7, 8}})); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "check.py")
	if err := os.WriteFile(script, []byte(`import sys, nibabel, numpy
s, m = nibabel.load(sys.argv[1]), nibabel.load(sys.argv[2])
assert numpy.allclose(s.affine, m.affine, atol=1e-5), (s.affine, m.affine)
assert s.shape == m.shape, m.shape
assert m.get_data_dtype() == numpy.float32, m.get_data_dtype()
d = m.get_fdata()
assert d[0].max() == 0 and sorted(set(d.ravel())) == [0, 1, 2, 3, 4, 5, 6, 7, 8], sorted(set(d.ravel()))
assert d[2, 0, 0] == 1 and d[9, 0, 0] == 2 and d[2, 7, 0] == 3, d[:, 0, 0]
`), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(python, script, scan, path).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
