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

// A Head is what one head of factored attention attends to.
type Head struct {
	Index int // from 1
	// Strength is its share of the sum over heads of |α|²·|V|², the squared norm
	// of the couplings that each head would make by itself.
	Strength   float64
	Separation float64 // mean |i-j| over all columns, weighted by attention
	Attended   int     // ordered pairs with |i-j| ≥ 6 and a weight of Threshold or more
	Values     []AminoPair

	// The following need a structure.
	Known     int     // attended pairs of which it says something
	Contacts  int     // among them
	Precision float64 // Contacts by Known; NaN if there are none
	// Null is the precision when the contacts of each separation are dealt out
	// among the pairs of that separation anew: mean, and 2.5 and 97.5 % limits. A
	// head that knows only how far apart contacts usually are is no better.
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

// DescribeHeads measures all heads, in their order. t may be nil. Labels are
// permuted from the seed.
func DescribeHeads(f *Family, m *alignment.Factored, t *Truth, seed uint64) []Head {
	heads := make([]Head, m.Heads)
	attended := make([][][2]int, m.Heads) // positions in the query
	total := 0.0
	for h := range heads {
		x := &heads[h]
		x.Index = h + 1
		x.Precision, x.Null, x.Low, x.High, x.P = math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()
		a := m.Attention(h)
		squares, distance := 0.0, 0.0
		for i, p := range f.Columns {
			for j, q := range f.Columns {
				w := float64(a[i*len(f.Columns)+j])
				squares += w * w
				far := max(p-q, q-p)
				distance += w * float64(far)
				if far >= nearest && w >= Threshold {
					attended[h] = append(attended[h], [2]int{p, q})
				}
			}
		}
		x.Separation = distance / float64(len(f.Columns))
		x.Attended = len(attended[h])
		v := m.Value.Data[h*alignment.Residues*alignment.Residues : (h+1)*alignment.Residues*alignment.Residues]
		norm := 0.0
		for _, e := range v {
			norm += float64(e) * float64(e)
		}
		x.Strength = squares * norm
		total += x.Strength
		x.Values = strongestPairs(v)
	}
	for h := range heads {
		heads[h].Strength /= total
	}
	if t != nil {
		permuteLabels(heads, attended, t, len(f.Query), rand.New(rand.NewPCG(seed, 0x68656164))) // "head"
	}
	return heads
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

// permuteLabels fills in what needs a structure.
func permuteLabels(heads []Head, attended [][][2]int, t *Truth, l int, rng *rand.Rand) {
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
	places := make([][]place, len(heads))
	count := func(h int) int {
		n := 0
		for _, p := range places[h] {
			if labels[p.separation][p.at] {
				n++
			}
		}
		return n
	}
	for h := range heads {
		for _, pair := range attended[h] {
			i, j := min(pair[0], pair[1]), max(pair[0], pair[1])
			if k := at[i*l+j]; k >= 0 {
				places[h] = append(places[h], place{j - i, k})
			}
		}
		x := &heads[h]
		x.Known, x.Contacts = len(places[h]), count(h)
		if x.Known > 0 {
			x.Precision = float64(x.Contacts) / float64(x.Known)
		}
	}
	null := make([][]int, len(heads))
	for range permutations {
		for _, s := range labels {
			rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
		}
		for h := range heads {
			null[h] = append(null[h], count(h))
		}
	}
	var tested []*Head
	for h := range heads {
		x := &heads[h]
		if x.Known == 0 {
			continue
		}
		slices.Sort(null[h])
		sum, high := 0, 0
		for _, n := range null[h] {
			sum += n
			if n >= x.Contacts {
				high++
			}
		}
		known := float64(x.Known)
		x.Null = float64(sum) / permutations / known
		x.Low, x.High = float64(null[h][permutations/40])/known, float64(null[h][permutations-1-permutations/40])/known
		x.P = float64(1+high) / (1 + permutations)
		tested = append(tested, x)
	}
	// Benjamini & Hochberg (1995).
	slices.SortStableFunc(tested, func(a, b *Head) int { return cmp.Compare(a.P, b.P) })
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
