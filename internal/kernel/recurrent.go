package kernel

// One row of one time step of a recurrent layer. The matrix products of a step
// are made for all live sequences at once before; what is left is element by
// element. H is the length of h, the new state; a nil before stands for zeros,
// the state before the first step.

// LSTMRow computes one step of an LSTM (Hochreiter & Schmidhuber 1997, with the
// forget gate of Gers et al. 2000). gates (4H) holds the sums that enter the
// gates, in PyTorch's order input, forget, cell, output, and is replaced by the
// gates; before and c are the cell before and after, s the tanh of the latter.
//
//	for j := range H {
//		i, f, g, o := σ(gates[j]), σ(gates[H+j]), tanh(gates[2H+j]), σ(gates[3H+j])
//		c[j] = f*before[j] + i*g
//		s[j] = tanh(c[j])
//		h[j] = o * s[j]
//	}
func LSTMRow(gates, before, c, s, h []float32) {
	n := len(h)
	gates, c, s = gates[:4*n:len(gates)], c[:n:len(c)], s[:n:len(s)]
	sigmoid(gates[:2*n], gates[:2*n])
	tanh(gates[2*n:3*n], gates[2*n:3*n])
	sigmoid(gates[3*n:], gates[3*n:])
	i, f, g, o := gates[:n], gates[n:2*n], gates[2*n:3*n], gates[3*n:4*n]
	if before == nil {
		for j := range c {
			c[j] = i[j] * g[j]
		}
	} else {
		before = before[:n:len(before)]
		for j, b := range before {
			c[j] = f[j]*b + i[j]*g[j]
		}
	}
	tanh(s, c)
	for j, v := range s {
		h[j] = o[j] * v
	}
}

// LSTMRowBack is the derivative of [LSTMRow]. dh is the gradient of h; dc that
// of c by way of later steps, which is replaced by that of before; gates is
// replaced by the gradient of the sums that entered them.
//
//	for j := range H {
//		d := dc[j] + dh[j]*o*(1-s[j]*s[j])
//		dgates = d*g*i*(1-i), d*before[j]*f*(1-f), d*i*(1-g*g), dh[j]*s[j]*o*(1-o)
//		dc[j] = d * f
//	}
func LSTMRowBack(gates, before, s, dh, dc []float32) {
	n := len(dh)
	gates, s, dc = gates[:4*n:len(gates)], s[:n:len(s)], dc[:n:len(dc)]
	i, f, g, o := gates[:n], gates[n:2*n], gates[2*n:3*n], gates[3*n:4*n]
	if before != nil {
		before = before[:n:len(before)]
	}
	for j, e := range dh {
		a, b, u, v, w := i[j], f[j], g[j], o[j], s[j]
		d := dc[j] + e*v*(1-w*w)
		i[j] = d * u * (a - a*a)
		if before != nil {
			f[j] = d * before[j] * (b - b*b)
		} else {
			f[j] = 0
		}
		g[j] = d * a * (1 - u*u)
		o[j] = e * w * (v - v*v)
		dc[j] = d * b
	}
}

// GRURow computes one step of a GRU (Cho et al. 2014, in the form of PyTorch and
// cuDNN, whose reset gate acts after the product with the hidden weights). input
// (3H) and hidden (3H) hold what the input and the state before contribute to
// the reset gate, the update gate and the candidate; input is replaced by those
// three.
//
//	for j := range H {
//		r, z := σ(input[j]+hidden[j]), σ(input[H+j]+hidden[H+j])
//		n := tanh(input[2H+j] + r*hidden[2H+j])
//		h[j] = (1-z)*n + z*before[j]
//	}
func GRURow(input, hidden, before, h []float32) {
	n := len(h)
	input, hidden = input[:3*n:len(input)], hidden[:3*n:len(hidden)]
	add(input[:2*n], hidden[:2*n])
	sigmoid(input[:2*n], input[:2*n])
	mulAdd(input[2*n:], input[:n], hidden[2*n:])
	tanh(input[2*n:], input[2*n:])
	z, c := input[n:2*n], input[2*n:3*n]
	if before == nil {
		for j := range h {
			h[j] = c[j] - z[j]*c[j]
		}
		return
	}
	before = before[:n:len(before)]
	for j, b := range before {
		h[j] = c[j] + z[j]*(b-c[j])
	}
}

// GRURowBack is the derivative of [GRURow]. dh is the gradient of h. input,
// which holds the gates, and hidden are replaced by their gradients, and dbefore
// is set to the gradient of before that does not go through hidden.
//
//	for j := range H {
//		dn := dh[j] * (1-z) * (1-n*n)
//		dinput = dn*q*r*(1-r), dh[j]*(before[j]-n)*z*(1-z), dn   // q = hidden[2H+j]
//		dhidden = dinput[j], dinput[H+j], dn*r
//		dbefore[j] = dh[j] * z
//	}
func GRURowBack(input, hidden, before, dh, dbefore []float32) {
	n := len(dh)
	input, hidden, dbefore = input[:3*n:len(input)], hidden[:3*n:len(hidden)], dbefore[:n:len(dbefore)]
	r, z, c := input[:n], input[n:2*n], input[2*n:3*n]
	hr, hz, hc := hidden[:n], hidden[n:2*n], hidden[2*n:3*n]
	if before != nil {
		before = before[:n:len(before)]
	}
	for j, e := range dh {
		a, u, v := r[j], z[j], c[j]
		var b float32
		if before != nil {
			b = before[j]
		}
		d := e * (1 - u) * (1 - v*v)
		r[j] = d * hc[j] * (a - a*a)
		z[j] = e * (b - v) * (u - u*u)
		c[j] = d
		hr[j], hz[j], hc[j] = r[j], z[j], d*a
		dbefore[j] = e * u
	}
}

// Decay computes y[i] = exp(-max(x[i], 0)), a factor in (0, 1]: Che et al. 2018,
// equation 3.
func Decay(y, x []float32) {
	x = x[:len(y):len(x)]
	for i, v := range x {
		y[i] = max(v, 0)
	}
	expSum(y, -1, 0)
}

// DecayBack adds -dy[i]*y[i] to dx[i] where x[i], the input of [Decay], is
// positive; y is its output.
func DecayBack(dx, dy, y, x []float32) {
	dy, y, x = dy[:len(dx):len(dy)], y[:len(dx):len(y)], x[:len(dx):len(x)]
	for i, v := range x {
		if v > 0 {
			dx[i] -= dy[i] * y[i]
		}
	}
}
