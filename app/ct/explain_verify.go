package ct

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"text/tabwriter"

	"heed/explain"
)

// A ScanVerdict is what the referee says about the maps of a scan.
type ScanVerdict struct {
	Replacements []*explain.Verification // blocks replaced by a blurred copy, and by the mean
	Agreement    *explain.Agreement
	// One result for each method; Seeds is nil if there is one model.
	Randomised []*explain.Randomised // nil where it would take too long
	Logits     []*explain.LogitTest
	Seeds      []*explain.Stability
	Models     int
}

// measuredCells is the largest number of cells at which occlusion is measured again
// under random parameters: a dozen times as many passes as the map itself.
const measuredCells = 1024

// verify puts the maps to the test: the log-odds must fall when the blocks on top
// are replaced, and hardly when they alone are kept, more than for random orders
// of the blocks; and maps must change with the parameters and with the class.
func (e *ScanExplanation) verify(ctx context.Context, class int, seed uint64) (*ScanVerdict, error) {
	v := &ScanVerdict{}
	x := e.x
	var ms []explain.Method
	var scores [][]float64
	for _, m := range e.Maps {
		ms, scores = append(ms, m.Method), append(scores, m.Scores)
	}
	for _, r := range []replacement{blurredAway, filled} {
		ver, err := explain.Referee{Replacement: r.name}.Verify(ctx, rand.New(rand.NewPCG(seed, 1)), ms,
			[]explain.Example{{Game: x.blockGame(r, class), Scores: scores}})
		if err != nil {
			return nil, err
		}
		v.Replacements = append(v.Replacements, ver)
	}
	var err error
	if v.Agreement, err = explain.Agree(rand.New(rand.NewPCG(seed, 2)), ms, []explain.Example{{Scores: scores}}, 0.1); err != nil {
		return nil, err
	}
	methods := scanMethods(x.config())
	for k, m := range methods {
		r, err := x.randomised(ctx, m, class, seed)
		if err != nil {
			return nil, fmt.Errorf("random parameters, %s: %w", m.Name, err)
		}
		v.Randomised = append(v.Randomised, r)
		other, err := m.score(ctx, x, 1-class)
		if err != nil {
			return nil, err
		}
		t, err := explain.RandomLogit(rand.New(rand.NewPCG(seed, 4)), [][]float64{scores[k]}, [][]float64{other})
		if err != nil {
			return nil, err
		}
		v.Logits = append(v.Logits, t)
	}
	if v.Models = len(x.model.Members); v.Models > 1 {
		for _, m := range methods {
			maps := make([][][]float64, v.Models)
			for k := range maps {
				s, err := m.score(ctx, x.member(k), class)
				if err != nil {
					return nil, err
				}
				maps[k] = [][]float64{s}
			}
			s, err := explain.SeedStability(maps)
			if err != nil {
				return nil, err
			}
			v.Seeds = append(v.Seeds, s)
		}
	}
	for m, sm := range e.Maps {
		sm.Unfaithful = explain.Unfaithful(v.Replacements, m)
	}
	return v, nil
}

// member is x with one of its models.
func (x *explaining) member(k int) *explaining {
	one, fitted := *x, *x.model
	fitted.Members = fitted.Members[k : k+1]
	one.model = &fitted
	return &one
}

// randomised asks whether a map depends on what the first member has learned; nil
// where that would take too long.
func (x *explaining) randomised(ctx context.Context, m scanMethod, class int, seed uint64) (*explain.Randomised, error) {
	if m.blocks && x.config().Tokens() > measuredCells {
		return nil, nil
	}
	first := x.member(0)
	return explain.ParameterTest{Module: first.model.Members[0]}.Run(ctx, rand.New(rand.NewPCG(seed, 3)), func() ([][]float64, error) {
		s, err := m.score(ctx, first, class)
		return [][]float64{s}, err
	})
}

// sanity returns a row of the table of sanity.
func (v *ScanVerdict) sanity(i int, name string) []string {
	signs, seeds := v.Replacements[0].Methods[i].Signs, "-"
	wrong := signs.String()
	if !signs.Unsigned && signs.Counted > 0 {
		wrong = fmt.Sprintf("%.0f %% [%.0f, %.0f]", 100*signs.Rate.Estimate, 100*signs.Rate.Low, 100*signs.Rate.High)
	}
	other := "-"
	if rho := v.Logits[i].Rho.Estimate; !math.IsNaN(rho) {
		other = fmt.Sprintf("%.2f", rho)
	}
	if v.Logits[i].ClassAgnostic {
		other += " (class-agnostic)"
	}
	if v.Seeds != nil {
		s := v.Seeds[i]
		seeds = fmt.Sprintf("%.2f [%.2f, %.2f]", s.Mean, s.Low, s.High)
	}
	random := "not tested"
	if r := v.Randomised[i]; r != nil {
		random = fmt.Sprintf("%s, %.2f", r.Grade, r.Cascade[len(r.Cascade)-1].Rho.Estimate)
	}
	return []string{name, wrong, random, other, seeds}
}

// print writes the verdict for a terminal.
func (v *ScanVerdict) print(w io.Writer) error {
	for _, r := range v.Replacements {
		fmt.Fprintf(w, "\nfaithfulness, blocks replaced by %s: gain over %d random orders, nats [95 %% of the orders]\n", r.Replacement, r.Orders)
		t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		fmt.Fprintln(t, "method\tcomprehensiveness\tsufficiency\tverdict")
		for i := range r.Methods {
			f := &r.Methods[i]
			verdict, _, _ := strings.Cut(f.Sentence, ":")
			c, s := f.Comprehensiveness.Gain, f.Sufficiency.Gain
			fmt.Fprintf(t, "%s\t%+.2f [%+.2f, %+.2f]\t%+.2f [%+.2f, %+.2f]\t%s\n", f.Name, c.Estimate, c.Low, c.High, s.Estimate, s.Low, s.High, verdict)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "method\twrong sign\trandom parameters\tother class\tother seeds")
	for i, f := range v.Replacements[0].Methods {
		fmt.Fprintln(t, strings.Join(v.sanity(i, f.Name), "\t"))
	}
	return t.Flush()
}
