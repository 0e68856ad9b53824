package dna

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"heed/explain"
	"heed/metric"
	"heed/report"
)

// exampleBlocks shows the chosen sequences, a page for each.
func (x *Explained) exampleBlocks() ([]report.Block, error) {
	pages := report.Examples{Label: "Sequence"}
	for _, e := range x.chosen() {
		blocks, err := x.example(e)
		if err != nil {
			return nil, err
		}
		pages.Pages = append(pages.Pages, report.Example{Name: e.Name, Title: x.describe(e), Blocks: blocks})
	}
	blocks := []report.Block{
		report.Text("For each sequence: the map (" + x.name(keyMap) + "), the numbers (" + x.name(keyIntegrated) + ") and the referee (mutagenesis), one above the other over the same positions, then its heads."),
		pages,
	}
	if n := len(pages.Pages); n < len(x.Sequences) {
		blocks = append(blocks, report.Text(fmt.Sprintf("%d of %d explained sequences are shown here.", n, len(x.Sequences))))
	}
	return blocks, nil
}

// name returns that of a method by its key.
func (x *Explained) name(key string) string {
	for _, m := range methods() {
		if m.key == key {
			return m.Name
		}
	}
	return key
}

// example shows one sequence.
func (x *Explained) example(e *Explanation) ([]report.Block, error) {
	logo, err := e.logo(x.describe(e), x.TSS, marksOf(x.Motifs))
	if err != nil {
		return nil, err
	}
	numbers, err := tsv(func(b *bytes.Buffer) error {
		return WriteExplanations(b, []*Explanation{e}, x.How.Methods, x.TSS)
	})
	if err != nil {
		return nil, err
	}
	tracks := report.Tracks{
		Name: fileName("tracks", e.Name), Alt: "What each method says about every letter of " + e.Name,
		XLabel: positionsOf(x.TSS), Positions: coordinates(len(e.Sequence), x.TSS),
		Caption: "One row for each method, each with its own scale: they have no unit in common but for the log-odds. " + x.integral(e),
	}
	for _, c := range e.Sequence {
		tracks.Labels = append(tracks.Labels, string(c))
	}
	for _, m := range x.Motifs {
		tracks.Spans = append(tracks.Spans, report.Span{From: m.From, To: m.To, Name: m.Name})
	}
	for i, m := range x.How.Methods {
		row := report.Track{Name: m.Name, Values: e.Scores[i]}
		if m.key == keyMutagenesis || m.key == keyIntegrated || m.key == "gradient-input" || m.key == "decomposition" {
			row.Unit = "nats"
		}
		if x.Verdict != nil && m.key != keyMutagenesis {
			row.Unfaithful = explain.Unfaithful(x.Verdict.Replacements, i)
		}
		tracks.Rows = append(tracks.Rows, row)
	}
	blocks := []report.Block{
		report.Figure{Name: fileName("logo", e.Name), Alt: "Sequence logo of the mutagenesis effect at each position of " + e.Name, Caption: importanceMeaning, SVG: logo.SVG(), Data: numbers},
		tracks, x.rankTable(e),
	}
	if e.Uniformity > explain.Uniform {
		blocks = append(blocks, report.Notice{Warning: true, Text: fmt.Sprintf("The rollout is next to uniform here (%.3f, limit %.2f): it tells next to nothing about positions.", e.Uniformity, explain.Uniform)})
	}
	return append(blocks, x.maps(e)...), nil
}

// positionsOf says what positions count from.
func positionsOf(tss int) string {
	if tss < 0 {
		return "position"
	}
	return "position, the start of transcription is +1"
}

// integral says how well integrated gradients add up.
func (x *Explained) integral(e *Explanation) string {
	if e.Integral == nil {
		return ""
	}
	s := fmt.Sprintf("Integrated gradients share out the difference between the log-odds of the sequence, %.2f, and the mean of its shuffles, %.2f; what is missing is %.2g nats", e.Integral.Score, e.Integral.Baseline, e.Integral.Error)
	if !e.Integral.Met {
		s += fmt.Sprintf(" although %d points of each path were taken: do not add these numbers up", e.Integral.Steps)
	}
	return s + "."
}

// rankTable compares the methods with mutagenesis on one sequence.
func (x *Explained) rankTable(e *Explanation) report.Table {
	t := report.Table{
		Caption: "Agreement with mutagenesis on this sequence",
		Columns: []report.Column{{Name: "method"}, {Name: "Spearman", Numeric: true}, {Name: "highest at", Numeric: true}},
		Notes:   []string{"Spearman: rank correlation with the importance by mutagenesis, with its absolute value for methods without a sign. " + uniformityNote(e)},
	}
	for i, m := range x.How.Methods {
		if m.key == keyMutagenesis {
			continue
		}
		truth := e.Importance
		if m.Unsigned {
			truth = sizes(truth)
		}
		rho, err := metric.Spearman(e.Scores[i], truth)
		if err != nil {
			rho = math.NaN()
		}
		at := "-"
		if p := explain.Peaks(e.Scores[i], 1, 1); len(p) > 0 {
			at = fmt.Sprint(coordinate(p[0].Index, x.TSS))
		}
		t.Rows = append(t.Rows, report.TableRow{Cells: []string{m.Name, decimal(rho), at}})
	}
	return t
}

func uniformityNote(e *Explanation) string {
	if math.IsNaN(e.Uniformity) {
		return ""
	}
	return "Uniformity of the rollout: " + uniformity(e.Uniformity) + "."
}

// maps shows the attention of the first member, and what of it raises the score.
func (x *Explained) maps(e *Explanation) []report.Block {
	if e.Tokens == nil || len(e.Tokens) > report.MaxTokens {
		return nil
	}
	first := x.Model.parts(e.Sequence, e.Class, x.How.Seed)[0]
	layers := first.attention()
	m := report.AttentionMap{Name: e.Name, Tokens: e.Tokens, Positions: make([]int, len(e.Tokens))}
	for i, at := range coordinates(len(e.Sequence), x.TSS) {
		for j, s := range first.spans {
			if s.From == i {
				m.Positions[1+j] = at
			}
		}
	}
	signed := m
	for _, l := range layers {
		m.Weights = append(m.Weights, l.Weights...)
		for i, w := range l.Weights {
			signed.Weights = append(signed.Weights, w*l.Grad[i])
		}
	}
	for i := range e.Heads {
		m.Facts = append(m.Facts, headFacts(&e.Heads[i]))
	}
	caption := "Attention of each head: the row is the token that reads, the column the token that is read. The [CLS] row is what the classifier is made from."
	if x.Model.Config.Model.Pooling == "mean" {
		caption = "Attention of each head: the row is the token that reads, the column the token that is read. The classifier reads the mean of all rows."
	}
	if n := len(x.Model.Members); n > 1 {
		caption += fmt.Sprintf(" The heads are those of the first of the %d models that are averaged.", n)
	}
	return []report.Block{
		report.HeatmapSet{Name: fileName("attention", e.Name), Caption: caption, Layers: len(layers), Heads: layers[0].Heads, Maps: []report.AttentionMap{m}},
		report.HeatmapSet{Name: fileName("gradient-attention", e.Name), Signed: true, Layers: len(layers), Heads: layers[0].Heads, Maps: []report.AttentionMap{signed},
			Caption: "Gradient x attention: each weight times the slope of the log-odds of " + x.Model.Classes[e.Class] + " with respect to it. Above zero, more of this attention would raise them."},
	}
}

// headFacts is the line below the map of a head.
func headFacts(h *explain.HeadStats) string {
	offset, share := h.Offset()
	return fmt.Sprintf("reads %.1f tokens (perplexity), temperature %.2f (%s), mean distance %.1f bp, most often at %+d (%.0f %%), largest weight %.2f, on itself %.2f, on [CLS] %.2f",
		h.Perplexity, h.Temperature(), h.Word(), h.Distance, offset, 100*share, h.Confidence, h.Self, h.Special)
}

// headBlocks describes the heads of the first member over all sequences, and
// what becomes of the score without them on the sequences that are shown.
func (x *Explained) headBlocks() []report.Block {
	if x.Sequences[0].Heads == nil {
		return nil
	}
	var average explain.HeadAverage
	for _, e := range x.Sequences {
		average.Add(e.Heads)
	}
	var cases []*explain.Case
	chosen := x.chosen()
	layers, heads := x.Model.Config.Model.Layers, x.Model.Config.Model.Heads
	direct := make([]float64, layers*heads)
	for _, e := range chosen {
		p := x.Model.parts(e.Sequence, e.Class, x.How.Seed)[0]
		cases = append(cases, p.c)
		if x.Model.Config.Encoder != nil {
			continue // what a head writes goes through norms before it is read
		}
		d, err := explain.DirectLogitAttribution(p.c, p.encoder())
		if err != nil {
			return nil
		}
		for l, row := range d.Heads {
			for h, v := range row {
				direct[l*heads+h] += v / float64(len(chosen))
			}
		}
	}
	importance, err := explain.HeadImportance(cases)
	if err != nil {
		return nil
	}
	effects := make([]float64, 0)
	for i, c := range cases {
		s, err := explain.AblateHeads(context.Background(), c, max(1, batchTokens/c.Rows), explain.ZeroHead)
		if err != nil {
			return nil
		}
		k := 0
		for _, layer := range s.Values {
			for _, v := range layer {
				if i == 0 {
					effects = append(effects, 0)
				}
				effects[k] += v / float64(len(cases))
				k++
			}
		}
	}
	t := report.Table{
		Caption: fmt.Sprintf("Heads of the first member, mean over %d sequences; effects over the %d that are shown", len(x.Sequences), len(chosen)),
		Columns: []report.Column{{Name: "layer.head"}, {Name: "effect", Numeric: true}, {Name: "importance", Numeric: true}, {Name: "direct", Numeric: true}, {Name: "tokens read", Numeric: true}, {Name: "temperature", Numeric: true},
			{Name: "distance, bp", Numeric: true}, {Name: "top offset", Numeric: true}, {Name: "on [CLS]", Numeric: true}},
		Notes: []string{
			"Effect: how much the log-odds fall, in nats, when the head's weights are set to zero: evidence of cause, one head at a time. Importance: |Σ A·∂f/∂A| (Michel et al. 2019), its first-order estimate. Direct: what the head writes straight into the log-odds, with the last norm as it is; what it passes to other layers is not in it; for a published encoder, whose norms come after each layer, it is not defined.",
			"Tokens read: perplexity of a row. Temperature: that of a softmax over scores of spread 1; a sharp head is cold. Some texts say it the other way round. Distance: mean over the weights. Top offset: the most frequent one of the largest weights, with its share; from 90 % a head is called positional (Voita et al. 2019).",
			"These describe weights, not effects: a sharp head may carry nothing that the score uses.",
		},
	}
	for i, h := range average.Summary() {
		word := (&explain.HeadStats{Sharpness: h.Sharpness.Estimate}).Word()
		written := fmt.Sprintf("%+.2f", direct[i])
		if x.Model.Config.Encoder != nil {
			written = "-"
		}
		t.Rows = append(t.Rows, report.TableRow{Cells: []string{
			fmt.Sprintf("%d.%d", i/heads+1, i%heads+1), fmt.Sprintf("%+.2f", effects[i]), fmt.Sprintf("%.2f", importance.Values[i/heads][i%heads]), written,
			fmt.Sprintf("%.1f", h.Perplexity.Estimate), fmt.Sprintf("%.2f %s", 1/h.Sharpness.Estimate, word), fmt.Sprintf("%.1f", h.Distance.Estimate),
			fmt.Sprintf("%+d, %.0f %%", h.Offset, 100*h.OffsetShare), fmt.Sprintf("%.2f", h.Special.Estimate),
		}})
	}
	return []report.Block{report.Notice{Title: "How to read this", Text: report.AttentionCaveat}, t}
}
