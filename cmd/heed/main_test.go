package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"heed": main})
}

// TestScripts runs the scripts in testdata. They know five commands more than
// testscript does: "code N heed ..." wants an exit code, "planted N FILE [L]"
// writes a table of N sequences of 20 or L letters, every second with TATAAT at
// index 7, "family N FILE" an alignment of N sequences in which pairs of columns
// go together,
// "corrupt WHAT FROM TO" damages a model, "binary FILE" writes an image, and slices
// and cut are described below.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:             "testdata",
		ContinueOnError: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code":     code,
			"planted":  planted,
			"family":   family,
			"corrupt":  corrupt,
			"volumes":  volumes,
			"slices":   slices,
			"unpack":   unpack,
			"headless": headless,
			"msamodel": msaModel,
			"hostile":  hostile,
			"cut":      cut,
			"binary": func(ts *testscript.TestScript, neg bool, args []string) {
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x01"), 0o666))
			},
		},
		Setup: func(e *testscript.Env) error {
			torch, err := filepath.Abs("../../format/torch/testdata/sample.pt")
			if err != nil {
				return err
			}
			e.Setenv("TORCH", torch)
			e.Setenv("HEED_KERNEL", "")
			esm, err := filepath.Abs("../../model/esm/testdata/tiny.safetensors")
			if err != nil {
				return err
			}
			e.Setenv("ESM", esm)
			bert, err := filepath.Abs("../../model/bert/testdata")
			e.Setenv("BERT", bert)
			if err != nil {
				return err
			}
			dicom, err := filepath.Abs("../../format/dicom/testdata")
			e.Setenv("DICOM", dicom)
			return err
		},
	})
}

// slices writes slices of a CT at positions in mm into a folder: "slices DIR SERIES
// Z...". The name of the patient, PLANTED, is in the files and in their names.
func slices(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: slices DIR SERIES Z...")
	}
	b, err := os.ReadFile(filepath.Join(ts.Getenv("DICOM"), "phantom.dcm"))
	ts.Check(err)
	ts.Check(os.MkdirAll(ts.MkAbs(args[0]), 0o777))
	for i, z := range args[2:] {
		f := bytes.Clone(b)
		for old, new := range map[string]string{
			`-10.0\-20.0\5.0 `:   fmt.Sprintf(`-10.0\-20.0\%-4s`, z),
			"UI\x08\x002.25.101": fmt.Sprintf("UI\x08\x002.25.%s%02d", args[1], i),
			"UI\x06\x002.25.2":   "UI\x06\x002.25." + args[1],
		} {
			if len(old) != len(new) || !bytes.Contains(f, []byte(old)) {
				ts.Fatalf("slices: %q is not in the phantom", old)
			}
			f = bytes.ReplaceAll(f, []byte(old), []byte(new))
		}
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), fmt.Sprintf("PLANTED_%s_%d.dcm", args[1], i)), f, 0o666))
	}
}

// cut shortens a file: "cut FILE BYTES".
func cut(ts *testscript.TestScript, neg bool, args []string) {
	n := 0
	if len(args) == 2 {
		fmt.Sscan(args[1], &n)
	}
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	if neg || n < 1 || n >= len(b) {
		ts.Fatalf("usage: cut FILE BYTES")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b[:len(b)-n], 0o666))
}

// code runs a command and checks its exit code, which "! exec" does not.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command args...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		got = -1
		if e, ok := err.(*exec.ExitError); ok {
			got = e.ExitCode()
		}
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

func planted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: planted N FILE [L]")
	}
	n, length := 0, 20
	if _, err := fmt.Sscan(args[0], &n); err != nil {
		ts.Fatalf("planted: %v", err)
	}
	if len(args) == 3 {
		if _, err := fmt.Sscan(args[2], &length); err != nil {
			ts.Fatalf("planted: %v", err)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), table(n, length), 0o666))
}

func table(n, length int) []byte {
	r := rand.New(rand.NewPCG(1, 1))
	var b bytes.Buffer
	b.WriteString("sequence,label\n")
	for i := range n {
		s := make([]byte, length)
		for j := range s {
			s[j] = "ACGT"[r.IntN(4)]
		}
		if i%2 == 1 {
			copy(s[7:], "TATAAT")
		}
		fmt.Fprintf(&b, "%s,%d\n", s, i%2)
	}
	return b.Bytes()
}

// family writes an alignment of 12 columns: 1 and 9, and 3 and 12, go together.
func family(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: family N FILE")
	}
	n := 0
	if _, err := fmt.Sscan(args[0], &n); err != nil {
		ts.Fatalf("family: %v", err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	b := bytes.NewBufferString(">query\nACDEACDEEACC\n")
	for k := 1; k < n; k++ {
		row := make([]byte, 12)
		for i := range row {
			row[i] = "ACDE"[r.IntN(4)]
		}
		for _, pair := range [][2]int{{0, 8}, {2, 11}} {
			if r.IntN(8) > 0 {
				row[pair[1]] = "ACDE"[3-strings.IndexByte("ACDE", row[pair[0]])]
			}
		}
		fmt.Fprintf(b, ">row%d\n%s\n", k, row)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.Bytes(), 0o666))
}

// corrupt changes a safetensors file: "corrupt WHAT FROM TO".
func corrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: corrupt nan|cut|huge|architecture|dim FROM TO")
	}
	b, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	n := binary.LittleEndian.Uint64(b)
	header := b[8 : 8+n]
	replace := func(old, new string) {
		if len(old) != len(new) || !bytes.Contains(header, []byte(old)) {
			ts.Fatalf("corrupt: %q is not in the header", old)
		}
		copy(header, bytes.ReplaceAll(bytes.Clone(header), []byte(old), []byte(new)))
	}
	switch args[0] {
	case "nan":
		binary.LittleEndian.PutUint32(b[8+n:], math.Float32bits(float32(math.NaN())))
	case "cut":
		b = b[:len(b)-5]
	case "huge":
		binary.LittleEndian.PutUint64(b, 1<<60)
	case "architecture":
		replace(`architecture\":\"sequence\"`, `architecture\":\"sequoias\"`)
	case "dim":
		replace(`\"ffn\":8`, `\"ffn\":9`)
	default:
		ts.Fatalf("corrupt: %q", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), b, 0o666))
}

// TestInterrupt sends SIGINT to a run and resumes it: it must end as if it had
// not been cut.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "data.csv"), table(200, 20), 0o666); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	train := func(args ...string) *exec.Cmd {
		c := exec.Command(exe)
		c.Args = append([]string{"heed", "dna", "train"}, args...)
		c.Dir = dir
		return c
	}
	options := []string{"data.csv", "--holdout=0.2", "--layers=1", "--dim=8", "--heads=2", "--ffn=8", "--epochs=40",
		"--batch=4", "--patience=0", "--ensemble=2", "--baselines=none", "--reverse-complement", "--mutate=0.1"}
	var stderr bytes.Buffer
	cut := train(append(options, "-o", "cut")...)
	cut.Stderr = &stderr
	if err := cut.Start(); err != nil {
		t.Fatal(err)
	}
	defer cut.Process.Kill()
	log := filepath.Join(dir, "cut", "run.jsonl")
	for i := 0; ; i++ {
		if b, _ := os.ReadFile(log); len(b) > 0 { // the first epoch is over
			break
		}
		if i > 3000 {
			t.Fatalf("no epoch ended\n%s", &stderr)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := cut.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cut.Wait()
	if got := cut.ProcessState.ExitCode(); got != exitInterrupted {
		t.Fatalf("exit code %d, want %d\n%s", got, exitInterrupted, &stderr)
	}
	if want := "heed: interrupted\nhint: heed dna train --resume cut continues\n"; !strings.HasSuffix(stderr.String(), want) {
		t.Errorf("stderr %q, want the end %q", &stderr, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "cut", "model.safetensors")); err == nil {
		t.Error("an interrupted run left a model")
	}
	for _, c := range []*exec.Cmd{train("--resume", "cut"), train(append(options, "-o", "whole")...)} {
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c.Args, err, out)
		}
	}
	for _, name := range []string{"predictions.tsv", "metrics.json"} {
		a, err := os.ReadFile(filepath.Join(dir, "cut", name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "whole", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s of the resumed run differs from that of the whole one", name)
		}
	}
}

func TestRunStreams(t *testing.T) {
	var out, errs bytes.Buffer
	if got := run(context.Background(), []string{"version"}, nil, &out, &errs); got != exitDone {
		t.Errorf("exit code %d", got)
	}
	for i, want := range []string{"heed ", "go ", "kernel ", "cores "} {
		if lines := strings.Split(out.String(), "\n"); i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d of %q: want %q", i+1, &out, want)
		}
	}
	if errs.Len() > 0 {
		t.Errorf("stderr %q", &errs)
	}
}
