package explain

import (
	"fmt"
	"math"

	"heed/autograd"
	"heed/internal/kernel"
	"heed/internal/par"
	"heed/nn"
)

// sources is what the positions of one layer send through its attention: for
// each source j and head h the vector f_h(x_j) of [Norms], which does not depend
// on who receives it.
type sources struct {
	*trace
	length, width, count int // L, D, H
	values               []float32
	norm                 *nn.LayerNorm // the vectors pass through, or nil
	scale                []float64     // (L) 1/σ of each receiver in that norm, or nil
}

// sources prepares the vectors of a layer and checks that they sum to what the
// layer has computed.
func (e *Encoder) sources(s *trace) (*sources, error) {
	width := e.width()
	v := &sources{trace: s, width: width, length: len(s.input) / width, count: s.attention.Heads}
	t := &autograd.Tape{NoGrad: true, Cores: par.Cores()}
	x := autograd.Input(s.input, v.length, width)
	v.values = s.attention.Value.Forward(t, s.layer.Norm1.Forward(t, x)).Data
	if gap := v.gap(t); !(gap <= maxGap) {
		return nil, fmt.Errorf("%s: the vectors of the sources miss its output by %.2g of the largest value: it is not the layer of the case, or not plain attention", s.layer.Name, gap)
	}
	return v, nil
}

// maxGap is far above rounding and far below any mistake.
const maxGap = 1e-4

// gap returns the largest difference between what a layer computed (x + attention)
// and the sum over the sources of their vectors, x and the output bias, as a
// share of the largest value.
func (v *sources) gap(t *autograd.Tape) float64 {
	n, d := v.length, v.width/v.count
	mixed := make([]float32, n*v.width)
	var w kernel.Work
	for h := range v.count {
		c := kernel.View{Data: mixed[h*d:], Rows: n, Cols: d, RowStride: v.width, ColStride: 1}
		kernel.Mul(&w, c, kernel.Matrix(v.weights[h*n*n:(h+1)*n*n], n, n), v.head(h, 0, n), false)
	}
	sum := v.attention.Out.Forward(t, autograd.Input(mixed, n, v.width)).Data
	gap, largest := 0.0, 0.0
	for i, y := range v.middle {
		gap = max(gap, math.Abs(float64(sum[i])+float64(v.input[i])-float64(y)))
		largest = max(largest, math.Abs(float64(y)))
	}
	if gap == 0 {
		return 0
	}
	return gap / largest
}

// head returns the view (hi-lo, d) of one head's values.
func (v *sources) head(h, lo, hi int) kernel.View {
	d := v.width / v.count
	return kernel.View{Data: v.values[lo*v.width+h*d:], Rows: hi - lo, Cols: d, RowStride: v.width, ColStride: 1}
}

// vectors writes f_h(x_j) of the sources lo to hi-1, (hi-lo, H, D).
func (v *sources) vectors(w *kernel.Work, dst []float32, lo, hi int) {
	d := v.width / v.count
	for h := range v.count {
		c := kernel.View{Data: dst[h*v.width:], Rows: hi - lo, Cols: v.width, RowStride: v.count * v.width, ColStride: 1}
		out := kernel.View{Data: v.attention.Out.Weight.Data[h*d:], Rows: v.width, Cols: d, RowStride: v.width, ColStride: 1}
		kernel.Mul(w, c, v.head(h, lo, hi), out.T(), false)
	}
	for ; len(dst) > 0; dst = dst[v.width:] {
		v.pass(dst[:v.width])
	}
}

// pass sends one vector through the linear part of the norm: centred and
// multiplied by gamma. The division by σ of the receiver is left to scale.
func (v *sources) pass(x []float32) {
	if v.norm == nil {
		return
	}
	mean := 0.0
	for _, a := range x {
		mean += float64(a)
	}
	mean /= float64(len(x))
	for i := range x {
		x[i] = (x[i] - float32(mean)) * v.norm.Weight.Data[i]
	}
}

// through makes the vectors pass a norm whose input was x (L, D).
func (v *sources) through(norm *nn.LayerNorm, x []float32) {
	v.norm = norm
	v.scale = make([]float64, v.length)
	for i := range v.scale {
		row := x[i*v.width : (i+1)*v.width]
		mean, variance := 0.0, 0.0
		for _, a := range row {
			mean += float64(a) / float64(v.width)
		}
		for _, a := range row {
			variance += (float64(a) - mean) * (float64(a) - mean) / float64(v.width)
		}
		v.scale[i] = 1 / math.Sqrt(variance+float64(norm.Eps))
	}
}

// to adds Σ_h α_ij^h·f_h(x_j), what one source sends to receiver i, to dst (D); f
// are the source's vectors (H, D).
func (v *sources) to(dst, f []float32, i, j int) {
	for h := range v.count {
		kernel.Axpy(dst, v.weights[(h*v.length+i)*v.length+j], f[h*v.width:(h+1)*v.width])
	}
}

// eachBlock calls do for blocks of sources, each on one core with scratch space
// of its own, which begins with room for their vectors.
func (v *sources) eachBlock(block int, do func(w *kernel.Work, vectors []float32, lo, hi int)) {
	workers := par.Cores()
	works := make([]kernel.Work, workers)
	buffers := make([][]float32, workers)
	blocks := (v.length + block - 1) / block
	par.Do(blocks, workers, func(worker, i int) {
		lo, hi := i*block, min(v.length, (i+1)*block)
		if buffers[worker] == nil {
			buffers[worker] = make([]float32, block*v.count*v.width)
		}
		f := buffers[worker][:(hi-lo)*v.count*v.width]
		v.vectors(&works[worker], f, lo, hi)
		do(&works[worker], f, lo, hi)
	})
}
