package npy_test

import (
	"bytes"
	"fmt"

	"heed/format/npy"
)

func ExampleRead() {
	var file bytes.Buffer
	if err := npy.Write(&file, []float32{.5, .25, .25, 0, 1, 0}, 2, 3); err != nil {
		fmt.Println(err)
		return
	}
	a, err := npy.Read("attention.npy", &file)
	fmt.Println(a.Shape, a.Float32s(), err)

	_, err = npy.Read("model.npy", bytes.NewReader([]byte("\x80\x04\x95")))
	fmt.Println(err)
	// Output:
	// [2 3] [0.5 0.25 0.25 0 1 0] <nil>
	// model.npy: not supported: this is a pickle, which is a program; save numbers with numpy.save(..., allow_pickle=False)
}

func ExampleArchive() {
	var file bytes.Buffer
	w := npy.NewWriter(&file)
	for _, err := range []error{
		w.Add("scores", []float64{.1, .2, .3}, 3),
		w.Add("labels", []uint8{1, 0, 1}, 3, 1),
		w.Close(),
	} {
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	f, err := npy.NewArchive("test.npz", bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	labels, err := f.Read("labels")
	if err != nil {
		fmt.Println(err)
		return
	}
	ints, err := labels.Ints()
	fmt.Println(f.Names(), labels.Shape, ints, err)
	_, err = f.Read("label")
	fmt.Println(err)
	// Output:
	// [scores labels] [3 1] [1 0 1] <nil>
	// test.npz: invalid: no array "label"; there are "scores", "labels"
}
