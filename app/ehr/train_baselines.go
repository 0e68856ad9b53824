package ehr

import (
	"math"

	"heed/metric"
	"heed/model/baseline"
)

// A floor is a simple model that every score is compared with.
type floor struct {
	name     string
	features func(codes []string, c *Case) []float64
}

// floors, from the least to the most that they know.
func floors() []floor {
	return []floor{
		{"record length", recordLength},
		{"bag of codes", bagOfCodes},
		{"logistic on windows", windowFeatures},
	}
}

// recordLength knows how much was written down, and nothing of what.
func recordLength(_ []string, c *Case) []float64 {
	distinct := map[string]bool{}
	first := 0.0
	for _, h := range c.Happenings {
		distinct[h.Code] = true
		first = max(first, h.Days)
	}
	return []float64{math.Log1p(float64(len(c.Happenings))), math.Log1p(float64(len(distinct))), math.Log1p(first)}
}

// bagOfCodes knows how often each code happened, not when and not with what
// value.
func bagOfCodes(codes []string, c *Case) []float64 {
	count := map[string]float64{}
	for _, h := range c.Happenings {
		count[h.Code]++
	}
	x := make([]float64, len(codes))
	for i, code := range codes {
		x[i] = math.Log1p(count[code])
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
func windowFeatures(codes []string, c *Case) []float64 {
	at := make(map[string]int, len(codes))
	for i, code := range codes {
		at[code] = i
	}
	x := make([]float64, len(featureWindows)*len(codes)*perWindow)
	for i := range x {
		if i%perWindow > 1 {
			x[i] = math.NaN()
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
			f[0] = float64(v[6])
			if s.values > 0 {
				f[1] = 1
				for k, from := range []int{0, 1, 2, 3, 4, 5, 7} {
					f[2+k] = float64(v[from])
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

// runFloors fits every floor on trainIdx, chooses its penalty, temperature and
// threshold on tuneIdx, and applies it to testIdx.
func runFloors(cases []Case, trainIdx, tuneIdx, testIdx []int, minCount int) ([]scored, error) {
	codes := knownCodes(cases, trainIdx, minCount)
	var out []scored
	for _, f := range floors() {
		rows := func(idx []int) [][]float64 {
			x := make([][]float64, len(idx))
			for i, j := range idx {
				x[i] = f.features(codes, &cases[j])
			}
			return x
		}
		tune, positive := rows(tuneIdx), positives(cases, tuneIdx)
		m, err := baseline.FitRows(rows(trainIdx), positives(cases, trainIdx), tune, positive)
		if err != nil {
			return nil, err
		}
		s, err := calibrate(f.name, m.Logits(tune), positive, m.Logits(rows(testIdx)))
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// calibrate turns logits into probabilities by the temperature of the tuning part,
// which also gives the threshold.
func calibrate(name string, tuneLogits []float64, tunePositive []bool, logits []float64) (scored, error) {
	f := &Fitted{Temperature: metric.Temperature(tuneLogits, tunePositive)}
	b, err := metric.NewBinary(f.probabilities(tuneLogits), tunePositive)
	if err != nil {
		return scored{}, err
	}
	s := scored{name: name, p: f.probabilities(logits), threshold: b.ThresholdAt(alertSpecificity)}
	if math.IsNaN(s.threshold) {
		s.threshold = 0.5
	}
	return s, nil
}
