package bigwig_test

import (
	"fmt"
	"os"
	"path/filepath"

	"heed/format"
	"heed/format/bigwig"
)

func Example() {
	dir, err := os.MkdirTemp("", "heed")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "scores.bw")

	err = format.WriteFileAt(path, func(f format.ReadWriterAt) error {
		w, err := bigwig.NewWriter(f, []bigwig.Chrom{{Name: "chr1", Size: 1000}, {Name: "chr2", Size: 500}})
		if err != nil {
			return err
		}
		for i := range 3 {
			if err := w.Add("chr1", 10*i, 10*i+10, float32(i)/4); err != nil {
				return err
			}
		}
		if err := w.Add("chr2", 400, 500, -1); err != nil {
			return err
		}
		return w.Close()
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	r, err := bigwig.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	for item, err := range r.Intervals("chr1", 5, 20) {
		fmt.Println(item.Start, item.End, item.Value, err)
	}
	values, err := r.Values("chr2", 398, 402)
	fmt.Println(values, err)
	fmt.Printf("%d bases, mean %.4f\n", r.Summary().Bases, r.Summary().Mean())
	// Output:
	// 0 10 0 <nil>
	// 10 20 0.25 <nil>
	// [NaN NaN -1 -1] <nil>
	// 130 bases, mean -0.7115
}

func ExampleWriter_Add() {
	path := filepath.Join(os.TempDir(), "heed-example.bw")
	err := format.WriteFileAt(path, func(f format.ReadWriterAt) error {
		w, err := bigwig.NewWriter(f, []bigwig.Chrom{{Name: "chr1", Size: 1000}})
		if err != nil {
			return err
		}
		if err := w.Add("chr1", 0, 70, 0.5); err != nil {
			return err
		}
		return w.Add("chr1", 35, 105, 0.75)
	})
	fmt.Println(err)
	// Output:
	// bigwig: interval 35 to 105 of "chr1" begins before 70, the end of the one before it
}
