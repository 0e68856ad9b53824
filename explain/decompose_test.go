package explain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"heed/autograd"
	"heed/format"
	"heed/model/sequence"
	"heed/nn"
)

var nineLetters = []int32{3, 4, 6, 5, 3, 3, 6, 4, 5}

func decompose(t *testing.T, c *Case, e *Encoder) *Decomposition {
	t.Helper()
	d, err := Decompose(context.Background(), c, e, 0)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// eachModel runs f for models of 1 to 4 layers, read at one row and on average.
func eachModel(t *testing.T, f func(t *testing.T, m *sequence.Model, c *Case)) {
	for _, pooling := range []string{"cls", "mean"} {
		for n := 1; n <= 4; n++ {
			m := unplacedModel(t, n, pooling)
			t.Run(fmt.Sprint(pooling, " ", n), func(t *testing.T) { f(t, m, caseOf(m, nineLetters, 1)) })
		}
		m, c := smallCase(t, pooling)
		t.Run(pooling+" stem", func(t *testing.T) { f(t, m, c) })
	}
}

func TestDecomposeSums(t *testing.T) {
	eachModel(t, func(t *testing.T, m *sequence.Model, c *Case) {
		d := decompose(t, c, encoderOf(m, 1))
		sum := addUp(d.Values) + d.Bias
		if math.Abs(sum-c.Score()) > 1e-4*math.Abs(c.Score()) || math.Abs(d.Error-(sum-d.Score)) > 1e-12 || d.Score != c.Score() {
			t.Errorf("sum %v, score %v, %+v", sum, c.Score(), d)
		}
		size := 0.0
		for _, v := range d.Values {
			size += math.Abs(v)
		}
		if size < 0.1 {
			t.Errorf("the values are all near 0: nothing was tested: %v", d.Values)
		}
	})
}

// TestDecomposeEqualsDefinition computes a[i, k, :] from its formulas, one
// number at a time.
func TestDecomposeEqualsDefinition(t *testing.T) {
	eachModel(t, func(t *testing.T, m *sequence.Model, c *Case) {
		e := encoderOf(m, 1)
		traces := e.trace(c)
		n, d := c.Rows, e.width()
		a := make([][][]float64, n) // a[i][k], share n is that of biases
		for i := range a {
			a[i] = make([][]float64, n+1)
			for k := range a[i] {
				a[i][k] = make([]float64, d)
			}
			for j := range d {
				a[i][i][j] = float64(traces[0].input[i*d+j])
			}
		}
		norm := func(x []float32, v []float64, l *nn.LayerNorm, bias bool) []float64 {
			mean, square, mine := 0.0, 0.0, 0.0
			for j := range v {
				mean += float64(x[j]) / float64(d)
				square += float64(x[j]) * float64(x[j]) / float64(d)
				mine += v[j] / float64(d)
			}
			out := make([]float64, d)
			for j := range v {
				out[j] = float64(l.Weight.Data[j]) * (v[j] - mine) / math.Sqrt(square-mean*mean+float64(l.Eps))
				if bias {
					out[j] += float64(l.Bias.Data[j])
				}
			}
			return out
		}
		times := func(l *nn.Linear, v []float64, bias bool) []float64 {
			out := make([]float64, l.Weight.Dim(0))
			for o := range out {
				for j, x := range v {
					out[o] += float64(l.Weight.Data[o*len(v)+j]) * x
				}
				if bias {
					out[o] += float64(l.Bias.Data[o])
				}
			}
			return out
		}
		for _, s := range traces {
			size := d / s.attention.Heads
			next := make([][][]float64, n)
			for i := range n {
				next[i] = make([][]float64, n+1)
				z := make([]float64, s.layer.Up.Weight.Dim(0))
				for k := range n + 1 {
					mixed := make([]float64, d)
					for j := range n {
						v := times(s.attention.Value, norm(s.input[j*d:(j+1)*d], a[j][k], s.layer.Norm1, k == n), k == n)
						for x := range d {
							mixed[x] += float64(s.weights[(x/size*n+i)*n+j]) * v[x]
						}
					}
					out := times(s.attention.Out, mixed, k == n)
					for x := range d {
						out[x] += a[i][k][x]
					}
					next[i][k] = out
					for f, v := range times(s.layer.Up, norm(s.middle[i*d:(i+1)*d], out, s.layer.Norm2, k == n), k == n) {
						z[f] += v // Σ_k is the real z
					}
				}
				for k := range n + 1 {
					u := times(s.layer.Up, norm(s.middle[i*d:(i+1)*d], next[i][k], s.layer.Norm2, k == n), k == n)
					for f := range u {
						u[f] *= 0.5 * (1 + math.Erf(z[f]/math.Sqrt2))
					}
					for x, v := range times(s.layer.Down, u, k == n) {
						next[i][k][x] += v
					}
				}
			}
			a = next
		}
		want := make([]float64, n+1)
		last := traces[len(traces)-1].output
		for k := range want {
			for i, r := range c.Readout {
				logits := times(e.Classifier, norm(last[i*d:(i+1)*d], a[i][k], e.Norm, k == n), k == n)
				want[k] += r * (logits[1] - logits[0])
			}
		}
		got := decompose(t, c, e)
		closeTo(t, "shares", append(got.Values, got.Bias), want, 2e-5)
	})
}

// straighten makes the norm linear: the mean leaves, the variance does not
// count.
func straighten(n *nn.LayerNorm) {
	n.Eps = 1e12
	for i := range n.Weight.Data {
		n.Weight.Data[i] = 1e6
	}
}

// TestDecomposeOfLinearModel: where the model is linear in its input, a share
// is what leaving the row out takes away.
func TestDecomposeOfLinearModel(t *testing.T) {
	for _, pooling := range []string{"cls", "mean"} {
		m := unplacedModel(t, 3, pooling)
		straighten(m.Norm)
		for _, l := range m.Layers {
			straighten(l.Norm1)
			straighten(l.Norm2)
			clear(l.Mixer.(*nn.MultiHeadAttention).Query.Weight.Data) // weights by bias alone...
			clear(l.Mixer.(*nn.MultiHeadAttention).Query.Bias.Data)   // ... that is, all the same
			for i := range l.Up.Weight.Data {
				l.Up.Weight.Data[i] /= 10
			}
			for i := range l.Up.Bias.Data {
				l.Up.Bias.Data[i] = 30 // where gelu(z) = z
			}
		}
		c := caseOf(m, nineLetters, 1)
		d := decompose(t, c, encoderOf(m, 1))
		score := func(write func(x []float32)) float64 {
			y, _, _ := c.passEmbedding(&autograd.Tape{NoGrad: true}, 1, write)
			return float64(y[0])
		}
		for k, got := range d.Values {
			want := d.Score - score(func(x []float32) { clear(x[k*8 : (k+1)*8]) })
			if math.Abs(got-want) > 1e-4*(1+math.Abs(d.Score)) {
				t.Errorf("%s: row %d: %v, without it the score falls by %v", pooling, k, got, want)
			}
		}
		if want := score(func(x []float32) { clear(x) }); math.Abs(d.Bias-want) > 1e-4*(1+math.Abs(want)) {
			t.Errorf("%s: bias %v, the score of nothing is %v", pooling, d.Bias, want)
		}
	}
}

func TestDecomposeOfTheOtherClass(t *testing.T) {
	m, c := smallCase(t, "cls")
	a, b := decompose(t, c, encoderOf(m, 1)), decompose(t, caseOf(m, nineLetters, 0), encoderOf(m, 0))
	for i, v := range a.Values {
		if b.Values[i] != -v {
			t.Errorf("row %d: %v and %v", i, v, b.Values[i])
		}
	}
	if b.Bias != -a.Bias {
		t.Errorf("biases %v and %v", a.Bias, b.Bias)
	}
}

func TestDecomposeFollowsTheTokens(t *testing.T) {
	ids, order := []int32{3, 4, 6, 3, 5, 4}, []int{3, 5, 0, 1, 4, 2}
	permuted := make([]int32, len(ids))
	for i, o := range order {
		permuted[i] = ids[o]
	}
	for _, pooling := range []string{"cls", "mean"} {
		m := unplacedModel(t, 2, pooling)
		e := encoderOf(m, 1)
		follow(t, "decomposition", decompose(t, caseOf(m, ids, 1), e).Values, decompose(t, caseOf(m, permuted, 1), e).Values, ids, order)
	}
}

// TestDecomposeAtZero: a unit of the feed-forward layer that gets 0 has the
// slope one half, not 0/0.
func TestDecomposeAtZero(t *testing.T) {
	m, c := smallCase(t, "cls")
	for _, l := range m.Layers {
		clear(l.Up.Weight.Data)
		clear(l.Up.Bias.Data)
	}
	e := encoderOf(m, 1)
	s := e.trace(c)
	for _, v := range linearize(&s[0], c.Rows, e.width()).slope {
		if v != 0.5 {
			t.Fatalf("slope %v at 0", v)
		}
	}
	if d := decompose(t, c, e); !(math.Abs(d.Error) < 1e-5) {
		t.Errorf("%+v", d)
	}
}

func TestDecomposeErrors(t *testing.T) {
	m, c := smallCase(t, "cls")
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Decompose(ctx, c, encoderOf(m, 1), 1000)
	const want = "too large: decomposition of 10 rows by 2 layers of width 8 and 12 takes 8.8e+04 multiplications, limit 1e+03"
	if !errors.Is(err, format.ErrTooLarge) || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	wrong := *c
	wrong.Readout = ReadRow(10, 1)
	if _, err := Decompose(ctx, &wrong, encoderOf(m, 1), 0); err == nil || !errors.Is(err, errForeign) {
		t.Errorf("error %v", err)
	}
	if _, err := DirectLogitAttribution(&wrong, encoderOf(m, 1)); !errors.Is(err, errForeign) {
		t.Errorf("error %v", err)
	}
	cancel()
	if _, err := Decompose(ctx, c, encoderOf(m, 1), 0); err != context.Canceled {
		t.Errorf("error %v", err)
	}
	e := encoderOf(m, 1)
	e.Layers = nil
	if _, err := Decompose(ctx, c, e, 0); err != errNoLayers {
		t.Errorf("error %v", err)
	}
	if _, err := DirectLogitAttribution(c, e); err != errNoLayers {
		t.Errorf("error %v", err)
	}
	m.Layers[1].Name = ""
	if _, err := Decompose(ctx, c, encoderOf(m, 1), 0); err == nil || err.Error() != "layer 1 has no name for a probe" {
		t.Errorf("error %v", err)
	}
}
