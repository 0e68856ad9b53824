package checkpoint

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"heed/format"
	"heed/tensor"
)

// reread writes the entries and reads them back under the name m.safetensors.
func reread(t *testing.T, meta map[string]string, entries []Entry) *File {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, meta, entries); err != nil {
		t.Fatal(err)
	}
	f, err := Read("m.safetensors", bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// blank returns the entries with all values zero.
func blank(entries []Entry) []Entry {
	for _, e := range entries {
		clear(e.Float)
		clear(e.Raw)
	}
	return entries
}

func TestRestore(t *testing.T) {
	f := reread(t, nil, entries()[:5])
	dst := blank(entries()[:5])
	dst[0], dst[4] = dst[4], dst[0] // the order does not matter
	if err := f.Restore(dst); err != nil {
		t.Fatal(err)
	}
	dst[0], dst[4] = dst[4], dst[0]
	if !reflect.DeepEqual(dst, entries()[:5]) {
		t.Errorf("got %+v, want %+v", dst, entries()[:5])
	}

	weights := blank(entries()[:2])
	if err := f.Under("model.").Restore(weights); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(weights, entries()[:2]) {
		t.Errorf("got %+v, want %+v", weights, entries()[:2])
	}
}

// A float16 file restores into float32 parameters.
func TestRestoreWidens(t *testing.T) {
	in := file(`{"w":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}`, 2)
	in[len(in)-1] = 0x3c
	f, err := Read("m", bytes.NewReader(in), int64(len(in)))
	if err != nil {
		t.Fatal(err)
	}
	w := tensor.New(1)
	if err := f.Restore([]Entry{Tensor("w", w)}); err != nil || w.Data[0] != 1 {
		t.Errorf("got %g, %v, want 1", w.Data[0], err)
	}
}

func TestRestoreErrors(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	tensors := func(shape []int, values ...float32) []Entry {
		return []Entry{
			Tensor("a", tensor.Of([]float32{1, 2}, 2)),
			Tensor("b", tensor.Of(values, shape...)),
		}
	}
	stored := tensors([]int{2, 2}, 1, 2, 3, 4)
	half := file(`{"a":{"dtype":"F16","shape":[3],"data_offsets":[0,6]}}`, 6)
	half[len(half)-1] = 0xfc // the last value is -Inf
	halfFile, err := Read("m.safetensors", bytes.NewReader(half), int64(len(half)))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		f    *File
		dst  []Entry
		want string
	}{
		{reread(t, nil, stored), append(blank(tensors([]int{2, 2}, 0, 0, 0, 0)), Bytes("c", nil)), `m.safetensors: invalid: tensor "c" is missing`},
		{reread(t, nil, nil), blank(tensors([]int{1}, 0)), `m.safetensors: invalid: tensor "a" is missing (and 1 more)`},
		{reread(t, nil, stored), blank(tensors(nil, 0))[:1], `m.safetensors: invalid: tensor "b" has no place in the model`},
		{reread(t, nil, entries()), blank(entries()[:2]), `m.safetensors: invalid: tensor "rng" has no place in the model (and 3 more)`},
		{reread(t, nil, stored), blank(tensors([]int{4}, 0, 0, 0, 0)), `m.safetensors: offset 128: invalid: tensor "b" has shape (2, 2), want (4)`},
		{reread(t, nil, stored), blank(tensors([]int{2, 3}, make([]float32, 6)...)), `m.safetensors: offset 128: invalid: tensor "b" has shape (2, 2), want (2, 3)`},
		{reread(t, nil, stored), append(blank(tensors(nil, 0))[:1], Uint64s("b", 0)), `m.safetensors: offset 128: invalid: tensor "b" is F32, want U64`},
		{reread(t, nil, tensors([]int{2, 2}, 1, 2, 3, nan)), blank(tensors([]int{2, 2}, 0, 0, 0, 0)), `m.safetensors: offset 140: invalid: tensor "b": value 3 is NaN`},
		{reread(t, nil, tensors([]int{2, 2}, 1, inf, 3, 4)), blank(tensors([]int{2, 2}, 0, 0, 0, 0)), `m.safetensors: offset 132: invalid: tensor "b": value 1 is -Inf`},
		{halfFile, []Entry{Tensor("a", tensor.New(3))}, `m.safetensors: offset 66: invalid: tensor "a": value 2 is -Inf`},
	} {
		err := test.f.Restore(test.dst)
		if err == nil || err.Error() != test.want || !errors.Is(err, format.ErrInvalid) {
			t.Errorf("got error %v, want %s", err, test.want)
		}
		for _, d := range test.dst {
			for i, v := range d.Float {
				if v != 0 {
					t.Errorf("%s: yet %s[%d] was set to %g", test.want, d.Name, i, v)
				}
			}
		}
	}

	f := reread(t, nil, stored)
	for _, test := range []struct {
		dst  []Entry
		want string
	}{
		{append(entries()[:1], entries()[:1]...), `checkpoint: tensor "model.weight": the name is taken`},
		{[]Entry{{Name: "a", DType: F32, Shape: []int{2}}}, `checkpoint: tensor "a": shape (2) of F32 does not fit 0 values`},
	} {
		if err := f.Restore(test.dst); err == nil || err.Error() != test.want {
			t.Errorf("got error %v, want %s", err, test.want)
		}
	}
}

func info() *Info {
	return &Info{
		Version: Version, Architecture: "sequence", Config: []byte(`{"dim":128}`), Tokenizer: []byte(`{"k":1}`),
		Preprocessing: []byte(`{"pad":4}`), Seed: 1<<64 - 1, Heed: "v0.1.0", Go: "go1.26", Kernel: "avx2",
		DataSHA256: strings.Repeat("0f", 32), Metrics: map[string]float64{"mcc": 0.86}, Command: []string{"dna", "train"},
	}
}

func TestInfo(t *testing.T) {
	meta, err := info().Meta()
	if err != nil {
		t.Fatal(err)
	}
	f := reread(t, meta, entries())
	for _, architecture := range []string{"sequence", ""} {
		got, err := f.Info(architecture)
		if err != nil || !reflect.DeepEqual(got, info()) {
			t.Errorf("got %+v, %v, want %+v", got, err, info())
		}
	}
}

func TestInfoErrors(t *testing.T) {
	for _, test := range []struct {
		text, architecture string
		kind               error
		want               string
	}{
		{`{"version":1,"architecture":"volume","config":{}}`, "sequence", format.ErrInvalid, `invalid: architecture "volume", want "sequence"`},
		{`{"version":2,"architecture":5}`, "", format.ErrUnsupported, `not supported: checkpoint version 2, this program reads up to 1`},
		{`{"version":0,"architecture":"volume","config":{}}`, "", format.ErrInvalid, `invalid: metadata "heed": version 0, want 1`},
		{`{"version":1,"config":{}}`, "", format.ErrInvalid, `invalid: metadata "heed": no architecture`},
		{`{"version":1,"architecture":"volume"}`, "", format.ErrInvalid, `invalid: metadata "heed": no config`},
		{`{"version":1,"architecture":"volume","config":[]}`, "", format.ErrInvalid, `invalid: metadata "heed": config is not a JSON object`},
		{`{"version":1,"architecture":"volume","config":{},"tokenizer":"ACGT"}`, "", format.ErrInvalid, `invalid: metadata "heed": tokenizer is not a JSON object`},
		{`{"version":1,"architecture":"volume","config":{},"data_sha256":"0f"}`, "", format.ErrInvalid, `invalid: metadata "heed": data_sha256 "0f" is not 64 hexadecimal digits`},
		{`{"version":1,"architecture":5}`, "", format.ErrInvalid, `invalid: metadata "heed": json: cannot unmarshal number into Go struct field Info.architecture of type string`},
		{`{`, "", format.ErrInvalid, `invalid: metadata "heed": unexpected end of JSON input`},
	} {
		h := &Header{Name: "m.safetensors", Meta: map[string]string{"heed": test.text}}
		_, err := h.Info(test.architecture)
		if err == nil || err.Error() != "m.safetensors: "+test.want || !errors.Is(err, test.kind) {
			t.Errorf("got error %v, want %s", err, test.want)
		}
	}
	_, err := (&Header{Name: "m.safetensors"}).Info("sequence")
	if want := `m.safetensors: not supported: no "heed" in its metadata: not a checkpoint of heed`; err == nil || err.Error() != want || !errors.Is(err, format.ErrUnsupported) {
		t.Errorf("got error %v, want %s", err, want)
	}

	for want, change := range map[string]func(i *Info){
		`checkpoint: metric "mcc" is NaN`:                func(i *Info) { i.Metrics["mcc"] = math.NaN() },
		`checkpoint: version 0, want 1`:                  func(i *Info) { i.Version = 0 },
		`checkpoint: preprocessing is not a JSON object`: func(i *Info) { i.Preprocessing = []byte("  ") },
	} {
		i := info()
		change(i)
		if _, err := i.Meta(); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}
