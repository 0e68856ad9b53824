package autograd

import "math/rand/v2"

// An attentionCase is an attention with heads of width 4. Its bias and its
// relative bias are given as shapes.
type attentionCase struct {
	name           string
	spec           AttentionSpec
	queries, keys  int // rows; no keys stands for as many as queries
	keyHeads       int // 0 stands for spec.Heads
	bias, relative []int
	same           bool // q, k and v are one Var
}

const headWidth = 4

func attentionCases() []attentionCase {
	ragged := Packed(5, 0, 1, 7)
	return []attentionCase{
		{name: "packed", queries: 14, spec: AttentionSpec{Heads: 2, Query: ragged}},
		{name: "rows outside", queries: 9, spec: AttentionSpec{Heads: 2, Query: []Segment{{1, 3, 1}, {6, 2, 1}}}},
		{name: "one head", queries: 6, spec: AttentionSpec{Heads: 1, Query: Packed(6)}},
		{name: "scale", queries: 6, spec: AttentionSpec{Heads: 2, Query: Packed(6), Scale: 0.25}},
		{name: "grid rows", queries: 13, spec: AttentionSpec{Heads: 2, Query: GridRows(1, 3, 4)}},
		{name: "grid columns", queries: 13, spec: AttentionSpec{Heads: 2, Query: GridColumns(1, 3, 4)}},
		{name: "causal", queries: 14, spec: AttentionSpec{Heads: 2, Query: ragged, Causal: true}},
		{name: "cross", queries: 8, keys: 9, spec: AttentionSpec{Heads: 2, Query: Packed(5, 3), Key: Packed(2, 7)}},
		{name: "cross with no keys", queries: 8, keys: 4, spec: AttentionSpec{Heads: 2, Query: Packed(5, 3), Key: Packed(0, 4)}},
		{name: "cross causal", queries: 8, keys: 9, spec: AttentionSpec{Heads: 2, Query: Packed(5, 3), Key: Packed(2, 7), Causal: true}},
		{name: "overlapping keys", queries: 9, spec: AttentionSpec{Heads: 2, Query: Packed(3, 3, 3), Key: []Segment{{0, 5, 1}, {1, 7, 1}, {4, 5, 1}}}},
		{name: "one context for all", queries: 8, keys: 3, spec: AttentionSpec{Heads: 2, Query: Packed(4, 4), Key: []Segment{{0, 3, 1}, {0, 3, 1}}}},
		{name: "masked", queries: 14, spec: AttentionSpec{Heads: 2, Query: ragged, KeyMask: keyMask(14, 1, 4, 5, 8)}},
		{name: "masked columns", queries: 12, spec: AttentionSpec{Heads: 2, Query: GridColumns(0, 3, 4), KeyMask: keyMask(12, 1, 4, 5, 8, 9)}},
		{name: "masked causal", queries: 14, spec: AttentionSpec{Heads: 2, Query: ragged, KeyMask: keyMask(14, 0, 1, 5, 8), Causal: true}},
		{name: "bias", queries: 14, bias: []int{2, 7, 7}, spec: AttentionSpec{Heads: 2, Query: ragged}},
		{name: "bias and scale 1", queries: 14, bias: []int{2, 7, 7}, spec: AttentionSpec{Heads: 2, Query: ragged, Scale: 1}},
		{name: "larger bias", queries: 8, keys: 9, bias: []int{2, 6, 9}, spec: AttentionSpec{Heads: 2, Query: Packed(5, 3), Key: Packed(2, 7)}},
		{name: "bias per segment", queries: 14, bias: []int{4, 2, 7, 8}, spec: AttentionSpec{Heads: 2, Query: ragged}},
		{name: "relative", queries: 14, relative: []int{2, 5}, spec: AttentionSpec{Heads: 2, Query: ragged}},
		{name: "wide relative", queries: 14, relative: []int{2, 21}, spec: AttentionSpec{Heads: 2, Query: ragged}},
		{name: "relative of radius 0", queries: 6, relative: []int{2, 1}, spec: AttentionSpec{Heads: 2, Query: Packed(6), Causal: true}},
		{name: "relative causal", queries: 14, relative: []int{2, 7}, spec: AttentionSpec{Heads: 2, Query: ragged, Causal: true, Scale: 1}},
		{name: "ALiBi", queries: 14, spec: AttentionSpec{Heads: 3, Query: ragged, Relative: ALiBi(3, 6)}},
		{name: "tied", queries: 20, spec: AttentionSpec{Heads: 2, Query: GridRows(0, 4, 5), Tied: 2}},
		{name: "all tied", queries: 20, spec: AttentionSpec{Heads: 2, Query: GridRows(0, 4, 5), Tied: 4}},
		{name: "tied masked", queries: 20, spec: AttentionSpec{Heads: 2, Query: GridRows(0, 4, 5), Tied: 2, KeyMask: keyMask(20, 1, 10, 11, 12, 13, 14)}},
		{name: "tied with bias per group", queries: 20, bias: []int{2, 2, 5, 5}, relative: []int{2, 3}, spec: AttentionSpec{Heads: 2, Query: GridRows(0, 4, 5), Tied: 2}},
		{name: "grouped keys", queries: 14, keyHeads: 2, spec: AttentionSpec{Heads: 4, Query: ragged}},
		{name: "one key head", queries: 14, keyHeads: 1, spec: AttentionSpec{Heads: 4, Query: ragged, Causal: true}},
		{name: "grouped keys with bias", queries: 14, keyHeads: 2, bias: []int{4, 7, 7}, spec: AttentionSpec{Heads: 4, Query: ragged}},
		{name: "dropout", queries: 14, spec: AttentionSpec{Heads: 2, Query: ragged, Dropout: 0.3}},
		{name: "same", queries: 14, same: true, spec: AttentionSpec{Heads: 2, Query: ragged}},
		{name: "same across", queries: 9, same: true, spec: AttentionSpec{Heads: 2, Query: Packed(4, 5), Key: []Segment{{4, 5, 1}, {0, 4, 1}}}},
		{name: "everything", queries: 14, keys: 15, keyHeads: 2, bias: []int{4, 7, 7}, relative: []int{4, 5},
			spec: AttentionSpec{Heads: 4, Query: ragged, Key: []Segment{{0, 6, 2}, {2, 2, 1}, {12, 3, 1}, {3, 7, 1}},
				KeyMask: keyMask(15, 2, 3, 4, 9, 12), Causal: true, Dropout: 0.3, Scale: 0.7}},
		{name: "everything tied", queries: 20, keyHeads: 1, bias: []int{2, 2, 5, 5}, relative: []int{2, 5},
			spec: AttentionSpec{Heads: 2, Query: GridRows(0, 4, 5), Tied: 2, KeyMask: keyMask(20, 0, 3, 12), Causal: true, Dropout: 0.3}},
	}
}

// keyMask is true but for the given rows.
func keyMask(n int, off ...int) []bool {
	m := make([]bool, n)
	for i := range m {
		m[i] = true
	}
	for _, i := range off {
		m[i] = false
	}
	return m
}

// opCase has the inputs q, k, v, bias and relative bias, as far as they exist.
func (c attentionCase) opCase() opCase {
	if c.keys == 0 {
		c.keys = c.queries
	}
	if c.keyHeads == 0 {
		c.keyHeads = c.spec.Heads
	}
	q, k := []int{c.queries, c.spec.Heads * headWidth}, []int{c.keys, c.keyHeads * headWidth}
	o := opCase{name: "Attention " + c.name, shapes: [][]int{q, k, k}}
	if c.same {
		o.shapes = o.shapes[:1]
	}
	n := len(o.shapes)
	for _, s := range [][]int{c.bias, c.relative} {
		if s != nil {
			o.shapes = append(o.shapes, s)
		}
	}
	o.op = func(t *Tape, v []*Var) *Var {
		spec, rest := c.spec, v[n:]
		spec.Name = "a"
		if c.bias != nil {
			spec.Bias, rest = rest[0], rest[1:]
		}
		if c.relative != nil {
			spec.Relative = rest[0]
		}
		if c.same {
			return Attention(t, v[0], v[0], v[0], spec)
		}
		return Attention(t, v[0], v[1], v[2], spec)
	}
	return o
}

func normal(r *rand.Rand, shape ...int) *Var {
	v := Param(shape...)
	for i := range v.Data {
		v.Data[i] = float32(r.NormFloat64())
	}
	return v
}
