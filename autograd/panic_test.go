package autograd

import (
	"fmt"
	"math"
	"testing"

	"heed/tensor"
)

func TestPanicsNameBothShapes(t *testing.T) {
	tape := &Tape{}
	p := Param
	attend := func(q, k, v *Var, s AttentionSpec) func() {
		return func() { Attention(&Tape{}, q, k, v, s) }
	}
	self := AttentionSpec{Heads: 2, Query: Packed(6)}
	with := func(change func(s *AttentionSpec)) func() {
		s := self
		change(&s)
		return attend(p(6, 8), p(6, 8), p(6, 8), s)
	}
	for _, c := range []struct {
		f    func()
		want string
	}{
		{func() { Linear(tape, p(4, 5), p(3, 6), nil) }, "Linear weight: shape (3, 6), want (*, 5)"},
		{func() { Linear(tape, p(4, 5), p(5), nil) }, "Linear weight: shape (5), want (*, 5)"},
		{func() { Linear(tape, p(4, 5), p(3, 5), p(4)) }, "Linear bias: shape (4), want (3)"},
		{func() { MatMul(tape, p(4), p(4, 5)) }, "MatMul a: shape (4), want (*, *)"},
		{func() { MatMul(tape, p(3, 4), p(5, 4)) }, "MatMul b: shape (5, 4), want (4, *)"},
		{func() { Add(tape, p(3, 4), p(4, 3)) }, "Add: shape (4, 3), want (3, 4)"},
		{func() { AddRow(tape, p(3, 4), p(3)) }, "AddRow: shape (3), want (4)"},
		{func() { Mul(tape, p(3, 4), p(12)) }, "Mul: shape (12), want (3, 4)"},
		{func() { Reshape(tape, p(3, 4), 5, 2) }, "Reshape: shape (3, 4), want (5, 2)"},
		{func() { Concat(tape, p(3, 4), p(2, 4)) }, "Concat: shape (2, 4), want (3, 4)"},
		{func() { LayerNorm(tape, p(3, 4), p(3), p(4), 0) }, "LayerNorm gamma: shape (3), want (4)"},
		{func() { LayerNorm(tape, p(3, 4), p(4), p(3), 0) }, "LayerNorm beta: shape (3), want (4)"},
		{func() { Embedding(tape, p(3), nil) }, "Embedding: shape (3), want (*, *)"},
		{func() { Embedding(tape, p(3, 4), []int32{0, 3}) }, "Embedding: id 3 is not in [0, 3)"},
		{func() { Embedding(tape, p(3, 4), []int32{-1}) }, "Embedding: id -1 is not in [0, 3)"},
		{func() { MeanPool(tape, p(3), nil) }, "MeanPool: shape (3), want (*, *)"},
		{func() { MeanPool(tape, p(3, 4), Packed(4)) }, "MeanPool: segment {Start 0, Count 4, Stride 1} of 3 rows"},
		{func() { MeanPool(tape, p(3, 4), Packed(3, -1)) }, "MeanPool: segment {Start 3, Count -1, Stride 1} of 3 rows"},
		{func() { CrossEntropy(tape, p(3, 4), []int32{1}, 1) }, "CrossEntropy: shape (3, 4), want (1, *)"},
		{func() { CrossEntropy(tape, p(1, 4), []int32{4}, 1) }, "CrossEntropy: target 4 is not below 4"},
		{func() { BinaryCrossEntropy(tape, p(3, 1), []float32{1}, 1) }, "BinaryCrossEntropy targets: shape (1), want (3, 1)"},
		{func() { Conv1D(tape, p(6, 3), p(2, 5, 4), nil, Packed(6)) }, "Conv1D weight: shape (2, 5, 4), want (*, *, 3)"},
		{func() { Conv1D(tape, p(6, 3), p(2, 5, 3), p(5), Packed(6)) }, "Conv1D bias: shape (5), want (2)"},
		{func() { Conv1D(tape, p(6, 3), p(2, 5, 3), nil, GridColumns(0, 4, 2)) }, "Conv1D: segment {Start 0, Count 4, Stride 2} of 6 rows"},
		{func() { MaxPool1D(tape, p(6, 3), 2, GridColumns(0, 3, 2)) }, "MaxPool1D: segment at 0 has stride 2, want 1"},
		{func() { MaxNear1D(tape, p(6, 1), 2, Packed(6)) }, "MaxNear1D: window of 2"},
		{func() { Dilated(Packed(6), 0) }, "Dilated: dilation 0"},
		{func() { DecayToMean(tape, p(6, 3), p(6, 2), p(6, 3), p(3), Packed(6)) }, "DecayToMean mask: shape (6, 2), want (6, 3)"},
		{func() { MaxPool1D(tape, p(6), 2, Packed(6)) }, "MaxPool1D: shape (6), want (*, *)"},
		{func() { MaxPool1D(tape, p(6, 1), 0, Packed(6)) }, "MaxPool1D: window of 0"},
		{func() { LSTM(tape, p(6, 3), p(8, 3), p(8), p(8, 3), p(8), Packed(6), false) }, "LSTM hidden weight: shape (8, 3), want (12, 3)"},
		{func() { LSTM(tape, p(6, 3), p(8, 4), p(8), p(8, 2), p(8), Packed(6), false) }, "LSTM input weight: shape (8, 4), want (8, 3)"},
		{func() { LSTM(tape, p(6, 3), p(8, 3), p(8), p(8, 2), p(8), Packed(7), false) }, "LSTM: segment {Start 0, Count 7, Stride 1} of 6 rows"},
		{func() { LSTM(tape, p(6, 3), p(8, 3), p(8), p(8, 2), p(8), []Segment{{0, 3, 1}, {2, 2, 1}}, false) }, "LSTM: row 2 is in two segments"},
		{func() { GRU(tape, p(6, 3), p(6, 3), p(6), p(6, 2), p(5), nil, Packed(6), false) }, "GRU hidden bias: shape (5), want (6)"},
		{func() { GRU(tape, p(6, 3), p(6, 3), p(6), p(6, 2), p(6), p(6, 3), Packed(6), false) }, "GRU decay: shape (6, 3), want (6, 2)"},
		{func() { MulRow(tape, p(3, 4), p(3)) }, "MulRow: shape (3), want (4)"},
		{func() { Rotary(tape, p(6, 8), 2, make([]int32, 6), make([]float32, 3)) }, "Rotary: shape (6, 8), want (6, 12)"},
		{func() { Dropout(tape, p(6), 1) }, "autograd: dropout rate 1 is not in [0, 1)"},
		{func() { tape.Backward(p(2)) }, "Backward: shape (2), want (1)"},
		{func() { tape.Backward(p()) }, "autograd: Backward of a value that was not recorded on this tape or depends on nothing trainable"},
		{func() { tape.BackwardFrom(Scale(tape, p(2), 1), []float32{1}) }, "BackwardFrom: shape (1), want (2)"},

		{attend(p(6), p(6, 8), p(6, 8), self), "Attention query: shape (6), want (*, *)"},
		{attend(p(6, 8), p(6), p(6), self), "Attention key: shape (6), want (*, *)"},
		{attend(p(6, 8), p(6, 8), p(5, 8), self), "Attention value: shape (5, 8), want (6, 8)"},
		{attend(p(6, 8), p(6, 6), p(6, 6), self), "Attention key heads: shape (6, 6), want (6, 8)"},
		{with(func(s *AttentionSpec) { s.Heads = 3 }), "Attention: width 8 is not a multiple of 3 heads"},
		{with(func(s *AttentionSpec) { s.Heads = 0 }), "Attention: width 8 is not a multiple of 0 heads"},
		{with(func(s *AttentionSpec) { s.Query = Packed(7) }), "Attention query: segment {Start 0, Count 7, Stride 1} of 6 rows"},
		{with(func(s *AttentionSpec) { s.Key = []Segment{{0, 4, 2}} }), "Attention key: segment {Start 0, Count 4, Stride 2} of 6 rows"},
		{with(func(s *AttentionSpec) { s.Key = Packed(3, 3) }), "Attention: 1 query segments, 2 key segments, groups of 1"},
		{with(func(s *AttentionSpec) { s.Query, s.Tied = Packed(2, 2, 2), 2 }), "Attention: 3 query segments, 3 key segments, groups of 2"},
		{with(func(s *AttentionSpec) { s.Query, s.Tied = Packed(2, 4), 2 }), "Attention: tied segments 0 and 1 differ in length"},
		{with(func(s *AttentionSpec) { s.Query = []Segment{{0, 4, 1}, {3, 2, 1}} }), "Attention: row 3 is in two query segments"},
		{with(func(s *AttentionSpec) { s.Scale = -1 }), "Attention: scale -1"},
		{with(func(s *AttentionSpec) { s.Scale = float32(math.NaN()) }), "Attention: scale NaN"},
		{with(func(s *AttentionSpec) { s.KeyMask = make([]bool, 5) }), "Attention key mask: shape (5), want (6)"},
		{with(func(s *AttentionSpec) { s.Bias = p(2, 5, 6) }), "Attention bias: shape (2, 5, 6), want (2, 6, 6)"},
		{with(func(s *AttentionSpec) { s.Bias = p(3, 6, 6) }), "Attention bias: shape (3, 6, 6), want (2, *, *)"},
		{with(func(s *AttentionSpec) { s.Bias = p(2, 2, 6, 6) }), "Attention bias: shape (2, 2, 6, 6), want (1, 2, *, *)"},
		{with(func(s *AttentionSpec) { s.Relative = p(3, 5) }), "Attention relative bias: shape (3, 5), want (2, *)"},
		{with(func(s *AttentionSpec) { s.Relative = p(2, 4) }), "Attention relative bias (odd width): shape (2, 4), want (2, *)"},
		{func() { Conv3D(tape, p(2, 3, 3, 3), p(3, 3, 3, 1, 2), nil, Cube(1, 1)) }, "Conv3D: shape (2, 3, 3, 3), want (*, *, *, *, *)"},
		{func() { Conv3D(tape, p(2, 3, 3, 3, 2), p(3, 3, 3, 1, 2), nil, Cube(1, 1)) }, "Conv3D weight: shape (3, 3, 3, 1, 2), want (*, *, *, 2, *)"},
		{func() { Conv3D(tape, p(2, 3, 3, 3, 1), p(3, 3, 5, 1, 2), nil, Cube(1, 0)) },
			"Conv3D: windows of [3 3 5], stride [1 1 1], padding [0 0 0] in a volume of [3 3 3]"},
		{func() { MaxPool3D(tape, p(2, 3, 3, 3, 1), [3]int{1, 2, 2}, Cube(1, 1)) }, "autograd: pooling with windows that lie in the padding alone"},
		{func() { GroupNorm(tape, p(2, 3, 6), 4, p(6), p(6), 1e-5) }, "GroupNorm: 4 groups in a tensor of [2 3 6]"},
		{with(func(s *AttentionSpec) { s.Dropout = -0.1 }), "autograd: dropout rate -0.1 is not in [0, 1)"},
	} {
		func() {
			defer func() {
				switch e := recover().(type) {
				case *tensor.ShapeError:
					if e.Error() != c.want {
						t.Errorf("got  %q\nwant %q", e.Error(), c.want)
					}
				case string:
					if e != c.want {
						t.Errorf("got  %q\nwant %q", e, c.want)
					}
				default:
					t.Errorf("panic %v, want %q", fmt.Sprint(e), c.want)
				}
			}()
			c.f()
		}()
	}
}
