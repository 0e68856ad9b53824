package protein

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"heed/metric"
	"heed/model/esm"
	"heed/optim"
)

// headExample is one protein of which a contact head learns.
type headExample struct {
	Evaluated
	protein Protein
}

// headFeatures are what the regression sees: for some pairs of positions of all
// proteins, the corrected maps of all heads.
type headFeatures struct {
	x       [][]float32 // (channels, pairs)
	contact []bool      // (pairs)
	weight  []float64   // (pairs) 1 over the share of such pairs that were kept
	protein []int       // (pairs)
	at      [][2]int    // (pairs) i < j
}

// choosePairs takes all pairs at a separation of nearest or more whose truth is
// known, or, where they are more than most, all contacts and a random part of the
// others, which weigh more accordingly.
func choosePairs(list []headExample, most int, seed uint64) (*headFeatures, error) {
	contacts, others := 0, 0
	each := func(f func(protein, i, j int, contact bool)) {
		for p, e := range list {
			for i := range e.Length {
				for j := i + nearest; j < e.Length; j++ {
					if t := e.Truth.Touch[i*e.Length+j]; t != metric.Unknown {
						f(p, i, j, t == metric.Contact)
					}
				}
			}
		}
	}
	each(func(_, _, _ int, contact bool) {
		if contact {
			contacts++
		} else {
			others++
		}
	})
	if contacts == 0 || others == 0 {
		return nil, fmt.Errorf("%d contacts and %d other pairs at a separation of %d or more: nothing to learn from", contacts, others, nearest)
	}
	if most < 2*contacts && most < contacts+others {
		return nil, fmt.Errorf("%d contacts among %d pairs do not fit into the memory: there is room for %d pairs", contacts, contacts+others, most)
	}
	share := min(1, float64(most-contacts)/float64(others))
	r := rand.New(rand.NewPCG(seed, 0x6865616473)) // "heads"
	f := &headFeatures{}
	each(func(p, i, j int, contact bool) {
		w := 1.0
		if !contact && share < 1 {
			if r.Float64() >= share {
				return
			}
			w = 1 / share
		}
		f.contact, f.weight, f.protein, f.at = append(f.contact, contact), append(f.weight, w), append(f.protein, p), append(f.at, [2]int{i, j})
	})
	return f, nil
}

// fill computes the features protein by protein and head by head: besides the
// values that are kept, one map exists at a time.
func (f *headFeatures) fill(ctx context.Context, m *encoderModel, list []headExample, w esm.Work, see func(done, of int)) error {
	layers, heads := m.file.heads()
	for range layers * heads {
		f.x = append(f.x, make([]float32, len(f.at)))
	}
	first := 0
	for p, e := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		last := first
		for last < len(f.at) && f.protein[last] == p {
			last++
		}
		m.maps(e.protein, w, func(layer, head int, a []float32) {
			esm.Correct(a, e.Length)
			x := f.x[layer*heads+head]
			for k := first; k < last; k++ {
				x[k] = a[f.at[k][0]*e.Length+f.at[k][1]]
			}
		})
		first = last
		see(p+1, len(list))
	}
	return nil
}

// headWeights is a fitted contact head.
type headWeights struct {
	Weight []float64
	Bias   float64
}

// fit fits a head to the pairs of the proteins that keep admits.
func (f *headFeatures) fit(ctx context.Context, cost float64, cores int, keep func(protein int) bool) (*headWeights, error) {
	s := make([]float64, len(f.weight))
	for i, w := range f.weight {
		if keep(f.protein[i]) {
			s[i] = w
		}
	}
	w, b, err := optim.Lasso{Cost: cost, Cores: cores}.Fit(ctx, f.x, f.contact, s)
	if err != nil {
		return nil, err
	}
	return &headWeights{w, b}, nil
}

// used is how many heads have a weight.
func (h *headWeights) used() int {
	n := 0
	for _, w := range h.Weight {
		if w != 0 {
			n++
		}
	}
	return n
}

// set puts a head into a model.
func (m *encoderModel) set(h *headWeights) {
	c := esm.NewContactHead(len(h.Weight))
	for i, w := range h.Weight {
		c.Weight.Data[i] = float32(w)
	}
	c.Bias.Data[0] = float32(h.Bias)
	if m.alignment != nil {
		m.alignment.Contact, m.alignment.Config.Contacts = c, true
	} else {
		m.sequence.Contact, m.sequence.Config.Contacts = c, true
	}
}

// crossValidate fits a head to all folds but one and predicts the proteins of that
// one, in turn: what a head is worth on proteins that it has not seen.
func (f *headFeatures) crossValidate(ctx context.Context, m *encoderModel, list []headExample, folds int, cost float64, w esm.Work, tell io.Writer) ([]Evaluated, error) {
	out := make([]Evaluated, len(list))
	for fold := range folds {
		h, err := f.fit(ctx, cost, w.Cores, func(p int) bool { return p%folds != fold })
		if err != nil {
			return nil, fmt.Errorf("fold %d of %d: %w", fold+1, folds, err)
		}
		m.set(h)
		for p := fold; p < len(list); p += folds {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			x, err := m.contacts(list[p].protein, w)
			if err != nil {
				return nil, err
			}
			out[p] = list[p].Evaluated
			out[p].Scores = make([]float64, len(x.Data))
			for i, v := range x.Data {
				out[p].Scores[i] = float64(v)
			}
		}
		fmt.Fprintf(tell, "fold %d of %d: %d of %d heads used\n", fold+1, folds, h.used(), len(h.Weight))
	}
	return out, nil
}

// pairsThatFit is how many pairs of all heads fit into a number of bytes.
func pairsThatFit(bytes int64, channels int) int {
	return int(min(math.MaxInt32, bytes/int64(pairBytes(channels))))
}

// pairBytes is what a pair takes: its features, and the work of the regression.
func pairBytes(channels int) int { return 4*channels + 1 + 8 + 8 + 16 + 5*8 }
