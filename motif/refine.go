package motif

import (
	"cmp"
	"math"
	"slices"

	"heed/internal/par"
)

const (
	alike     = 0.8 // cosine of two profiles that are one motif
	maxRounds = 30  // of alignment; it settles within a few
	seeds     = 32  // seqlets of a cluster from which the first of its alignment is chosen
)

// A place is where a seqlet lies in a motif: its start and strand, and the
// cosine with the profile.
type place struct {
	motif   int // -1 for none
	start   int
	reverse bool
	cosine  float64
}

// motifs clusters the seqlets and refines the clusters to motifs, those with
// the most seqlets in positives first.
func (f *finder) motifs() []*Motif {
	var profiles [][]float64
	for _, c := range f.clusters() {
		if len(c) >= max(3, f.o.Least/4) { // small ones may still be parts of one motif
			profiles = append(profiles, f.seed(c))
		}
	}
	places := make([]place, len(f.seqlets))
	for i := range places {
		places[i].motif = -1
	}
	for range maxRounds {
		profiles = f.merge(profiles)
		now := f.assign(profiles)
		kept := f.count(now, len(profiles))
		next := make([][]float64, 0, len(profiles))
		index := make([]int, len(profiles))
		for m := range profiles {
			index[m] = -1
			if kept[m] >= f.o.Least {
				index[m] = len(next)
				next = append(next, f.profile(now, m))
			}
		}
		for i := range now {
			if m := now[i].motif; m >= 0 {
				now[i].motif = index[m]
			}
		}
		settled := len(next) == len(profiles) && slices.EqualFunc(now, places, func(a, b place) bool {
			return a.motif == b.motif && a.start == b.start && a.reverse == b.reverse
		})
		profiles, places = next, now
		if settled {
			break
		}
	}
	return f.collect(profiles, places)
}

// seed returns the profile of a cluster: its members aligned to the one of its
// highest that is most like the others.
func (f *finder) seed(cluster []int) []float64 {
	first := cluster[:min(len(cluster), seeds)]
	views := make([][]float64, len(first))
	for i, s := range first {
		views[i] = make([]float64, 4*f.o.width())
		f.view(views[i], &f.seqlets[s], f.seqlets[s].Start, false)
	}
	best, most := 0, math.Inf(-1)
	for i := range views {
		sum := 0.0
		for j := range views {
			sum += similar(views[i], views[j], f.shifts())
		}
		if sum > most {
			best, most = i, sum
		}
	}
	profile := views[best]
	for range 3 {
		places := make([]place, len(f.seqlets))
		for i := range places {
			places[i].motif = -1
		}
		for _, s := range cluster {
			places[s] = f.align(s, [][]float64{profile}, make([]float64, 4*f.o.width()))
		}
		profile = f.profile(places, 0)
	}
	return profile
}

// align returns the best place of a seqlet among the profiles, each of norm 1.
func (f *finder) align(s int, profiles [][]float64, view []float64) place {
	q := &f.seqlets[s]
	best := place{motif: -1, cosine: math.Inf(-1)}
	for strand := range f.strands() {
		for d := range 2*f.shifts() + 1 {
			shift := (d + 1) / 2 // 0, 1, -1, 2, ...: of equals the least moved
			if d%2 == 0 {
				shift = -shift
			}
			f.view(view, q, q.Start+shift, strand == 1)
			norm := math.Sqrt(overlap(view, view, 0))
			if norm == 0 {
				continue
			}
			for m, p := range profiles {
				if c := overlap(view, p, 0) / norm; c > best.cosine {
					best = place{m, q.Start + shift, strand == 1, c}
				}
			}
		}
	}
	return best
}

// assign puts every seqlet to the profile that it resembles most, if it
// resembles any.
func (f *finder) assign(profiles [][]float64) []place {
	out := make([]place, len(f.seqlets))
	n := cores(f.o)
	views := make([][]float64, n)
	par.Do(len(out), n, func(worker, s int) {
		if views[worker] == nil {
			views[worker] = make([]float64, 4*f.o.width())
		}
		out[s] = f.align(s, profiles, views[worker])
		if out[s].cosine < f.o.Similar {
			out[s] = place{motif: -1}
		}
	})
	return out
}

// count returns the seqlets in positives of each motif.
func (f *finder) count(places []place, motifs int) []int {
	n := make([]int, motifs)
	for s, p := range places {
		if p.motif >= 0 && f.seqlets[s].Group == Positive {
			n[p.motif]++
		}
	}
	return n
}

// profile returns the mean of the views of a motif's seqlets, all of norm 1
// and scaled to norm 1 again.
func (f *finder) profile(places []place, motif int) []float64 {
	sum, view := make([]float64, 4*f.o.width()), make([]float64, 4*f.o.width())
	for s, p := range places {
		if p.motif != motif {
			continue
		}
		f.view(view, &f.seqlets[s], p.start, p.reverse)
		if norm := math.Sqrt(overlap(view, view, 0)); norm > 0 {
			for i, v := range view {
				sum[i] += v / norm
			}
		}
	}
	if norm := math.Sqrt(overlap(sum, sum, 0)); norm > 0 {
		for i := range sum {
			sum[i] /= norm
		}
	}
	return sum
}

// merge drops every profile that is like one before it: its seqlets will find
// that one.
func (f *finder) merge(profiles [][]float64) [][]float64 {
	var out [][]float64
	for _, p := range profiles {
		q := slices.Clone(p) // the other strand: positions and letters in reverse
		slices.Reverse(q)
		if !slices.ContainsFunc(out, func(o []float64) bool {
			return similar(o, p, f.o.width()/2) >= alike || f.o.Strands && similar(o, q, f.o.width()/2) >= alike
		}) {
			out = append(out, p)
		}
	}
	return out
}

// collect makes motifs of the places.
func (f *finder) collect(profiles [][]float64, places []place) []*Motif {
	motifs := make([]*Motif, len(profiles))
	for m, p := range profiles {
		motifs[m] = &Motif{profile: rows(p)}
	}
	for s, p := range places {
		if p.motif < 0 {
			continue
		}
		q := f.seqlets[s]
		q.Start, q.Reverse, q.Similarity = p.start, p.reverse, p.cosine
		motifs[p.motif].Seqlets = append(motifs[p.motif].Seqlets, q)
	}
	for _, m := range motifs {
		m.Seqlets = f.distinct(m.Seqlets)
		if f.o.Strands {
			m.turn()
		}
	}
	positives := func(m *Motif) int {
		n := 0
		for _, q := range m.Seqlets {
			if q.Group == Positive {
				n++
			}
		}
		return n
	}
	slices.SortStableFunc(motifs, func(a, b *Motif) int { return cmp.Compare(positives(b), positives(a)) })
	return motifs
}

// distinct sorts seqlets by place, and of those that were moved onto each other
// keeps the one that fits best.
func (f *finder) distinct(list []Seqlet) []Seqlet {
	slices.SortStableFunc(list, func(a, b Seqlet) int { return cmp.Compare(b.Similarity, a.Similarity) })
	type sequence struct {
		g Group
		i int
	}
	taken := map[sequence][]int{}
	var out []Seqlet
	for _, q := range list {
		at := sequence{q.Group, q.Track}
		if !slices.ContainsFunc(taken[at], func(start int) bool { return max(start-q.Start, q.Start-start) < f.o.Window/2 }) {
			taken[at] = append(taken[at], q.Start)
			out = append(out, q)
		}
	}
	slices.SortFunc(out, func(a, b Seqlet) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Track, b.Track), cmp.Compare(a.Start, b.Start))
	})
	return out
}

// turn makes the strand on which most seqlets lie the one the motif reads on.
func (m *Motif) turn() {
	reverse := 0
	for _, q := range m.Seqlets {
		if q.Reverse {
			reverse++
		}
	}
	if 2*reverse <= len(m.Seqlets) {
		return
	}
	for i := range m.Seqlets {
		m.Seqlets[i].Reverse = !m.Seqlets[i].Reverse
	}
	m.profile = reverseComplement(m.profile)
}
