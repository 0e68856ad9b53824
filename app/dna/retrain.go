package dna

import (
	"context"
	"fmt"
	"path/filepath"

	"heed/format"
	"heed/internal/cli"
)

// retrain trains the final model of a run n times more, each time one member
// from another seed and all else as it was: what a map owes to chance. The data
// is read again from where the run found it.
func retrain(ctx context.Context, folder string, n, cores int, progress func(Progress)) ([]*Fitted, error) {
	path := filepath.Join(folder, jobFile)
	j, err := readJob(path)
	if err != nil {
		return nil, err
	}
	if j.Fit.Encoder != nil {
		if err := j.Fit.Encoder.reload(); err != nil {
			return nil, err
		}
	}
	d, parts, err := j.Load()
	if err != nil {
		return nil, cli.Hint(err, "the run's data is looked for where the run was started")
	}
	if d.Hash() != j.Hash {
		return nil, format.Invalidf(path, 0, "the data has changed since the run")
	}
	if err := j.Fit.complete(d); err != nil {
		return nil, format.Invalidf(path, 0, "%w", err)
	}
	folds, clusters, err := j.folds(d, parts)
	if err != nil {
		return nil, err
	}
	all, err := j.final(d, folds, clusters)
	if err != nil {
		return nil, err
	}
	unlabelled, err := j.loadUnlabelled(j.Fit.Model.MaxLen)
	if err != nil {
		return nil, err
	}
	var out []*Fitted
	for k := range n {
		cfg := j.Fit
		cfg.Ensemble, cfg.Train.Cores = 1, Options{Cores: cores}.cores()
		cfg.Train.Seed += uint64(k + 1) // an ensemble's seeds lie elsewhere
		fit := j.fitting(cfg, d, all, unlabelled, Options{Progress: progress}, 0, n)
		f, err := fit.Run(ctx)
		if err != nil {
			return nil, fmt.Errorf("training from seed %d: %w", cfg.Train.Seed, err)
		}
		out = append(out, f)
	}
	return out, nil
}

// canRetrain reports that a path is no folder of a run.
func canRetrain(folder string) error {
	if !cli.Exists(filepath.Join(folder, jobFile)) {
		return cli.Hint(fmt.Errorf("%s: no %s: --seeds trains the model of a run again, from what its folder says", folder, jobFile), "give the folder that heed dna train -o made")
	}
	return nil
}
