package ct

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"heed/checkpoint"
	"heed/explain"
	"heed/format"
	"heed/internal/cli"
	"heed/internal/kernel"
	"heed/radiomics"
	"heed/report"
)

// A scanRequest is the command line of "heed ct explain".
type scanRequest struct {
	source  Source
	out     string
	force   bool
	number  string // of a volume in an archive, as "test 12"
	class   string
	mask    string
	program string
	lungs   bool
	verify  bool
	seed    uint64
	threads int
	version string
}

func explainCommand(version string) *cobra.Command {
	r := scanRequest{version: version}
	c := &cobra.Command{
		Use:   "explain RUN SCAN -o FOLDER",
		Short: "Show what a classifier looked at in a scan, in the patient's space",
		Long: `Explain what a run of heed ct train says of one scan: NIfTI, NRRD, NumPy, DICOM, or one
volume of a .npz archive (--volume "test 12"). Maps:

  occlusion             how far the log-odds fall without the block around each cell
  gradient x input      the slope of the log-odds along each cell of the feature map
  gradient x attention  attention, as far as more of it would raise the log-odds
  rollout of attention  what could have flowed from each cell to what is read
  with --mask           occlusion and exact Shapley values by lobe (32 sets for five)

Each is written as NIfTI on the affine of the scan, which any viewer lays over it, and
into report.html, a viewer of three planes with the attention of each place to all
others. Arrays have no place: the affine of their maps is the identity.

The maps are put to the test before they are believed: the log-odds must fall when the
blocks on top are replaced, by a blurred copy and by the mean of the scan, more than for
random orders of the blocks; and maps must change when the parameters are shuffled or
the other class is asked for. A map that is no better than random is grey in the report.

The scan must have the spacing that the model was trained on: heed ct prepare resamples.
Neither the report nor the other files name the scan or its patient.

Research use only, not a medical device. ` + report.AttentionCaveat,
		Example: `  heed ct explain run ct.nii.gz -o why
  heed ct explain run ct.nii.gz --mask lobes.nii.gz --mask-labels lungmask -o why
  heed ct explain run adrenalmnist3d.npz --volume "test 12" -o why`,
		Args: exactly(2, "the folder of a run and a scan"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.run(cmd.Context(), args[0], args[1], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := c.Flags()
	r.source.flags(fs)
	fs.StringVarP(&r.out, "output", "o", "", "folder for maps, tables and report.html (needed)")
	fs.BoolVar(&r.force, "force", false, "write into an output folder that is not empty")
	fs.StringVar(&r.number, "volume", "", `which volume of a .npz archive, as in "test 12", counted from 0`)
	fs.StringVar(&r.class, "class", "", "class to explain (default the positive one)")
	fs.StringVar(&r.mask, "mask", "", "mask of lobes on the voxels of SCAN")
	fs.StringVar(&r.program, "mask-labels", "", "whose labels the mask has: lungmask, totalsegmentator or heed (default: all labels, by their numbers)")
	fs.BoolVar(&r.lungs, "lungs", false, "find both lungs and take them for lobes")
	fs.BoolVar(&r.verify, "verify", true, "put the maps to the test")
	fs.Uint64Var(&r.seed, "seed", 1, "seed of the random orders and of everything else that is random")
	fs.IntVar(&r.threads, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	return c
}

func (r *scanRequest) check(scan string) error {
	archive := strings.HasSuffix(scan, ".npz")
	_, known := lobeNames[r.program]
	switch {
	case r.out == "":
		return cli.Hint(cli.Usagef("heed ct explain needs an output"), "-o why")
	case r.threads < 0:
		return cli.Usagef("--threads %d: want 0 or more", r.threads)
	case archive && r.number == "":
		return cli.Hint(cli.Usagef("%s is an archive: which volume?", scan), `--volume "test 0"`)
	case !archive && r.number != "":
		return cli.Usagef("--volume is for .npz archives")
	case r.program != "" && !known:
		return cli.Usagef("--mask-labels %q: want lungmask, totalsegmentator or heed", r.program)
	case r.program != "" && r.mask == "":
		return cli.Usagef("--mask-labels needs --mask")
	case r.mask != "" && r.lungs:
		return cli.Usagef("--lungs and --mask: want one of them")
	case archive && (r.mask != "" || r.lungs):
		return cli.Usagef("--mask and --lungs: a volume of an archive has no place to compare with")
	}
	return r.source.check()
}

func (r *scanRequest) run(ctx context.Context, folder, scan string, stdout, tellTo io.Writer) error {
	if err := r.check(scan); err != nil {
		return err
	}
	f, err := LoadFitted(folder)
	if err != nil {
		return err
	}
	class := 1
	if r.class != "" {
		if class = slices.Index(f.Config.Classes[:], r.class); class < 0 {
			return cli.Usagef("--class %q: the model knows %q and %q", r.class, f.Config.Classes[0], f.Config.Classes[1])
		}
	}
	p, err := r.open(scan)
	if err != nil {
		return err
	}
	tell(tellTo, p.Findings)
	if err := checkSpacing(f, scan, p); err != nil {
		return err
	}
	v, err := viewOf(f, p)
	if err != nil {
		return format.InvalidAt(scan, 0, "%w", err)
	}
	mask, labels, names, err := r.lobes(scan, p, tellTo)
	if err != nil {
		return err
	}
	if err := cli.MakeFolder(r.out, r.force); err != nil {
		return err
	}
	fmt.Fprintf(tellTo, "%d cells in the feature map, each with a pass of its own for occlusion\n", f.Config.Model.Tokens())
	e, err := explainScan(ctx, f, v, class, r.threads)
	if err != nil {
		return err
	}
	if mask != nil {
		if e.Lobes, err = e.x.explainLobes(ctx, mask, labels, names, class); err != nil {
			return err
		}
	}
	if r.verify {
		if e.Verdict, err = e.verify(ctx, class, r.seed); err != nil {
			return err
		}
	}
	if err := r.write(e); err != nil {
		return err
	}
	return e.print(stdout)
}

// open reads the scan.
func (r *scanRequest) open(scan string) (*Picture, error) {
	if r.number == "" {
		p, err := r.source.Open(scan)
		if err != nil {
			return nil, err
		}
		for _, f := range p.Findings {
			if f.Bad {
				return nil, cli.Hint(format.InvalidAt(scan, 0, "%s", f.Text), "heed ct info shows what is wrong")
			}
		}
		return p, nil
	}
	d := &Dataset{Name: scan}
	if err := d.openArchive(scan); err != nil {
		return nil, err
	}
	part, number, _ := strings.Cut(strings.TrimSpace(r.number), " ")
	if part == "valid" {
		part = "val"
	}
	i := slices.IndexFunc(d.Cases, func(c Case) bool { return c.Name == part+" "+number })
	if _, err := strconv.Atoi(number); err != nil || i < 0 {
		return nil, cli.Usagef("--volume %q: no such volume; want train, val or test and a number, as in %q", r.number, d.Cases[len(d.Cases)-1].Name)
	}
	values, size, _, err := d.store.Volume(i)
	if err != nil {
		return nil, err
	}
	v := &format.Volume{Shape: [3]int{size[2], size[1], size[0]}, Data: values}
	for a := range 3 {
		v.Affine[a][a] = 1
	}
	p := &Picture{Volume: v, Format: "NumPy"}
	p.find("place", false, "an array has no place: voxels are taken as 1 mm, RAS")
	return p, nil
}

// lobes returns the mask whose labels are explained, or nil.
func (r *scanRequest) lobes(scan string, p *Picture, tellTo io.Writer) (*radiomics.Mask, []uint8, []string, error) {
	program, where := r.program, r.mask
	var m *radiomics.Mask
	var err error
	switch {
	case r.mask != "":
		m, err = openMask(Source{}, r.mask, p.Volume)
	case r.lungs:
		var l *radiomics.Lungs
		if l, err = radiomics.FindLungs(p.Volume); err != nil {
			err = unsound(scan, err)
		} else {
			for _, text := range l.Findings {
				fmt.Fprintf(tellTo, "heed: warning: %s\n", text)
			}
			m, program, where = l.Mask, "heed", "--lungs"
		}
	}
	if m == nil || err != nil {
		return nil, nil, nil, err
	}
	labels, names, err := lobesOf(where, m, program)
	return m, labels, names, err
}

// write fills the output folder.
func (r *scanRequest) write(e *ScanExplanation) error {
	for _, m := range e.Maps {
		if err := writeMap(filepath.Join(r.out, m.File+".nii.gz"), e.x.onScan(m)); err != nil {
			return err
		}
	}
	if l := e.Lobes; l != nil {
		if err := writeMap(filepath.Join(r.out, "lobes_shapley.nii.gz"), l.onScan(e.x.view.picture, l.Shapley)); err != nil {
			return err
		}
		if err := writeMap(filepath.Join(r.out, "lobes_occlusion.nii.gz"), l.onScan(e.x.view.picture, l.Occlusion)); err != nil {
			return err
		}
	}
	if err := cli.WriteFile(filepath.Join(r.out, "cells.tsv"), e.writeCells); err != nil {
		return err
	}
	if err := cli.WriteFile(filepath.Join(r.out, "explain.json"), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(e.summary())
	}); err != nil {
		return err
	}
	sections, err := e.sections()
	if err != nil {
		return err
	}
	page := report.Report{Title: "What the model looked at", Lead: e.lead(), Footer: "heed " + r.version + ", " + Disclaimer,
		Sections: append(sections, report.Section{Title: "Provenance", Blocks: []report.Block{r.provenance(e)}})}
	return cli.WriteFile(filepath.Join(r.out, "report.html"), func(w io.Writer) error {
		_, err := page.WriteTo(w)
		return err
	})
}

// provenance names no file: a path may hold a name.
func (r *scanRequest) provenance(e *ScanExplanation) report.Provenance {
	var es []checkpoint.Entry
	for m, model := range e.x.model.Members {
		es = append(es, memberWeights(m, model)...)
	}
	out := report.Provenance{}
	if hash, err := checkpoint.Hash(es); err == nil {
		out = append(out, report.Fact{Key: "weights (SHA-256)", Value: hash})
	}
	return append(out,
		report.Fact{Key: "trained on (SHA-256)", Value: e.x.model.DataSHA},
		report.Fact{Key: "voxels of the scan (SHA-256)", Value: e.x.view.sha256},
		report.Fact{Key: "seed", Value: fmt.Sprint(r.seed)},
		report.Fact{Key: "heed", Value: r.version},
		report.Fact{Key: "go", Value: runtime.Version()},
		report.Fact{Key: "kernel", Value: kernel.Active().String()},
	)
}

// place returns the centre of a cell in mm.
func (e *ScanExplanation) place(cell int) [3]float64 {
	g, edge := e.Grid, 1<<len(e.x.config().Stem)
	p := [3]int{cell / (g[1] * g[2]), cell / g[2] % g[1], cell % g[2]}
	var at [3]float64
	for a := range 3 {
		at[2-a] = float64(p[a]*edge + e.x.view.from[a])
	}
	return e.x.view.picture.Affine.Apply(at)
}

// writeCells writes the scores of all cells.
func (e *ScanExplanation) writeCells(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "# %s\n", Disclaimer)
	fmt.Fprint(b, "x_mm\ty_mm\tz_mm")
	for _, m := range e.Maps {
		fmt.Fprintf(b, "\t%s", m.File)
	}
	fmt.Fprintln(b)
	for i := range e.Maps[0].Scores {
		mm := e.place(i)
		fmt.Fprintf(b, "%.2f\t%.2f\t%.2f", mm[0], mm[1], mm[2])
		for _, m := range e.Maps {
			fmt.Fprintf(b, "\t%.6g", m.Scores[i])
		}
		fmt.Fprintln(b)
	}
	return b.Flush()
}

// A mapSummary is a map in explain.json.
type mapSummary struct {
	Method  string     `json:"method"`
	File    string     `json:"file"`
	Signed  bool       `json:"signed"`
	Peak    float64    `json:"peak"`
	PeakMM  [3]float64 `json:"peak_mm"`
	Verdict []string   `json:"verdicts,omitempty"`
}

type lobeSummary struct {
	Lobe      string  `json:"lobe"`
	Shapley   float64 `json:"shapley"`
	Occlusion float64 `json:"occlusion"`
	Alone     float64 `json:"alone"`
}

type scanSummary struct {
	Use         string        `json:"intended_use"`
	Class       string        `json:"class"`
	Probability float64       `json:"probability"`
	LogOdds     float64       `json:"log_odds"`
	Grid        [3]int        `json:"cells"` // z, y, x
	Maps        []mapSummary  `json:"maps"`
	Lobes       []lobeSummary `json:"lobes,omitempty"`
	Scan        string        `json:"scan_sha256"`
	Limits      string        `json:"limits"`
}

func (e *ScanExplanation) summary() scanSummary {
	s := scanSummary{Use: Disclaimer, Class: e.Class, Probability: e.Probability, LogOdds: e.LogOdds, Grid: e.Grid, Scan: e.x.view.sha256, Limits: blurredCaveat + " " + gradientCaveat + " " + report.AttentionCaveat}
	for k, m := range e.Maps {
		top := m.top()
		ms := mapSummary{Method: m.Method.Name, File: m.File + ".nii.gz", Signed: !m.Method.Unsigned, Peak: m.Scores[top], PeakMM: e.place(top)}
		if e.Verdict != nil {
			for _, r := range e.Verdict.Replacements {
				ms.Verdict = append(ms.Verdict, r.Methods[k].Sentence)
			}
		}
		s.Maps = append(s.Maps, ms)
	}
	if l := e.Lobes; l != nil {
		for i, name := range l.Names {
			s.Lobes = append(s.Lobes, lobeSummary{name, l.Shapley[i], l.Occlusion[i], l.FirstIn[i]})
		}
	}
	return s
}

// top returns the cell with the largest score.
func (m *ScanMap) top() int {
	top := 0
	for i, s := range m.Scores {
		if s > m.Scores[top] {
			top = i
		}
	}
	return top
}

// lead says in a few sentences what the page is about.
func (e *ScanExplanation) lead() string {
	s := fmt.Sprintf("Probability of %s: %.3f. What is explained is the log-odds of %s, %+.2f, over %d cells of the feature map.", e.Class, e.Probability, e.Class, e.LogOdds, len(e.Maps[0].Scores))
	if n := len(e.x.model.Members); n > 1 {
		s += fmt.Sprintf(" Log-odds and maps are means over %d models.", n)
	}
	if e.Verdict != nil {
		s += " " + e.words()
	}
	return s + " Research use only, not a medical device."
}

// words says which maps passed.
func (e *ScanExplanation) words() string {
	var good, bad []string
	for m, sm := range e.Maps {
		passed := true
		for _, r := range e.Verdict.Replacements {
			passed = passed && r.Methods[m].Faithful()
		}
		if passed {
			good = append(good, sm.Method.Name)
		} else {
			bad = append(bad, sm.Method.Name)
		}
	}
	const what = "random orders of the blocks in every test"
	switch {
	case len(good) == 0:
		return "Put to the test on this scan, no map was better than " + what + "."
	case len(bad) == 0:
		return "Put to the test on this scan, all maps were better than " + what + "."
	}
	return fmt.Sprintf("Put to the test on this scan, these were better than %s: %s. These were not: %s.", what, strings.Join(good, ", "), strings.Join(bad, ", "))
}

// print writes the result for a terminal.
func (e *ScanExplanation) print(w io.Writer) error {
	fmt.Fprintf(w, "probability of %s: %.3f (log-odds explained: %+.3f); %s\n\n", e.Class, e.Probability, e.LogOdds, Disclaimer)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "map\tlargest\tat mm (right, front, top)\tnote")
	for _, m := range e.Maps {
		mm, note := e.place(m.top()), ""
		if m.Uniformity > explain.Uniform {
			note = "next to uniform"
		}
		fmt.Fprintf(t, "%s\t%.4g\t%.1f, %.1f, %.1f\t%s\n", m.Method.Name, m.Scores[m.top()], mm[0], mm[1], mm[2], note)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if l := e.Lobes; l != nil {
		fmt.Fprintf(w, "\nlobes replaced by %s, nats; all %+.3f, none %+.3f\n", l.Replacement, l.All, l.None)
		t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		fmt.Fprintln(t, "lobe\tShapley value\tfall without it\trise by it alone")
		for i, name := range l.Names {
			fmt.Fprintf(t, "%s\t%+.3f\t%+.3f\t%+.3f\n", name, l.Shapley[i], l.Occlusion[i], l.FirstIn[i])
		}
		if err := t.Flush(); err != nil {
			return err
		}
		if l.idle() {
			fmt.Fprintln(w, idleLobes)
		}
		if len(l.Unseen) > 0 {
			fmt.Fprintf(w, "the model sees no voxel of: %s\n", strings.Join(l.Unseen, ", "))
		}
	}
	if e.Verdict == nil {
		_, err := fmt.Fprintf(w, "\n%s\n", report.AttentionCaveat)
		return err
	}
	if err := e.Verdict.print(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n%s\n", e.words(), report.AttentionCaveat)
	return err
}
