package ehr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"heed/internal/cli"
	"heed/train"
)

// A trainRequest is the command line of "heed ehr train".
type trainRequest struct {
	job     Job
	names   subjectNames
	windows string
	out     string
	force   bool
	asJSON  bool
	dropout float64
	drop    float64
	lag     float64
}

func trainCommand(version string) *cobra.Command {
	r := trainRequest{job: Job{Fit: DefaultConfig(), TuneShare: 0.2}}
	c := &cobra.Command{
		Use:   "train SOURCE",
		Short: "Train a transformer on timelines with outcomes, and measure it beside floors",
		Long: `Train a transformer on the timelines of patients and measure it on patients that it
has not seen, beside floors: how long the record is, a bag of codes, and logistic
regression on statistics of every code over the whole history and the last day.

SOURCE is a store of events in the layout of MEDS with --labels, a parquet file with
subject_id, prediction_time and boolean_value; or a folder with events.csv (subject_id, time, code, numeric_value) and
labels.csv (subject_id, prediction_time, boolean_value, split), or one with the stays
of PhysioNet 2012 (set-a.tar.gz, Outcomes-a.txt, ...), whose outcome is death in
hospital after 48 hours; --lists gives files whose first column lists the stays to
train on, to tune on and to test on.

Parts are those of the source, or --folds makes some of patients. Vocabulary and
quantiles come from the training part; epoch, calibration and the threshold of alerts
(specificity .95) from the tuning part; the test part is measured once.

Tokens: with --windows 0,8 there is a token for each code over the whole history (0)
and for each code in every 8 hours, with nine statistics of its values; with
--windows none every event is a token.

Fifteen ways in which labels leak are checked, and cheap models fitted that should know
little (heed ehr audit); what they say stands below the scores.

With -o, the folder, which nobody else may look into, gets
  report.html              one page: scores beside floors, calibration, decision curve, subgroups, audit
  metrics.json             scores with intervals, decision curves, reliability, subgroups, audit
  predictions.tsv          of the test parts; patients bear pseudonyms
  model.safetensors        the model (fold-1.safetensors and so on with --folds)
  job.json, run.jsonl      what decided the numbers, and how the fits went

Results do not depend on --threads. ` + strings.ToUpper(Notice[:1]) + Notice[1:] + ".",
		Example: `  heed ehr train stays --folds 5 -o run
  heed ehr train stays --lists train.csv,tune.csv,test.csv --windows 0 --ensemble 5 -o run
  heed ehr train timelines --windows none --time bias --value projection -o run`,
		Args: oneArgument("a folder of timelines"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.job.Source = args[0]
			r.job.Version = version
			r.job.Command = append([]string{"ehr", "train"}, commandLine(cmd, args)...)
			return r.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	r.flags(c.Flags())
	return c
}

func (r *trainRequest) flags(fs *pflag.FlagSet) {
	f := &r.job.Fit
	outputFlags(fs, &r.out, &r.force, &r.asJSON, "folder for model, predictions and metrics")
	labelFlags(fs, &r.job.Labels, &r.job.Lists)
	fs.IntVar(&r.job.Folds, "folds", 0, "folds of patients; 0 takes the parts of the source")
	fs.Float64Var(&r.job.TuneShare, "tune-share", r.job.TuneShare, "share of the patients that --folds keeps to tune on")
	r.job.checkFlags(fs)
	r.names.flags(fs)

	fs.StringVar(&r.windows, "windows", "0,8", "hours of the windows that tokens sum up, 0 for the whole history; none for a token for each event")
	fs.BoolVar(&f.Tokens.Joined, "joined", false, "one token for each code with the statistics of all windows, in place of one for each window")
	fs.StringVar(&f.Model.Value, "value", f.Model.Value, "how values enter: knots, bins, linear, projection or none")
	fs.StringVar(&f.Model.Time, "time", f.Model.Time, "how time enters: time2vec, bias, both, tokens or none")
	fs.BoolVar(&f.Model.Age, "age", f.Model.Age, "add the age at every event")
	fs.BoolVar(&f.Model.Visits, "visits", f.Model.Visits, "tell visits apart")
	fs.BoolVar(&f.Model.Causal, "causal", f.Model.Causal, "let every token see its past alone")
	f.sizeFlags(fs)
	fs.IntVar(&f.Model.MaxTokens, "max-tokens", f.Model.MaxTokens, "most recent tokens that are kept")
	fs.Float64Var(&r.dropout, "dropout", float64(f.Model.Dropout), "dropout rate")
	fs.Float64Var(&r.drop, "drop-tokens", 0.1, "share of tokens left out at random in training")
	fs.Float64Var(&r.lag, "lag-unit", 1, "hours at which the lag of --time bias begins to count")
	fs.IntVar(&f.Knots, "knots", f.Knots, "quantiles of each value")
	fs.IntVar(&f.MinCount, "min-count", f.MinCount, "training cases in which a code must occur to be learned")

	fs.Float64Var(&f.Train.Decay, "decay", f.Train.Decay, "weight decay")
	fs.IntVar(&f.Patience, "patience", f.Patience, "epochs without improvement before a fit stops; 0 for none")
	fs.Float64Var(&f.Average, "average", f.Average, "decay of the running mean of weights; 0 for none")
	fs.IntVar(&f.Ensemble, "ensemble", f.Ensemble, "models of different seeds, whose logits are averaged")
	fs.StringVar(&f.Calibration, "calibration", f.Calibration, "on the tuning part: temperature, or platt, which shifts as well")
	fs.StringVar(&f.Pretrain.Kind, "pretrain", f.Pretrain.Kind, "none, masked (hidden codes) or forecast (values to come)")
	fs.IntVar(&f.Pretrain.Epochs, "pretrain-epochs", 5, "passes of the pre-training")
	fs.Float64Var(&f.Pretrain.Hours, "pretrain-hours", 6, "how far ahead the forecast looks")
	fs.Uint64Var(&f.Train.Seed, "seed", 1, "seed of everything random")
}

// outputFlags are those of every command that makes a folder of results.
func outputFlags(fs *pflag.FlagSet, out *string, force, asJSON *bool, what string) {
	fs.StringVarP(out, "output", "o", "", what)
	fs.BoolVar(force, "force", false, "write into a folder that is not empty")
	fs.BoolVar(asJSON, "json", false, "print results as JSON")
}

// checkFlags say what stands beside a model's scores.
func (j *Job) checkFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&j.Floors, "floors", true, "fit the floors too")
	fs.BoolVar(&j.Audit, "audit", true, "search for what leaks the labels, as heed ehr audit does")
}

// sizeFlags are the size and the training of every model of timelines.
func (f *Config) sizeFlags(fs *pflag.FlagSet) {
	fs.IntVar(&f.Model.Layers, "layers", f.Model.Layers, "encoder layers")
	fs.IntVar(&f.Model.Dim, "dim", f.Model.Dim, "width of the model")
	fs.IntVar(&f.Model.Heads, "heads", f.Model.Heads, "attention heads")
	fs.IntVar(&f.Model.FFN, "ffn", f.Model.FFN, "width of the feed-forward layers")
	fs.IntVar(&f.Train.Epochs, "epochs", f.Train.Epochs, "passes over the training examples")
	fs.IntVar(&f.Train.Batch, "batch", f.Train.Batch, "examples in a step")
	fs.Float64Var(&f.Train.Rate, "rate", f.Train.Rate, "peak learning rate")
	threadsFlag(fs, &f.Train.Cores)
}

// setFlags checks what flags say that are no fields of a config.
func (r *trainRequest) setFlags() error {
	f := &r.job.Fit
	var err error
	if f.Tokens.Windows, err = parseWindows(r.windows); err != nil {
		return err
	}
	f.Model.Dropout, f.Model.DropTokens, f.Model.LagUnit = float32(r.dropout), float32(r.drop), float32(r.lag/24)
	switch {
	case r.job.Folds < 0 || r.job.Folds == 1:
		return cli.Usagef("--folds %d: want 2 or more, or 0", r.job.Folds)
	case !(r.job.TuneShare > 0 && r.job.TuneShare <= 0.5):
		return cli.Usagef("--tune-share %v: want a share above 0 and up to 0.5", r.job.TuneShare)
	case f.Train.Epochs < 1 || f.Train.Batch < 1 || !(f.Train.Rate > 0):
		return cli.Usagef("--epochs, --batch and --rate must be positive")
	case f.Train.Cores < 0:
		return cli.Usagef("--threads %d: want 0 or more", f.Train.Cores)
	}
	if err := f.Validate(); err != nil {
		return &cli.UsageError{Reason: err.Error()}
	}
	return nil
}

func parseWindows(text string) ([]float64, error) {
	if text == "none" {
		return nil, nil
	}
	var out []float64
	for _, s := range strings.Split(text, ",") {
		w, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, cli.Usagef("--windows %q: want hours such as 0,8, or none", text)
		}
		out = append(out, w)
	}
	return out, nil
}

func (r *trainRequest) run(ctx context.Context, stdout, tell io.Writer) error {
	if err := r.setFlags(); err != nil {
		return err
	}
	if err := r.names.check(); err != nil {
		return err
	}
	if r.out != "" {
		if err := cli.MakePrivateFolder(r.out, r.force); err != nil {
			return err
		}
	}
	var log []Progress
	o, err := r.job.Run(ctx, func(line string) { fmt.Fprintln(tell, line) }, func(p Progress) {
		log = append(log, p)
		fmt.Fprintln(tell, p.line(r.job.Folds, r.job.Fit.Ensemble))
	})
	if errors.Is(err, train.ErrDiverged) {
		return cli.Hint(err, "lower --rate")
	}
	if err != nil {
		return err
	}
	return o.show(stdout, r.out, r.asJSON, log, &r.names)
}

// show writes the folder of a run, if there is one, and prints the scores.
func (o *Outcome) show(stdout io.Writer, folder string, asJSON bool, log []Progress, names *subjectNames) error {
	if folder != "" {
		if err := o.write(folder, log, names); err != nil {
			return err
		}
	}
	if asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(o.summary())
	}
	if err := WriteTable(stdout, o.Results); err != nil {
		return err
	}
	if o.Evaluated != nil {
		if err := o.Results[0].writeSubgroups(stdout); err != nil {
			return err
		}
	}
	if o.Audit == nil {
		return nil
	}
	return o.Audit.printBrief(stdout)
}

// line is what a terminal sees of an epoch.
func (p *Progress) line(folds, members int) string {
	var b strings.Builder
	if folds > 1 {
		fmt.Fprintf(&b, "fold %d  ", p.Fold)
	}
	if members > 1 {
		fmt.Fprintf(&b, "member %d  ", p.Member)
	}
	fmt.Fprintf(&b, "%s %d/%d  loss %.4f", p.Stage, p.Epoch, p.Epochs, p.Loss)
	if p.Stage == "train" {
		fmt.Fprintf(&b, "  tuning AUROC %.3f  AUPRC %.3f", p.AUROC, p.AUPRC)
	}
	if p.Best {
		b.WriteString("  best")
	}
	return b.String()
}

// A TrainSummary is an Outcome for machines.
type TrainSummary struct {
	IntendedUse string         `json:"intended_use"`
	NotADevice  bool           `json:"not_a_device"`
	SHA256      string         `json:"data_sha256"`
	Seed        uint64         `json:"seed"`
	Cases       int            `json:"predictions"`
	Left        map[string]int `json:"left_out"`
	Tokens      int            `json:"test_tokens"`
	Unknown     int            `json:"test_tokens_unknown"`
	Folds       int            `json:"folds"`
	Models      []*Result      `json:"models"`
	Audit       *AuditResult   `json:"audit,omitempty"`
	Evaluated   *Evaluated     `json:"evaluated,omitempty"`
}

func (o *Outcome) summary() TrainSummary {
	return TrainSummary{
		IntendedUse: Notice, NotADevice: true, SHA256: o.Hash, Seed: o.Job.Fit.Train.Seed, Cases: len(o.Cases), Left: o.Left,
		Tokens: o.Tokens, Unknown: o.Unknown, Folds: len(o.Parts), Models: o.Results, Audit: o.Audit, Evaluated: o.Evaluated,
	}
}

// write fills the folder of a run.
func (o *Outcome) write(folder string, log []Progress, names *subjectNames) error {
	file := func(name string) string { return filepath.Join(folder, name) }
	if err := writeJSONFile(file("job.json"), o.Job); err != nil {
		return err
	}
	if log != nil {
		if err := cli.WriteFile(file("run.jsonl"), func(w io.Writer) error {
			e := json.NewEncoder(w)
			for _, p := range log {
				if err := e.Encode(p); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if err := writeJSONFile(file("metrics.json"), o.summary()); err != nil {
		return err
	}
	if err := cli.WriteFile(file("predictions.tsv"), func(w io.Writer) error { return o.Predictions[0].writeTSV(w, names) }); err != nil {
		return err
	}
	page, err := o.page(log)
	if err != nil {
		return err
	}
	if err := cli.WriteFile(file("report.html"), func(w io.Writer) error { _, err := page.WriteTo(w); return err }); err != nil {
		return err
	}
	for k, f := range o.Models {
		name := "model.safetensors"
		if len(o.Models) > 1 {
			name = fmt.Sprintf("fold-%d.safetensors", k+1)
		}
		if err := f.Save(file(name)); err != nil {
			return err
		}
	}
	return nil
}

func writeJSONFile(path string, v any) error {
	return cli.WriteFile(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	})
}

// oneArgument takes a single argument, which what describes.
func oneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return cli.Usagef("%s takes one argument, %s; got %d", cmd.CommandPath(), what, len(args))
		}
		return nil
	}
}

// twoArguments takes two arguments.
func twoArguments(first, second string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 2 {
			return cli.Usagef("%s takes two arguments, %s and %s; got %d", cmd.CommandPath(), first, second, len(args))
		}
		return nil
	}
}
