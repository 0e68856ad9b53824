package autograd

import (
	"math"
	"math/rand/v2"
	"testing"

	"heed/internal/kernel"
)

// reference computes attention in float64 by its definition, one query at a
// time, and returns the output and the weights before dropout.
func reference(q, k, v *Var, s AttentionSpec) (out []float64, weights [][][]float64) {
	d := q.Dim(1) / s.Heads
	perKey := s.Heads / (k.Dim(1) / d)
	tied := max(1, s.Tied)
	key := s.Key
	if key == nil {
		key = s.Query
	}
	scale := float64(s.Scale)
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(d*tied))
	}
	at := func(x *Var, seg Segment, i, head, e int) float64 {
		return float64(x.Data[(seg.Start+i*seg.Stride)*x.Dim(1)+head*d+e])
	}
	out = make([]float64, len(q.Data))
	for g := 0; g < len(s.Query); g += tied {
		for h := range s.Heads {
			var matrix [][]float64
			for i := range s.Query[g].Count {
				w := make([]float64, key[g].Count)
				top, sum := math.Inf(-1), 0.0
				for j := range w {
					for n := range tied {
						for e := range d {
							w[j] += at(q, s.Query[g+n], i, h, e) * at(k, key[g+n], j, h/perKey, e)
						}
					}
					w[j] *= scale
					if s.Bias != nil {
						shape := s.Bias.Shape
						b := h
						if len(shape) == 4 {
							b += g / tied * s.Heads
						}
						lq, lk := shape[len(shape)-2], shape[len(shape)-1]
						w[j] += float64(s.Bias.Data[(b*lq+i)*lk+j])
					}
					if s.Relative != nil {
						n := s.Relative.Dim(1)
						w[j] += float64(s.Relative.Data[h*n+min(max(j-i, -(n/2)), n/2)+n/2])
					}
					if s.Causal && j > i || s.KeyMask != nil && !s.KeyMask[key[g].Start+j*key[g].Stride] {
						w[j] = math.Inf(-1)
					}
					top = max(top, w[j])
				}
				for j := range w {
					if !math.IsInf(top, -1) {
						w[j] = math.Exp(w[j] - top)
						sum += w[j]
					} else {
						w[j] = 0
					}
				}
				for j := range w {
					if sum > 0 {
						w[j] /= sum
					}
					for n := range tied {
						seg := s.Query[g+n]
						for e := range d {
							out[(seg.Start+i*seg.Stride)*q.Dim(1)+h*d+e] += w[j] * at(v, key[g+n], j, h/perKey, e)
						}
					}
				}
				matrix = append(matrix, w)
			}
			weights = append(weights, matrix)
		}
	}
	return out, weights
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

func TestAttentionEqualsDefinition(t *testing.T) {
	for _, c := range attentionCases() {
		if c.spec.Dropout > 0 {
			continue // see TestAttentionDropout
		}
		o := c.opCase()
		in := o.inputs()
		var v, rest []*Var
		spec := c.spec
		if c.same {
			v, rest = []*Var{in[0], in[0], in[0]}, in[1:]
		} else {
			v, rest = in[:3], in[3:]
		}
		if c.bias != nil {
			spec.Bias, rest = rest[0], rest[1:]
		}
		if c.relative != nil {
			spec.Relative = rest[0]
		}
		want, weights := reference(v[0], v[1], v[2], spec)
		near(t, c.name, narrow(want), o.run(&Tape{}, in).Data, 1e-6)

		var seen *Var
		tape := &Tape{Probe: func(name string, v *Var) {
			if name != "a.weights" || seen != nil {
				t.Errorf("%s: the probe saw %q, want a.weights once", c.name, name)
			}
			seen = v
		}}
		near(t, c.name+" probed", narrow(want), o.run(tape, in).Data, 1e-6)
		lq, lk := seen.Dim(2), seen.Dim(3)
		padded := make([]float32, len(seen.Data))
		for m, matrix := range weights {
			for i, row := range matrix {
				copy(padded[(m*lq+i)*lk:], narrow(row))
			}
		}
		near(t, c.name+" weights", padded, seen.Data, 1e-6)
	}
}

// Sequences longer than a block of 84 queries and 512 keys meet the rescaling
// of the online softmax, key blocks that lie wholly in the future, and key
// blocks that are wholly masked before the first visible key.
func TestAttentionOverManyBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	late := make([]bool, 1300) // nothing to see in the first block
	for i := range late {
		late[i] = i >= 600 && i%3 > 0
	}
	cases := []struct {
		name          string
		queries, keys int
		spec          AttentionSpec
	}{
		{"plain", 100, 1300, AttentionSpec{Query: Packed(100), Key: Packed(1300)}},
		{"whole blocks", 168, 1024, AttentionSpec{Query: Packed(168), Key: Packed(1024)}},
		{"one beyond", 85, 513, AttentionSpec{Query: Packed(85), Key: Packed(513)}},
		{"causal", 700, 700, AttentionSpec{Query: Packed(700), Causal: true}},
		{"causal, more keys", 90, 1300, AttentionSpec{Query: Packed(90), Key: Packed(1300), Causal: true}},
		{"causal, more queries", 1300, 90, AttentionSpec{Query: Packed(1300), Key: Packed(90), Causal: true}},
		{"masked at first", 90, 1300, AttentionSpec{Query: Packed(90), Key: Packed(1300), KeyMask: late}},
		{"causal and masked at first", 700, 1300, AttentionSpec{Query: Packed(700), Key: Packed(1300), KeyMask: late, Causal: true}},
		{"dropout", 90, 1300, AttentionSpec{Query: Packed(90), Key: Packed(1300), Dropout: 0.5}},
		{"bias", 90, 1300, AttentionSpec{Query: Packed(90), Key: Packed(1300), Bias: normal(r, 2, 90, 1300)}},
		{"relative", 700, 700, AttentionSpec{Query: Packed(700), Relative: normal(r, 2, 121)}},
		{"ALiBi", 700, 700, AttentionSpec{Query: Packed(700), Relative: ALiBi(2, 699), Causal: true}},
		{"tied", 180, 1400, AttentionSpec{Query: Packed(90, 90), Key: Packed(700, 700), Tied: 2}},
		{"columns", 600, 600, AttentionSpec{Query: GridColumns(0, 300, 2), Key: []Segment{{0, 600, 1}, {0, 300, 2}}}},
		{"rising", 90, 1300, AttentionSpec{Query: Packed(90), Key: Packed(1300), Scale: 1}},
	}
	for _, c := range cases {
		q, k, v := normal(r, c.queries, 8), normal(r, c.keys, 8), normal(r, c.keys, 8)
		if c.name == "rising" { // each key block has larger scores than the last
			for i := range k.Data {
				k.Data[i] *= 1 + float32(i/8/512)
			}
		}
		c.spec.Heads, c.spec.Name = 2, "a"
		cot := cotangent(len(q.Data))
		run := func(tape *Tape) []float32 {
			tape.Rand = rand.New(rand.NewPCG(3, 4))
			o := Attention(tape, q, k, v, c.spec)
			tape.BackwardFrom(o, cot)
			return o.Data
		}
		probed := &Tape{Probe: func(string, *Var) {}}
		want := run(probed)
		if c.spec.Dropout == 0 {
			exact, _ := reference(q, k, v, c.spec)
			near(t, c.name+": probed", narrow(exact), want, 2e-6)
		}
		for _, impl := range kernel.Available() {
			restore := kernel.Force(impl)
			name := c.name + ", " + impl.String()
			blocked := &Tape{}
			near(t, name+": output", want, run(blocked), 2e-6)
			for i, p := range []*Var{q, k, v, c.spec.Bias, c.spec.Relative} {
				if p != nil && p.Trainable {
					near(t, name+": gradient of "+[]string{"q", "k", "v", "bias", "relative"}[i], probed.Grad(p), blocked.Grad(p), 1e-5)
				}
			}
			restore()
		}
	}
}
