package nn

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/internal/golden"
	"heed/internal/kernel"
	"heed/tensor"
)

// An axialCase is a layer over a grid and what it is given.
type axialCase struct {
	layer *AxialLayer
	grid  Grid
	x     *autograd.Var // (N·L, D)
	bias  *autograd.Var // (H, L, L) or nil
}

// newAxialCase returns random values. With padding, the second row and the first
// and fourth columns are padding.
func newAxialCase(n, l, dim, heads, ffn int, tied, bias, padded bool) *axialCase {
	r := source()
	c := &axialCase{layer: NewAxialLayer("l", dim, heads, ffn, tied, r), grid: Grid{Rows: n, Columns: l}}
	for _, p := range Params(c.layer) {
		gaussian(p, 0.4, r)
	}
	c.x = &autograd.Var{Tensor: *tensor.New(n*l, dim), Trainable: true}
	gaussian(c.x, 1, r)
	if bias {
		c.bias = autograd.Param(heads, l, l)
		gaussian(c.bias, 1, r)
	}
	if padded {
		c.grid.PadRows, c.grid.PadColumns = make([]bool, n), make([]bool, l)
		c.grid.PadRows[1], c.grid.PadColumns[0], c.grid.PadColumns[3] = true, true, true
	}
	return c
}

func (c *axialCase) String() string {
	return fmt.Sprintf("%dx%d, tied %v, bias %v, padded %v", c.grid.Rows, c.grid.Columns, c.layer.Tied, c.bias != nil, c.grid.PadRows != nil)
}

func axialCases(n, l, dim, heads, ffn int) []*axialCase {
	var out []*axialCase
	for k := range 8 {
		out = append(out, newAxialCase(n, l, dim, heads, ffn, k&1 > 0, k&2 > 0, k&4 > 0))
	}
	return out
}

// vars returns everything that has a gradient.
func (c *axialCase) vars() map[string]*autograd.Var {
	all := map[string]*autograd.Var{"x": c.x}
	if c.bias != nil {
		all["bias"] = c.bias
	}
	c.layer.Visit("", func(name string, p *autograd.Var) { all[name] = p })
	return all
}

// on reports whether a cell is no padding.
func (c *axialCase) on(row, column int) bool {
	return (c.grid.PadRows == nil || !c.grid.PadRows[row]) && (c.grid.PadColumns == nil || !c.grid.PadColumns[column])
}

// plain computes the layer cell by cell in double precision, by the loops of its
// formula, with the values in v in place of those of the layer. It returns the cells
// that are no padding, (N·L, D) with zeros elsewhere, and how many products it
// summed up in attention and in linear layers.
func (c *axialCase) plain(v map[string][]float64) (out []float64, attention, linear int64) {
	n, l, dim, heads := c.grid.Rows, c.grid.Columns, c.x.Dim(1), c.layer.RowAttention.Heads
	d := dim / heads
	x := slices.Clone(v["x"])
	affine := func(name string, in []float64) []float64 {
		w, b := v[name+".weight"], v[name+".bias"]
		y := slices.Clone(b)
		for o := range y {
			for i := range in {
				y[o] += w[o*len(in)+i] * in[i]
				linear++
			}
		}
		return y
	}
	norm := func(name string, in []float64) []float64 {
		mean, square := 0.0, 0.0
		for _, a := range in {
			mean += a / float64(len(in))
		}
		for _, a := range in {
			square += (a - mean) * (a - mean) / float64(len(in))
		}
		y := make([]float64, len(in))
		for i, a := range in {
			y[i] = (a-mean)/math.Sqrt(square+1e-5)*v[name+".weight"][i] + v[name+".bias"][i]
		}
		return y
	}
	// attend lets cell p attend to the cells of a line; score gives the scores.
	part := func(name, what string) [][]float64 {
		y := make([][]float64, n*l)
		for p := range y {
			y[p] = affine(name+"."+what, norm("norm_"+name, x[p*dim:(p+1)*dim]))
		}
		return y
	}
	add := func(name string, heads [][]float64) {
		for p, h := range heads {
			for i, a := range affine(name+".out", h) {
				x[p*dim+i] += a
			}
		}
	}
	softmax := func(s []float64) {
		sum := 0.0
		for i := range s {
			s[i] = math.Exp(s[i])
			sum += s[i]
		}
		for i := range s {
			s[i] /= sum
		}
	}
	grid := func() [][]float64 {
		y := make([][]float64, n*l)
		for p := range y {
			y[p] = make([]float64, dim)
		}
		return y
	}
	q, k, val, o := part("row", "query"), part("row", "key"), part("row", "value"), grid()
	used := 0
	for r := range n {
		if c.grid.PadRows == nil || !c.grid.PadRows[r] {
			used++
		}
	}
	for r := range n {
		if c.grid.PadRows != nil && c.grid.PadRows[r] {
			continue
		}
		for h := range heads {
			for i := range l {
				s := make([]float64, l)
				for j := range l {
					if !c.on(r, j) {
						s[j] = math.Inf(-1)
					}
					dot := 0.0
					for other := range n {
						switch {
						case c.grid.PadRows != nil && c.grid.PadRows[other], !c.layer.Tied && other != r:
							continue
						}
						for e := h * d; e < (h+1)*d; e++ {
							dot += q[other*l+i][e] * k[other*l+j][e]
							if other == r {
								attention++ // tied rows are counted once each
							}
						}
					}
					if c.layer.Tied {
						dot /= math.Sqrt(float64(used))
					}
					s[j] += dot / math.Sqrt(float64(d))
					if c.bias != nil {
						s[j] += v["bias"][(h*l+i)*l+j]
					}
				}
				softmax(s)
				for j := range l {
					for e := h * d; e < (h+1)*d; e++ {
						o[r*l+i][e] += s[j] * val[r*l+j][e]
						attention++
					}
				}
			}
		}
	}
	add("row", o)
	q, k, val, o = part("column", "query"), part("column", "key"), part("column", "value"), grid()
	for i := range l {
		if c.grid.PadColumns != nil && c.grid.PadColumns[i] {
			continue
		}
		for h := range heads {
			for r := range n {
				s := make([]float64, n)
				for z := range n {
					if !c.on(z, i) {
						s[z] = math.Inf(-1)
					}
					for e := h * d; e < (h+1)*d; e++ {
						s[z] += q[r*l+i][e] * k[z*l+i][e] / math.Sqrt(float64(d))
						attention++
					}
				}
				softmax(s)
				for z := range n {
					for e := h * d; e < (h+1)*d; e++ {
						o[r*l+i][e] += s[z] * val[z*l+i][e]
						attention++
					}
				}
			}
		}
	}
	add("column", o)
	for p := range n * l {
		up := affine("up", norm("norm", x[p*dim:(p+1)*dim]))
		for i, a := range up {
			up[i] = a / 2 * (1 + math.Erf(a/math.Sqrt2))
		}
		for i, a := range affine("down", up) {
			x[p*dim+i] += a
		}
		if !c.on(p/l, p%l) {
			clear(x[p*dim : (p+1)*dim])
		}
	}
	return x, attention, linear
}

// doubles returns the values of a case.
func (c *axialCase) doubles() map[string][]float64 {
	v := map[string][]float64{}
	for name, p := range c.vars() {
		for _, a := range p.Data {
			v[name] = append(v[name], float64(a))
		}
	}
	return v
}

// cotangent returns random weights of the outputs, zero at cells of padding.
func (c *axialCase) cotangent() []float32 {
	r := rand.New(rand.NewPCG(3, 4))
	dim := c.x.Dim(1)
	w := make([]float32, len(c.x.Data))
	for i := range w {
		if p := i / dim; c.on(p/c.grid.Columns, p%c.grid.Columns) {
			w[i] = float32(r.NormFloat64())
		}
	}
	return w
}

// Values and gradients are those of the plain loops, in double precision, and of
// their central differences; the cost is what the loops count; and a probe changes
// nothing.
func TestAxialIsPlain(t *testing.T) {
	for _, c := range axialCases(3, 5, 4, 2, 5) {
		t.Run(c.String(), func(t *testing.T) {
			w := c.cotangent()
			objective := func(v map[string][]float64) float64 {
				y, _, _ := c.plain(v)
				sum := 0.0
				for i, a := range y {
					sum += a * float64(w[i])
				}
				return sum
			}
			v := c.doubles()
			want, attention, linear := c.plain(v)
			// A tied map is one softmax, but scores and values cost what they cost
			// untied; keys of padding are scored and then hidden.
			if a, b := c.layer.MultiplyAdds(c.grid); a != attention || b != linear {
				t.Errorf("MultiplyAdds %d and %d, the loops count %d and %d", a, b, attention, linear)
			}
			for _, probe := range []func(string, *autograd.Var){nil, func(string, *autograd.Var) {}} {
				tape := &autograd.Tape{Probe: probe}
				y := c.layer.Forward(tape, c.x, c.grid, c.bias)
				for i, a := range y.Data {
					if p := i / c.x.Dim(1); c.on(p/c.grid.Columns, p%c.grid.Columns) && math.Abs(float64(a)-want[i]) > 1e-5 {
						t.Fatalf("probed %v: value %d is %v, want %v", probe != nil, i, a, want[i])
					}
				}
				tape.BackwardFrom(y, w)
				for _, name := range slices.Sorted(maps.Keys(v)) {
					for i := range v[name] {
						const h = 1e-5
						old := v[name][i]
						v[name][i] = old + h
						up := objective(v)
						v[name][i] = old - h
						down := objective(v)
						v[name][i] = old
						g := 0.0
						if grad := tape.Grad(c.vars()[name]); grad != nil {
							g = float64(grad[i])
						}
						if d := (up - down) / (2 * h); math.Abs(d-g) > 5e-5*max(1, math.Abs(d)) {
							t.Fatalf("probed %v: gradient %d of %s is %v, want %v", probe != nil, i, name, g, d)
						}
					}
				}
			}
		})
	}
}

// What a probe sees, and in which order.
func TestAxialProbes(t *testing.T) {
	c := newAxialCase(3, 5, 4, 2, 5, true, false, false)
	var got []string
	tape := &autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) { got = append(got, fmt.Sprint(name, v.Shape)) }}
	c.layer.Forward(tape, c.x, c.grid, nil)
	want := strings.Split("l.input[15 4],l.row.query[15 4],l.row.key[15 4],l.row.weights[1 2 5 5],l.row.heads[15 4],l.rows[15 4],"+
		"l.column.query[15 4],l.column.key[15 4],l.column.weights[5 2 3 3],l.column.heads[15 4],l.middle[15 4],l.output[15 4]", ",")
	if !slices.Equal(got, want) {
		t.Errorf("a probe sees %v, want %v", got, want)
	}
	c.layer.Tied = false
	got = nil
	c.layer.Forward(tape, c.x, c.grid, nil)
	if got[3] != "l.row.weights[3 2 5 5]" {
		t.Errorf("untied: %s", got[3])
	}
}

// Padding changes nothing: a grid with padding is the smaller grid without.
func TestAxialPadding(t *testing.T) {
	for _, tied := range []bool{false, true} {
		c := newAxialCase(4, 7, 6, 3, 8, tied, false, true)
		y := slices.Clone(c.layer.Forward(&autograd.Tape{NoGrad: true}, c.x, c.grid, nil).Data)
		var x, want []float32
		for p := range 28 {
			if c.on(p/7, p%7) {
				x = append(x, c.x.Data[p*6:(p+1)*6]...)
				want = append(want, y[p*6:(p+1)*6]...)
			}
		}
		got := c.layer.Forward(&autograd.Tape{NoGrad: true}, autograd.Input(x, 15, 6), Grid{Rows: 3, Columns: 5}, nil)
		if d := farthest(got.Data, want); d > 1e-6 {
			t.Errorf("tied %v: without padding other values, by %g", tied, d)
		}
	}
}

// farthest returns the largest difference, as a share of the largest value.
func farthest(x, y []float32) float64 {
	d, top := 0.0, 0.0
	for i := range x {
		d, top = max(d, math.Abs(float64(x[i]-y[i]))), max(top, math.Abs(float64(y[i])))
	}
	return d / top
}

// Infer gives what Forward gives, whatever the size of the pieces and the number
// of cores.
func TestAxialInfer(t *testing.T) {
	for _, c := range axialCases(7, 9, 8, 2, 12) {
		for _, turned := range []bool{false, true} {
			if turned {
				c.layer.RowAttention.Rotary = autograd.RotaryFrequencies(4, 10000)
				c.layer.ColumnAttention.Rotary = c.layer.RowAttention.Rotary
				c.layer.RowAttention.Relative = autograd.Param(2, 7)
				gaussian(c.layer.RowAttention.Relative, 1, source())
			}
			want := slices.Clone(c.layer.Forward(&autograd.Tape{NoGrad: true}, c.x, c.grid, c.bias).Data)
			var same []float32
			for _, cells := range []int{0, 1, 9, 20, 30, 63, 1000} {
				for _, cores := range []int{1, 3} {
					x := slices.Clone(c.x.Data)
					c.layer.Infer(NewAxialPass(c.grid, cells, cores), x, c.bias, nil)
					for p := range 63 {
						if !c.on(p/9, p%9) {
							copy(x[p*8:(p+1)*8], want[p*8:])
						}
					}
					if d := farthest(x, want); d > 1e-6 {
						t.Errorf("%v, turned %v: pieces of %d cells differ by %g", c, turned, cells, d)
					}
					if cores == 1 {
						same = x
					} else if !slices.Equal(x, same) {
						t.Errorf("%v: %d cells: other bits on %d cores", c, cells, cores)
					}
				}
			}
		}
	}
}

// Nothing but padding is no reason to stop.
func TestAxialAllPadding(t *testing.T) {
	for _, tied := range []bool{false, true} {
		c := newAxialCase(2, 5, 4, 2, 5, tied, false, true)
		for i := range c.grid.PadColumns {
			c.grid.PadColumns[i] = true
		}
		y := c.layer.Forward(&autograd.Tape{NoGrad: true}, c.x, c.grid, nil)
		x := slices.Clone(c.x.Data)
		c.layer.Infer(NewAxialPass(c.grid, 5, 1), x, nil, nil)
		for i, a := range slices.Concat(y.Data, x) {
			if math.IsNaN(float64(a)) {
				t.Fatalf("tied %v: value %d is NaN", tied, i)
			}
		}
	}
}

func TestAxialRefusesShapes(t *testing.T) {
	for what, f := range map[string]func(c *axialCase){
		"rows":    func(c *axialCase) { c.grid.Rows++ },
		"padding": func(c *axialCase) { c.grid.PadColumns = []bool{true} },
	} {
		for name, run := range map[string]func(c *axialCase){
			"Forward": func(c *axialCase) { c.layer.Forward(&autograd.Tape{}, c.x, c.grid, nil) },
			"Infer":   func(c *axialCase) { c.layer.Infer(NewAxialPass(c.grid, 1, 1), c.x.Data, nil, nil) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s of wrong %s does not panic", name, what)
					}
				}()
				c := newAxialCase(2, 3, 4, 2, 5, false, false, false)
				f(c)
				run(c)
			}()
		}
	}
}

// Values and all gradients agree with PyTorch, with every kernel, probed or not.
func TestAxialGoldens(t *testing.T) {
	cases, err := golden.Load("testdata/axial.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 4 {
		t.Errorf("%d cases, want 4", len(cases))
	}
	for _, c := range cases {
		for _, impl := range kernel.Available() {
			for _, probe := range []func(string, *autograd.Var){nil, func(string, *autograd.Var) {}} {
				t.Run(c.Name+" "+impl.String()+map[bool]string{true: " probed"}[probe != nil], func(t *testing.T) {
					defer kernel.Force(impl)()
					checkAxial(t, &c, &autograd.Tape{Probe: probe})
				})
			}
		}
	}
}

func checkAxial(t *testing.T, c *golden.Case, tape *autograd.Tape) {
	in := c.Input("x")
	a := axialCase{grid: Grid{Rows: c.Int("rows"), Columns: c.Int("columns")}, x: &autograd.Var{Tensor: *in, Trainable: true}}
	a.layer = NewAxialLayer("l", in.Dim(1), c.Int("heads"), c.Input("up.bias").Dim(0), c.Int("tied") == 1, nil)
	a.grid.PadRows, a.grid.PadColumns = make([]bool, a.grid.Rows), make([]bool, a.grid.Columns)
	for i := range c.Int("pad_rows") {
		a.grid.PadRows[a.grid.Rows-1-i] = true
	}
	for i := range c.Int("pad_columns") {
		a.grid.PadColumns[a.grid.Columns-1-i] = true
	}
	if strings.HasSuffix(c.Name, "bias") {
		a.bias = autograd.Param(c.Input("bias").Shape...)
	}
	for name, p := range a.vars() {
		if !slices.Equal(p.Shape, c.Input(name).Shape) {
			t.Fatalf("%s: shape %v, PyTorch has %v", name, p.Shape, c.Input(name).Shape)
		}
		copy(p.Data, c.Input(name).Data)
	}
	y := a.layer.Forward(tape, a.x, a.grid, a.bias)
	out, cotangent := slices.Clone(y.Data), slices.Clone(c.Cotangent("out").Data)
	for p := range a.grid.Rows * a.grid.Columns {
		if !a.on(p/a.grid.Columns, p%a.grid.Columns) { // PyTorch has zeros there
			clear(out[p*in.Dim(1) : (p+1)*in.Dim(1)])
			clear(cotangent[p*in.Dim(1) : (p+1)*in.Dim(1)])
		}
	}
	c.Check(t, "out", out)
	tape.BackwardFrom(y, cotangent)
	checked := []string{"out"}
	for name, p := range a.vars() {
		checked = append(checked, "grad."+name)
		if query, ok := strings.CutSuffix(name, "key.bias"); ok {
			bound := c.Bound("grad." + query + "query.bias") // zero but for rounding, see checkGolden
			for i, v := range tape.Grad(p) {
				if !(math.Abs(float64(v)) <= bound) {
					t.Errorf("%s: gradient %d is %g, want 0 within %.3g", name, i, v, bound)
				}
			}
			continue
		}
		c.Check(t, "grad."+name, tape.Grad(p))
	}
	want := c.Results()
	slices.Sort(checked)
	slices.Sort(want)
	if !slices.Equal(checked, want) {
		t.Errorf("checked %v, the golden has %v", checked, want)
	}
}
