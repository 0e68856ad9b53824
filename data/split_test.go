package data

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// randomLabels gives n labels of uneven frequency, some of them negative.
func randomLabels(n, classes int, rng *rand.Rand) []int {
	labels := make([]int, n)
	for i := range labels {
		labels[i] = rng.IntN(1+rng.IntN(classes)) - 1
	}
	return labels
}

// spread returns the greatest difference in the number of samples between two
// folds, over all labels and over the fold sizes.
func spread(labels, folds []int, k int) (byLabel, bySize int) {
	counts := map[int][]int{}
	size := make([]int, k)
	for i, label := range labels {
		if counts[label] == nil {
			counts[label] = make([]int, k)
		}
		counts[label][folds[i]]++
		size[folds[i]]++
	}
	for _, c := range counts {
		byLabel = max(byLabel, slices.Max(c)-slices.Min(c))
	}
	return byLabel, slices.Max(size) - slices.Min(size)
}

func TestKFold(t *testing.T) {
	rng := newRand(1)
	for range 300 {
		n := 2 + rng.IntN(100)
		k := 2 + rng.IntN(n-1)
		labels := randomLabels(n, 4, rng)
		folds, err := KFold(labels, k, newRand(7))
		if err != nil {
			t.Fatal(err)
		}
		if byLabel, bySize := spread(labels, folds, k); byLabel > 1 || bySize > 1 {
			t.Fatalf("n %d, k %d: folds differ by %d in a label and %d in size", n, k, byLabel, bySize)
		}
		again, _ := KFold(labels, k, newRand(7))
		if !slices.Equal(folds, again) {
			t.Fatal("the same seed gives other folds")
		}
		seen := make([]int, n)
		for fold := range k {
			train, test := Fold(folds, fold)
			if len(train)+len(test) != n || len(test) == 0 || !slices.IsSorted(train) || !slices.IsSorted(test) {
				t.Fatalf("fold %d: train %v, test %v", fold, train, test)
			}
			for _, i := range test {
				seen[i]++
			}
		}
		if slices.Min(seen) != 1 || slices.Max(seen) != 1 {
			t.Fatalf("tested %v times", seen)
		}
	}
	labels := make([]int, 100)
	a, _ := KFold(labels, 10, newRand(1))
	b, _ := KFold(labels, 10, newRand(2))
	if slices.Equal(a, b) {
		t.Error("another seed gives the same folds")
	}
}

func TestLeaveOneOut(t *testing.T) {
	folds := LeaveOneOut(3)
	train, test := Fold(folds, 1)
	if !slices.Equal(train, []int{0, 2}) || !slices.Equal(test, []int{1}) {
		t.Errorf("train %v, test %v", train, test)
	}
}

func checkParts(t *testing.T, p Parts, n int) {
	t.Helper()
	seen := make([]int, n)
	for _, part := range [][]int{p.Train, p.Valid, p.Test} {
		if !slices.IsSorted(part) {
			t.Errorf("not ascending: %v", part)
		}
		for _, i := range part {
			seen[i]++
		}
	}
	for i, times := range seen {
		if times != 1 {
			t.Fatalf("sample %d is in %d parts", i, times)
		}
	}
}

func TestHoldout(t *testing.T) {
	labels := make([]int, 110)
	for i := range 10 {
		labels[i*11] = 1
	}
	p, err := Holdout(labels, 0.1, 0.2, newRand(1))
	if err != nil {
		t.Fatal(err)
	}
	checkParts(t, p, len(labels))
	count := func(part []int) (c [2]int) {
		for _, i := range part {
			c[labels[i]]++
		}
		return c
	}
	got := [][2]int{count(p.Train), count(p.Valid), count(p.Test)}
	if diff := cmp.Diff([][2]int{{70, 7}, {10, 1}, {20, 2}}, got); diff != "" {
		t.Error(diff)
	}
	// Fractions that round up must not take a sample twice.
	for n := 1; n < 12; n++ {
		p, err := Holdout(make([]int, n), 0.5, 0.45, newRand(1))
		if err == nil {
			checkParts(t, p, n)
		}
	}
}

func TestErrors(t *testing.T) {
	labels := []int{0, 1, 0}
	rng := newRand(1)
	kfold := func(k int) error { _, err := KFold(labels, k, rng); return err }
	clustered := func(clusters []int, k int) error { _, err := ClusteredKFold(labels, clusters, k, rng); return err }
	holdout := func(valid, test float64) error { _, err := Holdout(labels, valid, test, rng); return err }
	clusteredHoldout := func(clusters []int) error { _, err := ClusteredHoldout(labels, clusters, 0.2, 0.2, rng); return err }
	words := func(k int) error { _, err := Clusters(nil, k); return err }
	leaks := func(k int) error { _, err := Overlap(nil, nil, k); return err }
	zero := 0.0
	for _, test := range []struct {
		err  error
		want string
	}{
		{kfold(1), "data: 1 folds; at least 2 are needed"},
		{kfold(4), "data: 4 folds of 3 samples"},
		{clustered([]int{0, 0}, 2), "data: 3 labels but 2 clusters"},
		{clustered([]int{0, 1, 2}, 4), "data: 4 folds of 3 samples"},
		{clustered([]int{5, 5, 5}, 2), "data: 2 folds of 1 clusters"},
		{holdout(-0.1, 0), "data: fraction for validation is -0.1; it must be at least 0 and less than 1"},
		{holdout(0, 1), "data: fraction for testing is 1; it must be at least 0 and less than 1"},
		{holdout(zero/zero, 0), "data: fraction for validation is NaN; it must be at least 0 and less than 1"},
		{holdout(0.5, 0.5), "data: fractions 0.5 for validation and 0.5 for testing leave nothing to train on"},
		{holdout(0.5, 0.49), "data: fractions 0.5 for validation and 0.49 for testing of 3 samples leave nothing to train on"},
		{clusteredHoldout([]int{0, 0, 0}), "data: 1 clusters of 3 samples cannot be split into parts of 0.6000000000000001, 0.2 and 0.2"},
		{words(0), "data: words of 0 letters; 1 to 32 are possible"},
		{leaks(33), "data: words of 33 letters; 1 to 32 are possible"},
	} {
		if test.err == nil || test.err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", test.err, test.want)
		}
	}
}

// TestClusteredKFold checks random clusters of one and of mixed labels: never
// divided, no fold empty, and balanced where the clusters are small enough.
func TestClusteredKFold(t *testing.T) {
	rng := newRand(1)
	for range 200 {
		n := 20 + rng.IntN(200)
		k := 2 + rng.IntN(5)
		labels := randomLabels(n, 3, rng)
		clusters := make([]int, n)
		sizes := map[int]int{}
		for i := range clusters {
			clusters[i] = 1000 - rng.IntN(1+n/2)
			sizes[clusters[i]]++
		}
		folds, err := ClusteredKFold(labels, clusters, k, newRand(3))
		if len(sizes) < k {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		fold := map[int]int{}
		for i, c := range clusters {
			if f, seen := fold[c]; seen && f != folds[i] {
				t.Fatalf("cluster %d is in folds %d and %d", c, f, folds[i])
			}
			fold[c] = folds[i]
		}
		largest := 0
		for _, size := range sizes {
			largest = max(largest, size)
		}
		byLabel, bySize := spread(labels, folds, k)
		if byLabel > 2*largest || bySize > 2*largest {
			t.Errorf("n %d, k %d, largest cluster %d: folds differ by %d in a label and %d in size", n, k, largest, byLabel, bySize)
		}
		for f := range k {
			if _, test := Fold(folds, f); len(test) == 0 {
				t.Errorf("fold %d of %d is empty with %d clusters", f, k, len(sizes))
			}
		}
		again, _ := ClusteredKFold(labels, clusters, k, newRand(3))
		if !slices.Equal(folds, again) {
			t.Fatal("the same seed gives other folds")
		}
	}

	// Clusters of one sample give what KFold promises.
	labels := randomLabels(101, 3, rng)
	folds, err := ClusteredKFold(labels, LeaveOneOut(101), 7, rng)
	if err != nil {
		t.Fatal(err)
	}
	if byLabel, _ := spread(labels, folds, 7); byLabel > 1 {
		t.Errorf("single samples: folds differ by %d in a label", byLabel)
	}
}

func TestClusteredHoldout(t *testing.T) {
	rng := newRand(1)
	n := 1000
	labels := make([]int, n)
	clusters := make([]int, n)
	for i := range n {
		clusters[i] = rng.IntN(300)
		if clusters[i]%4 == 0 {
			labels[i] = 1
		}
	}
	p, err := ClusteredHoldout(labels, clusters, 0.1, 0.2, rng)
	if err != nil {
		t.Fatal(err)
	}
	checkParts(t, p, n)
	part := map[int]int{}
	for number, samples := range [][]int{p.Train, p.Valid, p.Test} {
		ones := 0
		for _, i := range samples {
			if other, seen := part[clusters[i]]; seen && other != number {
				t.Fatalf("cluster %d is in two parts", clusters[i])
			}
			part[clusters[i]] = number
			ones += labels[i]
		}
		want := []float64{0.7, 0.1, 0.2}[number]
		if got := float64(len(samples)) / float64(n); got < want-0.01 || got > want+0.01 {
			t.Errorf("part %d has %d of %d samples, want %v", number, len(samples), n, want)
		}
		all := 0
		for _, label := range labels {
			all += label
		}
		if got := float64(ones) / float64(all); got < want-0.02 || got > want+0.02 {
			t.Errorf("part %d has %d of %d samples of label 1, want %v", number, ones, all, want)
		}
	}
	if p, err := ClusteredHoldout(labels, clusters, 0, 0.2, rng); err != nil || len(p.Valid) != 0 {
		t.Errorf("no validation wanted: %d samples, %v", len(p.Valid), err)
	}
}
