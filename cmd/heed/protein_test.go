package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"heed/checkpoint"
	"heed/model/esm"
	"heed/tensor"
)

// headless copies published weights without their contact head: "headless FROM TO".
func headless(ts *testscript.TestScript, neg bool, args []string) {
	f, err := checkpoint.Load(ts.MkAbs(args[0]))
	ts.Check(err)
	var keep []checkpoint.Entry
	for _, e := range f.Entries {
		if !strings.Contains(e.Name, "contact_head") && e.DType == checkpoint.F32 {
			keep = append(keep, e)
		}
	}
	if len(keep) == len(f.Entries) {
		ts.Fatalf("headless: there was no head")
	}
	ts.Check(checkpoint.Save(ts.MkAbs(args[1]), nil, keep))
}

// msaModel writes an untrained MSA Transformer: "msamodel FILE".
func msaModel(ts *testscript.TestScript, neg bool, args []string) {
	c := esm.MSAConfig{Layers: 2, Dim: 16, Heads: 2, FFN: 24, MaxColumns: 64, MaxRows: 64, RowWidth: 16, Contacts: true}
	config, err := json.Marshal(c)
	ts.Check(err)
	meta, err := (&checkpoint.Info{Version: checkpoint.Version, Architecture: esm.ArchitectureMSA, Config: config}).Meta()
	ts.Check(err)
	var entries []checkpoint.Entry
	k := 0.0
	esm.ShapesMSA(c, func(name string, shape ...int) {
		e := checkpoint.Entry{Name: name, DType: checkpoint.F32, Shape: shape, Float: make([]float32, tensor.Size(shape))}
		for i := range e.Float {
			k++
			e.Float[i] = float32(math.Sin(k)) * 0.4
		}
		entries = append(entries, e)
	})
	ts.Check(checkpoint.Save(ts.MkAbs(args[0]), meta, entries))
}

// hostile writes a file of PyTorch that wants to run a program: "hostile FILE".
func hostile(ts *testscript.TestScript, neg bool, args []string) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateHeader(&zip.FileHeader{Name: "a/data.pkl", Method: zip.Store})
	ts.Check(err)
	command := "touch " + ts.MkAbs("owned")
	fmt.Fprintf(w, "\x80\x02cposix\nsystem\n(X%s%stR.", binary.LittleEndian.AppendUint32(nil, uint32(len(command))), command)
	ts.Check(z.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o666))
}
