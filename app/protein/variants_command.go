package protein

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"heed/format"
	"heed/format/dms"
	"heed/internal/cli"
	"heed/model/alignment"
	"heed/model/esm"
)

// A variantsRequest is the command line of "heed protein variants".
type variantsRequest struct {
	model, file, out     string
	variants, method     string
	columns              dms.Columns
	offset               int
	scan, force          bool
	maxLen, rows, tokens int
	threads              int
	version              string
	limit                cli.Bytes
	seed                 uint64
	command              []string
	pottsSteps           int
	mutants              []string
}

const potts = "potts"

func variantsCommand(version string) *cobra.Command {
	r := variantsRequest{version: version}
	c := &cobra.Command{
		Use:   "variants MODEL FILE",
		Short: "Score substitutions by an encoder or by the alignment of a family",
		Long: `Score substitutions of a protein without training on any measurement, as the logarithm
of how much more probable the mutant is than the wild type (Meier et al. 2021). Higher is
more like what the model has seen.

MODEL is a file that heed model import wrote, or potts. With ESM-2, FILE is a FASTA file of
one sequence; with ESM-MSA-1b and potts it is an alignment whose first row is the protein.
Potts fits the couplings of that family first, as heed protein fit does.

What is scored:
  --variants FILE   a table of a deep mutational scan (CSV or TSV with the columns mutant
                    and, if it was measured, DMS_score, as those of ProteinGym), or one
                    variant in a line: A123G, or A123G:T45S for several at once
  --mutant A123G    one, which may be given again
  --scan            all 19 substitutions of every position

--method masked-marginal hides each position in turn, one pass for each; wild-type-marginal
reads all off one pass that hides nothing. Changes at several positions add up, each seen
alone; only potts sees them together. --offset is the number that variants give to the
first residue. A wrong letter is an error.

With measured scores, the rank correlation is printed beside floors, which know no model
(BLOSUM62, difference in hydrophobicity, number of changes, for an alignment the frequencies
of single columns), and controls (the mean of the model at a position; the mean of the
measured scores of its other variants). Intervals resample positions, not variants.

Without -o the scores are printed as TSV. With it, the folder gets variants.tsv and .csv,
scan.tsv, scan.svg and scan.png (with --scan), correlations.tsv and report.html. Results
do not depend on --threads, --batch-tokens and --mem-limit.`,
		Example: `  heed protein variants esm2_8m.safetensors blat.fasta --variants BLAT_ECOLX.csv -o run
  heed protein variants esm2_8m.safetensors blat.fasta --scan --offset 24 -o run
  heed protein variants potts family.a3m.gz --mutant A24G --mutant A24G:T45S`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return cli.Usagef("%s needs a model and a FASTA file or an alignment", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.model, r.file = args[0], args[1]
			r.command = append([]string{"protein", "variants"}, commandLine(cmd, args)...)
			return r.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := c.Flags()
	fs.StringVar(&r.variants, "variants", "", "table of a deep mutational scan, or list of variants")
	fs.StringArrayVar(&r.mutants, "mutant", nil, "a variant, such as A123G or A123G:T45S")
	fs.BoolVar(&r.scan, "scan", false, "score all substitutions of all positions")
	fs.StringVar(&r.columns.Mutant, "mutant-column", "", "column of the variants (default mutant)")
	fs.StringVar(&r.columns.Score, "score-column", "", "column of the measured scores (default DMS_score, if there is one)")
	fs.IntVar(&r.offset, "offset", 1, "number of the first residue")
	fs.StringVar(&r.method, "method", "masked-marginal", "masked-marginal or wild-type-marginal")
	fs.StringVarP(&r.out, "output", "o", "", "folder for tables, figures and report")
	fs.BoolVar(&r.force, "force", false, "write into a folder that is not empty")
	fs.IntVar(&r.maxLen, "max-len", 4096, "residues of the longest sequence")
	fs.IntVar(&r.rows, "rows", 256, "rows of an alignment that ESM-MSA-1b uses")
	fs.IntVar(&r.tokens, "batch-tokens", 4096, "tokens of masked copies that are computed together")
	fs.IntVar(&r.pottsSteps, "potts-steps", 100, "potts: steps of the fit")
	fs.Var(&r.limit, "mem-limit", memoryHelp)
	fs.Uint64Var(&r.seed, "seed", 1, "seed of the intervals")
	fs.IntVar(&r.threads, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	return c
}

func (r *variantsRequest) check() error {
	switch {
	case r.variants == "" && len(r.mutants) == 0 && !r.scan:
		return cli.Usagef("what is to be scored? --variants FILE, --mutant or --scan")
	case r.variants != "" && len(r.mutants) > 0:
		return cli.Usagef("--variants and --mutant do not go together")
	case r.scan && r.out == "" && (r.variants != "" || len(r.mutants) > 0):
		return cli.Usagef("--scan beside other variants wants -o FOLDER for two tables")
	case r.variants == "" && r.columns != (dms.Columns{}):
		return cli.Usagef("--mutant-column and --score-column need --variants")
	case r.method != "masked-marginal" && r.method != "wild-type-marginal":
		return cli.Usagef("--method %q: want masked-marginal or wild-type-marginal", r.method)
	case r.maxLen < 1:
		return cli.Usagef("--max-len %d: want 1 or more", r.maxLen)
	case r.tokens < 1:
		return cli.Usagef("--batch-tokens %d: want 1 or more", r.tokens)
	case r.pottsSteps < 1:
		return cli.Usagef("--potts-steps %d: want 1 or more", r.pottsSteps)
	}
	return nil
}

func (r *variantsRequest) run(ctx context.Context, stdout, tell io.Writer) error {
	n, err := cores(r.threads)
	if err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	list, err := r.read()
	if err != nil {
		return err
	}
	score := r.byEncoder
	if r.model == potts {
		score = r.byPotts
	}
	result, err := score(ctx, n, list, tell)
	if err != nil {
		return err
	}
	if r.out == "" {
		if r.scan {
			return result.writeScan(stdout, '\t')
		}
		if err := result.table.write(stdout, '\t'); err != nil {
			return err
		}
		return writeIf(tell, result.correlations)
	}
	if err := cli.MakeFolder(r.out, r.force); err != nil {
		return err
	}
	if err := result.writeFolder(r.out); err != nil {
		return err
	}
	return writeIf(stdout, result.correlations)
}

func writeIf(w io.Writer, rows []Correlation) error {
	if rows == nil {
		return nil
	}
	return writeCorrelations(w, rows)
}

// read returns the variants that are asked for, but those of a scan.
func (r *variantsRequest) read() ([]dms.Variant, error) {
	if r.variants == "" {
		var out []dms.Variant
		for _, text := range r.mutants {
			subs, err := dms.Parse(text)
			if err != nil {
				return nil, cli.Usagef("--mutant: %v", err)
			}
			out = append(out, dms.Variant{Name: text, Substitutions: subs, Score: math.NaN()})
		}
		return out, nil
	}
	f, err := format.Open(r.variants)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return dms.Read(r.variants, f, r.columns)
}

// byEncoder scores by ESM-2 or ESM-MSA-1b.
func (r *variantsRequest) byEncoder(ctx context.Context, cores int, list []dms.Variant, tell io.Writer) (*variantsResult, error) {
	if _, err := os.Stat(r.model); err != nil && !strings.ContainsAny(r.model, "./\\") {
		return nil, cli.Usagef("no model %q: want a file of heed model import, or potts", r.model)
	}
	file, err := readEncoderFile(r.model)
	if err != nil {
		return nil, err
	}
	proteins, err := file.inputs(r.file, r.maxLen, r.rows, tell)
	if err != nil {
		return nil, err
	}
	if len(proteins) != 1 {
		return nil, format.Invalidf(r.file, 0, "%d sequences: variants are of one", len(proteins))
	}
	p := proteins[0]
	seq := p.letters()
	where, err := changes(r.source(), list, p.ID, seq, r.offset)
	if err != nil {
		return nil, err
	}
	positions := touched(where, len(seq), r.scan)
	masked := r.method == "masked-marginal"
	plan, done, err := planMemory(tell, int64(r.limit), r.file, file, cores, r.tokens, func(w esm.Work, tokens int) []esm.Part {
		if !masked {
			tokens = 0
		}
		return file.plan(proteins, w, min(tokens/len(p.IDs), len(positions))*len(p.IDs))
	})
	if err != nil {
		return nil, err
	}
	defer done()
	m, err := file.load()
	if err != nil {
		return nil, err
	}
	meter := newMeter(tell)
	defer meter.stop()
	sites, err := m.siteScores(ctx, p, positions, masked, plan, func(done, of int) { meter.count("scoring positions", done, of) })
	if err != nil {
		return nil, err
	}
	name := "ESM-2"
	if m.alignment != nil {
		name = "ESM-MSA-1b"
	}
	return r.result(p.ID, seq, name+", "+r.method, list, where, sites, nil)
}

// byPotts fits the family first.
func (r *variantsRequest) byPotts(ctx context.Context, cores int, list []dms.Variant, tell io.Writer) (*variantsResult, error) {
	family, err := FamilyConfig{File: r.file, Seed: r.seed}.Load()
	if err != nil {
		return nil, err
	}
	where, err := changes(r.source(), list, family.Name, family.Query, r.offset)
	if err != nil {
		return nil, err
	}
	need := alignment.PottsMemory(family.Sequences, family.Family.Columns, cores)
	fmt.Fprintf(tell, "%s: %d sequences, %d positions of %s; effective number %.1f\n", r.file, family.Sequences, len(family.Query), family.Name, family.Neff)
	for _, text := range family.Warnings {
		fmt.Fprintf(tell, "warning: %s\n", text)
	}
	fmt.Fprintf(tell, "memory: at most %s\n", bytesText(need+program.Bytes))
	if r.limit > 0 && need+program.Bytes > int64(r.limit) {
		return nil, format.TooLargef(r.file, 0, "potts of %d columns needs %s, the limit is %s", family.Family.Columns, bytesText(need+program.Bytes), r.limit.String())
	}
	meter := newMeter(tell)
	defer meter.stop()
	m, err := alignment.FitPotts(ctx, family.Family, alignment.PottsConfig{Steps: r.pottsSteps, Cores: cores, Tell: func(step, steps int, _ float64) { meter.see(potts, step, steps) }})
	if err != nil {
		return nil, err
	}
	return r.result(family.Name, family.Query, "potts", list, where, newPottsScorer(family, m), map[string]VariantScorer{"frequencies": frequencyScores(family)})
}

// source names the variants in messages.
func (r *variantsRequest) source() string {
	if r.variants == "" {
		return "--mutant"
	}
	return r.variants
}

// touched returns the positions that have to be computed, in order.
func touched(where [][]Change, length int, all bool) []int {
	want := make([]bool, length)
	for _, cs := range where {
		for _, c := range cs {
			want[c.Position] = true
		}
	}
	var out []int
	for i, yes := range want {
		if yes || all {
			out = append(out, i)
		}
	}
	return out
}
