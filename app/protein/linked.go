package protein

import (
	"bytes"
	"fmt"
	"slices"

	"heed/format/pdb"
	"heed/metric"
	"heed/report"
)

// A rankedPair is a pair of positions from 0, with what a model says of it.
type rankedPair struct {
	I, J  int
	Score float64
}

// linked shows pairs on a map and in the chain of a structure. It is false for a
// chain that the page cannot hold.
func (t *Truth) linked(name, alt, caption string, letters []byte, pairs []rankedPair) (report.Structure, bool) {
	l := len(letters)
	s := report.Structure{Name: name, Alt: alt, Caption: caption, Residues: make([]int, l), Labels: make([]string, l)}
	// The page has its own numbers, so that insertion codes do not matter.
	chain := pdb.Chain{ID: "A", Residues: slices.Clone(t.Chain.Residues)}
	for k := range chain.Residues {
		chain.Residues[k].Number, chain.Residues[k].Insertion = k+1, 0
	}
	for i := range letters {
		s.Labels[i] = fmt.Sprintf("%c%d", letters[i], i+1)
		k := t.Match.Residues[i]
		if k >= 0 && chain.Residues[k].Atom("CA") != nil {
			s.Residues[i] = k + 1
			if r := t.Chain.Residues[k]; r.Seq() != fmt.Sprint(i+1) {
				s.Labels[i] += " (" + r.Seq() + " in the file)"
			}
		}
	}
	for _, p := range pairs {
		x := report.StructurePair{I: p.I, J: p.J, Score: p.Score, Verdict: report.NotKnown}
		if t.Distances.Known(p.I, p.J) {
			x.Distance = t.Distances.At(p.I, p.J)
			x.Verdict = report.NotInContact
			if t.Touch[p.I*l+p.J] == metric.Contact {
				x.Verdict = report.InContact
			}
		}
		s.Predicted = append(s.Predicted, x)
	}
	for i := range l {
		for j := i + nearest; j < l; j++ {
			if t.Touch[i*l+j] == metric.Contact {
				s.Contacts = append(s.Contacts, [2]int{i, j})
			}
		}
	}
	var b bytes.Buffer
	if l > report.MaxPositions || len(chain.Residues) > 9999 || pdb.Write(&b, &pdb.Structure{Chains: []pdb.Chain{chain}}, nil) != nil {
		return s, false
	}
	s.PDB = b.Bytes()
	return s, true
}

// linkedBlocks links the first L pairs of the first model with the structure.
func (o *Outcome) linkedBlocks() []report.Block {
	if o.Truth == nil || o.Truth.Chain == nil {
		return nil
	}
	m := o.Fit.models()[0]
	var pairs []rankedPair
	top := o.Fit.ranked(o.Family, []*Scores{m}, nearest)
	for _, p := range top[:min(len(o.Family.Query), len(top))] {
		pairs = append(pairs, rankedPair{p.I, p.J, p.APC[0]})
	}
	s, ok := o.Truth.linked("structure-"+m.Method, "Contact map of "+m.Method+" linked with the structure",
		fmt.Sprintf("The first %d pairs of %s above the diagonal, contacts of the structure below. A pair that is pressed is drawn between the C-alpha atoms of its residues.", len(pairs), m.Method), o.Family.Query, pairs)
	if !ok {
		return nil
	}
	return []report.Block{s}
}
