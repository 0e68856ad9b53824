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

// plainCouplings makes W (L·20, L·20) as the formula says it.
func (m *Factored) plainCouplings() []float64 {
	l, width := m.Columns, m.Columns*Residues
	w := make([]float64, width*width)
	for h := range m.Heads {
		for i := range l {
			alpha, sum := make([]float64, l), 0.0
			for j := range l {
				if i == j {
					continue
				}
				dot := 0.0
				for c := range m.Width {
					dot += float64(m.Query.Data[(i*m.Heads+h)*m.Width+c]) * float64(m.Key.Data[(j*m.Heads+h)*m.Width+c])
				}
				alpha[j] = math.Exp(dot / math.Sqrt(float64(m.Width)))
				sum += alpha[j]
			}
			for j := range l {
				for a := range Residues {
					for b := range Residues {
						v := alpha[j] / sum * float64(m.Value.Data[h*pairSize+a*Residues+b]) / 2
						w[(i*Residues+a)*width+j*Residues+b] += v
						w[(j*Residues+b)*width+i*Residues+a] += v
					}
				}
			}
		}
	}
	return w
}

func (m *Factored) plainLoss(f *Family, batch []int, lambda float64) float64 {
	l, width := m.Columns, m.Columns*Residues
	w := m.plainCouplings()
	loss, known := 0.0, 0
	for _, n := range batch {
		row := f.row(n)
		for j := range l {
			if row[j] >= Residues {
				continue
			}
			known++
			sum, at := 0.0, 0.0
			for b := range Residues {
				logit := float64(m.Field.Data[j*Residues+b])
				for i := range l {
					if row[i] < Residues {
						logit += w[(i*Residues+int(row[i]))*width+j*Residues+b]
					}
				}
				sum += math.Exp(logit)
				if b == int(row[j]) {
					at = logit
				}
			}
			loss += f.Weights[n] * (math.Log(sum) - at)
		}
	}
	size := float64(len(batch))
	share := size / float64(f.Sequences) * float64(known)
	for _, v := range w {
		loss += share * lambda * Residues / (2 * size) * v * v
	}
	for _, v := range m.Field.Data {
		loss += share * lambda / (size * float64(l)) * float64(v) * float64(v)
	}
	return loss / size
}

// TestFactoredGradient compares the loss with the formula, all gradients with
// difference quotients, and the bits on several numbers of cores.
func TestFactoredGradient(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	f := randomFamily(9, 11, r)
	m := NewFactored(11, 3, 5, r)
	for _, p := range nn.Params(m) {
		for i := range p.Data {
			p.Data[i] += float32(0.5 * r.NormFloat64())
		}
	}
	batch := []int{7, 2, 5, 0, 8}
	const lambda = 0.01
	var first [][]float32
	for _, cores := range []int{1, 2, 7} {
		loss := newFactoredWork(m, cores).gradient(f, batch, lambda)
		if want := m.plainLoss(f, batch, lambda); math.Abs(loss-want) > 1e-5*want {
			t.Fatalf("loss %v, want %v", loss, want)
		}
		var grads [][]float32
		for _, p := range nn.Params(m) {
			grads = append(grads, slices.Clone(p.Grad))
		}
		if first == nil {
			first = grads
		}
		for k := range grads {
			if !slices.Equal(grads[k], first[k]) {
				t.Errorf("parameter %d: other bits on %d cores", k, cores)
			}
		}
	}
	m.Visit("", func(name string, p *autograd.Var) {
		for range 40 {
			i := r.IntN(len(p.Data))
			const h = 1e-2
			old := p.Data[i]
			p.Data[i] = old + h
			up := m.plainLoss(f, batch, lambda)
			p.Data[i] = old - h
			down := m.plainLoss(f, batch, lambda)
			p.Data[i] = old
			want := (up - down) / (2 * h)
			if got := float64(p.Grad[i]); math.Abs(got-want) > 2e-4*(1+math.Abs(want)) {
				t.Errorf("%s[%d]: gradient %v, quotient %v", name, i, got, want)
			}
		}
	})
}

// TestFactoredScores compares scores and attention with the couplings.
func TestFactoredScores(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	m := NewFactored(7, 2, 3, r)
	w, width := m.plainCouplings(), 7*Residues
	s := m.Scores(2)
	for i := range 7 {
		for j := range 7 {
			sum := 0.0
			for a := range Residues {
				for b := range Residues {
					v := w[(i*Residues+a)*width+j*Residues+b]
					sum += v * v
				}
			}
			if math.Abs(s[i*7+j]-math.Sqrt(sum)) > 1e-5 {
				t.Errorf("%d, %d: score %v, want %v", i, j, s[i*7+j], math.Sqrt(sum))
			}
		}
	}
	a := m.Attention(1)
	for i := range 7 {
		sum := 0.0
		for j := range 7 {
			sum += float64(a[i*7+j])
		}
		if math.Abs(sum-1) > 1e-6 || a[i*7+i] != 0 {
			t.Errorf("row %d sums to %v, with %v for itself", i, sum, a[i*7+i])
		}
	}
}

// TestFactoredFindsPairs plants coupled pairs, two of them coupled alike.
func TestFactoredFindsPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	f := plantedFamily(400, r)
	m, err := FitFactored(context.Background(), f, FactoredConfig{Heads: 8, Width: 8, Rate: 0.02, Batch: 100, Steps: 150, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	checkPlanted(t, APC(m.Scores(2), f.Columns), f.Columns)
	for _, c := range []struct {
		config FactoredConfig
		want   string
	}{
		{FactoredConfig{Heads: -1}, "heads -1: want 1 to 4096"},
		{FactoredConfig{Rate: -1}, "rate -1: want a positive number"},
		{FactoredConfig{Lambda: -1}, "lambda -1: want a positive number"},
		{FactoredConfig{Batch: -1}, "batch -1: want 1 or more"},
		{FactoredConfig{Steps: -1}, "steps -1: want 1 or more"},
		{FactoredConfig{Width: -1}, "width -1: want 1 to 4096"},
	} {
		if _, err := FitFactored(context.Background(), f, c.config); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}
