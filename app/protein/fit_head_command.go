package protein

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"heed/autograd"
	"heed/checkpoint"
	"heed/format"
	"heed/internal/cli"
	"heed/model/esm"
	"heed/nn"
)

// A fitHeadRequest is the command line of "heed protein fit-head".
type fitHeadRequest struct {
	model, list, out    string
	limit               cli.Bytes
	structures          []string
	cost                float64
	folds, maxLen, rows int
	threads             int
	seed                uint64
	force               bool
	version             string
	command             []string
}

func fitHeadCommand(version string) *cobra.Command {
	r := fitHeadRequest{version: version}
	c := &cobra.Command{
		Use:   "fit-head MODEL STRUCTURE... -o FILE",
		Short: "Fit a contact head to a few structures",
		Long: `Fit the contact head of an encoder, a logistic regression on the corrected attention maps
of all its heads with an L1 penalty (Rao et al. 2020), to the contacts (C-beta atoms nearer
than 8 Å) of a few structures; 20 were enough for the published one. The file that is
written is the model with that head, for heed protein contacts.

STRUCTURE is a PDB or mmCIF file, or FILE:CHAIN; the sequence is that of the chain, residues
that were not seen included. For ESM-MSA-1b, or for sequences of your own, --list names a
file with a line for each protein, tab-separated: alignment or FASTA file, structure, chain.

Pairs at a separation of 6 or more are examples. Where they do not fit into --mem-limit (or 2
GB) all contacts are kept and a random part of the others, which weighs more accordingly.
Features are computed head by head: one map exists at a time.

The head is tested by cross-validation over proteins, beside floors. Proteins that resemble
each other make the test too good: give unrelated ones.`,
		Example: `  heed protein fit-head esm2_8m.safetensors 1a3a.pdb 1atz.pdb:A 4pti.cif -o with_head.safetensors`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("%s needs a model and structures", cmd.CommandPath())
			}
			r.model, r.structures = args[0], args[1:]
			r.command = append([]string{"protein", "fit-head"}, commandLine(cmd, args)...)
			return r.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := c.Flags()
	fs.StringVarP(&r.out, "output", "o", "", "the model to write")
	fs.BoolVar(&r.force, "force", false, "replace an existing file")
	fs.StringVar(&r.list, "list", "", "file of inputs, structures and chains")
	fs.Float64Var(&r.cost, "cost", 0.15, "weight of the loss against the penalty, C of liblinear")
	fs.IntVar(&r.folds, "folds", 5, "folds of the test, at most one for each protein; 1 for no test")
	fs.IntVar(&r.maxLen, "max-len", 1024, "residues of the longest protein")
	fs.IntVar(&r.rows, "rows", 256, "rows of an alignment to use")
	fs.Var(&r.limit, "mem-limit", memoryHelp)
	fs.Uint64Var(&r.seed, "seed", 1, "seed of the choice of pairs and of intervals")
	fs.IntVar(&r.threads, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	return c
}

func (r *fitHeadRequest) run(ctx context.Context, stdout, tell io.Writer) error {
	cores, err := cores(r.threads)
	if err != nil {
		return err
	}
	switch {
	case r.out == "":
		return cli.Usagef("-o FILE says where to write the model")
	case !(r.cost > 0) || math.IsInf(r.cost, 0):
		return cli.Usagef("--cost %v: want a positive number", r.cost)
	case r.folds < 1:
		return cli.Usagef("--folds %d: want 1 or more", r.folds)
	case (r.list == "") == (len(r.structures) == 0):
		return cli.Usagef("want structures or --list FILE")
	case !r.force && cli.Exists(r.out):
		return cli.Hint(cli.Usagef("%s exists", r.out), "--force replaces it")
	}
	file, err := readEncoderFile(r.model)
	if err != nil {
		return err
	}
	list, err := r.examples(file, tell)
	if err != nil {
		return err
	}
	var proteins []Protein
	most := 0
	for _, e := range list {
		proteins = append(proteins, e.protein)
		most += e.Length * e.Length / 2
	}
	layers, heads := file.heads()
	channels := layers * heads
	pass := func(w esm.Work, _ int) []esm.Part {
		var largest []esm.Part
		for _, p := range proteins {
			if x := file.plan([]Protein{p}, w, 0); sumParts(x) > sumParts(largest) {
				largest = x
			}
		}
		return append(largest, esm.ContactPlan(longest(proteins), w), mapPart(longest(proteins)))
	}
	room := int64(2e9)
	if r.limit > 0 {
		room = int64(r.limit) - program.Bytes - file.weights().Bytes - sumParts(pass(esm.Work{Cores: cores}, 0))
	}
	f, err := choosePairs(list, pairsThatFit(max(0, room), channels), r.seed)
	if err != nil {
		return format.TooLargef(r.model, 0, "%w", err)
	}
	plan, done, err := planMemory(tell, int64(r.limit), r.model, file, cores, 0, func(w esm.Work, n int) []esm.Part {
		return append(pass(w, n), esm.Part{Name: "features", Bytes: int64(len(f.at)) * int64(pairBytes(channels)),
			How: fmt.Sprintf("%d pairs x (%d heads x 4 + 73) bytes", len(f.at), channels)})
	})
	if err != nil {
		return err
	}
	defer done()
	m, err := file.load()
	if err != nil {
		return err
	}
	meter := newMeter(tell)
	err = f.fill(ctx, m, list, plan.Work, func(done, of int) { meter.count("reading attention", done, of) })
	meter.stop()
	if err != nil {
		return err
	}
	var tested []MapPrecision
	if folds := min(r.folds, len(list)); folds > 1 {
		maps, err := f.crossValidate(ctx, m, list, folds, r.cost, plan.Work, tell)
		if err != nil {
			return err
		}
		if tested, err = EvaluateMaps(maps, r.seed); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(tell, "warning: without a test nothing says what the head is worth on other proteins")
	}
	h, err := f.fit(ctx, r.cost, cores, func(int) bool { return true })
	if err != nil {
		return err
	}
	if m, err = file.read(); err != nil { // packed weights cannot be written
		return err
	}
	m.set(h)
	if err := r.save(m, h, f, len(list), tested); err != nil {
		return err
	}
	if tested != nil {
		if err := writeEvaluation(stdout, tested, true); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "contact: %s; each protein by a head fitted to the others (%d folds)\n", list[0].Truth.Definition, min(r.folds, len(list)))
	}
	_, err = fmt.Fprintf(stdout, "wrote %s: %d of %d heads used, fitted to %d pairs of %d proteins\n", r.out, h.used(), channels, len(f.at), len(list))
	return err
}

func sumParts(parts []esm.Part) int64 {
	var n int64
	for _, p := range parts {
		n += p.Bytes
	}
	return n
}

func mapPart(l int) esm.Part {
	return esm.Part{Name: "one map", Bytes: 4 * int64(l) * int64(l), How: fmt.Sprintf("%d² x 4 bytes", l)}
}

// examples reads proteins and structures.
func (r *fitHeadRequest) examples(file *encoderFile, tell io.Writer) ([]headExample, error) {
	var tasks []mapTask
	if r.list != "" {
		var err error
		if tasks, err = readTasks(r.list); err != nil {
			return nil, err
		}
	} else if file.architecture == esm.ArchitectureMSA {
		return nil, cli.Usagef("ESM-MSA-1b reads alignments: --list names them beside the structures")
	}
	for _, s := range r.structures {
		name, chain := s, ""
		if at := strings.LastIndexByte(s, ':'); at > 1 && !cli.Exists(s) {
			name, chain = s[:at], s[at+1:]
		}
		tasks = append(tasks, mapTask{structure: name, chain: chain})
	}
	var out []headExample
	for _, t := range tasks {
		var p Protein
		if t.input == "" {
			seq, err := chainSequence(t.structure, t.chain)
			if err != nil {
				return nil, err
			}
			p.ID = strings.TrimSuffix(filepath.Base(t.structure), filepath.Ext(t.structure))
			if p.IDs, _, err = esm.Encode(string(seq)); err != nil {
				return nil, format.Invalidf(t.structure, 0, "%w", err)
			}
			if len(seq) > r.maxLen {
				return nil, cli.Hint(format.TooLargef(t.structure, 0, "a chain of %d residues, limit %d", len(seq), r.maxLen), "--max-len raises the limit")
			}
		} else {
			list, err := file.inputs(t.input, r.maxLen, r.rows, tell)
			if err != nil {
				return nil, err
			}
			if len(list) != 1 {
				return nil, format.Invalidf(t.input, 0, "%d sequences beside one structure", len(list))
			}
			p = list[0]
		}
		e := headExample{protein: p, Evaluated: Evaluated{Name: p.ID, Length: len(p.IDs) - 2}}
		var err error
		if e.Truth, err = (StructureConfig{File: t.structure, Chain: t.chain}).Load(p.letters()); err != nil {
			return nil, err
		}
		fmt.Fprintln(tell, e.Truth.Describe())
		out = append(out, e)
	}
	return out, nil
}

// save writes the model with its head, whole or not at all.
func (r *fitHeadRequest) save(m *encoderModel, h *headWeights, f *headFeatures, proteins int, tested []MapPrecision) error {
	var module nn.Module = m.sequence
	var c any
	if m.alignment != nil {
		module, c = m.alignment, m.alignment.Config
	} else {
		c = m.sequence.Config
	}
	config, err := json.Marshal(c)
	if err != nil {
		return err
	}
	head, err := json.Marshal(map[string]any{"contact_head": map[string]any{"fitted_to": f.describe(), "proteins": proteins, "cost": r.cost, "heads_used": h.used(), "from": filepath.Base(r.model)}})
	if err != nil {
		return err
	}
	info := &checkpoint.Info{Version: checkpoint.Version, Architecture: m.file.architecture, Config: config, Tokenizer: json.RawMessage(`{"alphabet":"esm","tokens":33}`),
		Preprocessing: head, Seed: r.seed, Heed: r.version, Go: runtime.Version(), Command: r.command, Metrics: map[string]float64{}}
	for _, p := range tested {
		if p.Name == "mean" && p.Method == "predicted" && !math.IsNaN(p.At[0].Estimate) {
			info.Metrics["precision_at_l_"+p.Range.Name] = p.At[0].Estimate
		}
	}
	meta, err := info.Meta()
	if err != nil {
		return err
	}
	var entries []checkpoint.Entry
	module.Visit("", func(name string, v *autograd.Var) { entries = append(entries, checkpoint.Tensor(name, &v.Tensor)) })
	err = checkpoint.Save(r.out, meta, entries)
	var e *format.Error
	if errors.As(err, &e) {
		return fmt.Errorf("%s: %w", r.out, e.Err)
	}
	return err
}

func (f *headFeatures) describe() string {
	contacts := 0
	for _, c := range f.contact {
		if c {
			contacts++
		}
	}
	return fmt.Sprintf("%d pairs, %d of them contacts", len(f.at), contacts)
}
