package autograd

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"heed/internal/kernel"
)

// pass is everything that a pass of a case computes, by value.
func (c *opCase) pass(t *Tape, in []*Var) (all []float32) {
	y := c.run(t, in)
	all = append(all, y.Data...)
	t.BackwardFrom(y, cotangent(len(y.Data)))
	for _, v := range in {
		all = append(all, t.Grad(v)...)
	}
	return all
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func TestSameBitsOnAnyNumberOfCores(t *testing.T) {
	for _, impl := range kernel.Available() {
		restore := kernel.Force(impl)
		for _, c := range allCases() {
			in := c.inputs()
			one := c.pass(&Tape{}, in)
			for _, cores := range []int{1, 2, 3} {
				if !sameBits(one, c.pass(&Tape{Cores: cores}, in)) {
					t.Errorf("%v: %s: other bits on %d cores", impl, c.name, cores)
				}
			}
		}
		restore()
	}
}

// Where many segments attend to the same keys, their gradients are added in one
// order, and no two cores write one row.
func TestSharedKeysSameBits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const segments, context, width = 60, 5, 16
	q, k, v := normal(r, segments*20, width), normal(r, context, width), normal(r, context, width)
	spec := AttentionSpec{Heads: 2, Query: GridRows(0, segments, 20), Key: make([]Segment, segments)}
	for i := range spec.Key {
		spec.Key[i] = Segment{0, context, 1}
	}
	cot := cotangent(len(q.Data))
	var want []float32
	for _, cores := range []int{1, 4, 4, 4} {
		tape := &Tape{Cores: cores}
		tape.BackwardFrom(Attention(tape, q, k, v, spec), cot)
		got := slices.Concat(tape.Grad(k), tape.Grad(v))
		if want == nil {
			want = got
		} else if !sameBits(want, got) {
			t.Errorf("other bits on %d cores", cores)
		}
	}
}

// A recycled buffer holds garbage, and no operation may read it: after a pass
// every buffer of the tape is filled with NaN, and the next pass gives the same
// bits.
func TestResetTapeGivesTheSameBits(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range allCases() {
		in := c.inputs()
		tape := &Tape{Cores: 2}
		want := c.pass(tape, in)
		for range 2 {
			tape.Reset()
			for _, class := range tape.arena.free {
				for _, b := range class {
					for i := range b {
						b[i] = nan
					}
				}
			}
			for _, p := range tape.params {
				for i := range p.sum {
					p.sum[i] = nan
				}
			}
			if !sameBits(want, c.pass(tape, in)) {
				t.Errorf("%s: other bits after Reset", c.name)
			}
		}
	}
}

// Backward leaves its inputs alone, and returns every gradient of a value in
// the middle to the arena.
func TestBackwardReturnsBuffers(t *testing.T) {
	for _, c := range allCases() {
		in := c.inputs()
		before := c.inputs()
		tape := &Tape{}
		y := c.run(tape, in)
		live := len(tape.arena.used)
		out := slices.Clone(y.Data)
		tape.BackwardFrom(y, cotangent(len(y.Data)))
		if tape.Probe == nil && len(tape.arena.used) > live {
			t.Errorf("%s: %d buffers live before Backward, %d after", c.name, live, len(tape.arena.used))
		}
		if y.Grad != nil {
			t.Errorf("%s: the gradient of the output outlives Backward without Keep", c.name)
		}
		if !sameBits(out, y.Data) {
			t.Errorf("%s: Backward changed the output", c.name)
		}
		for i := range in {
			if !sameBits(in[i].Data, before[i].Data) {
				t.Errorf("%s: input %d was changed", c.name, i)
			}
		}
	}
}

func TestKeepAndWatch(t *testing.T) {
	x := Input([]float32{1, 2, 3}, 3)
	var names []string
	tape := &Tape{Probe: func(name string, v *Var) { names = append(names, name) }}
	a := Scale(tape, x, 2)
	tape.Watch("a", a) // depends on nothing trainable
	b := Scale(tape, a, 5)
	tape.Keep(b)
	c := Scale(tape, b, 7)
	loss := Sum(tape, c)
	tape.Backward(loss)
	if !slices.Equal(names, []string{"a"}) {
		t.Errorf("the probe saw %q", names)
	}
	if !slices.Equal(tape.Grad(a), []float32{35, 35, 35}) || !slices.Equal(tape.Grad(b), []float32{7, 7, 7}) {
		t.Errorf("kept gradients %v and %v", tape.Grad(a), tape.Grad(b))
	}
	if tape.Grad(c) != nil || tape.Grad(loss) != nil || tape.Grad(x) != nil {
		t.Errorf("gradients that nobody kept: %v, %v, %v", tape.Grad(c), tape.Grad(loss), tape.Grad(x))
	}
	p := Param(3)
	tape.Keep(p)
	if p.keep || p.needs {
		t.Error("Keep changed a parameter, which other tapes share")
	}
}

// The gradient of the weights that a probe sees: for the loss Σ c·(W·v) it is
// c·vᵀ.
func TestProbeSeesTheGradientOfWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const n, d = 5, 4
	for _, trainable := range []bool{true, false} {
		q, k, v := normal(r, n, d), normal(r, n, d), normal(r, n, d)
		q.Trainable, k.Trainable, v.Trainable = trainable, trainable, trainable
		var w *Var
		tape := &Tape{Probe: func(_ string, v *Var) { w = v }}
		o := Attention(tape, q, k, v, AttentionSpec{Name: "layers.0", Heads: 1, Query: Packed(n)})
		cot := cotangent(n * d)
		tape.BackwardFrom(o, cot)
		want := make([]float32, n*n)
		kernel.Mul(&kernel.Work{}, kernel.Matrix(want, n, n), kernel.Matrix(cot, n, d), kernel.Matrix(v.Data, n, d).T(), false)
		near(t, "gradient of the weights", want, tape.Grad(w), 1e-6)
	}
}

func TestBackwardFrom(t *testing.T) {
	x := Param(2, 2)
	copy(x.Data, []float32{1, 2, 3, 4})
	tape := &Tape{}
	y := Scale(tape, x, 3)
	Scale(tape, y, 100) // later on the tape; the objective does not depend on it
	tape.BackwardFrom(y, []float32{1, 0, -1, 2})
	if want := []float32{3, 0, -3, 6}; !slices.Equal(tape.Grad(x), want) {
		t.Errorf("gradient %v, want %v", tape.Grad(x), want)
	}
}

func TestNoGrad(t *testing.T) {
	for _, c := range allCases() {
		in := c.inputs()
		want := slices.Clone(c.run(&Tape{}, in).Data)
		tape := &Tape{NoGrad: true}
		if y := c.run(tape, in); !sameBits(want, y.Data) || len(tape.steps) != 0 {
			t.Errorf("%s: NoGrad recorded %d steps or changed the values", c.name, len(tape.steps))
		}
	}
}

// A weight that serves twice, as the embedding that is also the output layer,
// gets the sum of both gradients.
func TestTiedWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	ids := []int32{2, 0, 4}
	table, copied := normal(r, 5, 3), Param(5, 3)
	copy(copied.Data, table.Data)
	tape := &Tape{}
	tape.Backward(CrossEntropy(tape, Linear(tape, Embedding(tape, table, ids), table, nil), ids, 3))
	two := &Tape{}
	two.Backward(CrossEntropy(two, Linear(two, Embedding(two, table, ids), copied, nil), ids, 3))
	want := slices.Clone(two.Grad(table))
	kernel.Add(want, two.Grad(copied))
	near(t, "tied gradient", want, tape.Grad(table), 1e-6)
}

// What a probe writes is what the rest of the pass computes with, and the
// gradient of what it wrote into is that at the new value.
func TestProbeIntervenes(t *testing.T) {
	w := Param(1, 1)
	w.Data[0] = 3
	tape := &Tape{Probe: func(name string, v *Var) { v.Data[0] = 5 }}
	x := Linear(tape, Input([]float32{2}, 1, 1), w, nil)
	tape.Watch("x", x)
	y := Mul(tape, x, x)
	if y.Data[0] != 25 {
		t.Errorf("%v after the intervention, want 25", y.Data[0])
	}
	tape.Backward(y)
	if g := tape.Grad(x); g[0] != 10 {
		t.Errorf("gradient %v, want 10", g)
	}
}

// On a frozen tape parameters are constants, and what was kept has its gradient
// all the same.
func TestFrozen(t *testing.T) {
	w := Param(1, 1)
	w.Data[0] = 3
	tape := &Tape{Frozen: true}
	x := Linear(tape, Input([]float32{2}, 1, 1), w, nil)
	tape.Keep(x)
	y := Linear(tape, x, w, nil)
	tape.Backward(y)
	if g := tape.Grad(w); g != nil {
		t.Errorf("gradient %v of a parameter on a frozen tape", g)
	}
	if g := tape.Grad(x); len(g) != 1 || g[0] != 3 {
		t.Errorf("gradient %v of what was kept, want 3", g)
	}
}

// Without weights a probe sees everything else, and attention stays blocked.
func TestNoWeights(t *testing.T) {
	var seen []string
	tape := &Tape{NoWeights: true, Probe: func(name string, v *Var) { seen = append(seen, name) }}
	x := Input(make([]float32, 12), 3, 4)
	tape.Watch("o", Attention(tape, x, x, x, AttentionSpec{Name: "a", Heads: 2, Query: Packed(3)}))
	if !slices.Equal(seen, []string{"o"}) {
		t.Errorf("the probe saw %q", seen)
	}
}
