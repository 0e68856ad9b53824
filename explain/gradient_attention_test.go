package explain

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"heed/autograd"
	"heed/nn"
)

// wired returns the case of one layer of attention of one head, in which each
// of the queries gives the weights to the keys (K) and gets the mean of their
// values by these weights. The score is the sum of what the queries get.
func wiredRows(queries int, weights, values []float32) *Case {
	logs := make([]float32, len(weights))
	for i, w := range weights {
		logs[i] = float32(math.Log(float64(w)))
	}
	return &Case{Rows: len(weights), Readout: ReadRow(len(weights), 0), Run: func(t *autograd.Tape, n int) *autograd.Var {
		one := make([]float32, queries)
		for i := range one {
			one[i] = 1
		}
		v := autograd.Input(values, len(values), 1)
		y := autograd.Attention(t, autograd.Input(one, queries, 1), autograd.Input(logs, len(logs), 1), v, autograd.AttentionSpec{
			Name: "a", Heads: 1, Query: autograd.Packed(queries), Key: autograd.Packed(len(logs)),
		})
		return autograd.Reshape(t, autograd.Sum(t, y), 1, 1)
	}}
}

// TestSinkSignalSuppressor is the table of hand-wired attention: most weight
// lies where nothing is, and two positions pull the score up and down.
func TestSinkSignalSuppressor(t *testing.T) {
	weights, values := []float32{0.1, 0.6, 0.15, 0.15}, []float32{0, 0, 2, -2}
	c := wiredRows(4, weights, values)
	layers := AttentionGradient(c)
	for part, want := range map[Part][]float64{
		Signed:   {0, 0, 0.3, -0.3},
		Positive: {0, 0, 0.3, 0},
		Negative: {0, 0, 0, 0.3},
	} {
		closeTo(t, part.String(), GradientAttention(layers, c.Readout, part), want, 1e-6)
	}
	// Rollout puts the sink first, and both others at the same place.
	closeTo(t, "rollout", RolloutFrom(layers, c.Readout, Mean), []float64{0.55, 0.3, 0.075, 0.075}, 1e-6)
}

// TestOneLayer: one layer gives the mean over heads of (∂f/∂A ∘ A)⁺, plus the
// identity in the matrix.
func TestOneLayer(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	const heads, n = 3, 4
	l := gradientLayer(r, heads, n)
	for i := range n {
		want := make([]float64, n)
		for j := range n {
			for h := range heads {
				k := (h*n+i)*n + j
				want[j] += max(0, float64(l.Weights[k])*float64(l.Grad[k])) / heads
			}
		}
		closeTo(t, "row", GradientAttention([]Layer{l}, ReadRow(n, i), Positive), want, 1e-12)
		want[i]++
		closeTo(t, "matrix", GradientAttentionMatrix([]Layer{l}, Positive)[i*n:(i+1)*n], want, 1e-12)
	}
}

func gradientLayer(r *rand.Rand, heads, n int) Layer {
	l := Layer{Name: "l", Heads: heads, Length: n}
	for range heads * n * n {
		l.Weights = append(l.Weights, r.Float32())
		l.Grad = append(l.Grad, float32(r.NormFloat64()))
	}
	return l
}

// TestGradientAttentionTwoLayers by hand: two layers of one head, three tokens.
func TestGradientAttentionTwoLayers(t *testing.T) {
	ones := []float32{1, 1, 1, 1, 1, 1, 1, 1, 1}
	layers := []Layer{
		{Heads: 1, Length: 3, Weights: []float32{0, 1, 0, 0, 0.5, 0.5, 1, 0, 0}, Grad: ones},
		{Heads: 1, Length: 3, Weights: []float32{0.5, 0, 0.5, 1, 0, 0, 0, 0, 1}, Grad: ones},
	}
	// (I + A2)(I + A1) with rows (1.5, 0, .5), (1, 1, 0), (0, 0, 2) and
	// (1, 1, 0), (0, 1.5, .5), (1, 0, 1).
	want := []float64{2, 1.5, 0.5, 1, 2.5, 0.5, 2, 0, 2}
	closeTo(t, "matrix", GradientAttentionMatrix(layers, Positive), want, 1e-12)
	closeTo(t, "row 0", GradientAttention(layers, ReadRow(3, 0), Positive), []float64{1, 1.5, 0.5}, 1e-12)
}

func TestGradientAttentionRow(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	const n = 6
	layers := []Layer{gradientLayer(r, 2, n), gradientLayer(r, 2, n), gradientLayer(r, 3, n)}
	for _, part := range []Part{Positive, Negative, Signed} {
		full := GradientAttentionMatrix(layers, part)
		for name, readout := range map[string][]float64{"row": ReadRow(n, 2), "mean": ReadMean(n, 1)} {
			want := make([]float64, n)
			for i, f := range readout {
				for j := range want {
					want[j] += f * full[i*n+j]
				}
				want[i] -= f
			}
			closeTo(t, fmt.Sprint(part, " ", name), GradientAttention(layers, readout, part), want, 1e-9)
		}
	}
}

// TestGradientAttentionOfTheOtherClass: the parts for and against change
// places, at any depth; signed values change their sign with one layer.
func TestGradientAttentionOfTheOtherClass(t *testing.T) {
	ids := []int32{3, 4, 6, 5, 3, 3, 6, 4, 5}
	for _, n := range []int{1, 2} {
		m := unplacedModel(t, n, "cls")
		a, b := caseOf(m, ids, 1), caseOf(m, ids, 0)
		la, lb := AttentionGradient(a), AttentionGradient(b)
		plus, minus := GradientAttention(la, a.Readout, Positive), GradientAttention(la, a.Readout, Negative)
		if !slices.Equal(plus, GradientAttention(lb, b.Readout, Negative)) || !slices.Equal(minus, GradientAttention(lb, b.Readout, Positive)) {
			t.Errorf("%d layers: the parts do not change places", n)
		}
		if addUp(plus) < 1e-2 || addUp(minus) < 1e-2 {
			t.Errorf("%d layers: nothing was tested", n)
		}
		x, y := GradientAttention(la, a.Readout, Signed), GradientAttention(lb, b.Readout, Signed)
		for i := range y {
			y[i] = -y[i]
		}
		if slices.Equal(x, y) != (n == 1) {
			t.Errorf("%d layers: signed %v and %v", n, x, y)
		}
	}
}

func TestGradientAttentionFollowsTheTokens(t *testing.T) {
	m := unplacedModel(t, 2, "mean")
	ids, order := []int32{3, 4, 6, 3, 5, 4}, []int{3, 5, 0, 1, 4, 2}
	permuted := make([]int32, len(ids))
	for i, o := range order {
		permuted[i] = ids[o]
	}
	for name, method := range map[string]func(c *Case) []float64{
		"positive": func(c *Case) []float64 { return GradientAttention(AttentionGradient(c), c.Readout, Positive) },
		"last layer": func(c *Case) []float64 {
			r := AttentionGradCAM(&AttentionGradient(c)[1], c.Readout)
			for i := range r {
				r[i] *= 1000 // gradients are averaged over all pairs
			}
			return r
		},
	} {
		follow(t, name, method(caseOf(m, ids, 1)), method(caseOf(m, permuted, 1)), ids, order)
	}
}

// TestNoOutputProjection: attention whose output is multiplied by zero has no
// part in the score.
func TestNoOutputProjection(t *testing.T) {
	m, c := smallCase(t, "cls")
	for _, l := range m.Layers {
		clear(l.Mixer.(*nn.MultiHeadAttention).Out.Weight.Data)
	}
	for _, part := range []Part{Positive, Negative, Signed} {
		for i, v := range GradientAttention(AttentionGradient(c), c.Readout, part) {
			if v != 0 {
				t.Errorf("%v: position %d has %v", part, i, v)
			}
		}
	}
	if r := Rollout(Attention(c), 0, Mean); r[3] == 0 {
		t.Errorf("rollout %v: it should see nothing of this", r)
	}
}

func TestAttentionGradCAM(t *testing.T) {
	l := Layer{Heads: 2, Length: 2, // gains 1 and -0.5
		Weights: []float32{0.75, 0.25, 0.5, 0.5, 0.25, 0.75, 1, 0},
		Grad:    []float32{4, 0, 0, 0, -1, -1, 0, 0}}
	// Row 0: (.75 - .125)/2, (.25 - .375)/2 < 0; row 1: (.5 - .5)/2, .5/2.
	closeTo(t, "row 0", AttentionGradCAM(&l, ReadRow(2, 0)), []float64{0.3125, 0}, 1e-12)
	closeTo(t, "mean", AttentionGradCAM(&l, ReadMean(2, 0)), []float64{0.15625, 0.125}, 1e-12)
}

func TestGradientAttentionWithoutGradient(t *testing.T) {
	defer func() {
		if err := recover(); err != `explain: layer "a" has no gradient` {
			t.Errorf("panic %v", err)
		}
	}()
	GradientAttention([]Layer{{Name: "a", Heads: 1, Length: 1, Weights: []float32{1}}}, []float64{1}, Positive)
}
