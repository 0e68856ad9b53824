package bench

import (
	"fmt"
	"math"
	"math/rand/v2"

	"heed/autograd"
	"heed/internal/kernel"
	"heed/internal/par"
)

// A Kernel is the throughput of one inner loop.
type Kernel struct {
	What   string  `json:"what"`
	Cores  int     `json:"cores"`
	GFLOPS float64 `json:"gflops"`
	Share  float64 `json:"share"` // of the peak of as many cores
	Rounds int     `json:"rounds"`
}

// A work is something to be timed.
type work struct {
	what  string
	flops float64 // of one run
	run   func()
}

// kernels lists the products and the attention that models are made of. On several
// cores a large product is cut by rows, and the others run on every core, each with
// data of its own.
func kernels(cores int) []work {
	r := rand.New(rand.NewPCG(1, 2))
	var out []work
	for _, n := range []int{256, 1024} {
		out = append(out, square(n, cores, r))
	}
	out = append(out,
		product("linear layer, 2,016 x 128 to 512", 2016, 512, 128, false, cores, r),
		product("gradient of its weights, 512 x 128 over 2,016", 512, 128, 2016, true, cores, r),
		heads(252, cores, false, r), heads(252, cores, true, r), heads(2048, cores, false, r), convolution(cores, r))
	return out
}

func numbers(n int, r *rand.Rand) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// square is a product of n x n matrices, of which all cores make parts.
func square(n, cores int, r *rand.Rand) work {
	a, b, c := kernel.Matrix(numbers(n*n, r), n, n), kernel.Matrix(numbers(n*n, r), n, n), kernel.Matrix(make([]float32, n*n), n, n)
	w := work{fmt.Sprintf("product of %d x %d matrices", n, n), 2 * math.Pow(float64(n), 3), nil}
	if cores == 1 {
		own := &kernel.Work{}
		w.run = func() { kernel.Mul(own, c, a, b, false) }
		return w
	}
	crew := kernel.NewWorkers(cores)
	w.run = func() { kernel.MulParallel(crew, c, a, b, nil, false) }
	return w
}

// product is C (m, n) = A (m, k) · B (k, n), with A stored by columns if across, on
// every core.
func product(what string, m, n, k int, across bool, cores int, r *rand.Rand) work {
	type own struct {
		a, b, c kernel.View
		work    kernel.Work
	}
	all := make([]own, cores)
	for i := range all {
		all[i].a, all[i].b, all[i].c = kernel.Matrix(numbers(m*k, r), m, k), kernel.Matrix(numbers(k*n, r), k, n), kernel.Matrix(make([]float32, m*n), m, n)
		if across {
			all[i].a = kernel.Matrix(all[i].a.Data, k, m).T()
		}
	}
	return work{what, 2 * float64(m) * float64(n) * float64(k) * float64(cores), func() {
		par.Do(cores, cores, func(_, i int) { kernel.Mul(&all[i].work, all[i].c, all[i].a, all[i].b, false) })
	}}
}

// heads is attention of four heads of width 32 over rows tokens, on every core. Its
// products are counted: two forward, and five backward, because the scores are
// computed again. The exponentials, which take their time, are not.
func heads(rows, cores int, backward bool, r *rand.Rand) work {
	const width, count = 128, 4
	what, products := fmt.Sprintf("attention, 4 heads of 32, %d tokens", rows), 2.0
	if backward {
		what, products = what+", and its gradient", 7
	}
	type own struct {
		t       autograd.Tape
		q, k, v *autograd.Var
		grad    []float32
	}
	all := make([]*own, cores)
	for i := range all {
		o := &own{q: autograd.Input(numbers(rows*width, r), rows, width), k: autograd.Input(numbers(rows*width, r), rows, width),
			v: autograd.Input(numbers(rows*width, r), rows, width), grad: numbers(rows*width, r)}
		o.t.NoGrad = !backward
		o.q.Trainable, o.k.Trainable, o.v.Trainable = backward, backward, backward
		all[i] = o
	}
	return work{what, products * 2 * float64(rows) * float64(rows) * width * float64(cores), func() {
		par.Do(cores, cores, func(_, i int) {
			o := all[i]
			o.t.Reset()
			y := autograd.Attention(&o.t, o.q, o.k, o.v, autograd.AttentionSpec{Heads: count, Query: autograd.Packed(rows)})
			if backward {
				o.t.BackwardFrom(y, o.grad)
			}
		})
	}}
}

// convolution is one of a volume, on every core.
func convolution(cores int, r *rand.Rand) work {
	const edge, in, out, window = 16, 32, 32, 3
	type own struct {
		t       autograd.Tape
		x, w, b *autograd.Var
	}
	all := make([]*own, cores)
	for i := range all {
		o := &own{x: autograd.Input(numbers(edge*edge*edge*in, r), 1, edge, edge, edge, in), w: autograd.Param(window, window, window, in, out), b: autograd.Param(out)}
		copy(o.w.Data, numbers(len(o.w.Data), r))
		o.t.NoGrad = true
		all[i] = o
	}
	return work{fmt.Sprintf("convolution of 3³ over %d³ voxels, %d to %d channels", edge, in, out), 2 * edge * edge * edge * window * window * window * in * out * float64(cores), func() {
		par.Do(cores, cores, func(_, i int) {
			o := all[i]
			o.t.Reset()
			autograd.Conv3D(&o.t, o.x, o.w, o.b, autograd.Cube(1, 1))
		})
	}}
}
