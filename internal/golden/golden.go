// Package golden reads reference results that PyTorch computed and compares
// them with ours.
//
// Into it flows a JSON file that golden.py wrote: for each case the float32
// inputs, and every output and gradient in float64 together with the largest
// error that PyTorch makes when it computes the same in float32. Out of it flow
// the inputs as tensors, and test failures.
//
// The bound is that of flash-attention's tests
// (github.com/Dao-AILab/flash-attention, tests/test_flash_attn.py): our error
// may be at most twice PyTorch's float32 error, both measured against float64.
// A bound of this kind tightens and loosens with the conditioning of each case,
// which a constant tolerance cannot do.
package golden

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"heed/tensor"
)

// Floor is the relative error that is always allowed, as a fraction of the root
// mean square of the reference. PyTorch is now and then exact by luck (a sum of
// few terms); 1e-6 is about 8 units in the last place of float32.
const Floor = 1e-6

// maxFile is far above the 100 kB to which golden.py keeps a file.
const maxFile = 16 << 20

// Case is one call of a function: its arguments and its reference results.
type Case struct {
	Name string

	floats     []array // inputs, then constants
	inputs     int     // how many of floats have a gradient
	cotangents []array
	ints       []intArray
	results    []result
}

type array struct {
	name string
	*tensor.Tensor
}

type intArray struct {
	Name   string
	Shape  []int
	Values []int
}

type result struct {
	name  string
	shape []int
	want  []float64
	err32 float64
}

// Load reads the cases of one golden file in file order.
func Load(path string) ([]Case, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, err
	} else if st.Size() > maxFile {
		return nil, fmt.Errorf("%s: %d bytes, limit %d", path, st.Size(), maxFile)
	}
	var file struct {
		Cases []fileCase
	}
	if err := json.NewDecoder(f).Decode(&file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(file.Cases) == 0 {
		return nil, fmt.Errorf("%s: no cases", path)
	}
	cases := make([]Case, len(file.Cases))
	for i, fc := range file.Cases {
		if cases[i], err = fc.decode(); err != nil {
			return nil, fmt.Errorf("%s: case %d (%s): %w", path, i, fc.Name, err)
		}
	}
	return cases, nil
}

// fileCase mirrors what golden.py writes.
type fileCase struct {
	Name       string
	Inputs     []fileArray
	Consts     []fileArray
	Cotangents []fileArray
	Ints       []intArray
	Results    []fileArray
}

type fileArray struct {
	Name  string
	Shape []int
	F32   string // base64 of little-endian values
	F64   string
	Err32 *float64
}

func (fc fileCase) decode() (Case, error) {
	c := Case{Name: fc.Name, inputs: len(fc.Inputs), ints: fc.Ints}
	var err error
	if c.floats, err = decodeFloats(append(fc.Inputs, fc.Consts...)); err != nil {
		return c, err
	}
	if c.cotangents, err = decodeFloats(fc.Cotangents); err != nil {
		return c, err
	}
	for _, a := range fc.Ints {
		if n, err := count(a.Shape); err != nil || n != len(a.Values) {
			return c, fmt.Errorf("%s: shape %v, %d values", a.Name, a.Shape, len(a.Values))
		}
	}
	if len(fc.Results) == 0 {
		return c, errors.New("no results")
	}
	for _, a := range fc.Results {
		b, err := a.bytes(a.F64, 8)
		if err != nil {
			return c, err
		}
		if a.Err32 == nil || !(*a.Err32 >= 0) {
			return c, fmt.Errorf("%s: err32 is missing or negative", a.Name)
		}
		r := result{a.Name, a.Shape, make([]float64, len(b)/8), *a.Err32}
		for i := range r.want {
			r.want[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
		c.results = append(c.results, r)
	}
	return c, nil
}

func decodeFloats(in []fileArray) ([]array, error) {
	out := make([]array, len(in))
	for i, a := range in {
		b, err := a.bytes(a.F32, 4)
		if err != nil {
			return nil, err
		}
		data := make([]float32, len(b)/4)
		for j := range data {
			data[j] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*j:]))
		}
		out[i] = array{a.Name, tensor.Of(data, a.Shape...)}
	}
	return out, nil
}

// bytes decodes s and checks its length against the shape.
func (a fileArray) bytes(s string, width int) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %v", a.Name, err)
	}
	if n, err := count(a.Shape); err != nil || n*width != len(b) {
		return nil, fmt.Errorf("%s: shape %v, %d bytes", a.Name, a.Shape, len(b))
	}
	return b, nil
}

func count(shape []int) (int, error) {
	n := 1
	for _, d := range shape {
		if d < 0 || d > maxFile || n*d > maxFile {
			return 0, fmt.Errorf("shape %v", shape)
		}
		n *= d
	}
	return n, nil
}

// Inputs returns the names of the arguments that have a gradient, in the order
// of the generator script. The result "grad.NAME" belongs to each.
func (c *Case) Inputs() []string {
	names := make([]string, c.inputs)
	for i := range names {
		names[i] = c.floats[i].name
	}
	return names
}

// Results returns the names of all outputs and gradients, for a test that wants
// to be sure that it checks each.
func (c *Case) Results() []string {
	names := make([]string, len(c.results))
	for i, r := range c.results {
		names[i] = r.name
	}
	return names
}

// Input returns a copy of an input or constant. Like the other accessors it
// panics where the file has no such name, since then test and generator script
// disagree.
func (c *Case) Input(name string) *tensor.Tensor { return c.find(c.floats, "input", name) }

// Cotangent returns a copy of the gradient of the loss with respect to an
// output: the values from which the backward pass starts.
func (c *Case) Cotangent(output string) *tensor.Tensor {
	return c.find(c.cotangents, "cotangent", output)
}

func (c *Case) find(in []array, kind, name string) *tensor.Tensor {
	for _, a := range in {
		if a.name == name {
			return tensor.Of(slices.Clone(a.Data), a.Shape...)
		}
	}
	panic(fmt.Sprintf("golden: case %s has no %s %q", c.Name, kind, name))
}

// Ints returns a copy of an integer argument, flat and in row-major order.
func (c *Case) Ints(name string) []int {
	for _, a := range c.ints {
		if a.Name == name {
			return slices.Clone(a.Values)
		}
	}
	panic(fmt.Sprintf("golden: case %s has no ints %q", c.Name, name))
}

// Int returns an integer argument of one value.
func (c *Case) Int(name string) int {
	v := c.Ints(name)
	if len(v) != 1 {
		panic(fmt.Sprintf("golden: case %s: ints %q has %d values, not one", c.Name, name, len(v)))
	}
	return v[0]
}

// Shape returns the shape of an output or gradient.
func (c *Case) Shape(name string) []int { return slices.Clone(c.result(name).shape) }

func (c *Case) result(name string) result {
	for _, r := range c.results {
		if r.name == name {
			return r
		}
	}
	panic(fmt.Sprintf("golden: case %s has no result %q", c.Name, name))
}

// Bound returns the largest absolute error that Check allows for a result:
// twice the larger of PyTorch's float32 error and Floor times the root mean
// square of the reference.
func (c *Case) Bound(name string) float64 {
	r := c.result(name)
	var sum float64
	for _, v := range r.want {
		sum += v * v
	}
	rms := math.Sqrt(sum / float64(max(1, len(r.want))))
	return 2 * max(r.err32, Floor*rms)
}

// Check fails the test unless got, in row-major order, equals the output or
// gradient name ("grad.x" for the input x) within Bound. The message shows the
// worst element.
func (c *Case) Check(t testing.TB, name string, got []float32) {
	t.Helper()
	r := c.result(name)
	if len(got) != len(r.want) {
		t.Errorf("%s: %s: %d values, want %d of shape %v", c.Name, name, len(got), len(r.want), r.shape)
		return
	}
	bound := c.Bound(name)
	worst, diff, bad := 0, -1.0, 0
	for i, want := range r.want {
		d := math.Abs(float64(got[i]) - want)
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		if d > diff {
			worst, diff = i, d
		}
		if d > bound {
			bad++
		}
	}
	if bad > 0 {
		t.Errorf("%s: %s: worst at %v: got %.9g, want %.9g, error %.3g, bound %.3g; %d of %d values are out of bound",
			c.Name, name, unravel(worst, r.shape), got[worst], r.want[worst], diff, bound, bad, len(got))
	}
}

// unravel returns the index of element i of a row-major array.
func unravel(i int, shape []int) []int {
	index := make([]int, len(shape))
	for k := len(shape) - 1; k >= 0; k-- {
		index[k] = i % shape[k]
		i /= shape[k]
	}
	return index
}
