package ehr

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"heed/autograd"
	"heed/explain"
	"heed/internal/par"
	"heed/metric"
	"heed/model/timeline"
)

// AlertHeads says which head of a model carries what, from interventions on made-up
// patients alone: nothing in it looks at weights.
type AlertHeads struct {
	IntendedUse string  `json:"intended_use"`
	NotADevice  bool    `json:"not_a_device"`
	Pairs       int     `json:"patched_patients"`
	Measured    int     `json:"ablated_patients"`
	MinGap      float64 `json:"min_gap"`
	LocalDays   float64 `json:"local_days"`
	// AUROC of the model as it is, on the ablated patients: the relation is at stake
	// in all of them, over MinGap days.
	AUROC float64     `json:"auroc"`
	Heads []AlertHead `json:"heads"`
	// Rows says at which token of the sequence, after which layer, the difference
	// that the drug makes lies: means of patching effects.
	Rows []RowEffect `json:"rows"`
	And  []AndShare  `json:"and"`
	// Interaction is the mean of f(drug, value) - f(drug, normal) - f(other, value) +
	// f(other, normal), in logits: what neither of the two brings alone.
	Interaction float64 `json:"interaction"`
	Drug        float64 `json:"drug_alone"`  // f(drug, normal) - f(other, normal)
	Value       float64 `json:"value_alone"` // f(other, value) - f(other, normal)
}

// AlertHead is one head. Effects are means over patients.
type AlertHead struct {
	Layer int `json:"layer"`
	Head  int `json:"head"` // -1: all of the layer together
	// Drug is how much of the logit comes back when the head alone hears of the right
	// drug while the patient has another (explain.PatchHeads); Value, when it alone
	// hears of the abnormal value while the patient's is normal.
	Drug  float64 `json:"patch_drug"`
	Value float64 `json:"patch_value"`
	// What is left of the AUROC without the head, without what it sees of over
	// LocalDays ago, and without what it sees of the days since.
	Without float64 `json:"auroc_without"`
	NoFar   float64 `json:"auroc_near_only"`
	NoNear  float64 `json:"auroc_far_only"`
	Slope   float64 `json:"slope"` // of log lag; a description, no evidence
	Role    string  `json:"role"`
}

// RowEffect is what patching one token restores.
type RowEffect struct {
	Place string  `json:"place"`
	Drug  float64 `json:"drug_token"`
	Lab   float64 `json:"value_token"`
	Cls   float64 `json:"cls"`
}

// AndShare is how much of the interaction goes if a part of a layer adds up what the
// two bring, in place of what it makes of both.
type AndShare struct {
	Part  string  `json:"part"`
	Share float64 `json:"share_lost"`
}

// localDays divides near from far.
const localDays = 30

// Heads measures a model on patients of a generation: pairs to patch, and measured
// ones for the AUROC without heads, all with more than minGap days between the two.
func (f *Fitted) Heads(ctx context.Context, g Generation, density float64, pairs, measured int) (*AlertHeads, error) {
	if len(f.Members) != 1 || f.Config.Tokens.Channels() != 1 || !f.Config.Model.Causal {
		return nil, usagef("the model is no alert: train one with heed ehr alert train")
	}
	out := &AlertHeads{IntendedUse: Notice, NotADevice: true, Pairs: pairs, Measured: measured, MinGap: g.MinGap, LocalDays: localDays}
	h := &headStudy{f: f, m: f.Members[0], out: out}
	g.Noise = 0
	var cases, positive []alertCase
	for id := int64(1); len(cases) < measured || len(positive) < pairs; id++ {
		c := g.alertCase(id, density, density)
		if len(cases) < measured {
			cases = append(cases, c)
		}
		if c.truth.Kind == "pair" && len(positive) < pairs {
			positive = append(positive, c)
		}
	}
	encodeCases(f.Vocabulary, cases, f.cores())
	for l := range h.m.Layers {
		for k := range f.Config.Model.Heads {
			x := AlertHead{Layer: l, Head: k}
			if h.m.Slopes != nil {
				x.Slope = float64(h.m.Slopes.Data[k])
			}
			out.Heads = append(out.Heads, x)
		}
		out.Heads = append(out.Heads, AlertHead{Layer: l, Head: -1})
	}
	if err := h.patch(ctx, positive); err != nil {
		return nil, err
	}
	if err := h.ablate(ctx, cases); err != nil {
		return nil, err
	}
	h.roles()
	return out, nil
}

type headStudy struct {
	f   *Fitted
	m   *timeline.Model
	out *AlertHeads
}

// variant returns the tokens of a patient, perhaps with another drug that does not
// belong to the value, or with a normal value.
func (h *headStudy) variant(c *alertCase, drug, value bool) *timeline.Sequence {
	events := slices.Clone(c.events)
	s := c.truth
	if !drug {
		class := int(events[s.Drug].Code[len("RX//CLASS-")] - '1')
		events[s.Drug].Code = drugCode((class + 1 + int(s.ID)%(pairs-1)) % pairs)
	}
	if !value {
		k := int(events[s.Lab].Code[len("LAB//ANALYTE-")] - '1')
		mean, _, _ := analyte(k)
		if strings.HasSuffix(events[s.Lab].Code, "g/L") {
			mean *= unitFactor
		}
		events[s.Lab].Values = []float32{float32(mean)}
	}
	q := h.f.Vocabulary.Encode(events, float32(math.NaN()), false)
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
				r := &h.out.Rows[l*len(places)+k]
				r.Drug += p.Effect[l][c.truth.Drug] / n
				r.Lab += p.Effect[l][c.truth.Lab] / n
				r.Cls += p.Effect[l][both.Rows-1] / n
			}
		}
		h.and(both, other, normal, neither, []int{c.truth.Lab, both.Rows - 1}, lost, n)
	}
	for i := range lost {
		h.out.And[i].Share = lost[i] / h.out.Interaction
	}
	return nil
}

// and adds the interaction of a patient, and how much of it is lost if one part of
// one layer adds up:
//
//	part(both) := part(other) + part(normal) - part(neither)
//
// at one of two tokens: that of the value, and [CLS]. What is lost there may be made
// there or only pass through: a part that copies what an earlier one made loses it too.
func (h *headStudy) and(both, other, normal, neither *explain.Case, rows []int, lost []float64, n float64) {
	var seen [4]map[string][]float32
	var scores [4]float64
	for i, c := range []*explain.Case{both, other, normal, neither} {
		seen[i] = map[string][]float32{}
		t := &autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
			if strings.HasPrefix(name, "layers.") && len(v.Shape) == 2 {
				seen[i][name] = slices.Clone(v.Data)
			}
		}}
		scores[i] = float64(c.Run(t, 1).Data[0])
	}
	whole := scores[0] - scores[1] - scores[2] + scores[3]
	h.out.Interaction += whole / n
	h.out.Drug += (scores[2] - scores[3]) / n
	h.out.Value += (scores[1] - scores[3]) / n
	for l, layer := range h.m.Layers {
		for k, part := range [][2]string{{".input", ".middle"}, {".middle", ".output"}} {
			from, to := layer.Name+part[0], layer.Name+part[1]
			for at, row := range rows {
				t := &autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
					if name != to {
						return
					}
					d := v.Dim(-1)
					for j := row * d; j < (row+1)*d; j++ {
						for i, sign := range []float32{1, -1, -1, 1} {
							v.Data[j] -= sign * (seen[i][to][j] - seen[i][from][j])
						}
					}
				}}
				score := float64(both.Run(t, 1).Data[0])
				lost[4*l+2*k+at] += (scores[0] - score) / n
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
		s := qs[i].sequence(1)
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

// roles names heads by what interventions did. One that carries the drug and cannot do
// without what is far retrieves it. One that carries drug or value in a layer that
// works as well on what is near alone, and not on what is far alone, is local; the
// layer is asked together, since its heads may stand in for each other.
func (h *headStudy) roles() {
	layers := map[int]AlertHead{}
	for _, x := range h.out.Heads {
		if x.Head < 0 {
			layers[x.Layer] = x
		}
	}
	for i := range h.out.Heads {
		x := &h.out.Heads[i]
		layer := layers[x.Layer]
		switch {
		case x.Head < 0:
		case x.Drug >= 0.1 && h.out.AUROC-x.NoFar >= 0.02:
			x.Role = "retrieves the drug"
		case max(x.Drug, x.Value) >= 0.1 && h.out.AUROC-layer.NoFar < 0.02 && h.out.AUROC-layer.NoNear >= 0.1:
			x.Role = "local"
		case h.out.AUROC-x.Without < 0.005 && math.Abs(x.Drug) < 0.05 && math.Abs(x.Value) < 0.05:
			x.Role = "idle"
		}
	}
}

// WriteTable writes the heads for a reader.
func (o *AlertHeads) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "head\tcarries drug\tcarries value\tAUROC without\tsees <= %.0f d only\tsees > %.0f d only\tslope\trole\n", o.LocalDays, o.LocalDays)
	for _, x := range o.Heads {
		if x.Head < 0 {
			fmt.Fprintf(t, "all of layer %d\t\t\t%.3f\t%.3f\t%.3f\t\t\n", x.Layer, x.Without, x.NoFar, x.NoNear)
			continue
		}
		fmt.Fprintf(t, "%d.%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.2f\t%s\n", x.Layer, x.Head, x.Drug, x.Value, x.Without, x.NoFar, x.NoNear, x.Slope, x.Role)
	}
	fmt.Fprintf(t, "\nwhere the drug is\tdrug token\tvalue token\t[CLS]\n")
	for _, r := range o.Rows {
		fmt.Fprintf(t, "%s\t%.3f\t%.3f\t%.3f\n", r.Place, r.Drug, r.Lab, r.Cls)
	}
	fmt.Fprintf(t, "\nthe interaction is lost if this part adds up\tshare\n")
	for _, a := range o.And {
		fmt.Fprintf(t, "%s\t%.3f\n", a.Part, a.Share)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "interaction %.2f logits (drug alone %.2f, value alone %.2f); %d patients patched, %d with gaps over %.0f days ablated (AUROC %.3f as it is); %s\n",
		o.Interaction, o.Drug, o.Value, o.Pairs, o.Measured, o.MinGap, o.AUROC, Notice)
	return err
}
