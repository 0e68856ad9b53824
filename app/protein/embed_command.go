package protein

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"heed/format/npy"
	"heed/internal/cli"
	"heed/model/esm"
)

// An embedRequest is the command line of "heed protein embed".
type embedRequest struct {
	model, fasta, out string
	layer             int
	perResidue        bool
	maxLen, threads   int
	rows, tokens      int
	limit             cli.Bytes
}

func embedCommand() *cobra.Command {
	r := embedRequest{}
	c := &cobra.Command{
		Use:   "embed MODEL FILE -o FILE",
		Short: "Represent sequences as vectors by a published encoder",
		Long: `Represent each sequence as the mean of the hidden states of its residues, the two end
tokens left out. MODEL is a file that heed model import wrote. With ESM-2, FILE is a
FASTA file; with ESM-MSA-1b it is an alignment as heed protein contacts reads it, and
its first row is represented.

-o FILE.npz gets an array (D) for each sequence under its name, or (L, D) with
--per-residue; -o FILE.tsv a line for each sequence. Layers are counted as the authors
count them: 0 is the embedding, the last one comes after the final norm.

Sequences of similar length are computed together, up to --batch-tokens at a time, and
written in the order of the file, but for --per-residue, where the shortest come first.
Results do not depend on --threads, --batch-tokens and --mem-limit, nor on what else
is in the file.`,
		Example: `  heed protein embed esm2_8m.safetensors proteins.fasta -o means.tsv
  heed protein embed esm2_8m.safetensors proteins.fasta --per-residue --layer 3 -o states.npz`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return cli.Usagef("%s needs a model and a FASTA file or an alignment", cmd.CommandPath())
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
	fs.IntVar(&r.rows, "rows", 256, "rows of an alignment to use")
	fs.IntVar(&r.tokens, "batch-tokens", 4096, "tokens of sequences that are computed together")
	fs.Var(&r.limit, "mem-limit", memoryHelp)
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
		return cli.Usagef("-o %q: want a name that ends in .npz or .tsv", r.out)
	case ext == ".tsv" && r.perResidue:
		return cli.Usagef("--per-residue wants -o with a name that ends in .npz")
	case r.maxLen < 1:
		return cli.Usagef("--max-len %d: want 1 or more", r.maxLen)
	case r.tokens < 1:
		return cli.Usagef("--batch-tokens %d: want 1 or more", r.tokens)
	}
	file, err := readEncoderFile(r.model)
	if err != nil {
		return err
	}
	layers, _ := file.heads()
	layer := r.layer
	if layer == -1 {
		layer = layers
	}
	if layer < 0 || layer > layers {
		return cli.Usagef("--layer %d: the model has layers 0 to %d", r.layer, layers)
	}
	proteins, err := file.inputs(r.fasta, r.maxLen, r.rows, tell)
	if err != nil {
		return err
	}
	plan, done, err := planMemory(tell, int64(r.limit), r.fasta, file, n, r.tokens, func(w esm.Work, tokens int) []esm.Part {
		return file.plan(proteins, w, min(tokens, allTokens(proteins)))
	})
	if err != nil {
		return err
	}
	defer done()
	m, err := file.load()
	if err != nil {
		return err
	}
	return cli.WriteFile(r.out, func(w io.Writer) error { return r.write(ctx, w, m, proteins, layer, plan) })
}

func (r *embedRequest) write(ctx context.Context, w io.Writer, m *encoderModel, proteins []Protein, layer int, plan *memoryPlan) error {
	d := m.width()
	if r.perResidue {
		z := npy.NewWriter(w)
		err := m.states(ctx, proteins, layer, plan, func(i int, x []float32) error {
			return z.Add(proteins[i].ID, x, len(x)/d, d)
		})
		if err != nil {
			return err
		}
		return z.Close()
	}
	means := make([][]float32, len(proteins))
	if err := m.states(ctx, proteins, layer, plan, func(i int, x []float32) error {
		means[i] = meanRows(x, d)
		return nil
	}); err != nil {
		return err
	}
	if filepath.Ext(r.out) == ".npz" {
		z := npy.NewWriter(w)
		for i, x := range means {
			if err := z.Add(proteins[i].ID, x, d); err != nil {
				return err
			}
		}
		return z.Close()
	}
	b := bufio.NewWriter(w)
	b.WriteString("sequence")
	for i := range d {
		fmt.Fprintf(b, "\t%d", i)
	}
	for i, x := range means {
		b.WriteString("\n" + proteins[i].ID)
		for _, v := range x {
			b.WriteByte('\t')
			b.WriteString(strconv.FormatFloat(float64(v), 'g', -1, 32))
		}
	}
	b.WriteByte('\n')
	return b.Flush()
}

func allTokens(proteins []Protein) int {
	n := 0
	for _, p := range proteins {
		n += len(p.IDs)
	}
	return n
}

func (e *encoderModel) width() int {
	if e.alignment != nil {
		return e.alignment.Config.Dim
	}
	return e.sequence.Config.Dim
}

// states calls see with the hidden states (L, D) of the residues of each protein
// after a layer, the shortest proteins first.
func (e *encoderModel) states(ctx context.Context, proteins []Protein, layer int, plan *memoryPlan, see func(i int, x []float32) error) error {
	d := e.width()
	if e.alignment != nil {
		for i, p := range proteins {
			var out []float32
			e.alignment.Stream(p.Rows, plan.Work, nil, func(at int, x []float32) {
				if at == layer {
					out = slices.Clone(x[d : len(p.Rows[0])*d])
				}
			})
			if err := see(i, out); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	order := make([]int, len(proteins))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(proteins[a].IDs) - len(proteins[b].IDs) })
	for len(order) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		var batch [][]int32
		for tokens := 0; len(batch) < len(order); {
			ids := proteins[order[len(batch)]].IDs
			if tokens += len(ids); len(batch) > 0 && tokens > plan.Tokens {
				break
			}
			batch = append(batch, ids)
		}
		b := esm.Pack(batch...)
		states := make([][]float32, len(batch))
		e.sequence.Stream(b, plan.Work, nil, func(at int, x []float32) {
			if at != layer {
				return
			}
			for k, s := range b.Segments {
				states[k] = slices.Clone(x[(s.Start+1)*d : (s.Start+s.Count-1)*d])
			}
		})
		for k, x := range states {
			if err := see(order[k], x); err != nil {
				return err
			}
		}
		order = order[len(batch):]
	}
	return nil
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
