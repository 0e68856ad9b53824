package ct

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"heed/autograd"
	"heed/checkpoint"
	"heed/format"
	"heed/internal/cli"
	"heed/internal/kernel"
	"heed/internal/par"
	"heed/metric"
	"heed/model/volume"
	"heed/nn"
	"heed/train"
)

// A TrainConfig is everything that decides the numbers of a training run, but
// for the data. It is stored in checkpoints.
type TrainConfig struct {
	Model    volume.Config  `json:"model"`
	Train    train.Config   `json:"train"`
	Augment  volume.Augment `json:"augment"`
	Mirrors  bool           `json:"mirrors"`  // predictions are means over the mirrors that Augment.Flip allows
	Patience int            `json:"patience"` // epochs without a better AUROC on validation; 0: all epochs
	Ensemble int            `json:"ensemble"` // models, each from a seed of its own, whose probabilities are averaged
	Scaling  Scaling        `json:"scaling"`
	Classes  [2]string      `json:"classes"`
	Valid    float64        `json:"valid"` // share of patients, where the data has no splits
	Test     float64        `json:"test"`
	MaxTime  time.Duration  `json:"-"` // of one member; the rate still follows all epochs, and a resumed run may have another
}

// A Fitted is trained models that predict together.
type Fitted struct {
	Config  TrainConfig
	Members []*volume.Model
	Floors  *Floors
	History []Epoch
	DataSHA string
}

// An Epoch is what was seen at the end of one.
type Epoch struct {
	Member  int     `json:"member"` // from 1
	Epoch   int     `json:"epoch"`  // from 1
	Loss    float64 `json:"loss"`   // mean over the batches of the epoch
	AUROC   float64 `json:"auroc"`  // on validation
	Best    bool    `json:"best"`
	Seconds float64 `json:"seconds"` // since the member began
}

const (
	streamInit   = 0x696e6974         // "init"
	memberStride = 0x9e3779b97f4a7c15 // between the seeds of an ensemble
)

// Fit trains on the part "train" of a dataset; the epoch with the best AUROC on
// the part "valid" is kept, of several the one with the lowest Brier score. Nothing else of the data is looked at. The result is
// the same for any number of cores unless MaxTime cuts it. If state is not
// empty, the run is saved there after every epoch, and resumed from there.
func Fit(ctx context.Context, cfg TrainConfig, d *Dataset, state string, see func(Epoch)) (*Fitted, error) {
	trainIdx, validIdx := d.Part("train"), d.Part("valid")
	if len(trainIdx) == 0 || len(validIdx) == 0 {
		return nil, fmt.Errorf("%s: %d volumes to train on and %d to validate: want some of both", d.Name, len(trainIdx), len(validIdx))
	}
	trainY, err := d.Labels(trainIdx)
	if err != nil {
		return nil, err
	}
	validY, err := d.Labels(validIdx)
	if err != nil {
		return nil, err
	}
	for _, y := range [][]bool{trainY, validY} {
		if !slices.Contains(y, true) || !slices.Contains(y, false) {
			return nil, fmt.Errorf("%s: volumes of both classes are needed to train on and to validate", d.Name)
		}
	}
	f := &Fitted{Config: cfg, DataSHA: d.SHA256}
	file, done, err := loadState(state, &cfg, d)
	if err != nil {
		return nil, err
	}
	if file != nil {
		f.History = done.History
	}
	for m := range max(1, cfg.Ensemble) {
		seed := cfg.Train.Seed + uint64(m)*memberStride
		model := volume.New(cfg.Model, rand.New(rand.NewPCG(seed, streamInit)))
		f.Members = append(f.Members, model)
		if file != nil && m < done.Member {
			if err := file.Under(memberPrefix(m)).Restore(memberWeights(m, model)); err != nil {
				return nil, err
			}
			continue
		}
		var from *checkpoint.File
		if file != nil && m == done.Member {
			from = file
		}
		if err := f.fitMember(ctx, m, seed, d, trainIdx, trainY, validIdx, validY, state, from, see); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *Fitted) fitMember(ctx context.Context, m int, seed uint64, d *Dataset, trainIdx []int, trainY []bool, validIdx []int, validY []bool,
	state string, from *checkpoint.File, see func(Epoch)) error {
	cfg := f.Config
	model := f.Members[m]
	tc := cfg.Train
	tc.Seed = seed
	loss := &batchLoss{model: model, data: d, idx: trainIdx, labels: trainY, augment: cfg.Augment}
	run, err := train.New(tc, train.Problem{Model: model, Lengths: slices.Repeat([]int{cfg.Model.Tokens()}, len(trainIdx)), Loss: loss.loss})
	if err != nil {
		return err
	}
	best := &train.Best{Patience: cfg.Patience}
	if from != nil {
		if err := run.Restore(from); err != nil {
			return err
		}
		if err := best.Restore(model, from); err != nil {
			return err
		}
	}
	positives := 0
	for _, y := range validY {
		if y {
			positives++
		}
	}
	pairs := float64(positives * (len(validY) - positives))
	begin, sum, steps := time.Now(), 0.0, 0
	for _, e := range f.History { // a resumed run has used time before
		if e.Member == m+1 {
			begin = time.Now().Add(-time.Duration(e.Seconds * float64(time.Second)))
		}
	}
	stop := best.Patience > 0 && best.Bad >= best.Patience || cfg.MaxTime > 0 && time.Since(begin) > cfg.MaxTime
	if stop && best.Step > 0 { // it had stopped before
		best.Load(model)
		return nil
	}
	for s, err := range run.Steps(ctx) {
		if err == nil {
			err = loss.failed()
		}
		if err != nil {
			return err
		}
		sum, steps = sum+s.Loss, steps+1
		if !s.EpochEnds {
			continue
		}
		p, err := probabilities(d, validIdx, []*volume.Model{model}, f.mirrors(), tc.Cores)
		if err != nil {
			return err
		}
		b, err := metric.NewBinary(p, validY)
		if err != nil {
			return err
		}
		e := Epoch{Member: m + 1, Epoch: s.Epoch, Loss: sum / float64(steps), AUROC: b.AUROC(), Seconds: time.Since(begin).Seconds()}
		sum, steps = 0, 0
		// Of epochs with one AUROC the lowest Brier score decides: it is at most 1, and
		// AUROC moves by half a pair of volumes at least. Where classes are told apart
		// from the first epoch on, probabilities still get better.
		e.Best, stop = best.See(model, s.N, e.AUROC-b.Brier()/(4*pairs))
		f.History = append(f.History, e)
		if see != nil {
			see(e)
		}
		if cfg.MaxTime > 0 && time.Since(begin) > cfg.MaxTime {
			stop = true
		}
		if err := f.saveState(state, m, run, best); err != nil {
			return err
		}
		if stop {
			break
		}
	}
	best.Load(model)
	return nil
}

// mirrors lists the mirrored copies that a prediction is averaged over; 0 is the
// volume itself.
func (f *Fitted) mirrors() []int {
	list := []int{0}
	if f.Config.Mirrors {
		for axes := 1; axes < 8; axes++ {
			ok := true
			for a := range 3 {
				ok = ok && (axes>>a&1 == 0 || f.Config.Augment.Flip[a])
			}
			if ok {
				list = append(list, axes)
			}
		}
	}
	return list
}

// A batchLoss reads, changes and classifies the volumes of a batch.
type batchLoss struct {
	model   *volume.Model
	data    *Dataset
	idx     []int
	labels  []bool
	augment volume.Augment

	mu      sync.Mutex
	err     error
	buffers map[*autograd.Tape]leafBuffers // of each leaf: recycled from step to step
}

// leafBuffers hold volumes as they are stored and as the model sees them.
type leafBuffers struct{ plain, seen []float32 }

// buffersOf returns the buffers of a leaf. The model reads seen until the pass back is over, which
// is before the tape is used again.
func (l *batchLoss) buffersOf(t *autograd.Tape, volumes int) leafBuffers {
	n := l.data.Voxels()
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buffers[t]
	if len(b.seen) < volumes*n {
		b = leafBuffers{make([]float32, n), make([]float32, volumes*n)}
		if l.buffers == nil {
			l.buffers = map[*autograd.Tape]leafBuffers{}
		}
		l.buffers[t] = b
	}
	return leafBuffers{b.plain, b.seen[:volumes*n]}
}

func (l *batchLoss) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *batchLoss) loss(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
	n, size := l.data.Voxels(), l.data.Size
	b := l.buffersOf(t, len(examples))
	x, plain := b.seen, b.plain
	targets := make([]int32, len(examples))
	for k, e := range examples {
		if err := l.data.Volume(plain, l.idx[e]); err != nil {
			l.mu.Lock()
			l.err = errors.Join(l.err, err)
			l.mu.Unlock()
		}
		l.augment.Apply(x[k*n:(k+1)*n], plain, size, 0, t.Rand)
		if l.labels[e] {
			targets[k] = 1
		}
	}
	in := autograd.Input(x, len(examples), size[0], size[1], size[2], 1)
	return autograd.CrossEntropy(t, l.model.Logits(t, in), targets, norm)
}

// probabilities returns the mean probability of class 1 over models and mirrors
// for some cases.
func probabilities(d *Dataset, idx []int, models []*volume.Model, mirrors []int, cores int) ([]float64, error) {
	if cores == 0 {
		cores = par.Cores()
	}
	out, errs := make([]float64, len(idx)), make([]error, len(idx))
	tapes, buffers := make([]*autograd.Tape, cores), make([]leafBuffers, cores)
	n := d.Voxels()
	par.Do(len(idx), cores, func(worker, k int) {
		if tapes[worker] == nil {
			tapes[worker], buffers[worker] = &autograd.Tape{NoGrad: true}, leafBuffers{make([]float32, n), make([]float32, n)}
		}
		t, b := tapes[worker], buffers[worker]
		if errs[k] = d.Volume(b.plain, idx[k]); errs[k] != nil {
			return
		}
		for _, m := range models {
			for _, axes := range mirrors { // one by one: a batch would take their memory all at once
				volume.Mirror(b.seen, b.plain, d.Size, axes)
				t.Reset()
				z := m.Logits(t, autograd.Input(b.seen, 1, d.Size[0], d.Size[1], d.Size[2], 1)).Data
				out[k] += float64(autograd.Softmax(z)[1]) / float64(len(mirrors)*len(models))
			}
		}
	})
	return out, errors.Join(errs...)
}

// Predict returns the probability of class 1 for some cases of a dataset.
func (f *Fitted) Predict(d *Dataset, idx []int, cores int) ([]float64, error) {
	return probabilities(d, idx, f.Members, f.mirrors(), cores)
}

func memberPrefix(m int) string { return fmt.Sprintf("members.%d.", m) }

func memberWeights(m int, model nn.Module) []checkpoint.Entry {
	es := train.Weights(model)
	for i := range es {
		es[i].Name = memberPrefix(m) + es[i].Name
	}
	return es
}

// runState is what a saved run needs beside weights and optimiser.
type runState struct {
	Member  int         `json:"member"` // that is being trained, from 0
	Config  TrainConfig `json:"config"`
	DataSHA string      `json:"data"`
	History []Epoch     `json:"history"`
}

func (f *Fitted) saveState(path string, m int, run *train.Run, best *train.Best) error {
	if path == "" {
		return nil
	}
	text, err := json.Marshal(runState{m, f.Config, f.DataSHA, f.History})
	if err != nil {
		return err
	}
	es := append(run.Entries(), best.Entries(f.Members[m])...)
	for i := range m {
		es = append(es, memberWeights(i, f.Members[i])...)
	}
	return checkpoint.Save(path, map[string]string{"state": string(text)}, es)
}

// loadState reads a saved run, or returns nil if there is none.
func loadState(path string, cfg *TrainConfig, d *Dataset) (*checkpoint.File, *runState, error) {
	if path == "" || !cli.Exists(path) {
		return nil, nil, nil
	}
	f, err := checkpoint.Load(path)
	if err != nil {
		return nil, nil, err
	}
	var s runState
	if err := json.Unmarshal([]byte(f.Meta["state"]), &s); err != nil {
		return nil, nil, format.Invalidf(path, 0, "not the state of a run: %v", err)
	}
	was, _ := json.Marshal(s.Config)
	is, _ := json.Marshal(*cfg)
	if string(was) != string(is) || s.DataSHA != d.SHA256 {
		return nil, nil, cli.Hint(fmt.Errorf("%s: the saved run has another configuration or other data", path), "--force begins anew")
	}
	return f, &s, nil
}

// Names of what a run's folder holds.
const (
	modelFile  = "model.safetensors"
	stateFile  = "state.safetensors"
	floorsFile = "floors.json"
)

// Save writes model and floors into a folder.
func (f *Fitted) Save(folder, version string, metrics map[string]float64, command []string) error {
	cfg, err := json.Marshal(f.Config)
	if err != nil {
		return err
	}
	info := checkpoint.Info{Version: checkpoint.Version, Architecture: volume.Architecture, Config: cfg, Seed: f.Config.Train.Seed, Heed: version,
		Go: runtime.Version(), Kernel: kernel.Active().String(), DataSHA256: f.DataSHA, Metrics: metrics, Command: command}
	meta, err := info.Meta()
	if err != nil {
		return err
	}
	var es []checkpoint.Entry
	for m, model := range f.Members {
		es = append(es, memberWeights(m, model)...)
	}
	if err := checkpoint.Save(filepath.Join(folder, modelFile), meta, es); err != nil {
		return err
	}
	return cli.WriteFile(filepath.Join(folder, floorsFile), func(w io.Writer) error { return json.NewEncoder(w).Encode(f.Floors) })
}

// LoadFitted reads what Save wrote.
func LoadFitted(folder string) (*Fitted, error) {
	path := filepath.Join(folder, modelFile)
	file, err := checkpoint.Load(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Info(volume.Architecture)
	if err != nil {
		return nil, err
	}
	f := &Fitted{DataSHA: info.DataSHA256}
	if err := json.Unmarshal(info.Config, &f.Config); err != nil {
		return nil, format.Invalidf(path, 0, "configuration: %v", err)
	}
	if err := f.Config.Model.Validate(); err != nil {
		return nil, format.Invalidf(path, 0, "configuration: %v", err)
	}
	if f.Config.Ensemble < 1 || f.Config.Ensemble > 100 || f.Config.Model.Classes != 2 || f.Config.Model.Channels != 1 || !(f.Config.Scaling.High > f.Config.Scaling.Low) {
		return nil, format.Invalidf(path, 0, "configuration: %d models, %d classes, %d channels, scaling %v", f.Config.Ensemble, f.Config.Model.Classes, f.Config.Model.Channels, f.Config.Scaling)
	}
	var es []checkpoint.Entry
	for m := range f.Config.Ensemble {
		model := volume.New(f.Config.Model, nil)
		f.Members = append(f.Members, model)
		es = append(es, memberWeights(m, model)...)
	}
	if err := file.Restore(es); err != nil {
		return nil, err
	}
	f.Floors, err = loadFloors(filepath.Join(folder, floorsFile))
	return f, err
}
