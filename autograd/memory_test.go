package autograd

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

// A stack is two encoder layers as autograd sees them.
type stack struct {
	table, gamma, beta, qkv, out, up, down *Var
	params                                 []*Var
}

func newStack(width int) *stack {
	r := rand.New(rand.NewPCG(1, 2))
	s := &stack{table: normal(r, 8, width), gamma: normal(r, width), beta: normal(r, width),
		qkv: normal(r, width, width), out: normal(r, width, width), up: normal(r, 4*width, width), down: normal(r, width, 4*width)}
	s.params = []*Var{s.table, s.gamma, s.beta, s.qkv, s.out, s.up, s.down}
	for _, w := range s.params {
		for i := range w.Data {
			w.Data[i] *= 0.1
		}
	}
	return s
}

// loss is that of predicting every token from itself.
func (s *stack) loss(t *Tape, ids []int32, segments []Segment) *Var {
	x := Embedding(t, s.table, ids)
	for range 2 {
		y := LayerNorm(t, x, s.gamma, s.beta, 1e-5)
		q, k, v := Linear(t, y, s.qkv, nil), Linear(t, y, s.qkv, nil), Linear(t, y, s.qkv, nil)
		y = Attention(t, q, k, v, AttentionSpec{Name: "attention", Heads: 4, Query: segments, Dropout: 0.1})
		x = Add(t, x, Dropout(t, Linear(t, y, s.out, nil), 0.1))
		y = LayerNorm(t, x, s.gamma, s.beta, 1e-5)
		x = Add(t, x, Linear(t, GELU(t, Linear(t, y, s.up, nil)), s.down, nil))
	}
	return CrossEntropy(t, Linear(t, x, s.table, nil), ids, float32(len(ids)))
}

func (s *stack) step(t *Tape, ids []int32, segments []Segment) {
	t.Reset()
	t.Backward(s.loss(t, ids, segments))
	Gather(s.params, t)
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// After the first steps only closures and small slices are allocated, also
// where the lengths change from batch to batch: about 20 kB a step, against 4 MB
// of values and gradients.
func TestSteadyStateAllocatesNoData(t *testing.T) {
	s := newStack(32)
	ids := make([]int32, 512)
	for i := range ids {
		ids[i] = int32(i % 8)
	}
	batches := [][]Segment{Packed(200, 100, 0, 1, 211), Packed(512), Packed(150, 80)}
	for _, cores := range []int{1, 2} {
		tape := &Tape{Rand: rand.New(rand.NewPCG(1, 2)), Cores: cores}
		all := func() {
			for _, b := range batches {
				rows := b[len(b)-1].Start + b[len(b)-1].Count
				s.step(tape, ids[:rows], b)
			}
		}
		all()
		all()
		const rounds = 5
		perStep := allocated(func() {
			for range rounds {
				all()
			}
		}) / uint64(rounds*len(batches))
		if perStep > 48<<10 {
			t.Errorf("%d cores: %d bytes a step, want at most 48 KiB", cores, perStep)
		}
	}
}

// Recurrent operations too take all their data from the tape: what is allocated
// does not grow with the width.
func TestRecurrentSteadyState(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const in, h = 24, 32
	x, decay := normal(r, 512, in), normal(r, 512, h)
	wi, bi, wh, bh := normal(r, 4*h, in), normal(r, 4*h), normal(r, 4*h, h), normal(r, 4*h)
	gi, ci, gh, ch := normal(r, 3*h, in), normal(r, 3*h), normal(r, 3*h, h), normal(r, 3*h)
	batches := [][]Segment{Packed(200, 100, 0, 1, 211), Packed(512), Packed(150, 80)}
	tape := &Tape{}
	all := func() {
		for _, b := range batches {
			tape.Reset()
			y := Add(tape, LSTM(tape, x, wi, bi, wh, bh, b, true), GRU(tape, x, gi, ci, gh, ch, decay, b, false))
			tape.Backward(Sum(tape, y))
		}
	}
	all()
	all()
	const rounds = 5
	perStep := allocated(func() {
		for range rounds {
			all()
		}
	}) / uint64(rounds*len(batches))
	if perStep > 24<<10 {
		t.Errorf("%d bytes a step, want at most 24 KiB", perStep)
	}
	t.Logf("%d bytes a step", perStep)
}

// Forward and backward of attention take memory beyond inputs, output and
// gradients in proportion to the length, not to its square: at 16,384 rows of 4
// heads of 32 less than 64 MiB, where one matrix of weights has 1 GiB. The test
// runs an eighth of that length with an eighth of the memory; run the benchmark
// for the whole.
func TestAttentionMemoryIsLinear(t *testing.T) {
	const length = 2048
	if extra := attentionMemory(length); extra > 64<<20*length/16384 {
		t.Errorf("%d rows: %d bytes beyond inputs, output and gradients", length, extra)
	}
}

// attentionMemory returns the bytes that one forward and backward pass of a
// fresh tape allocates beyond its output and gradients.
func attentionMemory(length int) int {
	const heads, width = 4, 4 * 32
	r := rand.New(rand.NewPCG(1, 2))
	q, k, v := normal(r, length, width), normal(r, length, width), normal(r, length, width)
	cot := cotangent(length * width)
	extra := allocated(func() {
		t := &Tape{}
		t.BackwardFrom(Attention(t, q, k, v, AttentionSpec{Heads: heads, Query: Packed(length)}), cot)
	})
	return int(extra) - 5*4*length*width // output, its gradient, and those of q, k and v
}

func BenchmarkAttentionMemory(b *testing.B) {
	for _, length := range []int{4096, 16384} {
		b.Run(fmt.Sprint(length), func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(attentionMemory(length))/(1<<20), "extra-MiB")
			}
		})
	}
}

func BenchmarkAttention(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name        string
		rows, width int
		spec        AttentionSpec
	}{
		{"packed 8 of 128", 1024, 128, AttentionSpec{Heads: 4, Query: Packed(128, 128, 128, 128, 128, 128, 128, 128)}},
		{"one of 1024", 1024, 128, AttentionSpec{Heads: 4, Query: Packed(1024)}},
		{"causal of 1024", 1024, 128, AttentionSpec{Heads: 4, Query: Packed(1024), Causal: true}},
		{"relative of 1024", 1024, 128, AttentionSpec{Heads: 4, Query: Packed(1024), Relative: normal(r, 4, 255)}},
		{"columns of 64 x 64", 4096, 64, AttentionSpec{Heads: 4, Query: GridColumns(0, 64, 64)}},
		{"tied rows of 64 x 64", 4096, 64, AttentionSpec{Heads: 4, Query: GridRows(0, 64, 64), Tied: 64}},
	} {
		q, k, v := normal(r, c.rows, c.width), normal(r, c.rows, c.width), normal(r, c.rows, c.width)
		cot := cotangent(len(q.Data))
		b.Run(c.name+"/forward", func(b *testing.B) {
			t := &Tape{NoGrad: true}
			for b.Loop() {
				t.Reset()
				Attention(t, q, k, v, c.spec)
			}
		})
		b.Run(c.name+"/both", func(b *testing.B) {
			b.ReportAllocs()
			t := &Tape{}
			for b.Loop() {
				t.Reset()
				t.BackwardFrom(Attention(t, q, k, v, c.spec), cot)
			}
		})
	}
}

func BenchmarkStep(b *testing.B) {
	b.ReportAllocs()
	s := newStack(64)
	ids := make([]int32, 1024)
	for i := range ids {
		ids[i] = int32(i % 8)
	}
	segments := Packed(300, 200, 24, 500)
	t := &Tape{Rand: rand.New(rand.NewPCG(1, 2))}
	for b.Loop() {
		s.step(t, ids, segments)
	}
}

// BenchmarkLSTM runs 32 segments of 128 rows, forward and backward.
func BenchmarkLSTM(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, h := range []int{32, 64, 128} {
		b.Run(fmt.Sprint(h), func(b *testing.B) {
			lengths := make([]int, 32)
			for i := range lengths {
				lengths[i] = 128
			}
			x := normal(r, 32*128, h)
			wi, bi, wh, bh := normal(r, 4*h, h), normal(r, 4*h), normal(r, 4*h, h), normal(r, 4*h)
			for _, w := range []*Var{wi, bi, wh, bh} {
				for i := range w.Data {
					w.Data[i] *= 0.1
				}
			}
			cot := cotangent(len(x.Data))
			t := &Tape{}
			for b.Loop() {
				t.Reset()
				t.BackwardFrom(LSTM(t, x, wi, bi, wh, bh, Packed(lengths...), false), cot)
			}
			// Three products of 8·H·2H multiplications and additions a row.
			b.ReportMetric(float64(b.N)*3*32*128*16*float64(h*h)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
	}
}
