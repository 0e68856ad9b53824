package timeline

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
)

// Special tokens, which every vocabulary begins with.
const (
	ClsToken int32 = iota
	MaskToken
	UnknownToken
	firstInterval // of len(intervals) interval tokens
)

// intervals are the upper ends of the interval tokens, in days; the last one is
// anything longer.
var intervals = [...]float64{15. / 1440, 1. / 24, 2. / 24, 6. / 24, 12. / 24, 1, 3, 7, 14, 30, 90, 180, 365, math.Inf(1)}

const firstCode = firstInterval + int32(len(intervals))

// A Vocabulary knows the codes that a model has seen and what values they take.
// It is learned from training sequences alone (see [Learn]) and stored in
// checkpoints.
type Vocabulary struct {
	Codes []string `json:"codes"` // in the order of their ids, after the special tokens
	// Channels is the number of values of a token: 1 for events as they come, more
	// where a token sums up several events of one code.
	Channels int `json:"channels"`
	// Knots are quantiles of the values, for each code and channel, ascending and
	// distinct; empty where a code has no values.
	Knots [][]float32 `json:"knots"` // (codes·Channels) lists
	Mean  []float32   `json:"mean"`  // (codes·Channels)
	SD    []float32   `json:"sd"`    // (codes·Channels), 1 where it is not known

	ids    map[string]int32
	starts []int // of the rows of each code and channel, for "knots" and "bins"
}

// An Event is a token before it has an id. Values has one element for each
// channel, NaN where there is none; nil stands for none at all.
type Event struct {
	Code   string
	Values []float32
	Time   float64 // days before the prediction, 0 or more
	Visit  int32   // 0 for none, else counted from 1
}

// Learn makes a vocabulary of the codes that occur in at least minCount of the
// sequences, most frequent first, with up to knots quantiles of each value. The
// sequences must be those of the training part alone.
func Learn(sequences func(yield func([]Event) bool), channels, minCount, knots int) (*Vocabulary, error) {
	if channels < 1 || knots < 2 {
		return nil, fmt.Errorf("timeline: %d channels, %d knots", channels, knots)
	}
	type stats struct {
		count, last int
		values      [][]float32
	}
	seen := map[string]*stats{}
	n := 0
	for events := range sequences {
		n++
		for _, e := range events {
			s := seen[e.Code]
			if s == nil {
				s = &stats{values: make([][]float32, channels)}
				seen[e.Code] = s
			}
			if s.last != n {
				s.last = n
				s.count++
			}
			if e.Values != nil && len(e.Values) != channels {
				return nil, fmt.Errorf("timeline: %d values of a token, want %d", len(e.Values), channels)
			}
			for c, v := range e.Values {
				if finite(v) {
					s.values[c] = append(s.values[c], v)
				}
			}
		}
	}
	v := &Vocabulary{Channels: channels}
	for code, s := range seen {
		if s.count >= minCount {
			v.Codes = append(v.Codes, code)
		}
	}
	slices.SortFunc(v.Codes, func(a, b string) int {
		return cmp.Or(cmp.Compare(seen[b].count, seen[a].count), cmp.Compare(a, b))
	})
	for _, code := range v.Codes {
		for _, values := range seen[code].values {
			slices.Sort(values)
			mean, sd := moments(values)
			v.Knots = append(v.Knots, quantiles(values, knots))
			v.Mean, v.SD = append(v.Mean, mean), append(v.SD, sd)
		}
	}
	return v, v.Prepare()
}

func finite(v float32) bool { return v-v == 0 }

// moments returns mean and standard deviation of sorted values between the
// first and the last percent: one typing error must not set the scale.
func moments(values []float32) (mean, sd float32) {
	if n := len(values); n > 0 {
		cut := n / 100
		values = values[cut : n-cut]
	}
	var sum, squares float64
	for _, v := range values {
		sum += float64(v)
	}
	n := float64(max(1, len(values)))
	for _, v := range values {
		squares += (float64(v) - sum/n) * (float64(v) - sum/n)
	}
	mean, sd = float32(sum/n), float32(math.Sqrt(squares/n))
	if !(sd > 1e-6) {
		sd = 1
	}
	return mean, sd
}

// quantiles returns up to n distinct quantiles of sorted values, from the 1st to
// the 99th percentile.
func quantiles(values []float32, n int) []float32 {
	if len(values) == 0 {
		return nil
	}
	var q []float32
	for i := range n {
		p := 0.01 + 0.98*float64(i)/float64(n-1)
		if x := values[int(p*float64(len(values)-1)+0.5)]; len(q) == 0 || x > q[len(q)-1] {
			q = append(q, x)
		}
	}
	return q
}

// maxCodes is far above any vocabulary of a hospital's codes.
const maxCodes = 1 << 20

// Prepare checks a vocabulary that was read from a file and builds what look-ups
// need. [Learn] has called it.
func (v *Vocabulary) Prepare() error {
	pairs := len(v.Codes) * v.Channels
	switch {
	case len(v.Codes) == 0:
		return errors.New("timeline: no codes")
	case len(v.Codes) > maxCodes || v.Channels < 1 || v.Channels > 64:
		return fmt.Errorf("timeline: %d codes with %d channels", len(v.Codes), v.Channels)
	case len(v.Knots) != pairs || len(v.Mean) != pairs || len(v.SD) != pairs:
		return fmt.Errorf("timeline: knots, means and deviations of %d, %d and %d values, want %d", len(v.Knots), len(v.Mean), len(v.SD), pairs)
	}
	v.ids = make(map[string]int32, len(v.Codes))
	for i, code := range v.Codes {
		if _, twice := v.ids[code]; twice {
			return fmt.Errorf("timeline: code %q occurs twice", code)
		}
		v.ids[code] = firstCode + int32(i)
	}
	v.starts = make([]int, pairs+1)
	for i, knots := range v.Knots {
		if !finite(v.Mean[i]) || !(v.SD[i] > 0) || !finite(v.SD[i]) {
			return fmt.Errorf("timeline: value %d has mean %v and deviation %v", i, v.Mean[i], v.SD[i])
		}
		for j := range knots {
			if !finite(knots[j]) || j > 0 && !(knots[j] > knots[j-1]) {
				return fmt.Errorf("timeline: the knots of value %d do not ascend", i)
			}
		}
		v.starts[i+1] = v.starts[i] + len(knots)
	}
	return nil
}

// Size returns the number of token ids: special tokens, interval tokens, codes.
func (v *Vocabulary) Size() int { return int(firstCode) + len(v.Codes) }

// ID returns the id of a code, and [UNK] for a code that was not learned.
func (v *Vocabulary) ID(code string) int32 {
	if id, ok := v.ids[code]; ok {
		return id
	}
	return UnknownToken
}

// Name returns how a report writes a token.
func (v *Vocabulary) Name(id int32) string {
	switch {
	case id == ClsToken:
		return "[CLS]"
	case id == MaskToken:
		return "[MASK]"
	case id == UnknownToken:
		return "[UNK]"
	case id < firstCode:
		if i := int(id - firstInterval); !math.IsInf(intervals[i], 1) {
			return fmt.Sprintf("[<=%.3g d]", intervals[i])
		}
		return fmt.Sprintf("[>%.3g d]", intervals[len(intervals)-2])
	}
	return v.Codes[id-firstCode]
}

// valueRows returns the rows of the table of values.
func (v *Vocabulary) valueRows(kind string) int {
	if kind == "linear" {
		return len(v.Codes) * v.Channels
	}
	return max(1, v.starts[len(v.starts)-1])
}

// A Sequence is one patient up to a prediction, as ids. Times are days before
// the prediction.
type Sequence struct {
	Codes   []int32
	Times   []float32
	Visits  []int32
	Values  []float32 // (T·Channels), NaN where there is none
	Age     float32   // years at the prediction; NaN if it is not known
	Unknown int       // tokens that became [UNK]
}

// Encode turns events into a sequence. With withIntervals an interval token stands
// before each event that is later than the one before it.
func (v *Vocabulary) Encode(events []Event, age float32, withIntervals bool) Sequence {
	s := Sequence{Age: age}
	nothing := make([]float32, v.Channels)
	for c := range nothing {
		nothing[c] = float32(math.NaN())
	}
	for i, e := range events {
		if withIntervals && i > 0 && events[i-1].Time > e.Time {
			gap := events[i-1].Time - e.Time
			s.add(firstInterval+int32(sort.SearchFloat64s(intervals[:], gap)), e, nothing)
		}
		id := v.ID(e.Code)
		values := e.Values
		if id == UnknownToken {
			s.Unknown++
			values = nil
		}
		if values == nil {
			values = nothing
		}
		s.add(id, e, values)
	}
	return s
}

func (s *Sequence) add(id int32, e Event, values []float32) {
	s.Codes = append(s.Codes, id)
	s.Times = append(s.Times, float32(e.Time))
	s.Visits = append(s.Visits, e.Visit)
	s.Values = append(s.Values, values...)
}

// Until returns the first n tokens as they were known at the time of the last of them: 0 days
// before the prediction. All tokens are returned as they are. It shares memory with s.
func (s *Sequence) Until(n int) Sequence {
	if n == len(s.Codes) {
		return *s
	}
	channels := len(s.Values) / len(s.Codes)
	out := Sequence{Codes: s.Codes[:n], Visits: s.Visits[:n], Values: s.Values[:n*channels], Age: s.Age}
	out.Times = make([]float32, n)
	for i, t := range s.Times[:n] {
		out.Times[i] = t - s.Times[n-1]
	}
	return out
}
