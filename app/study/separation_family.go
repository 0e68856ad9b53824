package study

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"

	"heed/data"
	"heed/format"
	"heed/format/msa"
	"heed/format/pairs"
	"heed/format/pdb"
	"heed/internal/cli"
	"heed/metric"
	"heed/model/alignment"
)

// A family is an alignment with what is known of its pairs of columns.
type family struct {
	title   string
	rows    [][]byte       // the query first
	truth   []metric.Touch // (L, L)
	contact string         // what a contact is
	k       int            // the top L/k pairs are counted
	notes   []string
}

// family returns that of the files of the command line, or a planted one.
func (l *Lab) family(seed uint64) (*family, error) {
	if l.Family == "" {
		return plantedFamily(l.pick(60, 30), l.pick(3000, 240), rand.New(rand.NewPCG(seed, 5)))
	}
	return readFamily(l.Family, l.Structure, l.Distances)
}

// plantedRange is the number of pairs that go together in each range of
// separations, as L/plantedRange.
const plantedRange = 10

// plantedFamily makes n rows of l columns. Every column has six amino acids of
// equal frequency, so that a profile is right one time in six. In each range of
// separations there are l/10 pairs of columns, no column in two, whose letters
// determine each other in 85 % of the rows.
func plantedFamily(l, n int, r *rand.Rand) (*family, error) {
	const letters, together = 6, 0.85
	f := &family{title: fmt.Sprintf("planted family: %d rows of %d columns", n, l), truth: make([]metric.Touch, l*l), k: plantedRange,
		contact: "a pair of columns that was planted"}
	for i := range f.truth {
		f.truth[i] = metric.Apart
	}
	var chosen [][2]int
	for chosen == nil {
		chosen = plantPairs(l, r)
	}
	alphabet, partner := make([][]int, l), make([][]int, l) // partner[j][k]: letter of column i for letter k of j
	from := make([]int, l)
	for c := range l {
		alphabet[c], from[c] = r.Perm(alignment.Residues)[:letters], -1
	}
	for _, p := range chosen {
		from[p[1]], partner[p[1]] = p[0], r.Perm(letters)
		f.truth[p[0]*l+p[1]], f.truth[p[1]*l+p[0]] = metric.Contact, metric.Contact
	}
	for range n {
		index, row := make([]int, l), make([]byte, l)
		for c := range l {
			index[c] = r.IntN(letters)
			if i := from[c]; i >= 0 && r.Float64() < together {
				index[c] = partner[c][index[i]]
			}
			row[c] = alignment.AminoAcids[alphabet[c][index[c]]]
		}
		f.rows = append(f.rows, row)
	}
	f.notes = []string{fmt.Sprintf("Planted: %d pairs in each range of separations; the letters of a pair determine each other in %.0f %% of the rows, and each column alone is one of %d letters.", l/plantedRange, 100*together, letters)}
	return f, nil
}

// plantPairs draws pairs i < j of columns for every range, or nil if it ran into a
// dead end.
func plantPairs(l int, r *rand.Rand) [][2]int {
	used := make([]bool, l)
	var out [][2]int
	ranges := metric.Separations()[:3]
	slices.Reverse(ranges) // long ones have the least choice
	for _, s := range ranges {
		for range l / plantedRange {
			var free [][2]int
			for i := range l {
				for j := i + 1; j < l; j++ {
					if !used[i] && !used[j] && s.Has(j-i) {
						free = append(free, [2]int{i, j})
					}
				}
			}
			if len(free) == 0 {
				return nil
			}
			p := free[r.IntN(len(free))]
			used[p[0]], used[p[1]] = true, true
			out = append(out, p)
		}
	}
	return out
}

// readFamily reads an alignment and the structure of its first row, or a table of
// distances between all columns. Rows that fill less than half of the columns are
// left out.
func readFamily(file, structure, distances string) (*family, error) {
	if (structure == "") == (distances == "") {
		return nil, &cli.UsageError{Reason: "--family needs --structure or --distances, and not both"}
	}
	in, err := format.Open(file)
	if err != nil {
		return nil, err
	}
	a, err := msa.Read(file, in)
	in.Close()
	if err != nil {
		return nil, err
	}
	if structure != "" {
		if a, err = a.MatchQuery(); err != nil {
			return nil, format.Invalidf(file, 0, "%w", err)
		}
	}
	f := &family{title: fmt.Sprintf("family of %s", a.Rows[0].Name), k: 1}
	seqs := a.Seqs()
	columns := len(seqs[0])
	for i, row := range seqs {
		if gaps := bytes.Count(row, []byte("-")); i == 0 || 2*gaps <= columns {
			f.rows = append(f.rows, row)
		}
	}
	f.title += fmt.Sprintf(": %d rows of %d columns", len(f.rows), columns)
	if left := len(seqs) - len(f.rows); left > 0 {
		f.notes = append(f.notes, fmt.Sprintf("%d rows fill less than half of the columns and were left out.", left))
	}
	if structure != "" {
		return f, f.readStructure(structure)
	}
	return f, f.readDistances(distances)
}

// cutoff is the distance in Å below which two residues are in contact.
const cutoff = 8

func (f *family) readStructure(file string) error {
	in, err := format.Open(file)
	if err != nil {
		return err
	}
	s, err := pdb.Read(file, in)
	in.Close()
	if err != nil {
		return err
	}
	query := bytes.ReplaceAll(f.rows[0], []byte("-"), []byte("X"))
	var first error
	for i := range s.Chains {
		m, err := s.Chains[i].Align(query, pdb.Alignment{})
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		d := m.Distances(s.Chains[i].BetaDistances(pdb.RealBeta))
		l := len(query)
		f.truth = make([]metric.Touch, l*l)
		for k := range f.truth {
			switch a, b := k/l, k%l; {
			case a == b || !d.Known(a, b):
			case d.Contact(a, b, cutoff):
				f.truth[k] = metric.Contact
			default:
				f.truth[k] = metric.Apart
			}
		}
		f.contact = fmt.Sprintf("C-beta atoms closer than %d Å", cutoff)
		return nil
	}
	return format.Invalidf(file, 0, "%w", first)
}

func (f *family) readDistances(file string) error {
	in, err := format.Open(file)
	if err != nil {
		return err
	}
	list, err := pairs.Read(file, in)
	in.Close()
	if err != nil {
		return err
	}
	l := len(f.rows[0])
	f.truth = make([]metric.Touch, l*l)
	for _, p := range list {
		if p.J > l {
			return format.Invalidf(file, p.Line, "position %d of %d columns", p.J, l)
		}
		if p.Value <= 0 {
			continue // not known
		}
		t := metric.Apart
		if p.Value < cutoff {
			t = metric.Contact
		}
		f.truth[(p.I-1)*l+p.J-1], f.truth[(p.J-1)*l+p.I-1] = t, t
	}
	f.contact = fmt.Sprintf("distance in the table less than %d Å", cutoff)
	return nil
}

// split keeps clusters of rows that are 80 % identical whole: a tenth each for
// choosing the epoch and for the test.
func (f *family) split(seed uint64) (p data.Parts, clusters []int, err error) {
	if clusters, err = data.RowClusters(f.rows, data.MSAIdentity); err != nil {
		return p, nil, err
	}
	p, err = data.ClusteredHoldout(make([]int, len(f.rows)), clusters, 0.1, 0.1, rand.New(rand.NewPCG(seed, 6)))
	return p, clusters, err
}
