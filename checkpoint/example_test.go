package checkpoint_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"heed/checkpoint"
	"heed/tensor"
)

// A model is saved with its configuration and loaded into another of the same
// shape.
func Example() {
	dir, err := os.MkdirTemp("", "heed")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")

	weight := tensor.Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	bias := tensor.Of([]float32{0.5, -0.5}, 2)
	info := &checkpoint.Info{
		Version:      checkpoint.Version,
		Architecture: "sequence",
		Config:       json.RawMessage(`{"dim":3,"classes":2}`),
		Seed:         1,
		Metrics:      map[string]float64{"mcc": 0.86},
	}
	meta, err := info.Meta()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := checkpoint.Save(path, meta, []checkpoint.Entry{
		checkpoint.Tensor("head.weight", weight),
		checkpoint.Tensor("head.bias", bias),
	}); err != nil {
		fmt.Println(err)
		return
	}

	f, err := checkpoint.Load(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	info, err = f.Info("sequence")
	if err != nil {
		fmt.Println(err)
		return
	}
	var config struct{ Dim, Classes int }
	if err := json.Unmarshal(info.Config, &config); err != nil {
		fmt.Println(err)
		return
	}
	w, b := tensor.New(config.Classes, config.Dim), tensor.New(config.Classes)
	err = f.Restore([]checkpoint.Entry{
		checkpoint.Tensor("head.weight", w),
		checkpoint.Tensor("head.bias", b),
	})
	fmt.Println(w.Data, b.Data, err)
	// Output: [1 2 3 4 5 6] [0.5 -0.5] <nil>
}

// A header can be looked at without the values, however many they are.
func ExampleReadHeader() {
	var file bytes.Buffer
	if err := checkpoint.Write(&file, map[string]string{"by": "example"}, []checkpoint.Entry{
		checkpoint.Tensor("embed.weight", tensor.New(33, 32)),
		checkpoint.Uint64s("step", 1000),
	}); err != nil {
		fmt.Println(err)
		return
	}
	h, err := checkpoint.ReadHeader("m.safetensors", bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(h.Meta["by"])
	for _, a := range h.Arrays {
		fmt.Println(a.Name, a.DType, a.Shape, a.Bytes)
	}
	// Output:
	// example
	// embed.weight F32 [33 32] 4224
	// step U64 [1] 8
}

// A file of a training run holds more than the weights. Under picks a part.
func ExampleFile_Under() {
	var file bytes.Buffer
	if err := checkpoint.Write(&file, nil, []checkpoint.Entry{
		checkpoint.Tensor("model.bias", tensor.Of([]float32{1, 2}, 2)),
		checkpoint.Tensor("adamw.m.bias", tensor.Of([]float32{3, 4}, 2)),
		checkpoint.Uint64s("step", 1000),
	}); err != nil {
		fmt.Println(err)
		return
	}
	f, err := checkpoint.Read("run.safetensors", bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	bias := checkpoint.Tensor("model.bias", tensor.New(2))
	fmt.Println(f.Restore([]checkpoint.Entry{bias}))
	fmt.Println(f.Under("model.").Restore([]checkpoint.Entry{bias}), bias.Float)
	step, err := f.Uint64s("step")
	fmt.Println(step, err)
	// Output:
	// run.safetensors: invalid: tensor "adamw.m.bias" has no place in the model (and 1 more)
	// <nil> [1 2]
	// [1000] <nil>
}

// Hash tells whether two models have the same weights.
func ExampleHash() {
	w := tensor.Of([]float32{1, 2}, 2)
	before, err := checkpoint.Hash([]checkpoint.Entry{checkpoint.Tensor("w", w)})
	if err != nil {
		fmt.Println(err)
		return
	}
	w.Data[1] = 2.0000002
	after, err := checkpoint.Hash([]checkpoint.Entry{checkpoint.Tensor("w", w)})
	fmt.Println(len(before), before == after, err)
	// Output: 64 false <nil>
}
