package protein

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"time"

	"heed/format/pdb"
	"heed/internal/cli"
)

// A Job is everything that decides the numbers.
type Job struct {
	Family    FamilyConfig
	Structure StructureConfig
	Fit       FitConfig
	Seed      uint64
	Version   string
	Command   []string
}

// An Outcome is what a job found.
type Outcome struct {
	Job        *Job
	Family     *Family
	Truth      *Truth // nil without a structure
	Fit        *Fit
	Comparison *Comparison // nil without a structure
	Heads      []Head      // none without factored attention
	Pooled     Sample      // pairs attended to by all heads
	// AxialHeads are those of the row attention of the axial transformer, layer by
	// layer; AxialPooled as above.
	AxialHeads  []Head
	AxialPooled Sample
	Plan        Plan
}

// Load reads and checks everything before any mathematics starts.
func (j *Job) Load() (*Outcome, error) {
	j.Family.Seed, j.Fit.Factored.Seed, j.Fit.Axial.Seed = j.Seed, j.Seed, j.Seed
	if err := j.Fit.Validate(); err != nil {
		return nil, err
	}
	if err := j.Structure.Validate(); err != nil {
		return nil, err
	}
	f, err := j.Family.Load()
	if err != nil {
		return nil, err
	}
	t, err := j.Structure.Load(f.Query)
	if err != nil {
		return nil, err
	}
	plan, err := j.Fit.Plan(f, j.Family.File)
	return &Outcome{Job: j, Family: f, Truth: t, Plan: plan}, err
}

// Run fits the models and measures them.
func (o *Outcome) Run(ctx context.Context, see func(model string, step, steps int)) (err error) {
	if o.Fit, err = o.Job.Fit.Fit(ctx, o.Family, see); err != nil {
		return err
	}
	if o.Truth != nil {
		if o.Comparison, err = Compare(o.Family, o.Fit, o.Truth, o.Job.Seed); err != nil {
			return err
		}
	}
	if o.Fit.Factored != nil {
		o.Heads, o.Pooled = DescribeHeads(o.Family, o.Fit.Factored, o.Truth, o.Job.Seed)
	}
	if o.Fit.Axial != nil {
		o.AxialHeads, o.AxialPooled = describeAxialHeads(o.Family, o.Fit.Axial, o.Fit.Reading, o.Truth, o.Job.Seed)
	}
	return ctx.Err()
}

// describe says what was read and what the fit will need.
func (o *Outcome) describe(w io.Writer) {
	f := o.Family
	fmt.Fprintf(w, "%s: %d of %d sequences, %d of %d positions of %s; effective number %.1f\n",
		o.Job.Family.File, f.Sequences, f.RowsRead, f.Family.Columns, len(f.Query), f.Name, f.Neff)
	if f.LowCoverage+f.NotSelected > 0 {
		fmt.Fprintf(w, "rows left out: %d of low coverage, %d not selected\n", f.LowCoverage, f.NotSelected)
	}
	if f.Held != nil {
		fmt.Fprintf(w, "rows held out: %d, effective number %.1f\n", f.Held.Sequences, f.Held.Effective())
	}
	if f.Insertions+f.Gappy > 0 {
		fmt.Fprintf(w, "columns left out: %d in which the query has a gap, %d of too many gaps\n", f.Insertions, f.Gappy)
	}
	if o.Truth != nil {
		fmt.Fprintln(w, o.Truth.Describe())
	}
	for _, text := range f.Warnings {
		fmt.Fprintf(w, "warning: %s\n", text)
	}
	if o.Plan.Potts > 0 {
		fmt.Fprintf(w, "memory: potts %s\n", bytesText(o.Plan.Potts))
	}
	if o.Plan.Factored > 0 {
		fmt.Fprintf(w, "memory: factored %s\n", bytesText(o.Plan.Factored))
	}
	if o.Plan.Axial > 0 {
		fmt.Fprintf(w, "memory: axial %s\n", bytesText(o.Plan.Axial))
	}
}

// times says how long the fits took.
func (o *Outcome) times(w io.Writer) {
	for _, m := range o.Fit.models() {
		fmt.Fprintf(w, "%s took %v\n", m.Method, m.Took.Round(100*time.Millisecond))
	}
	for _, m := range o.Fit.models() {
		if !math.IsNaN(m.Held) {
			fmt.Fprintf(w, "rows held out: %s %.4f nats for each residue, the profile of the columns %.4f\n", m.Method, m.Held, o.Fit.Profile)
		}
	}
}

// Write fills the output folder: contacts.tsv, contacts.rr, tables of heads, the axial
// transformer, scripts for PyMOL and ChimeraX, and report.html.
func (o *Outcome) Write(folder string) error {
	put := func(name string, write func(io.Writer) error) error {
		return cli.WriteFile(filepath.Join(folder, name), write)
	}
	f := o.Family
	if err := put("contacts.tsv", func(w io.Writer) error { return WriteContacts(w, f, o.Fit, o.Truth) }); err != nil {
		return err
	}
	for k, m := range o.Fit.models() {
		name := "contacts.rr"
		if k > 0 {
			name = "contacts." + m.Method + ".rr"
		}
		if err := put(name, func(w io.Writer) error { return WriteRR(w, f, o.Fit, m) }); err != nil {
			return err
		}
	}
	if o.Heads != nil {
		if err := put("heads.tsv", func(w io.Writer) error { return WriteHeads(w, o.Heads) }); err != nil {
			return err
		}
	}
	if o.Fit.Axial != nil {
		if err := put("heads.axial.tsv", func(w io.Writer) error { return WriteHeads(w, o.AxialHeads) }); err != nil {
			return err
		}
		if err := o.saveAxial(filepath.Join(folder, "axial.safetensors")); err != nil {
			return err
		}
	}
	if t := o.Truth; t != nil && t.Chain != nil {
		path, lines := scriptPath(folder, t.File), Lines(f, o.Fit, t)
		if err := put("contacts.pml", func(w io.Writer) error { return pdb.WritePyMOL(w, path, lines) }); err != nil {
			return err
		}
		if err := put("contacts.cxc", func(w io.Writer) error { return pdb.WriteChimeraX(w, path, lines) }); err != nil {
			return err
		}
	}
	if err := put("metrics.json", o.writeJSON); err != nil {
		return err
	}
	page, err := o.page()
	if err != nil {
		return err
	}
	return put("report.html", func(w io.Writer) error {
		_, err := page.WriteTo(w)
		return err
	})
}
