package autograd

import (
	"fmt"
	"math"

	"heed/internal/kernel"
	"heed/tensor"
)

// GroupNorm normalises samples x (B, ..., C) to mean 0 and variance 1 over all
// positions and the channels of each of some groups, then computes
// y = x̂·gamma + beta with gamma and beta (C); Wu & He 2018. The channels of a
// group lie side by side and groups must divide C. The variance is that of the
// population; eps is added to it. A sample knows nothing of the others in its
// batch, so small batches do no harm.
//
//	dx = rstd·(g - mean(g) - x̂·mean(g·x̂))   with g = dy·gamma, means over a group
func GroupNorm(t *Tape, x *Var, groups int, gamma, beta *Var, eps float32) *Var {
	c := x.Dim(-1)
	tensor.Check("GroupNorm gamma", gamma.Shape, c)
	tensor.Check("GroupNorm beta", beta.Shape, c)
	if groups < 1 || c%groups != 0 || len(x.Shape) < 2 {
		panic(fmt.Sprintf("GroupNorm: %d groups in a tensor of %v", groups, x.Shape))
	}
	batch := x.Dim(0)
	n := len(x.Data) / max(1, batch) // values of a sample
	y := t.out(x.Shape...)
	p := newPattern(t, c)
	mean, rstd := t.scratch(batch*c), t.scratch(batch*c) // of each channel's group
	per := c / groups
	count := float64(n / c * per)
	for s := range batch {
		xs, m, r := x.Data[s*n:(s+1)*n], mean[s*c:(s+1)*c], rstd[s*c:(s+1)*c]
		sum := p.sums(func(acc []float32, i int) { kernel.Add(acc, xs[i:i+len(acc)]) }, n)
		for g := range groups {
			total := 0.0
			for _, v := range sum[g*per : (g+1)*per] {
				total += v
			}
			for j := range per {
				m[g*per+j] = float32(total / count)
			}
		}
		shift := p.repeat(0, func(j int) float32 { return -m[j] })
		sum = p.sums(func(acc []float32, i int) {
			d := p.spare[:len(acc)]
			kernel.Sum2(d, xs[i:i+len(acc)], shift)
			kernel.MulAdd(acc, d, d)
		}, n)
		for g := range groups {
			total := 0.0
			for _, v := range sum[g*per : (g+1)*per] {
				total += v
			}
			for j := range per {
				r[g*per+j] = float32(1 / math.Sqrt(total/count+float64(eps)))
			}
		}
		scale := p.repeat(1, func(j int) float32 { return r[j] * gamma.Data[j] })
		bias := p.repeat(2, func(j int) float32 { return beta.Data[j] - m[j]*r[j]*gamma.Data[j] })
		p.blocks(n, func(lo, hi int) {
			out := y.Data[s*n+lo : s*n+hi]
			copy(out, bias)
			kernel.MulAdd(out, xs[lo:hi], scale)
		})
	}
	p.free(t)
	if t.wantsAny(x, gamma, beta) {
		t.record(y, func() {
			var dgamma, dbeta []float32
			if t.Wants(gamma) {
				dgamma = t.grad(gamma)
			}
			if t.Wants(beta) {
				dbeta = t.grad(beta)
			}
			var dx []float32
			add := false
			if t.Wants(x) {
				dx, add = t.gradient(x)
			}
			p := newPattern(t, c)
			for s := range batch {
				xs, dy, m, r := x.Data[s*n:(s+1)*n], y.Grad[s*n:(s+1)*n], mean[s*c:(s+1)*c], rstd[s*c:(s+1)*c]
				shift := p.repeat(0, func(j int) float32 { return -m[j] })
				// Of each channel: Σ dy and Σ dy·x̂.
				plain := p.sums(func(acc []float32, i int) { kernel.Add(acc, dy[i:i+len(acc)]) }, n)
				plain = append([]float64(nil), plain...)
				along := p.sums(func(acc []float32, i int) {
					d := p.spare[:len(acc)]
					kernel.Sum2(d, xs[i:i+len(acc)], shift)
					kernel.MulAdd(acc, d, dy[i:i+len(acc)])
				}, n)
				for j := range c {
					along[j] *= float64(r[j])
					if dgamma != nil {
						dgamma[j] += float32(along[j])
					}
					if dbeta != nil {
						dbeta[j] += float32(plain[j])
					}
				}
				if dx == nil {
					continue
				}
				// dx = dy·a + (x-mean)·b + d, channel by channel.
				meanG, meanGX := make([]float64, groups), make([]float64, groups)
				for j := range c {
					meanG[j/per] += plain[j] * float64(gamma.Data[j]) / count
					meanGX[j/per] += along[j] * float64(gamma.Data[j]) / count
				}
				a := p.repeat(1, func(j int) float32 { return r[j] * gamma.Data[j] })
				b := p.repeat(2, func(j int) float32 { return -r[j] * r[j] * float32(meanGX[j/per]) })
				d := p.repeat(3, func(j int) float32 { return -r[j] * float32(meanG[j/per]) })
				p.blocks(n, func(lo, hi int) {
					out, centred := dx[s*n+lo:s*n+hi], p.spare[:hi-lo]
					kernel.Sum2(centred, xs[lo:hi], shift)
					if add {
						kernel.Add(out, d)
					} else {
						copy(out, d)
					}
					kernel.MulAdd(out, centred, b)
					kernel.MulAdd(out, dy[lo:hi], a)
				})
			}
			p.free(t)
		})
	}
	return y
}

// A pattern lets one value for each channel meet long runs of rows: the values
// are repeated over a block of rows, so that the kernels of vectors do it.
type pattern struct {
	channels int
	rep      [4][]float32
	acc      []float32
	spare    []float32
	sum      []float64
}

// patternFloats is about the length of a block.
const patternFloats = 1 << 10

func newPattern(t *Tape, channels int) *pattern {
	n := max(1, patternFloats/channels) * channels
	p := &pattern{channels: channels, acc: t.scratch(n), spare: t.scratch(n), sum: make([]float64, channels)}
	for i := range p.rep {
		p.rep[i] = t.scratch(n)
	}
	return p
}

func (p *pattern) free(t *Tape) {
	for i := range p.rep {
		t.free(p.rep[i])
	}
	t.free(p.acc)
	t.free(p.spare)
}

// repeat fills pattern i with the value of each channel.
func (p *pattern) repeat(i int, value func(channel int) float32) []float32 {
	r := p.rep[i]
	for j := range p.channels {
		r[j] = value(j)
	}
	for at := p.channels; at < len(r); at *= 2 {
		copy(r[at:], r[:at])
	}
	return r
}

// blocks cuts n values, whole rows, into blocks no longer than a pattern.
func (p *pattern) blocks(n int, f func(lo, hi int)) {
	for lo := 0; lo < n; lo += len(p.acc) {
		f(lo, min(lo+len(p.acc), n))
	}
}

// sums adds up channel by channel what add adds to an accumulator, block by
// block from value i on. The result is valid until the next call.
func (p *pattern) sums(add func(acc []float32, i int), n int) []float64 {
	clear(p.acc)
	p.blocks(n, func(lo, hi int) { add(p.acc[:hi-lo], lo) })
	clear(p.sum)
	for at := 0; at < len(p.acc); at += p.channels {
		for j, v := range p.acc[at : at+p.channels] {
			p.sum[j] += float64(v)
		}
	}
	return p.sum
}
