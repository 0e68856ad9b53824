package autograd

import (
	"fmt"
	"math"

	"heed/tensor"
)

// Time2Vec turns times (T) into vectors (T, D) by frequencies w (D) and phases b
// (D) that are learned (Kazemi et al. 2019, eq. 1): the first coordinate is a
// straight line, the others are waves.
//
//	y[i,0] = w[0]·times[i] + b[0]
//	y[i,k] = sin(w[k]·times[i] + b[k])
//	db[k] += Σ_i dy[i,k]·cos(w[k]·times[i] + b[k]);  dw[k] likewise, ·times[i]
//
// Times should be of the order of 1; they are not copied and must not change
// before Backward.
func Time2Vec(t *Tape, times []float32, w, b *Var) *Var {
	tensor.Check("Time2Vec frequencies", w.Shape, -1)
	d := w.Dim(0)
	tensor.Check("Time2Vec phases", b.Shape, d)
	y := t.out(len(times), d)
	wants := t.wantsAny(w, b)
	var slope []float32 // dy/db
	if wants {
		slope = t.scratch(len(y.Data))
	}
	for i, at := range times {
		for k := range d {
			x := w.Data[k]*at + b.Data[k]
			s, c := x, float32(1)
			if k > 0 {
				sin, cos := math.Sincos(float64(x))
				s, c = float32(sin), float32(cos)
			}
			y.Data[i*d+k] = s
			if wants {
				slope[i*d+k] = c
			}
		}
	}
	if wants {
		t.record(y, func() {
			dw, db := t.gradOrSpare(w), t.gradOrSpare(b)
			for i, at := range times {
				for k := range d {
					g := y.Grad[i*d+k] * slope[i*d+k]
					db[k] += g
					dw[k] += g * at
				}
			}
			for v, g := range map[*Var][]float32{w: dw, b: db} {
				if !t.Wants(v) {
					t.free(g)
				}
			}
		})
	}
	return y
}

// LagBias returns an attention bias (S, H, L, L) for the segments of rows with
// the given times (T), L being the longest segment: every head has a slope (H)
// and subtracts it times the logarithm of the lag, which is ALiBi (Press et al.
// 2022) in log time. A head with a positive slope sees what is recent, one with
// slope 0 any lag alike, and a negative one the distant.
//
//	y[s,h,i,j] = -slope[h]·log(1 + |times[i]-times[j]|/unit)
//	dslope[h] -= Σ_sij dy[s,h,i,j]·log(1 + |times[i]-times[j]|/unit)
//
// Elements beyond a segment's own length are 0 and without gradient. Times of
// equal neighbours are compared once, so that rows grouped by time are cheap.
func LagBias(t *Tape, slope *Var, times []float32, unit float32, segments []Segment) *Var {
	tensor.Check("LagBias", slope.Shape, -1)
	checkSegments("LagBias", segments, len(times))
	if !(unit > 0) {
		panic(fmt.Sprintf("LagBias: unit %v", unit))
	}
	heads, long := slope.Dim(0), 0
	for _, s := range segments {
		long = max(long, s.Count)
	}
	size := long * long
	y := t.out(len(segments), heads, long, long)
	lags := t.scratch(len(segments) * size)
	clear(y.Data)
	for i, s := range segments {
		segmentLags(lags[i*size:(i+1)*size], long, times, unit, s)
		for h := range heads {
			out, f := y.Data[(i*heads+h)*size:(i*heads+h+1)*size], -slope.Data[h]
			for r := range s.Count {
				row, lag := out[r*long:r*long+s.Count], lags[i*size+r*long:i*size+r*long+s.Count]
				for j, v := range lag {
					row[j] = f * v
				}
			}
		}
	}
	if t.wantsAny(slope) {
		t.record(y, func() {
			g := t.grad(slope)
			for i, s := range segments {
				for h := range heads {
					dy := y.Grad[(i*heads+h)*size : (i*heads+h+1)*size]
					var sum float64
					for r := range s.Count {
						row, lag := dy[r*long:r*long+s.Count], lags[i*size+r*long:i*size+r*long+s.Count]
						var part float32
						for j, v := range lag {
							part += row[j] * v
						}
						sum += float64(part)
					}
					g[h] -= float32(sum)
				}
			}
		})
	}
	return y
}

// segmentLags writes log(1 + |times[i]-times[j]|/unit) of one segment into the
// corner of a matrix with rows of the given width.
func segmentLags(dst []float32, width int, times []float32, unit float32, s Segment) {
	at := func(i int) float32 { return times[s.Start+i*s.Stride] }
	for i := range s.Count {
		row := dst[i*width : i*width+s.Count]
		if i > 0 && at(i) == at(i-1) {
			copy(row, dst[(i-1)*width:(i-1)*width+s.Count])
			continue
		}
		for j := range row {
			switch {
			case j < i: // the matrix is symmetric
				row[j] = dst[j*width+i]
			case j > i && at(j) == at(j-1):
				row[j] = row[j-1]
			default:
				row[j] = float32(math.Log1p(math.Abs(float64(at(i))-float64(at(j))) / float64(unit)))
			}
		}
	}
}
