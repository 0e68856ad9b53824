package data

import (
	"fmt"
	"math"
	"math/bits"

	"heed/internal/par"
)

// MSAIdentity is the identity above which two rows of an alignment usually count
// as copies of one another (Morcos et al. 2011, doi 10.1073/pnas.1111471108).
const MSAIdentity = 0.8

// Gaps says what a gap counts in the identity of two rows.
type Gaps uint8

const (
	// GapsCount compares all columns, and a gap equals a gap: the identity is the
	// number of equal columns by that of all, as GREMLIN and CCMpred have it.
	GapsCount Gaps = iota
	// GapsExcluded counts equal residues only, by the number of residues of the
	// row whose weight is asked for, as EVcouplings has it; a fragment can be a
	// copy of a whole sequence and not the other way round.
	GapsExcluded
)

// RowWeights returns the weight of each row of an alignment: 1 by the number of
// rows, itself included, whose identity with it is at least identity, which is
// usually [MSAIdentity]. The sum is [Neff]. Rows have one length; letters in either
// case are equal only to themselves (X equals X), and '-' and '.' are gaps. With
// GapsExcluded a row of gaps alone has the weight 0.
//
// CCMpred, the program in C, wants more than identity where this, like GREMLIN and
// CCMpredPy, wants at least that: the two differ if identity times the columns is
// a whole number.
//
// Time grows with the square of the rows: 50,000 rows of 100 columns take some
// seconds. The result does not depend on the number of cores.
func RowWeights(rows [][]byte, identity float64, gaps Gaps) ([]float64, error) {
	if !(identity > 0 && identity <= 1) {
		return nil, fmt.Errorf("data: identity of %v; it must be above 0 and at most 1", identity)
	}
	p, err := pack(rows)
	if err != nil {
		return nil, err
	}
	counts := p.neighbours(identity, gaps)
	weights := make([]float64, len(rows))
	for i, n := range counts {
		if n > 0 {
			weights[i] = 1 / float64(n)
		}
	}
	return weights, nil
}

// Neff returns the effective number of rows, the sum of their weights.
func Neff(weights []float64) float64 {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	return sum
}

// A packed is an alignment as bits. A letter has 5 bits, kept in 5 planes: word k
// of plane b of a row has bit b of the letters of columns 64k to 64k+63. Two rows
// are compared 64 columns at a time.
type packed struct {
	rows, columns int
	words         int      // of a plane
	bits          [][]cell // [word][row], so that a word of many rows is at hand
	mask          []uint64 // columns of a word
	residues      []int    // of each row, gaps not counted
}

// A cell is 64 columns of one row.
type cell [5]uint64

// gap is the code of a gap: no bit is set, nor beyond the last column.
const gap = 0

func letterCode(c byte) (code uint8, ok bool) {
	switch {
	case 'A' <= c && c <= 'Z':
		return c - 'A' + 1, true
	case 'a' <= c && c <= 'z':
		return c - 'a' + 1, true
	case c == '-' || c == '.':
		return gap, true
	}
	return 0, false
}

func pack(rows [][]byte) (*packed, error) {
	if len(rows) == 0 || len(rows[0]) == 0 {
		return nil, fmt.Errorf("data: alignment without rows or columns")
	}
	n := len(rows[0])
	p := &packed{rows: len(rows), columns: n, words: (n + 63) / 64, residues: make([]int, len(rows))}
	p.bits = make([][]cell, p.words)
	p.mask = make([]uint64, p.words)
	for k := range p.bits {
		p.bits[k] = make([]cell, len(rows))
		p.mask[k] = ^uint64(0) >> (64 - min(64, n-64*k))
	}
	for i, row := range rows {
		if len(row) != n {
			return nil, fmt.Errorf("data: row %d of the alignment has %d columns, want %d", i+1, len(row), n)
		}
		for j, c := range row {
			code, ok := letterCode(c)
			if !ok {
				return nil, fmt.Errorf("data: row %d of the alignment has %q in column %d", i+1, c, j+1)
			}
			if code != gap {
				p.residues[i]++
			}
			for b := range 5 {
				p.bits[j/64][i][b] |= uint64(code>>b&1) << (j % 64)
			}
		}
	}
	return p, nil
}

// differ returns the columns in which two cells differ.
func differ(a, b *cell) uint64 {
	return (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4])
}

// present returns the columns of a cell with a residue.
func (c *cell) present() uint64 { return c[0] | c[1] | c[2] | c[3] | c[4] }

// mismatches returns the number of columns in which two rows differ, or some
// number above most if there are more.
func (p *packed) mismatches(i, j, most int) int {
	n := 0
	for _, bits := range p.bits {
		if n += bitCount(differ(&bits[i], &bits[j])); n > most {
			break
		}
	}
	return n
}

// matches returns the number of columns in which two rows have the same residue,
// and of those in which both have one.
func (p *packed) matches(i, j int) (same, both int) {
	for _, bits := range p.bits {
		a, b := &bits[i], &bits[j]
		present := a.present() & b.present()
		same += bitCount(present &^ differ(a, b))
		both += bitCount(present)
	}
	return same, both
}

func bitCount(x uint64) int { return bits.OnesCount64(x) }

// least returns the smallest whole number that is at least fraction of n.
func least(fraction float64, n int) int {
	// What is a whole number but for rounding, as 0.55*100, is meant to be one.
	return int(math.Ceil(fraction*float64(n) - 1e-9))
}

// block is the side of the squares of pairs that are compared at one time. Their
// cells stay in the cache.
const block = 512

// neighbours returns for each row the number of rows that are close to it, itself
// included. Each pair is compared once; the counts are whole numbers, so that
// their order does not matter.
func (p *packed) neighbours(identity float64, gaps Gaps) []int {
	blocks := (p.rows + block - 1) / block
	workers := max(1, min(par.Cores(), blocks))
	counts := make([][]int32, workers)
	for w := range counts {
		counts[w] = make([]int32, p.rows)
	}
	par.Do(blocks*(blocks+1)/2, workers, func(worker, task int) {
		// Task t is the t-th pair of blocks (a, b) with b <= a.
		a := int((math.Sqrt(8*float64(task)+1) - 1) / 2)
		for a*(a+1)/2 > task {
			a--
		}
		for (a+1)*(a+2)/2 <= task {
			a++
		}
		b := task - a*(a+1)/2
		if gaps == GapsExcluded {
			p.closeResidues(counts[worker], a*block, b*block, identity)
		} else {
			p.closeColumns(counts[worker], a*block, b*block, p.columns-least(identity, p.columns))
		}
	})
	sum := make([]int, p.rows)
	for i := range sum {
		if gaps == GapsCount || p.residues[i] > 0 {
			sum[i] = 1
		}
		for _, c := range counts {
			sum[i] += int(c[i])
		}
	}
	return sum
}

// closeColumns counts the pairs of two blocks of rows that differ in most columns
// at the most.
func (p *packed) closeColumns(count []int32, fromI, fromJ, most int) {
	toI := min(fromI+block, p.rows)
	first := p.bits[0]
	for i := fromI; i < toI; i++ {
		mine := &first[i]
		toJ := min(fromJ+block, p.rows, i)
		for j := fromJ; j < toJ; j++ {
			// The first 64 columns tell almost always.
			if bitCount(differ(mine, &first[j])) > most {
				continue
			}
			if p.words == 1 || p.mismatches(i, j, most) <= most {
				count[i]++
				count[j]++
			}
		}
	}
}

// closeResidues is closeColumns for GapsExcluded.
func (p *packed) closeResidues(count []int32, fromI, fromJ int, identity float64) {
	toI := min(fromI+block, p.rows)
	for i := fromI; i < toI; i++ {
		mine := least(identity, p.residues[i])
		toJ := min(fromJ+block, p.rows, i)
		for j := fromJ; j < toJ; j++ {
			same, _ := p.matches(i, j)
			if p.residues[i] > 0 && same >= mine {
				count[i]++
			}
			if p.residues[j] > 0 && same >= least(identity, p.residues[j]) {
				count[j]++
			}
		}
	}
}
