package protein

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"heed/internal/cli"
)

// Command returns "heed protein" with its verbs. The version is written into what
// they make.
func Command(version string) *cobra.Command {
	c := &cobra.Command{
		Use:   "protein",
		Short: "Contacts in proteins from the alignment of a family",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Hint(cli.Usagef("no command %q", cmd.CommandPath()+" "+args[0]), cmd.CommandPath()+" --help lists the commands")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(fitCommand(version), contactsCommand(), embedCommand(), variantsCommand(version), fitHeadCommand(version), evaluateCommand())
	return c
}

// A fitRequest is the command line of "heed protein fit".
type fitRequest struct {
	job     Job
	weights string
	memory  cli.Bytes
	out     string
	force   bool
	asJSON  bool
}

func fitCommand(version string) *cobra.Command {
	r := fitRequest{memory: 8e9}
	c := &cobra.Command{
		Use:   "fit FAMILY",
		Short: "Fit models of couplings to one family and read contacts from them",
		Long: `Fit a Potts model (pseudo-likelihood, as GREMLIN) and one layer of factored
attention to the alignment of one family, without any pre-training, and rank the
pairs of positions by the strength of their couplings. --model axial trains an axial
transformer on the family by filling in masked residues; its pairs are ranked by how
the prediction of one position answers to changes of the other ("axial"), and by its
row attention ("axial-attention"). --model all does all three.

FAMILY is an alignment in A3M, A2M, aligned FASTA, Stockholm or one row per line,
gzipped or not. Its first row is the query (--query names another); columns in which
the query has a gap are left out (--columns all keeps them). A row counts 1 over the
number of rows at least as alike as --weights.

--holdout 0.1 keeps a tenth of the rows, in whole clusters of 80 % identity, from the
models and says how well each predicts their residues: what settings may be chosen
by, for no structure has a part in it.

With --structure the pairs are compared with the contacts of a PDB or mmCIF file,
beside two floors: mutual information, and nearness in the sequence. P@L/k is the
share of contacts among the best L/k pairs, L being the number of positions of the
query. Pairs with a residue that the structure lacks are left out and counted.
Precisions by --contacts beta and by minimum-atom must not be compared.

With -o, the folder gets
  contacts.tsv             all pairs: positions, residues, raw and corrected scores
  contacts.rr              pairs in the format of CASP (contacts.factored.rr for the
                           second model)
  heads.tsv                what each head of factored attention attends to
  heads.axial.tsv          the same of the axial transformer, axial.safetensors its
                           weights
  contacts.pml, .cxc       the best L pairs on the structure, for PyMOL and ChimeraX
  metrics.json             what --json prints
  report.html              all of it on one page

Results do not depend on --threads.`,
		Example: `  heed protein fit family.a3m.gz --structure 1a3a.pdb -o run
  heed protein fit family.a3m --model potts --rows diverse:1000 --json
  heed protein fit pfam.fasta.gz --columns all --distances distances.dat -o run`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("%s needs an alignment", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.job.Family.File = args[0]
			r.job.Version = version
			r.job.Command = append([]string{"protein", "fit"}, commandLine(cmd, args)...)
			return r.run(cmd.Context(), cmd.Flags(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := c.Flags()
	fs.StringVarP(&r.out, "output", "o", "", "folder for tables, scripts and report")
	fs.BoolVar(&r.force, "force", false, "write into a folder that is not empty")
	fs.BoolVar(&r.asJSON, "json", false, "print results as JSON")
	fs.StringVar(&r.job.Fit.Model, "model", "both", "potts, factored, both of these, axial, or all")

	f := &r.job.Family
	fs.StringVar(&f.Query, "query", "", "name of the row that is the query (default the first)")
	fs.StringVar(&f.Columns, "columns", "query", "query, or all to keep columns in which the query has a gap")
	fs.StringVar(&r.weights, "weights", "0.8", "identity from which two rows count as copies, gaps counted as letters, or none")
	fs.StringVar(&f.Rows, "rows", "all", "all, first:N, diverse:N (far from one another) or random:N (by weight)")
	fs.Float64Var(&f.MinCoverage, "min-coverage", 0, "leave out rows that fill less than this share of the query")
	fs.Float64Var(&f.Holdout, "holdout", 0, "share of the rows, in whole clusters, that is not fitted and judges the models")
	fs.Float64Var(&f.MaxGaps, "max-gaps", 1, "leave out columns with more than this share of gaps")

	s := &r.job.Structure
	fs.StringVar(&s.File, "structure", "", "PDB or mmCIF file to compare with")
	fs.StringVar(&s.Chain, "chain", "", "chain of the structure (default the first that matches the query)")
	fs.StringVar(&s.Distances, "distances", "", "table of distances in place of a structure: i j d, positions from 1, d in Å")
	fs.StringVar(&s.Contacts, "contacts", "", "what is closer than --cutoff in a contact: beta (C-beta atoms) or minimum-atom (any atoms but hydrogens) (default beta)")
	fs.Float64Var(&s.Cutoff, "cutoff", 8, "of a contact, in Å")

	p, a := &r.job.Fit.Potts, &r.job.Fit.Factored
	fs.IntVar(&a.Heads, "heads", 256, "factored: attention heads")
	fs.IntVar(&a.Width, "width", 32, "factored: width of queries and keys")
	fs.IntVar(&a.Steps, "steps", 800, "factored: steps")
	fs.IntVar(&a.Batch, "batch", 1000, "factored: sequences in a step")
	fs.Float64Var(&a.Rate, "rate", 0.005, "factored: first learning rate of AdamW, which falls along half a cosine")
	fs.Float64Var(&a.Lambda, "lambda", 0.01, "factored: strength of regularisation")
	fs.IntVar(&p.Steps, "potts-steps", 100, "potts: steps")
	fs.Float64Var(&p.Lambda, "potts-lambda", 0.01, "potts: strength of regularisation")
	x := &r.job.Fit.Axial
	fs.IntVar(&x.Layers, "axial-layers", 0, "axial: layers (default 1)")
	fs.IntVar(&x.Width, "axial-width", 0, "axial: width of the model (default 128)")
	fs.IntVar(&x.Heads, "axial-heads", 0, "axial: attention heads (default 32)")
	fs.IntVar(&x.Rows, "axial-rows", 0, "axial: rows of an alignment that is drawn in training (default 4)")
	fs.IntVar(&x.Batch, "axial-batch", 0, "axial: alignments in a step (default 16)")
	fs.IntVar(&x.Steps, "axial-steps", 0, "axial: steps (default 700)")
	fs.Float64Var(&x.Rate, "axial-rate", 0, "axial: peak learning rate of AdamW (default 0.005)")
	fs.Float64Var(&x.Mask, "axial-mask", 0, "axial: share of the residues to fill in (default 0.15)")
	fs.Float64Var(&x.Decay, "axial-decay", 0, "axial: weight decay of AdamW (default 0.01)")
	fs.Float64Var(&x.Dropout, "axial-dropout", 0, "axial: dropout of what is added to the residual")
	fs.BoolVar(&x.Pairs, "axial-pairs", true, "axial: learn a bias of row attention for each head and pair of columns")
	fs.BoolVar(&x.Untied, "axial-untied", false, "axial: a map of row attention for each row, not one for all")
	fs.Var(&r.memory, "mem-limit", "memory that a fit may need")
	fs.Uint64Var(&r.job.Seed, "seed", 1, "seed of everything random")
	fs.IntVar(&a.Cores, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	return c
}

// setFlags checks what the flags say and the zero value of a config would hide.
func (r *fitRequest) setFlags(fs *pflag.FlagSet) error {
	r.job.Family.NoWeights = r.weights == "none"
	if !r.job.Family.NoWeights {
		x, err := strconv.ParseFloat(r.weights, 64)
		if err != nil || !(x > 0 && x <= 1) {
			return cli.Usagef("--weights %q: want an identity above 0 and up to 1, or none", r.weights)
		}
		r.job.Family.Identity = x
	}
	r.job.Fit.MaxMemory = int64(r.memory)
	// In a config 0 means the default; whoever types it means something else.
	for _, name := range []string{"heads", "width", "steps", "batch", "rate", "lambda", "potts-steps", "potts-lambda", "cutoff", "max-gaps"} {
		if f := fs.Lookup(name); f.Value.String() == "0" {
			return cli.Usagef("--%s 0: want a positive number", name)
		}
	}
	if r.job.Fit.Factored.Cores < 0 {
		return cli.Usagef("--threads %d: want 0 or more", r.job.Fit.Factored.Cores)
	}
	return nil
}

func (r *fitRequest) run(ctx context.Context, fs *pflag.FlagSet, stdout, tell io.Writer) error {
	if err := r.setFlags(fs); err != nil {
		return err
	}
	o, err := r.job.Load()
	if err != nil {
		return err
	}
	o.describe(tell)
	if r.out != "" {
		if err := cli.MakeFolder(r.out, r.force); err != nil {
			return err
		}
	}
	m := newMeter(tell)
	err = o.Run(ctx, m.see)
	m.stop()
	if errors.Is(err, context.Canceled) {
		return cli.Hint(err, "nothing was kept: a fit begins anew")
	}
	if err != nil {
		return err
	}
	o.times(tell)
	if r.out != "" {
		if err := o.Write(r.out); err != nil {
			return err
		}
	}
	switch {
	case r.asJSON:
		return o.writeJSON(stdout)
	case o.Comparison == nil:
		return writeTop(stdout, o.Family, o.Fit)
	}
	if err := o.Comparison.WriteTable(stdout); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "contact: %s\n", o.Truth.Definition)
	return err
}

func (o *Outcome) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(o.Summary())
}

// commandLine returns the flags that were given, in a fixed order, and the
// arguments.
func commandLine(cmd *cobra.Command, args []string) []string {
	var out []string
	cmd.Flags().Visit(func(f *pflag.Flag) { out = append(out, "--"+f.Name+"="+f.Value.String()) })
	return append(out, args...)
}
