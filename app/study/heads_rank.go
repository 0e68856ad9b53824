package study

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"heed/autograd"
	"heed/metric"
	"heed/optim"
)

// A rankStudy fits maps of attention with heads of different widths.
type rankStudy struct {
	tokens int
	widths []int
	kinds  []string
	errors [][][]float64 // (kinds, widths, seeds)
}

// bottleneck asks which maps of attention a head of width d can make at all, if
// queries and keys may be anything (Bhojanapalli et al. 2020): softmax(Q·Kᵀ) with
// Q and K (L, d) is fitted to random maps and to permutations.
func (l *Lab) bottleneck(ctx context.Context) (*rankStudy, error) {
	s := &rankStudy{tokens: l.pick(32, 16), widths: []int{1, 2, 4, 8, 16, 32}, kinds: []string{"random, soft", "permutation, sharp"}}
	if l.Tiny {
		s.widths = []int{2, 4, 16}
	}
	s.errors = make([][][]float64, len(s.kinds))
	for k := range s.errors {
		s.errors[k] = make([][]float64, len(s.widths))
		for w := range s.errors[k] {
			s.errors[k][w] = make([]float64, l.Seeds)
		}
	}
	n := len(s.kinds) * len(s.widths)
	return s, l.each(n*l.Seeds, func(i int) error {
		kind, w, seed := i%n/len(s.widths), i%len(s.widths), i/n
		r := rand.New(rand.NewPCG(l.Seed+uint64(seed), 5))
		target := softMap(s.tokens, r)
		if kind == 1 {
			target = permutationMap(s.tokens, r)
		}
		s.errors[kind][w][seed] = fitMap(target, s.tokens, s.widths[w], l.pick(3000, 600), r)
		return ctx.Err()
	})
}

// softMap returns softmax of scores of standard deviation 2, row by row (n, n).
func softMap(n int, r *rand.Rand) []float32 {
	var out []float32
	for range n {
		row := make([]float32, n)
		for j := range row {
			row[j] = float32(2 * r.NormFloat64())
		}
		out = append(out, autograd.Softmax(row)...)
	}
	return out
}

// permutationMap returns a map in which each token reads one other (n, n).
func permutationMap(n int, r *rand.Rand) []float32 {
	out := make([]float32, n*n)
	for i, j := range r.Perm(n) {
		out[i*n+j] = 1
	}
	return out
}

// fitMap fits softmax(Q·Kᵀ) to a map (n, n) by its cross-entropy and returns the
// mean total variation of the rows: the weight that is in the wrong place, 0 to 1.
func fitMap(target []float32, n, width, steps int, r *rand.Rand) float64 {
	q, k := autograd.Param(n, width), autograd.Param(width, n)
	for _, p := range []*autograd.Var{q, k} {
		for i := range p.Data {
			p.Data[i] = float32(r.NormFloat64() / math.Pow(float64(width), 0.25))
		}
	}
	params := []*autograd.Var{q, k}
	var opt optim.AdamW
	t := &autograd.Tape{}
	grad := make([]float32, n*n)
	wrong := 0.0
	for step := range steps {
		t.Reset()
		scores := autograd.MatMul(t, q, k)
		wrong = 0
		for i := range n {
			for j, p := range autograd.Softmax(scores.Data[i*n : (i+1)*n]) {
				grad[i*n+j] = p - target[i*n+j]
				wrong += math.Abs(float64(grad[i*n+j])) / float64(2*n)
			}
		}
		t.BackwardFrom(scores, grad)
		autograd.Gather(params, t)
		opt.Update(params, optim.WarmupCosine(step, steps/20, steps, 0.1, 0.01), 1)
	}
	return wrong
}

// add writes the table and the checks.
func (s *rankStudy) add(f *Finding) {
	t := Table{
		Title:   fmt.Sprintf("Weight in the wrong place when one head of width d imitates a map of %d tokens, %d seeds", s.tokens, len(s.errors[0][0])),
		Columns: []string{"map"},
		Notes: []string{"Queries and keys are free numbers, not made from tokens: what cannot be fitted here cannot be made from any tokens. Weight in the wrong place: total variation, mean of the rows, from 0 to 1.",
			"A model of width 64 with 1, 4 or 16 heads has heads of width 64, 16 or 4."},
	}
	for _, w := range s.widths {
		t.Columns = append(t.Columns, fmt.Sprintf("d = %d", w))
	}
	for k, kind := range s.kinds {
		row := []string{kind}
		for w := range s.widths {
			row = append(row, interval(overSeeds(s.errors[k][w])))
		}
		t.Rows = append(t.Rows, row)
	}
	f.Tables = append(f.Tables, t)
	last := len(s.widths) - 1
	narrow := last - 1
	for s.widths[narrow] > s.tokens/4 {
		narrow--
	}
	f.Checks = append(f.Checks,
		Check{Name: fmt.Sprintf("bottleneck: a soft map by a head of width %d, weight in the wrong place", s.widths[narrow]), Value: overSeeds(s.errors[0][narrow]), Bound: 0.1},
		Check{Name: fmt.Sprintf("control: a permutation by the same head of width %d", s.widths[narrow]), Value: overSeeds(s.errors[1][narrow]), Bound: 0.05, Upper: true},
		Check{Name: fmt.Sprintf("control: the soft map by a head of width %d", s.widths[last]), Value: overSeeds(s.errors[0][last]), Bound: 0.05, Upper: true})
}

func (s *rankStudy) words() string {
	at := func(kind, width int) metric.Interval {
		for w, v := range s.widths {
			if v == width {
				return overSeeds(s.errors[kind][w])
			}
		}
		return metric.Interval{}
	}
	return fmt.Sprintf("More heads make each narrower, which has a price of its own: a head of width 4 imitates a random soft map of %d tokens with %.0f %% of the weight in the wrong place, where it makes a sharp permutation with %.0f %%.",
		s.tokens, 100*at(0, 4).Estimate, 100*at(1, 4).Estimate)
}
