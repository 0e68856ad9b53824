package nn

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/internal/golden"
	"heed/internal/kernel"
)

// reader returns the module of a golden, and its pass.
func reader(c *golden.Case) (Module, func(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var) {
	in := c.Input("x").Dim(1)
	name, rest, _ := strings.Cut(c.Name, "/")
	var r Reader
	switch name {
	case "lstm":
		l := NewLSTM(in, 4, nil)
		l.Reverse = rest == "reverse"
		r = l
	case "gru":
		g := NewGRU(in, 4, nil)
		g.Reverse = rest == "reverse"
		r = g
	case "bilstm":
		r = NewBiLSTM(in, 4, nil)
	case "bigru":
		r = NewBiGRU(in, 4, nil)
	case "inception":
		m := NewInception(in, 3, nil)
		return m, m.Mix
	case "dilated":
		m := NewDilatedCNN(in, 3, []int{1, 2, 4, 8}, nil)
		return m, m.Mix
	case "grud":
		g := NewGRUD(in, 4, nil, nil)
		g.Mean.Trainable = true // for the golden of its gradient
		observed, waited := c.Ints("observed"), c.Ints("waited")
		mask, gaps := make([]float32, len(observed)), make([]float32, len(observed))
		for i := range mask {
			mask[i], gaps[i] = float32(observed[i]), float32(waited[i])/1024
		}
		return g, func(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
			return g.Forward(t, x, autograd.Input(mask, x.Shape...), autograd.Input(gaps, x.Shape...), s)
		}
	}
	return r, r.Forward
}

// Values and the gradients of the input and of every parameter agree with
// PyTorch's own LSTM and GRU over packed sequences, with GRU-D written row by
// row, and with convolutions one sequence at a time.
func TestAlternativeGoldens(t *testing.T) {
	seen := map[string]bool{}
	for _, file := range []string{"recurrent", "recurrent_long", "grud", "convolution"} {
		cases, err := golden.Load("testdata/" + file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			seen[c.Name] = true
			for _, impl := range kernel.Available() {
				t.Run(c.Name+" "+impl.String(), func(t *testing.T) {
					defer kernel.Force(impl)()
					m, forward := reader(&c)
					m.Visit("", func(name string, p *autograd.Var) {
						in := c.Input(name)
						if !slices.Equal(p.Shape, in.Shape) {
							t.Fatalf("%s: shape %v, PyTorch has %v", name, p.Shape, in.Shape)
						}
						copy(p.Data, in.Data)
					})
					x := &autograd.Var{Tensor: *c.Input("x"), Trainable: true}
					tape := &autograd.Tape{}
					y := forward(tape, x, autograd.Packed(c.Ints("lengths")...))
					c.Check(t, "out", y.Data)
					tape.BackwardFrom(y, c.Cotangent("out").Data)
					c.Check(t, "grad.x", tape.Grad(x))
					checked := []string{"out", "grad.x"}
					m.Visit("", func(name string, p *autograd.Var) {
						checked = append(checked, "grad."+name)
						c.Check(t, "grad."+name, tape.Grad(p))
					})
					want := c.Results()
					slices.Sort(checked)
					slices.Sort(want)
					if !slices.Equal(checked, want) {
						t.Errorf("checked %v, the golden has %v", checked, want)
					}
				})
			}
		}
	}
	if len(seen) != 11 {
		t.Errorf("%d cases, want 11", len(seen))
	}
}

func TestAlternativeNames(t *testing.T) {
	for _, tt := range []struct {
		module Module
		want   string
	}{
		{NewLSTM(2, 3, nil), "input.weight input.bias hidden.weight hidden.bias"},
		{NewBiGRU(2, 3, nil), `ahead.input.weight ahead.input.bias ahead.hidden.weight ahead.hidden.bias
			back.input.weight back.input.bias back.hidden.weight back.hidden.bias`},
		{NewGRUD(2, 3, nil, nil), "fade.weight fade.bias mean decay.weight decay.bias input.weight input.bias hidden.weight hidden.bias"},
		{&RecurrentMixer{NewGRU(2, 3, nil), NewLinear(3, 2, nil)}, "reader.input.weight reader.input.bias reader.hidden.weight reader.hidden.bias out.weight out.bias"},
		{NewInception(2, 3, nil), "one.weight one.bias into3.weight into3.bias three.weight three.bias into5.weight into5.bias five.weight five.bias pooled.weight pooled.bias out.weight out.bias"},
		{NewDilatedCNN(2, 3, []int{1, 2}, nil), "in.weight in.bias convs.0.weight convs.0.bias convs.1.weight convs.1.bias out.weight out.bias"},
	} {
		if got, want := names(tt.module, ""), strings.Fields(tt.want); !slices.Equal(got, want) {
			t.Errorf("%T: names\n%q, want\n%q", tt.module, got, want)
		}
	}
}

// Every mixer takes the place of attention: rows of other segments change
// nothing, to the bit, and each row's reach is what its documentation says.
func TestMixersReach(t *testing.T) {
	const dim, length, at = 6, 41, 20
	for _, kind := range Mixers() {
		m, err := NewMixer(kind, dim, 5, source())
		if err != nil {
			t.Fatal(err)
		}
		layer := NewEncoderLayer(m, dim, 8, source())
		x := autograd.Param(3+length, dim)
		gaussian(x, 1, source())
		segments := autograd.Packed(3, length)
		var tape autograd.Tape
		y := layer.Forward(&tape, x, segments)
		alone := layer.Forward(&autograd.Tape{}, autograd.Input(x.Data[3*dim:], length, dim), autograd.Packed(length))
		if !slices.Equal(alone.Data, y.Data[3*dim:]) {
			t.Errorf("%s: a segment has other values in company", kind)
		}
		middle := autograd.Rows(&tape, y, []int32{3 + at})
		tape.Backward(autograd.Sum(&tape, middle))
		g := tape.Grad(x)
		var reached []int
		for r := range 3 + length {
			for _, v := range g[r*dim : (r+1)*dim] {
				if v != 0 {
					reached = append(reached, r-3-at)
					break
				}
			}
		}
		want := map[string][2]int{"lstm": {-at, 0}, "gru": {-at, 0}, "bilstm": {-at, length - 1 - at}, "bigru": {-at, length - 1 - at},
			"inception": {-2, 2}, "dilated": {-15, 15}}[kind]
		if reached[0] < want[0] || reached[len(reached)-1] > want[1] || kind != "dilated" && len(reached) != want[1]-want[0]+1 || len(reached) < 4 {
			t.Errorf("%s: row %d depends on rows at %v, want %v", kind, at, reached, want)
		}
		if LooksBack(kind) != (want[1] == 0) {
			t.Errorf("LooksBack(%s) = %v", kind, LooksBack(kind))
		}
	}
}

func TestMixerErrors(t *testing.T) {
	for _, tt := range []struct {
		kind  string
		width int
		want  string
	}{
		{"rnn", 3, `mixer "rnn": want one of lstm, bilstm, gru, bigru, inception, dilated`},
		{"lstm", 0, "mixer lstm: width 0: want 1 or more"},
	} {
		if _, err := NewMixer(tt.kind, 4, tt.width, nil); err == nil || err.Error() != tt.want {
			t.Errorf("error %v, want %s", err, tt.want)
		}
	}
}

// At usual widths every alternative comes within 2 % of an encoder layer with
// attention.
func TestEqualWidth(t *testing.T) {
	for _, dim := range []int{32, 48, 64, 128, 256} {
		target := Count(NewEncoderLayer(NewMultiHeadAttention(dim, 4, nil), dim, 2*dim, nil))
		for _, kind := range Mixers() {
			count := func(width int) int {
				m, err := NewMixer(kind, dim, width, nil)
				if err != nil {
					t.Fatal(err)
				}
				return Count(NewEncoderLayer(m, dim, 2*dim, nil))
			}
			width, err := EqualWidth(target, count)
			if err != nil {
				t.Errorf("%s for width %d: %v", kind, dim, err)
				continue
			}
			n := count(width)
			if off := math.Abs(float64(n)/float64(target) - 1); off > 0.02 {
				t.Errorf("%s: %d values, want %d", kind, n, target)
			}
			for _, w := range []int{width - 1, width + 1} {
				if w > 0 && math.Abs(float64(count(w)-target)) < math.Abs(float64(n-target)) {
					t.Errorf("%s: width %d is nearer than %d", kind, w, width)
				}
			}
		}
	}
	for _, tt := range []struct {
		target int
		want   string
	}{
		{50, "width 1 has 36 values and 2 has 72: none is within 2 % of 50"},
		{20, "width 0 has 36 values and 1 has 36: none is within 2 % of 20"},
	} {
		if _, err := EqualWidth(tt.target, func(w int) int { return 36 * w }); err == nil || err.Error() != tt.want {
			t.Errorf("error %v, want %s", err, tt.want)
		}
	}
	if _, err := EqualWidth(1<<40, func(w int) int { return w }); err == nil || err.Error() != "no width below 65536 has 1099511627776 values" {
		t.Errorf("error %v", err)
	}
}

// All weights and biases are uniform within 1/√width, as in PyTorch.
func TestRecurrentInitialValues(t *testing.T) {
	for _, m := range []Module{NewLSTM(30, 100, source()), NewGRU(30, 100, source())} {
		m.Visit("", func(name string, p *autograd.Var) {
			mean, sd, top := moments(p.Data)
			n := float64(len(p.Data))
			if want := 0.1 / math.Sqrt(3); math.Abs(mean) > 4*want/math.Sqrt(n) || math.Abs(sd/want-1) > 4/math.Sqrt(2*n) || top > 0.1 || top < 0.098 {
				t.Errorf("%T %s: mean %.3g, standard deviation %.4g, largest %.4g", m, name, mean, sd, top)
			}
		})
	}
	l := NewLSTM(2, 3, source())
	l.Remember(1)
	for i := range 12 {
		sum := l.Input.Bias.Data[i] + l.Hidden.Bias.Data[i]
		if forget := i >= 3 && i < 6; forget != (sum == 1) {
			t.Errorf("bias %d is %v after Remember(1)", i, sum)
		}
	}
}

func TestGaps(t *testing.T) {
	// The example of Che et al. 2018, figure 2: times 0, 0.1, 0.6, 1.6, 2.2, 2.5, 3.1.
	times := []float32{0, 0.1, 0.6, 1.6, 2.2, 2.5, 3.1}
	first, second := []float32{1, 0, 0, 1, 0, 0, 1}, []float32{0, 1, 1, 0, 0, 1, 0}
	var mask []float32
	for i := range times {
		mask = append(mask, first[i], second[i])
	}
	got := Gaps(times, mask, autograd.Packed(7))
	want := []float32{0, 0, 0.1, 0.1, 0.6, 0.5, 1.6, 1, 0.6, 1.6, 0.9, 1.9, 1.5, 0.6}
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-6 {
			t.Errorf("gaps %v, want %v", got, want)
			break
		}
	}
	if two := Gaps([]float32{5, 6, 9}, []float32{1, 1, 1}, autograd.Packed(2, 1)); !slices.Equal(two, []float32{0, 1, 0}) {
		t.Errorf("gaps of two segments: %v", two)
	}
}

// A value that was not observed says nothing, whatever stands in its place; a
// long gap forgets both value and state.
func TestGRUDForgets(t *testing.T) {
	g := NewGRUD(2, 4, []float32{0.5, -1}, source())
	for i := range g.Decay.Weight.Data {
		g.Decay.Weight.Data[i] = 1
	}
	mask := []float32{1, 1, 0, 1, 0, 0}
	run := func(x []float32, gap float32) []float32 {
		gaps := []float32{0, 0, 1, 1, gap, gap}
		y := g.Forward(&autograd.Tape{}, autograd.Input(x, 3, 2), autograd.Input(mask, 3, 2), autograd.Input(gaps, 3, 2), autograd.Packed(3))
		return y.Data[8:]
	}
	if a, b := run([]float32{1, 2, 3, 4, 5, 6}, 1), run([]float32{1, 2, -7, 4, 0, 9}, 1); !slices.Equal(a, b) {
		t.Errorf("states %v and %v", a, b)
	}
	far := func(x float32, gap float32) float64 {
		a, b := run([]float32{1, 2, 3, 4, 5, 6}, gap), run([]float32{x, x, 3, x, 5, 6}, gap)
		var d float64
		for i := range a {
			d += math.Abs(float64(a[i] - b[i]))
		}
		return d
	}
	if near, long := far(-2, 0.1), far(-2, 1e4); near < 0.01 || long > 1e-6 {
		t.Errorf("the past moves the state by %v after a short gap and by %v after a long one", near, long)
	}
}

// A block of a transformer with an LSTM in the place of attention.
func ExampleRecurrentMixer() {
	r := source()
	m, err := NewMixer("lstm", 8, 12, r)
	if err != nil {
		panic(err)
	}
	layer := NewEncoderLayer(m, 8, 16, r)
	x := autograd.Input(make([]float32, 5*8), 5, 8)
	y := layer.Forward(&autograd.Tape{}, x, autograd.Packed(3, 2))
	fmt.Println(y.Shape)
	// Output: [5 8]
}
