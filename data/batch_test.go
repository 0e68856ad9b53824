package data

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShuffle(t *testing.T) {
	// Fixed: a run resumed by a later release must see the same order.
	if got, want := Shuffle(10, 1, 0), []int{4, 7, 9, 3, 6, 2, 8, 0, 1, 5}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	a := Shuffle(1000, 1, 0)
	if !slices.Equal(a, Shuffle(1000, 1, 0)) {
		t.Error("not a function of its arguments")
	}
	if slices.Equal(a, Shuffle(1000, 1, 1)) || slices.Equal(a, Shuffle(1000, 2, 0)) {
		t.Error("another epoch or seed gives the same order")
	}
	slices.Sort(a)
	for i, x := range a {
		if i != x {
			t.Fatal("not a permutation")
		}
	}
	if len(Shuffle(0, 1, 1)) != 0 {
		t.Error("something in nothing")
	}
}

func TestPacks(t *testing.T) {
	lengths := []int{3, 5, 2, 9, 1, 4}
	for _, test := range []struct {
		order []int
		most  int
		want  [][]int
	}{
		{[]int{0, 1, 2, 3, 4, 5}, 8, [][]int{{0, 1}, {2}, {3}, {4, 5}}},
		{[]int{5, 4, 0, 2}, 8, [][]int{{5, 4, 0}, {2}}},
		{[]int{3, 3}, 1, [][]int{{3}, {3}}},
		{[]int{0, 1, 2, 3, 4, 5}, 100, [][]int{{0, 1, 2, 3, 4, 5}}},
		{nil, 8, nil},
	} {
		got := Packs(test.order, lengths, test.most)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%v: %s", test.order, diff)
		}
	}
	rng := newRand(1)
	for range 200 {
		n := rng.IntN(60)
		lengths := make([]int, n)
		for i := range lengths {
			lengths[i] = rng.IntN(30)
		}
		order := rng.Perm(n)
		packs := Packs(order, lengths, 40)
		if got := slices.Concat(packs...); !slices.Equal(got, order) {
			t.Fatalf("order %v became %v", order, got)
		}
		for i, pack := range packs {
			if len(pack) == 0 || sum(pack, lengths) > 40 {
				t.Fatalf("batch %v of %d tokens", pack, sum(pack, lengths))
			}
			if i > 0 && sum(packs[i-1], lengths)+lengths[pack[0]] <= 40 {
				t.Fatalf("sample %d had room in the batch before", pack[0])
			}
		}
	}
}

func sum(samples, lengths []int) (n int) {
	for _, i := range samples {
		n += lengths[i]
	}
	return n
}

func TestLeaves(t *testing.T) {
	lengths := []int{10, 20, 30, 5, 5}
	got := Leaves([]int{4, 3, 2, 1, 0}, lengths, 2)
	if diff := cmp.Diff([][]int{{4, 2}, {3, 1, 0}}, got); diff != "" {
		t.Error(diff)
	}
	if got := Leaves(nil, lengths, 4); len(got) != 0 {
		t.Errorf("no samples: %v", got)
	}
	rng := newRand(1)
	for range 500 {
		n := 1 + rng.IntN(60)
		lengths := make([]int, 100)
		most := 0
		for i := range lengths {
			lengths[i] = rng.IntN(1 + rng.IntN(50))
		}
		batch := rng.Perm(100)[:n]
		place := map[int]int{}
		for i, sample := range batch {
			place[sample] = i
			most = max(most, lengths[sample])
		}
		v := 1 << rng.IntN(4)
		leaves := Leaves(batch, lengths, v)
		if len(leaves) != min(v, n) {
			t.Fatalf("%d leaves of %d samples, want %d", len(leaves), n, min(v, n))
		}
		var tokens []int
		for _, leaf := range leaves {
			if len(leaf) == 0 {
				t.Fatal("empty leaf")
			}
			tokens = append(tokens, sum(leaf, lengths))
			if !slices.IsSortedFunc(leaf, func(a, b int) int { return place[a] - place[b] }) {
				t.Fatalf("leaf %v is not in the order of the batch", leaf)
			}
		}
		if slices.Max(tokens)-slices.Min(tokens) > most {
			t.Errorf("leaves of %v tokens, longest sample %d", tokens, most)
		}
		all := slices.Concat(leaves...)
		slices.Sort(all)
		want := slices.Sorted(slices.Values(batch))
		if !slices.Equal(all, want) {
			t.Fatalf("got samples %v, want %v", all, want)
		}
		if diff := cmp.Diff(leaves, Leaves(batch, lengths, v)); diff != "" {
			t.Fatal("not a function of its arguments")
		}
	}
}
