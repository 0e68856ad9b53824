package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// guardBits is a NaN that no arithmetic yields. It stands around and between
// the elements of every matrix of a test: nothing may write over it, and a sum
// that it enters is NaN.
const guardBits = 0x7fc12345

// margin is the number of guards on either side of a matrix.
const margin = 70

// A matrix is a view together with the guards around it.
type matrix struct {
	View
	all []float32
}

// newMatrix returns a (rows, cols) matrix of normal numbers.
func newMatrix(r *rand.Rand, rows, cols, rowStride, colStride int) matrix {
	n := 0
	if rows > 0 && cols > 0 {
		n = (rows-1)*rowStride + (cols-1)*colStride + 1
	}
	all := make([]float32, n+2*margin)
	for i := range all {
		all[i] = math.Float32frombits(guardBits)
	}
	m := matrix{View{all[margin : margin+n], rows, cols, rowStride, colStride}, all}
	for i := range rows {
		for j := range cols {
			m.Data[i*rowStride+j*colStride] = float32(r.NormFloat64())
		}
	}
	return m
}

func (m matrix) clone() matrix {
	n := len(m.Data)
	m.all = append([]float32(nil), m.all...)
	m.Data = m.all[margin : margin+n]
	return m
}

func (m matrix) transposed() matrix { return matrix{m.T(), m.all} }

func (v View) at(i, j int) float32 { return v.Data[i*v.RowStride+j*v.ColStride] }

// checkGuards reports a guard of m that has been written over.
func checkGuards(t *testing.T, m matrix) {
	t.Helper()
	inside := make([]bool, len(m.all))
	for i := range m.Rows {
		for j := range m.Cols {
			inside[margin+i*m.RowStride+j*m.ColStride] = true
		}
	}
	for i, v := range m.all {
		if !inside[i] && math.Float32bits(v) != guardBits {
			t.Fatalf("element %d outside the matrix was overwritten by %v", i-margin, v)
		}
	}
}

// layouts are the ways in which the tests store a matrix.
var layouts = []struct {
	name string
	make func(r *rand.Rand, rows, cols int) matrix
}{
	{"rows", func(r *rand.Rand, m, n int) matrix { return newMatrix(r, m, n, n, 1) }},
	{"columns", func(r *rand.Rand, m, n int) matrix { return newMatrix(r, n, m, m, 1).transposed() }},
	{"wide rows", func(r *rand.Rand, m, n int) matrix { return newMatrix(r, m, n, n+5, 1) }},
	{"wide columns", func(r *rand.Rand, m, n int) matrix { return newMatrix(r, n, m, m+3, 1).transposed() }},
	{"spread", func(r *rand.Rand, m, n int) matrix { return newMatrix(r, m, n, 3*n+1, 3) }},
}

// fma32 returns x*y + z rounded once. The product is exact in double
// precision; rounding the sum to odd lets the second rounding see which side
// of a tie it was on.
func fma32(x, y, z float32) float32 {
	p, q := float64(x)*float64(y), float64(z)
	s := p + q
	t := s - p
	err := (p - (s - t)) + (q - t)
	if bits := math.Float64bits(s); err != 0 && bits&1 == 0 && !math.IsInf(s, 0) && !math.IsNaN(s) {
		if (err > 0) == (s > 0) {
			bits++
		} else {
			bits--
		}
		s = math.Float64frombits(bits)
	}
	return float32(s)
}

// mulFMA is the loop that the comment of Mul contains.
func mulFMA(c, a, b View, bias []float32, add bool) {
	for i := range c.Rows {
		for j := range c.Cols {
			var s float32
			if add {
				s = c.at(i, j)
			} else if bias != nil {
				s = bias[j]
			}
			for k := range a.Cols {
				s = fma32(a.at(i, k), b.at(k, j), s)
			}
			c.Data[i*c.RowStride+j] = s
		}
	}
}

// checkProduct compares got with want, of which it must have the bits unless
// impl is Generic: then both must lie within the error bound of a sum of K+1
// terms, Higham's gamma(K+1) times the sum of the terms' magnitudes.
func checkProduct(t *testing.T, impl Impl, got, want, before, a, b View, bias []float32, add bool) {
	t.Helper()
	for i := range got.Rows {
		for j := range got.Cols {
			x, y := got.at(i, j), want.at(i, j)
			if math.Float32bits(x) == math.Float32bits(y) || x != x && y != y {
				continue
			}
			if impl != Generic {
				t.Fatalf("element (%d, %d) is %v, want %v", i, j, x, y)
			}
			var sum, size float64
			if add {
				sum = float64(before.at(i, j))
			} else if bias != nil {
				sum = float64(bias[j])
			}
			size = math.Abs(sum)
			for k := range a.Cols {
				p := float64(a.at(i, k)) * float64(b.at(k, j))
				sum += p
				size += math.Abs(p)
			}
			// Plain Go rounds the product and the sum.
			bound := float64(2*a.Cols+2) * 0x1p-24 * size
			if d := math.Abs(float64(x) - sum); !(d <= bound) {
				t.Fatalf("element (%d, %d) is %v, want %v within %v", i, j, x, sum, bound)
			}
		}
	}
}

// testMul multiplies matrices of the given sizes and layouts with every
// implementation, alone and on several cores.
func testMul(t *testing.T, r *rand.Rand, m, n, k, layoutA, layoutB, mode int) {
	t.Helper()
	a, b := layouts[layoutA].make(r, m, k), layouts[layoutB].make(r, k, n)
	c := newMatrix(r, m, n, n+r.IntN(3), 1)
	var bias []float32
	add := mode == 1
	if mode == 2 {
		bias = newMatrix(r, 1, n, n, 1).Data
	}
	want := c.clone()
	mulFMA(want.View, a.View, b.View, bias, add)
	for _, impl := range Available() {
		for cores := range 3 {
			restore := Force(impl)
			got := c.clone()
			switch {
			case cores > 0: // past the size from which Mul uses them
				mul(new(Work), NewWorkers(cores), got.View, a.View, b.View, bias, add)
			case mode == 2:
				MulBias(new(Work), got.View, a.View, b.View, bias)
			default:
				Mul(new(Work), got.View, a.View, b.View, add)
			}
			restore()
			if t.Failed() {
				return
			}
			checkProduct(t, impl, got.View, want.View, c.View, a.View, b.View, bias, add)
			checkGuards(t, got)
			checkGuards(t, a)
			checkGuards(t, b)
		}
	}
}

func TestMul(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for la, A := range layouts {
		for lb, B := range layouts {
			t.Run(A.name+"·"+B.name, func(t *testing.T) {
				for size := range 68 {
					s := [3]int{r.IntN(68), r.IntN(40), r.IntN(40)}
					place, mode := r.IntN(3), r.IntN(3)
					s[place] = size
					if !t.Run(fmt.Sprintf("%dx%dx%d mode %d", s[0], s[1], s[2], mode), func(t *testing.T) {
						testMul(t, r, s[0], s[1], s[2], la, lb, mode)
					}) {
						return
					}
				}
			})
		}
	}
}

// The blocks of rows, columns and k must fit together.
func TestMulBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, s := range [][3]int{
		{300, 70, 3}, {570, 33, 5}, {5, 37, 700}, {17, 150, 513}, {60, 140, 260}, {130, 70, 99}, {3, 4500, 2}, {90, 4100, 1},
	} {
		for l := range layouts {
			testMul(t, r, s[0], s[1], s[2], l, r.IntN(len(layouts)), r.IntN(3))
		}
	}
}

// A row, a column or a block of a product has the bits it has in the whole.
func TestMulParts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, impl := range Available() {
		restore := Force(impl)
		for range 40 {
			m, n, k := 1+r.IntN(80), 1+r.IntN(80), 1+r.IntN(600)
			a, b := layouts[r.IntN(5)].make(r, m, k), layouts[r.IntN(5)].make(r, k, n)
			c := newMatrix(r, m, n, n, 1)
			Mul(new(Work), c.View, a.View, b.View, false)
			i, j := r.IntN(m), r.IntN(n)
			rows, cols := 1+r.IntN(m-i), 1+r.IntN(n-j)
			part := newMatrix(r, rows, cols, cols, 1)
			Mul(new(Work), part.View,
				View{a.Data[i*a.RowStride:], rows, k, a.RowStride, a.ColStride},
				View{b.Data[j*b.ColStride:], k, cols, b.RowStride, b.ColStride}, false)
			for y := range rows {
				for x := range cols {
					if got, want := part.at(y, x), c.at(i+y, j+x); got != want {
						t.Fatalf("%v: (%d, %d, %d): element (%d, %d) alone is %v, in the whole %v", impl, m, n, k, i+y, j+x, got, want)
					}
				}
			}
		}
		restore()
	}
}

// The windows of a convolution are a view whose rows overlap.
func TestMulWindows(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	x := newMatrix(r, 1, 400, 400, 1)
	a := View{x.Data, 97, 12, 4, 1}
	b := newMatrix(r, 12, 40, 40, 1)
	want, got := newMatrix(r, 97, 40, 40, 1), newMatrix(r, 97, 40, 40, 1)
	mulFMA(want.View, a, b.View, nil, false)
	for _, impl := range Available() {
		restore := Force(impl)
		Mul(new(Work), got.View, a, b.View, false)
		restore()
		checkProduct(t, impl, got.View, want.View, got.View, a, b.View, nil, false)
	}
}

// NaN and infinity must show in the elements that they belong to, and nowhere
// else, zeros in the other factor included.
func TestMulNotFinite(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, impl := range Available() {
		restore := Force(impl)
		for _, n := range []int{1, 5, 16, 33} {
			r := rand.New(rand.NewPCG(9, 10))
			a, b := newMatrix(r, n, n, n, 1), newMatrix(r, n, n, n, 1)
			c := newMatrix(r, n, n, n, 1)
			last := n - 1
			a.Data[0] = nan           // row 0
			b.Data[last*n+last] = inf // column last
			a.Data[last*n+last] = -1  // makes it -Inf in row last
			if n > 2 {
				a.Data[n+last] = 0 // and NaN in row 1
			}
			Mul(new(Work), c.View, a.View, b.View, false)
			for i := range n {
				for j := range n {
					x := float64(c.at(i, j))
					switch {
					case i == 0 && n > 1 || n > 2 && i == 1 && j == last:
						if !math.IsNaN(x) {
							t.Errorf("%v, n = %d: element (%d, %d) is %v, want NaN", impl, n, i, j, x)
						}
					case n == 1:
						if !math.IsInf(x, -1) {
							t.Errorf("%v, n = 1: got %v, want -Inf", impl, x)
						}
					case j == last:
						want := 1
						if a.at(i, last) < 0 {
							want = -1
						}
						if !math.IsInf(x, want) {
							t.Errorf("%v, n = %d: element (%d, %d) is %v, want infinity of sign %d", impl, n, i, j, x, want)
						}
					default:
						if math.IsNaN(x) || math.IsInf(x, 0) {
							t.Errorf("%v, n = %d: element (%d, %d) is %v", impl, n, i, j, x)
						}
					}
				}
			}
		}
		restore()
	}
}

func TestMulPanics(t *testing.T) {
	m := func(rows, cols int) View { return Matrix(make([]float32, rows*cols), rows, cols) }
	for _, c := range []struct {
		call func()
		want string
	}{
		{func() { Mul(new(Work), m(2, 3), m(2, 4), m(5, 3), false) }, "kernel.Mul: (2, 3) = (2, 4)·(5, 3), column stride 1"},
		{func() { Mul(new(Work), m(3, 2).T(), m(2, 4), m(4, 3), false) }, "kernel.Mul: (2, 3) = (2, 4)·(4, 3), column stride 2"},
		{func() { Mul(new(Work), m(2, 3), View{make([]float32, 7), 2, 4, 4, 1}, m(4, 3), false) }, "kernel: view (2, 4) reaches element 7 of 7"},
		{func() { MulBias(new(Work), m(2, 3), m(2, 4), m(4, 3), make([]float32, 2)) }, "kernel.Mul: bias of 2 for 3 columns"},
		{func() { MulParallel(NewWorkers(1), m(2, 3), m(2, 4), m(4, 3), make([]float32, 3), true) }, "kernel.MulParallel: both a bias and add"},
	} {
		func() {
			defer func() {
				if got := recover(); got != c.want {
					t.Errorf("panic %v, want %q", got, c.want)
				}
			}()
			c.call()
		}()
	}
}

func TestMulAllocates(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	a, b, c := newMatrix(r, 200, 300, 300, 1), newMatrix(r, 250, 300, 300, 1), newMatrix(r, 200, 250, 250, 1)
	var w Work
	if n := testing.AllocsPerRun(5, func() { Mul(&w, c.View, a.View, b.T(), false) }); n > 0 {
		t.Errorf("Mul allocates %v times", n)
	}
}

func FuzzMul(f *testing.F) {
	f.Add(uint64(1), uint8(14), uint8(32), uint8(9), uint8(1), uint8(0), uint8(2))
	f.Add(uint64(2), uint8(6), uint8(16), uint8(255), uint8(0), uint8(1), uint8(1))
	f.Add(uint64(3), uint8(1), uint8(1), uint8(0), uint8(4), uint8(4), uint8(0))
	f.Fuzz(func(t *testing.T, seed uint64, m, n, k, layoutA, layoutB, mode uint8) {
		testMul(t, rand.New(rand.NewPCG(seed, 0)), int(m), int(n), int(k), int(layoutA)%5, int(layoutB)%5, int(mode)%3)
	})
}

// A panic of one worker ends the others and reaches the caller, who can go on
// to use the workers.
func TestMulParallelRaisesPanics(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	const m, k, n = 130, 1024, 70
	matrix := func(rows, cols int) View { return Matrix(make([]float32, rows*cols), rows, cols) }
	c, a, b := matrix(m, n), matrix(m, k), matrix(k, n)
	cut := b
	cut.Data = b.Data[: k/2*n : k/2*n]
	w := NewWorkers(2)
	for range 5 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			mul(&w.works[0], w, c, a, cut, nil, false)
		}()
		MulParallel(w, c, a, b, nil, false)
	}
}
