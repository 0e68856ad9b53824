package protein

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"heed/format/npy"
	"heed/format/rr"
	"heed/internal/cli"
	"heed/model/esm"
	"heed/tensor"
)

// A contactsRequest is the command line of "heed protein contacts".
type contactsRequest struct {
	model, fasta, out     string
	maxLen, threads, rows int
	perResidue            float64
	limit                 cli.Bytes
	report, heads         string
	structure             StructureConfig
	command               []string
}

func contactsCommand() *cobra.Command {
	r := contactsRequest{}
	c := &cobra.Command{
		Use:   "contacts MODEL FILE",
		Short: "Predict contacts of sequences or an alignment by a published encoder",
		Long: `Predict which residues are in contact (C-beta atoms nearer than 8 Å) by the attention
of a published encoder. MODEL is a file that heed model import wrote, with a contact
head. With ESM-2, FILE is a FASTA file of single sequences. With ESM-MSA-1b, it is an
alignment as heed protein fit reads it; the contacts are those of its first row, and
of more rows than --rows, those far from one another are taken.

The table that is
printed holds the pairs at a separation of 6 or more, the best first: as many as the
sequence has residues, times --pairs. What is printed are the probabilities of the
contact head, a logistic regression that its authors fitted on 20 proteins.

Memory is the weights, five vectors for each token and one map of L x L values, not a
map for each head; the plan is printed first. Results do not depend on --threads, nor
on --mem-limit.

-o FILE.npz gets the whole maps (L, L) by the names of the sequences, -o FILE.rr the
pairs of a single sequence in the format of CASP.

--report FILE.html, for one protein, gets a page: with --structure the map linked with
the structure, which can be turned, and precisions beside floors; the attention of some
heads over the residues, by --heads those of the largest weights in the contact head
(top:8) or chosen ones (12.3,33.1: layer and head from 1); and of an alignment the
attention between its rows and the rollout along rows and columns, over its first 24
rows and up to 512 columns.`,
		Example: `  heed protein contacts esm2_8m.safetensors proteins.fasta
  heed protein contacts esm2_8m.safetensors 1a3a.fasta -o 1a3a.rr`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return cli.Usagef("%s needs a model and a FASTA file or an alignment", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.model, r.fasta = args[0], args[1]
			r.command = append([]string{"protein", "contacts"}, commandLine(cmd, args)...)
			return r.run(cmd)
		},
	}
	fs := c.Flags()
	fs.StringVarP(&r.out, "output", "o", "", "file for the maps (.npz) or for the pairs of one sequence (.rr)")
	fs.StringVar(&r.report, "report", "", "page to write, .html, of one protein")
	fs.StringVar(&r.heads, "heads", "top:8", "with --report: heads whose attention is shown: top:N, none, or layer.head,...")
	fs.StringVar(&r.structure.File, "structure", "", "with --report: PDB or mmCIF file to compare with")
	fs.StringVar(&r.structure.Chain, "chain", "", "chain of the structure (default the first that matches)")
	fs.Float64Var(&r.perResidue, "pairs", 1, "pairs to print, times the length of the sequence")
	fs.IntVar(&r.maxLen, "max-len", 4096, "residues of the longest sequence")
	fs.IntVar(&r.rows, "rows", 256, "rows of an alignment to use")
	fs.IntVar(&r.threads, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	fs.Var(&r.limit, "mem-limit", memoryHelp)
	return c
}

func (r *contactsRequest) run(cmd *cobra.Command) error {
	n, err := cores(r.threads)
	if err != nil {
		return err
	}
	ext := filepath.Ext(r.out)
	switch {
	case r.out != "" && ext != ".npz" && ext != ".rr":
		return cli.Usagef("-o %s: want a name that ends in .npz or .rr", r.out)
	case !(r.perResidue > 0 && r.perResidue <= 1<<20):
		return cli.Usagef("--pairs %v: want a positive number", r.perResidue)
	case r.maxLen < 1:
		return cli.Usagef("--max-len %d: want 1 or more", r.maxLen)
	}
	if r.structure.File != "" && r.report == "" {
		return cli.Usagef("--structure needs --report")
	}
	file, err := readEncoderFile(r.model)
	if err != nil {
		return err
	}
	if err := r.checkHeads(file); err != nil {
		return err
	}
	if !file.hasHead() {
		return noHead(r.model)
	}
	proteins, err := file.inputs(r.fasta, r.maxLen, r.rows, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if ext == ".rr" && len(proteins) != 1 {
		return cli.Usagef("-o %s: a file of CASP holds one sequence, %s has %d", r.out, r.fasta, len(proteins))
	}
	if r.report != "" && len(proteins) != 1 {
		return cli.Usagef("--report is of one protein, %s has %d", r.fasta, len(proteins))
	}
	var truth *Truth
	if r.structure.File != "" {
		if truth, err = r.structure.Load(proteins[0].letters()); err != nil {
			return err
		}
		fmt.Fprintln(cmd.ErrOrStderr(), truth.Describe())
	}
	plan, done, err := planMemory(cmd.ErrOrStderr(), int64(r.limit), r.fasta, file, n, 0, func(w esm.Work, _ int) []esm.Part {
		parts := append(file.plan(proteins, w, 0), esm.ContactPlan(longest(proteins), w))
		if p := proteins[0]; r.report != "" && p.Rows != nil && len(p.Rows[0])-1 <= mostRolled {
			parts = append(parts, rolloutPlan(&file.alignment, len(p.Rows), len(p.Rows[0])))
		}
		if k := r.shownHeads(file); r.report != "" && k > 0 {
			l := int64(longest(proteins))
			parts = append(parts, esm.Part{Name: "maps of the report", Bytes: 4 * int64(k+1) * l * l, How: fmt.Sprintf("%d x %d² x 4 bytes", k+1, l)})
		}
		return parts
	})
	if err != nil {
		return err
	}
	defer done()
	m, err := file.load()
	if err != nil {
		return err
	}
	w := bufio.NewWriter(cmd.OutOrStdout())
	fmt.Fprintln(w, "sequence\ti\tj\tresidue_i\tresidue_j\tseparation\tprobability")
	each := func(see func(Protein, *tensor.Tensor) error) error {
		for _, p := range proteins {
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			x, err := m.contacts(p, plan.Work)
			if err != nil {
				return err
			}
			pairs := rankPairs(x)
			for _, c := range pairs[:min(len(pairs), int(r.perResidue*float64(x.Dim(0))))] {
				fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\t%d\t%.6f\n", p.ID, c.I, c.J,
					esm.Name(p.IDs[c.I]), esm.Name(p.IDs[c.J]), c.J-c.I, c.P)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			if see != nil {
				if err := see(p, x); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if r.report != "" {
		table := each
		each = func(see func(Protein, *tensor.Tensor) error) error {
			return table(func(p Protein, x *tensor.Tensor) error {
				if see != nil {
					if err := see(p, x); err != nil {
						return err
					}
				}
				return r.writeReport(m, p, x, truth, plan.Work)
			})
		}
	}
	switch ext {
	case ".npz":
		return cli.WriteFile(r.out, func(out io.Writer) error {
			z := npy.NewWriter(out)
			if err := each(func(p Protein, x *tensor.Tensor) error { return z.Add(p.ID, x.Data, x.Shape...) }); err != nil {
				return err
			}
			return z.Close()
		})
	case ".rr":
		return each(func(p Protein, x *tensor.Tensor) error {
			return cli.WriteFile(r.out, func(out io.Writer) error { return writeEncoderRR(out, p, x) })
		})
	}
	return each(nil)
}

// rankPairs returns the pairs at a separation of 6 or more, the best first.
func rankPairs(x *tensor.Tensor) []rr.Contact {
	l := x.Dim(0)
	var out []rr.Contact
	for i := range l {
		for j := i + nearest; j < l; j++ {
			out = append(out, rr.Contact{I: i + 1, J: j + 1, Max: 8, P: float64(x.Data[i*l+j])})
		}
	}
	slices.SortStableFunc(out, func(a, b rr.Contact) int { return cmp.Compare(b.P, a.P) })
	return out
}

// writeEncoderRR writes the pairs with a probability of 0.01 or more. What is no
// letter, such as a gap or <mask>, is written as X.
func writeEncoderRR(w io.Writer, p Protein, x *tensor.Tensor) error {
	pred := rr.Prediction{Target: p.ID, Sequence: p.letters(), Methods: []string{"contact head of a published encoder (ESM)"}}
	for _, c := range rankPairs(x) {
		if c.P >= 0.01 {
			pred.Contacts = append(pred.Contacts, c)
		}
	}
	return rr.Write(w, &pred)
}
