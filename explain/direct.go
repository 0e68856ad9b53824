package explain

import (
	"math"

	"heed/autograd"
	"heed/internal/kernel"
)

// Direct holds what each part of an encoder writes straight into the score of
// one input. The parts add up to it.
type Direct struct {
	Score float64
	Input []float64   // (L) rows of the encoder's input
	Heads [][]float64 // (n, H)
	// Sources (n, H, L) splits the part of each head by the row it came from.
	Sources     [][][]float64
	FeedForward []float64 // (n)
	// Bias is that of the output projections, of the second maps of the
	// feed-forward layers, of the last norm and of the classifier.
	Bias float64
}

// DirectLogitAttribution splits the score into what the input of the encoder
// (after embedding, positions and stem), every head and every feed-forward
// layer add to the residual stream, read by the last norm and the classifier
// (Elhage et al. 2021, "A mathematical framework for transformer circuits").
// With the norm's mean and variance of row i taken as given, the score is linear
// in the stream x_n = x_0 + Σ_l (Σ_h head + feed-forward + biases):
//
//	g[i] = readout[i]/√(σ²+ε) · (w∘γ - mean(w∘γ))     w = Class·Classifier
//	part = Σ_i g[i]·part[i]
//	head h of layer l from row j: Σ_i α[i, j]·(g[i]·W_O[h])·(W_V[h]·Norm1(x[j]) + b_V[h])
//
// The value's bias belongs to the head. Cost: one forward pass with all
// weights, n·H·L² values, and O(n(L²D + LD²)).
//
// Direct means that only the last step is looked at: a head that feeds another
// head has no part of what that one writes. Row j is a position of a layer's
// input, not a token of the model's. And the parts share one norm: doubling a
// part does not double its share.
func DirectLogitAttribution(c *Case, e *Encoder) (*Direct, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	layers := e.trace(c)
	out := &Direct{Score: c.Score()}
	if len(layers) == 0 {
		return nil, errNoLayers
	}
	d := e.width()
	g, bias := e.readoutVector(c, layers[len(layers)-1].output)
	out.Bias = bias
	for i := range c.Rows {
		out.Input = append(out.Input, dot(g[i*d:(i+1)*d], layers[0].input[i*d:(i+1)*d]))
	}
	column := make([]float64, d) // Σ_i g[i], for biases
	for i, v := range g {
		column[i%d] += float64(v)
	}
	for _, s := range layers {
		sources := s.headSources(g, c.Rows, d)
		heads := make([]float64, len(sources))
		for h, from := range sources {
			for _, v := range from {
				heads[h] += v
			}
		}
		out.Sources, out.Heads = append(out.Sources, sources), append(out.Heads, heads)
		feed := dot(g, s.output) - dot(g, s.middle)
		for j, f := range column {
			b := f * float64(s.layer.Down.Bias.Data[j])
			feed -= b
			out.Bias += b + f*float64(s.attention.Out.Bias.Data[j])
		}
		out.FeedForward = append(out.FeedForward, feed)
	}
	return out, checkSum(out.Score, out.Sum(), out.size())
}

// Sum adds all parts: the score, up to rounding.
func (d *Direct) Sum() float64 {
	sum := d.Bias
	d.each(func(v float64) { sum += v })
	return sum
}

func (d *Direct) size() float64 {
	size := math.Abs(d.Bias)
	d.each(func(v float64) { size += math.Abs(v) })
	return size
}

func (d *Direct) each(f func(v float64)) {
	for _, v := range d.Input {
		f(v)
	}
	for l, heads := range d.Heads {
		for _, v := range heads {
			f(v)
		}
		f(d.FeedForward[l])
	}
}

// headSources returns the part (H, L) of the score that each head brings from
// each row, given what the score reads of the stream, g (L, D).
func (s *trace) headSources(g []float32, rows, d int) [][]float64 {
	a := s.attention
	size := d / a.Heads
	v := a.Value.Forward(noGrad(), s.layer.Norm1.Forward(noGrad(), autograd.Input(s.input, rows, d))).Data
	// What head h is read by in row i is g[i]·W_O, columns h·size on; what it is
	// read by in the key's row j is then Σ_i α[i, j]·read[i].
	var w kernel.Work
	read, mixed := make([]float32, rows*d), make([]float32, rows*d)
	kernel.Mul(&w, kernel.Matrix(read, rows, d), kernel.Matrix(g, rows, d), kernel.Matrix(a.Out.Weight.Data, d, d), false)
	out := make([][]float64, a.Heads)
	for h := range out {
		columns := func(data []float32) kernel.View {
			return kernel.View{Data: data[h*size:], Rows: rows, Cols: size, RowStride: d, ColStride: 1}
		}
		weights := kernel.Matrix(s.weights[h*rows*rows:(h+1)*rows*rows], rows, rows)
		kernel.Mul(&w, columns(mixed), weights.T(), columns(read), false)
		out[h] = make([]float64, rows)
		for j := range rows {
			at := j*d + h*size
			out[h][j] = dot(mixed[at:at+size], v[at:at+size])
		}
	}
	return out
}
