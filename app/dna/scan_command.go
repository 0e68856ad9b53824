package dna

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"heed/internal/cli"
)

// A scanRequest is the command line of "heed dna scan".
type scanRequest struct {
	model, genome string
	outputs       []string
	format        string
	control       string
	resume        bool
	config        ScanConfig
	stdout, tell  io.Writer
}

func scanCommand() *cobra.Command {
	r := scanRequest{}
	c := &cobra.Command{
		Use:   "scan MODEL GENOME -o OUT...",
		Short: "Score every window of a genome",
		Long: `Score the windows of a genome, --step letters apart and on both strands, in
constant memory. MODEL is a file or the folder of a run; GENOME is a FASTA,
gzipped or not.

The ending of OUT says what is written; -o may be repeated, and .gz after an
ending compresses in the blocks that tabix wants:
  .bedgraph .bg  the score of every window, for genome browsers: one file for
                 each strand, named OUT.plus.bedgraph and OUT.minus.bedgraph
  .bigwig .bw    the same, as bigWig: OUT.plus.bw and OUT.minus.bw
  .bed           calls: windows whose score reaches the threshold, merged where
                 they overlap on one strand; column 5 is 1000 times the greatest
                 score, columns 7 and 8 are the position of that window
  .tsv           every window with strand and position, counted from 1

A window's score belongs to one letter of it, its middle or --tss, the index of
the start site in the training sequences; on the strand - that index counts from
the other end. In bedGraph and bigWig a score stands for --step letters around its
position, so that intervals lie side by side. --strand max writes the larger score
of the two strands to one file. Windows with a letter other than A, C, G, T are
left out and counted.

The table on standard output is how many calls there are at several thresholds,
for each million letters. A score is calibrated to the shares of the classes in
the training set at best, and a genome has other ones: most calls may be wrong.
--control shuffle scans a copy with the same dinucleotides too, shuffled in
blocks of ` + fmt.Sprint(shuffleBlock) + ` letters. Whatever is called there is the floor of the scan.

An interrupted scan leaves OUT.partial and OUT.partial.json beside the first OUT;
the same command with --resume continues, and gives the same bytes. Results do not
depend on --threads.`,
		Example: `  heed dna scan run genome.fa.gz --tss 60 -o promoters.bw -o promoters.bed
  heed dna scan run genome.fa --step 1 --strand + --threshold 0.99 -o plus.bed --control shuffle
  heed dna scan run genome.fa.gz --tss 60 -o promoters.bw -o promoters.bed --resume`,
		Args: exactly(2, "a model and a genome"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.model, r.genome = args[0], args[1]
			r.stdout, r.tell = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return r.run(cmd.Context())
		},
	}
	fs := c.Flags()
	fs.StringArrayVarP(&r.outputs, "output", "o", nil, "file to write, whole or not at all (may be repeated)")
	fs.StringVar(&r.format, "format", "", "bedgraph, bigwig, bed or tsv, in place of what the ending of -o says")
	fs.IntVar(&r.config.Window, "window", 0, "letters of a window (default the longest that the model reads)")
	fs.IntVar(&r.config.Step, "step", defaultStep, "letters between the starts of two windows")
	fs.StringVar(&r.config.Strand, "strand", "", "both, +, - or max (default both)")
	fs.IntVar(&r.config.TSS, "tss", -1, "index of the letter that a score belongs to, counted from 0 (default the middle)")
	fs.StringVar(&r.config.Class, "class", "", "class whose probability is the score (default the positive of two)")
	fs.Float64Var(&r.config.Threshold, "threshold", 0, "of a call (default that of the model, or 0.5)")
	fs.StringVar(&r.control, "control", "none", "shuffle to scan a shuffled copy too, or none")
	fs.Uint64Var(&r.config.Seed, "seed", 1, "seed of the shuffled copy")
	fs.BoolVar(&r.resume, "resume", false, "continue an interrupted scan, if there is one")
	fs.IntVar(&r.config.Cores, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	return c
}

func (r *scanRequest) run(ctx context.Context) (err error) {
	var outputs []Output
	for _, path := range r.outputs {
		o, err := ParseOutput(path, r.format)
		if err != nil {
			return err
		}
		if dir := filepath.Dir(path); !cli.Exists(dir) {
			return cli.Usagef("%s: no folder %s", path, dir)
		}
		outputs = append(outputs, o)
	}
	switch {
	case len(outputs) == 0:
		return cli.Hint(cli.Usagef("heed dna scan needs -o"), "-o scores.bw writes all scores, -o calls.bed what reaches the threshold")
	case r.config.Step < 1:
		return cli.Usagef("--step %d: want 1 or more", r.config.Step)
	case r.control != "none" && r.control != "shuffle":
		return cli.Usagef("--control %q: want none or shuffle", r.control)
	}
	r.config.Control = r.control == "shuffle"
	f, err := Load(Locate(r.model))
	if err != nil {
		return modelHint(err)
	}
	s, err := f.OpenScan(ctx, Locate(r.model), r.genome, outputs[0].Path+".partial", r.config, r.resume)
	if err != nil {
		return err
	}
	defer s.Close()
	if s.Done() > 0 {
		fmt.Fprintf(r.tell, "resuming after %d of %d windows\n", s.Done(), s.Total())
	}
	m := newMeter(r.tell)
	err = s.Run(ctx, m.see)
	m.stop()
	if errors.Is(err, context.Canceled) {
		return cli.Hint(err, fmt.Sprintf("the same command with --resume continues: %d of %d windows are done", s.Done(), s.Total()))
	}
	if err != nil {
		return err
	}
	for _, o := range outputs {
		paths, err := s.Write(o)
		if err != nil {
			return err
		}
		for _, p := range paths {
			fmt.Fprintf(r.tell, "wrote %s\n", p)
		}
	}
	return r.summary(s)
}

// summary says what was found and what that is worth, and ends the scan.
func (r *scanRequest) summary(s *Scan) error {
	unknown, err := s.Unknown()
	if err != nil {
		return err
	}
	strands := map[string]string{"both": "both strands", "max": "both strands", ".": "both strands averaged", "+": "strand +", "-": "strand -"}
	fmt.Fprintf(r.tell, "%d windows of %d letters, step %d, %s; %d of them hold unknown letters and have no score\n",
		s.Total(), s.Config.Window, s.Config.Step, strands[s.Config.Strand], unknown)
	fmt.Fprintf(r.tell, "a score is a probability under the shares of the classes in the training set, at best: a genome has other ones\n")
	if !s.Config.Control {
		fmt.Fprintf(r.tell, "hint: --control shuffle shows how many calls a shuffled genome gives\n")
	}
	ds, err := s.Densities()
	if err != nil {
		return err
	}
	if err := WriteDensities(r.stdout, ds, s.Config.Control); err != nil {
		return err
	}
	return s.Remove()
}
