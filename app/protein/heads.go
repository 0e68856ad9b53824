package protein

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"heed/metric"
	"heed/model/alignment"
)

// Threshold is the weight from which a head attends to a pair (Vig et al. 2021,
// "BERTology meets biology").
const Threshold = 0.3

// permutations is how many there are of the labels of pairs.
const permutations = 1000

// nearest is the least separation of a pair that counts.
const nearest = 6

// A Head is what one head attends to.
type Head struct {
	Index int    // from 1
	Name  string // "12", or "2.3" for the third head of the second of several layers
	// Strength is its share of the sum over heads of |α - 1/(L-1)|²·|V|²: the
	// squared norm of the couplings that it would make by itself, less what an even
	// attention would. Heads without a value matrix, those of the axial transformer,
	// have |V| = 1.
	Strength   float64
	Separation float64 // mean |i-j| over all columns, weighted by attention
	Values     []AminoPair

	// Attended is the ordered pairs with |i-j| ≥ 6 and a weight of Threshold or
	// more; First is the ⌊L/5⌋ pairs i < j with |i-j| ≥ 6 and the largest sum of
	// both weights, which every head has.
	Attended, First Sample
}

// A Sample is some pairs that attention chose. All but Pairs needs a structure.
type Sample struct {
	Pairs     int
	Known     int     // of which the structure says something
	Contacts  int     // among them
	Precision float64 // Contacts by Known; NaN if there are none
	// Null is the precision when the contacts of each separation are dealt out
	// among the pairs of that separation anew: mean, and 2.5 and 97.5 % limits.
	// Attention that knows only how far apart contacts usually are is no better.
	Null, Low, High float64
	P               float64 // of a precision as high, one-sided; NaN without known pairs
	Found           bool    // at a false discovery rate of 5 % among the heads
}

// An AminoPair is an entry of the value matrix of a head: how much amino acid From
// at an attended column favours To at the other, in nats, relative to the mean of
// the matrix.
type AminoPair struct {
	From, To byte
	Value    float64
}

// strongest is how many amino-acid pairs a head shows.
const strongest = 4

// DescribeHeads measures all heads, in their order, and all pairs that are attended
// to taken together, once for each head. t may be nil. Labels are permuted from the
// seed.
func DescribeHeads(f *Family, m *alignment.Factored, t *Truth, seed uint64) (heads []Head, pooled Sample) {
	const size = alignment.Residues * alignment.Residues
	return describeHeads(f, m.Heads, m.Attention, func(h int) []float32 { return m.Value.Data[h*size : (h+1)*size] }, t, seed)
}

// describeHeads is DescribeHeads for n heads with some maps of attention (L, L) and,
// unless values is nil, value matrices (20, 20).
func describeHeads(f *Family, n int, attention, values func(head int) []float32, t *Truth, seed uint64) (heads []Head, pooled Sample) {
	heads = make([]Head, n)
	attended, first := make([][]pair, n), make([][]pair, n)
	var all []pair
	l, total := len(f.Columns), 0.0
	for h := range heads {
		x := &heads[h]
		x.Index, x.Name = h+1, fmt.Sprint(h+1)
		a := attention(h)
		squares, distance := 0.0, 0.0
		for i, p := range f.Columns {
			for j, q := range f.Columns {
				if i == j {
					continue
				}
				w := float64(a[i*l+j])
				squares += (w - 1/float64(l-1)) * (w - 1/float64(l-1))
				far := max(p-q, q-p)
				distance += w * float64(far)
				if far >= nearest && w >= Threshold {
					attended[h] = append(attended[h], pair{min(p, q), max(p, q)})
				}
			}
		}
		first[h] = firstPairs(f, a)
		all = append(all, attended[h]...)
		x.Separation = distance / float64(l)
		x.Strength = squares
		if values != nil {
			v, norm := values(h), 0.0
			for _, e := range v {
				norm += float64(e) * float64(e)
			}
			x.Strength *= norm
			x.Values = strongestPairs(v)
		}
		total += x.Strength
	}
	sets := append(append(attended, first...), all)
	samples := permuteLabels(sets, t, len(f.Query), rand.New(rand.NewPCG(seed, 0x68656164))) // "head"
	discover(samples[:n])
	discover(samples[n : 2*n])
	for h := range heads {
		heads[h].Strength /= total
		heads[h].Attended, heads[h].First = samples[h], samples[n+h]
	}
	return heads, samples[2*n]
}

// A pair is two positions of the query, i < j.
type pair struct{ i, j int }

// firstPairs returns the pairs that a head attends to most, in both directions
// together.
func firstPairs(f *Family, a []float32) []pair {
	type weighed struct {
		pair
		weight float32
	}
	var all []weighed
	l := len(f.Columns)
	for i, p := range f.Columns {
		for j := i + 1; j < l; j++ {
			if q := f.Columns[j]; q-p >= nearest {
				all = append(all, weighed{pair{p, q}, a[i*l+j] + a[j*l+i]})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b weighed) int { return cmp.Compare(b.weight, a.weight) })
	var out []pair
	for _, w := range all[:min(len(all), len(f.Query)/5)] {
		out = append(out, w.pair)
	}
	return out
}

// strongestPairs returns the entries of a value matrix that are farthest from its
// mean, in falling order.
func strongestPairs(v []float32) []AminoPair {
	mean := 0.0
	for _, e := range v {
		mean += float64(e) / float64(len(v))
	}
	var all []AminoPair
	for k, e := range v {
		all = append(all, AminoPair{alignment.AminoAcids[k/alignment.Residues], alignment.AminoAcids[k%alignment.Residues], float64(e) - mean})
	}
	slices.SortStableFunc(all, func(a, b AminoPair) int { return cmp.Compare(math.Abs(b.Value), math.Abs(a.Value)) })
	return all[:strongest]
}

// permuteLabels compares sets of pairs with the structure, if there is one.
func permuteLabels(sets [][]pair, t *Truth, l int, rng *rand.Rand) []Sample {
	out := make([]Sample, len(sets))
	for k := range out {
		nan := math.NaN()
		out[k] = Sample{Pairs: len(sets[k]), Precision: nan, Null: nan, Low: nan, High: nan, P: nan}
	}
	if t == nil {
		return out
	}
	// labels[d] has those of the known pairs of separation d; at says which of
	// them a pair is, or -1.
	labels := make([][]bool, l)
	at := make([]int, l*l)
	for i := range l {
		for j := range l {
			at[i*l+j] = -1
			if d := j - i; d >= nearest && t.Touch[i*l+j] != metric.Unknown {
				at[i*l+j] = len(labels[d])
				labels[d] = append(labels[d], t.Touch[i*l+j] == metric.Contact)
			}
		}
	}
	type place struct{ separation, at int }
	places := make([][]place, len(sets))
	for k, set := range sets {
		for _, p := range set {
			if n := at[p.i*l+p.j]; n >= 0 {
				places[k] = append(places[k], place{p.j - p.i, n})
			}
		}
	}
	count := func(k int) int {
		n := 0
		for _, p := range places[k] {
			if labels[p.separation][p.at] {
				n++
			}
		}
		return n
	}
	for k := range out {
		out[k].Known, out[k].Contacts = len(places[k]), count(k)
	}
	null := make([][]int, len(sets))
	for range permutations {
		for _, s := range labels {
			rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
		}
		for k := range sets {
			null[k] = append(null[k], count(k))
		}
	}
	for k := range out {
		if out[k].Known > 0 {
			out[k].measure(null[k])
		}
	}
	return out
}

// measure fills in what follows from the counts of the permutations.
func (s *Sample) measure(null []int) {
	slices.Sort(null)
	sum, high := 0, 0
	for _, n := range null {
		sum += n
		if n >= s.Contacts {
			high++
		}
	}
	known, b := float64(s.Known), len(null)
	s.Precision = float64(s.Contacts) / known
	s.Null = float64(sum) / float64(b) / known
	s.Low, s.High = float64(null[b/40])/known, float64(null[b-1-b/40])/known
	s.P = float64(1+high) / float64(1+b)
}

// discover marks the samples that are found (Benjamini & Hochberg 1995).
func discover(samples []Sample) {
	var tested []*Sample
	for k := range samples {
		if samples[k].Known > 0 {
			tested = append(tested, &samples[k])
		}
	}
	slices.SortStableFunc(tested, func(a, b *Sample) int { return cmp.Compare(a.P, b.P) })
	for k := len(tested) - 1; k >= 0; k-- {
		if tested[k].P <= 0.05*float64(k+1)/float64(len(tested)) {
			for _, x := range tested[:k+1] {
				x.Found = true
			}
			break
		}
	}
}

// values writes the amino-acid pairs of a head: "C→C +1.20, D→K +0.80".
func (x *Head) values() string {
	var out []string
	for _, v := range x.Values {
		out = append(out, fmt.Sprintf("%c→%c %+.2f", v.From, v.To, v.Value))
	}
	return strings.Join(out, ", ")
}

// byStrength returns the heads in falling order of strength.
func byStrength(heads []Head) []Head {
	out := slices.Clone(heads)
	slices.SortStableFunc(out, func(a, b Head) int { return cmp.Compare(b.Strength, a.Strength) })
	return out
}
