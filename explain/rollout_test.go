package explain

import (
	"math"
	"math/rand/v2"
	"testing"

	"heed/autograd"
)

// randomLayers returns n layers of row-stochastic weights, softmax of logits
// of standard deviation sigma.
func randomLayers(r *rand.Rand, n, heads, length int, sigma float64) []Layer {
	layers := make([]Layer, n)
	for l := range layers {
		w := make([]float32, heads*length*length)
		for row := range heads * length {
			a := w[row*length : (row+1)*length]
			logits := make([]float32, length)
			for j := range logits {
				logits[j] = float32(sigma * r.NormFloat64())
			}
			copy(a, autograd.Softmax(logits))
		}
		layers[l] = Layer{Heads: heads, Length: length, Weights: w}
	}
	return layers
}

// fullRollout multiplies the matrices: R_l = W_l·R_{l-1}.
func fullRollout(layers []Layer, fusion Fusion) [][]float64 {
	n := layers[0].Length
	r := make([][]float64, n)
	for i := range r {
		r[i] = make([]float64, n)
		r[i][i] = 1
	}
	for _, a := range layers {
		next := make([][]float64, n)
		for i := range next {
			w := make([]float64, n)
			sum := 0.0
			for j := range w {
				fused := math.Inf(-1)
				low, total := math.Inf(1), 0.0
				for h := range a.Heads {
					x := float64(a.Weights[h*n*n+i*n+j])
					fused, low, total = max(fused, x), min(low, x), total+x
				}
				w[j] = map[Fusion]float64{Mean: total / float64(a.Heads), Max: fused, Min: low}[fusion]
				if i == j {
					w[j]++
				}
				sum += w[j]
			}
			next[i] = make([]float64, n)
			for k := range n {
				for j := range n {
					next[i][j] += w[k] / sum * r[k][j]
				}
			}
		}
		r = next
	}
	return r
}

func TestRolloutRow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, depth := range []int{1, 2, 5} {
		layers := randomLayers(r, depth, 3, 17, 2)
		for _, fusion := range []Fusion{Mean, Max, Min} {
			full := fullRollout(layers, fusion)
			for _, query := range []int{0, 16} {
				sum := 0.0
				for j, v := range Rollout(layers, query, fusion) {
					if math.Abs(v-full[query][j]) > 1e-6 {
						t.Fatalf("%v, %d layers: R[%d, %d] = %v, want %v", fusion, depth, query, j, v, full[query][j])
					}
					sum += v
				}
				if math.Abs(sum-1) > 1e-6 {
					t.Errorf("%v, %d layers: row sums to %v", fusion, depth, sum)
				}
			}
		}
	}
}

// TestRolloutFrom reads out the mean: the mean of the rows.
func TestRolloutFrom(t *testing.T) {
	layers := randomLayers(rand.New(rand.NewPCG(7, 8)), 3, 2, 6, 2)
	mean := []float64{1. / 6, 1. / 6, 1. / 6, 1. / 6, 1. / 6, 1. / 6}
	got := RolloutFrom(layers, mean, Max)
	for q := range mean {
		for j, v := range Rollout(layers, q, Max) {
			got[j] -= v / 6
		}
	}
	for j, d := range got {
		if math.Abs(d) > 1e-6 {
			t.Errorf("position %d is off by %v", j, d)
		}
	}
}

// TestRolloutByHand has two layers of two heads over three tokens, worked out
// with mean fusion.
func TestRolloutByHand(t *testing.T) {
	layers := []Layer{
		{Heads: 2, Length: 3, Weights: []float32{1, 0, 0, 0, 1, 0, 0, 0, 1 /**/, 0, 1, 0, 0, 1, 0, 0, 1, 0}},
		{Heads: 2, Length: 3, Weights: []float32{0, 0, 1, 0, 0, 1, 0, 0, 1 /**/, 0, 1, 0, 0, 0, 1, 0, 0, 1}},
	}
	// W_2[0] = (1/2, 1/4, 1/4); W_1 = [[3/4 1/4 0], [0 1 0], [0 1/4 3/4]].
	want := []float64{3. / 8, 1./8 + 1./4 + 1./16, 3. / 16}
	for j, v := range Rollout(layers, 0, Mean) {
		if math.Abs(v-want[j]) > 1e-12 {
			t.Errorf("rollout[%d] = %v, want %v", j, v, want[j])
		}
	}
}

// TestRolloutTurnsUniform shows the caveat of the comments: with depth, random
// attention gives a rollout that says nothing.
func TestRolloutTurnsUniform(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	last := 0.0
	for _, depth := range []int{1, 2, 4, 8} {
		u := Uniformity(Rollout(randomLayers(r, depth, 4, 64, 3), 0, Mean)[1:])
		if u <= last {
			t.Errorf("uniformity %v at %d layers, not above %v", u, depth, last)
		}
		last = u
	}
	if last < Uniform {
		t.Errorf("uniformity %v at 8 layers, want above %v", last, Uniform)
	}
}

func TestUniformity(t *testing.T) {
	for _, c := range []struct {
		w    []float64
		want float64
	}{
		{[]float64{0, 3, 0}, 0},
		{[]float64{2, 2, 2, 2}, 1},
		{[]float64{1, 1, 0, 0}, 0.5},
		{[]float64{7}, 0},
		{nil, math.NaN()},
		{[]float64{0, 0}, math.NaN()},
	} {
		if got := Uniformity(c.w); math.Abs(got-c.want) > 1e-12 || math.IsNaN(got) != math.IsNaN(c.want) {
			t.Errorf("Uniformity(%v) = %v, want %v", c.w, got, c.want)
		}
	}
}
