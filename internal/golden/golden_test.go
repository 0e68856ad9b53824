package golden

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// recorder is a testing.TB that keeps the failures.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func load(t *testing.T) []Case {
	t.Helper()
	cases, err := Load("testdata/small.json")
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// matmul returns a*b and its two gradients, in float32 with one sum per element.
func matmul(a, b, dy []float32, m, k, n int) (y, da, db []float32) {
	y, da, db = make([]float32, m*n), make([]float32, m*k), make([]float32, k*n)
	for i := range m {
		for j := range n {
			for p := range k {
				y[i*n+j] += a[i*k+p] * b[p*n+j]
				da[i*k+p] += dy[i*n+j] * b[p*n+j]
				db[p*n+j] += dy[i*n+j] * a[i*k+p]
			}
		}
	}
	return y, da, db
}

func TestCheckAcceptsFloat32(t *testing.T) {
	c := load(t)[0]
	a, b, dy := c.Input("a"), c.Input("b"), c.Cotangent("out")
	y, da, db := matmul(a.Data, b.Data, dy.Data, 4, 33, 3)
	c.Check(t, "out", y)
	c.Check(t, "grad.a", da)
	c.Check(t, "grad.b", db)
}

func TestCheckRejects(t *testing.T) {
	c := load(t)[0]
	y, _, _ := matmul(c.Input("a").Data, c.Input("b").Data, c.Cotangent("out").Data, 4, 33, 3)
	at := func(i int, v float32) []float32 {
		x := append([]float32(nil), y...)
		x[i] = v
		return x
	}
	for _, test := range []struct {
		got  []float32
		want string
	}{
		{at(7, y[7]+1e-4), "matmul: out: worst at [2 1]: got "},
		{at(7, y[7]+1e-4), "; 1 of 12 values are out of bound"},
		{at(0, float32(math.NaN())), "matmul: out: worst at [0 0]: got NaN, want "},
		{at(11, float32(math.Inf(-1))), "matmul: out: worst at [3 2]: got -Inf, want "},
		{y[:11], "matmul: out: 11 values, want 12 of shape [4 3]"},
	} {
		var r recorder
		c.Check(&r, "out", test.got)
		if len(r.failures) != 1 || !strings.Contains(r.failures[0], test.want) {
			t.Errorf("got failures %q, want one with %q", r.failures, test.want)
		}
	}
}

// The bound follows from the file alone, so it is checked on values that the
// generator script fixes: torch makes no error in 2*x.
func TestBound(t *testing.T) {
	c := load(t)[2]
	if got, want := c.Bound("out"), 2e-6*math.Sqrt(10); math.Abs(got-want) > 1e-15 {
		t.Errorf("bound of an exact output: got %g, want %g", got, want)
	}
	if got := c.Bound("grad.y"); got != 0 {
		t.Errorf("bound of a gradient of zeros: got %g, want 0", got)
	}
	c.Check(t, "out", []float32{2, 4})
	c.Check(t, "grad.y", []float32{0})
	for _, r := range load(t)[0].results {
		if want := 2 * r.err32; load(t)[0].Bound(r.name) < want || r.err32 == 0 {
			t.Errorf("%s: bound below twice the error of torch, %g", r.name, want)
		}
	}
}

func TestAccessors(t *testing.T) {
	c := load(t)[1]
	if got, want := c.Ints("rows"), []int{4, 0, 4}; !reflect.DeepEqual(got, want) {
		t.Errorf("Ints(rows): got %v, want %v", got, want)
	}
	if got := c.Int("n"); got != 3 {
		t.Errorf("Int(n): got %d, want 3", got)
	}
	if got, want := c.Inputs(), []string{"x"}; !reflect.DeepEqual(got, want) {
		t.Errorf("Inputs: got %q, want %q", got, want)
	}
	if got, want := c.Results(), []string{"picked", "power", "grad.x"}; !reflect.DeepEqual(got, want) {
		t.Errorf("Results: got %q, want %q", got, want)
	}
	if got, want := c.Shape("picked"), []int{3, 2}; !reflect.DeepEqual(got, want) {
		t.Errorf("Shape(picked): got %v, want %v", got, want)
	}
	x, scale := c.Input("x"), c.Input("scale")
	picked, power := make([]float32, 6), make([]float32, 10)
	for i, row := range c.Ints("rows") {
		for j := range 2 {
			picked[2*i+j] = x.Data[2*row+j] * scale.Data[j]
		}
	}
	for i, v := range x.Data {
		power[i] = float32(3 * math.Exp(float64(v)))
	}
	c.Check(t, "picked", picked)
	c.Check(t, "power", power)

	x.Data[0]++
	if c.Input("x").Data[0] == x.Data[0] {
		t.Error("Input returned the stored values, not a copy")
	}
}

func TestAccessorsPanic(t *testing.T) {
	c := load(t)[1]
	for want, f := range map[string]func(){
		`golden: case gather/exp has no input "w"`:                   func() { c.Input("w") },
		`golden: case gather/exp has no cotangent "out"`:             func() { c.Cotangent("out") },
		`golden: case gather/exp has no ints "k"`:                    func() { c.Ints("k") },
		`golden: case gather/exp: ints "rows" has 3 values, not one`: func() { c.Int("rows") },
		`golden: case gather/exp has no result "grad.scale"`:         func() { c.Bound("grad.scale") },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("got panic %v, want %s", got, want)
				}
			}()
			f()
		}()
	}
}

func TestLoadErrors(t *testing.T) {
	const one = `{"cases":[{"name":"c","inputs":[%s],"ints":[%s],"results":[%s]}]}`
	const good = `{"name":"out","shape":[1],"f64":"AAAAAAAA8D8=","err32":0}`
	for _, test := range []struct{ text, want string }{
		{``, "g.json: EOF"},
		{`{"cases":[]}`, "g.json: no cases"},
		{fmt.Sprintf(one, ``, ``, ``), "g.json: case 0 (c): no results"},
		{fmt.Sprintf(one, `{"name":"x","shape":[2],"f32":"AACAPw=="}`, ``, good), "g.json: case 0 (c): x: shape [2], 4 bytes"},
		{fmt.Sprintf(one, `{"name":"x","shape":[1],"f32":"?"}`, ``, good), "g.json: case 0 (c): x: illegal base64 data at input byte 0"},
		{fmt.Sprintf(one, ``, `{"name":"i","shape":[],"values":[1,2]}`, good), "g.json: case 0 (c): i: shape [], 2 values"},
		{fmt.Sprintf(one, ``, ``, `{"name":"out","shape":[-1],"f64":"","err32":0}`), "g.json: case 0 (c): out: shape [-1], 0 bytes"},
		{fmt.Sprintf(one, ``, ``, `{"name":"out","shape":[1],"f64":"AAAAAAAA8D8="}`), "g.json: case 0 (c): out: err32 is missing or negative"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "g.json")
		if err := os.WriteFile(path, []byte(test.text), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if err == nil {
			t.Errorf("%s: no error, want %s", test.text, test.want)
			continue
		}
		if got := strings.TrimPrefix(err.Error(), dir+string(filepath.Separator)); got != test.want {
			t.Errorf("got error %s, want %s", got, test.want)
		}
	}
}
