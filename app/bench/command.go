package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"heed/internal/cli"
)

// Command returns "heed bench".
func Command(version string) *cobra.Command {
	s := Setting{Each: time.Second, Within: 100 * time.Second, Tokens: 8192}
	asJSON := false
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast this machine is: kernels, models, memory",
		Long: `Measure how fast this machine is, in half a minute if it is idle and in less than two whatever it does: the peak of fused multiply-adds between registers, matrix products and attention as a share of it,
inference and training of every architecture, and the memory of a pass by the length of its sequence. Nothing is read or written; weights and data are random.
The best of five rounds counts. What does not fit into --within is skipped, and what had fewer than three rounds is marked. Run it on an idle machine (the steadiness of the peak says whether it was one), or count processor time.`,
		Example: `  heed bench
  heed bench --threads 1 --json > machine.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &cli.UsageError{Reason: fmt.Sprintf("%s takes no arguments", cmd.CommandPath())}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.Cores < 0 || s.Cores > 1024 {
				return &cli.UsageError{Reason: fmt.Sprintf("--threads %d: want 1 to 1024, or 0 for all", s.Cores)}
			}
			if s.Each <= 0 || s.Each > time.Minute {
				return &cli.UsageError{Reason: fmt.Sprintf("--each %v: want more than 0, up to 1m", s.Each)}
			}
			if s.Within < 10*time.Second || s.Within > time.Hour {
				return &cli.UsageError{Reason: fmt.Sprintf("--within %v: want 10s to 1h", s.Within)}
			}
			if s.Tokens < 512 || s.Tokens > 1<<17 {
				return &cli.UsageError{Reason: fmt.Sprintf("--tokens %d: want 512 to %d", s.Tokens, 1<<17)}
			}
			s.Tell = func(what string) { fmt.Fprintln(cmd.ErrOrStderr(), what) }
			r, err := Run(cmd.Context(), version, s)
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(r)
			}
			return r.write(cmd.OutOrStdout())
		},
	}
	c.Flags().IntVar(&s.Cores, "threads", 0, "cores to use; 0 means all")
	c.Flags().DurationVar(&s.Each, "each", s.Each, "time of each measurement; there are about 30")
	c.Flags().DurationVar(&s.Within, "within", s.Within, "time that all of it may take, on the clock; what would not fit is skipped")
	c.Flags().IntVar(&s.Tokens, "tokens", s.Tokens, "the longest sequence whose memory is measured; its time grows with the square")
	c.Flags().BoolVar(&s.Processor, "processor", false, "count processor time: for a machine that is not idle")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// write prints the result for a terminal.
func (r *Result) write(w io.Writer) error {
	m := r.Machine
	fmt.Fprintf(w, "heed %s, go %s, %s\n", m.Heed, m.Go, m.System)
	if m.Processor != "" {
		fmt.Fprintf(w, "processor %s\n", m.Processor)
	}
	fmt.Fprintf(w, "kernel %s, %s, %s time; it took %.0f s\n\n", m.Kernel, coresWord(m.Cores), m.Clock, r.Seconds)
	table := func(rows [][]string) error {
		t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		for _, row := range rows {
			for i, cell := range row {
				if i > 0 {
					fmt.Fprint(t, "\t")
				}
				fmt.Fprint(t, cell)
			}
			fmt.Fprintln(t)
		}
		fmt.Fprintln(t)
		return t.Flush()
	}
	few := false
	mark := func(rounds int) string {
		if rounds < enough {
			few = true
			return "*"
		}
		return ""
	}
	rows := [][]string{{"peak of fused multiply-adds", "GFLOP/s", "steadiness"}}
	busy := false
	for _, p := range r.Peak {
		rows = append(rows, []string{coresWord(p.Cores), fmt.Sprintf("%.1f%s", p.GFLOPS, mark(p.Rounds)), fmt.Sprintf("%.2f", p.Steady)})
		busy = busy || p.Steady < Busy
	}
	if err := table(rows); err != nil {
		return err
	}
	if busy {
		fmt.Fprintf(w, "The peak was not steady: other programs ran (--processor counts processor time), or the frequency changed. Shares of the peak mean little here.\n\n")
	}
	rows = [][]string{{"kernel", "cores", "GFLOP/s", "of the peak"}}
	for _, k := range r.Kernels {
		rows = append(rows, []string{k.What, fmt.Sprint(k.Cores), fmt.Sprintf("%.1f%s", k.GFLOPS, mark(k.Rounds)), fmt.Sprintf("%.0f %%", 100*k.Share)})
	}
	if err := table(rows); err != nil {
		return err
	}
	rows = [][]string{{"model, " + coresWord(m.Cores), "parameters", "inference", "GFLOP/s", "of the peak", "training", "GFLOP/s", "of the peak"}}
	for _, x := range r.Models {
		row := []string{x.Name, fmt.Sprint(x.Parameters)}
		for _, rate := range []*Rate{x.Inference, x.Training} {
			if rate == nil {
				row = append(row, "-", "-", "-")
				continue
			}
			row = append(row, fmt.Sprintf("%.3g %s/s", rate.PerSecond, x.Unit), fmt.Sprintf("%.1f%s", rate.GFLOPS, mark(rate.Rounds)), fmt.Sprintf("%.0f %%", 100*rate.Share))
		}
		rows = append(rows, row)
	}
	if err := table(rows); err != nil {
		return err
	}
	for _, x := range r.Models {
		fmt.Fprintf(w, "%s: %s\n", x.Name, x.Shape)
	}
	fmt.Fprintf(w, "GFLOP/s count matrix products alone, 2 for each multiply-add; the share is of the peak measured above.\n\n")
	rows = [][]string{{"memory, one sequence, 2 layers of width 64, 4 heads", "inference", "training", "the attention weights alone would be"}}
	for _, x := range r.Memory {
		rows = append(rows, []string{fmt.Sprintf("%d tokens", x.Tokens), megabytes(x.Inference), megabytes(x.Training), megabytes(x.Matrices)})
	}
	if err := table(rows); err != nil {
		return err
	}
	if few {
		fmt.Fprintf(w, "* fewer than %d rounds, for want of time: a disturbance may not have been seen.\n", enough)
	}
	for _, x := range r.Skipped {
		fmt.Fprintf(w, "skipped: %s: %s (--within allows more)\n", x.What, x.Reason)
	}
	return nil
}

func coresWord(n int) string {
	if n == 1 {
		return "1 core"
	}
	return fmt.Sprintf("%d cores", n)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
