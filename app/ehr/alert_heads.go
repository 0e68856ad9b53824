package ehr

import (
	"context"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"heed/data/madeup"
	"heed/internal/cli"
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
func (f *Fitted) Heads(ctx context.Context, g madeup.Generation, density float64, pairs, measured int) (*AlertHeads, error) {
	if len(f.Members) != 1 || f.Config.Tokens.Channels() != 1 || !f.Config.Model.Causal {
		return nil, cli.Usagef("the model is no alert: train one with heed ehr alert train")
	}
	out := &AlertHeads{IntendedUse: Notice, NotADevice: true, Pairs: pairs, Measured: measured, MinGap: g.MinGap, LocalDays: localDays}
	h := &headStudy{f: f, m: f.Members[0], out: out}
	g.Noise = 0
	var cases, positive []alertCase
	for id := int64(1); len(cases) < measured || len(positive) < pairs; id++ {
		c := alertCase{Case: g.Case(id, density, density)}
		if len(cases) < measured {
			cases = append(cases, c)
		}
		if c.Patient.Kind == "pair" && len(positive) < pairs {
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
