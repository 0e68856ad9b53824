package dna

import (
	"encoding/json"
	"fmt"

	"heed/autograd"
	"heed/checkpoint"
	"heed/data"
	"heed/format"
	"heed/internal/cli"
	"heed/internal/par"
	"heed/model/bert"
	"heed/model/sequence"
	"heed/nn"
	"heed/train"
)

// A Fitted is a trained classifier.
type Fitted struct {
	Config    Config
	Classes   []string
	Positive  int
	Threshold float64 // of the positive class, if there are two
	MinLen    int     // letters of the shortest sequence it was trained with; Config.Model.MaxLen is the longest
	Members   []Network
	History   []Progress // of stage "valid": the validation curve
	Info      checkpoint.Info
}

// batchTokens is how many tokens are scored together: enough for the matrix
// products to be large, little enough to stay in the cache.
const batchTokens = 2048

// Probabilities returns the probability of each class for each sequence,
// averaged over the members and, if Config.Strands is set, over both strands.
// Sequences are at most Config.Model.MaxLen letters long. The result does not
// depend on cores; 0 means all.
func (f *Fitted) Probabilities(seqs [][]byte, cores int) [][]float64 {
	z := f.Config.reader()
	strands := 1
	if f.Config.Strands {
		strands = 2
	}
	order, lengths := make([]int, len(seqs)), make([]int, len(seqs))
	for i, s := range seqs {
		order[i], lengths[i] = i, rows(z, z.most(len(s)))
	}
	packs := data.Packs(order, lengths, batchTokens)
	if cores < 1 {
		cores = par.Cores()
	}
	out := make([][]float64, len(seqs))
	tapes := make([]*autograd.Tape, min(cores, len(packs)))
	par.Do(len(packs), cores, func(worker, i int) {
		if tapes[worker] == nil {
			tapes[worker] = &autograd.Tape{NoGrad: true}
		}
		t := tapes[worker]
		ids := make([][]int32, len(packs[i]))
		for _, s := range packs[i] {
			out[s] = make([]float64, len(f.Classes))
		}
		share := 1 / float64(strands*len(f.Members))
		for strand := range strands {
			for j, s := range packs[i] {
				ids[j] = z.encode(seqs[s], strand == 1)
			}
			for _, m := range f.Members {
				t.Reset()
				logits := m.logits(t, ids...)
				for j, s := range packs[i] {
					c := len(f.Classes)
					for k, p := range autograd.Softmax(logits.Data[j*c : (j+1)*c]) {
						out[s][k] += share * float64(p)
					}
				}
			}
		}
	})
	return out
}

// Call returns the class that probabilities stand for: of two classes the
// positive one if its probability reaches the threshold, of more the likeliest.
func (f *Fitted) Call(probs []float64) int {
	if len(probs) == 2 {
		if probs[f.Positive] >= f.Threshold {
			return f.Positive
		}
		return 1 - f.Positive
	}
	return argmax(probs)
}

// preprocessing is what a program must know beside the model to use it.
type preprocessing struct {
	Classes   []string `json:"classes"`
	Positive  int      `json:"positive"`
	Threshold float64  `json:"threshold"`
	MinLen    int      `json:"min_len"`
	Strands   bool     `json:"strands"`
	Members   int      `json:"members"`
}

func memberPrefix(m int) string { return fmt.Sprintf("members.%d.", m) }

// weights returns the parameters of a model under a prefix that ends in a dot.
func weights(prefix string, m nn.Module) []checkpoint.Entry {
	es := train.Weights(m)
	for i := range es {
		es[i].Name = prefix + es[i].Name
	}
	return es
}

func (f *Fitted) entries() []checkpoint.Entry {
	if len(f.Members) == 1 {
		return train.Weights(f.Members[0])
	}
	var es []checkpoint.Entry
	for i, m := range f.Members {
		es = append(es, weights(memberPrefix(i), m)...)
	}
	return es
}

// Save writes the model with everything that Load needs. f.Info may hold
// versions, the hash of the data, metrics and the command; the rest of it is
// filled in.
func (f *Fitted) Save(path string) error {
	info := f.Info
	info.Version, info.Architecture, info.Seed = checkpoint.Version, sequence.Architecture, f.Config.Train.Seed
	config, tokenizer := any(f.Config.Model), any(f.Config.Model.Tokenizer)
	if f.Config.Encoder != nil {
		m := f.Members[0].(imported)
		info.Architecture, config, tokenizer = bert.Architecture, m.Config, m.Tokenizer.Vocabulary
	}
	for _, part := range []struct {
		dst *json.RawMessage
		src any
	}{
		{&info.Config, config},
		{&info.Tokenizer, tokenizer},
		{&info.Preprocessing, preprocessing{f.Classes, f.Positive, f.Threshold, f.MinLen, f.Config.Strands, len(f.Members)}},
	} {
		text, err := json.Marshal(part.src)
		if err != nil {
			return err
		}
		*part.dst = text
	}
	meta, err := info.Meta()
	if err != nil {
		return err
	}
	return checkpoint.Save(path, meta, f.entries())
}

// Load reads a model that Save wrote. Everything in the file is checked; the
// memory that it takes is bounded by the size of the file.
func Load(path string) (*Fitted, error) {
	file, err := checkpoint.Load(path)
	if err != nil {
		return nil, err
	}
	if info, err := file.Info(""); err == nil && info.Architecture == bert.Architecture {
		return loadPublished(path, file, info)
	}
	info, err := file.Info(sequence.Architecture)
	if err != nil {
		return nil, err
	}
	f := &Fitted{Info: *info}
	var p preprocessing
	if err := json.Unmarshal(info.Config, &f.Config.Model); err != nil {
		return nil, format.InvalidAt(path, 0, "config: %w", err)
	}
	if err := json.Unmarshal(info.Preprocessing, &p); err != nil {
		return nil, format.InvalidAt(path, 0, "preprocessing: %w", err)
	}
	c := &f.Config.Model
	if err := c.Validate(); err != nil {
		return nil, format.InvalidAt(path, 0, "config: %w", err)
	}
	if err := p.validate(c.Classes, c.MaxLen); err != nil {
		return nil, format.InvalidAt(path, 0, "preprocessing: %w", err)
	}
	values := 0
	for _, e := range file.Entries {
		values += len(e.Float)
	}
	if n := parameters(c); n > int64(values/p.Members) {
		return nil, format.InvalidAt(path, 0, "config asks for %d parameters, the file has %d", n*int64(p.Members), values)
	}
	if c.Position == "sinusoidal" && c.Dim*c.MaxLen > maxSinusoidal {
		return nil, format.TooLargeAt(path, 0, "sinusoidal positions of %d x %d", c.MaxLen, c.Dim)
	}
	f.take(&p)
	for range p.Members {
		f.Members = append(f.Members, own{sequence.New(*c, nil)})
	}
	return f, file.Restore(f.entries())
}

// take fills in what a file says beside the configuration of the model.
func (f *Fitted) take(p *preprocessing) {
	f.Classes, f.Positive, f.Threshold, f.MinLen = p.Classes, p.Positive, p.Threshold, p.MinLen
	f.Config.Strands, f.Config.Ensemble = p.Strands, p.Members
	f.Config.Train.Seed = f.Info.Seed
}

// loadPublished is Load for a published encoder with a classifier.
func loadPublished(path string, file *checkpoint.File, info *checkpoint.Info) (*Fitted, error) {
	c, z, err := bertConfig(path, info)
	if err != nil {
		return nil, err
	}
	if c.Task == (bert.Task{}) {
		return nil, cli.Hint(format.InvalidAt(path, 0, "an encoder without a classifier"), "heed dna train DATA --init FILE trains one")
	}
	if err := c.Fits(z); err != nil {
		return nil, format.InvalidAt(path, 0, "config: %w", err)
	}
	f := &Fitted{Info: *info}
	var p preprocessing
	if err := json.Unmarshal(info.Preprocessing, &p); err != nil {
		return nil, format.InvalidAt(path, 0, "preprocessing: %w", err)
	}
	if err := p.validate(c.Task.Classes, c.Task.MaxLen); err != nil {
		return nil, format.InvalidAt(path, 0, "preprocessing: %w", err)
	}
	f.take(&p)
	for range p.Members {
		m, err := restoreBert(path, file, c, z, p.Members)
		if err != nil {
			return nil, err
		}
		f.Members = append(f.Members, imported{m})
	}
	m := f.Members[0].(imported).Model
	e := &Encoder{AttentionDropout: c.Task.AttentionDropout, model: m}
	train := f.Config.Train
	f.Config = e.defaults(c.Task.MaxLen)
	f.Config.Train = train
	f.Config.Model.Classes, f.Config.Model.Pooling, f.Config.Model.Dropout = c.Task.Classes, c.Task.Pooling, c.Task.Dropout
	f.take(&p)
	return f, file.Restore(f.entries())
}

// maxSinusoidal limits a table that is computed, not read: 256 MB.
const maxSinusoidal = 1 << 26

func (p *preprocessing) validate(classes, maxLen int) error {
	switch {
	case len(p.Classes) != classes:
		return fmt.Errorf("%d classes, the model has %d", len(p.Classes), classes)
	case p.Positive < 0 || p.Positive >= len(p.Classes):
		return fmt.Errorf("positive class %d of %d", p.Positive, len(p.Classes))
	case !(p.Threshold >= 0 && p.Threshold <= 1):
		return fmt.Errorf("threshold %v: want 0 to 1", p.Threshold)
	case p.Members < 1 || p.Members > 100:
		return fmt.Errorf("members %d: want 1 to 100", p.Members)
	case p.MinLen < 0 || p.MinLen > maxLen:
		return fmt.Errorf("min_len %d: want 0 to %d", p.MinLen, maxLen)
	}
	return nil
}

// parameters is a lower bound of the number of values of a model, so that a
// small file cannot ask for a large one.
func parameters(c *sequence.Config) int64 {
	d, f := int64(c.Dim), int64(c.FFN)
	mixing := 4 * d * d
	if w := int64(c.MixerWidth); c.Mixer != "" {
		mixing = 3*w*w + 2*w*d // the least that any kind has
	}
	n := d*int64(2*c.Tokenizer.Vocab()+c.Classes) + int64(c.Layers)*(mixing+2*d*f)
	for _, k := range c.Stem {
		n += d * d * int64(k)
	}
	switch tokens := int64(1 + c.Tokenizer.Length(c.MaxLen)); c.Position {
	case "learned":
		n += d * tokens
	case "relative":
		n += int64(c.Layers) * int64(c.Heads) * (2*tokens - 1)
	}
	return n
}
