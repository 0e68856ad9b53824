package dna

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/spf13/pflag"

	"heed/checkpoint"
	"heed/format"
	"heed/internal/cli"
	"heed/model/bert"
	"heed/model/sequence"
	"heed/train"
)

// An Encoder is a published model that a fit begins with, in place of a random
// one.
type Encoder struct {
	File             string  `json:"file"`
	SHA256           string  `json:"sha256"` // of its weights
	AttentionDropout float32 `json:"attention_dropout"`

	model *bert.Model
}

const encoderHint = "heed model import PUBLISHED -o FILE makes the file that --init reads"

// LoadEncoder reads an encoder from the file that "heed model import" wrote.
func LoadEncoder(path string) (*Encoder, error) {
	file, err := checkpoint.Load(path)
	if err != nil {
		return nil, cli.Hint(err, encoderHint)
	}
	info, err := file.Info(bert.Architecture)
	if err != nil {
		return nil, cli.Hint(err, encoderHint)
	}
	c, z, err := bertConfig(path, info)
	if err != nil {
		return nil, err
	}
	if c.Task != (bert.Task{}) {
		return nil, cli.Hint(format.InvalidAt(path, 0, "a trained classifier: --init begins with an encoder as it was published"), encoderHint)
	}
	e := &Encoder{File: path, AttentionDropout: 0.1}
	if c.Positions == 0 {
		e.AttentionDropout = 0 // as DNABERT-2 was trained
	}
	if e.model, err = restoreBert(path, file, c, z, 1); err != nil {
		return nil, err
	}
	if err := file.Restore(train.Weights(e.model)); err != nil {
		return nil, err
	}
	if e.SHA256, err = checkpoint.Hash(train.Weights(e.model)); err != nil {
		return nil, err
	}
	return e, nil
}

// bertConfig reads and checks what a checkpoint says of a model of package bert.
func bertConfig(path string, info *checkpoint.Info) (bert.Config, *bert.Tokenizer, error) {
	var c bert.Config
	var v bert.Vocabulary
	if err := json.Unmarshal(info.Config, &c); err != nil {
		return c, nil, format.InvalidAt(path, 0, "config: %w", err)
	}
	if err := json.Unmarshal(info.Tokenizer, &v); err != nil {
		return c, nil, format.InvalidAt(path, 0, "tokenizer: %w", err)
	}
	if err := c.Validate(); err != nil {
		return c, nil, format.InvalidAt(path, 0, "config: %w", err)
	}
	z, err := bert.NewTokenizer(v)
	if err != nil {
		return c, nil, format.InvalidAt(path, 0, "tokenizer: %w", err)
	}
	if len(v.Tokens) > c.Vocab {
		return c, nil, format.InvalidAt(path, 0, "tokenizer: %d tokens, the embedding has %d rows", len(v.Tokens), c.Vocab)
	}
	return c, z, nil
}

// restoreBert makes room for one of n models that a file holds, if the file is as
// large as its configuration says.
func restoreBert(path string, file *checkpoint.File, c bert.Config, z *bert.Tokenizer, n int) (*bert.Model, error) {
	values := int64(0)
	for i, e := range file.Entries {
		values += int64(len(e.Float))
		for k, x := range e.Float {
			if y := float64(x); math.IsNaN(y) || math.IsInf(y, 0) {
				return nil, format.InvalidAt(path, file.Arrays[i].Offset+4*int64(k), "tensor %q: value %d is %v", e.Name, k, x)
			}
		}
	}
	if want := c.Values() * int64(n); want > values {
		return nil, format.InvalidAt(path, 0, "config asks for %d parameters, the file has %d", want, values)
	}
	return bert.New(c, z), nil
}

// reload reads the encoder of a run again, where its job names it.
func (e *Encoder) reload() error {
	got, err := LoadEncoder(e.File)
	if err != nil {
		return err
	}
	if got.SHA256 != e.SHA256 {
		return fmt.Errorf("%s: the encoder has changed since the run began", e.File)
	}
	e.model = got.model
	return nil
}

// defaults returns the configuration for sequences of the given length: the rates
// by which the authors trained on.
func (e *Encoder) defaults(length int) Config {
	c := DefaultConfig(length)
	m := e.model.Config
	c.Encoder = e
	c.Model.Tokenizer.K = max(1, e.model.Tokenizer.K)
	c.Model.Layers, c.Model.Dim, c.Model.Heads, c.Model.FFN = m.Layers, m.Dim, m.Heads, m.FFN
	c.Model.Stem, c.Model.Position, c.Model.Dropout = nil, "", 0.1
	c.Augment.Mutate = 0
	c.Train.Epochs, c.Train.Batch, c.Train.Rate = 5, 32, 2e-4
	if m.Positions == 0 {
		c.Train.Rate = 3e-5
	}
	c.Patience = 2
	return c
}

// task returns what the encoder is to be trained for.
func (c *Config) task() bert.Task {
	return bert.Task{Classes: c.Model.Classes, Pooling: c.Model.Pooling, MaxLen: c.Model.MaxLen, Dropout: c.Model.Dropout, AttentionDropout: c.Encoder.AttentionDropout}
}

// validate reports the first field that makes no sense with the encoder.
func (e *Encoder) validate(c *Config) error {
	m := e.model.Config
	m.Task = c.task()
	m.Task.Classes = max(2, m.Task.Classes)
	if m.Task.MaxLen == 0 {
		m.Task.MaxLen = 1
	}
	if err := m.Validate(); err != nil {
		return err
	}
	if c.Augment.Shift != 0 || c.Augment.Mask != 0 || c.Augment.Hide != 0 || c.Pretrain.Epochs != 0 {
		return errors.New("shift, mask, hide and pretrain do not go with an encoder of others")
	}
	return m.Fits(e.model.Tokenizer)
}

// notWithInit are the flags that an encoder decides, or that it cannot follow.
var notWithInit = []string{"layers", "dim", "heads", "ffn", "stem", "position", "position-scale", "kmer", "model", "mixer-width",
	"shift", "mask", "hide", "pretrain", "pretrain-rate", "pretrain-mask", "unlabelled"}

func checkInit(given *pflag.FlagSet) error {
	for _, name := range notWithInit {
		if given.Changed(name) {
			return cli.Usagef("--%s does not go with --init: the encoder is as it was published", name)
		}
	}
	return nil
}

// newMember returns an untrained network.
func (c *Config) newMember(r *rand.Rand) Network {
	if c.Encoder != nil {
		return imported{c.Encoder.model.Classify(c.task(), r)}
	}
	return own{sequence.New(c.Model, r)}
}
