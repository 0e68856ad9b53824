package motif

import (
	"cmp"
	"math"
	"slices"

	"heed/internal/par"
)

// maxClustered bounds the similarities that are kept at a time, 64 MiB. Of more
// seqlets the highest are clustered; the others join the motifs afterwards.
const maxClustered = 4096

// A finder makes motifs of the seqlets of one sign.
type finder struct {
	in      *Input
	o       Options
	seqlets []Seqlet
}

// view writes o.width() letters from start on into dst (width·4), zeros outside
// of the sequence; in reverse they are those of the other strand. It is the sum
// of the hypothetical contributions, which say what the model would like, and of
// the contributions of the letters that are there: the former alone do not tell
// A from T in TATAAA where a model likes both, and lose the register.
func (f *finder) view(dst []float64, q *Seqlet, start int, reverse bool) {
	t := &f.in.tracks(q.Group)[q.Track]
	n := f.o.width()
	for j := range n {
		i := start + j
		if reverse {
			i = start + n - 1 - j
		}
		row := dst[4*j : 4*j+4]
		if i < 0 || i >= len(t.Hypothetical) {
			clear(row)
			continue
		}
		copy(row, t.Hypothetical[i])
		if k := code(t.Sequence[i]); k >= 0 {
			row[k] *= 2
		}
		if reverse { // A with T, C with G
			slices.Reverse(row)
		}
	}
}

// order sorts the seqlets by what they are and not by where they stood in the
// input: the highest first.
func (f *finder) order() {
	type item struct {
		q    Seqlet
		view []float64
		text string
	}
	items := make([]item, len(f.seqlets))
	for i, q := range f.seqlets {
		v := make([]float64, 4*f.o.width())
		f.view(v, &q, q.Start, false)
		items[i] = item{q, v, string(f.in.tracks(q.Group)[q.Track].Sequence)}
	}
	slices.SortStableFunc(items, func(a, b item) int {
		return cmp.Or(
			cmp.Compare(math.Abs(b.q.Sum), math.Abs(a.q.Sum)),
			cmp.Compare(a.q.Group, b.q.Group),
			cmp.Compare(a.q.Start, b.q.Start),
			cmp.Compare(a.text, b.text),
			slices.Compare(a.view, b.view),
		)
	})
	for i := range items {
		f.seqlets[i] = items[i].q
	}
}

// shifts is the number of letters by which seqlets are moved against each other
// to either side.
func (f *finder) shifts() int { return f.o.width() / 3 }

func (f *finder) strands() int {
	if f.o.Strands {
		return 2
	}
	return 1
}

// overlap returns the scalar product of a and b, both (width·4), with b moved by
// shift letters to the right.
func overlap(a, b []float64, shift int) float64 {
	if shift >= 0 {
		a, b = a[4*shift:], b[:len(b)-4*shift]
	} else {
		a, b = a[:len(a)+4*shift], b[-4*shift:]
	}
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// similar returns the largest cosine of a with b over all shifts; views that
// are moved apart count as zero where they do not overlap.
func similar(a, b []float64, shifts int) float64 {
	norm := math.Sqrt(overlap(a, a, 0) * overlap(b, b, 0))
	if norm == 0 {
		return 0
	}
	best := overlap(a, b, 0)
	for s := 1; s <= shifts; s++ {
		best = max(best, overlap(a, b, s), overlap(a, b, -s))
	}
	return best / norm
}

// clusters returns groups of indices of seqlets, the largest first.
func (f *finder) clusters() [][]int {
	n := min(len(f.seqlets), maxClustered)
	views := make([][][]float64, f.strands())
	for strand := range views {
		views[strand] = make([][]float64, n)
		for i := range n {
			v := make([]float64, 4*f.o.width())
			f.view(v, &f.seqlets[i], f.seqlets[i].Start, strand == 1)
			views[strand][i] = v
		}
	}
	sim := make([]float32, n*n)
	par.Do(n, cores(f.o), func(_, i int) {
		for j := range i {
			best := similar(views[0][i], views[0][j], f.shifts())
			if f.o.Strands {
				best = max(best, similar(views[0][i], views[1][j], f.shifts()))
			}
			sim[i*n+j] = float32(best)
		}
	})
	for i := range n {
		for j := range i {
			sim[j*n+i] = sim[i*n+j]
		}
	}
	return linkage(sim, n, float32(f.o.Similar))
}

// linkage clusters n items by average linkage of their similarities (n, n),
// which it overwrites, as long as two clusters have a mean similarity of cut or
// more (Sokal and Michener 1958; by chains of nearest neighbours, Murtagh
// 1983). Of equals the first is taken.
func linkage(sim []float32, n int, cut float32) [][]int {
	members := make([][]int, n) // nil once merged into another or left alone
	active := make([]bool, n)
	for i := range n {
		members[i], active[i] = []int{i}, true
	}
	var chain []int
	for next := 0; ; {
		if len(chain) == 0 {
			for next < n && !active[next] {
				next++
			}
			if next == n {
				break
			}
			chain = append(chain, next)
		}
		top := chain[len(chain)-1]
		before := -1
		if len(chain) > 1 {
			before = chain[len(chain)-2]
		}
		best := before
		row := sim[top*n : top*n+n]
		for j, s := range row {
			if active[j] && j != top && (best < 0 || s > row[best]) {
				best = j
			}
		}
		switch {
		case best < 0 || row[best] < cut:
			// Means over unions are no larger than the larger part: this one
			// will never come close to another.
			active[top] = false
			chain = chain[:len(chain)-1]
		case best == before:
			chain = chain[:len(chain)-2]
			a, b := min(top, best), max(top, best)
			wa, wb := float32(len(members[a])), float32(len(members[b]))
			for j := range n {
				if active[j] {
					s := (wa*sim[a*n+j] + wb*sim[b*n+j]) / (wa + wb)
					sim[a*n+j], sim[j*n+a] = s, s
				}
			}
			members[a] = append(members[a], members[b]...)
			members[b], active[b] = nil, false
		default:
			chain = append(chain, best)
		}
	}
	var out [][]int
	for _, m := range members {
		if m != nil {
			slices.Sort(m)
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b []int) int { return cmp.Compare(len(b), len(a)) })
	return out
}
