package protein

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"heed/format"
	"heed/format/dms"
	"heed/internal/cli"
	"heed/model/alignment"
	"heed/model/esm"
)

// A VariantScorer says how a change of a protein changes its probability, as the
// logarithm of the ratio of mutant and wild type: higher is more like what the model
// has seen.
type VariantScorer interface {
	// Site returns the score of each amino acid, in the order of dms.Letters, at a
	// position from 0; NaN where the model has none.
	Site(position int) []float64
	// Score returns that of several changes at once.
	Score(changes []Change) float64
}

// A Change puts a letter at a position, from 0.
type Change struct {
	Position int
	To       byte
}

// siteScores are independent sites: changes add up (Meier et al. 2021).
type siteScores map[int][]float64

func (s siteScores) Site(position int) []float64 { return s[position] }

func (s siteScores) Score(changes []Change) float64 {
	sum := 0.0
	for _, c := range changes {
		sum += s[c.Position][strings.IndexByte(dms.Letters, c.To)]
	}
	return sum
}

// siteScores of an encoder, at positions of a protein. With masked, each position is
// hidden in turn (masked marginal); else all are read off one pass that hides nothing
// (wild-type marginal):
//
//	score(i, b) = log p(b | rest) - log p(wild type | rest)
//
// see, if not nil, is told how many positions are done.
func (e *encoderModel) siteScores(ctx context.Context, p Protein, positions []int, masked bool, plan *memoryPlan, see func(done, of int)) (siteScores, error) {
	out := siteScores{}
	take := func(at []int, logs []float64) {
		for k, i := range at {
			row := logs[k*esm.Tokens : (k+1)*esm.Tokens]
			x := make([]float64, len(dms.Letters))
			wild := p.IDs[i+1]
			for a := range x {
				x[a] = row[tokenOf(dms.Letters[a])] - row[wild]
				if name := esm.Name(wild); !strings.Contains(dms.Letters, name) {
					x[a] = math.NaN() // nothing to compare with
				}
			}
			out[i] = x
		}
		if see != nil {
			see(len(out), len(positions))
		}
	}
	size := 1
	switch {
	case !masked:
		size = len(positions)
	case e.alignment == nil:
		size = max(1, plan.Tokens/len(p.IDs))
	}
	for at := range slices.Chunk(positions, max(1, size)) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		take(at, e.logs(p, at, masked, plan.Work))
	}
	return out, nil
}

// logs returns the logarithms of probabilities (len(at), 33) at some positions.
func (e *encoderModel) logs(p Protein, at []int, masked bool, w esm.Work) []float64 {
	rows := make([]int, len(at))
	if e.alignment != nil {
		first := slices.Clone(p.Rows[0])
		for k, i := range at {
			rows[k] = i + 1
			if masked {
				first[i+1] = esm.Mask
			}
		}
		return e.alignment.LogProbabilities(append([][]int32{first}, p.Rows[1:]...), rows, w)
	}
	var copies [][]int32
	for k, i := range at {
		rows[k] = i + 1
		if masked {
			hidden := slices.Clone(p.IDs)
			hidden[i+1] = esm.Mask
			copies = append(copies, hidden)
			rows[k] += k * len(p.IDs)
		}
	}
	if !masked {
		copies = [][]int32{p.IDs}
	}
	return e.sequence.LogProbabilities(esm.Pack(copies...), rows, w)
}

// tokenOf returns the token of an amino acid.
func tokenOf(letter byte) int32 {
	ids, _, err := esm.Encode(string(letter))
	if err != nil {
		panic(err) // the letters are ours
	}
	return ids[1]
}

// pottsScorer is a fitted family; several changes are seen together.
type pottsScorer struct {
	potts  *alignment.Potts
	states []uint8     // (L) of the query
	column map[int]int // of positions of the query
}

func newPottsScorer(f *Family, p *alignment.Potts) *pottsScorer {
	s := &pottsScorer{potts: p, states: f.States[:f.Family.Columns], column: map[int]int{}}
	for k, i := range f.Columns {
		s.column[i] = k
	}
	return s
}

func (s *pottsScorer) Site(position int) []float64 {
	x := make([]float64, len(dms.Letters))
	for a := range x {
		x[a] = s.Score([]Change{{position, dms.Letters[a]}})
	}
	return x
}

func (s *pottsScorer) Score(changes []Change) float64 {
	var at []int
	var to []uint8
	for _, c := range changes {
		k, ok := s.column[c.Position]
		if !ok || s.states[k] == alignment.Gap {
			return math.NaN()
		}
		at, to = append(at, k), append(to, alignment.State(c.To))
	}
	return s.potts.Difference(s.states, at, to)
}

// frequencyScores is the site-independent model of a family, a floor.
func frequencyScores(f *Family) siteScores {
	logs, out := f.Frequencies(), siteScores{}
	for i := range f.Query {
		out[i] = slices.Repeat([]float64{math.NaN()}, len(dms.Letters))
	}
	for k, i := range f.Columns {
		row := logs[k*alignment.Residues : (k+1)*alignment.Residues]
		wild := alignment.State(f.Query[i])
		if wild == alignment.Gap {
			continue
		}
		for a := range out[i] {
			out[i][a] = row[alignment.State(dms.Letters[a])] - row[wild]
		}
	}
	return out
}

// changes finds the positions of variants in a sequence whose first residue has the
// number first, and checks that the letters are there.
func changes(file string, list []dms.Variant, name string, seq []byte, first int) ([][]Change, error) {
	out := make([][]Change, len(list))
	for k, v := range list {
		for _, s := range v.Substitutions {
			i := s.Position - first
			var err error
			switch {
			case i < 0 || i >= len(seq):
				err = format.Invalidf(file, v.Line, "variant %q: position %d; %s has %d to %d", v.Name, s.Position, name, first, first+len(seq)-1)
			case seq[i] != s.From:
				err = format.Invalidf(file, v.Line, "variant %q: residue %d of %s is %c, not %c", v.Name, s.Position, name, seq[i], s.From)
			}
			if err != nil {
				return nil, cli.Hint(err, offsetHint(list, seq, first))
			}
			out[k] = append(out[k], Change{i, s.To})
		}
	}
	return out, nil
}

// offsetHint finds the offset with which all variants would fit.
func offsetHint(list []dms.Variant, seq []byte, first int) string {
	const otherwise = "--offset says which number the first residue of the sequence has in the names of variants"
	low, high := math.MaxInt, math.MinInt
	letters := map[int]byte{}
	for _, v := range list {
		for _, s := range v.Substitutions {
			if was, ok := letters[s.Position]; ok && was != s.From {
				return fmt.Sprintf("the variants themselves disagree: residue %d is %c in one and %c in another", s.Position, min(was, s.From), max(was, s.From))
			}
			letters[s.Position] = s.From
			low, high = min(low, s.Position), max(high, s.Position)
		}
	}
	var fits []int
	for o := high - len(seq) + 1; o <= low && len(fits) < 2; o++ {
		ok := true
		for position, letter := range letters {
			if seq[position-o] != letter {
				ok = false
				break
			}
		}
		if ok {
			fits = append(fits, o)
		}
	}
	if len(fits) == 1 && fits[0] != first && len(letters) >= 5 {
		return fmt.Sprintf("all %d positions agree with --offset %d", len(letters), fits[0])
	}
	return otherwise
}
