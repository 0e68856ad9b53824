package study

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"heed/format"
	"heed/internal/cli"
	"heed/internal/clock"
	"heed/report"
)

// Command returns "heed study" with its subcommands.
func Command(version string) *cobra.Command {
	c := &cobra.Command{
		Use:   "study",
		Short: "Claims about attention as experiments that can fail",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &cli.UsageError{Reason: fmt.Sprintf("no command %q; there are list and run", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(listCommand(), runCommand(version))
	return c
}

func listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the studies: what each claims, and what would refute it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := cmd.OutOrStdout()
			for i, s := range All() {
				if i > 0 {
					fmt.Fprintln(w)
				}
				fmt.Fprintf(w, "%s: %s (%s)\n  claim: %s\n  refuted by: %s\n", s.Name, s.Title, s.Takes, s.Claim, s.Refuted)
			}
			return nil
		},
	}
}

// A runRequest is the command line of "heed study run".
type runRequest struct {
	lab      Lab
	out      string
	markdown string
	asJSON   bool
	version  string
	command  []string
}

func runCommand(version string) *cobra.Command {
	r := runRequest{version: version, lab: Lab{Seed: 1, Seeds: 3}}
	c := &cobra.Command{
		Use:   "run NAME... | all",
		Short: "Run studies; print what they found, and write it as a page with -o",
		Example: `  heed study run planted
  heed study run all -o studies
  heed study run all --markdown docs/results/studies.md
  heed study run separation --family 1a3a.a3m.gz --structure 1a3a.pdb.gz`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &cli.UsageError{Reason: "name a study, or all; heed study list shows them"}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.command = args
			return r.run(cmd, args)
		},
	}
	fs := c.Flags()
	fs.StringVarP(&r.out, "output", "o", "", "folder for report.html, figures and findings.json")
	fs.StringVar(&r.markdown, "markdown", "", "Markdown file for findings, figures in a folder beside it; sections of studies that are not run stay")
	fs.Uint64Var(&r.lab.Seed, "seed", r.lab.Seed, "seed of the first repetition; each repetition has the next one")
	fs.IntVar(&r.lab.Seeds, "seeds", r.lab.Seeds, "repetitions")
	fs.IntVar(&r.lab.Cores, "threads", 0, "cores to use; 0 means all. Findings do not depend on it")
	fs.BoolVar(&r.lab.Tiny, "tiny", false, "a size that only shows that it runs; the numbers mean little")
	fs.IntVar(&r.lab.Longer, "longer", 1, "for the study separation: how many times as long all models train")
	fs.StringVar(&r.lab.Family, "family", "", "alignment for the study separation, in place of a family that is made")
	fs.StringVar(&r.lab.Structure, "structure", "", "PDB or mmCIF with the first row of --family")
	fs.StringVar(&r.lab.Distances, "distances", "", "table of distances between all columns of --family, in place of --structure")
	fs.StringVar(&r.lab.Digits, "digits", "", "folder with MNIST (train10k-images-idx3-ubyte.gz and so on) for the study lenses")
	fs.StringVar(&r.lab.Volumes, "volumes", "", "folder with brain*_image.nrrd and brain*_label.nrrd for the study tissue, in place of volumes that are made")
	fs.StringVar(&r.lab.Lungs, "lungs", "", "CT of a chest (NIfTI) into whose lungs the study lobes plants lesions too")
	fs.BoolVar(&r.asJSON, "json", false, "print findings as JSON")
	return c
}

// A done study.
type done struct {
	Study   string  `json:"study"`
	Seconds float64 `json:"seconds"`
	// Processor is the time of all cores together, 0 if the system does not tell.
	Processor float64  `json:"processor_seconds,omitempty"`
	Finding   *Finding `json:"finding"`
	study     Study    `json:"-"`
}

func (r *runRequest) run(cmd *cobra.Command, args []string) error {
	if r.lab.Seeds < 1 {
		return &cli.UsageError{Reason: fmt.Sprintf("--seeds %d: want 1 or more", r.lab.Seeds)}
	}
	if r.lab.Longer < 1 || r.lab.Longer > 1000 {
		return &cli.UsageError{Reason: fmt.Sprintf("--longer %d: want 1 to 1000", r.lab.Longer)}
	}
	if r.lab.Family == "" && (r.lab.Structure != "" || r.lab.Distances != "") {
		return &cli.UsageError{Reason: "--structure and --distances belong to a --family"}
	}
	studies := All()
	if len(args) != 1 || args[0] != "all" {
		studies = nil
		for _, name := range args {
			s, err := Find(name)
			if err != nil {
				return err
			}
			studies = append(studies, s)
		}
	}
	if r.markdown != "" {
		if _, err := r.readMarkdown(); err != nil {
			return err
		}
	}
	tell := cmd.ErrOrStderr()
	var all []done
	for _, s := range studies {
		l := r.lab
		l.Tell = func(what string) { fmt.Fprintf(tell, "%s: %s\n", s.Name, what) }
		d := done{Study: s.Name, study: s}
		began := time.Now()
		before, _ := clock.Processor()
		var err error
		if d.Finding, err = s.Run(cmd.Context(), &l); err != nil {
			return fmt.Errorf("study %s: %w", s.Name, err)
		}
		d.Seconds = time.Since(began).Seconds()
		after, _ := clock.Processor()
		d.Processor = after - before
		all = append(all, d)
		if r.markdown != "" { // each as it is done: the next may take long
			if err := r.writeMarkdown([]done{d}); err != nil {
				return err
			}
		}
		if !r.asJSON {
			if err := d.print(cmd.OutOrStdout()); err != nil {
				return err
			}
		}
	}
	if r.asJSON {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		if err := e.Encode(all); err != nil {
			return err
		}
	}
	if r.out == "" {
		return nil
	}
	return r.write(all)
}

// print writes a finding for a terminal.
func (d *done) print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s\n\nclaim: %s\nrefuted by: %s\n\n", d.study.Name, d.study.Title, d.study.Claim, d.study.Refuted)
	for _, t := range d.Finding.Tables {
		fmt.Fprintln(w, t.Title)
		tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		fmt.Fprintln(tab, strings.Join(t.Columns, "\t"))
		for _, row := range t.Rows {
			fmt.Fprintln(tab, strings.Join(row, "\t"))
		}
		if err := tab.Flush(); err != nil {
			return err
		}
		for _, n := range t.Notes {
			fmt.Fprintln(w, n)
		}
		fmt.Fprintln(w)
	}
	for _, c := range d.Finding.Checks {
		fmt.Fprintln(w, c)
	}
	_, err := fmt.Fprintf(w, "\nfound: %s\n\n", d.Finding.Words)
	return err
}

// write fills the output folder.
func (r *runRequest) write(all []done) error {
	if err := os.MkdirAll(r.out, 0o777); err != nil {
		return err
	}
	page := report.Report{Title: "Claims about attention, tested", Footer: "heed " + r.version}
	for _, d := range all {
		page.Sections = append(page.Sections, d.section())
		for _, f := range d.Finding.Figures {
			err := format.WriteFile(filepath.Join(r.out, d.Study+"-"+f.Name+".svg"), func(w io.Writer) error {
				_, err := w.Write(f.SVG)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	page.Sections = append(page.Sections, report.Section{Title: "Provenance", Blocks: []report.Block{report.Provenance{
		{Key: "command", Value: "heed study run " + strings.Join(r.command, " ")},
		{Key: "seeds", Value: fmt.Sprintf("%d to %d", r.lab.Seed, r.lab.Seed+uint64(r.lab.Seeds)-1)},
		{Key: "heed", Value: r.version},
	}}})
	if r.lab.Tiny {
		page.Lead = "These studies were run at a tiny size, which only shows that they run: the numbers mean little."
	}
	if err := format.WriteFile(filepath.Join(r.out, "findings.json"), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(all)
	}); err != nil {
		return err
	}
	return format.WriteFile(filepath.Join(r.out, "report.html"), func(w io.Writer) error {
		_, err := page.WriteTo(w)
		return err
	})
}

func (d *done) section() report.Section {
	s := report.Section{Title: d.study.Title, Blocks: []report.Block{
		report.Text("Claim: " + d.study.Claim + "\n\nRefuted by: " + d.study.Refuted + "\n\nFound: " + d.Finding.Words),
	}}
	if len(d.Finding.Checks) > 0 {
		t := report.Table{Caption: "Checks against bounds that were set before", Columns: []report.Column{{Name: "check"}, {Name: "measured", Numeric: true}, {Name: "wanted", Numeric: true}, {Name: "verdict"}},
			Notes: []string{"Mean over the seeds, and the range of the seeds in brackets."}}
		for _, c := range d.Finding.Checks {
			sign, verdict := "≥", "met"
			if c.Upper {
				sign = "≤"
			}
			if !c.Met() {
				verdict = "missed"
			}
			t.Rows = append(t.Rows, report.TableRow{Cells: []string{c.Name, interval(c.Value), fmt.Sprintf("%s %g", sign, c.Bound), verdict}, Highlight: !c.Met()})
		}
		s.Blocks = append(s.Blocks, t)
	}
	for _, t := range d.Finding.Tables {
		b := report.Table{Caption: t.Title, Notes: t.Notes}
		for i, c := range t.Columns {
			b.Columns = append(b.Columns, report.Column{Name: c, Numeric: i > 0})
		}
		for _, row := range t.Rows {
			b.Rows = append(b.Rows, report.TableRow{Cells: row})
		}
		s.Blocks = append(s.Blocks, b)
	}
	for _, f := range d.Finding.Figures {
		s.Blocks = append(s.Blocks, report.Figure{Name: d.Study + "-" + f.Name, Alt: f.Alt, Caption: f.Caption, SVG: f.SVG, Data: f.TSV})
	}
	return s
}
