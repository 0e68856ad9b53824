package kernel

import "math"

// Dropout computes y[i] = x[i] * factor where element i is kept and 0
// elsewhere, or adds that to y[i] if add is set. Element i is kept if
// [Hash](key, i) >= threshold, so forward and backward draw the same mask from
// the same key without storing it, and the mask depends on nothing else.
func Dropout(y, x []float32, key uint64, threshold uint32, factor float32, add bool) {
	x = x[:len(y):len(x)]
	if add {
		dropoutAdd(y, x, uint32(key), uint32(key>>32), threshold, factor)
	} else {
		dropout(y, x, uint32(key), uint32(key>>32), threshold, factor)
	}
}

func dropoutGeneric(y, x []float32, keyLow, keyHigh, threshold uint32, factor float32) {
	for i, v := range x {
		if hash(keyLow, keyHigh, uint32(i)) < threshold {
			v = 0
		}
		y[i] = v * factor
	}
}

func dropoutAddGeneric(y, x []float32, keyLow, keyHigh, threshold uint32, factor float32) {
	for i, v := range x {
		if hash(keyLow, keyHigh, uint32(i)) >= threshold {
			y[i] += v * factor
		}
	}
}

// Hash returns 32 well-mixed bits of (key, i): the multiply-xorshift finaliser
// of MurmurHash3, keyed at both ends.
func Hash(key uint64, i uint32) uint32 { return hash(uint32(key), uint32(key>>32), i) }

func hash(keyLow, keyHigh, i uint32) uint32 {
	h := (i ^ keyLow) * 0x9e3779b1
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h += keyHigh
	h *= 0xc2b2ae35
	h ^= h >> 16
	return h
}

// AdamW makes one step of Adam with decoupled weight decay on the parameters p
// with gradient g and moments m and v (Loshchilov & Hutter 2019, algorithm 2).
// correct1 and correct2 are 1/(1-β1^t) and 1/(1-β2^t); gscale multiplies the
// gradient first (clipping by the global norm).
//
//	g    = gscale * g[i]
//	m[i] = β1*m[i] + (1-β1)*g
//	v[i] = β2*v[i] + (1-β2)*g*g
//	p[i] -= lr*decay*p[i] + lr * m[i]*correct1 / (sqrt(v[i]*correct2) + eps)
func AdamW(p, g, m, v []float32, lr, beta1, beta2, eps, decay, correct1, correct2, gscale float32) {
	n := len(p)
	adamW(p, g[:n:len(g)], m[:n:len(m)], v[:n:len(v)],
		&[9]float32{beta1, 1 - beta1, beta2, 1 - beta2, lr * correct1, correct2, eps, lr * decay, gscale})
}

// adamWGeneric takes β1, 1-β1, β2, 1-β2, lr·correct1, correct2, eps, lr·decay
// and gscale in a.
func adamWGeneric(p, g, m, v []float32, a *[9]float32) {
	for i := range p {
		d := a[8] * g[i]
		m[i] = a[0]*m[i] + a[1]*d
		v[i] = a[2]*v[i] + a[3]*d*d
		p[i] -= a[7]*p[i] + a[4]*m[i]/(float32(math.Sqrt(float64(v[i]*a[5])))+a[6])
	}
}
