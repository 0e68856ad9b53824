package dna

import (
	"context"

	"heed/autograd"
	"heed/checkpoint"
	"heed/model/sequence"
	"heed/train"
)

// pretrain teaches one member to fill in masked tokens of the training
// sequences and of the unlabelled ones. Labels are not looked at.
func (f *Fitting) pretrain(ctx context.Context, member int, seed uint64, model *sequence.Model, file *checkpoint.File) error {
	cfg := f.out.Config
	z := cfg.Model.Tokenizer
	var ids [][]int32
	for _, i := range f.Train {
		ids = append(ids, f.ids[i])
	}
	for _, s := range f.Unlabelled {
		ids = append(ids, z.Encode(s))
	}
	lengths, tokens := make([]int, len(ids)), 0
	for i, s := range ids {
		lengths[i] = 1 + len(s)
		tokens += len(s)
	}
	// The loss is a mean over filled-in tokens. Their number differs between
	// batches; dividing by its expectation keeps the leaves of a batch additive.
	perExample := float32(max(1, cfg.Pretrain.Mask*float64(tokens)/float64(len(ids))))
	tc := cfg.Train
	tc.Epochs, tc.Rate, tc.Seed = cfg.Pretrain.Epochs, cfg.Pretrain.Rate, seed+pretrainOffset
	run, err := train.New(tc, train.Problem{
		Model:   model,
		Lengths: lengths,
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			var (
				seqs  [][]int32
				rows  []int32
				truth []int32
				first = 1 // row of the first token of a sequence, after [CLS]
			)
			for _, e := range examples {
				s := ids[e]
				if cfg.Augment.ReverseComplement && t.Rand.IntN(2) == 1 {
					s = z.ReverseComplement(s)
				}
				out, at, ids := sequence.Corrupt(z, s, cfg.Pretrain.Mask, t.Rand)
				for _, i := range at {
					rows = append(rows, int32(first+i))
				}
				truth = append(truth, ids...)
				seqs = append(seqs, out)
				first += 1 + len(s)
			}
			return autograd.CrossEntropy(t, model.MaskedLogits(t, model.Pack(seqs...), rows), truth, norm*perExample)
		},
	})
	if err != nil {
		return err
	}
	at := position{Member: member, Stage: stagePretrain}
	if file != nil {
		if err := run.Restore(file); err != nil {
			return err
		}
	}
	for step, err := range run.Steps(ctx) {
		if err != nil {
			return f.cut(err, at, run, nil)
		}
		f.report(member, "pretrain", step)
		if step.EpochEnds && f.SaveEvery > 0 && step.Epoch%f.SaveEvery == 0 {
			if err := f.save(at, run, nil); err != nil {
				return err
			}
		}
	}
	f.done += run.Total()
	return nil
}
