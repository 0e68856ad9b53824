package ehr

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"heed/internal/cli"
)

func alertTrainCommand(version string) *cobra.Command {
	j := DefaultAlertJob()
	var out string
	var force, asJSON bool
	c := &cobra.Command{
		Use:   "train",
		Short: "Train an alert on made-up timelines, and measure it by days and events between its two causes",
		Long: `Make up patients as heed ehr generate does, train a causal transformer to say at any
time whether the drug and the abnormal value that belong together have happened, and
measure it on other patients: by the days between the two (which are trained up to
--max-gap alone), by what is missing in patients without an outcome, and by the number
of events between the two. Beside it, on the same patients: an LSTM and a GRU-D with as
many parameters, and a bag of codes, which cannot do better than chance.

Training begins with few events a patient and ends with any number. With -o, the folder
gets model.safetensors, alert.json with all scores, and job.json. ` + sentence(Notice) + ".",
		Example: `  heed ehr alert train -o alarm
  heed ehr alert train --level 3 --layers 3 --seed 2 -o stopped`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			j.Version, j.Command = version, append([]string{"ehr", "alert", "train"}, commandLine(cmd, args)...)
			if err := j.Validate(); err != nil {
				return &cli.UsageError{Reason: err.Error()}
			}
			if out != "" {
				if err := cli.MakePrivateFolder(out, force); err != nil {
					return err
				}
			}
			o, err := j.Run(cmd.Context(), func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) })
			if err != nil {
				return err
			}
			if out != "" {
				if err := o.write(out, &j); err != nil {
					return err
				}
			}
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(o.summary())
			}
			return WriteAlertTable(cmd.OutOrStdout(), o.Rows)
		},
	}
	fs, f := c.Flags(), &j.Fit
	outputFlags(fs, &out, &force, &asJSON, "folder for the model and its scores")
	f.sizeFlags(fs)
	fs.IntVar(&j.Generation.Level, "level", j.Generation.Level, "what the outcome depends on, 0 to 5: see heed ehr generate --help")
	fs.IntVar(&j.Generation.Patients, "patients", j.Generation.Patients, "patients to train on")
	fs.Float64Var(&j.Generation.Noise, "noise", j.Generation.Noise, "share of labels that are wrong")
	fs.Float64Var(&j.Generation.MaxGap, "max-gap", j.Generation.MaxGap, "days between the two in training, at most")
	fs.Float64Var(&j.MinDensity, "min-density", j.MinDensity, "least factor on the number of other events")
	fs.Float64Var(&j.MaxDensity, "max-density", j.MaxDensity, "greatest factor")
	fs.Float64Var(&j.Curriculum, "curriculum", j.Curriculum, "share of the epochs with few events")
	fs.IntVar(&j.ValueEpochs, "value-epochs", j.ValueEpochs, "epochs in which the transformer tells hidden values, before all others")
	fs.IntVar(&j.WarmLevel, "warm-level", j.WarmLevel, "level of half of the patients in --warm-epochs")
	fs.IntVar(&j.WarmEpochs, "warm-epochs", j.WarmEpochs, "epochs that see patients of --warm-level as well, before those of --epochs")
	fs.IntVar(&j.Tune, "tune", j.Tune, "patients to tune on")
	fs.IntVar(&j.Test, "test", j.Test, "patients to test on, in all bins of days together")
	fs.IntVar(&j.Long, "long", j.Long, "patients in each bin of events between the two")
	fs.IntVar(&j.MaxBetween, "max-between", j.MaxBetween, "events between the two at most")
	fs.StringSliceVar(&j.Models, "models", j.Models, "what to train and measure on the same patients")
	fs.StringVar(&f.Model.Time, "time", f.Model.Time, "how time enters: bias or none; what counts from the prediction cannot be asked event by event")
	fs.Uint64Var(&f.Train.Seed, "seed", 1, "seed of the models; that of the patients is fixed by --data-seed")
	fs.Uint64Var(&j.Generation.Seed, "data-seed", j.Generation.Seed, "seed of the patients")
	return c
}

// sentence begins a text with a capital letter.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return cli.Usagef("%s takes no arguments", cmd.CommandPath())
	}
	return nil
}

// An AlertSummary is an AlertOutcome for machines.
type AlertSummary struct {
	IntendedUse string     `json:"intended_use"`
	NotADevice  bool       `json:"not_a_device"`
	MadeUp      bool       `json:"made_up_patients"`
	Temperature float64    `json:"temperature,omitempty"`
	Shift       float64    `json:"shift,omitempty"`
	Threshold   float64    `json:"threshold,omitempty"`
	Models      []AlertRow `json:"models"`
}

func (o *AlertOutcome) summary() AlertSummary {
	s := AlertSummary{IntendedUse: Notice, NotADevice: true, MadeUp: true, Models: o.Rows}
	if o.Fitted != nil {
		s.Temperature, s.Shift, s.Threshold = o.Fitted.Temperature, o.Fitted.Shift, o.Fitted.Threshold
	}
	return s
}

func (o *AlertOutcome) write(folder string, j *AlertJob) error {
	if err := writeJSONFile(filepath.Join(folder, "job.json"), j); err != nil {
		return err
	}
	if err := writeJSONFile(filepath.Join(folder, "alert.json"), o.summary()); err != nil {
		return err
	}
	if o.Fitted == nil {
		return nil
	}
	return o.Fitted.Save(filepath.Join(folder, "model.safetensors"))
}
