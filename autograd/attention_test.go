package autograd

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// What a mask hides takes no part: not even a NaN gets out, and every gradient
// that passes through it is exactly zero.
func TestAttentionMaskIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const width = 8
	segments := Packed(4, 3, 5)
	mask := keyMask(12, 1, 4, 5, 6, 11) // row 1, all of the second segment, row 11
	for _, causal := range []bool{false, true} {
		for _, bias := range []*Var{nil, normal(r, 2, 5, 5)} {
			q, k, v := normal(r, 12, width), normal(r, 12, width), normal(r, 12, width)
			tape := &Tape{}
			o := Attention(tape, q, k, v, AttentionSpec{Heads: 2, Query: segments, KeyMask: mask, Causal: causal, Bias: bias})
			tape.BackwardFrom(o, cotangent(len(o.Data)))
			for _, x := range []struct {
				what  string
				data  []float32
				zeros []int
			}{
				{"output", o.Data, []int{4, 5, 6}},
				{"query gradient", tape.Grad(q), []int{4, 5, 6}},
				{"key gradient", tape.Grad(k), []int{1, 4, 5, 6, 11}},
				{"value gradient", tape.Grad(v), []int{1, 4, 5, 6, 11}},
			} {
				for row := range 12 {
					zero := !slices.ContainsFunc(x.data[row*width:(row+1)*width], func(f float32) bool { return f != 0 })
					if !causal && zero != slices.Contains(x.zeros, row) || causal && !zero && slices.Contains(x.zeros, row) {
						t.Errorf("causal %v: %s row %d: zero is %v", causal, x.what, row, zero)
					}
				}
			}
		}
	}
}

// A sequence gives the same bits whatever it is packed with.
func TestAttentionOfPackedSequencesIsIndependent(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	q, k, v := normal(r, 130, 8), normal(r, 130, 8), normal(r, 130, 8)
	tape := &Tape{}
	segments := Packed(3, 90, 1, 0, 36)
	packed := Attention(tape, q, k, v, AttentionSpec{Heads: 2, Query: segments})
	for _, s := range segments {
		alone := Attention(tape, q, k, v, AttentionSpec{Heads: 2, Query: []Segment{s}})
		for i := s.Start * 8; i < (s.Start+s.Count)*8; i++ {
			if alone.Data[i] != packed.Data[i] {
				t.Fatalf("segment at %d: row %d: %v alone, %v packed", s.Start, i/8, alone.Data[i], packed.Data[i])
			}
		}
	}
}

// Over n equal rows the tied logits are n·q·k/sqrt(d·n) = q·k·sqrt(n/d).
func TestTiedAttentionScale(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const n, l, width, heads = 3, 5, 8, 2
	q, k, v := normal(r, n*l, width), normal(r, n*l, width), normal(r, n*l, width)
	for _, x := range []*Var{q, k} {
		for i := range n {
			copy(x.Data[i*l*width:], x.Data[:l*width])
		}
	}
	tape := &Tape{}
	tied := Attention(tape, q, k, v, AttentionSpec{Heads: heads, Query: GridRows(0, n, l), Tied: n})
	scale := float32(math.Sqrt(float64(n) / (width / heads)))
	untied := Attention(tape, q, k, v, AttentionSpec{Heads: heads, Query: GridRows(0, n, l), Scale: scale})
	near(t, "tied", untied.Data, tied.Data, 1e-6)
}

// The slopes of 8 and of 12 heads as Press et al. 2022 publish them: a
// geometric sequence, and for 12 heads every other slope of 16 after it.
func TestALiBiSlopes(t *testing.T) {
	eight := []float64{0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625}
	for heads, want := range map[int][]float64{
		1:  {1. / 256},
		2:  {1. / 16, 1. / 256},
		8:  eight,
		12: append(slices.Clone(eight), math.Sqrt(0.5), math.Sqrt(0.5)/2, math.Sqrt(0.5)/4, math.Sqrt(0.5)/8),
	} {
		const radius = 5
		a := ALiBi(heads, radius)
		if !slices.Equal(a.Shape, []int{heads, 2*radius + 1}) || a.Trainable {
			t.Fatalf("%d heads: %v, trainable %v", heads, &a.Tensor, a.Trainable)
		}
		for h, slope := range want {
			for offset := -radius; offset <= radius; offset++ {
				got := float64(a.Data[h*(2*radius+1)+offset+radius])
				if exact := -slope * math.Abs(float64(offset)); math.Abs(got-exact) > 1e-7*math.Abs(exact) {
					t.Errorf("%d heads: head %d, offset %d: %v, want %v", heads, h, offset, got, exact)
				}
			}
		}
	}
}

// Weights are dropped at the given rate, independently for each query, key,
// head and segment; the others grow by 1/(1-rate). TestAttentionOverManyBlocks
// has shown that the blocked kernels draw the same mask.
func TestAttentionDropout(t *testing.T) {
	const n, heads = 600, 2
	for _, rate := range []float32{0.1, 0.5, 0.9} {
		q := Input(make([]float32, 2*n*8), 2*n, 8) // all weights are 1/n
		var seen []float32
		tape := &Tape{Rand: rand.New(rand.NewPCG(1, 2)), Probe: func(_ string, v *Var) { seen = v.Data }}
		Attention(tape, q, q, q, AttentionSpec{Name: "a", Heads: heads, Query: Packed(n, n), Dropout: rate})
		keep := 1 / (1 - float64(rate)) / n
		kept := func(i int) bool { return seen[i] != 0 }
		count := 0
		for i, w := range seen {
			if kept(i) {
				count++
				if math.Abs(float64(w)-keep) > 1e-6*keep {
					t.Fatalf("rate %v: weight %v, want 0 or %v", rate, w, keep)
				}
			}
		}
		p := 1 - float64(rate)
		within := func(what string, count, of int, p float64) {
			t.Helper()
			if sd := math.Sqrt(p * (1 - p) * float64(of)); math.Abs(float64(count)-p*float64(of)) > 5*sd {
				t.Errorf("rate %v: %s: %d of %d, want %.0f±%.0f", rate, what, count, of, p*float64(of), sd)
			}
		}
		within("kept", count, len(seen), p)
		// Two places hold the same fate with probability p² + (1-p)².
		for what, step := range map[string]int{"next key": 1, "next query": n, "next key block": 512, "next head": n * n, "next segment": heads * n * n} {
			same, of := 0, 0
			for i := 0; i+step < len(seen); i += 7 {
				of++
				if kept(i) == kept(i+step) {
					same++
				}
			}
			within(what, same, of, p*p+(1-p)*(1-p))
		}
	}
}

func TestDropoutKeepsTheRate(t *testing.T) {
	const n = 100_000
	ones := make([]float32, n)
	for i := range ones {
		ones[i] = 1
	}
	x := Input(ones, n)
	tape := &Tape{Rand: rand.New(rand.NewPCG(1, 2))}
	for _, rate := range []float32{0.1, 0.5, 0.9} {
		count := 0
		for _, v := range Dropout(tape, x, rate).Data {
			if v != 0 {
				count++
				if v != 1/(1-rate) {
					t.Fatalf("rate %v: kept value %v", rate, v)
				}
			}
		}
		p := 1 - float64(rate)
		if math.Abs(float64(count)-p*n) > 5*math.Sqrt(p*(1-p)*n) {
			t.Errorf("rate %v: kept %d of %d", rate, count, n)
		}
	}
	if Dropout(tape, x, 0) != x || Dropout(&Tape{}, x, 0.5) != x {
		t.Error("without a rate or a source of randomness Dropout does not return its input")
	}
}
