package alignment

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomFamily draws n sequences of l columns.
func randomFamily(n, l int, r *rand.Rand) *Family {
	f := &Family{Sequences: n, Columns: l}
	for range n * l {
		f.States = append(f.States, uint8(r.IntN(States)))
	}
	for range n {
		f.Weights = append(f.Weights, 0.2+0.8*r.Float64())
	}
	return f
}

// plainLoss is the loss as the formula says it.
func (p *Potts) plainLoss(f *Family, lambda float64) float64 {
	l, width := p.Columns, p.Columns*States
	loss := 0.0
	for n := range f.Sequences {
		row := f.row(n)
		for i := range l {
			sum, at := 0.0, 0.0
			for b := range States {
				logit := float64(p.Field[i*States+b])
				for j := range l {
					if j != i {
						logit += float64(p.Coupling[(j*States+int(row[j]))*width+i*States+b])
					}
				}
				sum += math.Exp(logit)
				if b == int(row[i]) {
					at = logit
				}
			}
			loss += f.Weights[n] * (math.Log(sum) - at)
		}
	}
	for _, v := range p.Field {
		loss += lambda * float64(v) * float64(v)
	}
	for _, w := range p.Coupling {
		loss += lambda * float64(l-1) * (States - 1) / 2 * float64(w) * float64(w)
	}
	return loss
}

// TestPottsGradient compares loss and gradient with the formula and difference
// quotients.
func TestPottsGradient(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	f := randomFamily(7, 6, r)
	const lambda = 0.01
	p := newPotts(f, lambda)
	width := p.Columns * States
	for x := range width {
		for y := range x {
			if x/States != y/States {
				v := float32(0.3 * r.NormFloat64())
				p.Coupling[x*width+y], p.Coupling[y*width+x] = v, v
			}
		}
	}
	var first []float32
	for _, cores := range []int{1, 2, 5} {
		grad, fieldGrad := make([]float32, len(p.Coupling)), make([]float32, len(p.Field))
		loss := p.gradient(f, PottsConfig{Lambda: lambda, Cores: cores}, grad, fieldGrad)
		if want := p.plainLoss(f, lambda); math.Abs(loss-want) > 1e-4*want {
			t.Fatalf("loss %v, want %v", loss, want)
		}
		if first == nil {
			first = grad
		} else if !slices.Equal(first, grad) {
			t.Errorf("other bits on %d cores", cores)
		}
		quotient := func(change func(by float32)) float64 {
			const h = 1e-2
			change(h)
			up := p.plainLoss(f, lambda)
			change(-2 * h)
			down := p.plainLoss(f, lambda)
			return (up - down) / (2 * h)
		}
		for range 200 {
			x, y := r.IntN(width), r.IntN(width)
			if x/States == y/States {
				if grad[x*width+y] != 0 {
					t.Fatalf("gradient within column %d", x/States)
				}
				continue
			}
			// Both entries of one coupling move together, so the quotient is twice
			// the gradient that each of them gets.
			old := p.Coupling[x*width+y]
			want := quotient(func(by float32) {
				p.Coupling[x*width+y] += by
				p.Coupling[y*width+x] += by
			}) / 2
			p.Coupling[x*width+y], p.Coupling[y*width+x] = old, old
			if got := float64(grad[x*width+y]); math.Abs(got-want) > 1e-3*(1+math.Abs(want)) {
				t.Fatalf("coupling %d, %d: gradient %v, quotient %v", x, y, got, want)
			}
		}
		for i := range p.Field {
			old := p.Field[i]
			want := quotient(func(by float32) { p.Field[i] += by })
			p.Field[i] = old
			if got := float64(fieldGrad[i]); math.Abs(got-want) > 1e-3*(1+math.Abs(want)) {
				t.Fatalf("field %d: gradient %v, quotient %v", i, got, want)
			}
		}
	}
}

// plantedFamily draws n sequences of 12 columns in which columns 1 and 9, and 3
// and 4, go together.
func plantedFamily(n int, r *rand.Rand) *Family {
	f := randomFamily(n, 12, r)
	for n := range f.Sequences {
		row := f.row(n)
		f.Weights[n] = 1
		for i := range row {
			row[i] = uint8(r.IntN(4))
		}
		for _, pair := range [][2]int{{1, 9}, {3, 4}} {
			if r.Float64() < 0.8 {
				row[pair[1]] = 3 - row[pair[0]]
			}
		}
	}
	return f
}

// checkPlanted wants the planted pairs far above all others.
func checkPlanted(t *testing.T, s []float64, columns int) {
	t.Helper()
	var others float64
	for i := range columns {
		for j := range i {
			if !(i == 9 && j == 1 || i == 4 && j == 3) {
				others = max(others, s[i*columns+j])
			}
		}
	}
	if s[9*columns+1] < 3*others || s[4*columns+3] < 3*others {
		t.Errorf("planted pairs score %.3f and %.3f, the best other %.3f", s[9*columns+1], s[4*columns+3], others)
	}
}

func TestPottsFindsPairs(t *testing.T) {
	f := plantedFamily(400, rand.New(rand.NewPCG(3, 4)))
	p, err := FitPotts(context.Background(), f, PottsConfig{Steps: 40})
	if err != nil {
		t.Fatal(err)
	}
	checkPlanted(t, APC(p.Scores(), f.Columns), f.Columns)
	if _, err := FitPotts(context.Background(), &Family{}, PottsConfig{}); err == nil || err.Error() != "a family of 0 sequences and 0 columns has no couplings" {
		t.Errorf("error %v", err)
	}
}

func TestEncode(t *testing.T) {
	f, unknown := Encode([][]byte{[]byte("ARN-v"), []byte("aX.BV")})
	if want := []uint8{0, 1, 2, Gap, 19, 0, Gap, Gap, Gap, 19}; !slices.Equal(f.States, want) || unknown != 2 || f.Sequences != 2 || f.Columns != 5 || f.Effective() != 2 {
		t.Errorf("%+v, %d unknown", f, unknown)
	}
}

func TestAPC(t *testing.T) {
	// Scores that are the product of what the columns have: nothing is left,
	// but for the diagonal that does not count.
	s := []float64{9, 2, 3, 2, 9, 6, 3, 6, 9}
	got := APC(s, 3)
	sums, total := []float64{5, 8, 9}, 22.0
	for i := range 3 {
		for j := range 3 {
			want := 0.0
			if i != j {
				want = s[i*3+j] - sums[i]*sums[j]/total
			}
			if math.Abs(got[i*3+j]-want) > 1e-12 {
				t.Errorf("%d, %d: %v, want %v", i, j, got[i*3+j], want)
			}
		}
	}
}
