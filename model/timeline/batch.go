package timeline

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"

	"heed/autograd"
)

// A Batch is some sequences packed end to end, each with its [CLS]: before the
// others, or after them in a causal model.
type Batch struct {
	Codes    []int32
	Times    []float32 // days before the prediction
	Segments []autograd.Segment
	Cls      []int32 // the row of each [CLS]
	Sources  []int32 // of each row, its place in its sequence; -1 for [CLS]

	logTimes, ages []float32
	visits         []int32
	rows           []int32   // of the table of values
	weights        []float32 // of those rows, or the input of "projection"
	perToken       int
}

// Pack makes a batch. If drop is not nil every token is left out with the
// probability Config.DropTokens: an augmentation for training. A sequence that is
// longer than Config.MaxTokens keeps its most recent tokens.
func (m *Model) Pack(drop *rand.Rand, seqs ...*Sequence) *Batch {
	b := &Batch{}
	if drop != nil && m.Config.DropTokens == 0 {
		drop = nil
	}
	total := len(seqs)
	for _, s := range seqs {
		total += len(s.Codes)
	}
	b.perToken = m.perToken()
	b.reserve(total)
	for _, s := range seqs {
		start := len(b.Codes)
		if !m.Config.Causal {
			m.packCls(b, s)
		}
		first := max(0, len(s.Codes)-m.Config.MaxTokens)
		for i := first; i < len(s.Codes); i++ {
			if drop == nil || drop.Float32() >= m.Config.DropTokens {
				m.packToken(b, s, i)
			}
		}
		if m.Config.Causal {
			m.packCls(b, s)
		}
		b.Segments = append(b.Segments, autograd.Segment{Start: start, Count: len(b.Codes) - start, Stride: 1})
	}
	return b
}

func (b *Batch) reserve(n int) {
	b.Codes, b.visits, b.Sources = make([]int32, 0, n), make([]int32, 0, n), make([]int32, 0, n)
	b.Times, b.logTimes, b.ages = make([]float32, 0, n), make([]float32, 0, n), make([]float32, 0, n)
	b.rows, b.weights = make([]int32, 0, n*b.perToken), make([]float32, 0, n*b.perToken)
}

// perToken returns how many rows of the table of values a token adds up, or how
// many numbers enter the projection.
func (m *Model) perToken() int {
	switch m.Config.Value {
	case "knots", "projection":
		return 2 * m.Vocabulary.Channels
	case "bins", "linear":
		return m.Vocabulary.Channels
	}
	return 0
}

func (m *Model) packCls(b *Batch, s *Sequence) {
	b.Cls = append(b.Cls, int32(len(b.Codes)))
	b.add(ClsToken, 0, age(s, 0), 0, -1)
	for range b.perToken {
		b.rows, b.weights = append(b.rows, 0), append(b.weights, 0)
	}
}

// age returns tens of years at an event: numbers of order 1. An age that is not
// known is 0.
func age(s *Sequence, daysBefore float32) float32 {
	if !finite(s.Age) {
		return 0
	}
	return (s.Age - daysBefore/365.25) / 10
}

func (b *Batch) add(code int32, time, age float32, visit, source int32) {
	b.Codes = append(b.Codes, code)
	b.Times = append(b.Times, time)
	b.logTimes = append(b.logTimes, float32(math.Log1p(24*float64(max(0, time)))))
	b.ages = append(b.ages, age)
	if visit > 0 {
		visit = 1 + visit%2
	}
	b.visits = append(b.visits, visit)
	b.Sources = append(b.Sources, source)
}

func (m *Model) packToken(b *Batch, s *Sequence, i int) {
	v := m.Vocabulary
	code := s.Codes[i]
	if code < 0 || int(code) >= v.Size() {
		panic(fmt.Sprintf("timeline: token %d of a vocabulary of %d", code, v.Size()))
	}
	b.add(code, s.Times[i], age(s, s.Times[i]), s.Visits[i], int32(i))
	for c, x := range s.Values[i*v.Channels : (i+1)*v.Channels] {
		m.packValue(b, code, c, x)
	}
}

// packValue appends the rows and weights of one value of a code.
func (m *Model) packValue(b *Batch, code int32, channel int, x float32) {
	v := m.Vocabulary
	pair := int(code-firstCode)*v.Channels + channel
	known := code >= firstCode && finite(x)
	switch m.Config.Value {
	case "knots":
		lo, f, ok := int32(0), float32(0), known && len(v.Knots[pair]) > 0
		hi := lo
		if ok {
			lo, hi, f = v.between(pair, x)
			b.rows, b.weights = append(b.rows, lo, hi), append(b.weights, 1-f, f)
			return
		}
		b.rows, b.weights = append(b.rows, 0, 0), append(b.weights, 0, 0)
	case "bins":
		if known && len(v.Knots[pair]) > 0 {
			b.rows, b.weights = append(b.rows, v.bin(pair, x)), append(b.weights, 1)
			return
		}
		b.rows, b.weights = append(b.rows, 0), append(b.weights, 0)
	case "linear":
		if known {
			b.rows, b.weights = append(b.rows, int32(pair)), append(b.weights, v.standard(pair, x))
			return
		}
		b.rows, b.weights = append(b.rows, 0), append(b.weights, 0)
	case "projection":
		z, is := float32(0), float32(0)
		if known {
			z, is = v.standard(pair, x), 1
		}
		b.rows, b.weights = append(b.rows, 0, 0), append(b.weights, z, is)
	}
}

// standard returns a value in standard deviations from the mean, at most 5.
func (v *Vocabulary) standard(pair int, x float32) float32 {
	return max(-5, min(5, (x-v.Mean[pair])/v.SD[pair]))
}

// between returns the rows of the two knots around x and how far x is from the
// first to the second. Beyond the ends it is the last knot.
func (v *Vocabulary) between(pair int, x float32) (lo, hi int32, f float32) {
	knots, at := v.Knots[pair], v.starts[pair]
	i := sort.Search(len(knots), func(i int) bool { return knots[i] > x })
	switch {
	case i == 0:
		return int32(at), int32(at), 0
	case i == len(knots):
		return int32(at + i - 1), int32(at + i - 1), 0
	}
	return int32(at + i - 1), int32(at + i), (x - knots[i-1]) / (knots[i] - knots[i-1])
}

// bin returns the row of the bin of x: values up to the second knot are the
// first bin, and so on.
func (v *Vocabulary) bin(pair int, x float32) int32 {
	knots := v.Knots[pair]
	i := sort.Search(len(knots), func(i int) bool { return knots[i] > x })
	return int32(v.starts[pair] + max(0, i-1))
}
