package radiomics

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heed/format"
	"heed/format/nifti"
	"heed/format/nrrd"
)

const shared = "../../shared/data/imaging"

func have(t *testing.T, path string) {
	if _, err := os.Stat(filepath.Join(shared, path)); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no real volumes: shared/data/imaging/%s is absent", path)
	}
}

// TestBaseline compares first-order and shape features of real tumours with the
// values that the authors of pyradiomics published.
func TestBaseline(t *testing.T) {
	have(t, "pyradiomics")
	dir := filepath.Join(shared, "pyradiomics", "data")
	compared, worst := 0, 0.
	for _, class := range []string{"firstorder", "shape"} {
		f, err := os.Open(filepath.Join(dir, "baseline", "baseline_"+class+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rows, err := csv.NewReader(f).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for column, name := range rows[0] {
			lab, err := nrrd.Open(filepath.Join(dir, name+"_label.nrrd"))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			m, err := MaskOf(&lab.Volume)
			if err != nil {
				t.Fatal(err)
			}
			features := Shape(m, 1)
			if class == "firstorder" {
				im, err := nrrd.Open(filepath.Join(dir, name+"_image.nrrd"))
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				features = FirstOrder(&im.Volume, m, 1, 25, 2000)
			}
			for _, x := range features {
				for _, row := range rows {
					if row[0] != "original_"+class+"_"+x.Name || row[column] == "" {
						continue
					}
					want := 0.
					fmt.Sscan(row[column], &want)
					off := math.Abs(x.Value-want) / math.Abs(want)
					worst = math.Max(worst, off)
					compared++
					// The published numbers of brain1 lack a triangle in two cubes, of codes 62
					// and 193, its complement: half a voxel of volume. No other mask has them.
					limit := 1e-6
					switch x.Name {
					case "MeshVolume", "Sphericity", "SurfaceArea", "SurfaceVolumeRatio":
						if name == "brain1" {
							limit = 8e-4
						}
					}
					if !(off < limit) {
						t.Errorf("%s %s: %v, want %v", name, x.Name, x.Value, want)
					}
				}
			}
		}
	}
	if compared < 90 {
		t.Errorf("%d features compared", compared)
	}
	t.Logf("%d features, at most %.1g off", compared, worst)
}

func open(t *testing.T, path string) *format.Volume {
	im, err := nifti.Open(filepath.Join(shared, path))
	if err != nil {
		t.Fatal(err)
	}
	return &im.Volume
}

// TestOrgans compares volume and mean with TotalSegmentator's statistics of the same
// masks.
func TestOrgans(t *testing.T) {
	have(t, "totalsegmentator")
	b, err := os.ReadFile(filepath.Join(shared, "totalsegmentator/example_seg_fast/statistics.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]struct{ Volume, Intensity float64 }
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	ct := open(t, "totalsegmentator/example_ct_sm.nii.gz")
	for _, name := range []string{"lung_upper_lobe_left", "lung_lower_lobe_left", "lung_lower_lobe_right"} {
		v := open(t, "totalsegmentator/example_seg_fast/"+name+".nii.gz")
		m, err := MaskOf(v)
		if err != nil {
			t.Fatal(err)
		}
		got := Organs(ct, m)
		if len(got) != 1 || got[0].Volume != want[name].Volume || math.Abs(got[0].Mean-want[name].Intensity) > 1e-5 {
			t.Errorf("%s: %+v, want %+v", name, got, want[name])
		}
	}
}

// TestLungsReal compares the lungs found by thresholds with the lobes of
// TotalSegmentator, in the lowest part of the lungs that the CT shows.
func TestLungsReal(t *testing.T) {
	have(t, "totalsegmentator")
	for _, test := range []struct{ ct, seg string }{
		{"example_ct_sm", "example_seg"},
		{"example_ct_dicom.dcm2niix", "example_seg_dicom"},
	} {
		ct := open(t, "totalsegmentator/"+test.ct+".nii.gz")
		seg, err := MaskOf(open(t, "totalsegmentator/"+test.seg+".nii.gz"))
		if err != nil {
			t.Fatal(err)
		}
		lungs, err := FindLungs(ct)
		if test.ct != "example_ct_sm" { // an abdomen
			if err == nil {
				t.Errorf("%s: lungs of %d voxels where there are none", test.ct, len(lungs.Mask.Data)-lungs.Mask.Count(0))
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for side, lobes := range map[uint8][]uint8{RightLung: {12, 13, 14}, LeftLung: {10, 11}} {
			both, a, b := 0, 0, 0
			for i, l := range seg.Data {
				is := l == lobes[0] || l == lobes[1] || len(lobes) > 2 && l == lobes[2]
				mine := lungs.Mask.Data[i] == side
				if is {
					a++
				}
				if mine {
					b++
				}
				if is && mine {
					both++
				}
			}
			t.Logf("%s label %d: Dice %.3f, %d voxels, want %d", test.ct, side, 2*float64(both)/float64(a+b), b, a)
			if dice := 2 * float64(both) / float64(a+b); a > 0 && dice < .9 {
				t.Errorf("%s label %d: Dice %.3f", test.ct, side, dice)
			}
		}
		t.Log(lungs.Findings, lungs.Airways)
	}
}

// thorax is a phantom in LPS: a body, two lungs that touch a trachea, vessels and
// cavities, on voxels of 4 x 4 x 5 mm.
func thorax() *format.Volume {
	v := &format.Volume{Shape: [3]int{90, 70, 50}, Stored: format.Int16, Affine: format.Affine{{-4, 0, 0, 180}, {0, -4, 0, 140}, {0, 0, 5, -100}}}
	v.Data = make([]float32, 90*70*50)
	for z := range 50 {
		for y := range 70 {
			for x := range 90 {
				p := v.Affine.Apply([3]float64{float64(x), float64(y), float64(z)})
				hu := float32(-1000)
				in := func(cx, cy, cz, rx, ry, rz float64) bool {
					a, b, c := (p[0]-cx)/rx, (p[1]-cy)/ry, (p[2]-cz)/rz
					return a*a+b*b+c*c < 1
				}
				if in(0, 0, 20, 165, 110, 1e6) {
					hu = 40
				}
				if in(80, 0, 20, 50, 75, 90) {
					hu = -850
				}
				if in(-80, 0, 20, 45, 75, 90) {
					hu = -700
				}
				if in(-80, 0, -89, 40, 40, 17) || math.Hypot(p[0]+80, p[1]) < 3 && p[2] < -60 && p[2] > -80 { // gas of the bowel, which touches the left lung
					hu = -1000
				}
				if math.Hypot(p[0], p[1]+20) < 10 && p[2] > 40 { // trachea, open at the top
					hu = -1000
				}
				if p[2] > 40 && p[2] < 48 && math.Abs(p[1]+20) < 6 && math.Abs(p[0]) < 45 { // main bronchi
					hu = -1000
				}
				if math.Hypot(p[0]-80, p[1]) < 4 { // a vessel
					hu = 100
				}
				v.Data[v.Index(x, y, z)] = hu
			}
		}
	}
	return v
}

func TestLungs(t *testing.T) {
	v := thorax()
	l, err := FindLungs(v)
	if err != nil {
		t.Fatal(err)
	}
	const voxel = .08 // mL
	for label, want := range map[uint8]float64{RightLung: 4. / 3 * math.Pi * 50 * 75 * 90 / 1000, LeftLung: 4. / 3 * math.Pi * 45 * 75 * 90 / 1000} {
		if got := float64(l.Mask.Count(label)) * voxel; math.Abs(got-want) > .06*want {
			t.Errorf("label %d has %.0f mL, want %.0f", label, got, want)
		}
	}
	ras, _, _, err := Reorient(v, "RAS")
	if err != nil {
		t.Fatal(err)
	}
	air := NewMask(ras)
	for i, x := range ras.Data {
		if x < airBelow {
			air.Data[i] = 1
		}
	}
	keep(air, func(c component) bool { return !c.sides })
	if ml := airways(ras, air, voxel); ml < 5 || ml > 60 {
		t.Errorf("airways of %.1f mL", ml)
	}
	at := func(p [3]float64) uint8 {
		q := v.Affine.Inverse().Apply(p)
		return l.Mask.Data[v.Index(int(q[0]+.5), int(q[1]+.5), int(q[2]+.5))]
	}
	if at([3]float64{80, 0, 20}) != RightLung || at([3]float64{-80, 30, 20}) != LeftLung || at([3]float64{0, -20, 100}) != 0 || at([3]float64{-80, 0, -82}) != 0 || at([3]float64{0, 0, 0}) != 0 {
		t.Error("vessel, left lung, trachea, bowel or body")
	}
	// The same in another orientation.
	turned, _, _, err := Reorient(v, "SRA")
	if err != nil {
		t.Fatal(err)
	}
	again, err := FindLungs(turned)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := l.Mask.Count(RightLung), again.Mask.Count(RightLung); a != b {
		t.Errorf("%d voxels, %d in another orientation", a, b)
	}
	d := Densities(v, l.Mask)
	if d[2].Region != "left" || math.Abs(d[2].Mean+700) > 20 || math.Abs(d[0].Volume-d[1].Volume-d[2].Volume) > 1e-6 || math.Abs(d[3].Volume+d[4].Volume+d[5].Volume-d[0].Volume) > 1e-6 {
		t.Errorf("%+v", d)
	}
	for i := range v.Data {
		v.Data[i] = 40
	}
	if _, err := FindLungs(v); err == nil || err.Error() != "no lungs: no air within the body of 20 mL or more" {
		t.Error(err)
	}
}

func TestDensity(t *testing.T) {
	var x []float32
	for i := range 101 {
		x = append(x, float32(-1000+8*i)) // to -200
	}
	got := DensityOf("r", x, 1000)
	want := Density{Region: "r", Volume: 101, Mean: -600, LAA950: 100 * 7. / 101, HAA: 100 * 44. / 101, Perc15: -880}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if d := DensityOf("none", nil, 1); !math.IsNaN(d.Mean) || d.Volume != 0 {
		t.Error(d)
	}
}

// TestDistances compares with all pairs.
func TestDistances(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		m := &Mask{Shape: [3]int{7, 6, 5}, Affine: format.Affine{{.5, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 2.5, 0}}, Data: make([]uint8, 210)}
		for i := range m.Data {
			if r.IntN(20) == 0 {
				m.Data[i] = 1
			}
		}
		if m.Count(1) == 0 {
			continue
		}
		d := distances(m, 1)
		for i := range m.Data {
			best := math.Inf(1)
			for j, is := range m.Data {
				if is != 0 {
					x, y, z := float64(i%7-j%7)*.5, float64(i/7%6-j/7%6), float64(i/42-j/42)*2.5
					best = math.Min(best, x*x+y*y+z*z)
				}
			}
			if math.Abs(best-float64(d[i])) > 1e-4 {
				t.Fatalf("voxel %d: %v, want %v", i, d[i], best)
			}
		}
	}
}

func TestReorient(t *testing.T) {
	v := thorax()
	v.Affine[0][1] = .3 // oblique
	for _, code := range []string{"RAS", "LPS", "SRA", "PIR", "ASL"} {
		out, _, _, err := Reorient(v, code)
		if err != nil {
			t.Fatal(err)
		}
		if got := out.Affine.Orientation(); got != code {
			t.Errorf("%s, want %s", got, code)
		}
		inv := v.Affine.Inverse()
		for _, p := range [][3]int{{0, 0, 0}, {3, 5, 7}, {10, 2, 30}} {
			q := inv.Apply(out.Affine.Apply([3]float64{float64(p[0]), float64(p[1]), float64(p[2])}))
			if out.At(p[0], p[1], p[2]) != v.At(int(math.Round(q[0])), int(math.Round(q[1])), int(math.Round(q[2]))) {
				t.Errorf("%s: voxel %v is another", code, p)
			}
		}
	}
	for _, code := range []string{"", "RA", "RRS", "XAS"} {
		if _, _, _, err := Reorient(v, code); err == nil {
			t.Errorf("%q is no error", code)
		}
	}
}

// TestResample checks that a linear ramp in space stays what it is, and that masks
// keep their volume.
func TestResample(t *testing.T) {
	v := &format.Volume{Shape: [3]int{20, 24, 12}, Affine: format.Affine{{0, -1.5, 0, 30}, {.7, 0, 0, -4}, {0, 0, 3, 9}}, Data: make([]float32, 20*24*12)}
	ramp := func(p [3]float64) float64 { return 2*p[0] - 3*p[1] + .5*p[2] }
	for i := range v.Data {
		v.Data[i] = float32(ramp(v.Affine.Apply([3]float64{float64(i % 20), float64(i / 20 % 24), float64(i / 480)})))
	}
	for _, mm := range []float64{.8, 1, 2} {
		g, err := Isotropic(v, mm)
		if err != nil {
			t.Fatal(err)
		}
		out := Resample(v, g, -1024)
		for _, s := range out.Affine.Spacing() {
			if math.Abs(s-mm) > 1e-9 {
				t.Errorf("spacing %v", s)
			}
		}
		for z := range out.Shape[2] {
			for y := range out.Shape[1] {
				for x := range out.Shape[0] {
					// Away from the border, where a blur sees no more of the ramp.
					if k := 4; min(x, y) < k || min(out.Shape[0]-x, out.Shape[1]-y) < k+1 || z < 3 || z > out.Shape[2]-4 {
						continue
					}
					want := ramp(out.Affine.Apply([3]float64{float64(x), float64(y), float64(z)}))
					if math.Abs(float64(out.At(x, y, z))-want) > 1e-3 {
						t.Fatalf("%v mm: voxel (%d, %d, %d) is %v, want %v", mm, x, y, z, out.At(x, y, z), want)
					}
				}
			}
		}
	}
	// The same grid gives the same voxels.
	same := Resample(v, Grid{v.Shape, v.Affine}, 0)
	for i := range v.Data {
		if math.Abs(float64(same.Data[i]-v.Data[i])) > 1e-3 {
			t.Fatalf("voxel %d is %v, want %v", i, same.Data[i], v.Data[i])
		}
	}
	m := NewMask(v)
	for i := range m.Data {
		if x, y, z := i%20-10, i/20%24-12, i/480-6; float64(x*x)*.49+float64(y*y)*2.25+float64(z*z)*9 < 36 {
			m.Data[i] = 7
		}
	}
	g, _ := Isotropic(v, 1)
	out := ResampleMask(m, g)
	a, b := float64(m.Count(7))*math.Abs(m.Affine.Determinant()), float64(out.Count(7))
	if math.Abs(a-b) > .05*a || !cmp.Equal(out.Labels(), []uint8{7}) {
		t.Errorf("mask of %v mm3, want %v", b, a)
	}
	box, ok := m.Bounds(0)
	c := Crop(v, box)
	if !ok || c.Data[0] != v.At(box.Low[0], box.Low[1], box.Low[2]) || c.Affine.Apply([3]float64{}) != v.Affine.Apply([3]float64{float64(box.Low[0]), float64(box.Low[1]), float64(box.Low[2])}) {
		t.Error("crop")
	}
}

func TestWindow(t *testing.T) {
	w, ok := WindowNamed("lung")
	x := []float32{-2000, -1350, -600, 150, 1000}
	w.Apply(x)
	if !ok || !cmp.Equal(x, []float32{0, 0, .5, 1, 1}) {
		t.Error(x)
	}
}
