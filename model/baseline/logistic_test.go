package baseline

import (
	"heed/data"

	"math"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
)

// design returns random features (n, width), labels and rows.
func design(n, width, classes int) (dense, []int) {
	r := source(11)
	x := matrix(n, width)
	y := make([]int, n)
	for i := range x {
		y[i] = i % classes
		for f := range x[i] {
			x[i][f] = r.NormFloat64()
		}
		x[i][0] += float64(y[i])
	}
	return x, y
}

// The gradient equals central differences, for both kinds of features and with
// two and three classes.
func TestGradient(t *testing.T) {
	letters := random(source(12), 300, 5)
	letters[3][2] = 'N'
	rows := make([]int, 0, 280)
	for i := range 280 {
		rows = append(rows, i+i/14)
	}
	for _, classes := range []int{2, 3} {
		x, y := design(300, 8, classes)
		for name, f := range map[string]features{"dense": x, "one-hot": newOneHot(letters, 5)} {
			o := newObjective(f, y, rows, classes)
			if len(o.pieces) < 2 {
				t.Fatal("want several pieces")
			}
			o.lambda = 0.3
			r := source(13)
			w := make([]float64, len(o.grad))
			for i := range w {
				w[i] = r.NormFloat64()
			}
			o.at(w)
			grad := slices.Clone(o.grad)
			const h = 1e-5
			for i := range w {
				v := w[i]
				w[i] = v + h
				up := o.at(w)
				w[i] = v - h
				down := o.at(w)
				w[i] = v
				if want := (up - down) / (2 * h); math.Abs(grad[i]-want) > 1e-8 {
					t.Errorf("%s, %d classes: weight %d: gradient %v, by differences %v", name, classes, i, grad[i], want)
				}
			}
		}
	}
}

// Two classes with one vector of weights have the loss and the minimum of three
// classes of which one never occurs and is never likely.
func TestTwoClasses(t *testing.T) {
	x, y := design(200, 4, 2)
	rows := make([]int, 200)
	for i := range rows {
		rows[i] = i
	}
	two, three := newObjective(x, y, rows, 2), newObjective(x, y, rows, 3)
	two.lambda, three.lambda = 0.2, 0.2
	w := []float64{0.3, -0.2, 0.5, 0.1, 0.7}
	full := make([]float64, 15)
	for i, v := range w {
		full[i], full[5+i] = -v, v
	}
	full[14] = -100
	if a, b := two.at(w), three.at(full); math.Abs(a-b) > 1e-12 {
		t.Errorf("loss %v, want %v", a, b)
	}
	for i := range w { // dw = d(w[1]) - d(w[0])
		if want := three.grad[5+i] - three.grad[i]; math.Abs(two.grad[i]-want) > 1e-12 {
			t.Errorf("gradient %d: %v, want %v", i, two.grad[i], want)
		}
	}
}

// The loss at zero is log C; one-hot features are those of the matrix of zeros
// and ones that they stand for.
func TestObjective(t *testing.T) {
	letters := random(source(14), 50, 6)
	letters[0][0] = 'N'
	y := make([]int, 50)
	full := matrix(50, 24)
	rows := make([]int, 50)
	for i, s := range letters {
		y[i] = i % 4
		rows[i] = i
		for p, b := range s {
			if a := data.Nucleotide(b); a >= 0 {
				full[i][4*p+a] = 1
			}
		}
	}
	a, b := newObjective(newOneHot(letters, 6), y, rows, 4), newObjective(dense(full), y, rows, 4)
	w := make([]float64, 4*25)
	if got := a.at(w); math.Abs(got-math.Log(4)) > 1e-14 {
		t.Errorf("loss %v, want log 4", got)
	}
	for i := range w {
		w[i] = math.Sin(float64(i))
	}
	if got, want := a.at(w), b.at(w); math.Abs(got-want) > 1e-12 || !floats.EqualApprox(a.grad, b.grad, 1e-12) {
		t.Errorf("one-hot %v, dense %v", got, want)
	}
}

// Without anything to tell classes apart the intercepts learn how frequent they
// are.
func TestIntercept(t *testing.T) {
	x := dense(matrix(80, 3))
	y := make([]int, 80)
	for i := range 8 {
		y[10*i] = 1 + i/6
	}
	l, err := fitLinear(x, y, 3, source(1))
	if err != nil {
		t.Fatal(err)
	}
	for c, want := range []float64{72. / 80, 6. / 80, 2. / 80} {
		if got := l.predict(x, 1)[0][c]; math.Abs(got-want) > 1e-3 {
			t.Errorf("class %d: %v, want %v", c, got, want)
		}
	}
}

// At the minimum for one feature x = ±1 that always tells the class, the weight
// obeys 1/(1+exp(2w)) = λ·w.
func TestOneFeature(t *testing.T) {
	x := matrix(10, 1)
	y := halves(10)
	rows := make([]int, 10)
	for i := range x {
		x[i][0] = float64(2*y[i] - 1)
		rows[i] = i
	}
	for _, lambda := range []float64{1, 0.1, 0.001} {
		w := make([]float64, 2)
		if err := newObjective(dense(x), y, rows, 2).minimise(w, lambda); err != nil {
			t.Fatal(err)
		}
		if got, want := 1/(1+math.Exp(2*w[0])), lambda*w[0]; math.Abs(got-want) > 2e-4 || math.Abs(w[1]) > 1e-9 {
			t.Errorf("λ = %v: weights %v: %v is not %v", lambda, w, got, want)
		}
	}
}

// Noise calls for strong regularisation, a clear rule in many examples for weak.
func TestChooseLambda(t *testing.T) {
	x, y := design(300, 40, 2)
	r := source(15)
	for i := range x {
		x[i][0] = r.NormFloat64()
	}
	noise, err := chooseLambda(x, y, 2, source(2))
	if err != nil {
		t.Fatal(err)
	}
	for i := range x {
		x[i][0] = float64(2*y[i]-1) * (1 + 0.1*r.NormFloat64())
	}
	clear, err := chooseLambda(x, y, 2, source(2))
	if err != nil {
		t.Fatal(err)
	}
	if noise < 0.3 || clear > 0.01 {
		t.Errorf("λ = %v for noise, %v for a clear rule", noise, clear)
	}
}

// The number of cores does not change a bit.
func TestCores(t *testing.T) {
	x, y := design(2000, 20, 2)
	var want *linear
	for _, cores := range []int{1, 2, 5} {
		old := runtime.GOMAXPROCS(cores)
		got, err := fitLinear(x, y, 2, source(3))
		runtime.GOMAXPROCS(old)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if got.lambda != want.lambda || !slices.Equal(got.w[0], want.w[0]) || !slices.Equal(got.w[1], want.w[1]) {
			t.Errorf("%d cores: %v, 1 core: %v", cores, got, want)
		}
	}
}

func TestSoftmax(t *testing.T) {
	z := []float64{1000, 1000 + math.Log(3), math.Inf(-1)}
	if log := softmax(z); math.Abs(log-1000-math.Log(4)) > 1e-12 || math.Abs(z[0]-0.25) > 1e-12 || z[2] != 0 {
		t.Errorf("%v, %v", log, z)
	}
}
