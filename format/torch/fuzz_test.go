package torch

import (
	"archive/zip"
	"os"
	"runtime"
	"strings"
	"testing"
)

// FuzzRead reads any bytes as a pickle in a zip archive, with the checksums that
// it needs, and as a file. It must not panic, and not take memory beyond a
// multiple of the input.
func FuzzRead(f *testing.F) {
	for _, path := range []string{"testdata/sample.pt", "testdata/legacy.pt"} {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b), "12345678")
	}
	f.Add(view("K\x02", "K\x00", "K\x02", "K\x01"), "12345678")
	f.Add(view("K\x02", "K\x01", "", ""), "12345678")
	f.Add("(lp0\n.", "")
	f.Add("\x80\x04]\x94(K\x01K\x02\x86\x8c\x01ae\x8f(N\x90\x86.", "")
	f.Add("ccollections\nOrderedDict\n](]U\x01aaNea\x85R}U\x01bNsb.", "")
	f.Fuzz(func(t *testing.T, pickle, values string) {
		for _, in := range []string{pickle, archive(t, zip.Store, "a/data.pkl", pickle, "a/data/0", values)} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			file, err := Read("m", strings.NewReader(in), int64(len(in)))
			if err == nil {
				read(file, file.Root, 3)
			}
			runtime.ReadMemStats(&after)
			// An instruction of one byte makes a dictionary; a tensor of 16 axes
			// takes a few bytes of the memo.
			if got := after.TotalAlloc - before.TotalAlloc; got > 500*uint64(len(in))+1<<20 {
				t.Errorf("%d bytes of input took %d bytes of memory", len(in), got)
			}
		}
	})
}

// read reads the tensors that it finds on few levels.
func read(f *File, v any, depth int) {
	switch v := v.(type) {
	case *Tensor:
		if x, err := f.Floats(v); err == nil && len(x) != v.Len() {
			panic("wrong length")
		}
	case *Dict:
		for _, x := range v.Values[:min(len(v.Values), 2)] {
			if depth > 0 {
				read(f, x, depth-1)
			}
		}
	}
}
