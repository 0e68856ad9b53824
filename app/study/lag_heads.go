package study

import (
	"context"
	"fmt"
	"math"
	"slices"

	"heed/autograd"
	"heed/explain"
	"heed/model/timeline"
)

// lagHeads is what interventions on one transformer said, on positive patients with
// more than half a year between the two and no wrong labels.
type lagHeads struct {
	// carried is how much of the logit comes back when one head alone hears of the
	// right drug while the patient has another (explain.PatchHeads), (layers, heads).
	carried [][]float64
	// whole is the AUROC as it is; without is what is left of it without a head, and near with a
	// head that sees the last 30 days alone, (layers, heads).
	whole         float64
	without, near [][]float64
	// interaction is f(drug, value) - f(drug, normal) - f(other, value) + f(other,
	// normal), in logits; drug and value are what each brings alone.
	interaction, drug, value float64
	// lost is the share of the interaction that goes if a part of a layer adds up, at
	// the value and at [CLS], (layers, 2): attention, feed-forward.
	lost [][2][2]float64
	// flips is the share of patients whose answer changes from yes to no with another drug,
	// and with a normal value.
	flips [2]float64
}

// lagLocal divides near from far, in days.
const lagLocal = 30

// heads intervenes on a transformer of level 2.
func (x *lagTask) heads(ctx context.Context, m *timeline.Model) (*lagHeads, error) {
	g := x.generation
	g.Seed, g.MinGap, g.MaxGap, g.Noise = x.seed^lagPatch, x.size.minGap, 730, 0
	layers, heads := len(m.Layers), m.Config.Heads
	grid := func() [][]float64 {
		out := make([][]float64, layers)
		for i := range out {
			out[i] = make([]float64, heads)
		}
		return out
	}
	out := &lagHeads{carried: grid(), without: grid(), near: grid(), lost: make([][2][2]float64, layers)}
	n := float64(x.size.patched)
	// Patients of odd numbers are those with the outcome.
	for i := range x.size.patched {
		c := g.Case(int64(2*i+1), x.size.minDensity, x.size.maxDensity)
		variant := func(drug, value bool) *explain.Case {
			s := x.vocabulary.Encode(happened(c.Variant(drug, value)), float32(math.NaN()), false)
			rows := 1 + len(s.Codes)
			return &explain.Case{Rows: rows, Readout: explain.ReadRow(rows, rows-1), Run: func(t *autograd.Tape, n int) *autograd.Var {
				return m.Logits(t, m.Pack(nil, slices.Repeat([]*timeline.Sequence{&s}, n)...))
			}}
		}
		both, other, normal, neither := variant(true, true), variant(false, true), variant(true, false), variant(false, false)
		p, err := explain.PatchHeads(ctx, both, other, 8)
		if err != nil {
			return nil, err
		}
		for l := range layers {
			for h := range heads {
				if p.Reason == "" { // else the two score alike: nothing is carried
					out.carried[l][h] += p.Effect[l][h] / n
				}
			}
		}
		f := explain.NewFactorial(both, normal, other, neither)
		out.interaction += f.Interaction() / n
		out.drug += (f.First - f.Neither) / n
		out.value += (f.Second - f.Neither) / n
		for k, score := range []float64{f.Second, f.First} {
			if f.Both > 0 && score < 0 {
				out.flips[k] += 1 / n
			}
		}
		for l, layer := range m.Layers {
			for k, part := range []explain.Residual{explain.LayerMiddle, explain.LayerOutput} {
				for at, row := range []int{c.Patient.Lab, both.Rows - 1} {
					out.lost[l][k][at] += (f.Both - f.Added(layer.Name, part, row)) / n
				}
			}
		}
	}
	for l := range out.lost {
		for k := range out.lost[l] {
			for at := range out.lost[l][k] {
				out.lost[l][k][at] /= out.interaction
			}
		}
	}
	part := &lagPart{name: "more than half a year"}
	for id := range int64(10 * x.size.patched) {
		c := &lagCase{Case: g.Case(id+1, x.size.minDensity, x.size.minDensity)}
		c.seq = x.vocabulary.Encode(happened(c.Events), float32(math.NaN()), false)
		part.cases = append(part.cases, c)
	}
	out.whole = part.blind(m, -1, 0, nil)
	for l := range layers {
		for h := range heads {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			out.without[l][h] = part.blind(m, l, h, func(float32) bool { return true })
			out.near[l][h] = part.blind(m, l, h, func(lag float32) bool { return lag > lagLocal })
		}
	}
	return out, nil
}

const lagPatch = 0x7061746368

// blind returns the AUROC of a model one head of which is blind to keys of some lags, in days;
// the weights of the others grow in proportion, and a row without any gets nothing.
func (p *lagPart) blind(m *timeline.Model, layer, head int, gone func(lag float32) bool) float64 {
	logits := make([]float64, len(p.cases))
	for i, c := range p.cases {
		b := m.Pack(nil, &c.seq)
		t := &autograd.Tape{NoGrad: true}
		if gone != nil {
			want := fmt.Sprintf("layers.%d.attention.weights", layer)
			t.Probe = func(name string, v *autograd.Var) {
				if name == want {
					n := v.Dim(3)
					blinded(v.Data[head*n*n:(head+1)*n*n], b.Times, gone)
				}
			}
		}
		logits[i] = float64(m.Logits(t, b).Data[0])
	}
	return p.auroc(logits)
}

// blinded takes keys from the weights (L, L) of a head that sees the past alone.
func blinded(weights, times []float32, gone func(lag float32) bool) {
	n := len(times)
	for i := range times {
		row, sum := weights[i*n:(i+1)*n], float32(0)
		for j := range row[:i+1] {
			if gone(times[j] - times[i]) {
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
