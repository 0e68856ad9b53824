package protein

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"heed/format/npy"
	"heed/model/esm"
)

// An embedRequest is the command line of "heed protein embed".
type embedRequest struct {
	model, fasta, out string
	layer             int
	perResidue        bool
	maxLen, threads   int
}

func embedCommand() *cobra.Command {
	r := embedRequest{}
	c := &cobra.Command{
		Use:   "embed MODEL FASTA -o FILE",
		Short: "Represent sequences as vectors by a published encoder",
		Long: `Represent each sequence as the mean of the hidden states of its residues, the two end
tokens left out, by ESM-2. MODEL is a file that heed model import wrote.

-o FILE.npz gets an array (D) for each sequence under its name, or (L, D) with
--per-residue; -o FILE.tsv a line for each sequence. Layers are counted as the authors
count them: 0 is the embedding, the last one comes after the final norm.

Results do not depend on --threads, nor on what else is in the file.`,
		Example: `  heed protein embed esm2_8m.safetensors proteins.fasta -o means.tsv
  heed protein embed esm2_8m.safetensors proteins.fasta --per-residue --layer 3 -o states.npz`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("%s needs a model and a FASTA file", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.model, r.fasta = args[0], args[1]
			return r.run(cmd.Context(), cmd.ErrOrStderr())
		},
	}
	fs := c.Flags()
	fs.StringVarP(&r.out, "output", "o", "", "file to write, .npz or .tsv")
	fs.IntVar(&r.layer, "layer", -1, "layer to take the states from; -1 means the last")
	fs.BoolVar(&r.perResidue, "per-residue", false, "keep the states of all residues")
	fs.IntVar(&r.maxLen, "max-len", 4096, "residues of the longest sequence")
	fs.IntVar(&r.threads, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	return c
}

func (r *embedRequest) run(ctx context.Context, tell io.Writer) error {
	n, err := cores(r.threads)
	if err != nil {
		return err
	}
	ext := filepath.Ext(r.out)
	switch {
	case ext != ".npz" && ext != ".tsv":
		return usagef("-o %q: want a name that ends in .npz or .tsv", r.out)
	case ext == ".tsv" && r.perResidue:
		return usagef("--per-residue wants -o with a name that ends in .npz")
	case r.maxLen < 1:
		return usagef("--max-len %d: want 1 or more", r.maxLen)
	}
	proteins, err := readProteins(r.fasta, r.maxLen, tell)
	if err != nil {
		return err
	}
	m, err := LoadEncoder(r.model)
	if err != nil {
		return err
	}
	layer := r.layer
	if layer == -1 {
		layer = m.Config.Layers
	}
	if layer < 0 || layer > m.Config.Layers {
		return usagef("--layer %d: the model has layers 0 to %d", r.layer, m.Config.Layers)
	}
	return writeFile(r.out, func(w io.Writer) error {
		b := bufio.NewWriter(w)
		add := func(p Protein, x []float32, shape ...int) error {
			b.WriteString(p.ID)
			for _, v := range x {
				b.WriteByte('\t')
				b.WriteString(strconv.FormatFloat(float64(v), 'g', -1, 32))
			}
			return b.WriteByte('\n')
		}
		finish := b.Flush
		if ext == ".npz" {
			z := npy.NewWriter(w)
			finish = z.Close
			add = func(p Protein, x []float32, shape ...int) error { return z.Add(p.ID, x, shape...) }
		} else {
			b.WriteString("sequence")
			for i := range m.Config.Dim {
				fmt.Fprintf(b, "\t%d", i)
			}
			b.WriteByte('\n')
		}
		for _, p := range proteins {
			if err := ctx.Err(); err != nil {
				return err
			}
			x := states(m, p, layer, n)
			shape := []int{len(p.IDs) - 2, m.Config.Dim}
			if !r.perResidue {
				x, shape = meanRows(x, m.Config.Dim), shape[1:]
			}
			if err := add(p, x, shape...); err != nil {
				return err
			}
		}
		return finish()
	})
}

// states returns the hidden states (L, D) of the residues after a layer.
func states(m *esm.Model, p Protein, layer, cores int) []float32 {
	var out []float32
	d := m.Config.Dim
	m.Each(esm.Pack(p.IDs), cores, nil, func(i int, x []float32) {
		if i == layer {
			out = append(out, x[d:len(x)-d]...)
		}
	})
	return out
}

// meanRows returns the mean of the rows of x (L, D).
func meanRows(x []float32, d int) []float32 {
	sum := make([]float64, d)
	for i, v := range x {
		sum[i%d] += float64(v)
	}
	out := make([]float32, d)
	for i, v := range sum {
		out[i] = float32(v / float64(len(x)/d))
	}
	return out
}
