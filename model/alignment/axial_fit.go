package alignment

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"heed/autograd"
	"heed/data"
	"heed/internal/par"
	"heed/nn"
	"heed/optim"
)

// An axialExample is an alignment with masked residues.
type axialExample struct {
	states  []uint8 // (R·L) with Hidden and wrong residues
	cells   []int32 // where a residue is asked for
	targets []int32
	rand    *rand.Rand // of dropout
}

// mask chooses a share of the residues and treats them as BERT does (Devlin et al.
// 2019): 8 of 10 are hidden, 1 of 10 becomes another residue, 1 of 10 stays. Gaps are
// never asked for.
func (x *axialExample) mask(share float64) {
	for i, s := range x.states {
		if s >= Residues || x.rand.Float64() >= share {
			continue
		}
		x.cells, x.targets = append(x.cells, int32(i)), append(x.targets, int32(s))
		switch u := x.rand.Float64(); {
		case u < 0.8:
			x.states[i] = Hidden
		case u < 0.9:
			x.states[i] = uint8(x.rand.IntN(Residues))
		}
	}
}

// draw returns the indices of n different rows of a family, or of all if there are
// fewer, drawn by their weights. The first row, the query, is one like the others: were
// it in every alignment, it would soon be known by heart and copied.
func draw(f *Family, n int, r *rand.Rand) ([]int, error) {
	rows, err := data.SampleDistinctRows(append([]float64{0}, f.Weights...), n+1, r)
	if err != nil {
		return nil, err
	}
	rows = rows[1:]
	for i := range rows {
		rows[i]--
	}
	return rows, nil
}

// AxialMemory returns about how many bytes FitAxial and AxialScores hold for a family
// of n sequences and l columns: the activations of the alignments of one step that
// are on the way, each with gradients of their parameters, and the answers to changes.
func AxialMemory(n, l int, c AxialConfig) int64 {
	rows, wide := int64(min(n, c.Rows)), int64(l)
	d, ffn := int64(c.Width), int64(c.FFN)
	cell := int64(c.Layers)*(36*d+6*ffn) + 8*d // values and gradients
	layer := 8*d*d + 2*d*ffn
	params := int64(c.Layers)*layer + (States+1+wide)*d + Residues*(d+wide)
	return 4 * (int64(c.Batch)*(rows*wide*cell+params) + 4*params + wide*wide*pairSize)
}

// FitAxial trains an axial transformer on a family by filling in masked residues.
// Every step draws c.Batch alignments of c.Rows rows, by the weights of the family,
// so that near copies are as rare as they count; the loss is that of [autograd.
// CrossEntropy], in nats for each masked residue.
func FitAxial(ctx context.Context, f *Family, c AxialConfig) (*Axial, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if f.Sequences < 2 || f.Columns < 2 {
		return nil, fmt.Errorf("a family of %d sequences and %d columns has nothing to fill in from", f.Sequences, f.Columns)
	}
	m := NewAxial(f.Columns, c, rand.New(rand.NewPCG(c.Seed, 0x617869))) // "axi"
	copy(m.Field.Data, siteField(f, Residues, 0.01))
	params := nn.Params(m)
	opt := &optim.AdamW{Decay: c.Decay}
	tapes, losses := make([]*autograd.Tape, c.Batch), make([]float64, c.Batch)
	for i := range tapes {
		tapes[i] = &autograd.Tape{}
	}
	for step := range c.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		examples, asked, err := axialBatch(f, c, step)
		if err != nil {
			return nil, err
		}
		par.Do(c.Batch, c.Cores, func(_, i int) {
			x, t := examples[i], tapes[i]
			t.Reset()
			t.Rand = x.rand
			losses[i] = 0
			if len(x.cells) == 0 {
				return
			}
			loss := autograd.CrossEntropy(t, m.Logits(t, x.states, x.cells), x.targets, float32(asked))
			losses[i] = float64(loss.Data[0])
			t.Backward(loss)
		})
		autograd.Gather(params, tapes...)
		loss := 0.0
		for _, x := range losses {
			loss += x
		}
		norm := optim.GlobalNorm(params)
		if math.IsNaN(loss+norm) || math.IsInf(loss+norm, 0) {
			return nil, fmt.Errorf("step %d: the loss is not finite", step+1)
		}
		opt.Update(params, optim.WarmupCosine(step, min(100, c.Steps/10), c.Steps, c.Rate, 0.05), optim.ClipScale(norm, 1))
		if c.Tell != nil {
			c.Tell(step+1, c.Steps, loss)
		}
	}
	return m, nil
}

// axialBatch returns the examples of one step and how many residues they ask for.
func axialBatch(f *Family, c AxialConfig, step int) (examples []*axialExample, asked int, err error) {
	for i := range c.Batch {
		r := rand.New(rand.NewPCG(c.Seed, uint64(step*c.Batch+i)+1))
		rows, err := draw(f, c.Rows, r)
		if err != nil {
			return nil, 0, err
		}
		x := &axialExample{states: gather(f, rows), rand: r}
		x.mask(c.Mask)
		asked += len(x.cells)
		examples = append(examples, x)
	}
	if asked == 0 {
		return nil, 0, errors.New("no residue was drawn to be filled in: the family is gaps, or the mask too small")
	}
	return examples, asked, nil
}
