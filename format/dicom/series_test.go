package dicom

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"heed/format"
)

// A shot is one slice of a series that a test makes.
type shot struct {
	name             string // of the file
	x, y, z          float64
	instance         int
	acquisition      int
	uid, series      string
	slope            string
	orientation      string
	drop             Tag
	frameOfReference string
}

// study writes slices and returns the folder. The pixels of each are those of the
// phantom but for the first, which is its number in the list.
func study(t testing.TB, shots []shot) string {
	dir := filepath.Join(t.TempDir(), "study")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for i, s := range shots {
		f, err := Open("testdata/phantom.dcm")
		if err != nil {
			t.Fatal(err)
		}
		put := func(tag Tag, v string) {
			vr, _ := Lookup(tag)
			f.set(Element{Tag: tag, VR: vr, Value: []byte(v)})
		}
		put(tagPosition, fmt.Sprintf(`%v\%v\%v`, s.x, s.y, s.z))
		put(tagInstance, strconv.Itoa(s.instance))
		put(tagAcquisition, strconv.Itoa(s.acquisition))
		put(tagSOPInstance, fmt.Sprintf("2.25.7%s%d", s.uid, i))
		if s.uid != "" {
			put(tagSOPInstance, s.uid)
		}
		if s.series != "" {
			put(tagSeries, s.series)
		}
		if s.slope != "" {
			put(tagSlope, s.slope)
		}
		if s.orientation != "" {
			put(tagOrientation, s.orientation)
		}
		p := bytes.Clone(f.Find(tagPixels).Value)
		p[0], p[1] = byte(i), 0
		f.Find(tagPixels).Value = p
		if s.drop != 0 {
			for k, e := range f.Elements {
				if e.Tag == s.drop {
					f.Elements = append(f.Elements[:k], f.Elements[k+1:]...)
					break
				}
			}
		}
		var b bytes.Buffer
		if err := Write(&b, f); err != nil {
			t.Fatal(err)
		}
		name := s.name
		if name == "" {
			name = fmt.Sprintf("PLANTED%03d.dcm", i)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// axial returns slices at the positions z, numbered otherwise than they lie.
func axial(z ...float64) []shot {
	var out []shot
	for i, v := range z {
		out = append(out, shot{x: -10, y: -20, z: v, instance: (i*7 + 3) % 10})
	}
	return out
}

func TestSeries(t *testing.T) {
	tilted := axial(0, 2, 4)
	for i := range tilted {
		tilted[i].y += .25 * tilted[i].z
	}
	mixed := append(axial(0, 2), axial(0, 2, 4)...)
	for i := range 3 {
		mixed[2+i].series = "2.25.55"
	}
	copies := axial(0, 2, 4, 2)
	copies[1].uid, copies[3].uid = "2.25.9", "2.25.9"
	acquisitions := append(axial(0, 2), axial(0, 2)...)
	acquisitions[2].acquisition, acquisitions[3].acquisition = 1, 1
	noPosition := axial(0, 2)
	noPosition[1].drop, noPosition[0].drop = tagPosition, tagPosition
	slopes := axial(0, 2)
	slopes[1].slope = "4"
	coronal := axial(0, 0, 0)
	for i := range coronal {
		coronal[i].y, coronal[i].orientation = float64(3*i), `1\0\0\0\0\-1`
	}
	for _, test := range []struct {
		title  string
		shots  []shot
		series int
		kind   string // of the first finding
		err    string // of Load of the first series
		order  []int  // the first pixels, by slice
		affine format.Affine
	}{
		{"shuffled", axial(4, 0, 6, 2), 1, "order", "<nil>", []int{1, 3, 0, 2}, format.Affine{{-.5, 0, 0, 10}, {0, .75, 0, 20 - 23*.75}, {0, 0, 2, 0}}},
		{"tilted", tilted, 1, "tilt", "<nil>", []int{0, 1, 2}, format.Affine{{-.5, 0, 0, 10}, {0, .75, -.5, 20 - 23*.75}, {0, 0, 2, 0}}},
		{"gap", axial(0, 2, 4, 8, 10), 1, "gap", "DIR: invalid: slices are missing or unequal: 1 of 4 distances differ from 2 mm, the first after slice 3 (4 mm); about 1 slices are missing", nil, format.Affine{}},
		{"mixed", mixed, 2, "", "<nil>", []int{0, 1}, format.Affine{{-.5, 0, 0, 10}, {0, .75, 0, 20 - 23*.75}, {0, 0, 2, 0}}},
		{"copies", copies, 1, "duplicate", "<nil>", []int{0, 1, 2}, format.Affine{{-.5, 0, 0, 10}, {0, .75, 0, 20 - 23*.75}, {0, 0, 2, 0}}},
		{"collisions", axial(0, 2, 4, 2), 1, "duplicate", "DIR: invalid: 1 slices lie where another one does", nil, format.Affine{}},
		{"acquisitions", acquisitions, 2, "", "<nil>", []int{0, 1}, format.Affine{{-.5, 0, 0, 10}, {0, .75, 0, 20 - 23*.75}, {0, 0, 2, 0}}},
		{"missing", noPosition, 1, "missing tags", "DIR: invalid: no ImagePositionPatient (0020,0032): place and order of the slices are unknown", nil, format.Affine{}},
		{"slopes", slopes, 1, "rescale", "<nil>", []int{0, 1}, format.Affine{{-.5, 0, 0, 10}, {0, .75, 0, 20 - 23*.75}, {0, 0, 2, 0}}},
		{"coronal", coronal, 1, "", "<nil>", []int{0, 1, 2}, format.Affine{{-.5, 0, 0, 10}, {0, 0, -3, 0}, {0, .75, 0, -23 * .75}}},
		{"single", axial(0), 1, "single", "<nil>", []int{0}, format.Affine{{-.5, 0, 0, 10}, {0, .75, 0, 20 - 23*.75}, {0, 0, 1, 0}}},
	} {
		dir := study(t, test.shots)
		f, err := Scan(dir)
		if err != nil {
			t.Fatalf("%s: %v", test.title, err)
		}
		s := f.Series[0]
		if len(f.Series) != test.series {
			t.Errorf("%s: %d series, want %d", test.title, len(f.Series), test.series)
		}
		if test.kind != "" && (len(s.Findings) == 0 || s.Findings[0].Kind != test.kind && !hasKind(s, test.kind)) {
			t.Errorf("%s: findings %v, want %s", test.title, s.Findings, test.kind)
		}
		for _, x := range s.Findings {
			if strings.Contains(x.Text, planted) {
				t.Errorf("%s: %s", test.title, x.Text)
			}
		}
		v, err := s.Load()
		if got := strings.ReplaceAll(errString(err), dir, "DIR"); got != test.err {
			t.Errorf("%s: %s\nwant %s", test.title, got, test.err)
		}
		if err != nil {
			continue
		}
		if d := v.Affine.Distance(test.affine, v.Shape); d > 1e-9 {
			t.Errorf("%s: affine %v, want %v", test.title, v.Affine, test.affine)
		}
		for z, want := range test.order {
			slope := float32(2)
			if test.title == "slopes" && z == 1 {
				slope = 4
			}
			// The first pixel of the file is in the last row of the volume.
			if got := v.At(0, v.Shape[1]-1, z); got != slope*float32(want)-5 {
				t.Errorf("%s: slice %d is that of value %v, want %d", test.title, z, got, want)
			}
		}
	}
}

func hasKind(s *Series, kind string) bool {
	for _, f := range s.Findings {
		if f.Kind == kind {
			return true
		}
	}
	return false
}

func TestUneven(t *testing.T) {
	f, err := Scan(study(t, axial(0, 2, 6, 8)))
	if err != nil {
		t.Fatal(err)
	}
	v, err := f.Series[0].LoadUneven()
	if err != nil || v.Shape[2] != 5 || v.Affine[2][2] != 2 {
		t.Fatal(v, err)
	}
	for z, want := range []float32{-5, -3, -2, -1, 1} { // 2*number - 5 at 0, 2, 4 (between), 6, 8
		if got := v.At(0, 23, z); got != want {
			t.Errorf("slice %d: %v, want %v", z, got, want)
		}
	}
}

func TestScanErrors(t *testing.T) {
	dir := study(t, axial(0, 2))
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("PLANTED_notes.txt", []byte("PLANTED^NAME was here"))
	f, err := Scan(dir)
	if err != nil || f.Other != 1 || len(f.Series) != 1 {
		t.Fatal(f, err)
	}
	good, err := os.ReadFile("testdata/phantom.dcm")
	if err != nil {
		t.Fatal(err)
	}
	write("PLANTED_cut.dcm", good[:len(good)-100])
	_, err = Scan(dir)
	if got := strings.ReplaceAll(errString(err), dir, "DIR"); got != "DIR (file 3 of 4): offset 990: invalid: (7FE0,0010) has 960 bytes, but 860 are left: file is cut off or damaged" {
		t.Error(got)
	}
	i := bytes.Index(good, []byte(`0.75\0.5`))
	copy(good[i:], `-.75\0.5`)
	write("PLANTED_cut.dcm", good)
	_, err = Scan(dir)
	if got := strings.ReplaceAll(errString(err), dir, "DIR"); got != "DIR (file 3 of 4): invalid: PixelSpacing (0028,0030): value 1 is -0.75, want a positive number of mm" {
		t.Error(got)
	}
	copy(good[i:], `NaN \0.5`)
	write("PLANTED_cut.dcm", good)
	_, err = Scan(dir)
	if got := strings.ReplaceAll(errString(err), dir, "DIR"); got != "DIR (file 3 of 4): invalid: PixelSpacing (0028,0030): a value is NaN" {
		t.Error(got)
	}
	empty := t.TempDir()
	if _, err := Scan(empty); errString(err) != empty+": invalid: no DICOM images" {
		t.Error(err)
	}
	if _, err := Scan(filepath.Join(empty, "no")); errString(err) != filepath.Join(empty, "no")+": no such file" {
		t.Error(err)
	}
}

// TestLungmask compares with the volume that dcm2niix made of the same two slices:
// its voxels and the affine stand in the test of format/nifti.
func TestLungmask(t *testing.T) {
	dir := "../../../shared/data/imaging/lungmask_dicom"
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skip("no real slices: shared/data/imaging/lungmask_dicom is absent")
	}
	f, err := Scan(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Series) != 1 || f.Other != 3 {
		t.Fatalf("%d series, %d other files", len(f.Series), f.Other)
	}
	v, err := f.Series[0].Load()
	if err != nil {
		t.Fatal(err)
	}
	want := format.Affine{{-.625, 0, 0, 0}, {0, .625, 0, -319.375}, {0, 0, 1, 0}}
	if d := v.Affine.Distance(want, v.Shape); d > 1e-3 {
		t.Errorf("affine is %g mm off", d)
	}
	sum := 0.
	for _, x := range v.Data {
		sum += float64(x)
	}
	if sum != -340053850 || v.Shape != [3]int{512, 512, 2} {
		t.Errorf("sum %v, shape %v", sum, v.Shape)
	}
}

// TestTotalSegmentator checks place and findings of a series whose pixels are
// compressed by JPEG 2000.
func TestTotalSegmentator(t *testing.T) {
	dir := "../../../shared/data/imaging/totalsegmentator/example_ct_dicom"
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skip("no real series: shared/data/imaging/totalsegmentator is absent")
	}
	f, err := Scan(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := f.Series[0]
	if len(f.Series) != 1 || s.Slices != 20 || math.Abs(s.Spacing[2]-2) > 1e-9 {
		t.Errorf("%d series, %d slices, %v mm", len(f.Series), s.Slices, s.Spacing)
	}
	want := format.Affine{{-.9765625, 0, 0, 249.51171875}, {0, .9765625, 0, -61.51171875}, {0, 0, 2, -804.5}}
	if d := s.affine().Distance(want, [3]int{512, 512, 20}); d > 1e-3 {
		t.Errorf("affine is %g mm off that of dcm2niix", d)
	}
	_, err = s.Load()
	if got := strings.TrimPrefix(errString(err), dir); got != ": not supported: pixels compressed by JPEG 2000 Lossless are not decoded" {
		t.Error(got)
	}
}

// TestEnhanced reads a multi-frame file whose frames lie in other places than they
// stand, with geometry in the groups of the frames and of all.
func TestEnhanced(t *testing.T) {
	f := phantom(t, "phantom")
	set := func(pairs ...any) *Dataset {
		d := &Dataset{order: f.order}
		for i := 0; i < len(pairs); i += 2 {
			tag := pairs[i].(Tag)
			vr, _ := Lookup(tag)
			e := Element{Tag: tag, VR: vr}
			switch v := pairs[i+1].(type) {
			case string:
				e.Value = []byte(v)
			case *Dataset:
				e.Items = []*Dataset{v}
			}
			d.set(e)
		}
		return d
	}
	pixels := bytes.Clone(f.Find(tagPixels).Value)
	two := append(bytes.Clone(pixels), pixels...)
	two[0], two[1] = 1, 0
	two[len(pixels)], two[len(pixels)+1] = 2, 0
	f.Find(tagPixels).Value = two
	for _, tag := range []Tag{tagPosition, tagOrientation, tagPixelSpacing, tagSlope, tagIntercept} {
		i := 0
		for _, e := range f.Elements {
			if e.Tag != tag {
				f.Elements[i] = e
				i++
			}
		}
		f.Elements = f.Elements[:i]
	}
	f.set(Element{Tag: tagFrames, VR: "IS", Value: []byte("2")})
	f.set(Element{Tag: tagShared, VR: "SQ", Items: []*Dataset{set(
		tagMeasuresSequence, set(tagPixelSpacing, `0.75\0.5`),
		tagOrientSequence, set(tagOrientation, `1\0\0\0\1\0`),
		tagTransformSequence, set(tagSlope, "10", tagIntercept, "-5"))}})
	f.set(Element{Tag: tagPerFrame, VR: "SQ", Items: []*Dataset{
		set(tagPositionSequence, set(tagPosition, `0\0\3`)),
		set(tagPositionSequence, set(tagPosition, `0\0\0`))}})
	path := filepath.Join(t.TempDir(), "enhanced.dcm")
	if err := os.WriteFile(path, bytesOf(t, f), 0o666); err != nil {
		t.Fatal(err)
	}
	folder, err := Scan(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := folder.Series[0].Load()
	if err != nil {
		t.Fatal(err)
	}
	if v.Shape != [3]int{20, 24, 2} || v.At(0, 23, 0) != 15 || v.At(0, 23, 1) != 5 || v.Affine.Spacing() != [3]float64{.5, .75, 3} {
		t.Error(v.Shape, v.At(0, 23, 0), v.At(0, 23, 1), v.Affine)
	}
}
