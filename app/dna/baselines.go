package dna

import (
	"context"
	"fmt"
	"math/rand/v2"

	"heed/autograd"
	"heed/data"
	"heed/model/baseline"
	"heed/train"
)

const streamBaseline = 0x62617365 // "base"

// runBaselines adds the predictions of the simple models to those of a fold.
// They see what the transformer sees: they learn from the training part, and
// their threshold is chosen on the validation part.
func (j *Job) runBaselines(ctx context.Context, r *foldResult, d *Dataset, p data.Parts, cores int) error {
	if j.Baselines == "none" {
		return nil
	}
	shortest, longest := d.Lengths()
	type named struct {
		name  string
		model baseline.Classifier
	}
	models := []named{
		{"GC content", &baseline.GC{}},
		{"1-4-mer logistic", &baseline.KmerLogistic{}},
	}
	if shortest == longest {
		models = append(models, named{"position logistic", &baseline.PositionLogistic{}})
	}
	for _, b := range models {
		if err := ctx.Err(); err != nil {
			return err
		}
		rng := rand.New(rand.NewPCG(j.Fit.Train.Seed, streamBaseline))
		if err := b.model.Fit(d.seqs(p.Train), d.labels(p.Train), len(d.Classes), rng); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		r.Models = append(r.Models, j.testBaseline(b.name, b.model.Predict, d, p))
	}
	if j.Baselines != "all" {
		return nil
	}
	cnn, err := j.fitCNN(ctx, d, p, cores)
	if err != nil {
		return fmt.Errorf("CNN: %w", err)
	}
	r.Models = append(r.Models, j.testBaseline("CNN after CNNProm", cnn.Predict, d, p))
	return nil
}

// testBaseline predicts the test part with the threshold of the validation
// part.
func (j *Job) testBaseline(name string, predict func([][]byte) [][]float64, d *Dataset, p data.Parts) modelResult {
	f := Fitted{Classes: d.Classes, Positive: d.Positive, Threshold: j.Fit.Threshold}
	if f.Threshold == 0 {
		f.Threshold = bestThreshold(predict(d.seqs(p.Valid)), d.labels(p.Valid), d)
	}
	r := modelResult{Name: name, Probs: predict(d.seqs(p.Test))}
	for _, probs := range r.Probs {
		r.Calls = append(r.Calls, f.Call(probs))
	}
	return r
}

// fitCNN trains the network with Adam and keeps the epoch that is best on the
// validation part, as is done with the transformer.
func (j *Job) fitCNN(ctx context.Context, d *Dataset, p data.Parts, cores int) (*baseline.CNN, error) {
	length, longest := d.Lengths()
	if length != longest {
		length = 0
	}
	c := baseline.DefaultCNNConfig(length, len(d.Classes))
	model := baseline.NewCNN(c, rand.New(rand.NewPCG(j.Fit.Train.Seed, streamBaseline)))
	lengths := make([]int, len(p.Train))
	for i, s := range p.Train {
		lengths[i] = len(d.Seqs[s])
	}
	run, err := train.New(train.Config{Epochs: 30, Batch: 16, Rate: 1e-3, Seed: j.Fit.Train.Seed, Cores: cores}, train.Problem{
		Model:   model,
		Lengths: lengths,
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			seqs, targets := make([][]byte, len(examples)), make([]int32, len(examples))
			for i, e := range examples {
				seqs[i], targets[i] = d.Seqs[p.Train[e]], int32(d.Labels[p.Train[e]])
			}
			return autograd.CrossEntropy(t, model.Logits(t, baseline.Pack(seqs...)), targets, norm)
		},
	})
	if err != nil {
		return nil, err
	}
	best := &train.Best{Patience: 8}
	for step, err := range run.Steps(ctx) {
		if err != nil {
			return nil, err
		}
		if !step.EpochEnds || len(p.Valid) == 0 {
			continue
		}
		value, loss := validMetric(j.Fit.Metric, model.Predict(d.seqs(p.Valid)), d.labels(p.Valid), d.Positive)
		if _, stop := best.See(model, step.N, ranking(value, loss)); stop {
			break
		}
	}
	best.Load(model)
	return model, nil
}
