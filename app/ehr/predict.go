package ehr

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"

	"heed/checkpoint"
	"heed/format"
	"heed/internal/cli"
	"heed/internal/kernel"
	"heed/model/timeline"
	"heed/train"
)

// Fitted is a trained model with everything that turns cases into probabilities.
type Fitted struct {
	Config      Config
	Vocabulary  *timeline.Vocabulary
	Members     []*timeline.Model
	Temperature float64 // logits are divided by it; chosen on the tuning part
	Shift       float64 // added after that; 0 if calibration is by temperature alone
	Threshold   float64 // probability of an alert: specificity .95 on the tuning part
	Folds       int     // of patients, in one of which it was trained; 0 if on the train part of its source
	Info        checkpoint.Info
}

// Probabilities returns the calibrated probability of each case.
func (f *Fitted) Probabilities(cases []Case, idx []int) []float64 {
	return f.probabilities(f.logits(f.sequences(cases, idx)))
}

// logits returns the mean logit of the members.
func (f *Fitted) logits(seqs []timeline.Sequence) []float64 {
	sum := make([]float64, len(seqs))
	for _, m := range f.Members {
		for i, z := range logits(m, seqs, f.cores()) {
			sum[i] += z / float64(len(f.Members))
		}
	}
	return sum
}

func (f *Fitted) probabilities(z []float64) []float64 {
	p := make([]float64, len(z))
	for i, x := range z {
		p[i] = 1 / (1 + math.Exp(-x/f.Temperature-f.Shift))
	}
	return p
}

// preprocessing is what a checkpoint keeps beside the configuration.
type preprocessing struct {
	Temperature float64 `json:"temperature"`
	Shift       float64 `json:"shift,omitempty"`
	Threshold   float64 `json:"threshold"`
	Folds       int     `json:"folds,omitempty"`
	IntendedUse string  `json:"intended_use"`
}

// Save writes the model as one file.
func (f *Fitted) Save(path string) error {
	info := f.Info
	info.Version, info.Architecture, info.Seed = checkpoint.Version, timeline.Architecture, f.Config.Train.Seed
	info.Go, info.Kernel = runtime.Version(), kernel.Active().String()
	for dst, v := range map[*json.RawMessage]any{
		&info.Config: f.Config, &info.Tokenizer: f.Vocabulary,
		&info.Preprocessing: preprocessing{f.Temperature, f.Shift, f.Threshold, f.Folds, Notice},
	} {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		*dst = text
	}
	meta, err := info.Meta()
	if err != nil {
		return err
	}
	return checkpoint.Save(path, meta, f.entries())
}

func (f *Fitted) entries() []checkpoint.Entry {
	var es []checkpoint.Entry
	for k, m := range f.Members {
		for _, e := range train.Weights(m) {
			e.Name = fmt.Sprintf("members.%d.%s", k, e.Name)
			es = append(es, e)
		}
	}
	return es
}

// maxValues bounds the parameters of a model that a file may ask for.
const maxValues = 1 << 30

// modelFile returns the model that a path means: a file, or that in the folder of a run.
func modelFile(path string) (string, error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return path, nil // whoever reads it says what is wrong
	}
	if file := filepath.Join(path, "model.safetensors"); cli.Exists(file) {
		return file, nil
	}
	if file := filepath.Join(path, "fold-1.safetensors"); cli.Exists(file) {
		return "", cli.Usagef("%s has a model for each fold: name one, such as %s", path, file)
	}
	return "", &format.Error{Name: path, Err: errors.New("no model.safetensors in the folder")}
}

// LoadFitted reads what Save wrote. Everything is checked before weights are made.
func LoadFitted(path string) (*Fitted, error) {
	file, err := checkpoint.Load(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Info(timeline.Architecture)
	if err != nil {
		return nil, err
	}
	f := &Fitted{Vocabulary: &timeline.Vocabulary{}, Info: *info}
	var pre preprocessing
	for _, part := range []struct {
		name string
		text json.RawMessage
		dst  any
	}{{"config", info.Config, &f.Config}, {"tokenizer", info.Tokenizer, f.Vocabulary}, {"preprocessing", info.Preprocessing, &pre}} {
		if err := json.Unmarshal(part.text, part.dst); err != nil {
			return nil, format.Invalidf(path, 0, "%s: %w", part.name, err)
		}
	}
	if err := f.Config.Validate(); err != nil {
		return nil, format.Invalidf(path, 0, "%w", err)
	}
	if err := f.Vocabulary.Prepare(); err != nil {
		return nil, format.Invalidf(path, 0, "%w", err)
	}
	f.Temperature, f.Shift, f.Threshold, f.Folds = pre.Temperature, pre.Shift, pre.Threshold, pre.Folds
	switch {
	case !(f.Temperature > 0) || math.IsInf(f.Temperature, 1):
		return nil, format.Invalidf(path, 0, "temperature %v", f.Temperature)
	case math.IsNaN(f.Shift) || math.IsInf(f.Shift, 0):
		return nil, format.Invalidf(path, 0, "shift %v", f.Shift)
	case !(f.Threshold >= 0 && f.Threshold <= 1.001):
		return nil, format.Invalidf(path, 0, "threshold %v", f.Threshold)
	case f.Vocabulary.Channels != f.Config.Tokens.Channels():
		return nil, format.Invalidf(path, 0, "a vocabulary of %d channels, tokens of %d", f.Vocabulary.Channels, f.Config.Tokens.Channels())
	case f.Vocabulary.Size()*f.Config.Model.Dim*3*f.Config.Ensemble > maxValues:
		return nil, &format.Error{Name: path, Err: fmt.Errorf("%d codes of width %d, %d times: %w", f.Vocabulary.Size(), f.Config.Model.Dim, f.Config.Ensemble, format.ErrTooLarge)}
	}
	for range f.Config.Ensemble {
		f.Members = append(f.Members, timeline.New(f.Config.Model, f.Vocabulary, nil))
	}
	return f, file.Restore(f.entries())
}
