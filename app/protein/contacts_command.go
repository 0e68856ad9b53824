package protein

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"heed/data"
	"heed/format"
	"heed/format/msa"
	"heed/format/npy"
	"heed/format/rr"
	"heed/model/esm"
	"heed/tensor"
)

// A contactsRequest is the command line of "heed protein contacts".
type contactsRequest struct {
	model, fasta, out     string
	maxLen, threads, rows int
	perResidue            float64
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

Memory is the weights, the activations of one layer and one map of L x L values, not a
map for each head. Results do not depend on --threads.

-o FILE.npz gets the whole maps (L, L) by the names of the sequences, -o FILE.rr the
pairs of a single sequence in the format of CASP.`,
		Example: `  heed protein contacts esm2_8m.safetensors proteins.fasta
  heed protein contacts esm2_8m.safetensors 1a3a.fasta -o 1a3a.rr`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("%s needs a model and a FASTA file or an alignment", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.model, r.fasta = args[0], args[1]
			return r.run(cmd)
		},
	}
	fs := c.Flags()
	fs.StringVarP(&r.out, "output", "o", "", "file for the maps (.npz) or for the pairs of one sequence (.rr)")
	fs.Float64Var(&r.perResidue, "pairs", 1, "pairs to print, times the length of the sequence")
	fs.IntVar(&r.maxLen, "max-len", 4096, "residues of the longest sequence")
	fs.IntVar(&r.rows, "rows", 256, "rows of an alignment to use")
	fs.IntVar(&r.threads, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
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
		return usagef("-o %s: want a name that ends in .npz or .rr", r.out)
	case !(r.perResidue > 0 && r.perResidue <= 1<<20):
		return usagef("--pairs %v: want a positive number", r.perResidue)
	case r.maxLen < 1:
		return usagef("--max-len %d: want 1 or more", r.maxLen)
	}
	architecture, err := encoderArchitecture(r.model)
	if err != nil {
		return err
	}
	load := r.sequences
	if architecture == esm.ArchitectureMSA {
		load = r.alignment
	}
	proteins, predict, err := load(n, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if ext == ".rr" && len(proteins) != 1 {
		return usagef("-o %s: a file of CASP holds one sequence, %s has %d", r.out, r.fasta, len(proteins))
	}
	w := bufio.NewWriter(cmd.OutOrStdout())
	fmt.Fprintln(w, "sequence\ti\tj\tresidue_i\tresidue_j\tseparation\tprobability")
	each := func(see func(Protein, *tensor.Tensor) error) error {
		for _, p := range proteins {
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			x, err := predict(p)
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
	switch ext {
	case ".npz":
		return writeFile(r.out, func(out io.Writer) error {
			z := npy.NewWriter(out)
			if err := each(func(p Protein, x *tensor.Tensor) error { return z.Add(p.ID, x.Data, x.Shape...) }); err != nil {
				return err
			}
			return z.Close()
		})
	case ".rr":
		return each(func(p Protein, x *tensor.Tensor) error {
			return writeFile(r.out, func(out io.Writer) error { return writeEncoderRR(out, p, x) })
		})
	}
	return each(nil)
}

// A predictor returns the contacts (L, L) of a protein.
type predictor func(Protein) (*tensor.Tensor, error)

// sequences loads ESM-2 and the sequences that it is for.
func (r *contactsRequest) sequences(cores int, tell io.Writer) ([]Protein, predictor, error) {
	proteins, err := readProteins(r.fasta, r.maxLen, tell)
	if err != nil {
		return nil, nil, err
	}
	m, err := LoadEncoder(r.model)
	if err != nil {
		return nil, nil, err
	}
	if m.Contact == nil {
		return nil, nil, format.UnsupportedAt(r.model, 0, "%w", esm.ErrNoContactHead)
	}
	return proteins, func(p Protein) (*tensor.Tensor, error) { return m.Contacts(p.IDs, cores) }, nil
}

// few is the number of rows below which a map of the MSA Transformer is poor.
const few = 16

// alignment loads ESM-MSA-1b and the alignment that it is for, whose first row is
// the one protein.
func (r *contactsRequest) alignment(cores int, tell io.Writer) ([]Protein, predictor, error) {
	if r.rows < 1 {
		return nil, nil, usagef("--rows %d: want 1 or more", r.rows)
	}
	f, err := format.Open(r.fasta)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	a, err := msa.Read(r.fasta, f)
	if err != nil {
		return nil, nil, err
	}
	if a, err = a.MatchQuery(); err != nil {
		return nil, nil, err
	}
	if a.Columns > r.maxLen {
		return nil, nil, hint(format.TooLargef(r.fasta, 0, "a query of %d residues, limit %d", a.Columns, r.maxLen), "--max-len raises the limit")
	}
	all := len(a.Rows)
	if all > r.rows {
		keep, err := data.DiverseRows(a.Seqs(), r.rows)
		if err != nil {
			return nil, nil, format.Invalidf(r.fasta, 0, "%w", err)
		}
		a = a.Select(keep)
	}
	fmt.Fprintf(tell, "%s: %d of %d rows, %d columns\n", r.fasta, len(a.Rows), all, a.Columns)
	if len(a.Rows) < few {
		fmt.Fprintf(tell, "warning: fewer than %d rows: the model has little to see\n", few)
	}
	p := Protein{ID: a.Rows[0].Name}
	rows := make([][]int32, len(a.Rows))
	for i, row := range a.Seqs() {
		if rows[i], _, err = esm.EncodeRow(string(row)); err != nil {
			return nil, nil, format.Invalidf(r.fasta, a.Rows[i].Line, "%w", err)
		}
	}
	p.IDs = append(slices.Clone(rows[0]), esm.End)
	m, err := LoadMSAEncoder(r.model)
	if err != nil {
		return nil, nil, err
	}
	if m.Contact == nil {
		return nil, nil, format.UnsupportedAt(r.model, 0, "%w", esm.ErrNoContactHead)
	}
	if err := m.Check(rows); err != nil {
		return nil, nil, format.TooLargef(r.fasta, 0, "%w", err)
	}
	return []Protein{p}, func(Protein) (*tensor.Tensor, error) { return m.Contacts(rows, cores) }, nil
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
	pred := rr.Prediction{Target: p.ID, Methods: []string{"contact head of a published encoder (ESM)"}}
	for _, id := range p.IDs[1 : len(p.IDs)-1] {
		letter := esm.Name(id)
		if len(letter) != 1 || !strings.ContainsAny(letter, "ABCDEFGHIKLMNOPQRSTUVWXYZ") {
			letter = "X"
		}
		pred.Sequence = append(pred.Sequence, letter[0])
	}
	for _, c := range rankPairs(x) {
		if c.P >= 0.01 {
			pred.Contacts = append(pred.Contacts, c)
		}
	}
	return rr.Write(w, &pred)
}
