package torch

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heed/format"
)

// Both layouts give the same plain data, whatever types, strides and classes.
func TestRead(t *testing.T) {
	for _, path := range []string{"testdata/sample.pt", "testdata/legacy.pt"} {
		t.Run(path, func(t *testing.T) {
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			root := f.Root.(*Dict)
			args := root.Get("args").(*Object)
			if got := args.Class.String(); got != "fairseq.config.Namespace" {
				t.Errorf("class %s", got)
			}
			for key, want := range map[string]any{"encoder_layers": int64(2), "rate": 0.5, "name": "tiny", "flag": true, "absent": nil} {
				if got := args.Get(key); got != want {
					t.Errorf("args.%s = %v, want %v", key, got, want)
				}
			}
			if root.Get("epoch") != int64(-3) || root.Get("big") != int64(1<<40) {
				t.Errorf("epoch %v, big %v", root.Get("epoch"), root.Get("big"))
			}
			pair := root.Get("list").(*List).Items[1].(Tuple)
			if len(pair) != 2 || pair[0] != 2.5 || pair[1] != nil {
				t.Errorf("pair %v", pair)
			}
			model := root.Get("model").(*Dict)
			for _, test := range []struct {
				name  string
				shape []int
				want  []float32
			}{
				{"whole", []int{3, 4}, []float32{-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75}},
				{"transposed", []int{4, 3}, []float32{-1, 0, 1, -0.75, 0.25, 1.25, -0.5, 0.5, 1.5, -0.25, 0.75, 1.75}},
				{"column", []int{3}, []float32{-0.75, 0.25, 1.25}},
				{"scalar", nil, []float32{0.25}},
				{"empty", []int{0, 4}, []float32{}},
				{"half", []int{2, 3}, []float32{-1, -0.75, -0.5, -0.25, 0, 0.25}},
				{"brain", []int{6}, []float32{-1, -0.75, -0.5, -0.25, 0, 0.25}},
			} {
				x, ok := model.Get(test.name).(*Tensor)
				if !ok {
					t.Errorf("%s is %v", test.name, model.Get(test.name))
					continue
				}
				got, err := f.Floats(x)
				if err != nil || !slices.Equal(x.Shape, test.shape) || !slices.Equal(got, test.want) {
					t.Errorf("%s: %v %v, %v; want %v %v", test.name, x.Shape, got, err, test.shape, test.want)
				}
			}
			_, err = f.Floats(model.Get("long").(*Tensor))
			if !errors.Is(err, format.ErrUnsupported) || !strings.HasSuffix(err.Error(), "values of type I64 where floating-point numbers are wanted") {
				t.Errorf("long: %v", err)
			}
		})
	}
}

// A file that somebody else made: the published container of ESM-2.
func TestGolden(t *testing.T) {
	paths, _ := filepath.Glob("../../../shared/golden/esm/*.pt")
	if len(paths) == 0 {
		t.Skip("../shared/golden/esm is missing: it holds files in the containers of published weights")
	}
	for _, path := range paths {
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		model := f.Root.(*Dict).Get("model").(*Dict)
		for i, v := range model.Values {
			x, ok := v.(*Tensor)
			if !ok {
				t.Fatalf("%s: %v is %s", path, model.Keys[i], describe(v))
			}
			if got, err := f.Floats(x); err != nil || len(got) != x.Len() {
				t.Errorf("%s: %v: %d values, %v", path, model.Keys[i], len(got), err)
			}
		}
		f.Close()
	}
}

// archive returns a zip archive of the given entries, in pairs.
func archive(t testing.TB, method uint16, pairs ...string) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: pairs[i], Method: method})
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(pairs[i+1]))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// view is a pickle of one tensor: a storage of n values, offset, shape, stride.
func view(n, offset, shape, stride string) string {
	return "\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpu" + n + "tQ" +
		offset + "(" + shape + "t(" + stride + "t\x89}tR."
}

func TestErrors(t *testing.T) {
	pt := func(pickle string) string { return archive(t, zip.Store, "a/data.pkl", pickle, "a/data/0", "12345678") }
	sample, err := os.ReadFile("testdata/sample.pt")
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := os.ReadFile("testdata/legacy.pt")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, in, want string }{
		{"empty", "", "m: invalid: not a file of PyTorch: neither a zip archive nor the stream of older versions"},
		{"cut", string(sample[:len(sample)-30]), "m: invalid: the directory at the end of the zip archive is missing or damaged: is the file cut off?"},
		{"no pickle", archive(t, zip.Store, "a/b", ""), "m: invalid: zip archive without data.pkl: not a file of PyTorch"},
		{"two pickles", archive(t, zip.Store, "a/data.pkl", "N.", "b/data.pkl", "N."), `m: invalid: zip archive has both "a/data.pkl" and "b/data.pkl"`},
		{"twice", archive(t, zip.Store, "a/data.pkl", "N.", "a/data.pkl", "N."), `m: invalid: zip archive has "a/data.pkl" twice`},
		{"script", archive(t, zip.Store, "a/data.pkl", "N.", "a/constants.pkl", ""), "m: not supported: a TorchScript program; save its state_dict instead"},
		{"compressed", archive(t, zip.Deflate, "a/data.pkl", "N."), "m: offset 40: not supported: a/data.pkl is compressed or encrypted; PyTorch stores its entries plainly"},
		{"order", archive(t, zip.Store, "a/data.pkl", "N.", "a/byteorder", "big"), `m: not supported: byte order "big"`},
		{"absent", archive(t, zip.Store, "a/data.pkl", view("K\x02", "K\x00", "K\x02", "K\x01")), `m: offset 117: invalid: storage "0" is not in the zip archive`},
		{"size", pt(view("K\x03", "K\x00", "K\x02", "K\x01")), `m: offset 187: invalid: a/data/0: 8 bytes, 3 values of F32 take 12`},
		{"leaves", pt(view("K\x02", "K\x01", "K\x02", "K\x01")), `m: offset 131: invalid: a tensor of shape (2) and strides (1) at value 1 leaves storage "0", which has 2 values`},
		{"strides", pt(view("K\x02", "K\x00", "K\x02", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f")), `m: offset 139: invalid: a tensor of shape (2) and strides (9223372036854775807) at value 0 leaves storage "0", which has 2 values`},
		{"expanded", pt(view("K\x02", "K\x00", "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x10", "K\x00")), `m: offset 139: invalid: a tensor of shape (1152921504606846976) in storage "0", which has 2 values`},
		{"negative", pt(view("K\x02", "K\x00", "J\xff\xff\xff\xff", "K\x01")), `m: offset 134: invalid: a tensor of shape (-1) and strides (1)`},
		{"huge", pt(view("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", "K\x00", "K\x02", "K\x01")), `m: offset 125: invalid: a storage of class torch.FloatStorage, key "0" and size 9223372036854775807`},
		{"instruction", pt("N0\xff."), "m: offset 42: not supported: pickle instruction 0xff"},
		{"protocol", pt("\x80\x09."), "m: offset 40: not supported: pickle of protocol 9"},
		{"ends", pt("N"), "m: offset 41: invalid: the pickle ends early"},
		{"string", pt("X\xff\xff\xff\x7f"), "m: offset 40: invalid: the pickle ends early: 2147483647 bytes wanted, there are 0"},
		{"bytes", pt("\x8e\xff\xff\xff\xff\xff\xff\xff\xff."), "m: offset 40: invalid: the pickle ends early: 18446744073709551615 bytes wanted, there are 1"},
		{"stack", pt("R"), "m: offset 40: invalid: 2 values wanted, the stack has 0"},
		{"mark", pt("t."), "m: offset 40: invalid: no mark on the stack"},
		{"below the mark", pt("N(00."), "m: offset 44: invalid: the stack is empty"},
		{"memo", pt("h\x07."), "m: offset 40: invalid: value 7 is not in the memo"},
		{"two left", pt("NN."), "m: offset 42: invalid: the pickle ends with 2 values on its stack, want 1"},
		{"append", pt("NNa."), "m: offset 42: invalid: append to None"},
		{"long", pt("\x8a\x09123456789."), "m: offset 40: not supported: a whole number of 9 bytes, limit 8"},
		{"class", pt("cos"), "m: offset 40: invalid: the pickle ends early in the name of a class"},
		{"storage class", pt("(U\x07storageccodecs\nFloatStorage\nU\x010U\x03cpuK\x02tQ."), `m: offset 82: not supported: storage "0" of class codecs.FloatStorage`},
		{"no storage", pt("NQ."), "m: offset 41: invalid: None where a storage is named"},
		{"many", pt(strings.Repeat("N0", MaxValues+1) + "N."), "m: offset 2097192: too large: a pickle of more than 1048576 values"},
		{"legacy cut", string(legacy[:len(legacy)-1]), `m: offset 1310: invalid: storage "4": 2 values of I64, the file has only 15 more bytes`},
		{"legacy more", string(legacy) + "x", "m: offset 1326: invalid: 1 bytes after the last storage"},
		{"legacy early", string(legacy[:60]), "m: offset 53: invalid: the pickle ends early: 13 bytes wanted, there are 2"},
	} {
		_, err := Read("m", strings.NewReader(test.in), int64(len(test.in)))
		var placed *format.Error
		if err == nil || !errors.As(err, &placed) || err.Error() != test.want {
			t.Errorf("%s: got error\n%v, want\n%s", test.name, err, test.want)
		}
	}
	// What is wrong with values shows when they are read.
	at := bytes.Index(sample, []byte("sample/data/0")) + len("sample/data/0")
	sample[at+2] ^= 1
	f, err := Read("m", bytes.NewReader(sample), int64(len(sample)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Floats(f.Root.(*Dict).Get("model").(*Dict).Get("whole").(*Tensor))
	if err == nil || !strings.Contains(err.Error(), `storage "0": checksum `) {
		t.Errorf("a changed value: %v", err)
	}
}

// A class that would run a command in Python is a name and its arguments here.
func TestNothingRuns(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	command := "touch " + mark
	in := archive(t, zip.Store, "a/data.pkl", "cos\nsystem\n(X"+string([]byte{byte(len(command)), 0, 0, 0})+command+"tR.")
	f, err := Read("m", strings.NewReader(in), int64(len(in)))
	if err != nil {
		t.Fatal(err)
	}
	if o := f.Root.(*Object); o.Class.String() != "os.system" || o.Args[0] != command {
		t.Errorf("got %v", o)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a command ran")
	}
}

// The other instructions that make Python call something make plain data, or an
// error that says where.
func TestNothingRunsOtherwise(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	command := "touch " + mark
	text := "X" + string([]byte{byte(len(command)), 0, 0, 0}) + command
	for name, pickle := range map[string]string{
		"INST":          "(" + text + "ios\nsystem\n.",
		"OBJ":           "(cos\nsystem\n" + text + "o.",
		"NEWOBJ":        "\x80\x02cos\nsystem\n(" + text + "t\x81.",
		"NEWOBJ_EX":     "\x80\x04cos\nsystem\n(" + text + "t}\x92.",
		"STACK_GLOBAL":  "\x80\x04\x8c\x02os\x8c\x06system\x93(" + text + "tR.",
		"BUILD":         "cos\nsystem\n(" + text + "tR}U\x0c__setstate__" + "cos\nsystem\nsb.",
		"EXT1":          "\x80\x02\x82\x01(" + text + "tR.",
		"PERSID":        "Pos.system\n.",
		"call of calls": "cbuiltins\neval\n(cbuiltins\ncompile\n(" + text + "tRtR.",
	} {
		in := archive(t, zip.Store, "a/data.pkl", pickle)
		f, err := Read("m", strings.NewReader(in), int64(len(in)))
		if err != nil {
			var placed *format.Error
			if !errors.As(err, &placed) || placed.Name != "m" {
				t.Errorf("%s: %v is not an error of the file", name, err)
			}
		} else if o, ok := f.Root.(*Object); !ok || o.Class.Name == "" {
			t.Errorf("%s gives %v", name, f.Root)
		}
		if _, err := os.Stat(mark); err == nil {
			t.Fatalf("%s: a command ran", name)
		}
	}
}
