package explain

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"heed/internal/par"
	"heed/metric"
)

// HeadDistances returns the Jensen-Shannon distance between every two heads of
// some layers of one length (n·H, n·H), in the order of [Heads]:
//
//	D² = mean over rows i of H₂((p_i+q_i)/2) - (H₂(p_i) + H₂(q_i))/2
//
// with p and q the rows of the two heads and H₂ the entropy in bits: 0 for heads
// that attend alike, which are redundant as far as weights go, 1 for heads that
// never read the same position. D is a metric. Mask of the spec applies. O((nH)²·L²)
// logarithms on all cores: give the layers one by one where that is much.
//
// Heads that attend alike may still carry different values.
func HeadDistances(layers []Layer, spec HeadSpec) [][]float64 {
	heads := headsOf(layers)
	out := make([][]float64, len(heads))
	for k := range out {
		out[k] = make([]float64, len(heads))
	}
	if len(heads) == 0 {
		return out
	}
	n := layers[0].Length
	rows := make([][]float64, len(heads)) // (L, L) normalised
	entropy := make([][]float64, len(heads))
	for i := range layers {
		spec.check(&layers[i])
		if layers[i].Length != n {
			panic(fmt.Sprintf("explain.HeadDistances: lengths %d and %d", n, layers[i].Length))
		}
	}
	cores := coresFor(len(heads) * n * n)
	par.Do(len(heads), cores, func(_, k int) {
		rows[k], entropy[k] = make([]float64, n*n), make([]float64, n)
		for i := range n {
			row := rows[k][i*n : (i+1)*n]
			if !spec.row(row, &heads[k], i) {
				entropy[k][i] = math.NaN() // the row does not take part
				continue
			}
			for _, p := range row {
				entropy[k][i] += plogp(p)
			}
		}
	})
	par.Do(len(heads), cores, func(_, a int) {
		for b := a + 1; b < len(heads); b++ {
			sum, count := 0.0, 0.0
			for i := range n {
				both := (entropy[a][i] + entropy[b][i]) / 2
				if both != both {
					continue
				}
				middle := 0.0
				q := rows[b][i*n : (i+1)*n]
				for j, p := range rows[a][i*n : (i+1)*n] {
					middle += plogp((p + q[j]) / 2)
				}
				sum += max(0, both-middle) / math.Ln2
				count++
			}
			out[a][b] = math.Sqrt(sum / count)
		}
	})
	for a := range out {
		for b := range a {
			out[a][b] = out[b][a]
		}
	}
	return out
}

// plogp returns p·log(p), which is 0 at 0.
func plogp(p float64) float64 {
	if p == 0 {
		return 0
	}
	return p * math.Log(p)
}

// A HeadSummary is one head over many inputs, with 95 % intervals: Student's for
// the mean of inputs that stand for a larger number. The input is the unit, whatever its
// length. The SD of an interval is the standard error; with one input it is NaN, and so are the
// limits. Inputs where a statistic is NaN are left out of it.
type HeadSummary struct {
	Layer  string
	Head   int
	Inputs int

	Entropy, Relative, Perplexity, Sharpness, Distance metric.Interval
	Confidence, Special, Self, Near                    metric.Interval

	// Offset is the most frequent offset of the rows' largest weights over all
	// inputs, and OffsetShare its share of all rows.
	Offset      int
	OffsetShare float64
	// Pairs is the sum over all inputs. Precision is that of the sum, a ratio of
	// two sums whose interval is linearised (the pairs of one input depend on one
	// another, so they must not be counted as if each were drawn by itself);
	// Background stands beside it.
	Pairs      Pairs
	Precision  metric.Interval
	Background float64
}

// Positional reports whether at least 90 % of the largest weights are at one
// offset (Voita et al. 2019).
func (s *HeadSummary) Positional() bool { return s.OffsetShare >= 0.9 }

// A HeadAverage averages [Heads] over inputs. Its zero value is ready to use.
type HeadAverage struct {
	heads []headAverage
}

// A headAverage has what is needed of one head.
type headAverage struct {
	HeadStats // of the first input, for its names
	values    [headValues]moments
	offsets   map[int]int
	pairs     Pairs

	inputs     float64
	hh, hs, ss float64 // sums over inputs of hits², hits·strong, strong²
}

const headValues = 9

// moments are Welford's sums.
type moments struct{ n, mean, squares float64 }

func (m *moments) add(x float64) {
	if x != x {
		return
	}
	m.n++
	d := x - m.mean
	m.mean += d / m.n
	m.squares += d * (x - m.mean)
}

// interval returns the mean with Student's 95 % limits.
func (m *moments) interval() metric.Interval {
	if m.n == 0 {
		nan := math.NaN()
		return metric.Interval{Estimate: nan, Low: nan, High: nan, SD: nan}
	}
	return student(m.mean, math.Sqrt(m.squares/(m.n-1)/m.n), m.n)
}

func student(estimate, se, n float64) metric.Interval {
	if n < 2 {
		nan := math.NaN()
		return metric.Interval{Estimate: estimate, Low: nan, High: nan, SD: nan}
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975)
	return metric.Interval{Estimate: estimate, Low: estimate - t*se, High: estimate + t*se, SD: se}
}

// values returns the statistics that are averaged, in the order of intervals.
func (s *HeadStats) values() [headValues]float64 {
	return [...]float64{s.Entropy, s.Relative, s.Perplexity, s.Sharpness, s.Distance, s.Confidence, s.Special, s.Self, s.Near}
}

func (s *HeadSummary) intervals() [headValues]*metric.Interval {
	return [...]*metric.Interval{&s.Entropy, &s.Relative, &s.Perplexity, &s.Sharpness, &s.Distance, &s.Confidence, &s.Special, &s.Self, &s.Near}
}

// Add takes in the heads of one input, which are those of the inputs before.
// Memory does not grow with the number of inputs.
func (a *HeadAverage) Add(heads []HeadStats) {
	if a.heads == nil {
		a.heads = make([]headAverage, len(heads))
		for k := range heads {
			a.heads[k].HeadStats, a.heads[k].offsets = heads[k], map[int]int{}
		}
	}
	if len(heads) != len(a.heads) {
		panic(fmt.Sprintf("explain: %d heads after %d", len(heads), len(a.heads)))
	}
	for k := range heads {
		s, h := &heads[k], &a.heads[k]
		for i, x := range s.values() {
			h.values[i].add(x)
		}
		for i, count := range s.Offsets {
			if count > 0 {
				h.offsets[i-len(s.Offsets)/2] += count
			}
		}
		h.pairs.All += s.Pairs.All
		h.pairs.Related += s.Pairs.Related
		h.pairs.Strong += s.Pairs.Strong
		h.pairs.Hits += s.Pairs.Hits
		hits, strong := float64(s.Pairs.Hits), float64(s.Pairs.Strong)
		h.inputs++
		h.hh += hits * hits
		h.hs += hits * strong
		h.ss += strong * strong
	}
}

// Summary returns the heads over the inputs so far.
func (a *HeadAverage) Summary() []HeadSummary {
	out := make([]HeadSummary, len(a.heads))
	for k := range a.heads {
		h, s := &a.heads[k], &out[k]
		s.Layer, s.Head, s.Inputs = h.Layer, h.Head, int(h.inputs)
		for i, dst := range s.intervals() {
			*dst = h.values[i].interval()
		}
		rows, best := 0, 0
		for offset, count := range h.offsets {
			rows += count
			if count > best || count == best && offset < s.Offset {
				s.Offset, best = offset, count
			}
		}
		s.OffsetShare = float64(best) / float64(rows)
		s.Pairs, s.Background = h.pairs, h.pairs.Background()
		s.Precision = h.precision()
	}
	return out
}

// precision returns p = Σh/Σs over inputs with the standard error of a ratio of
// means (Cochran 1977, eq. 6.13): sqrt(n/(n-1)·Σ(h - p·s)²) / Σs.
func (a *headAverage) precision() metric.Interval {
	p, n := a.pairs.Precision(), a.inputs
	squares := max(0, a.hh-2*p*a.hs+p*p*a.ss)
	return student(p, math.Sqrt(n/(n-1)*squares)/float64(a.pairs.Strong), n)
}
