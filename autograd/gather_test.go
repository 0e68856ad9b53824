package autograd

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"heed/internal/par"
)

// A leafNet is two parameters, one of which is longer than a chunk of Gather.
type leafNet struct{ w, b *Var }

func (n *leafNet) loss(t *Tape, x []float32, rows int) *Var {
	return Sum(t, GELU(t, Linear(t, Input(x, rows, n.w.Dim(1)), n.w, n.b)))
}

func newLeafNet() (n leafNet, x []float32) {
	r := rand.New(rand.NewPCG(1, 2))
	n = leafNet{normal(r, 130, 140), normal(r, 130)}
	return n, normal(r, 24, 140).Data
}

// leaves runs the batch cut into tapes, on any number of cores.
func (n *leafNet) leaves(x []float32, count int) []*Tape {
	tapes := make([]*Tape, count)
	width := n.w.Dim(1)
	rows := len(x) / width / count
	par.Do(count, par.Cores(), func(_, i int) {
		tapes[i] = &Tape{}
		tapes[i].Backward(n.loss(tapes[i], x[i*rows*width:(i+1)*rows*width], rows))
	})
	return tapes
}

func TestGatherSameBitsOnAnyNumberOfCores(t *testing.T) {
	n, x := newLeafNet()
	params := []*Var{n.w, n.b}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var want [2][]float32
	for _, cores := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(cores)
		Gather(params, n.leaves(x, 8)...)
		for i, p := range params {
			if want[i] == nil {
				want[i] = slices.Clone(p.Grad)
			} else if !sameBits(want[i], p.Grad) {
				t.Errorf("parameter %d: other bits on %d cores", i, cores)
			}
		}
	}
}

// A batch cut into leaves has the gradient of the whole.
func TestGatherOfLeavesEqualsTheWhole(t *testing.T) {
	n, x := newLeafNet()
	params := []*Var{n.w, n.b}
	Gather(params, n.leaves(x, 1)...)
	w, b := slices.Clone(n.w.Grad), slices.Clone(n.b.Grad)
	for _, count := range []int{2, 3, 4, 6, 8} {
		Gather(params, n.leaves(x, count)...)
		near(t, "weight", w, n.w.Grad, 1e-6)
		near(t, "bias", b, n.b.Grad, 1e-6)
	}
}

// The tree is ((0+1)+(2+3))+4, not a running sum: the values are such that
// every order of additions rounds differently.
func TestGatherAddsAlongTheTree(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	p, untouched := Param(20_000), Param(3)
	untouched.Grad = []float32{9, 9, 9}
	for count := 1; count <= 9; count++ {
		tapes := make([]*Tape, count)
		g := make([][]float32, count)
		for i := range tapes {
			tapes[i] = &Tape{}
			g[i] = normal(r, len(p.Data)).Data
			tapes[i].BackwardFrom(Scale(tapes[i], p, 1), g[i])
		}
		Gather([]*Var{p, untouched}, tapes...)
		for j, got := range p.Grad {
			var tree func(lo, hi int) float32
			tree = func(lo, hi int) float32 {
				if hi-lo == 1 {
					return g[lo][j]
				}
				half := 1
				for half < (hi-lo+1)/2 {
					half *= 2
				}
				return tree(lo, lo+half) + tree(lo+half, hi)
			}
			if want := tree(0, count); got != want {
				t.Fatalf("%d tapes: element %d: %v, want %v", count, j, got, want)
			}
		}
		if count == 5 {
			running, same := float32(0), true
			for j := range p.Grad {
				running = g[0][j]
				for i := 1; i < 5; i++ {
					running += g[i][j]
				}
				same = same && running == p.Grad[j]
			}
			if same {
				t.Error("the values do not tell a tree from a running sum")
			}
		}
		if !slices.Equal(untouched.Grad, []float32{0, 0, 0}) {
			t.Errorf("a parameter that no tape has touched has the gradient %v", untouched.Grad)
		}
	}
}

// Leaves that do not use a parameter are left out of its tree.
func TestGatherOfPartlyUsedParameter(t *testing.T) {
	p, q := Param(2), Param(2)
	tapes := make([]*Tape, 4)
	for i := range tapes {
		tapes[i] = &Tape{}
		v := p
		if i%2 == 1 {
			v = q
		}
		tapes[i].BackwardFrom(Scale(tapes[i], v, 1), []float32{float32(i), 1})
	}
	Gather([]*Var{p, q}, tapes...)
	if !slices.Equal(p.Grad, []float32{2, 2}) || !slices.Equal(q.Grad, []float32{4, 2}) {
		t.Errorf("gradients %v and %v", p.Grad, q.Grad)
	}
}
