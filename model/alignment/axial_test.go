package alignment

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/nn"
)

// coupled draws n sequences of l columns of four residues in which some pairs of
// columns go together, nine times of ten.
func coupled(n, l int, pairs [][2]int, r *rand.Rand) *Family {
	f := &Family{Sequences: n, Columns: l}
	for range n {
		row := make([]uint8, l)
		for i := range row {
			row[i] = uint8(r.IntN(4))
		}
		for _, p := range pairs {
			if r.Float64() < 0.9 {
				row[p[1]] = 3 - row[p[0]]
			}
		}
		f.States = append(f.States, row...)
		f.Weights = append(f.Weights, 1)
	}
	return f
}

func smallAxial() AxialConfig {
	return AxialConfig{Layers: 1, Width: 32, Heads: 4, Rows: 8, Batch: 4, Steps: 250, Rate: 0.01}
}

// The pairs that were planted come first, tied or not, by the Jacobian and by
// attention, and the bits do not depend on the number of cores.
func TestAxialFindsPairs(t *testing.T) {
	pairs := [][2]int{{0, 7}, {2, 5}, {3, 9}}
	f := coupled(300, 10, pairs, rand.New(rand.NewPCG(1, 2)))
	for _, untied := range []bool{false, true} {
		var first []float64
		for _, cores := range []int{1, 3} {
			if untied && cores > 1 {
				continue
			}
			c := smallAxial()
			c.Untied, c.Cores = untied, cores
			var loss float64
			steps := 0
			c.Tell = func(_, _ int, x float64) { loss, steps = x, steps+1 }
			m, err := FitAxial(context.Background(), f, c)
			if err != nil {
				t.Fatal(err)
			}
			// Of ten columns four are free, at log 4 nats, and six have a partner that is
			// masked now and then.
			if steps != c.Steps || !(loss < 1.2) {
				t.Errorf("untied %v: %d steps, loss %v", untied, steps, loss)
			}
			x, err := m.Read(context.Background(), f, 1, cores)
			if err != nil {
				t.Fatal(err)
			}
			for name, s := range map[string][]float64{"Jacobian": x.Jacobian, "attention": x.Attention} {
				for _, p := range firstOf(APC(s, 10), 10, len(pairs)) {
					if !slices.Contains(pairs, p) {
						t.Errorf("untied %v: the %s ranks %v among the first", untied, name, p)
					}
				}
			}
			all := slices.Concat(x.Jacobian, x.Attention)
			if first == nil {
				first = all
			} else if !slices.Equal(all, first) {
				t.Errorf("other bits on %d cores", cores)
			}
		}
	}
}

func firstOf(s []float64, l, n int) [][2]int {
	var all [][2]int
	for i := range l {
		for j := i + 1; j < l; j++ {
			all = append(all, [2]int{i, j})
		}
	}
	slices.SortStableFunc(all, func(a, b [2]int) int {
		if s[a[0]*l+a[1]] > s[b[0]*l+b[1]] {
			return -1
		}
		return 1
	})
	return all[:n]
}

// Masking is BERT's: shares, targets, and nothing of gaps.
func TestAxialMask(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x := &axialExample{rand: r}
	before := make([]uint8, 100000)
	for i := range before {
		before[i] = uint8(r.IntN(States))
	}
	x.states = slices.Clone(before)
	x.mask(0.15)
	asked := map[int32]bool{}
	var hidden, other, same float64
	for k, c := range x.cells {
		asked[c] = true
		switch s := x.states[c]; {
		case before[c] == Gap || x.targets[k] != int32(before[c]):
			t.Fatalf("cell %d of state %d has target %d", c, before[c], x.targets[k])
		case s == Hidden:
			hidden++
		case s == before[c]:
			same++
		case s < Residues:
			other++
		default:
			t.Fatalf("cell %d became %d", c, s)
		}
	}
	for i, s := range x.states {
		if !asked[int32(i)] && s != before[i] {
			t.Fatalf("cell %d changed unasked", i)
		}
	}
	n := float64(len(x.cells))
	// A twentieth of the random residues is the old one.
	for what, share := range map[string][2]float64{"asked": {n / (100000. * 20 / 21), 0.15}, "hidden": {hidden / n, 0.8}, "other": {other / n, 0.095}, "same": {same / n, 0.105}} {
		if math.Abs(share[0]-share[1]) > 0.012 {
			t.Errorf("%s: %.4f, want %.4f", what, share[0], share[1])
		}
	}
}

// Drawn rows are different ones, as frequent as their weights, the query too.
func TestAxialDraw(t *testing.T) {
	f := &Family{Sequences: 4, Columns: 1, States: []uint8{0, 1, 2, 3}, Weights: []float64{1, 0, 1, 2}}
	r := rand.New(rand.NewPCG(1, 2))
	var seen [4]int
	for range 4000 {
		rows, err := draw(f, 1, r)
		if err != nil || len(rows) != 1 {
			t.Fatal(rows, err)
		}
		seen[rows[0]]++
	}
	for n, want := range []int{1000, 0, 1000, 2000} {
		if d := seen[n] - want; d < -150 || d > 150 {
			t.Errorf("row %d was drawn %d times, want about %d", n, seen[n], want)
		}
	}
	if rows, err := draw(f, 9, r); err != nil || !slices.Equal(rows, []int{0, 1, 2, 3}) {
		t.Errorf("more rows than there are: %v, %v", rows, err)
	}
}

// The norm is that of what is left without the means, of both directions together.
func TestJacobianNorms(t *testing.T) {
	const l = 2
	r := rand.New(rand.NewPCG(1, 2))
	m := make([]float64, pairSize) // rows and columns with means of zero
	x := make([]float32, pairSize)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	center(x)
	norm := 0.0
	for i, v := range x {
		m[i] = float64(v)
		norm += m[i] * m[i]
	}
	for a := range Residues {
		var row, column float64
		for b := range Residues {
			row, column = row+m[a*Residues+b], column+m[b*Residues+a]
		}
		if math.Abs(row) > 1e-4 || math.Abs(column) > 1e-4 {
			t.Fatalf("centred row and column %d sum to %g and %g", a, row, column)
		}
	}
	sums, counts := make([]float32, l*l*pairSize), make([]float32, l*l*Residues)
	for j := range l {
		for i := range l {
			for a := range Residues {
				counts[(j*l+i)*Residues+a] = float32(1 + (a+j)%3)
			}
		}
	}
	for a := range Residues {
		for b := range Residues {
			// J_0[1] is M and J_1[0] three times its transpose, each with means added: their
			// mean is 2M.
			sums[(0*l+1)*pairSize+a*Residues+b] = counts[Residues+a] * (float32(m[a*Residues+b]) + float32(a) - float32(b))
			sums[(1*l+0)*pairSize+a*Residues+b] = counts[2*Residues+a] * (3*float32(m[b*Residues+a]) + float32(b))
		}
	}
	got := jacobianNorms(sums, counts, l)
	if want := 2 * math.Sqrt(norm); math.Abs(got[1]-want) > 1e-4*want || got[2] != got[1] || got[0] != 0 || got[3] != 0 {
		t.Errorf("norms %v, want %v off the diagonal", got, want)
	}
}

// The answers are the plain difference of two passes, at the cells that are hidden and
// to the residues of their own rows.
func TestAxialAnswers(t *testing.T) {
	c := AxialConfig{Layers: 2, Width: 8, Heads: 2, Rows: 3, Pairs: true}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	const l, n = 4, 3
	m := NewAxial(l, c, rand.New(rand.NewPCG(1, 2)))
	states := []uint8{0, 1, 2, Hidden, 4, Gap, Hidden, 7, Hidden, 9, 10, 11}
	cells := []int32{3, 6, 8}
	base := slices.Clone(m.Logits(&autograd.Tape{NoGrad: true}, states, cells).Data)
	sums, counts := make([]float32, l*l*pairSize), make([]float32, l*l*Residues)
	m.answers(states, cells, sums, counts, rand.New(rand.NewPCG(5, 6)), 2)
	wantSums, wantCounts := make([]float64, len(sums)), make([]float32, len(counts))
	r := rand.New(rand.NewPCG(5, 6))
	for j := range l {
		for range readChanges {
			changed := slices.Clone(states)
			for row := range n {
				shift := 1 + r.IntN(Residues-1)
				if s := &changed[row*l+j]; *s < Residues {
					*s = uint8((int(*s) + shift) % Residues)
				}
			}
			y := m.Logits(&autograd.Tape{NoGrad: true}, changed, cells).Data
			for k, cell := range []struct{ row, i int }{{0, 3}, {1, 2}, {2, 0}} {
				a := int(changed[cell.row*l+j])
				if a >= Residues {
					continue
				}
				wantCounts[(j*l+cell.i)*Residues+a]++
				for b := range Residues {
					wantSums[((j*l+cell.i)*Residues+a)*Residues+b] += float64(y[k*Residues+b] - base[k*Residues+b])
				}
			}
		}
	}
	if !slices.Equal(counts, wantCounts) {
		t.Errorf("counts %v, want %v", counts, wantCounts)
	}
	for i, v := range sums {
		if math.Abs(float64(v)-wantSums[i]) > 1e-4 {
			t.Fatalf("sum %d is %v, want %v", i, v, wantSums[i])
		}
	}
}

// Some cells have the logits that they have among all.
func TestAxialLogits(t *testing.T) {
	c := smallAxial()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	c.Pairs = true
	m := NewAxial(5, c, rand.New(rand.NewPCG(1, 2)))
	for i := range m.Field.Data {
		m.Field.Data[i] = float32(i)
	}
	states := []uint8{0, 1, Hidden, 3, Gap, 5, 6, 7, 8, 9}
	all := slices.Clone(m.Logits(&autograd.Tape{NoGrad: true}, states, nil).Data)
	some := m.Logits(&autograd.Tape{NoGrad: true}, states, []int32{8, 2})
	for k, cell := range []int{8, 2} {
		for a := range Residues {
			if d := some.Data[k*Residues+a] - all[cell*Residues+a]; d > 1e-4 || d < -1e-4 {
				t.Errorf("cell %d, residue %d: %v and %v", cell, a, some.Data[k*Residues+a], all[cell*Residues+a])
			}
		}
	}
	if got, want := c.Parameters(5), nn.Count(m); got != want {
		t.Errorf("Parameters %d, the model has %d", got, want)
	}
}

func TestAxialErrors(t *testing.T) {
	for want, c := range map[string]AxialConfig{
		"width 10: want a multiple of 32 heads": {Width: 10}, "rows 1: want 2 to 65536": {Rows: 1}, "layers -1: want 1 to 64": {Layers: -1},
		"rate -1: want a positive number": {Rate: -1}, "mask 1: want a share between 0 and 1": {Mask: 1}, "dropout 1: want a share from 0 to below 1": {Dropout: 1},
		"decay -1: want 0 or more": {Decay: -1},
	} {
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	f := &Family{Sequences: 2, Columns: 2, States: []uint8{Gap, Gap, Gap, Gap}, Weights: []float64{1, 1}}
	if _, err := FitAxial(context.Background(), f, smallAxial()); err == nil || !strings.Contains(err.Error(), "no residue was drawn") {
		t.Errorf("gaps: error %v", err)
	}
	if _, err := FitAxial(context.Background(), &Family{Sequences: 1, Columns: 2, States: []uint8{1, 2}, Weights: []float64{1}}, smallAxial()); err == nil {
		t.Error("one sequence is no error")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FitAxial(ctx, coupled(20, 4, nil, rand.New(rand.NewPCG(1, 2))), smallAxial()); err != context.Canceled {
		t.Errorf("error %v", err)
	}
}
