package ct

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"heed/internal/cli"
	"heed/metric"
	"heed/model/volume"
	"heed/nn"
)

// dataFlags are the flags of every verb that reads a dataset.
type dataFlags struct {
	cfg     DatasetConfig
	size    []int
	spacing []float64
	window  []float64
}

func (f *dataFlags) add(fs *pflag.FlagSet) {
	fs.IntSliceVar(&f.size, "size", nil, "voxels, depth,height,width: volumes are cut or filled around their centre (default that of the first)")
	fs.Float64SliceVar(&f.spacing, "spacing", nil, "mm, depth,height,width, of files that have none (default 1)")
	fs.Float64SliceVar(&f.window, "window", nil, "low,high: values that become 0 and 1; beyond them they are cut off (default -1000,400; bytes 0,255)")
	fs.StringVar(&f.cfg.Positive, "positive", "", "label that counts as positive (default the second in alphabetical order)")
	fs.IntVar(&f.cfg.CacheMiB, "cache", 512, "MiB of volumes kept in memory")
}

func (f *dataFlags) config() (DatasetConfig, error) {
	c := f.cfg
	if f.size != nil {
		if len(f.size) != 3 || min(f.size[0], f.size[1], f.size[2]) < 1 {
			return c, cli.Usagef("--size %v: want three positive numbers", f.size)
		}
		c.Size = [3]int(f.size)
	}
	if f.spacing != nil {
		if len(f.spacing) != 3 || !(f.spacing[0] > 0 && f.spacing[1] > 0 && f.spacing[2] > 0) {
			return c, cli.Usagef("--spacing %v: want three positive numbers of mm", f.spacing)
		}
		c.Spacing = [3]float64(f.spacing)
	}
	if f.window != nil {
		if len(f.window) != 2 || !(f.window[1] > f.window[0]) {
			return c, cli.Usagef("--window %v: want a low and a higher value", f.window)
		}
		c.Scaling = Scaling{f.window[0], f.window[1]}
	}
	if c.CacheMiB < 1 {
		return c, cli.Usagef("--cache %d: want a positive number of MiB", c.CacheMiB)
	}
	return c, nil
}

// A trainRequest is the command line of "heed ct train".
type trainRequest struct {
	data    dataFlags
	cfg     TrainConfig
	flip    string
	stem    string
	memory  cli.Bytes
	out     string
	force   bool
	resume  bool
	version string
}

func trainCommand(version string) *cobra.Command {
	r := &trainRequest{version: version, memory: 4e9}
	c := &cobra.Command{
		Use:   "train DATA",
		Short: "Train a classifier of volumes",
		Long: `Train a classifier of two classes of volumes: convolutions, then attention over the
feature map or one of its alternatives at equal parameters.

DATA is a .npz archive after MedMNIST (train_images, train_labels, val_..., test_...)
or a manifest, a CSV with the columns path, label, patient and split, of which the last
two may be missing; paths are relative to it and lead to NIfTI, NRRD, .npy or DICOM.
Volumes of one patient are never divided; without a column split the parts are drawn.

The epoch with the best AUROC on the validation part is kept, of several the one with
the lowest Brier score. The test part is not looked at: heed ct evaluate does. Values are scaled by --window alone, never by what a
volume holds, so that volumes stay comparable.

Three floors are fitted on the way: logistic regressions of the volume above one half and
of the histogram of intensities, and boosted trees of histogram and shape.

The folder of -o gets model.safetensors, floors.json, history.tsv, and state.safetensors
after every epoch, from which --resume goes on with the same bits.

Research use only, not a medical device.`,
		Example: `  heed ct train adrenalmnist3d.npz -o run --epochs 30
  heed ct train manifest.csv -o run --mixer conv --window -1350,150 --flip w
  heed ct train manifest.csv -o run --stem 8,16,32,64 --recompute --batch 4`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("%s needs a .npz archive or a manifest", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.run(cmd.Context(), cmd.Flags(), args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := c.Flags()
	r.data.add(fs)
	fs.StringVarP(&r.out, "output", "o", "", "folder of the run (needed)")
	fs.BoolVar(&r.force, "force", false, "begin anew in a folder that is not empty")
	fs.BoolVar(&r.resume, "resume", false, "go on with the run in the folder")
	fs.Float64Var(&r.cfg.Valid, "valid", 0.15, "share of patients to validate on, where the data has no splits")
	fs.Float64Var(&r.cfg.Test, "test", 0.2, "share of patients to test on, where the data has no splits")
	m := &r.cfg.Model
	fs.StringVar(&r.stem, "stem", "16,48", "channels of the stages, each of which halves the size; none for raw voxels")
	fs.IntVar(&m.Blocks, "blocks", 1, "residual blocks of a stage")
	fs.StringVar(&m.Mixer, "mixer", volume.Attention, strings.Join(volume.Mixers(), ", "))
	fs.IntVar(&m.Layers, "layers", 2, "layers of mixer and feed-forward over the feature map")
	fs.IntVar(&m.Heads, "heads", 4, "heads of attention")
	fs.IntVar(&m.FFN, "ffn", 96, "width of the feed-forward parts")
	fs.StringVar(&m.Position, "position", "sinusoidal", "sinusoidal (in mm), learned or none")
	fs.StringVar(&m.Pooling, "pooling", "", "cls, mean or meanmax (default cls with attention, otherwise mean)")
	fs.Float32Var(&m.Dropout, "dropout", 0.1, "rate of dropout")
	fs.BoolVar(&m.Recompute, "recompute", false, "compute activations twice rather than keep them: less memory, same bits")
	a := &r.cfg.Augment
	fs.StringVar(&r.flip, "flip", "", "axes along which volumes may be mirrored, of dhw, as in hw")
	fs.Float64Var(&a.Rotate, "rotate", 0, "degrees, at most, of a random rotation")
	fs.Float64Var(&a.Shift, "shift", 0, "voxels, at most, of a random shift")
	fs.Float64Var(&a.Intensity, "intensity", 0, "share, at most, by which values are multiplied up or down")
	fs.BoolVar(&r.cfg.Mirrors, "mirrors", false, "predict by the mean over all mirrors that --flip allows")
	t := &r.cfg.Train
	fs.IntVar(&t.Epochs, "epochs", 30, "passes over the volumes")
	fs.IntVar(&t.Batch, "batch", 32, "volumes in a step")
	fs.IntVar(&t.Leaves, "leaves", 4, "pieces of a batch, a power of two: as many cores can work")
	fs.Float64Var(&t.Rate, "rate", 1e-3, "peak learning rate")
	fs.Float64Var(&t.Warmup, "warmup", 0.1, "share of the steps in which the rate rises")
	fs.Float64Var(&t.Decay, "decay", 0.05, "weight decay")
	fs.Uint64Var(&t.Seed, "seed", 1, "seed of everything random")
	fs.IntVar(&t.Cores, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	fs.IntVar(&r.cfg.Patience, "patience", 0, "epochs without a better validation after which to stop; 0 means none")
	fs.IntVar(&r.cfg.Ensemble, "ensemble", 1, "models from seeds of their own that predict together")
	fs.DurationVar(&r.cfg.MaxTime, "max-time", 0, "of one model; results then depend on the machine")
	fs.Var(&r.memory, "mem-limit", "memory that training may need, as in 6GB; 0 is no limit")
	return c
}

func (r *trainRequest) run(ctx context.Context, fs *pflag.FlagSet, args []string, stdout, tell io.Writer) error {
	if r.out == "" {
		return cli.Usagef("-o is needed: the folder of the run")
	}
	if r.force && r.resume {
		return cli.Usagef("--force begins anew and --resume goes on: give one of them")
	}
	dc, err := r.data.config()
	if err != nil {
		return err
	}
	for _, letter := range r.flip {
		axis := strings.IndexRune("dhw", letter)
		if axis < 0 {
			return cli.Usagef("--flip %q: want letters of dhw", r.flip)
		}
		r.cfg.Augment.Flip[axis] = true
	}
	if r.stem != "none" {
		for _, text := range strings.Split(r.stem, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(text))
			if err != nil {
				return cli.Usagef("--stem %q: want numbers of channels, as in 16,48, or none", r.stem)
			}
			r.cfg.Model.Stem = append(r.cfg.Model.Stem, n)
		}
	}
	a := &r.cfg.Augment
	if !(a.Rotate >= 0 && a.Rotate <= 180 && a.Shift >= 0 && a.Shift <= 1000 && a.Intensity >= 0 && a.Intensity < 1) {
		return cli.Usagef("--rotate %v, --shift %v, --intensity %v: want 0 to 180 degrees, 0 to 1000 voxels, a share below 1", a.Rotate, a.Shift, a.Intensity)
	}
	if r.cfg.Ensemble < 1 || r.cfg.Ensemble > 100 || r.cfg.Patience < 0 || r.cfg.MaxTime < 0 {
		return cli.Usagef("--ensemble %d, --patience %d, --max-time %v: want 1 to 100, and no negative numbers", r.cfg.Ensemble, r.cfg.Patience, r.cfg.MaxTime)
	}
	d, err := OpenDataset(args[0], dc)
	if err != nil {
		return err
	}
	if err := d.Divide(r.cfg.Valid, r.cfg.Test, r.cfg.Train.Seed); err != nil {
		return err
	}
	if err := r.complete(d); err != nil {
		return err
	}
	model := volume.New(r.cfg.Model, nil)
	plan := planMemory(&r.cfg, d)
	grid := r.cfg.Model.Grid()
	fmt.Fprintf(tell, "%s: %d volumes to train on, %d to validate, %d to test; %v voxels of %.4g mm\n", args[0],
		len(d.Part("train")), len(d.Part("valid")), len(d.Part("test")), d.Size, d.Spacing)
	fmt.Fprintf(tell, "model: %s over %d x %d x %d voxels, %d parameters\n", r.cfg.Model.Mixer, grid[0], grid[1], grid[2], nn.Count(model))
	fmt.Fprintf(tell, "memory: %s\n", plan)
	if need := cli.Bytes(plan.total()); r.memory > 0 && need > r.memory {
		return cli.Hint(fmt.Errorf("training needs about %s, limit %s", &need, &r.memory),
			"--recompute, a smaller --batch or more --leaves need less; --mem-limit raises the limit")
	}
	defer plan.hold()()
	folder := r.out
	if !r.resume {
		if err := cli.MakeFolder(folder, r.force); err != nil {
			return err
		}
		if r.force {
			if err := cli.RemoveFile(filepath.Join(folder, stateFile)); err != nil {
				return err
			}
		}
	}
	floors, err := FitFloors(d, r.cfg.Train.Seed)
	if err != nil {
		return err
	}
	f, err := Fit(ctx, r.cfg, d, filepath.Join(folder, stateFile), func(e Epoch) {
		mark := ""
		if e.Best {
			mark = " *"
		}
		fmt.Fprintf(tell, "model %d, epoch %d of %d: loss %.4f, validation AUROC %.3f, %.0f s%s\n", e.Member, e.Epoch, r.cfg.Train.Epochs, e.Loss, e.AUROC, e.Seconds, mark)
	})
	if errors.Is(err, context.Canceled) {
		return cli.Hint(err, "--resume goes on from the last epoch")
	}
	if err != nil {
		return err
	}
	f.Floors = floors
	scores, err := Score(f, d, "valid", r.cfg.Train.Seed)
	if err != nil {
		return err
	}
	if err := f.Save(folder, r.version, map[string]float64{"valid_auroc": scores[0].AUROC.Estimate}, append([]string{"ct", "train"}, commandLine(fs, args)...)); err != nil {
		return err
	}
	if err := cli.WriteFile(filepath.Join(folder, "history.tsv"), func(w io.Writer) error { return writeHistory(w, f.History) }); err != nil {
		return err
	}
	return writeScores(stdout, scores, "valid")
}

// complete takes over what the data decides and checks the configuration.
func (r *trainRequest) complete(d *Dataset) error {
	m := &r.cfg.Model
	m.Size, m.Spacing, m.Channels, m.Classes = d.Size, d.Spacing, 1, 2
	r.cfg.Scaling, r.cfg.Classes = d.Scaling, d.Classes
	if m.Pooling == "" {
		m.Pooling = "mean"
		if m.Mixer == volume.Attention {
			m.Pooling = "cls"
		}
	}
	if err := m.Validate(); err != nil {
		var tokens *volume.TooManyTokensError
		if errors.As(err, &tokens) {
			return cli.Hint(&cli.UsageError{Reason: err.Error()}, fmt.Sprintf("--stem with %d stages, as in --stem %s", tokens.Stages, proposedStem(tokens.Stages)))
		}
		return &cli.UsageError{Reason: err.Error()}
	}
	if r.cfg.Train.Cores < 0 {
		return cli.Usagef("--threads %d: want 0 or more", r.cfg.Train.Cores)
	}
	if r.cfg.Train.Epochs == 0 || r.cfg.Train.Batch == 0 || r.cfg.Train.Rate == 0 {
		return cli.Usagef("--epochs, --batch and --rate: want positive numbers")
	}
	if err := r.cfg.Train.Validate(); err != nil {
		return &cli.UsageError{Reason: err.Error()}
	}
	return nil
}

// proposedStem doubles the channels from stage to stage and ends with 64.
func proposedStem(stages int) string {
	var s []string
	for i := range stages {
		s = append(s, fmt.Sprint(max(8, 64>>(stages-1-i))))
	}
	return strings.Join(s, ",")
}

func writeHistory(w io.Writer, history []Epoch) error {
	fmt.Fprintln(w, "member\tepoch\tloss\tvalid_auroc\tbest\tseconds")
	for _, e := range history {
		if _, err := fmt.Fprintf(w, "%d\t%d\t%.6f\t%.6f\t%v\t%.1f\n", e.Member, e.Epoch, e.Loss, e.AUROC, e.Best, e.Seconds); err != nil {
			return err
		}
	}
	return nil
}

// A ModelScore is what one model reaches on one part of the data.
type ModelScore struct {
	Name     string          `json:"name"`
	N        int             `json:"n"`
	Positive int             `json:"positive"`
	AUROC    metric.Interval `json:"auroc"`
	AUPRC    metric.Interval `json:"auprc"`
	Accuracy metric.Interval `json:"accuracy"` // of the rule p >= 1/2
	Brier    metric.Interval `json:"brier"`
	// Over is AUROC less that of the network, on the same resamples; zero for the
	// network itself.
	Over metric.Interval `json:"auroc_difference"`
}

const resamples = 2000

// Score compares the network and its floors on one part of a dataset. Intervals
// are bootstraps over patients.
func Score(f *Fitted, d *Dataset, split string, seed uint64) ([]ModelScore, error) {
	idx := d.Part(split)
	y, err := d.Labels(idx)
	if err != nil {
		return nil, err
	}
	p, err := f.Predict(d, idx, f.Config.Train.Cores)
	if err != nil {
		return nil, err
	}
	names, all := []string{f.Name()}, [][]float64{p}
	if f.Floors != nil {
		q, err := f.Floors.Predict(d, idx)
		if err != nil {
			return nil, err
		}
		names, all = append(names, FloorNames()...), append(all, q...)
	}
	majority := make([]float64, len(y))
	names, all = append(names, "majority class"), append(all, majority)
	patient := patients(d, idx)
	var out []ModelScore
	var network *metric.Binary
	for k, scores := range all {
		b, err := metric.NewBinary(scores, y)
		if err != nil {
			return nil, err
		}
		if k == 0 {
			network = b
		}
		s := ModelScore{Name: names[k], N: len(y)}
		for _, v := range y {
			if v {
				s.Positive++
			}
		}
		boot := func(stat func(*metric.Binary) float64) metric.Interval {
			return metric.BootstrapClusters(rand.New(rand.NewPCG(seed, 0x626f6f74)), patient, resamples, func(i []int) float64 { return stat(b.Resample(i)) })
		}
		s.AUROC, s.AUPRC, s.Brier = boot((*metric.Binary).AUROC), boot((*metric.Binary).AUPRC), boot((*metric.Binary).Brier)
		s.Accuracy = boot(func(b *metric.Binary) float64 { return b.Confusion(0.5).Accuracy() })
		if k > 0 {
			s.Over = metric.BootstrapClusters(rand.New(rand.NewPCG(seed, 0x626f6f74)), patient, resamples, func(i []int) float64 {
				return b.Resample(i).AUROC() - network.Resample(i).AUROC()
			})
		}
		out = append(out, s)
	}
	return out, nil
}

// Name says what a fitted model is.
func (f *Fitted) Name() string {
	n := fmt.Sprintf("%s, %d parameters", f.Config.Model.Mixer, nn.Count(f.Members[0]))
	if len(f.Members) > 1 {
		n += fmt.Sprintf(", mean of %d seeds", len(f.Members))
	}
	return n
}

// patients numbers the patients of some cases.
func patients(d *Dataset, idx []int) []int {
	ids := map[string]int{}
	out := make([]int, len(idx))
	for k, i := range idx {
		p := d.Cases[i].Patient
		if p == "" {
			out[k] = -1 - i
			continue
		}
		if _, ok := ids[p]; !ok {
			ids[p] = len(ids)
		}
		out[k] = ids[p]
	}
	return out
}

func writeScores(w io.Writer, scores []ModelScore, split string) error {
	fmt.Fprintf(w, "%s part: %d volumes, %d positive; 95 %% intervals from %d resamples of patients; %s\n\n", split, scores[0].N, scores[0].Positive, resamples, Disclaimer)
	fmt.Fprintln(w, "| model | AUROC | AUPRC | accuracy | Brier | AUROC less the network's |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	in := func(i metric.Interval) string { return fmt.Sprintf("%.3f [%.3f, %.3f]", i.Estimate, i.Low, i.High) }
	for k, s := range scores {
		over := ""
		if k > 0 {
			over = in(s.Over)
		}
		if _, err := fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", s.Name, in(s.AUROC), in(s.AUPRC), in(s.Accuracy), in(s.Brier), over); err != nil {
			return err
		}
	}
	return nil
}
