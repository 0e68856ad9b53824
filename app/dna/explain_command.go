package dna

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"heed/checkpoint"
	"heed/format"
	"heed/internal/cli"
	"heed/internal/kernel"
	"heed/internal/par"
	"heed/plot"
	"heed/report"
)

// An explainRequest is the command line of "heed dna explain".
type explainRequest struct {
	model, out   string
	data         DataConfig
	class        string
	tss, limit   int
	names        []string
	methods      string
	seed         uint64
	expect       []string
	export       []string
	verify       bool
	verifyLimit  int
	seeds        int
	force        bool
	threads      int
	version      string
	command      []string
	stdout, tell io.Writer
}

func explainCommand(version string) *cobra.Command {
	r := explainRequest{version: version}
	c := &cobra.Command{
		Use:   "explain MODEL DATA | FASTA | label=FASTA...",
		Short: "Show what a model looked at: mutagenesis, logos, attention",
		Long: `Explain a model on sequences by in-silico mutagenesis (every letter replaced by
each of the other three: the referee), integrated gradients (the numbers),
gradient x attention (the map), the rollout of attention and others (--methods),
side by side with their rank correlation. MODEL is a file or the folder of a run.

Without -o the table goes to standard output: sequence, position, letter,
importance, the change of the log-odds by each substitution, and a column for
each other method. With -o a folder gets explain.tsv, tracks.tsv, the logo of
every sequence, the mean logo and track of each class (of sequences of one
length), and report.html.

--verify tests every method before it is believed: the log-odds must fall when
the letters on top are replaced, by N and by those of shuffled sequences, more
than for random orders of the letters (with 95 % intervals); signs must agree with
the effects of replacement; maps must change when the parameters are shuffled or
the other class is asked for; and maps of models from other seeds are compared
(the members of an ensemble, or --seeds N, which trains N more). A method that is
no better than random is grey in the report.

Mutagenesis is evidence of cause for the model. ` + report.AttentionCaveat,
		Example: `  heed dna explain run/model.safetensors promoters.csv -o why --tss 60 --expect=-35=-36:-31 --expect=-10=-12:-7
  heed dna explain run promoters.csv --verify --seeds 2 -o why
  heed dna explain run new.fa --sequence lacZ --methods all > lacZ.tsv`,
		Args: atLeast(2, "a model and sequences"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.model, r.data.Files = args[0], args[1:]
			r.command = append([]string{"dna", "explain"}, commandLine(cmd, args)...)
			r.stdout, r.tell = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return r.run(cmd.Context())
		},
	}
	fs := c.Flags()
	fs.StringVarP(&r.out, "output", "o", "", "folder for tables, figures and report.html")
	fs.BoolVar(&r.force, "force", false, "write into an output folder that is not empty")
	fs.IntVar(&r.tss, "tss", -1, "index of the start site (+1), counted from 0; without it positions count from 1")
	fs.IntVar(&r.limit, "limit", 100, "explain the first so many sequences of each class; 0 for all")
	fs.StringArrayVar(&r.names, "sequence", nil, "explain only the sequence of this name (may be repeated)")
	fs.StringVar(&r.class, "class", "", "class to explain (default the positive of two, else that of each sequence)")
	fs.StringArrayVar(&r.expect, "expect", nil, "motif that the mean track is compared with, as NAME=FROM:TO (may be repeated)")
	fs.StringSliceVar(&r.export, "export", nil, "with -o, more files: bedgraph, bigwig (importance, with the sequences as chromosomes), json, npz, png")
	fs.StringVar(&r.methods, "methods", "default", "default, all, or some of "+strings.Join(methodKeys(), ","))
	fs.Uint64Var(&r.seed, "seed", 1, "seed of shuffled sequences and of everything else that is random")
	fs.BoolVar(&r.verify, "verify", false, "put the methods to the test: faithfulness against random orders, and checks of sanity")
	fs.IntVar(&r.verifyLimit, "verify-limit", 40, "sequences that --verify takes, the classes in turn")
	fs.IntVar(&r.seeds, "seeds", 0, "with --verify: train the model of the run so many times more, from other seeds, and compare the maps")
	fs.IntVar(&r.threads, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	fs.StringVar(&r.data.Sequence, "sequence-column", "", "column of the sequences in a table (default sequence)")
	fs.StringVar(&r.data.Label, "label-column", "", "column of the labels in a table (default label)")
	return c
}

func (r *explainRequest) run(ctx context.Context) error {
	var motifs []Motif
	for _, s := range r.expect {
		m, err := ParseMotif(s)
		if err != nil {
			return err
		}
		motifs = append(motifs, m)
	}
	ms, err := pickMethods(r.methods)
	if err != nil {
		return err
	}
	switch {
	case r.verifyLimit < 1:
		return cli.Usagef("--verify-limit %d: want 1 or more", r.verifyLimit)
	case r.seeds < 0 || r.seeds > 100:
		return cli.Usagef("--seeds %d: want 0 to 100", r.seeds)
	case r.seeds > 0 && !r.verify:
		return cli.Usagef("--seeds needs --verify")
	}
	if r.seeds > 0 {
		if err := canRetrain(r.model); err != nil {
			return err
		}
	}
	if err := checkExport(r.export, nil); err != nil {
		return err
	}
	if len(r.export) > 0 && r.out == "" {
		return cli.Usagef("--export needs -o")
	}
	if r.limit < 0 {
		return cli.Usagef("--limit %d: want 0 or more", r.limit)
	}
	f, err := Load(Locate(r.model))
	if err != nil {
		return modelHint(err)
	}
	if ms, err = f.possible(ms, r.methods); err != nil {
		return err
	}
	d, labels, err := r.read(f)
	if err != nil {
		return err
	}
	idx, err := r.pick(d, labels)
	if err != nil {
		return err
	}
	class, err := r.explained(f)
	if err != nil {
		return err
	}
	if r.tss >= 0 {
		for _, i := range idx {
			if r.tss >= len(d.Seqs[i]) {
				return cli.Usagef("--tss %d: sequence %q has %d letters", r.tss, d.Names[i], len(d.Seqs[i]))
			}
		}
	}
	if r.out != "" {
		if err := cli.MakeFolder(r.out, r.force); err != nil {
			return err
		}
	}
	classes := make([]int, len(idx))
	for k, i := range idx {
		switch {
		case class >= 0:
			classes[k] = class
		case labels[i] >= 0:
			classes[k] = labels[i]
		default:
			classes[k] = argmax(f.Probabilities(d.Seqs[i:i+1], 1)[0])
		}
	}
	x := &Explained{Model: f, How: Explaining{Methods: ms, Seed: r.seed, Cores: r.threads}, TSS: r.tss, Motifs: motifs}
	m := newMeter(r.tell)
	x.Sequences, err = f.explainAll(ctx, d, idx, classes, labels, x.How, m.see)
	m.stop()
	if err != nil {
		return err
	}
	x.averages()
	if x.Shared, err = x.share(ctx); err != nil {
		return err
	}
	if err := checkExport(r.export, x.Sequences); err != nil {
		return err
	}
	if r.verify {
		if x.Verdict, err = r.test(ctx, x); err != nil {
			return err
		}
	}
	if r.out == "" {
		if x.Verdict != nil {
			return x.Verdict.print(r.stdout)
		}
		return WriteExplanations(r.stdout, x.Sequences, x.How.Methods, r.tss)
	}
	if err := r.write(x, d); err != nil {
		return err
	}
	if _, err = io.WriteString(r.stdout, x.Summary()); err != nil || x.Verdict == nil {
		return err
	}
	return x.Verdict.print(r.stdout)
}

// test puts the methods to the test.
func (r *explainRequest) test(ctx context.Context, x *Explained) (*Verdict, error) {
	m := newMeter(r.tell)
	defer m.stop()
	c := verifyConfig{how: x.How, limit: r.verifyLimit, tell: m.see}
	if r.seeds > 0 {
		var err error
		if c.others, err = retrain(ctx, r.model, r.seeds, r.threads, m.see); err != nil {
			return nil, err
		}
	}
	return x.verify(ctx, c)
}

// explainAll explains some sequences of a dataset, each for a class of its own;
// labels are indexed by sequence.
func (f *Fitted) explainAll(ctx context.Context, d *Dataset, idx, classes, labels []int, how Explaining, progress func(Progress)) ([]*Explanation, error) {
	if how.Cores < 1 {
		how.Cores = par.Cores()
	}
	workers := min(how.Cores, len(idx))
	how.Cores = max(1, how.Cores/workers)
	out, errs := make([]*Explanation, len(idx)), make([]error, len(idx))
	var mu sync.Mutex
	done := 0
	par.Do(len(idx), workers, func(_, k int) {
		i := idx[k]
		if out[k], errs[k] = f.Explain(ctx, d.Names[i], d.Seqs[i], classes[k], how); errs[k] != nil {
			return
		}
		out[k].Label = labels[i]
		mu.Lock()
		defer mu.Unlock()
		if done++; progress != nil {
			progress(Progress{Stage: "explain", Done: done, Total: len(idx)})
		}
	})
	return out, errors.Join(errs[:firstError(errs)]...)
}

// firstError returns the length of the prefix of errs that ends with the first
// error: one message is enough.
func firstError(errs []error) int {
	if i := slices.IndexFunc(errs, func(e error) bool { return e != nil }); i >= 0 {
		return i + 1
	}
	return 0
}

// read reads the sequences and returns their labels as classes of the model, -1
// for unknown.
func (r *explainRequest) read(f *Fitted) (*Dataset, []int, error) {
	d := &Dataset{}
	limit := f.Config.Model.MaxLen
	for _, arg := range r.data.Files {
		label, path, _ := splitLabel(arg)
		var err error
		if label == "" && !looksLikeFASTA(path) {
			c := r.data
			c.MaxLen = limit
			err = d.readTable(path, c)
		} else {
			err = d.readFASTA(path, label, limit)
		}
		if err != nil {
			return nil, nil, modelLimit(err, limit)
		}
	}
	labels := make([]int, len(d.Seqs))
	for i, l := range d.Labels {
		name := d.Classes[l]
		labels[i] = slices.Index(f.Classes, name)
		if labels[i] < 0 && name != "" {
			return nil, nil, format.Invalidf(strings.Join(r.data.Files, " "), 0, "label %q is no class of the model, which knows %s", name, strings.Join(f.Classes, ", "))
		}
	}
	return d, labels, nil
}

// modelLimit replaces the hint about a limit that here the model sets.
func modelLimit(err error, limit int) error {
	var h *cli.HintedError
	if errors.As(err, &h) && errors.Is(err, format.ErrTooLarge) {
		return cli.Hint(h.Err, fmt.Sprintf("the model takes up to %d letters", limit))
	}
	return err
}

// pick returns the sequences to explain.
func (r *explainRequest) pick(d *Dataset, labels []int) ([]int, error) {
	var idx []int
	if len(r.names) > 0 {
		for _, name := range r.names {
			i := slices.Index(d.Names, name)
			if i < 0 {
				return nil, cli.Usagef("--sequence %q: no sequence of this name", name)
			}
			idx = append(idx, i)
		}
		return idx, nil
	}
	count := map[int]int{}
	for i, l := range labels {
		if r.limit == 0 || count[l] < r.limit {
			idx = append(idx, i)
		}
		count[l]++
	}
	return idx, nil
}

// explained returns the class to explain, -1 for each sequence's own.
func (r *explainRequest) explained(f *Fitted) (int, error) {
	if r.class == "" {
		if len(f.Classes) == 2 {
			return f.Positive, nil
		}
		return -1, nil
	}
	c := slices.Index(f.Classes, r.class)
	if c < 0 {
		return 0, cli.Usagef("--class %q: the model knows %s", r.class, strings.Join(f.Classes, ", "))
	}
	return c, nil
}

// write fills the output folder.
func (r *explainRequest) write(x *Explained, d *Dataset) error {
	if err := x.writeFiles(r.out, r.export); err != nil {
		return err
	}
	sections, err := x.sections()
	if err != nil {
		return err
	}
	sections = append(sections, report.Section{Title: "Provenance", Blocks: []report.Block{r.provenance(x.Model, d)}})
	page := report.Report{
		Title:    "What the model looked at",
		Lead:     x.lead(),
		Sections: sections,
		Footer:   "heed " + r.version,
	}
	return writePage(filepath.Join(r.out, reportFile), &page)
}

func writePage(path string, page *report.Report) error {
	return format.WriteFile(path, func(w io.Writer) error {
		_, err := page.WriteTo(w)
		return err
	})
}

// writeFiles writes tables and figures.
func (x *Explained) writeFiles(dir string, formats []string) error {
	put := func(name string, write func(io.Writer) error) error {
		return format.WriteFile(filepath.Join(dir, name), write)
	}
	draw := func(stem string, f *plot.Figure) error {
		if slices.Contains(formats, "png") {
			if err := put(stem+".png", func(w io.Writer) error { return f.WritePNG(w, 200) }); err != nil {
				return err
			}
		}
		return put(stem+".svg", func(w io.Writer) error {
			_, err := w.Write(f.SVG())
			return err
		})
	}
	if err := put("explain.tsv", func(w io.Writer) error { return WriteExplanations(w, x.Sequences, x.How.Methods, x.TSS) }); err != nil {
		return err
	}
	if err := x.export(dir, formats); err != nil {
		return err
	}
	if x.Verdict != nil {
		if err := x.Verdict.writeJSON(dir); err != nil {
			return err
		}
	}
	marks := marksOf(x.Motifs)
	logos := filepath.Join(dir, "logos")
	if err := os.MkdirAll(logos, 0o777); err != nil {
		return cli.SystemError(logos, err)
	}
	used := map[string]int{}
	for _, e := range x.Sequences {
		f, err := e.logo(x.describe(e), x.TSS, marks)
		if err != nil {
			return err
		}
		name := fileName("logo", e.Name)
		if used[name]++; used[name] > 1 {
			name = fmt.Sprintf("%s_%d", name, used[name])
		}
		if err := draw(filepath.Join("logos", name), f); err != nil {
			return err
		}
	}
	if len(x.Tracks) == 0 {
		return nil
	}
	if err := put("tracks.tsv", func(w io.Writer) error { return WriteTracks(w, x.Tracks, x.TSS) }); err != nil {
		return err
	}
	track, err := trackFigure("Mean importance of each position", x.Tracks, x.TSS, marks)
	if err != nil {
		return err
	}
	if err := draw("track", track); err != nil {
		return err
	}
	for _, t := range x.Tracks {
		f, err := t.logo("Mean mutagenesis of "+t.name(), x.TSS, marks)
		if err != nil {
			return err
		}
		if err := draw(fileName("mean", t.Class), f); err != nil {
			return err
		}
	}
	return nil
}

func (r *explainRequest) provenance(f *Fitted, d *Dataset) report.Provenance {
	p := report.Provenance{{Key: "command", Value: "heed " + strings.Join(r.command, " ")}}
	if hash, err := checkpoint.Hash(f.entries()); err == nil {
		p = append(p, report.Fact{Key: "weights (SHA-256)", Value: hash})
	}
	return append(p,
		report.Fact{Key: "trained on (SHA-256)", Value: f.Info.DataSHA256},
		report.Fact{Key: "trained by", Value: strings.TrimSpace("heed " + f.Info.Heed)},
		report.Fact{Key: "explained data (SHA-256)", Value: d.Hash()},
		report.Fact{Key: "heed", Value: r.version},
		report.Fact{Key: "go", Value: runtime.Version()},
		report.Fact{Key: "kernel", Value: kernel.Active().String()},
	)
}
