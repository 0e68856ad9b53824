package dna

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"heed/format"
	"heed/format/bgzf"
	"heed/format/vcf"
	"heed/internal/cli"
)

// A variantRequest is the command line of "heed dna variants".
type variantRequest struct {
	model, reference, in string
	output               string
	control              bool
	config               VariantConfig
	stdin                io.Reader
	stdout, tell         io.Writer
}

func variantsCommand() *cobra.Command {
	r := variantRequest{}
	c := &cobra.Command{
		Use:   "variants MODEL REFERENCE VCF",
		Short: "Score what variants do to a model's output",
		Long: `Score the variants of a VCF: the log-odds of a class in windows with ALT less
those in the same windows with REF. MODEL is a file or the folder of a run;
REFERENCE is a FASTA; VCF may be gzipped, and - is the standard input.

A variant stands in the middle of the window and at every place up to --shift
letters from there, on both strands. The table has, for each allele of ALT, the
mean probability with either allele, the mean change of the log-odds (delta), its
standard deviation over the places (sd: how much it depends on where the window
lies), and the mean of each strand. Substitutions, insertions and deletions are
scored; other alleles (symbolic, *, breakends) are listed with a note and counted.
Windows that leave the sequence or hold a letter other than A, C, G, T are left
out; the column windows is how many there were.

REF must be what the reference says. With an index (REFERENCE.fai, of a FASTA that
is not compressed) the VCF may have any order. Without one the FASTA is streamed,
and each sequence must be in one piece, sorted by position.

Without -o the table goes to standard output. An output that ends in .vcf or
.vcf.gz is the input without its samples, with fields HEED_* in INFO.

--control scores, for each allele, a random substitution at most half a window away
in windows of its own, and adds the quantile of each variant among them: an effect
that random changes of the neighbourhood have as often is no news. An effect on
the model's output is no effect on health.`,
		Example: `  heed dna variants run genome.fa calls.vcf.gz > effects.tsv
  heed dna variants run genome.fa calls.vcf.gz --shift 10 --control -o scored.vcf.gz`,
		Args: exactly(3, "a model, a reference and a VCF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.model, r.reference, r.in = args[0], args[1], args[2]
			r.stdin, r.stdout, r.tell = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return r.run(cmd.Context())
		},
	}
	fs := c.Flags()
	fs.StringVarP(&r.output, "output", "o", "", "file to write, whole or not at all: .tsv or .vcf, with .gz after it to compress")
	fs.IntVar(&r.config.Window, "window", 0, "letters of a window (default the longest that the model reads)")
	fs.IntVar(&r.config.Shift, "shift", 5, "letters that the variant moves from the middle of the window, to either side")
	fs.StringVar(&r.config.Class, "class", "", "class whose log-odds are compared (default the positive of two)")
	fs.BoolVar(&r.config.SkipMismatch, "skip-mismatch", false, "leave out variants whose REF is not the reference's, and count them")
	fs.BoolVar(&r.control, "control", false, "score random substitutions too, and the quantile of each variant among them")
	fs.Uint64Var(&r.config.Seed, "seed", 1, "seed of the random substitutions")
	fs.IntVar(&r.config.Cores, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	return c
}

func (r *variantRequest) run(ctx context.Context) error {
	name := strings.ToLower(strings.TrimSuffix(r.output, ".gz"))
	asVCF := strings.HasSuffix(name, ".vcf")
	switch {
	case r.output != "" && !asVCF && !strings.HasSuffix(name, ".tsv"):
		return cli.Usagef("%s: want an ending of .tsv, .tsv.gz, .vcf or .vcf.gz", r.output)
	case r.control && r.in == "-":
		return cli.Usagef("--control reads the VCF twice: give a file, not the standard input")
	}
	f, err := Load(Locate(r.model))
	if err != nil {
		return modelHint(err)
	}
	checked := r.config
	if _, err := checked.complete(f); err != nil {
		return err
	}
	var b background
	m := newMeter(r.tell)
	passes := 1
	if r.control {
		passes = 2
		_, err := r.pass(ctx, f, m, 1, passes, func(*vcf.Reader) (emitter, error) {
			return func(_ vcf.Record, effects []Effect) error {
				for _, e := range effects {
					if e.Windows > 0 {
						b = append(b, e.Delta)
					}
				}
				return nil
			}, nil
		})
		if err != nil {
			m.stop()
			return err
		}
		slices.Sort(b)
	}
	var counts VariantCounts
	write := func(w io.Writer) error {
		counts, err = r.pass(ctx, f, m, passes, passes, func(in *vcf.Reader) (emitter, error) {
			emit, err := r.writer(w, in.Header, asVCF, checked.Class)
			return func(rec vcf.Record, effects []Effect) error {
				for i := range effects {
					effects[i].Quantile = b.quantile(effects[i].Delta)
				}
				return emit(rec, effects)
			}, err
		})
		return err
	}
	switch {
	case r.output == "":
		err = write(r.stdout)
	case strings.HasSuffix(r.output, ".gz"):
		err = cli.WriteFile(r.output, func(w io.Writer) error {
			z := bgzf.NewWriter(w)
			if err := write(z); err != nil {
				return err
			}
			return z.Close()
		})
	default:
		err = cli.WriteFile(r.output, write)
	}
	m.stop()
	if err != nil {
		return err
	}
	counts.describe(r.tell)
	if len(b) > 0 {
		b.describe(r.tell)
	}
	return nil
}

type emitter = func(vcf.Record, []Effect) error

// writer returns what writes the results, after it has written a header.
func (r *variantRequest) writer(w io.Writer, header []string, asVCF bool, class string) (emitter, error) {
	if asVCF {
		t := &variantVCF{w, fields(r.control)}
		return t.write, t.header(header, class)
	}
	t := &variantTable{w, fields(r.control)}
	return t.write, t.header()
}

// pass scores the VCF once; in all passes but the last, random substitutions.
func (r *variantRequest) pass(ctx context.Context, f *Fitted, m *meter, pass, passes int, begin func(*vcf.Reader) (emitter, error)) (VariantCounts, error) {
	name, raw, size := r.in, r.stdin, int64(0)
	if name == "-" {
		name = "stdin"
	} else {
		file, err := os.Open(name)
		if err != nil {
			return VariantCounts{}, format.PathError(name, err)
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		raw = file
	}
	c := &counted{r: raw}
	text, err := format.NewReader(name, c)
	if err != nil {
		return VariantCounts{}, err
	}
	in, err := vcf.NewReader(name, text)
	if err != nil {
		return VariantCounts{}, err
	}
	emit, err := begin(in)
	if err != nil {
		return VariantCounts{}, err
	}
	return f.ScoreVariants(ctx, r.reference, name, in, r.config, pass < passes, func(rec vcf.Record, effects []Effect) error {
		if size > 0 {
			m.see(Progress{Fold: pass, Fits: passes, Stage: "variants", Done: int(c.n), Total: int(size)})
		}
		return emit(rec, effects)
	})
}

// describe says what became of the alleles.
func (n *VariantCounts) describe(w io.Writer) {
	fmt.Fprintf(w, "%d variants, %d alleles: %d scored", n.Records, n.Alleles, n.Scored)
	for _, k := range []vcf.Kind{vcf.Missing, vcf.Spanning, vcf.Symbolic, vcf.Breakend} {
		if n.Kinds[k] > 0 {
			fmt.Fprintf(w, ", %d not supported (%v)", n.Kinds[k], k)
		}
	}
	if n.Mismatches > 0 {
		fmt.Fprintf(w, ", %d whose REF is not the reference's", n.Mismatches)
	}
	if n.Outside > 0 {
		fmt.Fprintf(w, ", %d without a window of known letters", n.Outside)
	}
	fmt.Fprintln(w)
}
