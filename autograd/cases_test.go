package autograd

import (
	"math"
	"math/rand/v2"
)

// An opCase is one operation and the shapes of its inputs, all of which can
// have a gradient. Inputs have more than 32 rows where that makes an operation
// share its work among three cores.
type opCase struct {
	name   string
	shapes [][]int
	op     func(t *Tape, v []*Var) *Var
	// spread asks for inputs that lie farther apart, and from zero, than the
	// steps of a difference quotient, for operations with a kink.
	spread bool
}

var opCases = []opCase{
	{name: "Linear", shapes: [][]int{{40, 7}, {3, 7}, {3}}, op: func(t *Tape, v []*Var) *Var { return Linear(t, v[0], v[1], v[2]) }},
	{name: "Linear without bias", shapes: [][]int{{2, 20, 5}, {9, 5}}, op: func(t *Tape, v []*Var) *Var { return Linear(t, v[0], v[1], nil) }},
	{name: "MatMul", shapes: [][]int{{4, 6}, {6, 5}}, op: func(t *Tape, v []*Var) *Var { return MatMul(t, v[0], v[1]) }},
	{name: "Add", shapes: [][]int{{40, 3}, {40, 3}}, op: func(t *Tape, v []*Var) *Var { return Add(t, v[0], v[1]) }},
	{name: "Add to itself", shapes: [][]int{{4, 3}}, op: func(t *Tape, v []*Var) *Var { return Add(t, v[0], v[0]) }},
	{name: "AddRow", shapes: [][]int{{2, 20, 3}, {3}}, op: func(t *Tape, v []*Var) *Var { return AddRow(t, v[0], v[1]) }},
	{name: "Mul", shapes: [][]int{{40, 3}, {40, 3}}, op: func(t *Tape, v []*Var) *Var { return Mul(t, v[0], v[1]) }},
	{name: "Mul by itself", shapes: [][]int{{4, 3}}, op: func(t *Tape, v []*Var) *Var { return Mul(t, v[0], v[0]) }},
	{name: "Scale", shapes: [][]int{{40, 3}}, op: func(t *Tape, v []*Var) *Var { return Scale(t, v[0], -1.5) }},
	{name: "Sum", shapes: [][]int{{5, 3}}, op: func(t *Tape, v []*Var) *Var { return Sum(t, v[0]) }},
	{name: "GELU", shapes: [][]int{{40, 3}}, op: func(t *Tape, v []*Var) *Var { return GELU(t, v[0]) }},
	{name: "Tanh", shapes: [][]int{{40, 3}}, op: func(t *Tape, v []*Var) *Var { return Tanh(t, v[0]) }},
	{name: "GEGLU", shapes: [][]int{{40, 6}}, op: func(t *Tape, v []*Var) *Var { return GEGLU(t, v[0]) }},
	{name: "ReLU", shapes: [][]int{{40, 3}}, spread: true, op: func(t *Tape, v []*Var) *Var { return ReLU(t, v[0]) }},
	{name: "Dropout", shapes: [][]int{{40, 3}}, op: func(t *Tape, v []*Var) *Var { return Dropout(t, v[0], 0.4) }},
	{name: "Reshape", shapes: [][]int{{4, 6}}, op: func(t *Tape, v []*Var) *Var { return Reshape(t, v[0], 3, 8) }},
	{name: "Concat", shapes: [][]int{{5, 2}, {5, 1}, {5, 4}}, op: func(t *Tape, v []*Var) *Var { return Concat(t, v...) }},
	{name: "Concat twice", shapes: [][]int{{5, 2}, {5, 1}}, op: func(t *Tape, v []*Var) *Var { return Concat(t, v[0], v[1], v[0]) }},
	{name: "Columns", shapes: [][]int{{2, 5, 6}}, op: func(t *Tape, v []*Var) *Var { return Columns(t, v[0], 2, 5) }},
	{name: "LayerNorm", shapes: [][]int{{40, 6}, {6}, {6}}, op: func(t *Tape, v []*Var) *Var { return LayerNorm(t, v[0], v[1], v[2], 1e-5) }},
	{name: "LayerNorm with large eps", shapes: [][]int{{2, 3, 5}, {5}, {5}}, op: func(t *Tape, v []*Var) *Var { return LayerNorm(t, v[0], v[1], v[2], 0.5) }},
	{name: "Embedding", shapes: [][]int{{5, 3}}, op: func(t *Tape, v []*Var) *Var { return Embedding(t, v[0], []int32{4, 0, 4, 2, 4, 1}) }},
	{name: "Rows", shapes: [][]int{{9, 3}}, op: func(t *Tape, v []*Var) *Var { return Rows(t, v[0], []int32{0, 7, 3}) }},
	{name: "WeightedRows", shapes: [][]int{{5, 3}}, op: func(t *Tape, v []*Var) *Var {
		return WeightedRows(t, v[0], []int32{4, 0, 4, 2, 4, 1, 1, 1}, []float32{0.5, -2, 0.25, 0, 3, 1, 1, 0.125}, 2)
	}},
	{name: "Time2Vec", shapes: [][]int{{4}, {4}}, op: func(t *Tape, v []*Var) *Var {
		return Time2Vec(t, []float32{0, 0.5, -1.25, 2}, v[0], v[1])
	}},
	{name: "LagBias", shapes: [][]int{{3}}, op: func(t *Tape, v []*Var) *Var {
		return LagBias(t, v[0], []float32{9, 0, 0.5, 0.5, 4, 7, 7, 1}, 0.5, []Segment{{1, 4, 1}, {5, 0, 1}, {5, 3, 1}})
	}},
	{name: "MeanPool", shapes: [][]int{{9, 3}}, op: func(t *Tape, v []*Var) *Var { return MeanPool(t, v[0], Packed(4, 0, 1, 3)) }},
	{name: "MeanPool of columns", shapes: [][]int{{12, 3}}, op: func(t *Tape, v []*Var) *Var { return MeanPool(t, v[0], GridColumns(0, 4, 3)) }},
	{name: "CrossEntropy", shapes: [][]int{{6, 4}}, op: func(t *Tape, v []*Var) *Var { return CrossEntropy(t, v[0], []int32{3, 0, -1, 2, 2, -100}, 8) }},
	{name: "BinaryCrossEntropy", shapes: [][]int{{2, 3}}, op: func(t *Tape, v []*Var) *Var {
		return BinaryCrossEntropy(t, v[0], []float32{1, 0, 0.25, 1, 0, 0.5}, 4)
	}},
	{name: "Conv1D", shapes: [][]int{{11, 3}, {4, 5, 3}, {4}}, op: func(t *Tape, v []*Var) *Var { return Conv1D(t, v[0], v[1], v[2], Packed(6, 0, 1, 4)) }},
	{name: "Conv1D of even width", shapes: [][]int{{11, 3}, {2, 4, 3}, {2}}, op: func(t *Tape, v []*Var) *Var { return Conv1D(t, v[0], v[1], v[2], Packed(7, 4)) }},
	{name: "Conv1D of width 1", shapes: [][]int{{5, 3}, {2, 1, 3}}, op: func(t *Tape, v []*Var) *Var { return Conv1D(t, v[0], v[1], nil, Packed(5)) }},
	{name: "Conv1D with rows outside", shapes: [][]int{{9, 2}, {2, 3, 2}, {2}}, op: func(t *Tape, v []*Var) *Var {
		return Conv1D(t, v[0], v[1], v[2], []Segment{{2, 3, 1}, {6, 2, 1}})
	}},
	{name: "Conv1D of columns", shapes: [][]int{{12, 2}, {3, 3, 2}, {3}}, op: func(t *Tape, v []*Var) *Var {
		return Conv1D(t, v[0], v[1], v[2], GridColumns(0, 4, 3))
	}},
	{name: "Conv1D dilated", shapes: [][]int{{13, 2}, {3, 3, 2}, {3}}, op: func(t *Tape, v []*Var) *Var {
		return Conv1D(t, v[0], v[1], v[2], Dilated(Packed(8, 0, 1, 4), 2))
	}},
	{name: "MaxNear1D", shapes: [][]int{{13, 3}}, spread: true, op: func(t *Tape, v []*Var) *Var {
		return MaxNear1D(t, v[0], 3, []Segment{{0, 7, 1}, {7, 1, 1}, {9, 2, 2}})
	}},
	{name: "DecayToMean", shapes: [][]int{{13, 3}, {13, 3}, {3}}, op: func(t *Tape, v []*Var) *Var {
		mask := make([]float32, 13*3)
		for i := range mask {
			mask[i] = float32(i * i % 5 % 2)
		}
		return DecayToMean(t, v[0], Input(mask, 13, 3), v[1], v[2], []Segment{{0, 7, 1}, {7, 1, 1}, {9, 2, 2}})
	}},
	{name: "MaxPool1D", shapes: [][]int{{11, 3}}, spread: true, op: func(t *Tape, v []*Var) *Var {
		y, _ := MaxPool1D(t, v[0], 3, Packed(7, 0, 1, 3))
		return y
	}},
	{name: "LSTM", shapes: [][]int{{45, 3}, {16, 3}, {16}, {16, 4}, {16}}, op: func(t *Tape, v []*Var) *Var {
		return LSTM(t, v[0], v[1], v[2], v[3], v[4], Packed(6, 0, 1, 35, 3), false)
	}},
	{name: "LSTM reversed, rows outside", shapes: [][]int{{14, 2}, {12, 2}, {12}, {12, 3}, {12}}, op: func(t *Tape, v []*Var) *Var {
		return LSTM(t, v[0], v[1], v[2], v[3], v[4], []Segment{{8, 3, 2}, {1, 5, 1}}, true)
	}},
	{name: "GRU", shapes: [][]int{{45, 3}, {12, 3}, {12}, {12, 4}, {12}}, op: func(t *Tape, v []*Var) *Var {
		return GRU(t, v[0], v[1], v[2], v[3], v[4], nil, Packed(6, 0, 1, 35, 3), false)
	}},
	{name: "GRU with decay", shapes: [][]int{{14, 2}, {9, 2}, {9}, {9, 3}, {9}, {14, 3}}, op: func(t *Tape, v []*Var) *Var {
		return GRU(t, v[0], v[1], v[2], v[3], v[4], v[5], []Segment{{8, 3, 2}, {1, 5, 1}}, true)
	}},
	{name: "LSTM of one row", shapes: [][]int{{2, 2}, {4, 2}, {4}, {4, 1}, {4}}, op: func(t *Tape, v []*Var) *Var {
		return LSTM(t, v[0], v[1], v[2], v[3], v[4], Packed(1, 0), false)
	}},
	{name: "Decay", shapes: [][]int{{40, 3}}, spread: true, op: func(t *Tape, v []*Var) *Var { return Decay(t, v[0]) }},
	{name: "MulRow", shapes: [][]int{{2, 20, 3}, {3}}, op: func(t *Tape, v []*Var) *Var { return MulRow(t, v[0], v[1]) }},
	{name: "Conv3D", shapes: [][]int{{2, 4, 3, 5, 2}, {3, 3, 3, 2, 3}, {3}}, op: func(t *Tape, v []*Var) *Var { return Conv3D(t, v[0], v[1], v[2], Cube(1, 1)) }},
	{name: "Conv3D with strides", shapes: [][]int{{1, 5, 4, 6, 2}, {3, 2, 3, 2, 2}}, op: func(t *Tape, v []*Var) *Var {
		return Conv3D(t, v[0], v[1], nil, Window3D{[3]int{2, 1, 3}, [3]int{1, 0, 2}})
	}},
	{name: "Conv3D that pads more than its window", shapes: [][]int{{1, 2, 1, 2, 1}, {1, 2, 2, 1, 2}}, op: func(t *Tape, v []*Var) *Var {
		return Conv3D(t, v[0], v[1], nil, Window3D{Pad: [3]int{1, 1, 2}})
	}},
	{name: "AvgPool3D", shapes: [][]int{{2, 4, 3, 5, 2}}, op: func(t *Tape, v []*Var) *Var { return AvgPool3D(t, v[0], [3]int{3, 2, 2}, Cube(2, 1)) }},
	{name: "MaxPool3D", shapes: [][]int{{2, 4, 3, 5, 2}}, spread: true, op: func(t *Tape, v []*Var) *Var { return MaxPool3D(t, v[0], [3]int{3, 2, 2}, Cube(1, 1)) }},
	{name: "GroupNorm", shapes: [][]int{{2, 3, 2, 2, 6}, {6}, {6}}, op: func(t *Tape, v []*Var) *Var { return GroupNorm(t, v[0], 3, v[1], v[2], 1e-5) }},
	{name: "Recompute", shapes: [][]int{{5, 3}, {4, 3}}, op: func(t *Tape, v []*Var) *Var {
		return Recompute(t, func(t *Tape, x *Var) *Var { return Dropout(t, GELU(t, Linear(t, x, v[1], nil)), 0.3) }, v[0])
	}},
	{name: "Rotary", shapes: [][]int{{5, 12}}, op: func(t *Tape, v []*Var) *Var {
		return Rotary(t, v[0], 2, []int32{0, 1, 2, 0, 40}, RotaryFrequencies(6, 10000))
	}},
}

// inputs returns the case's inputs: multiples of 2^-10, so that a step of 2^-6
// is exact in float32.
func (c *opCase) inputs() []*Var {
	r := rand.New(rand.NewPCG(uint64(len(c.name)), 7))
	vs := make([]*Var, len(c.shapes))
	for i, shape := range c.shapes {
		v := Param(shape...)
		order := r.Perm(len(v.Data))
		for j := range v.Data {
			v.Data[j] = float32(math.Round(1024*r.NormFloat64()) / 1024)
			if c.spread {
				v.Data[j] = (float32(order[j]-len(order)/2) + 0.5) / 16
			}
		}
		vs[i] = v
	}
	return vs
}

// run records one call. Its dropout masks are the same for every call.
func (c *opCase) run(t *Tape, v []*Var) *Var {
	t.Rand = rand.New(rand.NewPCG(3, 4))
	return c.op(t, v)
}

// cotangent returns n normal numbers that do not depend on anything else.
func cotangent(n int) []float32 {
	r := rand.New(rand.NewPCG(5, 6))
	c := make([]float32, n)
	for i := range c {
		c[i] = float32(r.NormFloat64())
	}
	return c
}

// allCases are the operations of opCases and every attention of attentionCases,
// both blocked and probed.
func allCases() []opCase {
	all := opCases[:len(opCases):len(opCases)]
	for _, c := range attentionCases() {
		blocked, probed := c.opCase(), c.opCase()
		probed.name += " probed"
		probed.op = func(t *Tape, v []*Var) *Var {
			t.Probe = func(string, *Var) {}
			return c.opCase().op(t, v)
		}
		all = append(all, blocked, probed)
	}
	return all
}
