package kernel

// The functions on vectors take slices of at least the length of the first
// one, of which they use as many elements, and panic if one is shorter:
// x[:len(dst):len(x)] checks the length of x where x[:len(dst)] would accept
// its capacity. Slices may be the same, but must not overlap otherwise.

// Add computes dst[i] += x[i].
func Add(dst, x []float32) { add(dst, x[:len(dst):len(x)]) }

func addGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] += v
	}
}

// Sum2 computes dst[i] = x[i] + y[i].
func Sum2(dst, x, y []float32) { sum2(dst, x[:len(dst):len(x)], y[:len(dst):len(y)]) }

func sum2Generic(dst, x, y []float32) {
	for i, v := range x {
		dst[i] = v + y[i]
	}
}

// Axpy computes dst[i] += a * x[i].
func Axpy(dst []float32, a float32, x []float32) { axpy(dst, a, x[:len(dst):len(x)]) }

func axpyGeneric(dst []float32, a float32, x []float32) {
	for i, v := range x {
		dst[i] += a * v
	}
}

// Scale computes dst[i] *= a.
func Scale(dst []float32, a float32) { scale(dst, a) }

func scaleGeneric(dst []float32, a float32) {
	for i := range dst {
		dst[i] *= a
	}
}

// MulAdd computes dst[i] += x[i] * y[i].
func MulAdd(dst, x, y []float32) { mulAdd(dst, x[:len(dst):len(x)], y[:len(dst):len(y)]) }

func mulAddGeneric(dst, x, y []float32) {
	for i, v := range x {
		dst[i] += v * y[i]
	}
}

// AddRows adds every row of x (rows, len(dst)) to dst: the gradient of a bias.
//
//	for r := range rows {
//		for j := range dst {
//			dst[j] += x[r*len(dst)+j]
//		}
//	}
func AddRows(dst, x []float32, rows int) {
	n := len(dst)
	x = x[: rows*n : len(x)]
	for r := range rows {
		add(dst, x[r*n:(r+1)*n])
	}
}

// ReLU computes y[i] = max(x[i], 0).
func ReLU(y, x []float32) { relu(y, x[:len(y):len(x)]) }

func reluGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = max(v, 0)
	}
}

// ReLUBack adds dy[i] to dx[i] where y[i], the output of [ReLU], is positive.
func ReLUBack(dx, dy, y []float32) { reluBack(dx, dy[:len(dx):len(dy)], y[:len(dx):len(y)]) }

func reluBackGeneric(dx, dy, y []float32) {
	for i, v := range y {
		if v > 0 {
			dx[i] += dy[i]
		}
	}
}
