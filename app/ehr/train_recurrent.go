package ehr

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"

	"heed/autograd"
	"heed/internal/par"
	"heed/nn"
	"heed/train"
)

// Recurrent floors read a grid: one row for every hour in which something
// happened, one column for each of the most frequent codes.
const (
	gridCodes    = 128
	gridRows     = 512 // the most recent ones
	gridWidth    = 64  // of the state
	gridDropout  = 0.3
	streamGrid   = 0x67726964 // "grid"
	gridInterval = 24         // rows a day
)

// A grid is one case.
type grid struct {
	values, mask []float32 // (T, D): standardised value and 1 where the code happened
	times        []float32 // (T) days
}

// gridScale standardises the values of a code.
type gridScale struct {
	codes    map[string]int
	mean, sd []float32
}

// newGridScale learns means and deviations from training cases. codes are in the
// order of their first appearance; the most frequent are kept.
func newGridScale(codes []string, cases []Case, idx []int) *gridScale {
	count, values := map[string]int{}, map[string][]float64{}
	for _, i := range idx {
		for _, h := range cases[i].Happenings {
			count[h.Code]++
			if h.Value == h.Value {
				values[h.Code] = append(values[h.Code], float64(h.Value))
			}
		}
	}
	s := &gridScale{codes: map[string]int{}}
	codes = slices.Clone(codes)
	slices.SortStableFunc(codes, func(a, b string) int { return cmp.Compare(count[b], count[a]) })
	for _, code := range codes[:min(len(codes), gridCodes)] {
		mean, sd := 0.0, 1.0
		if v := values[code]; len(v) > 0 { // without the first and the last percent
			slices.Sort(v)
			v = v[len(v)/100 : len(v)-len(v)/100]
			if mean, sd = stat.MeanStdDev(v, nil); !(sd > 1e-6) {
				sd = 1
			}
		}
		s.codes[code] = len(s.mean)
		s.mean, s.sd = append(s.mean, float32(mean)), append(s.sd, float32(sd))
	}
	return s
}

func (s *gridScale) grid(c *Case) grid {
	d := len(s.mean)
	var g grid
	row := -1
	for _, h := range c.Happenings { // the oldest first
		at := int(h.Days * gridInterval)
		if n := len(g.times); n == 0 || row != at {
			row = at
			g.times = append(g.times, -float32(at)/gridInterval)
			g.values, g.mask = append(g.values, make([]float32, d)...), append(g.mask, make([]float32, d)...)
		}
		j, known := s.codes[h.Code]
		if !known {
			continue
		}
		k := (len(g.times)-1)*d + j
		g.mask[k] = 1
		if h.Value == h.Value { // the last of the hour
			g.values[k] = max(-5, min(5, (h.Value-s.mean[j])/s.sd[j]))
		}
	}
	if cut := len(g.times) - gridRows; cut > 0 {
		g.times, g.values, g.mask = g.times[cut:], g.values[cut*d:], g.mask[cut*d:]
	}
	return g
}

// A reader is an LSTM over the last values, the mask and the gaps, or a GRU-D.
type reader struct {
	lstm *nn.LSTM
	grud *nn.GRUD
	out  *nn.Linear
}

func newReader(kind string, codes int, r *rand.Rand) *reader {
	m := &reader{out: nn.NewLinear(gridWidth, 1, r)}
	if kind == "LSTM" {
		m.lstm = nn.NewLSTM(3*codes, gridWidth, r)
		m.lstm.Remember(1)
	} else {
		m.grud = nn.NewGRUD(codes, gridWidth, nil, r)
	}
	return m
}

// Visit names the parameters.
func (m *reader) Visit(prefix string, f nn.Visitor) {
	if m.lstm != nil {
		m.lstm.Visit(nn.Join(prefix, "lstm"), f)
	} else {
		m.grud.Visit(nn.Join(prefix, "grud"), f)
	}
	m.out.Visit(nn.Join(prefix, "out"), f)
}

// logits returns those of some grids, (S, 1).
func (m *reader) logits(t *autograd.Tape, d int, some []*grid) *autograd.Var {
	var lengths []int
	var last []int32
	var values, mask, times []float32
	for _, g := range some {
		lengths = append(lengths, len(g.times))
		values, mask, times = append(values, g.values...), append(mask, g.mask...), append(times, g.times...)
		last = append(last, int32(len(times)-1))
	}
	segments := autograd.Packed(lengths...)
	gaps := nn.Gaps(times, mask, segments)
	n := len(times)
	var h *autograd.Var
	if m.lstm != nil {
		carryForward(values, mask, d, segments)
		x := autograd.Concat(t, autograd.Input(values, n, d), autograd.Input(mask, n, d), autograd.Input(gaps, n, d))
		h = m.lstm.Forward(t, x, segments)
	} else {
		h = m.grud.Forward(t, autograd.Input(values, n, d), autograd.Input(mask, n, d), autograd.Input(gaps, n, d), segments)
	}
	return m.out.Forward(t, autograd.Dropout(t, autograd.Rows(t, h, last), gridDropout))
}

// carryForward puts the last value in the place of what was not observed.
func carryForward(values, mask []float32, d int, segments []autograd.Segment) {
	for _, s := range segments {
		for i := s.Start + 1; i < s.Start+s.Count; i++ {
			for j := range d {
				if mask[i*d+j] == 0 {
					values[i*d+j] = values[(i-1)*d+j]
				}
			}
		}
	}
}

// recurrent fits an LSTM or a GRU-D as the transformer is fitted and returns its
// logits on the tuning and the test part.
func (f *Fitted) recurrent(ctx context.Context, kind string, codes []string, p *fitPart, testIdx []int) (tune, test []float64, err error) {
	scale := newGridScale(codes, p.cases, p.train)
	d := len(scale.mean)
	grids := func(idx []int) []grid {
		gs := make([]grid, len(idx))
		par.Do(len(idx), f.cores(), func(_, i int) { gs[i] = scale.grid(&p.cases[idx[i]]) })
		return gs
	}
	trainGrids, tuneGrids := grids(p.train), grids(p.tune)
	lengths := make([]int, len(trainGrids))
	for i := range lengths {
		lengths[i] = len(trainGrids[i].times)
	}
	m := newReader(kind, d, rand.New(rand.NewPCG(f.Config.Train.Seed, streamGrid)))
	predict := func(gs []grid) []float64 {
		const pack = 16
		out := make([]float64, len(gs))
		tapes := make([]autograd.Tape, f.cores())
		par.Do((len(gs)+pack-1)/pack, f.cores(), func(worker, i int) {
			t := &tapes[worker]
			t.NoGrad = true
			t.Reset()
			var some []*grid
			for j := i * pack; j < min((i+1)*pack, len(gs)); j++ {
				some = append(some, &gs[j])
			}
			for j, z := range m.logits(t, d, some).Data {
				out[i*pack+j] = float64(z)
			}
		})
		return out
	}
	run, err := train.New(f.Config.Train, train.Problem{
		Model: m, Lengths: lengths,
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			some, targets := make([]*grid, len(examples)), make([]float32, len(examples))
			for i, e := range examples {
				some[i] = &trainGrids[e]
				if p.cases[p.train[e]].Positive {
					targets[i] = 1
				}
			}
			return autograd.BinaryCrossEntropy(t, m.logits(t, d, some), targets, norm)
		},
	})
	if err != nil {
		return nil, nil, err
	}
	if err := f.follow(ctx, run, m, p, func() []float64 { return predict(tuneGrids) }, func(Progress) {}); err != nil {
		return nil, nil, err
	}
	return predict(tuneGrids), predict(grids(testIdx)), nil
}
