package nifti

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heed/format"
)

// sheared is a volume as of a tilted gantry; straight has axes at right angles,
// turned by 20 degrees, left-handed.
func sheared() *format.Volume {
	v := straight()
	v.Affine[1][2] = .7
	return v
}

func straight() *format.Volume {
	v := &format.Volume{Shape: [3]int{3, 4, 2}, Stored: format.Int16}
	for i := range 24 {
		v.Data = append(v.Data, float32(100*i-1024))
	}
	s, c := math.Sincos(20 * math.Pi / 180)
	v.Affine = format.Affine{{-.5 * c, -.75 * s, 0, 10}, {-.5 * s, .75 * c, 0, -20}, {0, 0, 2, 30}}
	return v
}

func encode(t testing.TB, v *format.Volume) []byte {
	var b bytes.Buffer
	if err := Write(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	for name, v := range map[string]*format.Volume{"straight": straight(), "sheared": sheared()} {
		im, err := Read(name, bytes.NewReader(encode(t, v)))
		if err != nil {
			t.Fatal(err)
		}
		if d := v.Affine.Distance(im.Affine, v.Shape); d > 1e-5 {
			t.Errorf("%s: affine is %g mm off", name, d)
		}
		if diff := cmp.Diff(v.Data, im.Data); diff != "" || im.Stored != format.Int16 {
			t.Errorf("%s: %s %s", name, im.Stored, diff)
		}
		mm, degrees := im.Disagreement()
		if name == "straight" && (im.QForm == nil || mm > 1e-5 || degrees > 1e-3) {
			t.Errorf("qform is %g mm and %g degrees off", mm, degrees)
		}
		if name == "sheared" && im.QForm != nil {
			t.Error("qform of a sheared volume")
		}
	}
}

// Read is the function that programs have by Open.
func Read(name string, r *bytes.Reader) (*Image, error) { return Reader{}.Read(name, r) }

func TestTypes(t *testing.T) {
	for _, test := range []struct {
		data []float32
		in   format.NumberType
		want format.NumberType
	}{
		{[]float32{0, 255}, format.Uint8, format.Uint8},
		{[]float32{0, 256}, format.Uint8, format.Int16},
		{[]float32{-1, 2}, format.Uint16, format.Int16},
		{[]float32{-1024, 40000}, format.Int16, format.Int32},
		{[]float32{.5, 1}, format.Int16, format.Float32},
		{[]float32{.5, 1}, format.Float64, format.Float32},
		{[]float32{1, 65535}, format.Uint16, format.Uint16},
		{[]float32{-128, 127}, format.Int8, format.Int8},
		{[]float32{0, 1 << 31}, format.Uint32, format.Uint32},
		{[]float32{0, 1 << 40}, format.Int64, format.Int64},
		{[]float32{0, 1 << 63}, format.Uint64, format.Uint64},
		{[]float32{float32(math.Inf(1)), 1}, format.Int16, format.Float32},
	} {
		v := &format.Volume{Shape: [3]int{2, 1, 1}, Data: test.data, Stored: test.in, Affine: straight().Affine}
		im, err := Read("t.nii", bytes.NewReader(encode(t, v)))
		if err != nil || im.Stored != test.want || !cmp.Equal(im.Data, test.data) {
			t.Errorf("%s %v: %s %v, %v", test.in, test.data, im.Stored, im.Data, err)
		}
	}
}

// TestBothOrders turns a file into big-endian and NIfTI-2 by hand.
func TestBothOrders(t *testing.T) {
	little := encode(t, straight())
	big := bytes.Clone(little)
	swap := func(at, size int) {
		for i := range size / 2 {
			big[at+i], big[at+size-1-i] = big[at+size-1-i], big[at+i]
		}
	}
	swap(0, 4)
	for i := range 8 {
		swap(40+2*i, 2)
		swap(76+4*i, 4)
	}
	for _, at := range []int{70, 72, 252, 254} {
		swap(at, 2)
	}
	for _, at := range []int{108, 112, 116} {
		swap(at, 4)
	}
	for i := range 18 {
		swap(256+4*i, 4)
	}
	for at := 352; at < len(big); at += 2 {
		swap(at, 2)
	}
	two := append(headerV2(straight(), 4, 16), little[352:]...)
	want, err := Read("little", bytes.NewReader(little))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"big": big, "two": two} {
		got, err := Read(name, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if d := want.Affine.Distance(got.Affine, want.Shape); d > 1e-5 || !cmp.Equal(got.Data, want.Data) || got.Unit != "mm" {
			t.Errorf("%s: %g mm off, %v", name, d, got.Data)
		}
		if got.Big != (name == "big") || got.Version == 2 != (name == "two") {
			t.Errorf("%s: big %t, version %d", name, got.Big, got.Version)
		}
	}
}

// TestQuaternion takes random rotations there and back.
func TestQuaternion(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		x := [4]float64{r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}
		if r.IntN(3) == 0 {
			x[0] = 0 // half turns
		}
		n := math.Sqrt(x[0]*x[0] + x[1]*x[1] + x[2]*x[2] + x[3]*x[3])
		q := quaternion{x[1] / n, x[2] / n, x[3] / n, float64(1 - 2*r.IntN(2))}
		rot, ok := q.rotation()
		if !ok {
			t.Fatal(q)
		}
		var a format.Affine
		for i := range 3 {
			for j := range 3 {
				a[i][j] = rot[i][j] * []float64{.5, 2, 3}[j]
			}
		}
		back, size := quaternionOf(a)
		again, ok := back.rotation()
		for i := range 3 {
			for j := range 3 {
				if !ok || math.Abs(again[i][j]-rot[i][j]) > 1e-6 || math.Abs(size[j]-[]float64{.5, 2, 3}[j]) > 1e-9 {
					t.Fatalf("%v: %v, want %v", q, again, rot)
				}
			}
		}
	}
}

func TestDisagreement(t *testing.T) {
	b := encode(t, straight())
	binary.LittleEndian.PutUint32(b[292:], math.Float32bits(13)) // sform x offset, from 10
	im, err := Read("t.nii", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if mm, degrees := im.Disagreement(); math.Abs(mm-3) > 1e-5 || degrees > 1e-3 || im.Place != "sform" {
		t.Errorf("%g mm, %g degrees, %s", mm, degrees, im.Place)
	}
	q, err := Reader{QForm: true}.Read("t.nii", bytes.NewReader(b))
	if err != nil || q.Place != "qform" || math.Abs(q.Affine[0][3]-10) > 1e-6 {
		t.Errorf("%v %v", q, err)
	}
}

func TestBad(t *testing.T) {
	good := encode(t, straight())
	le := binary.LittleEndian
	nan := le.AppendUint32(nil, math.Float32bits(float32(math.NaN())))
	f32 := func(x float32) []byte { return le.AppendUint32(nil, math.Float32bits(x)) }
	set := func(pairs ...any) func([]byte) []byte {
		return func(b []byte) []byte {
			for i := 0; i < len(pairs); i += 2 {
				copy(b[pairs[i].(int):], pairs[i+1].([]byte))
			}
			return b
		}
	}
	for _, test := range []struct {
		title  string
		damage func([]byte) []byte
		want   string
		kind   error
	}{
		{"none", set(), "<nil>", nil},
		{"empty", func(b []byte) []byte { return nil }, "t.nii: invalid: not NIfTI: no header of 348 or 540 bytes that ends in n+1 or n+2", format.ErrInvalid},
		{"short", func(b []byte) []byte { return b[:100] }, "t.nii: invalid: not NIfTI: no header of 348 or 540 bytes that ends in n+1 or n+2", format.ErrInvalid},
		{"analyze", set(344, []byte{0, 0, 0, 0}), "t.nii: offset 344: not supported: Analyze 7.5, which does not say what is left and what right; convert it to NIfTI", format.ErrUnsupported},
		{"pair", set(344, []byte("ni1\x00")), "t.nii: not supported: header and voxels in two files (.hdr and .img); convert them to one .nii", format.ErrUnsupported},
		{"cut", func(b []byte) []byte { return b[:len(b)-1] }, "t.nii: offset 399: invalid: file is cut off", format.ErrInvalid},
		{"no voxels", func(b []byte) []byte { return b[:350] }, "t.nii: offset 350: invalid: file is cut off", format.ErrInvalid},
		{"dimensions", set(40, []byte{9, 0}), "t.nii: offset 40: invalid: 9 dimensions, want 1 to 7", format.ErrInvalid},
		{"size", set(44, []byte{0xff, 0xff}), "t.nii: offset 44: invalid: size of axis 2 is -1, want 1 or more", format.ErrInvalid},
		{"huge", set(42, []byte{0xff, 0x7f, 0xff, 0x7f, 0xff, 0x7f}), "t.nii: offset 40: too large: 32767 x 32767 x 32767 voxels; the limit is 1073741824", format.ErrTooLarge},
		{"frames", set(40, []byte{4, 0}, 48, []byte{5, 0}), "t.nii: offset 40: not supported: 5 volumes in one file; choose one", format.ErrUnsupported},
		{"colours", set(70, []byte{128, 0}), "t.nii: offset 70: not supported: voxels of colours (RGB) (datatype 128)", format.ErrUnsupported},
		{"datatype", set(70, []byte{3, 0}), "t.nii: offset 70: not supported: datatype 3", format.ErrUnsupported},
		{"negative", set(84, f32(-.75)), "t.nii: offset 84: invalid: spacing of axis 2 is -0.75, want a positive number", format.ErrInvalid},
		{"NaN", set(88, nan), "t.nii: offset 88: invalid: spacing of axis 3 is NaN, want a positive number", format.ErrInvalid},
		{"zero", set(80, f32(0), 254, []byte{0, 0}), "t.nii: offset 80: invalid: spacing of axis 1 is 0, want a positive number", format.ErrInvalid},
		{"sform", set(280, nan), "t.nii: offset 280: invalid: sform: affine holds NaN", format.ErrInvalid},
		{"flat", set(304, f32(0), 320, f32(0)), "t.nii: offset 280: invalid: sform: voxels of 0.5 x 0.75 x 0 mm", format.ErrInvalid},
		{"qform", set(256, f32(2)), "t.nii: offset 256: invalid: qform: quaternion (2, 0.9848077297210693, 0) is longer than 1", format.ErrInvalid},
		{"offset", set(108, f32(1e9)), "t.nii: offset 108: invalid: voxels at offset 1000000000, want 348 to 67109212", format.ErrInvalid},
		{"slope", set(116, nan), "t.nii: offset 116: invalid: scl_inter is NaN", format.ErrInvalid},
		{"unit", set(123, []byte{7}), "t.nii: offset 123: invalid: unit of length 7, want 0 to 3", format.ErrInvalid},
	} {
		_, err := Read("t.nii", bytes.NewReader(test.damage(bytes.Clone(good))))
		if got := errString(err); got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.title, got, test.want)
		}
		if !errors.Is(err, test.kind) {
			t.Errorf("%s: not %v", test.title, test.kind)
		}
	}
	if _, err := (Reader{MaxVoxels: 23}).Read("t.nii", bytes.NewReader(good)); errString(err) != "t.nii: offset 40: too large: 3 x 4 x 2 voxels; the limit is 23" {
		t.Error(err)
	}
}

func errString(err error) string {
	if err == nil {
		return "<nil>"
	}
	return err.Error()
}

// TestFrames reads the second volume of two.
func TestFrames(t *testing.T) {
	b := encode(t, straight())
	b = append(b, b[352:400]...)
	b[40], b[48] = 4, 2
	binary.LittleEndian.PutUint16(b[400:], 77)
	im, err := Reader{Frame: 2}.Read("t.nii", bytes.NewReader(b))
	if err != nil || im.Data[0] != 77 || im.Data[1] != -924 || im.Frames != 2 {
		t.Fatalf("%v %v", im, err)
	}
	if _, err := (Reader{Frame: 1}).Read("t.nii", bytes.NewReader(b[:420])); errString(err) != "t.nii: offset 420: invalid: file is cut off" {
		t.Error(err)
	}
	if _, err := (Reader{Frame: 3}).Read("t.nii", bytes.NewReader(b)); errString(err) != "t.nii: offset 40: invalid: no volume 3: the file has 2" {
		t.Error(err)
	}
}

func TestGzip(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(encode(t, straight()))
	z.Close()
	path := filepath.Join(t.TempDir(), "t.nii.gz")
	for _, n := range []int{b.Len(), b.Len() - 4, b.Len() - 20} {
		if err := os.WriteFile(path, b.Bytes()[:n], 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		want := path + ": invalid: gzip stream is cut off"
		if n == b.Len() {
			want = "<nil>"
		}
		if got := errString(err); got != want {
			t.Errorf("%d of %d bytes: got %s, want %s", n, b.Len(), got, want)
		}
	}
	if err := WriteFile(path, sheared()); err != nil {
		t.Fatal(err)
	}
	if im, err := Open(path); err != nil || !cmp.Equal(im.Data, sheared().Data) {
		t.Error(err)
	}
}

// TestReal compares with what nibabel 5.0 makes of files that others wrote: sum
// of all voxels, and one of them.
func TestReal(t *testing.T) {
	for _, test := range []struct {
		file   string
		shape  [3]int
		stored format.NumberType
		sum    float64
		voxel  float32
		affine format.Affine
	}{
		{"totalsegmentator/example_ct.nii.gz", [3]int{122, 101, 112}, format.Int32, -496851173.0, -8.0, format.Affine{{3, 0, 0, -177.956329}, {0, 3, 0, 11.3190002}, {0, 0, 3, 94.3017578}}},
		{"totalsegmentator/example_ct_dicom.dcm2niix.nii.gz", [3]int{512, 512, 20}, format.Int16, -3272217339.0, 316.0, format.Affine{{-0.9765625, 0, 0, 249.511719}, {0, 0.9765625, 0, -61.5117188}, {0, 0, 2, -804.5}}},
		{"totalsegmentator/example_mr_sm.nii.gz", [3]int{117, 91, 20}, format.Int16, 41238711.0, 224.0, format.Affine{{-3, 0, 0, 168.59964}, {0, -3, 0, 166.359436}, {0, 0, 3, 28.9896412}}},
		{"totalsegmentator/example_seg.nii.gz", [3]int{122, 101, 30}, format.Uint8, 2734697.0, 0.0, format.Affine{{3, 0, 0, -177.956329}, {0, 3, 0, 11.3190002}, {0, 0, 3, 94.3017578}}},
		{"msd_hippocampus/images/hippocampus_001.nii.gz", [3]int{35, 51, 35}, format.Uint8, 3968524.0, 34.0, format.Affine{{1, 0, 0, 1}, {0, 1, 0, 1}, {0, 0, 1, 1}}},
		{"lungmask_dicom/lungmask.dcm2niix.nii.gz", [3]int{512, 512, 2}, format.Int16, -340053850.0, -606.0, format.Affine{{-0.625, 0, 0, 0}, {0, 0.625, 0, -319.375}, {0, 0, 1, 0}}},
	} {
		im, err := Open(filepath.Join("../../../shared/data/imaging", test.file))
		if errors.Is(err, fs.ErrNotExist) {
			t.Skip("no real volumes: shared/data/imaging is absent")
		}
		if err != nil {
			t.Error(err)
			continue
		}
		sum := 0.
		for _, x := range im.Data {
			sum += float64(x)
		}
		one := im.At(im.Shape[0]/3, im.Shape[1]/4, im.Shape[2]/2)
		if im.Shape != test.shape || im.Stored != test.stored || math.Abs(sum-test.sum) > 1e-6*math.Abs(test.sum) || one != test.voxel || im.Rounded != 0 {
			t.Errorf("%s: %v %s sum %v voxel %v", test.file, im.Shape, im.Stored, sum, one)
		}
		if d := im.Affine.Distance(test.affine, im.Shape); d > 1e-3 {
			t.Errorf("%s: affine is %g mm off", test.file, d)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(encode(f, straight()))
	f.Add(append(headerV2(straight(), 4, 16), make([]byte, 48)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		im, err := Reader{MaxVoxels: 1 << 16}.Read("f.nii", bytes.NewReader(b))
		if err != nil {
			return
		}
		if err := im.Check(); err != nil {
			t.Fatal(err)
		}
		again, err := Read("f.nii", bytes.NewReader(encode(t, &im.Volume)))
		if err != nil {
			// An affine of the smallest or greatest numbers need not survive float32.
			for _, s := range im.Affine.Spacing() {
				if s < 1e-3 || s > 1e6 {
					return
				}
			}
			for i := range 3 {
				if math.Abs(im.Affine[i][3]) > 1e9 {
					return
				}
			}
			t.Fatalf("%v of %v", err, im.Affine)
		}
		for i, x := range again.Data {
			if math.Float32bits(x) != math.Float32bits(im.Data[i]) && x != im.Data[i] && x == x {
				t.Fatalf("voxel %d is %v, want %v", i, x, im.Data[i])
			}
		}
	})
}
