package sequence

import (
	"math"
	"slices"
	"testing"
)

func TestZeroAugmentCopies(t *testing.T) {
	z := Tokenizer{K: 1}
	ids := z.Encode([]byte("ACGTN"))
	out := Augment{}.Apply(z, ids, nil) // draws nothing
	if !slices.Equal(out, ids) {
		t.Errorf("%v, want %v", out, ids)
	}
	out[0] = MaskToken
	if ids[0] == MaskToken {
		t.Error("the result shares memory with the argument")
	}
}

func TestShift(t *testing.T) {
	ids := []int32{3, 4, 5, 6}
	for n, want := range map[int][]int32{
		0: {3, 4, 5, 6}, 1: {7, 3, 4, 5}, -1: {4, 5, 6, 7}, 3: {7, 7, 7, 3}, 4: {7, 7, 7, 7}, -9: {7, 7, 7, 7},
	} {
		if got := shift(ids, n, 7); !slices.Equal(got, want) {
			t.Errorf("shift by %d: %v, want %v", n, got, want)
		}
	}
	// Every distance to either side is as likely as another, and the fill is N.
	z, r := Tokenizer{K: 2}, source()
	long := make([]int32, 9)
	for i := range long {
		long[i] = firstLetter + int32(i)
	}
	unknown := z.Encode([]byte("NN"))[0]
	seen := map[int]int{}
	for range 2100 {
		out := Augment{Shift: 3}.Apply(z, long, r)
		by := 4 - slices.Index(out, long[4])
		seen[-by]++
		if !slices.Equal(out, shift(long, -by, unknown)) {
			t.Fatalf("%v is no shift of %v", out, long)
		}
	}
	for by := -3; by <= 3; by++ {
		if seen[by] < 220 || seen[by] > 380 { // 300 ± 5 standard deviations of 16
			t.Errorf("shift by %d: %d times of 2100, want about 300", by, seen[by])
		}
	}
}

// TestHide hides one stretch, and every token as often as another.
func TestHide(t *testing.T) {
	z, r := Tokenizer{K: 1}, source()
	ids := z.Encode([]byte("ACGTACGTAC"))
	const draws, span = 12000, 3
	hit := make([]int, len(ids))
	unknown := z.Encode([]byte("N"))[0]
	for range draws {
		out := Augment{Hide: span, Mutate: 0.5}.Apply(z, ids, r)
		first, last, n := -1, -1, 0
		for i, id := range out {
			if id == unknown {
				if first < 0 {
					first = i
				}
				last = i
				n++
				hit[i]++
			}
		}
		if n < 1 || n > span || last-first+1 != n || n < span && first > 0 && last < len(ids)-1 {
			t.Fatalf("hidden %d to %d, %d tokens: %v", first, last, n, out)
		}
	}
	for i, n := range hit {
		want := float64(draws) * span / float64(len(ids)+span-1)
		if math.Abs(float64(n)-want) > 5*math.Sqrt(want) {
			t.Errorf("token %d hidden %d times, want about %.0f", i, n, want)
		}
	}
	if out := (Augment{Hide: 5}).Apply(z, nil, r); len(out) != 0 {
		t.Errorf("of nothing: %v", out)
	}
}

func TestReverseComplementHalfOfTheTime(t *testing.T) {
	z, r := Tokenizer{K: 3}, source()
	ids := z.Encode([]byte("ACCGTNACCA"))
	turned := 0
	for range 1000 {
		switch out := (Augment{ReverseComplement: true}).Apply(z, ids, r); {
		case slices.Equal(out, z.ReverseComplement(ids)):
			turned++
		case !slices.Equal(out, ids):
			t.Fatalf("%v is neither strand", out)
		}
	}
	if turned < 420 || turned > 580 {
		t.Errorf("turned %d of 1000 times, want about 500", turned)
	}
}

// near fails unless got lies within five standard errors of the share want of
// n trials.
func near(t *testing.T, what string, got, n int, want float64) {
	t.Helper()
	if d := math.Abs(float64(got)/float64(n) - want); d > 5*math.Sqrt(want*(1-want)/float64(n)) {
		t.Errorf("%s: %d of %d, want a share of %.3f", what, got, n, want)
	}
}

func TestMutateAndMaskRates(t *testing.T) {
	const n = 40000
	for _, k := range []int{1, 3} {
		z, r := Tokenizer{K: k}, source()
		ids := z.Encode(letters("ACGT", n+k-1, r))
		changed := 0
		for i, id := range (Augment{Mutate: 0.1}).Apply(z, ids, r) {
			if id < firstLetter || int(id) >= z.Vocab()-1 {
				t.Fatalf("k %d: mutated to %s", k, z.Name(id))
			}
			if id != ids[i] {
				changed++
			}
		}
		near(t, "mutated", changed, n, 0.1)
		masked := 0
		for i, id := range (Augment{Mask: 0.2}).Apply(z, ids, r) {
			if id == MaskToken {
				masked++
			} else if id != ids[i] {
				t.Fatalf("k %d: masking made %s of %s", k, z.Name(id), z.Name(ids[i]))
			}
		}
		near(t, "masked", masked, n, 0.2)
	}
}

// A mutated token becomes each of the others alike; an unknown one any.
func TestMutateIsUniform(t *testing.T) {
	const n = 30000
	z, r := Tokenizer{K: 1}, source()
	for _, from := range []int32{3, 5, 6, 7} {
		ids := slices.Repeat([]int32{from}, n)
		count := map[int32]int{}
		for _, id := range (Augment{Mutate: 1}).Apply(z, ids, r) {
			count[id]++
		}
		others := 3
		if from == 7 {
			others = 4
		}
		for id := int32(3); id < 7; id++ {
			if id != from {
				near(t, z.Name(from)+" to "+z.Name(id), count[id], n, 1/float64(others))
			}
		}
		if count[from] > 0 {
			t.Errorf("%s stayed %d times", z.Name(from), count[from])
		}
	}
}

func TestCorrupt(t *testing.T) {
	const n = 60000
	z, r := Tokenizer{K: 3}, source()
	ids := z.Encode(letters("ACGT", n+2, r))
	before := slices.Clone(ids)
	out, at, truth := Corrupt(z, ids, 0.15, r)
	if !slices.Equal(ids, before) {
		t.Fatal("the argument has changed")
	}
	near(t, "chosen", len(at), n, 0.15)
	if !slices.IsSorted(at) || len(slices.Compact(slices.Clone(at))) != len(at) || len(truth) != len(at) {
		t.Fatal("the positions are not ascending, or not as many as the true ids")
	}
	masked, stayed, other := 0, 0, 0
	restored := slices.Clone(out)
	for i, p := range at {
		switch out[p] {
		case MaskToken:
			masked++
		case truth[i]:
			stayed++
		default:
			other++
			if out[p] < firstLetter || int(out[p]) >= z.Vocab()-1 {
				t.Fatalf("%s became %s", z.Name(truth[i]), z.Name(out[p]))
			}
		}
		restored[p] = truth[i]
	}
	if !slices.Equal(restored, ids) {
		t.Error("a position that was not chosen has changed, or a true id is wrong")
	}
	near(t, "masked", masked, len(at), 0.8)
	near(t, "another", other, len(at), 0.1*63/64)
	near(t, "stayed", stayed, len(at), 0.1+0.1/64)
}

func TestCorruptChoosesAtLeastOne(t *testing.T) {
	z, r := Tokenizer{K: 1}, source()
	where := map[int]int{}
	for range 1000 {
		_, at, truth := Corrupt(z, z.Encode([]byte("ACGT")), 0, r)
		if len(at) != 1 || truth[0] != firstLetter+int32(at[0]) {
			t.Fatalf("chosen %v, true %v", at, truth)
		}
		where[at[0]]++
	}
	for i := range 4 {
		near(t, "position", where[i], 1000, 0.25)
	}
	if out, at, truth := Corrupt(z, nil, 0.15, r); len(out)+len(at)+len(truth) != 0 {
		t.Errorf("an empty sequence gives %v %v %v", out, at, truth)
	}
}
