package kernel

import "math"

// An AttentionHead is one head of attention over one group of segments: the
// softmax of scaled dot products, computed in blocks, so that the (Lq, Lk)
// weights never exist as a whole.
//
//	for i := range Lq {
//		for j := range Lk {
//			s[j] = Scale * Σ_n q[n][i]·k[n][j] + Bias[i, j] + Relative[clamp(j-i)]
//			if Causal && j > i || Masked[j] { s[j] = -inf }
//		}
//		p = softmax(s), or zeros if every s[j] is -inf
//		o[n][i] = Σ_j dropout(p[j]) * v[n][j]
//	}
//
// N is 1 but for tied attention, where N rows of an alignment share one
// softmax. The blocked softmax is that of Milakov & Gimelshein 2018, the
// recomputing backward pass that of Dao et al. 2022 (FlashAttention).
type AttentionHead struct {
	Q, K, V, O []View // N views each: (Lq, d), (Lk, d), (Lk, d), (Lq, d)
	Scale      float32
	Causal     bool
	Mask       []float32 // (Lk) 0 or -inf, added to the scores; nil for none
	Bias       View      // (Lq, Lk); no Data for none
	Relative   []float32 // (2R+1), indexed by clamp(j-i, -R, R)+R; nil for none
	Drop       Drop
	Top, Norm  []float32 // (Lq) what the forward pass leaves for the backward pass: p[j] = Norm*exp(s[j] - Top)
}

// A Drop is dropout of attention weights; the zero Drop keeps all.
type Drop struct {
	Key       uint64
	Threshold uint32
	Factor    float32
}

// row returns the key of the mask of row i from key block b on.
func (d *Drop) row(i, b int) uint64 {
	x := d.Key + uint64(i)*0x9e3779b97f4a7c15 + uint64(b)*0xd1b54a32d192ed03
	x ^= x >> 32
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 29
	return x
}

// DropRow applies d to row i of the weights: dst = dropout(src), or dst +=
// dropout(src) if add is set. It draws the mask of the blocked kernels.
func DropRow(dst, src []float32, d Drop, i int, add bool) {
	for j := 0; j < len(src); j += keyBlock {
		m := min(keyBlock, len(src)-j)
		Dropout(dst[j:j+m], src[j:j+m], d.row(i, j), d.Threshold, d.Factor, add)
	}
}

// Block sizes. A block of scores is queryBlock x keyBlock: small enough for
// the second-level cache together with the keys and values that it meets, and
// a multiple of every tile height of [Mul]. Dropout masks depend on keyBlock.
const (
	queryBlock = 84
	keyBlock   = 512
)

// AttentionForward computes O, Top and Norm. Top is the largest score of a row
// and Norm is 1/Σ_j exp(s[j] - Top); where all keys are masked they are +inf and
// 0. The logarithm of the sum, which would need one number, is not stored: its
// rounding, half a unit in the last place of a score, would be the largest error
// of the weights in the backward pass.
func AttentionForward(w *Work, h *AttentionHead) {
	lq, lk, d := h.Q[0].Rows, h.K[0].Rows, h.Q[0].Cols
	if lk == 0 {
		for _, o := range h.O {
			for i := range lq {
				clear(o.row(i))
			}
		}
		fill(h.Top[:lq], inf)
		clear(h.Norm[:lq])
		return
	}
	bk := min(lk, keyBlock)
	buf := grow(&w.attn, queryBlock*bk+d*lk)
	s, kt := buf[:queryBlock*bk], buf[queryBlock*bk:]
	kts := h.transposeK(kt)
	for i0 := 0; i0 < lq; i0 += queryBlock {
		n := min(queryBlock, lq-i0)
		top := h.Top[i0 : i0+n]
		fill(top, -inf)
		var sum [queryBlock]float64
		keys := lk
		if h.Causal {
			keys = min(lk, i0+n)
		}
		for j0 := 0; j0 < keys; j0 += keyBlock {
			m := min(keyBlock, keys-j0)
			sb := View{s, n, m, bk, 1}
			h.scores(w, sb, kts, i0, j0)
			scale := h.softScale()
			for i := range n {
				row, cut := h.visible(sb, i, i0, j0)
				t := top[i]
				if len(row) > 0 {
					t = max(t, scale*Max(row))
				}
				clear(cut)
				if math.IsInf(float64(t), -1) { // nothing to see yet
					clear(row)
					continue
				}
				if j0 > 0 && t > top[i] {
					f := math.Exp(float64(top[i]) - float64(t))
					sum[i] *= f
					for _, o := range h.O {
						Scale(o.row(i0+i), float32(f))
					}
				}
				top[i] = t
				sum[i] += float64(ExpSum(row, scale, t))
				if h.Drop.Threshold > 0 {
					Dropout(row, row, h.Drop.row(i0+i, j0), h.Drop.Threshold, h.Drop.Factor, false)
				}
			}
			for r, o := range h.O {
				Mul(w, o.rows(i0, n), sb, h.V[r].rows(j0, m), j0 > 0)
			}
		}
		for i := range n {
			if sum[i] == 0 {
				top[i], h.Norm[i0+i] = inf, 0
				for _, o := range h.O {
					clear(o.row(i0 + i))
				}
				continue
			}
			h.Norm[i0+i] = float32(1 / sum[i])
			for _, o := range h.O {
				Scale(o.row(i0+i), h.Norm[i0+i])
			}
		}
	}
}

// AttentionGrad holds the gradients of an AttentionHead; DO is the input.
// Everything else is added to; DBias and DRelative may be without data.
type AttentionGrad struct {
	DO, DQ, DK, DV []View
	DBias          View
	DRelative      []float32
}

// biased reports whether some bias wants its gradient.
func (g *AttentionGrad) biased() bool { return g.DBias.Data != nil || g.DRelative != nil }

// AttentionBackward adds the gradients of q, k, v, bias and relative bias. It
// recomputes the weights block by block from Top. With P the weights, M the
// dropout mask times its factor, and D_i = Σ_n do[n][i]·o[n][i]:
//
//	dv[n] += (P∘M)ᵀ·do[n]
//	ds     = P ∘ (M∘Σ_n do[n]·v[n]ᵀ - D)
//	dq[n] += Scale·ds·k[n]    dk[n] += Scale·dsᵀ·q[n]    dbias += ds
//
// Each of the first two is linear in do, so Norm multiplies the rows of do, of
// width d, and not the rows of P, of width Lk.
func AttentionBackward(w *Work, h *AttentionHead, g *AttentionGrad) {
	lq, lk, d := h.Q[0].Rows, h.K[0].Rows, h.Q[0].Cols
	if lk == 0 {
		return
	}
	bk := min(lk, keyBlock)
	buf := grow(&w.attn, 2*queryBlock*bk+queryBlock+2*d*lk+len(h.O)*queryBlock*d)
	s, buf := buf[:queryBlock*bk], buf[queryBlock*bk:]
	ds, buf := buf[:queryBlock*bk], buf[queryBlock*bk:]
	di, buf := buf[:queryBlock], buf[queryBlock:]
	kts := h.transposeK(buf[:d*lk])
	vt, buf := buf[d*lk:2*d*lk], buf[2*d*lk:]
	if len(h.V) == 1 {
		transpose(vt, h.V[0])
	}
	for i0 := 0; i0 < lq; i0 += queryBlock {
		n := min(queryBlock, lq-i0)
		normed := func(r int) View { return View{buf[r*queryBlock*d:], n, d, d, 1} } // Norm·do[r]
		clear(di)
		for r := range h.O {
			do := normed(r)
			for i := range n {
				row := do.row(i)
				copy(row, g.DO[r].row(i0+i))
				Scale(row, h.Norm[i0+i])
				di[i] += dot64(row, h.O[r].row(i0+i))
			}
		}
		keys := lk
		if h.Causal {
			keys = min(lk, i0+n)
		}
		for j0 := 0; j0 < keys; j0 += keyBlock {
			m := min(keyBlock, keys-j0)
			sb, db := View{s, n, m, bk, 1}, View{ds, n, m, bk, 1}
			h.scores(w, sb, kts, i0, j0)
			for r := range h.V {
				v := h.V[r].rows(j0, m).T()
				if len(h.V) == 1 {
					v = View{vt[j0:], d, m, lk, 1}
				}
				Mul(w, db, normed(r), v, r > 0)
			}
			scale := h.softScale()
			f := h.Scale // of ds, unless the biases want it without
			if g.biased() {
				f = 1
			}
			for i := range n {
				p, cut := h.visible(sb, i, i0, j0)
				dp := db.row(i)[:len(p)]
				clear(cut)
				clear(db.row(i)[len(p):])
				ExpSum(p, scale, h.Top[i0+i])
				if h.Drop.Threshold == 0 {
					SoftmaxBack(dp, p, dp, di[i], f)
					continue
				}
				key := h.Drop.row(i0+i, j0)
				Dropout(dp, dp, key, h.Drop.Threshold, h.Drop.Factor, false)
				SoftmaxBack(dp, p, dp, di[i], f)
				Dropout(p, p, key, h.Drop.Threshold, h.Drop.Factor, false)
			}
			for r := range h.V {
				Mul(w, g.DV[r].rows(j0, m), sb.T(), normed(r), true)
			}
			if g.biased() {
				h.biasBackward(g, db, i0, j0)
				for i := range n {
					Scale(db.row(i), h.Scale)
				}
			}
			for r := range h.K {
				Mul(w, g.DQ[r].rows(i0, n), db, h.K[r].rows(j0, m), true)
				Mul(w, g.DK[r].rows(j0, m), db.T(), h.Q[r].rows(i0, n), true)
			}
		}
	}
}

// dot64 is a dot product in double precision. An error of D_i shifts the whole
// row i of ds; with float32 sums it would be the largest of the backward pass.
func dot64(x, y []float32) float32 {
	var a, b float64
	for i := 0; i+1 < len(x); i += 2 {
		a += float64(x[i]) * float64(y[i])
		b += float64(x[i+1]) * float64(y[i+1])
	}
	if n := len(x); n%2 == 1 {
		a += float64(x[n-1]) * float64(y[n-1])
	}
	return float32(a + b)
}

// biased reports whether scores are scaled before something is added to them;
// otherwise the scale is applied by the exponential.
func (h *AttentionHead) biased() bool {
	return h.Mask != nil || h.Bias.Data != nil || h.Relative != nil
}

// softScale is the factor that the exponential still has to apply.
func (h *AttentionHead) softScale() float32 {
	if h.biased() {
		return 1
	}
	return h.Scale
}

// scores writes the scores of queries i0.. and keys j0.. to s: unscaled dot
// products if nothing is added to them, and otherwise the full scores.
func (h *AttentionHead) scores(w *Work, s View, kts []float32, i0, j0 int) {
	n, m, d := s.Rows, s.Cols, h.Q[0].Cols
	for r := range h.Q {
		kt := h.K[r].rows(j0, m).T()
		if kts != nil {
			kt = View{kts[j0:], d, m, h.K[0].Rows, 1}
		}
		Mul(w, s, h.Q[r].rows(i0, n), kt, r > 0)
	}
	if !h.biased() {
		return
	}
	for i := range n {
		row := s.row(i)
		Scale(row, h.Scale)
		if h.Bias.Data != nil {
			at := (i0+i)*h.Bias.RowStride + j0
			Add(row, h.Bias.Data[at:at+m])
		}
		if h.Relative != nil {
			eachOffset(len(h.Relative)/2, i0+i, j0, m, func(lo, hi, r, step int) {
				if step == 1 {
					Add(row[lo:hi], h.Relative[r:r+hi-lo])
					return
				}
				for j := lo; j < hi; j++ {
					row[j] += h.Relative[r]
				}
			})
		}
		if h.Mask != nil {
			Add(row, h.Mask[j0:j0+m])
		}
	}
}

// biasBackward adds the gradient of the scores to that of the biases.
func (h *AttentionHead) biasBackward(g *AttentionGrad, ds View, i0, j0 int) {
	m := ds.Cols
	for i := range ds.Rows {
		row := ds.row(i)
		if g.DBias.Data != nil {
			at := (i0+i)*g.DBias.RowStride + j0
			Add(g.DBias.Data[at:at+m], row)
		}
		if g.DRelative != nil {
			eachOffset(len(g.DRelative)/2, i0+i, j0, m, func(lo, hi, r, step int) {
				if step == 1 {
					Add(g.DRelative[r:r+hi-lo], row[lo:hi])
					return
				}
				for _, x := range row[lo:hi] {
					g.DRelative[r] += x
				}
			})
		}
	}
}

// eachOffset cuts keys [j0, j0+m) seen from query i into the ranges whose
// offset j-i lies below -R, within, and above R, and calls f for each with
// columns [lo, hi) relative to j0 and the index r of a (2R+1) table at lo; step
// says whether the index moves with the column.
func eachOffset(radius, i, j0, m int, f func(lo, hi, r, step int)) {
	a := min(max(i-radius-j0, 0), m)   // first column with j-i >= -R
	b := min(max(i+radius+1-j0, 0), m) // first column with j-i > R
	if a > 0 {
		f(0, a, 0, 0)
	}
	if b > a {
		f(a, b, j0+a-i+radius, 1)
	}
	if m > b {
		f(b, m, 2*radius, 0)
	}
}

// visible splits row i of a block into the keys that its query may see and
// those that lie in its future.
func (h *AttentionHead) visible(s View, i, i0, j0 int) (row, cut []float32) {
	row = s.row(i)
	if h.Causal {
		n := min(max(i0+i-j0+1, 0), len(row))
		return row[:n], row[n:]
	}
	return row, nil
}

// transposeK writes kᵀ (d, Lk) to buf; tied attention returns nil and lets
// every product transpose its own block.
func (h *AttentionHead) transposeK(buf []float32) []float32 {
	if len(h.K) > 1 {
		return nil
	}
	transpose(buf, h.K[0])
	return buf
}

// transpose writes the transpose of v to dst, contiguous, 16 rows at a time: so it
// writes whole lines of the cache, where single floats would evict each other when
// the rows of dst are a power of two long.
func transpose(dst []float32, v View) {
	for i0 := 0; i0 < v.Rows; i0 += 16 {
		n := min(16, v.Rows-i0)
		for j := range v.Cols {
			src := v.Data[i0*v.RowStride+j:]
			to := dst[j*v.Rows+i0:][:n]
			for i := range to {
				to[i] = src[i*v.RowStride]
			}
		}
	}
}

var inf = float32(math.Inf(1))

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}

// row returns row i, whose elements must be adjacent.
func (v View) row(i int) []float32 {
	return v.Data[i*v.RowStride : i*v.RowStride+v.Cols]
}

// rows returns the view of n rows from row i on.
func (v View) rows(i, n int) View {
	v.Data = v.Data[i*v.RowStride:]
	v.Rows = n
	return v
}
