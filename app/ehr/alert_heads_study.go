package ehr

import (
	"context"
	"fmt"
	"math"
	"slices"

	"heed/autograd"
	"heed/explain"
	"heed/internal/par"
	"heed/metric"
	"heed/model/timeline"
)

// A headStudy intervenes on one model and writes down what happens.
type headStudy struct {
	f   *Fitted
	m   *timeline.Model
	out *AlertHeads
}

// variant returns the tokens of a patient, perhaps with another drug that does not
// belong to the value, or with a normal value.
func (h *headStudy) variant(c *alertCase, drug, value bool) *timeline.Sequence {
	q := h.f.Vocabulary.Encode(happened(c.Variant(drug, value)), float32(math.NaN()), false)
	return &q
}

func (h *headStudy) explainCase(s *timeline.Sequence) *explain.Case {
	rows := 1 + len(s.Codes)
	return &explain.Case{Rows: rows, Readout: explain.ReadRow(rows, rows-1), Run: func(t *autograd.Tape, n int) *autograd.Var {
		return h.m.Logits(t, h.m.Pack(nil, slices.Repeat([]*timeline.Sequence{s}, n)...))
	}}
}

// patch fills in what patching says, and the interaction.
func (h *headStudy) patch(ctx context.Context, cases []alertCase) error {
	n := float64(len(cases))
	places := []explain.Residual{explain.LayerMiddle, explain.LayerOutput}
	names := map[explain.Residual]string{explain.LayerMiddle: "after attention", explain.LayerOutput: "after feed-forward"}
	for l := range h.m.Layers {
		for _, p := range places {
			h.out.Rows = append(h.out.Rows, RowEffect{Place: fmt.Sprintf("layer %d, %s", l, names[p])})
		}
		for _, part := range []string{"attention", "feed-forward"} {
			for _, at := range []string{"the value", "[CLS]"} {
				h.out.And = append(h.out.And, AndShare{Part: fmt.Sprintf("layer %d, %s, at %s", l, part, at)})
			}
		}
	}
	lost := make([]float64, len(h.out.And))
	for i := range cases {
		c := &cases[i]
		both := h.explainCase(h.variant(c, true, true))
		other := h.explainCase(h.variant(c, false, true))
		normal := h.explainCase(h.variant(c, true, false))
		neither := h.explainCase(h.variant(c, false, false))
		for k, corrupt := range []*explain.Case{other, normal} {
			p, err := explain.PatchHeads(ctx, both, corrupt, 8)
			if err != nil {
				return err
			}
			for j := range h.out.Heads {
				if p.Reason != "" {
					break // the two inputs score alike: nothing is carried
				}
				x := &h.out.Heads[j]
				if x.Head < 0 {
					continue
				}
				*[]*float64{&x.Drug, &x.Value}[k] += p.Effect[x.Layer][x.Head] / n
			}
		}
		for k, place := range places {
			p, err := explain.PatchPositions(ctx, both, other, place, 8)
			if err != nil {
				return err
			}
			for l := range h.m.Layers {
				if p.Reason != "" {
					break
				}
				r := &h.out.Rows[l*len(places)+k]
				r.Drug += p.Effect[l][c.Patient.Drug] / n
				r.Lab += p.Effect[l][c.Patient.Lab] / n
				r.Cls += p.Effect[l][both.Rows-1] / n
			}
		}
		h.and(both, other, normal, neither, []int{c.Patient.Lab, both.Rows - 1}, lost, n)
	}
	for i := range lost {
		if h.out.Interaction != 0 {
			h.out.And[i].Share = lost[i] / h.out.Interaction
		}
	}
	return nil
}

// and adds the interaction of a patient, and how much of it is lost if one part of
// one layer adds up at one of two tokens: that of the value, and [CLS].
func (h *headStudy) and(both, other, normal, neither *explain.Case, rows []int, lost []float64, n float64) {
	f := explain.NewFactorial(both, other, normal, neither) // the value alone, the drug alone
	h.out.Interaction += f.Interaction() / n
	h.out.Drug += (f.Second - f.Neither) / n
	h.out.Value += (f.First - f.Neither) / n
	for l, layer := range h.m.Layers {
		for k, part := range []explain.Residual{explain.LayerMiddle, explain.LayerOutput} {
			for at, row := range rows {
				lost[4*l+2*k+at] += (f.Both - f.Added(layer.Name, part, row)) / n
			}
		}
	}
}

// ablate fills in what is left of the AUROC without heads, or parts of what they see.
func (h *headStudy) ablate(ctx context.Context, cases []alertCase) error {
	qs := questions(cases)
	var err error
	if h.out.AUROC, err = h.auroc(ctx, qs, nil); err != nil {
		return err
	}
	far := func(lag float32) bool { return lag > localDays }
	for i := range h.out.Heads {
		x := &h.out.Heads[i]
		for _, y := range []struct {
			dst  *float64
			gone func(lag float32) bool
		}{
			{&x.Without, func(float32) bool { return true }},
			{&x.NoFar, far},
			{&x.NoNear, func(lag float32) bool { return !far(lag) }},
		} {
			if *y.dst, err = h.auroc(ctx, qs, &blindness{x.Layer, x.Head, y.gone}); err != nil {
				return err
			}
		}
	}
	return nil
}

// A blindness takes from one head, or from all of a layer, the keys of some lags; the weights of the others
// grow in proportion. A row without any key gets nothing.
type blindness struct {
	layer, head int
	gone        func(lag float32) bool
}

func (h *headStudy) auroc(ctx context.Context, qs []question, b *blindness) (float64, error) {
	z := make([]float64, len(qs))
	par.Do(len(qs), h.f.cores(), func(_, i int) {
		if ctx.Err() != nil {
			return
		}
		s := qs[i].sequence()
		batch := h.m.Pack(nil, &s)
		t := &autograd.Tape{NoGrad: true}
		if b != nil {
			want := fmt.Sprintf("layers.%d.attention.weights", b.layer)
			t.Probe = func(name string, v *autograd.Var) {
				if name == want {
					b.write(v, batch.Times)
				}
			}
		}
		z[i] = float64(h.m.Logits(t, batch).Data[0])
	})
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m, err := metric.NewBinary(z, answers(qs))
	if err != nil {
		return 0, err
	}
	return m.AUROC(), nil
}

// write changes weights (1, H, L, L).
func (b *blindness) write(v *autograd.Var, times []float32) {
	n := v.Shape[3]
	heads := v.Data
	if b.head >= 0 {
		heads = v.Data[b.head*n*n : (b.head+1)*n*n]
	}
	for k := range len(heads) / n {
		i, row := k%n, heads[k*n:(k+1)*n]
		sum := float32(0)
		for j := range row[:i+1] {
			if b.gone(times[j] - times[i]) {
				row[j] = 0
			}
			sum += row[j]
		}
		if sum > 0 {
			for j := range row {
				row[j] /= sum
			}
		}
	}
}
