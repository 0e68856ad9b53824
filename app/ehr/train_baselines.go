package ehr

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"heed/internal/par"
	"heed/model/baseline"
)

// A floor is a simple model that every score is compared with.
type floor struct {
	name     string
	features func(codes []string, c *Case) []float32
}

// floors, from the least to the most that they know.
func floors() []floor {
	return []floor{
		{"record length", recordLength},
		{"bag of codes", bagOfCodes},
		{windowsFloor, windowFeatures},
	}
}

const windowsFloor = "logistic on windows"

// recordLength knows how much was written down, and nothing of what.
func recordLength(_ []string, c *Case) []float32 {
	distinct := map[string]bool{}
	first := 0.0
	for _, h := range c.Happenings {
		distinct[h.Code] = true
		first = max(first, h.Days)
	}
	return []float32{float32(math.Log1p(float64(len(c.Happenings)))), float32(math.Log1p(float64(len(distinct)))), float32(math.Log1p(first))}
}

// bagOfCodes knows how often each code happened, not when and not with what
// value.
func bagOfCodes(codes []string, c *Case) []float32 {
	count := map[string]float64{}
	for _, h := range c.Happenings {
		count[h.Code]++
	}
	x := make([]float32, len(codes))
	for i, code := range codes {
		x[i] = float32(math.Log1p(count[code]))
	}
	return x
}

// featureWindows are those of windowFeatures in hours before the prediction; 0 is
// the whole history.
var featureWindows = []float64{0, 24}

// perWindow is the number of features of a code in a window: log count, whether
// it has a value, and mean, minimum, maximum, first, last, deviation, slope.
const perWindow = 9

// windowFeatures knows statistics of each code over the whole history and over
// the last day.
func windowFeatures(codes []string, c *Case) []float32 {
	at := make(map[string]int, len(codes))
	for i, code := range codes {
		at[code] = i
	}
	x := make([]float32, len(featureWindows)*len(codes)*perWindow)
	for i := range x {
		if i%perWindow > 1 {
			x[i] = float32(math.NaN())
		}
	}
	for w, hours := range featureWindows {
		for _, s := range summaries(c.Happenings, hours) {
			i, known := at[s.code]
			if !known || s.window != 0 {
				continue
			}
			f := x[(w*len(codes)+i)*perWindow:][:perWindow]
			v := s.statistics()
			f[0] = v[6]
			if s.values > 0 {
				f[1] = 1
				for k, from := range []int{0, 1, 2, 3, 4, 5, 7} {
					f[2+k] = v[from]
				}
			}
		}
	}
	return x
}

// knownCodes returns the codes that occur in at least minCount of some cases, in
// the order of their first appearance.
func knownCodes(cases []Case, idx []int, minCount int) []string {
	count, last := map[string]int{}, map[string]int{}
	var order []string
	for n, i := range idx {
		for _, h := range cases[i].Happenings {
			if l, seen := last[h.Code]; seen && l == n {
				continue
			} else if !seen {
				order = append(order, h.Code)
			}
			last[h.Code] = n
			count[h.Code]++
		}
	}
	var codes []string
	for _, code := range order {
		if count[code] >= minCount {
			codes = append(codes, code)
		}
	}
	return codes
}

// A scored is what a floor says about a part, after calibration on the tuning
// part.
type scored struct {
	name      string
	p         []float64
	threshold float64
}

// runFloors fits every floor on the training part, chooses its strength,
// temperature and threshold on the tuning part, and applies it to testIdx.
func (f *Fitted) runFloors(ctx context.Context, p *fitPart, testIdx []int) ([]scored, error) {
	out, err := f.tableFloors(p, testIdx)
	if err != nil {
		return nil, err
	}
	codes := knownCodes(p.cases, p.train, f.Config.MinCount)
	for _, kind := range []string{"LSTM", "GRU-D"} {
		tune, test, err := f.recurrent(ctx, kind, codes, p, testIdx)
		if err != nil {
			return nil, err
		}
		s, err := f.scored(kind, p, tune, test)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// scored calibrates a floor as the transformer is: by its logits on the tuning part.
func (f *Fitted) scored(name string, p *fitPart, tune, test []float64) (scored, error) {
	g := &Fitted{Config: f.Config}
	err := g.calibrate(tune, positives(p.cases, p.tune))
	return scored{name: name, p: g.probabilities(test), threshold: g.Threshold}, err
}

// tableFloors fits those that need no epochs.
func (f *Fitted) tableFloors(p *fitPart, testIdx []int) ([]scored, error) {
	codes := knownCodes(p.cases, p.train, f.Config.MinCount)
	positive, tunePositive := positives(p.cases, p.train), positives(p.cases, p.tune)
	var out []scored
	add := func(name string, tune, test []float64) error {
		s, err := f.scored(name, p, tune, test)
		out = append(out, s)
		return err
	}
	for _, fl := range floors() {
		rows := func(idx []int) [][]float32 {
			x := make([][]float32, len(idx))
			par.Do(len(idx), f.cores(), func(_, i int) { x[i] = fl.features(codes, &p.cases[idx[i]]) })
			return x
		}
		x, tune, test := rows(p.train), rows(p.tune), rows(testIdx)
		clip(x, tune, test)
		m, err := baseline.FitTableLogisticTuned(x, positive, tune, tunePositive)
		if err != nil {
			return nil, err
		}
		if err := add(fl.name, logOdds(m.Predict(tune)), logOdds(m.Predict(test))); err != nil {
			return nil, err
		}
		if fl.name != windowsFloor {
			continue
		}
		b, err := baseline.FitBoost(x, positive, baseline.BoostConfig{Rounds: 600, Valid: tune, ValidY: tunePositive}, rand.New(rand.NewPCG(f.Config.Train.Seed, streamBoost)))
		if err != nil {
			return nil, err
		}
		if err := add("boosted trees on windows", logOdds(b.Predict(tune)), logOdds(b.Predict(test))); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// streamBoost keeps apart what the trees draw.
const streamBoost = 0x7472656573 // "trees"

// clip limits every feature of all parts to what lies between the first and the
// last half percent of the training rows: a typing error must not outweigh the rest.
func clip(train [][]float32, others ...[][]float32) {
	var values []float32
	for j := range train[0] {
		values = values[:0]
		for _, row := range train {
			if v := row[j]; v == v {
				values = append(values, v)
			}
		}
		if len(values) == 0 {
			continue
		}
		slices.Sort(values)
		low, high := values[len(values)/200], values[len(values)-1-len(values)/200]
		for _, rows := range append(others, train) {
			for _, row := range rows {
				if v := row[j]; v == v {
					row[j] = max(low, min(high, v))
				}
			}
		}
	}
}

// logOdds turns probabilities into logits.
func logOdds(p []float64) []float64 {
	z := make([]float64, len(p))
	for i, x := range p {
		x = min(max(x, 1e-9), 1-1e-9)
		z[i] = math.Log(x / (1 - x))
	}
	return z
}
