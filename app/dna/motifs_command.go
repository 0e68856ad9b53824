package dna

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"heed/internal/cli"
	"heed/motif"
)

// A motifsRequest is the command line of "heed dna motifs".
type motifsRequest struct {
	model, out   string
	data         DataConfig
	class        string
	tss, limit   int
	expect       []string
	hide         string
	search       motif.Options
	seed         uint64
	force        bool
	version      string
	command      []string
	stdout, tell io.Writer
}

func motifsCommand(version string) *cobra.Command {
	r := motifsRequest{version: version}
	c := &cobra.Command{
		Use:   "motifs MODEL [DATA | label=FASTA...]",
		Short: "Find the motifs that a model reacts to, and where they stand",
		Long: `Explain a model on many sequences by in-silico mutagenesis, and find the short
patterns that its explanations have in common, in the manner of TF-MoDISco.
MODEL is the folder of a run or a file. Without DATA the sequences are the test
part of the run, which the model was not trained on.

The null is the same sequences with their letters shuffled, pairs kept: it sets
the threshold for windows of high importance, and a motif counts as found if it
is significantly stronger and more frequent in the positives than there, anywhere
or at one place. A motif is what the model reacts to; that the cell does is
another claim.

A model leans on its best evidence: where one motif decides, others contribute
little. --hide shows it sequences without that part (best for a model that was
trained with --hide too).

Without -o the table of motifs goes to standard output. With -o a folder gets
motifs.tsv, motifs.meme (matrices), motifs.bed (occurrences, with the sequences
as chromosomes), expect.tsv, logos as SVG, and report.html.`,
		Example: `  heed dna motifs run -o motifs --tss 200 --expect TATA=TATAAA
  heed dna motifs run promoter=prom.fa other=other.fa --both-strands`,
		Args: atLeast(1, "a model"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.model, r.data.Files = args[0], args[1:]
			r.command = append([]string{"dna", "motifs"}, commandLine(cmd, args)...)
			r.stdout, r.tell = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return r.run(cmd.Context())
		},
	}
	fs := c.Flags()
	fs.StringVarP(&r.out, "output", "o", "", "folder for tables, matrices, logos and report.html")
	fs.BoolVar(&r.force, "force", false, "write into an output folder that is not empty")
	fs.IntVar(&r.tss, "tss", -1, "index of the start site (+1), counted from 0; without it positions count from 1")
	fs.IntVar(&r.limit, "limit", 200, "explain so many positives, and as many negatives, drawn by the seed; 0 for all")
	fs.StringVar(&r.class, "class", "", "class whose motifs are wanted (default the positive of two)")
	fs.StringArrayVar(&r.expect, "expect", nil, "known motif to compare with, as NAME=CONSENSUS in IUPAC letters (may be repeated)")
	fs.StringVar(&r.hide, "hide", "", "letters that the model does not get to see, as FROM:TO; what else does it know?")
	fs.BoolVar(&r.search.Strands, "both-strands", false, "a motif may stand on either strand")
	fs.IntVar(&r.search.Window, "window", 8, "letters whose importance is summed in search of occurrences")
	fs.IntVar(&r.search.Flank, "flank", 4, "letters added on both sides of a window")
	fs.Float64Var(&r.search.FDR, "fdr", 0.2, "false discovery rate of windows, against shuffled sequences")
	fs.Float64Var(&r.search.Similar, "similar", 0.5, "mean cosine of the occurrences of one motif")
	fs.IntVar(&r.search.Least, "least", 20, "occurrences in positives that make a motif")
	fs.Uint64Var(&r.seed, "seed", 1, "seed of shuffled sequences and samples")
	fs.IntVar(&r.search.Cores, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	fs.StringVar(&r.data.Sequence, "sequence-column", "", "column of the sequences in a table (default sequence)")
	fs.StringVar(&r.data.Label, "label-column", "", "column of the labels in a table (default label)")
	return c
}

func (r *motifsRequest) run(ctx context.Context) error {
	var known []*KnownMotif
	for _, s := range r.expect {
		k, err := ParseKnownMotif(s)
		if err != nil {
			return err
		}
		known = append(known, k)
	}
	// The zero of an option would stand for its default.
	if r.search.Window == 0 || r.search.Least == 0 || r.search.FDR == 0 || r.search.Similar == 0 || r.search.Flank == 0 {
		return cli.Usagef("--window, --flank, --least, --fdr and --similar: want more than 0")
	}
	if err := r.search.Validate(); err != nil {
		return &cli.UsageError{Reason: "--" + err.Error()}
	}
	if r.limit < 0 {
		return cli.Usagef("--limit %d: want 0 or more", r.limit)
	}
	f, err := Load(Locate(r.model))
	if err != nil {
		return modelHint(err)
	}
	x := &MotifSearch{Model: f, TSS: r.tss, Seed: r.seed, Known: known}
	if r.hide != "" {
		m, err := ParseMotif("hidden=" + r.hide)
		if err != nil {
			return cli.Usagef("--hide %q: want FROM:TO, such as -20:20", r.hide)
		}
		x.Hidden = &m
	}
	e := explainRequest{data: r.data, class: r.class}
	if x.Class, err = e.explained(f); err != nil {
		return err
	}
	if x.Class < 0 {
		return cli.Usagef("--class: the model knows %s", strings.Join(f.Classes, ", "))
	}
	d, positives, negatives, err := r.sequences(x)
	if err != nil {
		return err
	}
	positives, negatives = sample(d, positives, r.limit, r.seed), sample(d, negatives, r.limit, r.seed)
	if len(positives) == 0 {
		return cli.Usagef("no sequence of class %s", f.Classes[x.Class])
	}
	if r.tss >= 0 {
		for _, i := range positives {
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
	m := newMeter(r.tell)
	err = x.explain(ctx, d, positives, negatives, r.search.Cores, m.see)
	m.stop()
	if err != nil {
		return err
	}
	x.find(r.search)
	if r.out == "" {
		return x.WriteTable(r.stdout)
	}
	if err := r.write(x, d); err != nil {
		return err
	}
	_, err = io.WriteString(r.stdout, x.Summary())
	return err
}

// sequences reads the sequences, and returns those of the class and the others.
// A sequence without a label counts as one of the class.
func (r *motifsRequest) sequences(x *MotifSearch) (d *Dataset, positives, negatives []int, err error) {
	var idx, labels []int
	if len(r.data.Files) == 0 {
		if d, idx, err = r.testPart(x.Model); err != nil {
			return nil, nil, nil, err
		}
		labels = d.Labels
		x.Origin = "the test part of the run, which the model was not trained on"
	} else {
		e := explainRequest{data: r.data}
		if d, labels, err = e.read(x.Model); err != nil {
			return nil, nil, nil, err
		}
		for i := range d.Seqs {
			idx = append(idx, i)
		}
		x.Origin = "those of the command line; whether the model was trained on them is not known"
		if d.Hash() == x.Model.Info.DataSHA256 {
			x.Origin = "the data that the model was trained on"
		}
	}
	for _, i := range idx {
		if labels[i] < 0 || labels[i] == x.Class {
			positives = append(positives, i)
		} else {
			negatives = append(negatives, i)
		}
	}
	return d, positives, negatives, nil
}

// testPart reads the data of the run again and returns the indices of what it
// was tested on.
func (r *motifsRequest) testPart(f *Fitted) (*Dataset, []int, error) {
	const give = "give sequences after the model"
	if s, err := os.Stat(r.model); err != nil || !s.IsDir() {
		return nil, nil, cli.Hint(cli.Usagef("%s is no folder of a run, so its test part is not known", r.model), give)
	}
	j, err := readJob(filepath.Join(r.model, jobFile))
	if err != nil {
		return nil, nil, err
	}
	d, parts, err := j.Load()
	if err != nil {
		return nil, nil, cli.Hint(err, "use the model where it was trained: the files of the run are named relative to that folder; or "+give)
	}
	if d.Hash() != j.Hash || j.Hash != f.Info.DataSHA256 {
		return nil, nil, cli.Hint(fmt.Errorf("%s: the data has changed since the run", r.model), give)
	}
	folds, _, err := j.folds(d, parts)
	if err != nil {
		return nil, nil, err
	}
	if len(folds) != 1 {
		return nil, nil, cli.Hint(cli.Usagef("%s was cross-validated: its model was trained on everything", r.model), "--holdout trains a model with a test part; or "+give)
	}
	return d, folds[0].Test, nil
}
