package motif

import (
	"math"
	"slices"
)

// rows cuts a flat matrix (M·4) into rows (M, 4).
func rows(flat []float64) [][]float64 {
	return slices.Collect(slices.Chunk(flat, 4))
}

func matrix(n int) [][]float64 { return rows(make([]float64, 4*n)) }

// reverseComplement returns the matrix (M, 4) of the other strand.
func reverseComplement(m [][]float64) [][]float64 {
	out := matrix(len(m))
	for i, row := range m {
		for k, v := range row {
			out[len(m)-1-i][3-k] = v // A with T, C with G
		}
	}
	return out
}

// fill computes the matrices and numbers of a motif from its seqlets.
func (m *Motif) fill(in *Input, background [4]float64) {
	n := len(m.profile)
	m.Counts, m.Contribution, m.Hypothetical = matrix(n), matrix(n), matrix(n)
	for g := range Group(groups) {
		m.Of[g] = len(in.tracks(g))
	}
	last := map[Group]int{}
	for _, q := range m.Seqlets {
		if at, ok := last[q.Group]; !ok || at != q.Track { // sorted by track
			m.With[q.Group]++
			last[q.Group] = q.Track
		}
		m.Found[q.Group]++
		if q.Group == Positive {
			m.add(&in.Positives[q.Track], q)
		}
	}
	if m.Found[Positive] > 0 {
		for i := range n {
			for k := range 4 {
				m.Contribution[i][k] /= float64(m.Found[Positive])
				m.Hypothetical[i][k] /= float64(m.Found[Positive])
			}
		}
	}
	m.From, m.To = m.trim(background)
	for i := m.From; i < m.To; i++ {
		for _, v := range m.Contribution[i] {
			m.Mean += v
		}
	}
	m.test(in)
}

// add adds one seqlet to the sums of the matrices.
func (m *Motif) add(t *Track, q Seqlet) {
	n := len(m.Counts)
	for j := range n {
		i := q.Start + j
		if q.Reverse {
			i = q.Start + n - 1 - j
		}
		if i < 0 || i >= len(t.Sequence) {
			continue
		}
		for k, h := range t.Hypothetical[i] {
			if q.Reverse {
				k = 3 - k
			}
			m.Hypothetical[j][k] += h
		}
		if k := code(t.Sequence[i]); k >= 0 {
			h := t.Hypothetical[i][k]
			if q.Reverse {
				k = 3 - k
			}
			m.Counts[j][k]++
			m.Contribution[j][k] += h
		}
	}
}

// Probabilities returns the position weight matrix (M, 4) of all columns, the
// trimmed ones too: shares of the letters, with one letter drawn from the
// background added to each column.
func (m *Motif) Probabilities(background [4]float64) [][]float64 {
	out := matrix(len(m.Counts))
	for i, row := range m.Counts {
		total := 1.0
		for _, v := range row {
			total += v
		}
		for k, v := range row {
			out[i][k] = (v + background[k]) / total
		}
	}
	return out
}

// Information returns, for each row of probabilities (M, 4), its relative
// entropy to the background in bits.
func Information(probabilities [][]float64, background [4]float64) []float64 {
	out := make([]float64, len(probabilities))
	for i, row := range probabilities {
		for k, p := range row {
			if p > 0 {
				out[i] += p * math.Log2(p/background[k])
			}
		}
	}
	return out
}

// A column belongs to a motif if it has this much information, in bits, and
// this share of that of its best column.
const (
	leastBits  = 0.2
	leastShare = 0.2
)

// trim returns the columns from the first to the last with enough information;
// all of them if there is none, and never fewer than three.
func (m *Motif) trim(background [4]float64) (from, to int) {
	bits := Information(m.Probabilities(background), background)
	least := max(leastBits, leastShare*slices.Max(bits))
	from, to = 0, len(bits)
	for from < to && bits[from] < least {
		from++
	}
	if from == to {
		return 0, len(bits)
	}
	for bits[to-1] < least {
		to--
	}
	for to-from < 3 { // widen at the richer side
		if to == len(bits) || from > 0 && bits[from-1] > bits[to] {
			from--
		} else {
			to++
		}
	}
	return from, to
}

// Consensus returns the letters of the trimmed motif: the most frequent of each
// column, in lower case where it has less than half.
func (m *Motif) Consensus() string {
	var out []byte
	for _, row := range m.Counts[m.From:m.To] {
		total, best := 0.0, 0
		for k, v := range row {
			total += v
			if v > row[best] {
				best = k
			}
		}
		c := Letters[best]
		if 2*row[best] < total {
			c |= 0x20
		}
		out = append(out, c)
	}
	return string(out)
}

// At returns the index in the sequence of the first letter of the trimmed motif
// and the one after its last, in the direction of the sequence.
func (m *Motif) At(q Seqlet) (start, end int) {
	if q.Reverse {
		return q.Start + len(m.Counts) - m.To, q.Start + len(m.Counts) - m.From
	}
	return q.Start + m.From, q.Start + m.To
}
