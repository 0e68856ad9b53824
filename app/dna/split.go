package dna

import (
	"fmt"
	"math/rand/v2"

	"heed/data"
	"heed/internal/cli"
)

// A SplitConfig says which sequences are tested on. One of Folds, Leave and
// Holdout is set.
type SplitConfig struct {
	Folds    int     `json:"folds,omitempty"`         // stratified cross-validation
	Leave    bool    `json:"leave_one_out,omitempty"` // as many folds as sequences
	Holdout  float64 `json:"holdout,omitempty"`       // one fold: the share of the test part
	Clusters bool    `json:"clusters,omitempty"`      // never divide sequences that share a word of data.KMer letters
	Seed     uint64  `json:"seed"`
}

// Validate reports the first field that makes no sense.
func (c SplitConfig) Validate() error {
	n := 0
	for _, is := range []bool{c.Folds != 0, c.Leave, c.Holdout != 0} {
		if is {
			n++
		}
	}
	switch {
	case n != 1:
		return fmt.Errorf("split: want one of folds, leave-one-out and holdout")
	case c.Folds < 0 || c.Folds == 1:
		return fmt.Errorf("cv %d: want 2 folds or more", c.Folds)
	case !(c.Holdout >= 0 && c.Holdout < 1):
		return fmt.Errorf("holdout %v: want a share in (0, 1)", c.Holdout)
	case c.Leave && c.Clusters:
		return fmt.Errorf("cv loo and clusters do not go together")
	}
	return nil
}

const (
	streamSplit = 0x73706c69 // "spli"
	streamValid = 0x76616c69 // "vali"
)

// Split returns the parts of each fold. Valid is a share of what is not tested
// on, drawn in the same manner: stratified, or by whole clusters. clusters is
// nil unless c.Clusters is set.
func (c SplitConfig) Split(d *Dataset, valid float64) (folds []data.Parts, clusters []int, err error) {
	if err := c.Validate(); err != nil {
		return nil, nil, &cli.UsageError{Reason: err.Error()}
	}
	r := rand.New(rand.NewPCG(c.Seed, streamSplit))
	if c.Clusters {
		if clusters, err = data.Clusters(d.Seqs, data.KMer); err != nil {
			return nil, nil, err
		}
	}
	if c.Holdout > 0 {
		var p data.Parts
		if c.Clusters {
			p, err = data.ClusteredHoldout(d.Labels, clusters, 0, c.Holdout, r)
		} else {
			p, err = data.Holdout(d.Labels, 0, c.Holdout, r)
		}
		if err != nil {
			return nil, nil, err
		}
		folds = []data.Parts{p}
	} else {
		var assigned []int
		switch {
		case c.Leave:
			assigned = data.LeaveOneOut(len(d.Labels))
		case c.Clusters:
			assigned, err = data.ClusteredKFold(d.Labels, clusters, c.Folds, r)
		default:
			assigned, err = data.KFold(d.Labels, c.Folds, r)
		}
		if err != nil {
			return nil, nil, err
		}
		n := c.Folds
		if c.Leave {
			n = len(d.Labels)
		}
		for k := range n {
			train, test := data.Fold(assigned, k)
			folds = append(folds, data.Parts{Train: train, Test: test})
		}
	}
	for i := range folds {
		if folds[i], err = holdValid(d, folds[i], clusters, valid, c.Seed); err != nil {
			return nil, nil, err
		}
	}
	return folds, clusters, nil
}

// holdValid moves a share of the training part to the validation part.
func holdValid(d *Dataset, p data.Parts, clusters []int, share float64, seed uint64) (data.Parts, error) {
	if share == 0 || len(p.Valid) > 0 {
		return p, nil
	}
	r := rand.New(rand.NewPCG(seed, streamValid))
	labels := d.labels(p.Train)
	var (
		inner data.Parts
		err   error
	)
	if clusters != nil {
		of := make([]int, len(p.Train))
		for i, j := range p.Train {
			of[i] = clusters[j]
		}
		inner, err = data.ClusteredHoldout(labels, of, share, 0, r)
	} else {
		inner, err = data.Holdout(labels, share, 0, r)
	}
	if err != nil {
		return p, fmt.Errorf("validation part: %w", err)
	}
	return data.Parts{Train: pick(p.Train, inner.Train), Valid: pick(p.Train, inner.Valid), Test: p.Test}, nil
}

func pick(from, idx []int) []int {
	out := make([]int, len(idx))
	for i, j := range idx {
		out[i] = from[j]
	}
	return out
}
