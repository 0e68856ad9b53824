// Package study holds experiments that can fail: each states a claim, what
// would refute it, and measures, with controls and intervals over several seeds,
// what is the case.
//
// A study is one file with one function from a [Lab] (seed, number of seeds,
// size, cores) to a [Finding] (tables, checks, figures, words). Data is made from
// the seed; only the family of "separation" may be a file that the user names.
// [Command] is "heed study" of the command line,
// which prints findings and writes them as a page.
package study

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"heed/internal/cli"
	"heed/metric"
)

// A Study is one experiment.
type Study struct {
	Name    string
	Title   string
	Claim   string // what is to be shown
	Refuted string // what would refute it
	Takes   string // time at full size on 2 cores, measured
	Run     func(ctx context.Context, l *Lab) (*Finding, error)
}

// All lists the studies in the order in which they are best read.
func All() []Study {
	return []Study{
		reachStudy(),
		heads(),
		mask(),
		costStudy(),
		axial(),
		lenses(),
		rolloutStudy(),
		tissue(),
		planted(),
		leak(),
		separation(),
		lag(),
		lobes(),
	}
}

// Find returns the study of a name.
func Find(name string) (Study, error) {
	all := All()
	i := slices.IndexFunc(all, func(s Study) bool { return s.Name == name })
	if i < 0 {
		var names []string
		for _, s := range all {
			names = append(names, s.Name)
		}
		return Study{}, &cli.UsageError{Reason: fmt.Sprintf("no study %q; there are %s", name, strings.Join(names, ", "))}
	}
	return all[i], nil
}

// A Lab is what a study works with.
type Lab struct {
	Seed  uint64 // of the first repetition; the next have Seed+1, Seed+2, ...
	Seeds int    // repetitions
	Cores int    // 0 means all. Findings do not depend on it
	Tiny  bool   // a size for tests, whose numbers mean little
	// Family is a file with an alignment for the study "separation", and Structure
	// (PDB or mmCIF) or Distances (a table) says which of its columns touch; empty
	// means a family that is made.
	Family, Structure, Distances string
	// Longer multiplies the training of all contenders of "separation"; 0 means 1.
	Longer int
	// Digits is a folder with MNIST for the study "lenses"; empty means none.
	Digits string
	// Volumes is a folder with volumes and masks of tumours for the study "tissue";
	// empty means volumes that are made.
	Volumes string
	// Lungs is a CT of a chest, NIfTI, into which the study "lobes" plants lesions
	// after those that it makes; empty means none.
	Lungs string
	// Tell, if not nil, is called with what is under way.
	Tell func(what string)
}

func (l *Lab) tell(format string, args ...any) {
	if l.Tell != nil {
		l.Tell(fmt.Sprintf(format, args...))
	}
}

// pick returns full, or tiny in a tiny lab.
func (l *Lab) pick(full, tiny int) int {
	if l.Tiny {
		return tiny
	}
	return full
}

// bound returns full, or tiny in a tiny lab: what a short training must reach.
func (l *Lab) bound(full, tiny float64) float64 {
	if l.Tiny {
		return tiny
	}
	return full
}

// A Finding is what a study found.
type Finding struct {
	Tables  []Table
	Figures []Figure
	Checks  []Check
	Words   string // what was found, for a reader of a textbook
}

// A Table has as many cells in every row as it has columns.
type Table struct {
	Title   string
	Columns []string
	Rows    [][]string
	Notes   []string
}

// A Figure is a drawing with the numbers behind it.
type Figure struct {
	Name, Alt, Caption string
	SVG, TSV           []byte
}

// A Check compares a measured number with a bound that was set before.
type Check struct {
	Name  string
	Value metric.Interval // over seeds
	Bound float64
	Upper bool // the bound is an upper one
}

// Met reports whether the estimate keeps the bound.
func (c Check) Met() bool {
	if c.Upper {
		return c.Value.Estimate <= c.Bound
	}
	return c.Value.Estimate >= c.Bound
}

// String writes the check on one line.
func (c Check) String() string {
	sign, verdict := ">=", "met"
	if c.Upper {
		sign = "<="
	}
	if !c.Met() {
		verdict = "MISSED"
	}
	return fmt.Sprintf("%s: %s, wanted %s %g: %s", c.Name, interval(c.Value), sign, c.Bound, verdict)
}

func interval(i metric.Interval) string {
	return fmt.Sprintf("%.3f [%.3f, %.3f]", i.Estimate, i.Low, i.High)
}

// overSeeds returns the mean of one value for each seed, and the range of the
// values: with three to five seeds no quantile says more.
func overSeeds(values []float64) metric.Interval {
	out := metric.Interval{Low: slices.Min(values), High: slices.Max(values)}
	for _, v := range values {
		out.Estimate += v / float64(len(values))
	}
	return out
}
