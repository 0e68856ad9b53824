package dna

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"heed/explain"
	"heed/internal/cli"
	"heed/plot"
)

// A MeanTrack is the average of the explanations of one class, position by
// position.
type MeanTrack struct {
	Class     string
	N         int       // sequences
	Mean      []float64 // (L) importance
	Low, High []float64 // (L) 95 % interval of the mean: 1.96 standard errors
	Rollout   []float64 // (L); nil for a model without attention
	Heights   [][]float64
}

// meanTrack averages explanations of sequences of one length. Heights (L, 4) is
// the mean importance cut up by the letter that stands at the position, so that
// the letters of a logo add up to Mean.
func meanTrack(class string, es []*Explanation) *MeanTrack {
	n, length := float64(len(es)), len(es[0].Sequence)
	t := &MeanTrack{
		Class: class, N: len(es),
		Mean: make([]float64, length), Low: make([]float64, length), High: make([]float64, length),
		Heights: make([][]float64, length),
	}
	if es[0].Rollout != nil {
		t.Rollout = make([]float64, length)
	}
	for i := range length {
		t.Heights[i] = make([]float64, len(Letters))
		sum, squares := 0.0, 0.0
		for _, e := range es {
			v := e.Importance[i]
			sum += v
			if k := strings.IndexByte(Letters, e.Sequence[i]); k >= 0 {
				t.Heights[i][k] += v / n
			}
			if t.Rollout != nil {
				t.Rollout[i] += e.Rollout[i] / n
			}
		}
		t.Mean[i] = sum / n
		for _, e := range es {
			squares += (e.Importance[i] - t.Mean[i]) * (e.Importance[i] - t.Mean[i])
		}
		half := 0.0
		if n > 1 {
			half = 1.96 * math.Sqrt(squares/(n-1)/n)
		}
		t.Low[i], t.High[i] = t.Mean[i]-half, t.Mean[i]+half
	}
	return t
}

// Peaks returns the k highest peaks of a track with gap positions or more
// between any two, as coordinates; see explain.Peaks.
func (t *MeanTrack) Peaks(k, gap, tss int) []int {
	var at []int
	for _, p := range explain.Peaks(t.Mean, k, gap) {
		at = append(at, coordinate(p.Index, tss))
	}
	return at
}

// A Motif is where biology expects something.
type Motif struct {
	Name     string
	From, To int // coordinates, both inclusive, see plot.Position
}

// ParseMotif reads "NAME=FROM:TO" or "NAME=AT", such as "TATA=-32:-27".
func ParseMotif(s string) (Motif, error) {
	name, at, ok := cutLast(s, "=")
	from, to, both := strings.Cut(at, ":")
	if !both {
		to = from
	}
	a, errA := strconv.Atoi(from)
	b, errB := strconv.Atoi(to)
	if !ok || name == "" || errA != nil || errB != nil || a > b {
		return Motif{}, cli.Usagef("expect %q: want NAME=FROM:TO, such as TATA=-32:-27", s)
	}
	return Motif{name, a, b}, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// A Finding compares a track with one expected motif.
type Finding struct {
	Motif
	Peak int     // coordinate of the highest point of the track within reach of the motif
	Rank int     // of that point among the peaks of the track, from 1; 0 if it is none of the first peakCount
	Away int     // letters between it and the motif; 0 if it lies inside
	Mean float64 // mean importance within the motif
	// Enrichment is the motif's share of all positive importance, over its
	// share of the positions: 1 if the model does not care.
	Enrichment float64
}

const (
	motifReach = 3 // letters by which motifs shift against the start site
	peakCount  = 5
	peakGap    = 6 // as long as a motif: one peak for each
)

// Compare looks for the motifs in a track whose index tss is +1.
func (t *MeanTrack) Compare(motifs []Motif, tss int) []Finding {
	peaks := explain.Peaks(t.Mean, peakCount, peakGap)
	positive := 0.0
	for _, v := range t.Mean {
		positive += max(v, 0)
	}
	var out []Finding
	for _, m := range motifs {
		f := Finding{Motif: m, Mean: math.NaN(), Enrichment: math.NaN()}
		best, inside, sum, n := math.Inf(-1), 0.0, 0.0, 0
		for i, v := range t.Mean {
			at := coordinate(i, tss)
			away := max(m.From-at, at-m.To, 0)
			if away == 0 {
				inside += max(v, 0)
				sum += v
				n++
			}
			if away <= motifReach && v > best {
				best, f.Peak, f.Away = v, at, away
			}
		}
		for r, p := range peaks {
			if coordinate(p.Index, tss) == f.Peak && !math.IsInf(best, -1) {
				f.Rank = r + 1
			}
		}
		if n > 0 {
			f.Mean = sum / float64(n)
			if positive > 0 {
				f.Enrichment = inside / positive / (float64(n) / float64(len(t.Mean)))
			}
		}
		out = append(out, f)
	}
	return out
}

// coordinate converts an index to a coordinate: relative to the start site, or
// counted from 1 where none is known (tss < 0).
func coordinate(i, tss int) int {
	if tss < 0 {
		return i + 1
	}
	return plot.Position(i, tss)
}

func coordinates(n, tss int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = coordinate(i, tss)
	}
	return out
}

func (f Finding) cells() []string {
	rank := "-"
	if f.Rank > 0 {
		rank = strconv.Itoa(f.Rank)
	}
	where := fmt.Sprintf("%+d to %+d", f.From, f.To)
	if f.From == f.To {
		where = fmt.Sprintf("%+d", f.From)
	}
	return []string{f.Name, where, fmt.Sprintf("%+d", f.Peak), rank, fmt.Sprintf("%.2f", f.Mean), fmt.Sprintf("%.1f", f.Enrichment)}
}
