package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"heed/format/npy"
)

// volumes writes an archive after MedMNIST of 8³ voxels: "volumes FILE". Of the
// 24, 8 and 8 volumes every second one holds a larger box; it has the label 1.
func volumes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: volumes FILE")
	}
	r := rand.New(rand.NewPCG(1, 1))
	var out bytes.Buffer
	w := npy.NewWriter(&out)
	for _, part := range []struct {
		name string
		n    int
	}{{"train", 24}, {"val", 8}, {"test", 8}} {
		x, y := make([]uint8, part.n*512), make([]uint8, part.n)
		for i := range part.n {
			y[i] = uint8(i % 2)
			edge := 2 + 2*(i%2)
			at := [3]int{r.IntN(9 - edge), r.IntN(9 - edge), r.IntN(9 - edge)}
			for v := range edge * edge * edge {
				x[i*512+((at[0]+v/(edge*edge))*8+at[1]+v/edge%edge)*8+at[2]+v%edge] = uint8(200 + r.IntN(56))
			}
		}
		ts.Check(w.Add(part.name+"_images", x, part.n, 8, 8, 8))
		ts.Check(w.Add(part.name+"_labels", y, part.n, 1))
	}
	ts.Check(w.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), out.Bytes(), 0o666))
}

// unpack writes the volumes of an archive as single files and a manifest in which
// two volumes are of one patient: "unpack FILE FOLDER MANIFEST".
func unpack(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: unpack FILE FOLDER MANIFEST")
	}
	f, err := npy.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	ts.Check(os.MkdirAll(ts.MkAbs(args[1]), 0o777))
	manifest := "path,label,patient\n"
	n := 0
	for _, part := range []string{"train", "val", "test"} {
		a, err := f.Read(part + "_images")
		ts.Check(err)
		x := a.Data.([]uint8)
		for i := range a.Shape[0] {
			name := filepath.Join(args[1], fmt.Sprintf("%d.npy", n))
			var out bytes.Buffer
			ts.Check(npy.Write(&out, x[i*512:(i+1)*512], 8, 8, 8))
			ts.Check(os.WriteFile(ts.MkAbs(name), out.Bytes(), 0o666))
			manifest += fmt.Sprintf("%s,%s,p%d\n", filepath.ToSlash(name), [2]string{"small", "large"}[i%2], n/4*2+n%2)
			n++
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(manifest), 0o666))
}
