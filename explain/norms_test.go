package explain

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"heed/autograd"
	"heed/internal/kernel"
	"heed/nn"
)

// naiveVectors makes f_h(x_j) of all sources and heads in double precision,
// (L, H, D), from the parameters alone.
func naiveVectors(l *nn.EncoderLayer, x []float32, width int) [][][]float64 {
	a := l.Mixer.(*nn.MultiHeadAttention)
	d := width / a.Heads
	var out [][][]float64
	for at := 0; at < len(x); at += width {
		mean, variance := 0.0, 0.0
		for _, v := range x[at : at+width] {
			mean += float64(v) / float64(width)
		}
		for _, v := range x[at : at+width] {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(width)
		}
		normed := make([]float64, width)
		for i, v := range x[at : at+width] {
			normed[i] = (float64(v)-mean)/math.Sqrt(variance+float64(l.Norm1.Eps))*float64(l.Norm1.Weight.Data[i]) + float64(l.Norm1.Bias.Data[i])
		}
		heads := make([][]float64, a.Heads)
		for h := range heads {
			heads[h] = make([]float64, width)
			for c := h * d; c < (h+1)*d; c++ {
				value := float64(a.Value.Bias.Data[c])
				for i, v := range normed {
					value += v * float64(a.Value.Weight.Data[c*width+i])
				}
				for o := range heads[h] {
					heads[h][o] += value * float64(a.Out.Weight.Data[o*width+c])
				}
			}
		}
		out = append(out, heads)
	}
	return out
}

func euclid(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v * v
	}
	return math.Sqrt(s)
}

func sameNorm(a float32, b, tolerance float64) bool {
	return math.Abs(float64(a)-b) <= tolerance*max(1e-3, math.Abs(b))
}

// TestNorms compares the Gram matrices with vectors of all pairs, and the sum
// of those with what the block computed.
func TestNorms(t *testing.T) {
	m, c := smallCase(t, "cls")
	e := encoderOf(m, 1)
	norms, err := e.Norms(c)
	if err != nil {
		t.Fatal(err)
	}
	final, err := e.FinalNorms(c)
	if err != nil {
		t.Fatal(err)
	}
	const width = 8
	for l, s := range e.trace(c) {
		checkNorms(t, &norms[l], &s, width, func(x []float64, _ int) []float64 { return x })
		if l < len(e.Layers)-1 {
			continue
		}
		checkNorms(t, final, &s, width, func(x []float64, i int) []float64 {
			row := s.output[i*width : (i+1)*width]
			mean, variance, centre := 0.0, 0.0, 0.0
			for k, v := range row {
				mean += float64(v) / width
				centre += x[k] / width
			}
			for _, v := range row {
				variance += (float64(v) - mean) * (float64(v) - mean) / width
			}
			out := make([]float64, width)
			for k := range x {
				out[k] = (x[k] - centre) * float64(e.Norm.Weight.Data[k]) / math.Sqrt(variance+float64(e.Norm.Eps))
			}
			return out
		})
	}
}

func checkNorms(t *testing.T, got *Norms, s *trace, width int, through func([]float64, int) []float64) {
	t.Helper()
	f := naiveVectors(s.layer, s.input, width)
	n := len(f)
	heads := make([]Mixing, got.Heads)
	for h := range heads {
		heads[h] = got.Head(h)
	}
	for i := range n {
		sum, keep, mix := make([]float64, width), make([]float64, width), make([]float64, width)
		for j := range n {
			attention := make([]float64, width)
			for h := range got.Heads {
				a := float64(s.weights[(h*n+i)*n+j])
				one := make([]float64, width)
				for k, v := range f[j][h] {
					one[k] = a * v
					attention[k] += a * v
				}
				if want := euclid(through(one, i)); !sameNorm(heads[h].Row(i)[j], want, 1e-5) {
					t.Fatalf("%s: head %d, %d to %d: %v, want %v", got.Name, h, j, i, heads[h].Row(i)[j], want)
				}
			}
			if want := euclid(through(attention, i)); !sameNorm(got.Attention.Row(i)[j], want, 1e-5) {
				t.Fatalf("%s: %d to %d: %v, want %v", got.Name, j, i, got.Attention.Row(i)[j], want)
			}
			for k := range attention {
				if i == j {
					attention[k] += float64(s.input[i*width+k])
					keep[k] = attention[k]
				} else {
					mix[k] += attention[k]
				}
				sum[k] += attention[k]
			}
			if want := euclid(through(attention, i)); !sameNorm(got.Residual.Row(i)[j], want, 1e-5) {
				t.Fatalf("%s: with residual, %d to %d: %v, want %v", got.Name, j, i, got.Residual.Row(i)[j], want)
			}
		}
		for k, v := range sum {
			v += float64(s.attention.Out.Bias.Data[k])
			if want := float64(s.middle[i*width+k]); math.Abs(v-want) > 1e-4*max(1, math.Abs(want)) {
				t.Fatalf("%s: the vectors to %d sum to %v, the block computed %v", got.Name, i, v, want)
			}
		}
		k, m := euclid(through(keep, i)), euclid(through(mix, i))
		if want := m / (m + k); math.Abs(got.Ratio[i]-want) > 1e-5 {
			t.Fatalf("%s: mixing ratio of %d is %v, want %v", got.Name, i, got.Ratio[i], want)
		}
	}
}

// TestNormsOfAnother gives an encoder that is not that of the case.
func TestNormsOfAnother(t *testing.T) {
	m, c := smallCase(t, "cls")
	e := encoderOf(m, 1)
	changed := *e.Layers[1]
	attention := *changed.Mixer.(*nn.MultiHeadAttention)
	attention.Value = nn.NewLinear(8, 8, rand.New(rand.NewPCG(9, 9)))
	changed.Mixer = &attention
	e.Layers = []*nn.EncoderLayer{e.Layers[0], &changed}
	for _, err := range []error{second(e.Norms(c)), second(e.FinalNorms(c)), second(e.ALTI(c)), second(e.ALTI2(c))} {
		if err == nil || !strings.HasPrefix(err.Error(), "layers.1: the vectors of the sources miss its output by ") {
			t.Errorf("error %v", err)
		}
	}
	e.Layers[1].Mixer = nil
	const want = "layer 1 mixes positions by <nil>, not by attention"
	for _, err := range []error{second(e.Norms(c)), second(e.FinalNorms(c)), second(e.ALTI(c)), second(e.ALTI2(c))} {
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %v", err, want)
		}
	}
	if _, err := (&Encoder{}).FinalNorms(c); err == nil || err.Error() != "the encoder has no layers" {
		t.Errorf("error %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// randomSources returns one layer of random weights and attention, without a
// model around it.
func randomSources(length, heads, width int) *sources {
	r := rand.New(rand.NewPCG(41, 42))
	a := nn.NewMultiHeadAttention(width, heads, r)
	l := nn.NewEncoderLayer(a, width, 1, r)
	s := &trace{layer: l, attention: a, weights: randomLayers(r, 1, heads, length, 2)[0].Weights}
	s.input = make([]float32, length*width)
	for i := range s.input {
		s.input[i] = float32(r.NormFloat64())
	}
	s.middle = slices.Clone(s.input)
	v := &sources{trace: s, length: length, width: width, count: heads}
	t := &autograd.Tape{NoGrad: true}
	v.values = a.Value.Forward(t, l.Norm1.Forward(t, autograd.Input(s.input, length, width))).Data
	return v
}

// naive makes the vector of every pair, one at a time.
func (v *sources) naive() Mixing {
	m := Mixing{"naive", v.length, make([]float32, v.length*v.length)}
	v.eachBlock(sourceBlock, func(_ *kernel.Work, f []float32, lo, hi int) {
		x := make([]float32, v.width)
		for j := lo; j < hi; j++ {
			for i := range v.length {
				clear(x)
				v.to(x, f[(j-lo)*v.count*v.width:(j-lo+1)*v.count*v.width], i, j)
				m.Row(i)[j] = float32(math.Sqrt(kernel.SumSquares(x)))
			}
		}
	})
	return m
}

// TestGram compares at a width where blocks, cancellation and rounding play, on
// one core and on several.
func TestGram(t *testing.T) {
	v := randomSources(150, 6, 48)
	for j := 20; j < 40; j++ { // sources whose heads nearly cancel
		for c := range 8 {
			v.values[j*48+8+c] = 0
		}
	}
	out := v.attention.Out.Weight.Data // head 1 sends what head 0 does, with the other sign
	for o := range 48 {
		for c := range 8 {
			out[o*48+8+c] = -out[o*48+c] * 1.001
		}
	}
	for j := 60; j < 80; j++ {
		copy(v.values[j*48+8:j*48+16], v.values[j*48:j*48+8])
		for h := 2; h < 6; h++ {
			clear(v.values[j*48+8*h : j*48+8*h+8])
		}
		for i := range 150 {
			v.weights[(150+i)*150+j] = v.weights[i*150+j]
		}
	}
	want := v.naive()
	got := v.norms()
	for i, w := range want.Weights {
		if g := float64(got.Attention.Weights[i]); math.Abs(g-float64(w)) > 1e-5*float64(w)+1e-9 {
			t.Fatalf("source %d: %v by products, %v by vectors", i%150, g, w)
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one := v.norms()
	runtime.GOMAXPROCS(3)
	if three := v.norms(); !slices.Equal(one.Attention.Weights, three.Attention.Weights) || !slices.Equal(one.Ratio, three.Ratio) {
		t.Error("the number of cores changes the bits")
	}
}

// BenchmarkNorms runs the Gram matrices and the vectors of all pairs in turn and
// reports their ratio. The vectors are made one at a time here: to hold them all,
// as a tensor (H, L, L, D), takes the reported memory.
func BenchmarkNorms(b *testing.B) {
	for _, c := range [][3]int{{128, 4, 64}, {256, 8, 256}, {512, 12, 768}} {
		b.Run(fmt.Sprintf("L=%d/H=%d/D=%d", c[0], c[1], c[2]), func(b *testing.B) {
			v := randomSources(c[0], c[1], c[2])
			var gram, naive time.Duration
			for b.Loop() {
				start := time.Now()
				v.norms()
				middle := time.Now()
				v.naive()
				gram += middle.Sub(start)
				naive += time.Since(middle)
			}
			b.ReportMetric(float64(gram.Microseconds())/1e3/float64(b.N), "gram-ms")
			b.ReportMetric(float64(naive)/float64(gram), "naive/gram")
			b.ReportMetric(float64(4*c[0]*c[0]*c[1]*c[2])/1e6, "tensor-MB")
			b.ReportMetric(float64(4*sourceBlock*c[1]*(c[2]+c[1]))/1e6, "block-MB")
		})
	}
}
