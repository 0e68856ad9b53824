package dna

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

func smallJob(d *Dataset) *Job {
	c := tiny()
	c.Train.Epochs = 3
	return &Job{Fit: c, Split: SplitConfig{Folds: 4, Seed: 1}, Baselines: "quick", Hash: d.Hash()}
}

func files(t *testing.T, f *Folder) string {
	t.Helper()
	var b bytes.Buffer
	for _, name := range []string{metricsFile, predictionsFile} {
		text, err := os.ReadFile(f.file(name))
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}

// TestJobResume cuts a run of several folds, baselines and a final model at
// many places, with and without parallel folds.
func TestJobResume(t *testing.T) {
	d := planted(40)
	j := smallJob(d)
	path := filepath.Join(t.TempDir(), "whole")
	folder, err := Create(path, false, j)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := j.Run(context.Background(), d, nil, Options{Folder: folder, Progress: folder.Log})
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.Close(); err != nil {
		t.Fatal(err)
	}
	want, model := files(t, folder), hash(t, whole.Model)
	for i, cut := range []int64{1, 13, 14, 30, 50, 57} {
		path := filepath.Join(t.TempDir(), "cut")
		j := smallJob(d)
		f, err := Create(path, false, j)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var steps atomic.Int64
		_, err = j.Run(ctx, d, nil, Options{Folder: f, Cores: 1 + i%2, Progress: func(p Progress) {
			if p.Stage == "train" && steps.Add(1) == cut {
				cancel()
			}
		}})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cut at step %d: error %v", cut, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		g, j, err := Resume(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := j.Run(context.Background(), d, nil, Options{Folder: g, Progress: g.Log})
		if err != nil {
			t.Fatalf("resumed at step %d: %v", cut, err)
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		if files(t, g) != want || hash(t, got.Model) != model {
			t.Errorf("cut at step %d and resumed: another result than in one run", cut)
		}
	}
}

// TestFoldsSeeNoTestLabels: whoever looks at the labels of the test part
// predicts something else when they change.
func TestFoldsSeeNoTestLabels(t *testing.T) {
	run := func(flip bool) *Outcome {
		d := planted(60)
		j := smallJob(d)
		j.Baselines = "all"
		folds, _, err := SplitConfig{Holdout: 0.3, Seed: 3}.Split(d, 0.2)
		if err != nil {
			t.Fatal(err)
		}
		if flip {
			for _, i := range folds[0].Test {
				d.Labels[i] = 1 - d.Labels[i]
			}
		}
		out, err := j.Run(context.Background(), d, &folds[0], Options{})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	a, b := run(false), run(true)
	if len(a.Predictions) != 5 {
		t.Fatalf("%d models, want 5", len(a.Predictions))
	}
	for m, p := range a.Predictions {
		for i := range p.Probs {
			if p.Probs[i][0] != b.Predictions[m].Probs[i][0] || p.Calls[i] != b.Predictions[m].Calls[i] {
				t.Errorf("%s: prediction %d depends on test labels", p.Model, i)
				break
			}
		}
	}
}

func TestScore(t *testing.T) {
	p := &Predictions{
		Model: "m", Classes: []string{"yes", "no"}, Positive: 0,
		Labels: []int{0, 0, 0, 1, 1, 1, 1, 1},
		Calls:  []int{0, 0, 1, 1, 1, 1, 1, 0},
		Probs:  [][]float64{{.9, .1}, {.8, .2}, {.3, .7}, {.1, .9}, {.2, .8}, {.2, .8}, {.1, .9}, {.7, .3}},
	}
	r, err := p.Score(1)
	if err != nil {
		t.Fatal(err)
	}
	// TP 2, FN 1, TN 4, FP 1; of 15 pairs 14 are in order.
	for name, want := range map[string]float64{
		"sn": 2. / 3, "sp": 4. / 5, "accuracy": 6. / 8, "auroc": 14. / 15,
		"mcc": (2*4 - 1*1) / math.Sqrt(3*3*5*5), "auprc": (1 + 1 + 3./4) / 3,
	} {
		if got := r.Get(name); math.Abs(got-want) > 1e-12 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if r.Errors != 2 || r.N != 8 || r.Prevalence != 3./8 {
		t.Errorf("%d errors of %d, prevalence %v", r.Errors, r.N, r.Prevalence)
	}
	for _, s := range r.Scores {
		if !(s.Low <= s.Estimate && s.Estimate <= s.High) {
			t.Errorf("%s: %v is not in [%v, %v]", s.Name, s.Estimate, s.Low, s.High)
		}
	}
	// Copies say nothing new: with clusters the interval stays as wide.
	copies := &Predictions{Model: "m", Classes: p.Classes}
	for i := range 80 {
		copies.Labels = append(copies.Labels, p.Labels[i%8])
		copies.Calls = append(copies.Calls, p.Calls[i%8])
		copies.Probs = append(copies.Probs, p.Probs[i%8])
	}
	narrow, err := copies.Score(1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 80 {
		copies.Clusters = append(copies.Clusters, i%8)
	}
	wide, err := copies.Score(1)
	if err != nil {
		t.Fatal(err)
	}
	width := func(r *Result) float64 { return r.Scores[2].High - r.Scores[2].Low }
	if w, n, one := width(wide), width(narrow), width(r); w < 2*n || math.Abs(w-one) > 0.2*one {
		t.Errorf("MCC: interval of ten copies %.3f wide, with clusters %.3f, of one copy %.3f", n, w, one)
	}
	var b strings.Builder
	if err := WriteTable(&b, []*Result{r}, p.Classes); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(b.String(), "model  errors  Sn     Sp     MCC ") || !strings.HasSuffix(b.String(), "AUPRC of chance is the prevalence, 0.375\n") {
		t.Errorf("table\n%s", &b)
	}
	b.Reset()
	p.Names, p.Folds = make([]string, 8), make([]int, 8)
	if err := p.WriteTSV(&b); err != nil {
		t.Fatal(err)
	}
	if want := "name\tfold\tlabel\tcall\tp_yes\tp_no\n\t0\tyes\tyes\t0.9\t0.1\n"; !strings.HasPrefix(b.String(), want) {
		t.Errorf("predictions %q, want %q", b.String(), want)
	}
}

func TestScoreThreeClasses(t *testing.T) {
	p := &Predictions{
		Model: "m", Classes: []string{"a", "b", "c"},
		Labels: []int{0, 0, 1, 1, 2, 2}, Calls: []int{0, 1, 1, 1, 2, 0},
		Probs: make([][]float64, 6),
	}
	r, err := p.Score(1)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Scores) != 3 || math.Abs(r.Get("accuracy")-4./6) > 1e-12 || !math.IsNaN(r.Prevalence) || r.PerClass[2].Error != 0.5 {
		t.Errorf("%+v", r)
	}
	if s := r.Summary(p.Classes); s.Prevalence != nil || *s.ClassError["c"] != 0.5 {
		t.Errorf("%+v", s)
	}
}
