package explain

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"heed/autograd"
	"heed/metric"
)

// wired is one layer of attention whose weights and values are given: four heads
// of width 1 over four positions and pads that are masked. What the first
// position receives, times out, is the score.
//
//	head  weights of position 0    values        out
//	0     .6 .15 .15 .1            0 2 0 0        1   a sink and a signal
//	1     .6 .15 .15 .1            0 0 -2 0       1   a sink and a suppressor
//	2     1  0   0   0             0 0 0 9        1   a sink alone
//	3     0  .5  .5  0             0 4 4 0        0   much, and W_O is zero
func wired(pads int) *Case {
	const heads = 4
	row := [heads][4]float64{{.6, .15, .15, .1}, {.6, .15, .15, .1}, {1, 0, 0, 0}, {0, .5, .5, 0}}
	value := [heads][4]float32{{0, 2, 0, 0}, {0, 0, -2, 0}, {0, 0, 0, 9}, {0, 4, 4, 0}}
	length := 4 + pads
	bias := autograd.Input(make([]float32, heads*length*length), heads, length, length)
	v := make([]float32, length*heads)
	mask := make([]bool, length)
	for i := range length {
		mask[i] = i < 4
		for h := range heads {
			for j := range 4 {
				w := .25 // of the other queries
				if i == 0 {
					w = row[h][j]
				}
				bias.Data[(h*length+i)*length+j] = float32(math.Log(max(w, 1e-30)))
			}
			if i < 4 {
				v[i*heads+h] = value[h][i]
			} else {
				v[i*heads+h] = 1e3 // garbage
			}
		}
	}
	return &Case{Rows: length, Readout: ReadRow(length, 0), Run: func(t *autograd.Tape, n int) *autograd.Var {
		lengths, first := slices.Repeat([]int{length}, n), make([]int32, n)
		for i := range first {
			first[i] = int32(i * length)
		}
		x := autograd.Input(slices.Repeat(v, n), n*length, heads)
		t.Watch("layers.0.input", x)
		zero := autograd.Input(make([]float32, len(x.Data)), n*length, heads)
		o := autograd.Attention(t, zero, zero, x, autograd.AttentionSpec{
			Name: "layers.0.attention", Heads: heads, Query: autograd.Packed(lengths...), Bias: bias, KeyMask: slices.Repeat(mask, n),
		})
		t.Watch("layers.0.attention.heads", o)
		out := autograd.Linear(t, o, autograd.Input([]float32{1, 1, 1, 0}, 1, heads), nil)
		return autograd.Rows(t, out, first)
	}}
}

func TestAblateWired(t *testing.T) {
	for _, pads := range []int{0, 50} {
		c := wired(pads)
		if math.Abs(c.Score()) > 1e-6 {
			t.Fatalf("%d pads: score %v, want 0", pads, c.Score())
		}
		for _, batch := range []int{0, 1, 3, 100} {
			s := must(AblateHeads(background, c, batch, ZeroHead))
			if !slices.Equal(s.Layers, []string{"layers.0.attention"}) {
				t.Fatalf("layers %v", s.Layers)
			}
			near(t, "zeroed", s.Values[0], []float64{.3, -.3, 0, 0}, 1e-6)
		}
		near(t, "importance", must(HeadImportance([]*Case{c})).Values[0], []float64{.3, .3, 0, 0}, 1e-6)
	}
	// Three of four rows are uniform: the mean row is a quarter of the first one
	// and three quarters of 1/4.
	mean := must(AblateHeads(background, wired(0), 4, MeanHead))
	near(t, "mean", mean.Values[0], []float64{.3 - 2*(.15/4+.75/4), -.3 + 2*(.15/4+.75/4), -9 * .75 / 4, 0}, 1e-6)
	uniform := must(AblateHeads(background, wired(0), 4, UniformHead))
	near(t, "uniform", uniform.Values[0], []float64{.3 - 2./4, -.3 + 2./4, -9. / 4, 0}, 1e-6)
}

// TestAblateModel compares a batch of copies with one pass for each head, on one
// core and on many.
func TestAblateModel(t *testing.T) {
	for _, pooling := range []string{"cls", "mean"} {
		m, c := smallCase(t, pooling)
		s := must(AblateHeads(background, c, 3, ZeroHead))
		for l, row := range s.Values {
			for h, got := range row {
				probe := s.Without([]Head{{l, h}})
				y := c.Run(&autograd.Tape{NoGrad: true, Probe: probe}, 1)
				if want := c.Score() - float64(y.Data[0]); math.Abs(got-want) > 1e-6 || want == 0 {
					t.Errorf("layer %d head %d: effect %v, want %v", l, h, got, want)
				}
			}
		}
		for _, cores := range []int{1, 4} {
			old := runtime.GOMAXPROCS(cores)
			again := must(AblateHeads(background, c, 1, ZeroHead))
			runtime.GOMAXPROCS(old)
			if !slices.EqualFunc(again.Values, s.Values, slices.Equal) {
				t.Errorf("%d cores, batch 1: %v, want %v", cores, again.Values, s.Values)
			}
		}
		other := must(AblateHeads(background, caseOf(m, []int32{3, 4, 6, 5, 3, 3, 6, 4, 5}, 0), 3, ZeroHead))
		for l, row := range other.Values {
			for h, v := range row {
				if v != -s.Values[l][h] {
					t.Errorf("layer %d head %d: other class %v, want %v negated", l, h, v, s.Values[l][h])
				}
			}
		}
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	if _, err := AblateHeads(ctx, wired(0), 1, ZeroHead); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestHeadImportance compares the gate gradient with a difference quotient: the
// probe multiplies the weights of the head.
func TestHeadImportance(t *testing.T) {
	m, a := smallCase(t, "cls")
	b := caseOf(m, []int32{6, 6, 3, 4}, 0)
	got := must(HeadImportance([]*Case{a, b}))
	const step = 1e-2
	for l, row := range got.Values {
		for h, v := range row {
			want := 0.0
			for _, c := range []*Case{a, b} {
				score := func(gate float32) float64 {
					return float64(c.Run(&autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
						if name == got.Layers[l]+".weights" {
							ablateHead(v, 0, 1, h, func(w []float32, _ int) {
								for i := range w {
									w[i] *= gate
								}
							})
						}
					}}, 1).Data[0])
				}
				want += math.Abs(score(1+step)-score(1-step)) / (2 * step) / 2
			}
			if math.Abs(v-want) > 2e-3*(1+want) || want < 1e-3 {
				t.Errorf("layer %d head %d: importance %v, difference quotient %v", l, h, v, want)
			}
		}
	}
	old := runtime.GOMAXPROCS(1)
	again := must(HeadImportance([]*Case{a, b}))
	runtime.GOMAXPROCS(old)
	if !slices.EqualFunc(again.Values, got.Values, slices.Equal) {
		t.Error("importance depends on the number of cores")
	}
	for _, row := range got.PerLayer().Values {
		if d := math.Hypot(row[0], row[1]); math.Abs(d-1) > 1e-12 {
			t.Errorf("normalised layer %v has length %v", row, d)
		}
	}
	for _, e := range []struct {
		cases []*Case
		want  string
	}{
		{nil, "importance of heads without cases"},
		{[]*Case{a, wired(0)}, "case 1 has 1 attentions, case 0 has 2"},
	} {
		if _, err := HeadImportance(e.cases); err == nil || err.Error() != e.want {
			t.Errorf("error %v, want %q", err, e.want)
		}
	}
}

// TestPrune has a data set whose score is the sum of the values of the heads
// that are left.
func TestPrune(t *testing.T) {
	s := &HeadScores{Layers: []string{"a", "b"}, Values: [][]float64{{5, 1, 4, 0, 9}, {3, 8, 2, 6, 7}}}
	if first := s.Order()[:3]; !slices.Equal(first, []Head{{0, 3}, {0, 1}, {1, 2}}) {
		t.Errorf("order %v", first)
	}
	evaluations := 0
	evaluate := func(probe func(string, *autograd.Var)) (metric.Interval, error) {
		evaluations++
		sum := 0.0
		for l, name := range s.Layers {
			w := autograd.Input(slices.Repeat([]float32{1}, 2*5*3*3), 2, 5, 3, 3)
			probe(name+".weights", w)
			for h, v := range s.Values[l] {
				for _, g := range []int{0, 1} {
					part := w.Data[(g*5+h)*9 : (g*5+h+1)*9]
					if slices.Min(part) != slices.Max(part) {
						t.Fatalf("head %d is half there", h)
					}
					sum += v * float64(part[0]) / 2
				}
			}
		}
		return metric.Interval{Estimate: sum}, nil
	}
	steps, err := s.Prune(background, 3, rand.New(rand.NewPCG(1, 2)), evaluate)
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) != 11 || evaluations != 11+9*3 {
		t.Fatalf("%d steps, %d evaluations", len(steps), evaluations)
	}
	left := 45.0
	for i, step := range steps {
		if step.Removed != i || step.Score.Estimate != left {
			t.Errorf("step %d: %d removed, score %v, want %v", i, step.Removed, step.Score.Estimate, left)
		}
		for _, r := range step.Random {
			if r > left || (i == 0 || i == 10) && r != left {
				t.Errorf("step %d: random order leaves %v of at most %v", i, r, left)
			}
		}
		left -= float64(i)
	}
	if r := steps[5].Random; r[0] == r[1] && r[1] == r[2] {
		t.Errorf("random orders are alike: %v", r)
	}
	broken := errors.New("no data")
	if _, err := s.Prune(background, 1, rand.New(rand.NewPCG(1, 2)), func(func(string, *autograd.Var)) (metric.Interval, error) {
		return metric.Interval{}, broken
	}); err != broken {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	if _, err := s.Prune(ctx, 1, rand.New(rand.NewPCG(1, 2)), evaluate); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
