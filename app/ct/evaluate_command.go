package ct

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"heed/format"
	"heed/internal/cli"
)

func evaluateCommand() *cobra.Command {
	var data dataFlags
	var split string
	var asJSON bool
	var threads int
	c := &cobra.Command{
		Use:   "evaluate RUN DATA",
		Short: "Score a trained classifier of volumes beside its floors",
		Long: `Score a run of heed ct train on one part of a dataset, beside the floors that were
fitted to the same training part. Intervals are bootstraps over patients. Choose
between models by --split valid, and look at the test part once.

Research use only, not a medical device.`,
		Example: `  heed ct evaluate run adrenalmnist3d.npz --split test`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return cli.Usagef("%s needs the folder of a run and a dataset", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			f, d, idx, err := openRun(args[0], args[1], &data, split, threads)
			if err != nil {
				return err
			}
			y, err := d.Labels(idx)
			if err != nil {
				return err
			}
			positives := 0
			for _, v := range y {
				if v {
					positives++
				}
			}
			if positives == 0 || positives == len(y) {
				return fmt.Errorf("%s: the part %s has volumes of one class alone", args[1], split)
			}
			scores, err := Score(f, d, split, f.Config.Train.Seed)
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(struct {
					Use    string       `json:"intended_use"`
					Split  string       `json:"split"`
					Scores []ModelScore `json:"scores"`
				}{Disclaimer, split, scores})
			}
			return writeScores(cmd.OutOrStdout(), scores, split)
		},
	}
	fs := c.Flags()
	data.add(fs)
	fs.StringVar(&split, "split", "test", "train, valid, test or all")
	fs.BoolVar(&asJSON, "json", false, "print results as JSON")
	fs.IntVar(&threads, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	return c
}

// openRun reads a run and the part of a dataset that it shall see, in the form
// that its model wants.
func openRun(folder, path string, flags *dataFlags, split string, threads int) (*Fitted, *Dataset, []int, error) {
	switch split {
	case "train", "valid", "test", "all":
	default:
		return nil, nil, nil, cli.Usagef("--split %q: want train, valid, test or all", split)
	}
	if threads < 0 {
		return nil, nil, nil, cli.Usagef("--threads %d: want 0 or more", threads)
	}
	cfg, err := flags.config()
	if err != nil {
		return nil, nil, nil, err
	}
	f, err := LoadFitted(folder)
	if err != nil {
		return nil, nil, nil, err
	}
	f.Config.Train.Cores = threads
	m := &f.Config.Model
	if flags.size != nil || flags.window != nil || cfg.Positive != "" {
		return nil, nil, nil, cli.Usagef("--size, --window and --positive are those of the run and cannot be changed")
	}
	cfg.Size, cfg.Scaling, cfg.Classes = m.Size, f.Config.Scaling, f.Config.Classes
	if cfg.Spacing == [3]float64{} {
		cfg.Spacing = m.Spacing
	}
	d, err := OpenDataset(path, cfg)
	if err != nil {
		return nil, nil, nil, err
	}
	for a := range 3 {
		if math.Abs(d.Spacing[a]-m.Spacing[a]) > 0.01*m.Spacing[a] {
			return nil, nil, nil, cli.Hint(format.Unsupportedf(path, 0, "voxels of %.4g mm: the model was trained on %.4g mm", d.Spacing, m.Spacing),
				"heed ct prepare resamples volumes")
		}
	}
	if split != "all" {
		// Where the file has no splits they are drawn again, as in training.
		if err := d.Divide(f.Config.Valid, f.Config.Test, f.Config.Train.Seed); err != nil {
			return nil, nil, nil, err
		}
	}
	idx := d.Part(split)
	if len(idx) == 0 {
		return nil, nil, nil, format.Invalidf(path, 0, "no volumes in the part %s", split)
	}
	return f, d, idx, nil
}
