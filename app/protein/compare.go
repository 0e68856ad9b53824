package protein

import (
	"fmt"
	"math"
	"math/rand/v2"

	"heed/metric"
)

// cuts are the k of P@L/k.
var cuts = [3]int{1, 2, 5} // never written to

// resamples is how many there are of an interval.
const resamples = 1000

// A Precision is one row of the table: a method in one range of separations.
type Precision struct {
	Method string
	Floor  bool
	Range  metric.Separation
	// At holds P@L, P@L/2 and P@L/5, with intervals over positions.
	At                       [3]metric.Interval
	Background               float64 // share of contacts among the pairs: a random order
	Pairs, Contacts, Unknown int
}

// A Difference is that of the long-range P@L of two methods, with an interval over
// the same resamples of positions.
type Difference struct {
	Method, From string
	metric.Interval
}

// A Comparison is scores against a structure.
type Comparison struct {
	Rows        []Precision
	Differences []Difference
}

// Compare measures the scores of a fit in all ranges, and the differences between
// models and between the first model and the floors. Intervals come from 1,000
// resamples of positions, drawn from the seed.
func Compare(f *Family, fit *Fit, t *Truth, seed uint64) (*Comparison, error) {
	l := len(f.Query)
	out := &Comparison{}
	var long []*metric.ContactRanking
	for _, s := range metric.Separations() {
		for _, x := range fit.Scores {
			// Pairs of columns that were left out rank last.
			r, err := metric.RankContacts(f.spread(x.APC, math.Inf(-1)), t.Touch, l, s)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", x.Method, err)
			}
			p := Precision{Method: x.Method, Floor: x.Floor, Range: s, Background: r.Background(), Pairs: r.Pairs, Contacts: r.Contacts, Unknown: r.Unknown}
			for k, cut := range cuts {
				p.At[k] = metric.Bootstrap(positions(seed), l, resamples, func(idx []int) float64 { return r.ResampledPrecision(idx, cut) })
			}
			out.Rows = append(out.Rows, p)
			if s.Name == "long" {
				long = append(long, r)
			}
		}
	}
	for i, a := range fit.Scores {
		for j := i + 1; j < len(fit.Scores); j++ {
			if a.Floor {
				continue
			}
			iv := metric.Bootstrap(positions(seed), l, resamples, func(idx []int) float64 {
				return long[i].ResampledPrecision(idx, 1) - long[j].ResampledPrecision(idx, 1)
			})
			out.Differences = append(out.Differences, Difference{a.Method, fit.Scores[j].Method, iv})
		}
	}
	return out, nil
}

func positions(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x706f7369)) } // "posi"

// Row returns the row of a method and range, or nil.
func (c *Comparison) Row(method, separation string) *Precision {
	for i := range c.Rows {
		if c.Rows[i].Method == method && c.Rows[i].Range.Name == separation {
			return &c.Rows[i]
		}
	}
	return nil
}
