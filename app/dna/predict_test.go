package dna

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"heed/checkpoint"
	"heed/format"
	"heed/model/sequence"
)

// untrained returns a model with random weights for sequences of 12 to 20
// letters.
func untrained(members int) *Fitted {
	c := tiny()
	c.Model.MaxLen, c.Model.Classes, c.Ensemble, c.Strands = 20, 2, members, true
	f := &Fitted{Config: c, Classes: []string{"no", "yes"}, Positive: 1, Threshold: 0.5, MinLen: 12}
	for m := range members {
		f.Members = append(f.Members, own{sequence.New(c.Model, rand.New(rand.NewPCG(uint64(m), 3)))})
	}
	return f
}

// fastaOf returns n sequences of 12 to 20 letters.
func fastaOf(n int) string {
	r := rand.New(rand.NewPCG(5, 5))
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ">q%d\n", i)
		for range 12 + r.IntN(9) {
			b.WriteByte("ACGTN"[r.IntN(5)])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestPredictStream(t *testing.T) {
	f := untrained(2)
	const n = 12000 // more than a chunk holds
	in := fastaOf(n)
	var want string
	for _, cores := range []int{1, 3} {
		var out bytes.Buffer
		done, err := f.PredictStream(context.Background(), "in.fa", strings.NewReader(in), &out, PredictConfig{Cores: cores})
		if err != nil {
			t.Fatal(err)
		}
		if done != (Predicted{Sequences: n, Rows: n}) {
			t.Errorf("%+v", done)
		}
		if want == "" {
			want = out.String()
		} else if want != out.String() {
			t.Errorf("%d cores: another table", cores)
		}
	}
	lines := strings.Split(strings.TrimSpace(want), "\n")
	if lines[0] != "name\tlength\tp_no\tp_yes\tcall" || len(lines) != n+1 {
		t.Fatalf("%d lines, the first %q", len(lines), lines[0])
	}
	for i, l := range lines[1:] {
		if !strings.HasPrefix(l, fmt.Sprintf("q%d\t", i)) {
			t.Fatalf("line %d is %q", i, l)
		}
	}
	// One sequence by itself has the same probabilities as among others.
	last := in[strings.LastIndex(in, ">"):]
	var out bytes.Buffer
	if _, err := f.PredictStream(context.Background(), "in.fa", strings.NewReader(last), &out, PredictConfig{}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(out.String(), "\n")[1]; got != lines[n] {
		t.Errorf("alone %q, among others %q", got, lines[n])
	}
}

// TestPredictScan compares a scan with the windows scored by themselves.
func TestPredictScan(t *testing.T) {
	f := untrained(1)
	seq := strings.Repeat("ACGGTCATTGCAATC", 4)
	var scan bytes.Buffer
	done, err := f.PredictStream(context.Background(), "in.fa", strings.NewReader(">a\n"+seq+"\n>b\nACGT\n"), &scan, PredictConfig{Step: 7, Window: 15, JSON: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Predicted{Sequences: 2, Rows: 7, TooShort: 1}); done != want {
		t.Errorf("%+v, want %+v", done, want)
	}
	for i, line := range strings.Split(strings.TrimSpace(scan.String()), "\n") {
		var p prediction
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		want := f.Probabilities([][]byte{[]byte(seq[7*i : 7*i+15])}, 1)[0]
		if p.Start != 7*i+1 || p.End != 7*i+15 || p.Probs["yes"] != want[1] || p.Probs["no"] != want[0] {
			t.Errorf("window %d: %+v, want %v", i, p, want)
		}
	}
}

// endless yields sequences until it is cancelled after some bytes.
type endless struct {
	n      int
	limit  int
	cancel func()
}

func (e *endless) Read(p []byte) (int, error) {
	if e.n++; e.n == e.limit {
		e.cancel()
	}
	return copy(p, ">x\nACGTACGTACGTACGT\n"), nil
}

func TestPredictCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err := untrained(1).PredictStream(ctx, "in.fa", &endless{limit: 10, cancel: cancel}, io.Discard, PredictConfig{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPredictErrors(t *testing.T) {
	for _, c := range []struct {
		in     string
		config PredictConfig
		want   string
	}{
		{">a\nACGTACGTACGTACG\n>b\nACG", PredictConfig{}, `in.fa:3: invalid: sequence "b" has 3 letters, the model was trained with 12 or more`},
		{">a\nACGTACGTACGTACGTACGTA\n", PredictConfig{}, `in.fa:1: too large: sequence "a" has more than 20 letters`},
		{">a\nACGE\n", PredictConfig{}, `in.fa:2: invalid: sequence "a": letter 'E' is not a nucleotide`},
		{"", PredictConfig{}, "in.fa: invalid: no sequences"},
		{"", PredictConfig{Step: -1}, "--step -1: want 0 or more"},
		{"", PredictConfig{Window: 21, Step: 1}, "--window 21: the model reads up to 20 letters"},
		{"", PredictConfig{Window: 20}, "--window needs --step"},
		{"", PredictConfig{Window: 11, Step: 1}, "--window 11: the model was trained with 12 letters or more"},
	} {
		_, err := untrained(1).PredictStream(context.Background(), "in.fa", strings.NewReader(c.in), io.Discard, c.config)
		if err == nil || err.Error() != c.want {
			t.Errorf("%q, %+v: got %v, want %s", c.in, c.config, err, c.want)
		}
	}
}

func TestSaveLoad(t *testing.T) {
	for members := 1; members <= 2; members++ {
		f := untrained(members)
		f.Threshold, f.Info.Command = 0.25, []string{"dna", "train"}
		path := filepath.Join(t.TempDir(), "m.safetensors")
		if err := f.Save(path); err != nil {
			t.Fatal(err)
		}
		g, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		seqs := [][]byte{[]byte("ACGTACGTACGTNA"), []byte("TTTTTTTTTTTTTTTTTTTT")}
		if a, b := fmt.Sprint(f.Probabilities(seqs, 1)), fmt.Sprint(g.Probabilities(seqs, 1)); a != b {
			t.Errorf("%d members: probabilities %s before and %s after", members, a, b)
		}
		if g.Threshold != 0.25 || g.MinLen != 12 || g.Positive != 1 || fmt.Sprint(g.Classes, g.Info.Command) != "[no yes] [dna train]" {
			t.Errorf("loaded %+v", g)
		}
	}
}

// TestLoadHostile writes files whose description does not fit what they hold.
func TestLoadHostile(t *testing.T) {
	for _, c := range []struct {
		change func(i *checkpoint.Info)
		want   string
	}{
		{func(i *checkpoint.Info) { i.Config = json.RawMessage(`{"layers": 1e9}`) },
			"config: json: cannot unmarshal number 1e9 into Go struct field Config.layers of type int"},
		{func(i *checkpoint.Info) { i.Config = edit(i.Config, `"layers":1,`, `"layers":200,`) },
			"config asks for 77432 parameters, the file has 1130"},
		{func(i *checkpoint.Info) { i.Config = edit(i.Config, `"layers":1,`, `"layers":300,`) },
			"config: layers 300: want 0 to 256"},
		{func(i *checkpoint.Info) {
			i.Config = edit(i.Config, `"max_len":20`, `"max_len":1000000`)
		}, "config asks for 8000856 parameters, the file has 1130"},
		{func(i *checkpoint.Info) {
			i.Config = edit(edit(i.Config, `"max_len":20`, `"max_len":1000000`), "learned", "relative")
		}, "config asks for 4000850 parameters, the file has 1130"},
		{func(i *checkpoint.Info) { i.Preprocessing = edit(i.Preprocessing, `"members":1`, `"members":0`) },
			"preprocessing: members 0: want 1 to 100"},
		{func(i *checkpoint.Info) { i.Preprocessing = edit(i.Preprocessing, `"members":1`, `"members":9`) },
			"parameters"},
		{func(i *checkpoint.Info) { i.Preprocessing = edit(i.Preprocessing, `"positive":1`, `"positive":2`) },
			"preprocessing: positive class 2 of 2"},
		{func(i *checkpoint.Info) { i.Preprocessing = edit(i.Preprocessing, `"no",`, ``) },
			"preprocessing: 1 classes, the model has 2"},
		{func(i *checkpoint.Info) { i.Preprocessing = edit(i.Preprocessing, `0.5`, `7`) },
			"preprocessing: threshold 7: want 0 to 1"},
		{func(i *checkpoint.Info) { i.Preprocessing = edit(i.Preprocessing, `"min_len":12`, `"min_len":21`) },
			"preprocessing: min_len 21: want 0 to 20"},
		{func(i *checkpoint.Info) { i.Preprocessing = nil }, "preprocessing: "},
	} {
		f := untrained(1)
		path := filepath.Join(t.TempDir(), "m.safetensors")
		if err := f.Save(path); err != nil {
			t.Fatal(err)
		}
		file, err := checkpoint.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := file.Info(sequence.Architecture)
		if err != nil {
			t.Fatal(err)
		}
		before := fmt.Sprint(info)
		c.change(info)
		if fmt.Sprint(info) == before {
			t.Fatalf("%s: nothing was changed", c.want)
		}
		meta, err := info.Meta()
		if err != nil {
			t.Fatal(err)
		}
		if err := checkpoint.Save(path, meta, file.Entries); err != nil {
			t.Fatal(err)
		}
		_, err = Load(path)
		if !errors.Is(err, format.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func edit(text json.RawMessage, old, new string) json.RawMessage {
	return json.RawMessage(strings.Replace(string(text), old, new, 1))
}
