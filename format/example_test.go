package format_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"heed/format"
)

func ExampleInvalidf() {
	err := format.Invalidf("p.csv", 12, "label %q is not 0 or 1", "2")
	fmt.Println(err)
	fmt.Println(errors.Is(err, format.ErrInvalid))
	// Output:
	// p.csv:12: invalid: label "2" is not 0 or 1
	// true
}

func ExampleWriteFile() {
	dir, err := os.MkdirTemp("", "heed")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "scores.csv")

	err = format.WriteFile(path, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, "name,score")
		return err
	})
	fmt.Println(err)

	r, err := format.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	fmt.Printf("%q %v\n", text, err)
	// Output:
	// <nil>
	// "name,score\n" <nil>
}
