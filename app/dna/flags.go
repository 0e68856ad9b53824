package dna

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"heed/model/sequence"
	"heed/nn"
)

// fitFlags binds the flags of a Config. Their defaults are what c holds.
func fitFlags(fs *pflag.FlagSet, c *Config) {
	m, t := &c.Model, &c.Train
	fs.Var((*mixer)(&m.Mixer), "model", "what mixes positions: attention, or for comparison "+strings.Join(nn.Mixers(), ", "))
	fs.IntVar(&m.MixerWidth, "mixer-width", m.MixerWidth, "width of the states or branches of another --model; 0 takes that of equal parameters")
	fs.IntVar(&m.Layers, "layers", m.Layers, "encoder layers")
	fs.IntVar(&m.Dim, "dim", m.Dim, "width of the model")
	fs.IntVar(&m.Heads, "heads", m.Heads, "attention heads in a layer, a divisor of --dim")
	fs.IntVar(&m.FFN, "ffn", m.FFN, "width of the feed-forward layers")
	fs.Var((*widths)(&m.Stem), "stem", "kernel widths of convolutions before the encoder, as in 7,7, or none")
	fs.StringVar(&m.Position, "position", m.Position, "learned, sinusoidal, rotary or relative")
	fs.Float32Var(&m.PositionScale, "position-scale", m.PositionScale, "spread of learned positions at the start; 0 means 0.1, larger favours motifs at one place")
	fs.StringVar(&m.Pooling, "pooling", m.Pooling, "cls or mean")
	fs.IntVar(&m.Tokenizer.K, "kmer", m.Tokenizer.K, "letters in a token, 1 to 6; tokens overlap")
	fs.Float32Var(&m.Dropout, "dropout", m.Dropout, "share of activations dropped in training")

	fs.IntVar(&t.Epochs, "epochs", t.Epochs, "passes over the training sequences")
	fs.IntVar(&t.Batch, "batch", t.Batch, "sequences in a step")
	fs.Float64Var(&t.Rate, "rate", t.Rate, "peak learning rate")
	fs.Float64Var(&t.Floor, "floor", t.Floor, "last learning rate as a share of the peak")
	fs.Float64Var(&t.Decay, "decay", t.Decay, "decoupled weight decay")
	fs.Float64Var(&t.Warmup, "warmup", t.Warmup, "share of the steps in which the rate rises")
	fs.Float64Var(&t.Clip, "clip", t.Clip, "limit of the global gradient norm")
	fs.Uint64Var(&t.Seed, "seed", t.Seed, "seed of everything random")
	fs.IntVar(&t.Leaves, "leaves", t.Leaves, "pieces of a batch, a power of two that decides the bits of the result; 0 chooses by size")
	fs.IntVar(&c.Patience, "patience", c.Patience, "epochs without improvement before training stops; 0 runs them all")
	fs.Float64Var(&c.ValidShare, "valid-share", c.ValidShare, "share of the training part held out for early stopping and the threshold; 0 for none")
	fs.StringVar(&c.Metric, "metric", c.Metric, "what epochs are compared by: auroc, accuracy, mcc or loss (default auroc for two classes, else accuracy)")
	fs.Float64Var(&c.Threshold, "threshold", c.Threshold, "of the positive class; 0 takes the best on the validation part")
	fs.IntVar(&c.Ensemble, "ensemble", c.Ensemble, "models of different seeds that are averaged")

	fs.IntVar(&c.Augment.Shift, "shift", c.Augment.Shift, "augmentation: move by up to so many letters")
	fs.Float64Var(&c.Augment.Mutate, "mutate", c.Augment.Mutate, "augmentation: share of letters changed")
	fs.Float64Var(&c.Augment.Mask, "mask", c.Augment.Mask, "augmentation: share of letters masked")
	fs.IntVar(&c.Augment.Hide, "hide", c.Augment.Hide, "augmentation: hide a stretch of so many letters; the model learns what else there is")
	fs.BoolVar(&c.Strands, "reverse-complement", c.Strands, "augmentation: train on both strands, and average them in prediction")

	fs.IntVar(&c.Pretrain.Epochs, "pretrain", c.Pretrain.Epochs, "epochs of masked-token pre-training on the training sequences and --unlabelled")
	fs.Float64Var(&c.Pretrain.Rate, "pretrain-rate", c.Pretrain.Rate, "peak learning rate of pre-training; 0 takes --rate")
	fs.Float64Var(&c.Pretrain.Mask, "pretrain-mask", c.Pretrain.Mask, "share of letters to fill in")
}

// configFor returns the default configuration for a length, and an encoder or nil, changed by the
// flags that the user gave.
func configFor(length int, encoder *Encoder, given *pflag.FlagSet) (Config, error) {
	c := DefaultConfig(length)
	if encoder != nil {
		c = encoder.defaults(length)
	}
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	fitFlags(fs, &c)
	var err error
	given.Visit(func(f *pflag.Flag) {
		own := fs.Lookup(f.Name)
		if own == nil || err != nil {
			return
		}
		err = fs.Set(f.Name, f.Value.String())
	})
	c.Augment.ReverseComplement = c.Strands
	if c.Model.Mixer != "" && !given.Changed("pooling") {
		c.Model.Pooling = "mean" // [CLS] is made for attention
	}
	return c, err
}

// dataFlags binds the flags of a DataConfig.
func dataFlags(fs *pflag.FlagSet, c *DataConfig) {
	fs.StringVar(&c.Sequence, "sequence-column", "", "column of the sequences in a table (default sequence)")
	fs.StringVar(&c.Label, "label-column", "", "column of the labels in a table (default label)")
	fs.StringVar(&c.Positive, "positive", "", "the positive of two classes (default 1, +, promoter, ... or the first label=FASTA)")
	fs.IntVar(&c.MaxLen, "max-len", 0, "greatest length of a sequence; a longer one is an error (default 16384)")
}

// commandLine returns the flags that were given, in a fixed order, and the
// arguments.
func commandLine(cmd *cobra.Command, args []string) []string {
	var out []string
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if s, ok := f.Value.(pflag.SliceValue); ok && len(s.GetSlice()) > 0 {
			for _, v := range s.GetSlice() {
				out = append(out, "--"+f.Name+"="+v)
			}
			return
		}
		out = append(out, "--"+f.Name+"="+f.Value.String())
	})
	return append(out, args...)
}

// mixer is a flag of the architecture; attention is the empty mixer.
type mixer string

func (m *mixer) Type() string { return "name" }

func (m *mixer) String() string {
	if *m == "" {
		return "attention"
	}
	return string(*m)
}

func (m *mixer) Set(text string) error {
	if text != "attention" && !slices.Contains(nn.Mixers(), text) {
		return fmt.Errorf("want attention or one of %s", strings.Join(nn.Mixers(), ", "))
	}
	if *m = mixer(text); text == "attention" {
		*m = ""
	}
	return nil
}

// architecture is the name of a model in tables.
func architecture(c *sequence.Config) string { return cmp.Or(c.Mixer, "transformer") }

// widths is a flag of numbers with commas between them, or "none".
type widths []int

func (w *widths) Type() string { return "widths" }

func (w *widths) String() string {
	if len(*w) == 0 {
		return "none"
	}
	text := make([]string, len(*w))
	for i, n := range *w {
		text[i] = strconv.Itoa(n)
	}
	return strings.Join(text, ",")
}

func (w *widths) Set(text string) error {
	*w = nil
	if text == "none" || text == "" {
		return nil
	}
	for _, part := range strings.Split(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return errors.New("want numbers with commas between them, or none")
		}
		*w = append(*w, n)
	}
	return nil
}
