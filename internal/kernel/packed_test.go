package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// A packed operand gives the bits of the plain one, for several targets at once,
// whichever implementation packed it and whichever reads it.
func TestMulPacked(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	sizes := [][3]int{{1, 1, 1}, {256, 320, 320}, {570, 33, 5}, {5, 37, 1300}, {17, 150, 513}, {1200, 40, 9}, {40, 170, 1024}, {3, 0, 4}, {4, 5, 0}, {0, 7, 8}}
	for range 60 {
		sizes = append(sizes, [3]int{1 + r.IntN(90), 1 + r.IntN(140), 1 + r.IntN(80)})
	}
	for _, s := range sizes {
		m, n, k := s[0], s[1], s[2]
		layout := r.IntN(len(layouts))
		a := layouts[layout].make(r, m, k)
		var plain []matrix
		for i := range 3 {
			plain = append(plain, layouts[r.IntN(len(layouts))].make(r, k, n+7*i))
		}
		bias := newMatrix(r, 1, n, n, 1).Data
		for _, packer := range Available() {
			restore := Force(packer)
			var packed []*Packed
			for _, b := range plain {
				packed = append(packed, Pack(new(Work), b.View, nil))
			}
			restore()
			for _, impl := range Available() {
				for cores := 1; cores < 4; cores++ {
					restore := Force(impl)
					var targets []Target
					var got []matrix
					panels := 0
					for i, b := range packed {
						c := newMatrix(r, m, b.Cols(), b.Cols()+i, 1)
						got = append(got, c)
						targets = append(targets, Target{C: c.View, B: b})
						panels += parts(b.Cols(), packWidth)
					}
					targets[0].Bias = bias
					mulPacked(NewWorkers(cores), a.View, targets, panels, cores)
					for i, c := range got {
						want := newMatrix(r, m, c.Cols, c.Cols, 1)
						MulBias(new(Work), want.View, a.View, plain[i].View, targets[i].Bias)
						checkGuards(t, c)
						for y := range m {
							for x := range c.Cols {
								if c.at(y, x) != want.at(y, x) {
									t.Fatalf("%v (packed by %v), %d cores: (%d, %d, %d) with A of %s: target %d, element (%d, %d) is %v, want %v",
										impl, packer, cores, m, n, k, layouts[layout].name, i, y, x, c.at(y, x), want.at(y, x))
								}
							}
						}
					}
					restore()
				}
			}
		}
	}
}

func TestPackInPlace(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	w := newMatrix(r, 64, 50, 50, 1) // (N, K), as layers keep it
	a := newMatrix(r, 9, 50, 50, 1)
	want, got := newMatrix(r, 9, 64, 64, 1), newMatrix(r, 9, 64, 64, 1)
	MulBias(new(Work), want.View, a.View, w.T(), nil)
	p := Pack(new(Work), w.T(), w.Data)
	if &p.data[0] != &w.Data[0] {
		t.Error("the memory was not used again")
	}
	MulPacked(NewWorkers(1), a.View, Target{C: got.View, B: p})
	if fmt.Sprint(got.Data) != fmt.Sprint(want.Data) {
		t.Error("another product")
	}
	checkGuards(t, w)
}

// A worker whose task fails must not leave others waiting for its strips.
func TestMulPackedRaisesPanics(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	a, b := newMatrix(r, 200, 1200, 1200, 1), newMatrix(r, 1200, 64, 64, 1)
	p := Pack(new(Work), b.View, nil)
	p.data = p.data[: len(p.data)/2 : len(p.data)/2] // the second panel is missing
	c := newMatrix(r, 200, 64, 64, 1)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	MulPacked(NewWorkers(2), a.View, Target{C: c.View, B: p})
}

func BenchmarkMulPacked(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range [][3]int{{256, 320, 320}, {256, 1280, 320}, {256, 320, 1280}, {256, 640, 2560}, {256, 1280, 5120}, {1024, 1024, 1024}} {
		for _, cores := range []int{1, 2} {
			m, n, k := s[0], s[1], s[2]
			a, c := newMatrix(r, m, k, k, 1), newMatrix(r, m, n, n, 1)
			// As many operands as weights of a model, which no second cache holds.
			var ps []*Packed
			var ws []matrix
			for range max(1, 1<<23/(n*k)) {
				w := newMatrix(r, n, k, k, 1)
				ws = append(ws, w)
				ps = append(ps, Pack(new(Work), w.T(), nil))
			}
			w := NewWorkers(cores)
			run := func(name string, f func(i int)) {
				b.Run(fmt.Sprintf("%s/%dx%dx%d/%d", name, m, n, k, cores), func(b *testing.B) {
					i := 0
					for b.Loop() {
						f(i % len(ps))
						i++
					}
					b.ReportMetric(2e-9*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds(), "GFLOP/s")
				})
			}
			run("packed", func(i int) { MulPacked(w, a.View, Target{C: c.View, B: ps[i]}) })
			run("plain", func(i int) { MulParallel(w, c.View, a.View, ws[i].T(), nil, false) })
		}
	}
}
