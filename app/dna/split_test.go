package dna

import (
	"math"
	"testing"
)

func TestSplit(t *testing.T) {
	d := planted(60)
	for i := range 10 { // relatives: copies
		d.Seqs[i+40] = d.Seqs[i]
	}
	for _, c := range []SplitConfig{
		{Folds: 5}, {Folds: 5, Clusters: true}, {Leave: true}, {Holdout: 0.25}, {Holdout: 0.25, Clusters: true},
	} {
		folds, clusters, err := c.Split(d, 0.2)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		tested := make([]int, len(d.Seqs))
		for k, p := range folds {
			part := map[int]int{}
			for n, idx := range [][]int{p.Train, p.Valid, p.Test} {
				if len(idx) == 0 {
					t.Errorf("%+v: fold %d: part %d is empty", c, k, n)
				}
				for _, i := range idx {
					if _, twice := part[i]; twice {
						t.Errorf("%+v: fold %d: sequence %d is in two parts", c, k, i)
					}
					part[i] = n
				}
			}
			if len(part) != len(d.Seqs) {
				t.Errorf("%+v: fold %d holds %d sequences", c, k, len(part))
			}
			for _, i := range p.Test {
				tested[i]++
			}
			if share := float64(len(p.Valid)) / float64(len(p.Train)+len(p.Valid)); math.Abs(share-0.2) > 0.05 {
				t.Errorf("%+v: fold %d: validation share %v", c, k, share)
			}
			if c.Clusters {
				of := map[int]int{}
				for i, n := range part {
					if m, ok := of[clusters[i]]; ok && m != n {
						t.Errorf("%+v: fold %d: cluster %d is divided", c, k, clusters[i])
					}
					of[clusters[i]] = n
				}
			}
		}
		for i, n := range tested {
			if n != 1 && c.Holdout == 0 {
				t.Errorf("%+v: sequence %d is tested %d times", c, i, n)
			}
		}
	}
}

func TestSplitErrors(t *testing.T) {
	for _, c := range []struct {
		split SplitConfig
		want  string
	}{
		{SplitConfig{}, "split: want one of folds, leave-one-out and holdout"},
		{SplitConfig{Folds: 2, Leave: true}, "split: want one of folds, leave-one-out and holdout"},
		{SplitConfig{Folds: 1}, "cv 1: want 2 folds or more"},
		{SplitConfig{Holdout: 1}, "holdout 1: want a share in (0, 1)"},
		{SplitConfig{Leave: true, Clusters: true}, "cv loo and clusters do not go together"},
	} {
		if _, _, err := c.split.Split(planted(10), 0.1); err == nil || err.Error() != c.want {
			t.Errorf("%+v: got %v, want %s", c.split, err, c.want)
		}
	}
}
