package dna

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"heed/checkpoint"
	"heed/data"
	"heed/format"
	"heed/format/fasta"
	"heed/internal/cli"
	"heed/internal/kernel"
	"heed/internal/par"
)

// A Job is everything that decides what "heed dna train" computes.
type Job struct {
	Data DataConfig `json:"data"`
	// Train, Valid and Test are the tables of an official split, in place of
	// Data.Files and Split. Valid may be empty.
	Train      string      `json:"train,omitempty"`
	Valid      string      `json:"valid,omitempty"`
	Test       string      `json:"test,omitempty"`
	Unlabelled string      `json:"unlabelled,omitempty"` // FASTA to pre-train on
	Split      SplitConfig `json:"split"`
	Fit        Config      `json:"fit"`
	Baselines  string      `json:"baselines"` // "none", "quick" or "all"
	Hash       string      `json:"data_sha256"`
	Version    string      `json:"heed"`
	Command    []string    `json:"command"`
}

// An Outcome is what a Job computed.
type Outcome struct {
	Job      *Job
	Data     *Dataset
	Folds    int
	Clusters int // of related sequences
	// Related counts the test sequences that share a word of data.KMer letters
	// with a training sequence, directly or through others.
	Related int
	// Unlabelled counts the test sequences that occur letter for letter among
	// those of Job.Unlabelled, which only the user can have put there.
	Unlabelled  int
	Results     []*Result
	Predictions []*Predictions // of the transformer first, then of the baselines
	Model       *Fitted        // nil if no folder was given and no single fold made one
}

// Options are what does not change the numbers.
type Options struct {
	Folder   *Folder // nil: nothing is written
	Cores    int     // 0: all
	Progress func(Progress)
}

func (o Options) cores() int {
	if o.Cores > 0 {
		return o.Cores
	}
	return par.Cores()
}

// Load reads the data of the job. If the job has parts of its own they are
// returned, else nil.
func (j *Job) Load() (*Dataset, *data.Parts, error) {
	if j.Train == "" {
		if j.Valid != "" || j.Test != "" {
			return nil, nil, cli.Usagef("--valid and --test need --train")
		}
		d, err := j.Data.Load()
		return d, nil, err
	}
	if len(j.Data.Files) > 0 {
		return nil, nil, cli.Usagef("--train and other data do not mix")
	}
	if j.Test == "" {
		return nil, nil, cli.Usagef("--train needs --test")
	}
	d, parts, err := j.Data.LoadParts(j.Train, j.Valid, j.Test)
	return d, &parts, err
}

// loadUnlabelled reads the sequences to pre-train on. Those longer than the
// model reads are cut into pieces of its length.
func (j *Job) loadUnlabelled(length int) ([][]byte, error) {
	if j.Unlabelled == "" {
		return nil, nil
	}
	f, err := format.Open(j.Unlabelled)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var seqs [][]byte
	for rec, err := range (fasta.Reader{Alphabet: fasta.DNA}).Records(j.Unlabelled, f) {
		if err != nil {
			return nil, err
		}
		fasta.Upper(rec.Seq)
		for s := rec.Seq; len(s) > 0; s = s[min(length, len(s)):] {
			if piece := s[:min(length, len(s))]; len(piece) >= j.Fit.Model.Tokenizer.K {
				seqs = append(seqs, piece)
			}
		}
	}
	return seqs, nil
}

// Run trains and tests on every fold, scores the pooled predictions, and, with
// a folder, trains the final model and writes everything down. Data and parts
// are those of Load.
func (j *Job) Run(ctx context.Context, d *Dataset, parts *data.Parts, o Options) (*Outcome, error) {
	if err := j.Fit.complete(d); err != nil {
		return nil, &cli.UsageError{Reason: err.Error()}
	}
	out := &Outcome{Job: j, Data: d}
	folds, clusters, err := j.folds(d, parts)
	if err != nil {
		return nil, err
	}
	out.Folds = len(folds)
	if err := out.relate(d, folds, clusters); err != nil {
		return nil, err
	}
	unlabelled, err := j.loadUnlabelled(j.Fit.Model.MaxLen)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(unlabelled))
	for _, s := range unlabelled {
		known[string(s)] = true
	}
	for _, p := range folds {
		for _, i := range p.Test {
			if known[string(d.Seqs[i])] {
				out.Unlabelled++
			}
		}
	}
	done, err := j.runFolds(ctx, d, folds, unlabelled, o, out)
	if err != nil {
		return nil, err
	}
	out.Predictions = pool(d, folds, clusters, done)
	for _, p := range out.Predictions {
		r, err := p.Score(j.Split.Seed)
		if err != nil {
			return nil, err
		}
		out.Results = append(out.Results, r)
	}
	if o.Folder == nil {
		return out, nil
	}
	if len(folds) > 1 {
		all, err := j.final(d, folds, clusters)
		if err != nil {
			return nil, err
		}
		cfg := j.Fit
		cfg.Train.Cores = o.cores()
		fit := j.fitting(cfg, d, all, unlabelled, o, 0, len(folds)+1)
		fit.Checkpoint = o.Folder.last()
		if out.Model, err = fit.Run(ctx); err != nil {
			return nil, err
		}
	}
	return out, o.Folder.finish(out)
}

// final returns the parts of the final model: those of the only fold, or
// everything.
func (j *Job) final(d *Dataset, folds []data.Parts, clusters []int) (data.Parts, error) {
	if len(folds) == 1 {
		return folds[0], nil
	}
	all := data.Parts{Train: make([]int, len(d.Seqs))}
	for i := range all.Train {
		all.Train[i] = i
	}
	return holdValid(d, all, clusters, j.Fit.ValidShare, j.Split.Seed)
}

// relate counts clusters, and test sequences with relatives in training.
func (o *Outcome) relate(d *Dataset, folds []data.Parts, clusters []int) error {
	if clusters == nil {
		var err error
		if clusters, err = data.Clusters(d.Seqs, data.KMer); err != nil {
			return err
		}
	}
	for _, c := range clusters {
		o.Clusters = max(o.Clusters, c+1)
	}
	for _, p := range folds {
		seen := make([]bool, o.Clusters)
		for _, part := range [][]int{p.Train, p.Valid} {
			for _, i := range part {
				seen[clusters[i]] = true
			}
		}
		for _, i := range p.Test {
			if seen[clusters[i]] {
				o.Related++
			}
		}
	}
	return nil
}

// folds returns the parts of all folds.
func (j *Job) folds(d *Dataset, parts *data.Parts) ([]data.Parts, []int, error) {
	if parts == nil {
		return j.Split.Split(d, j.Fit.ValidShare)
	}
	var clusters []int
	var err error
	if j.Split.Clusters {
		if clusters, err = data.Clusters(d.Seqs, data.KMer); err != nil {
			return nil, nil, err
		}
	}
	p, err := holdValid(d, *parts, clusters, j.Fit.ValidShare, j.Split.Seed)
	return []data.Parts{p}, clusters, err
}

func (j *Job) fitting(cfg Config, d *Dataset, p data.Parts, unlabelled [][]byte, o Options, fold, fits int) *Fitting {
	f := &Fitting{Config: cfg, Data: d, Train: p.Train, Valid: p.Valid, Unlabelled: unlabelled, SaveEvery: 5}
	if o.Progress != nil {
		f.Progress = func(p Progress) {
			p.Fold, p.Fits = fold, fits
			o.Progress(p)
		}
	}
	return f
}

// runFolds trains and tests all folds, several at once. How many does not
// change the numbers.
func (j *Job) runFolds(ctx context.Context, d *Dataset, folds []data.Parts, unlabelled [][]byte, o Options, out *Outcome) ([]*foldResult, error) {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	cores := o.cores()
	workers := min(cores, len(folds))
	fits := len(folds)
	if fits > 1 && o.Folder != nil {
		fits++ // the final model
	}
	done, errs := make([]*foldResult, len(folds)), make([]error, len(folds))
	par.Do(len(folds), workers, func(_, k int) {
		if len(folds) > 1 { // the model of a single fold is wanted, not only its predictions
			if done[k], errs[k] = o.Folder.loadFold(k + 1); done[k] != nil || errs[k] != nil {
				return
			}
		}
		cfg := j.Fit
		cfg.Train.Cores = max(1, cores/workers)
		fit := j.fitting(cfg, d, folds[k], unlabelled, o, k+1, fits)
		if len(folds) == 1 {
			fit.Checkpoint = o.Folder.last()
		} else if fit.Checkpoint, errs[k] = o.Folder.foldCheckpoint(k + 1); errs[k] != nil {
			cancel()
			return
		}
		m, err := fit.Run(inner)
		if err != nil {
			errs[k] = err
			cancel()
			return
		}
		if len(folds) == 1 {
			out.Model = m
		}
		r := &foldResult{Models: []modelResult{m.test(architecture(&cfg.Model), d, folds[k].Test, cfg.Train.Cores)}}
		if errs[k] = j.runBaselines(inner, r, d, folds[k], cfg.Train.Cores); errs[k] != nil {
			cancel()
			return
		}
		done[k], errs[k] = r, o.Folder.saveFold(k+1, r)
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for k, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			if len(folds) > 1 {
				err = fmt.Errorf("fold %d: %w", k+1, err)
			}
			return nil, err
		}
	}
	return done, nil
}

// A foldResult is what is kept of a fold: predictions on its test part.
type foldResult struct {
	Models []modelResult
}

type modelResult struct {
	Name  string
	Probs [][]float64
	Calls []int
}

func (f *Fitted) test(name string, d *Dataset, idx []int, cores int) modelResult {
	r := modelResult{Name: name, Probs: f.Probabilities(d.seqs(idx), cores)}
	for _, p := range r.Probs {
		r.Calls = append(r.Calls, f.Call(p))
	}
	return r
}

// pool joins the predictions of all folds, model by model.
func pool(d *Dataset, folds []data.Parts, clusters []int, done []*foldResult) []*Predictions {
	var out []*Predictions
	for m, first := range done[0].Models {
		p := &Predictions{Model: first.Name, Classes: d.Classes, Positive: d.Positive}
		for k, r := range done {
			for i, s := range folds[k].Test {
				p.Names = append(p.Names, d.Names[s])
				p.Folds = append(p.Folds, k+1)
				p.Labels = append(p.Labels, d.Labels[s])
				p.Probs = append(p.Probs, r.Models[m].Probs[i])
				p.Calls = append(p.Calls, r.Models[m].Calls[i])
				if clusters != nil {
					p.Clusters = append(p.Clusters, clusters[s])
				}
			}
		}
		out = append(out, p)
	}
	return out
}

// info is what a checkpoint says about its origin.
func (o *Outcome) info() checkpoint.Info {
	i := checkpoint.Info{
		Heed: o.Job.Version, Go: runtime.Version(), Kernel: kernel.Active().String(),
		DataSHA256: o.Job.Hash, Command: o.Job.Command, Metrics: map[string]float64{},
	}
	for _, s := range o.Results[0].Scores {
		if s.Estimate == s.Estimate { // leave out NaN
			i.Metrics[s.Name] = s.Estimate
		}
	}
	return i
}
