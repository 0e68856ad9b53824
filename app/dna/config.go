package dna

import (
	"fmt"

	"heed/model/sequence"
	"heed/train"
)

// A Config says how a classifier is trained. DefaultConfig is a good start.
type Config struct {
	// Model is the architecture. Classes is set from the data, and MaxLen too
	// if it is 0.
	Model sequence.Config `json:"model"`
	// Encoder is what training begins with, in place of a random Model; nil for
	// none. Of Model then count MaxLen, Classes, Pooling and Dropout; the sizes are
	// those of the encoder, and the rest means nothing.
	Encoder *Encoder         `json:"encoder,omitempty"`
	Train   train.Config     `json:"train"`
	Augment sequence.Augment `json:"augment"`
	// Strands averages the probabilities of a sequence and of its reverse
	// complement.
	Strands  bool     `json:"strands"`
	Pretrain Pretrain `json:"pretrain"`
	// ValidShare is the share of the training part on which epochs are compared
	// and the threshold is chosen, where no validation part is given. With 0
	// there is none: training runs all epochs and the threshold is 0.5.
	ValidShare float64 `json:"valid_share"`
	// Metric compares epochs: "auroc" (two classes), "accuracy", "mcc" or
	// "loss"; empty means auroc for two classes and accuracy for more.
	Metric   string `json:"metric"`
	Patience int    `json:"patience"` // epochs without improvement before it stops; 0 means to run them all
	// Threshold of the positive class; 0 means that of the largest MCC on the
	// validation part.
	Threshold float64 `json:"threshold"`
	// Ensemble is the number of models, alike but for their seeds, whose
	// probabilities are averaged; 0 means 1.
	Ensemble int `json:"ensemble"`
}

// A Pretrain says how the encoder learns to fill in masked letters before it
// learns to classify (Devlin et al. 2019). It sees the training sequences, and
// unlabelled ones if there are some; never validation or test sequences.
type Pretrain struct {
	Epochs int     `json:"epochs"` // 0 means no pre-training
	Rate   float64 `json:"rate"`   // peak learning rate; 0 means that of the training
	Mask   float64 `json:"mask"`   // share of tokens to fill in; 0 means 0.15
}

// DefaultConfig returns the configuration for sequences of the given length:
// the one place where defaults stand. They were chosen on the validation parts
// of the sets in docs/results/dna.md; two convolutions before the encoder, strong
// dropout and changed letters are what a few thousand sequences need.
func DefaultConfig(length int) Config {
	c := Config{
		Model: sequence.Config{
			Tokenizer: sequence.Tokenizer{K: 1},
			MaxLen:    length,
			Layers:    2,
			Dim:       64,
			Heads:     4,
			FFN:       128,
			Stem:      []int{7, 7},
			Position:  "learned",
			Pooling:   "cls",
			Dropout:   0.3,
		},
		Train: train.Config{
			Epochs: 20,
			Batch:  64,
			Rate:   2e-3,
			Warmup: 0.1,
			Decay:  0.01,
			Clip:   1,
			Seed:   1,
		},
		Augment:    sequence.Augment{Mutate: 0.05},
		Pretrain:   Pretrain{Mask: 0.15},
		ValidShare: 0.1,
		Patience:   8,
		Ensemble:   1,
	}
	return c
}

// complete fills in what depends on the data and reports the first field that
// makes no sense.
func (c *Config) complete(d *Dataset) error {
	_, longest := d.Lengths()
	if c.Model.MaxLen == 0 {
		c.Model.MaxLen = longest
	}
	c.Model.Classes = len(d.Classes)
	if c.Metric == "" {
		c.Metric = "accuracy"
		if c.Model.Classes == 2 {
			c.Metric = "auroc"
		}
	}
	if c.Ensemble == 0 {
		c.Ensemble = 1
	}
	if c.Pretrain.Mask == 0 {
		c.Pretrain.Mask = 0.15
	}
	if c.Pretrain.Rate == 0 {
		c.Pretrain.Rate = c.Train.Rate
	}
	if c.Model.Mixer != "" && c.Model.MixerWidth == 0 {
		width, err := c.Model.EqualWidth()
		if err != nil {
			return fmt.Errorf("model %s: %w; --mixer-width chooses one all the same", c.Model.Mixer, err)
		}
		c.Model.MixerWidth = width
	}
	if longest > c.Model.MaxLen {
		return fmt.Errorf("max-len %d: the longest sequence has %d letters", c.Model.MaxLen, longest)
	}
	return c.Validate()
}

// Validate reports the first field that makes no sense.
func (c *Config) Validate() error {
	m := c.Model
	m.Classes = max(2, m.Classes)
	if m.MaxLen == 0 {
		m.MaxLen = DefaultMaxLen
	}
	if m.Mixer != "" && m.MixerWidth == 0 {
		m.MixerWidth = 1 // it will be chosen
	}
	if c.Encoder != nil {
		if err := c.Encoder.validate(c); err != nil {
			return err
		}
	} else if err := m.Validate(); err != nil {
		return err
	}
	t := c.Train
	if err := t.Validate(); err != nil {
		return err
	}
	c.Train = t
	switch {
	case c.Augment.Shift < 0:
		return fmt.Errorf("shift %d: want 0 or more", c.Augment.Shift)
	case !(c.Augment.Mutate >= 0 && c.Augment.Mutate <= 1):
		return fmt.Errorf("mutate %v: want a share in [0, 1]", c.Augment.Mutate)
	case !(c.Augment.Mask >= 0 && c.Augment.Mask <= 1):
		return fmt.Errorf("mask %v: want a share in [0, 1]", c.Augment.Mask)
	case c.Augment.Hide < 0:
		return fmt.Errorf("hide %d: want 0 or more", c.Augment.Hide)
	case c.Pretrain.Epochs < 0:
		return fmt.Errorf("pretrain %d: want 0 epochs or more", c.Pretrain.Epochs)
	case !(c.Pretrain.Mask >= 0 && c.Pretrain.Mask < 1):
		return fmt.Errorf("pretrain-mask %v: want a share in [0, 1)", c.Pretrain.Mask)
	case !(c.Pretrain.Rate >= 0):
		return fmt.Errorf("pretrain-rate %v: want 0 or more", c.Pretrain.Rate)
	case !(c.ValidShare >= 0 && c.ValidShare < 1):
		return fmt.Errorf("valid-share %v: want a share in [0, 1)", c.ValidShare)
	case c.Patience < 0:
		return fmt.Errorf("patience %d: want 0 or more", c.Patience)
	case !(c.Threshold >= 0 && c.Threshold < 1):
		return fmt.Errorf("threshold %v: want a share in [0, 1)", c.Threshold)
	case c.Ensemble < 0 || c.Ensemble > 100:
		return fmt.Errorf("ensemble %d: want 1 to 100", c.Ensemble)
	}
	switch c.Metric {
	case "", "auroc", "accuracy", "mcc", "loss":
	default:
		return fmt.Errorf("metric %q: want auroc, accuracy, mcc or loss", c.Metric)
	}
	if c.Metric == "auroc" && c.Model.Classes > 2 {
		return fmt.Errorf("metric auroc: it is defined for two classes, not %d", c.Model.Classes)
	}
	return nil
}
