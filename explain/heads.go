package explain

import (
	"math"

	"heed/internal/par"
	"heed/tensor"
)

// HeadStats describes one attention head on one input: [Heads]. Statistics of
// rows are means over the rows that take part; NaN where there is none.
type HeadStats struct {
	Layer string
	Head  int

	Entropy    float64 // in nats, 0 to log L
	Relative   float64 // entropy as a share of log L: 1 is uniform attention
	Perplexity float64 // exp(entropy): how many tokens a query reads
	// Sharpness is the standard deviation, over the keys of a row, of the log
	// weights, which is that of the scores before the softmax: the inverse
	// temperature of a softmax over scores of standard deviation 1. A weight that
	// has become 0 counts as the smallest above it that float32 holds.
	Sharpness  float64
	Distance   float64 // mean of Σ_j A_ij·distance(i, j), in the unit of HeadSpec.Distance
	Confidence float64 // mean of the largest weight of a row (Voita et al. 2019)
	Special    float64 // share of the weight on special tokens
	Self       float64 // ... on the position itself
	Near       float64 // ... on positions up to HeadSpec.Window away, itself included

	// Offsets (2L-1) counts the rows whose largest weight is at offset j-i, which
	// is index j-i+L-1. Rows of special tokens are left out.
	Offsets []int
	// Pairs counts weights against a relation: [HeadSpec.Related].
	Pairs Pairs
}

// Pairs counts ordered pairs (i, j) of different positions, neither of them
// special.
type Pairs struct {
	All     int // pairs
	Related int // pairs that stand in the relation
	Strong  int // pairs with a weight above the threshold
	Hits    int // strong pairs that stand in the relation
}

// Precision returns Hits/Strong, the share of strong weights that join related
// positions (Vig et al. 2021), NaN if no weight is strong.
func (p Pairs) Precision() float64 { return float64(p.Hits) / float64(p.Strong) }

// Background returns Related/All: the precision of a head that chooses pairs by
// chance. Without it a precision says nothing.
func (p Pairs) Background() float64 { return float64(p.Related) / float64(p.All) }

// Temperature returns 1/Sharpness, the effective temperature of the softmax: a
// sharp head, which reads few tokens, has a low temperature, and a uniform one
// an infinite one. These are the words of physics and of the softmax exp(s/T);
// some texts say them the other way round and call a sharp head hot.
func (s *HeadStats) Temperature() float64 { return 1 / s.Sharpness }

// Word names the temperature: "sharp" up to 1/2, where a query of many normally
// distributed scores reads about a seventh of the keys or less; "soft" from 2,
// where it reads nearly nine tenths or more; and "medium" between. The limits are
// a convention of this package.
func (s *HeadStats) Word() string {
	switch t := s.Temperature(); {
	case t <= 0.5:
		return "sharp"
	case t >= 2:
		return "soft"
	}
	return "medium"
}

// Offset returns the most frequent offset of the rows' largest weights and its
// share of the rows, the smaller offset of equals. A head is called positional if
// the share is 0.9 or more (Voita et al. 2019).
func (s *HeadStats) Offset() (offset int, share float64) {
	best, rows := 0, 0
	for i, count := range s.Offsets {
		rows += count
		if count > s.Offsets[best] {
			best = i
		}
	}
	return best - len(s.Offsets)/2, float64(s.Offsets[best]) / float64(rows)
}

// A HeadSpec says what positions are. The zero HeadSpec is good for a sequence
// without special tokens.
type HeadSpec struct {
	// Mask (L) is true where a position takes part; nil means everywhere. Weights
	// on the others are left out, and rows are normalised without them.
	Mask []bool
	// Special (L) marks special tokens such as [CLS]; nil means none.
	Special []bool
	// Distance is how far apart two positions are in the unit of the domain: bp,
	// residues, mm, days. NaN says that the pair has none, as with [CLS]; its
	// weight is left out of the mean. nil is |i-j|, and NaN for special tokens.
	Distance func(i, j int) float64
	// Window is the greatest |i-j| of Near.
	Window int
	// Related is a relation between two positions, such as a contact in the
	// structure of a protein, of which pairs with a weight above Threshold are
	// judged; nil means none. Vig et al. 2021 use 0.3.
	Related   func(i, j int) bool
	Threshold float64
}

// Heads describes every head of some layers, in order: H for each layer. O(nHL²)
// time; the layers' memory is read once, on all cores.
//
// What the statistics cannot tell: they describe weights, not effects. A sharp,
// positional or contact-like head may carry nothing that the score uses, and a
// head's role on one input may not be its role on another ([HeadSummary] averages).
// Heads with much weight on special tokens often do nothing by it.
func Heads(layers []Layer, spec HeadSpec) []HeadStats {
	var out []HeadStats
	for i := range layers {
		l := &layers[i]
		spec.check(l)
		for h := range l.Heads {
			out = append(out, HeadStats{Layer: l.Name, Head: h, Offsets: make([]int, max(0, 2*l.Length-1))})
		}
	}
	if len(out) == 0 {
		return nil
	}
	heads := headsOf(layers)
	par.Do(len(out), coresFor(len(out)*len(heads[0].Weights)), func(_, k int) {
		spec.head(&out[k], &heads[k])
	})
	return out
}

// headsOf returns the weights (L, L) of every head; they are not copied.
func headsOf(layers []Layer) []Mixing {
	var out []Mixing
	for i := range layers {
		l := &layers[i]
		size := l.Length * l.Length
		for h := range l.Heads {
			out = append(out, Mixing{l.Name, l.Length, l.Weights[h*size : (h+1)*size]})
		}
	}
	return out
}

func (s *HeadSpec) check(l *Layer) {
	tensor.Check("explain.Heads: "+l.Name, []int{len(l.Weights)}, l.Heads*l.Length*l.Length)
	for _, m := range [][]bool{s.Mask, s.Special} {
		if m != nil {
			tensor.Check("explain.Heads: mask", []int{len(m)}, l.Length)
		}
	}
}

func (s *HeadSpec) on(i int) bool      { return s.Mask == nil || s.Mask[i] }
func (s *HeadSpec) special(i int) bool { return s.Special != nil && s.Special[i] }

func (s *HeadSpec) distance(i, j int) float64 {
	switch {
	case s.Distance != nil:
		return s.Distance(i, j)
	case s.special(i) || s.special(j):
		return math.NaN()
	}
	return math.Abs(float64(i - j))
}

// row copies row i (L), normalised over the positions that take part, and
// reports whether it takes part and has a weight.
func (s *HeadSpec) row(dst []float64, m *Mixing, i int) bool {
	if !s.on(i) {
		return false
	}
	sum := 0.0
	for j, w := range m.Row(i) {
		dst[j] = 0
		if s.on(j) {
			dst[j] = float64(w)
			sum += dst[j]
		}
	}
	for j := range dst {
		dst[j] /= sum
	}
	return sum > 0
}

// head fills in the statistics of one head.
func (s *HeadSpec) head(out *HeadStats, m *Mixing) {
	n, keys := m.Length, 0
	for j := range n {
		if s.on(j) {
			keys++
		}
	}
	row := make([]float64, n)
	rows, far := 0.0, 0.0 // rows in all, and those with a distance
	for i := range n {
		if !s.row(row, m, i) {
			continue
		}
		rows++
		entropy, top := 0.0, 0
		for j, p := range row {
			if p > 0 {
				entropy -= p * math.Log(p)
			}
			if p > row[top] {
				top = j
			}
			if s.special(j) {
				out.Special += p
			}
			if max(i-j, j-i) <= s.Window {
				out.Near += p
			}
		}
		out.Entropy += entropy
		out.Perplexity += math.Exp(entropy)
		out.Sharpness += s.sharpness(row)
		out.Confidence += row[top]
		out.Self += row[i]
		if !s.special(i) {
			out.Offsets[top-i+n-1]++
		}
		if d := s.meanDistance(row, i); d == d {
			out.Distance += d
			far++
		}
		s.count(&out.Pairs, row, i)
	}
	for _, v := range []*float64{&out.Entropy, &out.Perplexity, &out.Sharpness, &out.Confidence, &out.Self, &out.Special, &out.Near} {
		*v /= rows
	}
	out.Distance /= far
	if out.Relative = out.Entropy / math.Log(float64(keys)); keys == 1 {
		out.Relative = 0
	}
}

// sharpness returns the standard deviation of the log weights of a row.
func (s *HeadSpec) sharpness(row []float64) float64 {
	n, mean, squares := 0.0, 0.0, 0.0
	for j, p := range row {
		if !s.on(j) {
			continue
		}
		n++ // Welford's update
		d := math.Log(max(p, math.SmallestNonzeroFloat32)) - mean
		mean += d / n
		squares += d * d * (n - 1) / n
	}
	return math.Sqrt(squares / n)
}

func (s *HeadSpec) meanDistance(row []float64, i int) float64 {
	sum, mass := 0.0, 0.0
	for j, p := range row {
		if p > 0 {
			if d := s.distance(i, j); d == d {
				sum += p * d
				mass += p
			}
		}
	}
	return sum / mass
}

// count adds the pairs of row i.
func (s *HeadSpec) count(p *Pairs, row []float64, i int) {
	if s.Related == nil || s.special(i) {
		return
	}
	for j, w := range row {
		if j == i || !s.on(j) || s.special(j) {
			continue
		}
		related, strong := s.Related(i, j), w > s.Threshold
		p.All++
		if related {
			p.Related++
		}
		if strong {
			p.Strong++
		}
		if related && strong {
			p.Hits++
		}
	}
}
