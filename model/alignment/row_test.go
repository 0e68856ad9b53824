package alignment

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"heed/autograd"
	"heed/nn"
)

func smallRow(t *testing.T, mixer string) *Row {
	t.Helper()
	m, err := NewRow(RowConfig{Columns: 7, Layers: 2, Dim: 32, Heads: 2, FFN: 32, Mixer: mixer}, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A row has the same logits in any company, every mixer has the parameters of
// attention within 2 %, and all parameters have gradients.
func TestRow(t *testing.T) {
	target := nn.Count(smallRow(t, ""))
	for _, mixer := range append([]string{""}, nn.Mixers()...) {
		m := smallRow(t, mixer)
		if n := nn.Count(m); math.Abs(float64(n)/float64(target)-1) > 0.02 {
			t.Errorf("%s: %d values, attention has %d", mixer, n, target)
		}
		rows := []uint8{0, 1, 2, 3, 4, 5, Gap, 9, 9, MaskState, 9, 9, 9, 9}
		tape := &autograd.Tape{}
		y := m.Logits(tape, rows, nil)
		alone := m.Logits(&autograd.Tape{}, rows[7:], []int32{2, 6})
		if got := y.Data[9*Residues : 10*Residues]; !slices.Equal(got, alone.Data[:Residues]) {
			t.Errorf("%s: other logits in company", mixer)
		}
		tape.Backward(autograd.CrossEntropy(tape, y, slices.Repeat([]int32{3}, 14), 14))
		m.Visit("", func(name string, p *autograd.Var) {
			if tape.Grad(p) == nil {
				t.Errorf("%s: %s has no gradient", mixer, name)
			}
		})
	}
	for _, c := range []RowConfig{{}, {Columns: 3, Dim: 8, FFN: 8, Heads: 3}, {Columns: 3, Layers: 1, Dim: 8, FFN: 8, Mixer: "rnn"}} {
		if _, err := NewRow(c, nil); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
}

func TestMask(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const n = 20000
	row := make([]uint8, n)
	for i := range row {
		row[i] = uint8(i % States)
	}
	before := slices.Clone(row)
	at, truth := Mask(row, 0.15, false, r)
	masked, kept := 0, 0
	for k, i := range at {
		switch {
		case before[i] == Gap || int32(before[i]) != truth[k]:
			t.Fatalf("column %d: truth %d of state %d", i, truth[k], before[i])
		case row[i] == MaskState:
			masked++
		case row[i] == before[i]:
			kept++
		}
		before[i] = row[i]
	}
	if !slices.Equal(before, row) {
		t.Error("a column changed that was not chosen")
	}
	for name, x := range map[string][2]float64{
		"chosen": {float64(len(at)) / n, 0.15 * 20 / 21}, "masked": {float64(masked) / float64(len(at)), 0.8},
		"unchanged": {float64(kept) / float64(len(at)), 0.1 + 0.1/20},
	} {
		if math.Abs(x[0]-x[1]) > 0.03 {
			t.Errorf("%s: share of %.3f, want %.3f", name, x[0], x[1])
		}
	}
	row = slices.Repeat([]uint8{3}, 50)
	if at, _ := Mask(row, 1, true, r); len(at) != 50 || row[0] != MaskState || row[49] != MaskState {
		t.Errorf("%d columns masked of 50", len(at))
	}
}

func TestProfile(t *testing.T) {
	f, _ := Encode([][]byte{[]byte("A-"), []byte("AR"), []byte("N-")})
	f.Weights = []float64{1, 2, 1}
	p := Profile(f)
	for _, x := range []struct{ at, want float64 }{{0, 3.05 / 5}, {1, 0.05 / 5}, {2, 1.05 / 5}, {20, 0.05 / 3}, {21, 2.05 / 3}} {
		if got := p[int(x.at)]; math.Abs(got-x.want) > 1e-12 {
			t.Errorf("element %v is %v, want %v", x.at, got, x.want)
		}
	}
}

// Of a model whose logits are sums of couplings of pairs, the Jacobian is the
// couplings: exactly where its blocks are centred, and it sees no pair that has
// none. A profile alone has no Jacobian between columns.
func TestCategoricalJacobian(t *testing.T) {
	const l, a = 5, Residues
	r := rand.New(rand.NewPCG(1, 2))
	coupled := [][2]int{{0, 3}, {1, 4}}
	w := make([]float32, l*a*l*a)
	at := func(i, s, j, b int) *float32 { return &w[((i*a+s)*l+j)*a+b] }
	norm := make([]float64, l*l)
	for _, p := range coupled {
		block := make([]float32, a*a)
		for k := range block {
			block[k] = float32(r.NormFloat64())
		}
		centreAxis(block, a, a)
		centreAxis(block, a, 1)
		sum := 0.0
		for s := range a {
			for b := range a {
				v := block[s*a+b]
				*at(p[0], s, p[1], b), *at(p[1], b, p[0], s) = v, v
				sum += float64(v) * float64(v)
			}
		}
		norm[p[0]*l+p[1]] = math.Sqrt(sum)
	}
	profile := make([]float32, l*a)
	for i := range profile {
		profile[i] = float32(r.NormFloat64())
	}
	logits := func(rows []uint8) []float32 {
		var out []float32
		for n := range len(rows) / l {
			y := slices.Clone(profile)
			for i, s := range rows[n*l : (n+1)*l] {
				if s < Gap {
					for k := range y {
						y[k] += *at(i, int(s), k/a, k%a)
					}
				}
			}
			out = append(out, y...)
		}
		return out
	}
	rows := [][]uint8{{0, 1, 2, 3, 4}, {7, Gap, 2, 19, 4}}
	j, err := CategoricalJacobian(context.Background(), rows, 2, logits)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := CategoricalJacobian(context.Background(), rows, 1, logits); !slices.Equal(j, again) {
		t.Error("other bits on one core")
	}
	scores := JacobianScores(j, l)
	for x := range l {
		for y := x + 1; y < l; y++ {
			if got, want := scores[x*l+y], norm[x*l+y]; math.Abs(got-want) > 1e-3 {
				t.Errorf("score of %d and %d is %v, want %v", x, y, got, want)
			}
			if scores[x*l+y] != scores[y*l+x] || scores[x*l+x] != 0 {
				t.Errorf("scores of %d and %d are not symmetric", x, y)
			}
		}
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := CategoricalJacobian(cancelled, rows, 1, logits); err == nil {
		t.Error("no error after it was cancelled")
	}
}
