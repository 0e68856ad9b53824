package protein

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"heed/format"
	"heed/format/npy"
	"heed/format/pdb"
	"heed/format/rr"
	"heed/internal/cli"
)

// A mapTask is one line of a list: a prediction or an input, and its structure.
type mapTask struct {
	input, structure, chain string
	line                    int    // in the list; 0 for the command line
	list                    string // its file
}

// readTasks reads a list of tab-separated names: an input, a structure and perhaps a
// chain. Names are relative to the list.
func readTasks(path string) ([]mapTask, error) {
	f, err := format.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []mapTask
	for line, err := range format.Lines(path, f) {
		if err != nil {
			return nil, err
		}
		text := strings.TrimSpace(line.Text)
		if text == "" || text[0] == '#' {
			continue
		}
		fields := strings.Split(text, "\t")
		if len(fields) < 2 || len(fields) > 3 || fields[0] == "" || fields[1] == "" {
			return nil, format.Invalidf(path, line.Number, "want two or three names with tabs between: a file, a structure, a chain")
		}
		t := mapTask{line: line.Number, list: path}
		for k, to := range []*string{&t.input, &t.structure} {
			if *to = fields[k]; !filepath.IsAbs(*to) {
				*to = filepath.Join(filepath.Dir(path), *to)
			}
		}
		if len(fields) == 3 {
			t.chain = fields[2]
		}
		out = append(out, t)
	}
	if len(out) == 0 {
		return nil, format.Invalidf(path, 0, "no line with a file and a structure")
	}
	return out, nil
}

func evaluateCommand() *cobra.Command {
	var list, contacts string
	var cutoff float64
	var each bool
	var seed uint64
	c := &cobra.Command{
		Use:   "evaluate PREDICTION STRUCTURE ...",
		Short: "Compare contact maps with structures",
		Long: `Compare predicted contacts with structures: the precision of the best L, L/2 and L/5 pairs
in the ranges of CASP, beside the floors of nearness in the sequence and of a random order.

PREDICTION is a file of CASP (.rr), or a map of scores (L, L) as .npy or .npz with one
array, as heed protein contacts writes it; any number of pairs of files may be given, or a
--list of tab-separated names: prediction, structure, chain. A map has no sequence: its
positions are those of the chain, residues that were not seen included.

Intervals of one protein resample its positions; of several, the mean is printed and its
interval resamples proteins (--each prints them all). Proteins that are alike make it too
narrow. Pairs that a prediction does not list rank last.`,
		Example: `  heed protein evaluate 1a3a.rr 1a3a.pdb
  heed protein evaluate --list maps.tsv --each`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var tasks []mapTask
			var err error
			switch {
			case list != "" && len(args) > 0:
				return cli.Usagef("--list and names of files do not go together")
			case list != "":
				tasks, err = readTasks(list)
			case len(args) == 0 || len(args)%2 != 0:
				return cli.Usagef("%s needs a prediction and a structure, or several of both in turn", cmd.CommandPath())
			default:
				for i := 0; i < len(args); i += 2 {
					tasks = append(tasks, mapTask{input: args[i], structure: args[i+1]})
				}
			}
			if err != nil {
				return err
			}
			var maps []Evaluated
			for _, t := range tasks {
				e, err := evaluated(t, contacts, cutoff)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", t.input, e.Truth.Describe())
				maps = append(maps, e)
			}
			rows, err := EvaluateMaps(maps, seed)
			if err != nil {
				return err
			}
			if err := writeEvaluation(cmd.OutOrStdout(), rows, each); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "contact: %s\n", maps[0].Truth.Definition)
			return err
		},
	}
	fs := c.Flags()
	fs.StringVar(&list, "list", "", "file of predictions, structures and chains")
	fs.StringVar(&contacts, "contacts", "beta", "what is closer than --cutoff in a contact: beta or minimum-atom")
	fs.Float64Var(&cutoff, "cutoff", 8, "of a contact, in Å")
	fs.BoolVar(&each, "each", false, "print every protein beside the mean")
	fs.Uint64Var(&seed, "seed", 1, "seed of the intervals")
	return c
}

// evaluated reads a prediction and its structure.
func evaluated(t mapTask, contacts string, cutoff float64) (Evaluated, error) {
	e := Evaluated{Name: strings.TrimSuffix(filepath.Base(t.input), filepath.Ext(t.input))}
	var query []byte
	var err error
	switch ext := filepath.Ext(t.input); ext {
	case ".npz", ".npy":
		e.Scores, e.Length, err = readMap(t.input)
	case ".rr", ".txt", ".con", ".gz":
		query, e.Scores, err = readRR(t.input)
		e.Length = len(query)
	default:
		err = cli.Usagef("%s: want a prediction that ends in .rr, .npz or .npy", t.input)
	}
	if err != nil {
		return e, err
	}
	if query == nil {
		if query, err = chainSequence(t.structure, t.chain); err != nil {
			return e, err
		}
		if len(query) != e.Length {
			return e, cli.Hint(format.Invalidf(t.input, 0, "a map of %d positions, the chain of %s has %d residues", e.Length, t.structure, len(query)), "a file of CASP has the sequence, which is aligned to the chain")
		}
	}
	e.Truth, err = StructureConfig{File: t.structure, Chain: t.chain, Contacts: contacts, Cutoff: cutoff}.Load(query)
	return e, err
}

// chainSequence returns the letters of a chain, the first if it has no name.
func chainSequence(file, chain string) ([]byte, error) {
	r, err := format.Open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	s, err := pdb.Read(file, r)
	if err != nil {
		return nil, err
	}
	if chain == "" {
		if len(s.Chains) == 0 {
			return nil, format.Invalidf(file, 0, "no protein chain")
		}
		return s.Chains[0].Sequence(), nil
	}
	c, err := s.Chain(chain)
	if err != nil {
		return nil, format.Invalidf(file, 0, "%w", err)
	}
	return c.Sequence(), nil
}

// readRR reads a file of CASP with its sequence.
func readRR(path string) ([]byte, []float64, error) {
	f, err := format.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	p, err := rr.Read(path, f)
	if err != nil {
		return nil, nil, err
	}
	n := len(p.Sequence)
	if n == 0 {
		return nil, nil, format.Unsupportedf(path, 0, "no sequence: the positions cannot be aligned to a structure")
	}
	scores := make([]float64, n*n)
	for i := range scores {
		scores[i] = math.Inf(-1)
	}
	for _, c := range p.Contacts {
		scores[(c.I-1)*n+c.J-1], scores[(c.J-1)*n+c.I-1] = c.P, c.P
	}
	return p.Sequence, scores, nil
}

// readMap reads a square array.
func readMap(path string) ([]float64, int, error) {
	var a npy.Array
	if filepath.Ext(path) == ".npz" {
		z, err := npy.Open(path)
		if err != nil {
			return nil, 0, err
		}
		defer z.Close()
		if names := z.Names(); len(names) != 1 {
			return nil, 0, format.Unsupportedf(path, 0, "%d arrays: want one map", len(names))
		}
		if a, err = z.Read(z.Names()[0]); err != nil {
			return nil, 0, err
		}
	} else {
		f, err := os.Open(path)
		if err != nil {
			return nil, 0, format.PathError(path, err)
		}
		defer f.Close()
		if a, err = npy.Read(path, bufio.NewReader(f)); err != nil {
			return nil, 0, err
		}
	}
	if len(a.Shape) != 2 || a.Shape[0] != a.Shape[1] || a.Shape[0] < 2 {
		return nil, 0, format.Invalidf(path, 0, "an array of shape %v: want a map (L, L)", a.Shape)
	}
	out := make([]float64, a.Len())
	for i, v := range a.Float32s() {
		if math.IsNaN(float64(v)) {
			return nil, 0, format.Invalidf(path, 0, "the score of positions %d and %d is not a number", i/a.Shape[0]+1, i%a.Shape[0]+1)
		}
		out[i] = float64(v)
	}
	return out, a.Shape[0], nil
}
