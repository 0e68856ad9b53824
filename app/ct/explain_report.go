package ct

import (
	"fmt"
	"math"
	"strings"

	"heed/explain"
	"heed/radiomics"
	"heed/report"
)

// Limits of what a page of a scan carries.
const (
	shownVoxels    = 2 << 20 // 4 MB of 16-bit steps
	shownCells     = 1024    // of a feature map with attention
	shownWeights   = 4 << 20 // of all heads together
	blurredCaveat  = "Occlusion is evidence of cause for the model, one block at a time, and for this replacement: a model that was trained on no blurred scan may do more than miss the block."
	gradientCaveat = "A gradient is the slope at one point and no measure of what was used; a rollout has no sign and is the same for every class."
)

// sections shows the scan with its maps, lobes, and the referee.
func (e *ScanExplanation) sections() ([]report.Section, error) {
	scan, err := e.volumeBlock()
	if err != nil {
		return nil, err
	}
	blocks := append([]report.Block{report.Notice{Warning: true, Text: "Research use only, not a medical device."}}, scan...)
	out := []report.Section{{Title: "The scan and its maps", Blocks: blocks}}
	if e.Lobes != nil {
		out = append(out, report.Section{Title: "Lobe by lobe", Blocks: e.Lobes.blocks()})
	}
	return append(out, report.Section{Title: "Can the maps be believed?", Blocks: e.verdictBlocks()}), nil
}

// volumeBlock is the viewer with what has to be said about it.
func (e *ScanExplanation) volumeBlock() ([]report.Block, error) {
	x := e.x
	b, err := x.boxOf(shownVoxels)
	if err != nil {
		return nil, err
	}
	v := report.Volume{
		Name: "scan", Alt: "The scan in three planes with maps of what the model looked at", Shape: b.scan.Shape, Values: b.scan.Data, Affine: b.scan.Affine,
		Caption: fmt.Sprintf("The scan as far as the model sees it, %d x %d x %d blocks around the cells of its feature map. Orange speaks for %s and blue against it; a map without a sign runs from violet to yellow, and one that failed its tests is grey. Maps are drawn block by block; the NIfTI files hold them on the voxels of the scan.", b.grid[0], b.grid[1], b.grid[2], e.Class),
		Windows: e.windows(),
	}
	if x.view.picture.Format != "NumPy" {
		v.Caption += " In axial and coronal planes the patient's right is on the left."
	}
	if x.hounsfield() {
		v.Unit = "HU"
	}
	strongest := 0
	for i, s := range e.Maps[0].Scores {
		if s > e.Maps[0].Scores[strongest] {
			strongest = i
		}
	}
	for at, cell := range b.order {
		if cell == strongest {
			p := [3]int{at % b.grid[0], at / b.grid[0] % b.grid[1], at / b.grid[0] / b.grid[1]}
			for a := range 3 {
				step := v.Shape[a] / b.grid[a]
				v.Start[a] = p[a]*step + step/2
			}
		}
	}
	for _, m := range e.Maps {
		unit := ""
		if m.File == "occlusion" {
			unit = "nats"
		}
		v.Overlays = append(v.Overlays, report.Overlay{Name: m.Method.Name, Unit: unit, Shape: b.grid, Values: b.cells(m.Scores), Signed: !m.Method.Unsigned, Unfaithful: m.Unfaithful})
	}
	if e.Lobes != nil {
		over, err := e.lobeOverlays(b)
		if err != nil {
			return nil, err
		}
		v.Overlays = append(v.Overlays, over...)
	}
	blocks := []report.Block{}
	cells := len(b.order)
	switch {
	case len(e.Attention) == 0:
		blocks = append(blocks, report.Notice{Text: fmt.Sprintf("The mixer of this model is %s: it has no attention of every cell to every other to show.", x.config().Mixer)})
	case cells > shownCells:
		blocks = append(blocks, report.Notice{Text: fmt.Sprintf("The attention between %d cells is left out: a page carries %d.", cells, shownCells)})
	default:
		for l := len(e.Attention) - 1; l >= 0; l-- { // the last layers first, as far as they fit
			layer := e.Attention[l]
			for h := range layer.Heads {
				if (len(v.Attention)+1)*cells*cells > shownWeights {
					blocks = append(blocks, report.Notice{Text: fmt.Sprintf("Attention is shown of %d heads, those of the last layers; the page has no room for more.", len(v.Attention))})
					l = -1
					break
				}
				v.Attention = append(v.Attention, report.VolumeAttention{Name: fmt.Sprintf("layer %d, head %d", l+1, h+1), Shape: b.grid, Weights: e.headOf(&layer, h, b)})
			}
		}
	}
	blocks = append([]report.Block{v}, blocks...)
	if b.thinned > 1 {
		blocks = append(blocks, report.Notice{Text: fmt.Sprintf("The scan is thinned out on this page: every %d. voxel along each axis. The NIfTI files have all.", b.thinned)})
	}
	if x.view.outside > 0 {
		blocks = append(blocks, report.Notice{Warning: true, Text: fmt.Sprintf("The model sees %v voxels around the centre: %d voxels of the scan (%.0f %%) lie outside, and maps are 0 there.", sizeXYZ(x.config().Size), x.view.outside, 100*float64(x.view.outside)/float64(len(x.view.picture.Data)))})
	}
	if x.view.picture.Format == "NumPy" {
		blocks = append(blocks, report.Notice{Warning: true, Text: "The scan is an array without a place in space: its affine is the identity, with voxels taken as 1 mm and axes as right, front and top. Left and right are not known."})
	}
	how := report.Table{Caption: "The maps", Columns: []report.Column{{Name: "method"}, {Name: "what it says of a cell"}, {Name: "sign"}, {Name: "file"}}}
	for _, m := range e.Maps {
		sign := "for and against"
		if m.Method.Unsigned {
			sign = "none"
			if m.Uniformity > explain.Uniform {
				sign += fmt.Sprintf("; next to uniform (%.3f): it tells next to nothing about places", m.Uniformity)
			}
		}
		how.Rows = append(how.Rows, report.TableRow{Cells: []string{m.Method.Name, m.Meaning, sign, m.File + ".nii.gz"}})
	}
	return append(blocks, how, report.Text(blurredCaveat+" "+gradientCaveat)), nil
}

func sizeXYZ(s [3]int) string { return fmt.Sprintf("%d x %d x %d", s[2], s[1], s[0]) }

// hounsfield guesses from the scaling that values are HU.
func (x *explaining) hounsfield() bool {
	return x.model.Config.Scaling.Low <= -500 && x.view.picture.Format != "NumPy"
}

// windows are what the model sees, and for HU those of radiologists.
func (e *ScanExplanation) windows() []report.VolumeWindow {
	s := e.x.model.Config.Scaling
	own := report.VolumeWindow{Name: "as the model sees it", Low: s.Low, High: s.High}
	if !e.x.hounsfield() {
		return []report.VolumeWindow{own}
	}
	var out []report.VolumeWindow
	for _, name := range []string{"lung", "mediastinum", "bone"} {
		if w, ok := radiomics.WindowNamed(name); ok {
			out = append(out, report.VolumeWindow{Name: name, Low: w.Center - w.Width/2, High: w.Center + w.Width/2})
		}
	}
	return append(out, own)
}

// headOf returns the weights of a head between cells, in the order of the box and
// without [CLS].
func (e *ScanExplanation) headOf(l *explain.Layer, head int, b *box) []float32 {
	_, first := e.x.rows()
	n := len(b.order)
	out := make([]float32, n*n)
	for i, from := range b.order {
		row := l.Weights[(head*l.Length+first+from)*l.Length:]
		for j, to := range b.order {
			out[i*n+j] = row[first+to]
		}
	}
	return out
}

// lobeOverlays shows lobes on the blocks: each has the value of the lobe that
// most of its voxels belong to.
func (e *ScanExplanation) lobeOverlays(b *box) ([]report.Overlay, error) {
	x, l := e.x, e.Lobes
	c := x.config()
	votes := make([]map[int32]int, c.Tokens())
	for i := range x.view.x {
		at := x.view.scanIndex(i, c.Size)
		if at < 0 {
			continue
		}
		p := [3]int{i / (c.Size[1] * c.Size[2]), i / c.Size[2] % c.Size[1], i % c.Size[2]}
		cell := cellOf(c.Grid(), len(c.Stem), p)
		if votes[cell] == nil {
			votes[cell] = map[int32]int{}
		}
		votes[cell][l.labels[at]]++
	}
	var out []report.Overlay
	for _, m := range []struct {
		name   string
		values []float64
	}{{"lobes: Shapley value", l.Shapley}, {"lobes: occlusion", l.Occlusion}} {
		scores := make([]float64, c.Tokens())
		for cell, vote := range votes {
			best := int32(-1)
			for k := int32(-1); int(k) < len(l.Names); k++ {
				if vote[k] > vote[best] {
					best = k
				}
			}
			if best >= 0 {
				scores[cell] = m.values[best]
			}
		}
		out = append(out, report.Overlay{Name: m.name, Unit: "nats", Shape: b.grid, Values: b.cells(scores), Signed: true})
	}
	return out, nil
}

// blocks are the table and the interactions of the lobes.
func (l *Lobes) blocks() []report.Block {
	t := report.Table{
		Caption: fmt.Sprintf("What each lobe does for the log-odds, replaced by %s", l.Replacement),
		Columns: []report.Column{{Name: "lobe"}, {Name: "voxels", Numeric: true}, {Name: "Shapley value", Numeric: true}, {Name: "fall without it", Numeric: true}, {Name: "rise by it alone", Numeric: true}},
		Notes: []string{
			fmt.Sprintf("All %d sets of lobes were evaluated, so the Shapley values are exact; they sum to the difference between all lobes (%+.3f) and none (%+.3f), in nats.", 1<<len(l.Names), l.All, l.None),
			"Everything outside of the mask is kept. What is said is about the model and this replacement, not about the disease.",
		},
	}
	for i, name := range l.Names {
		t.Rows = append(t.Rows, report.TableRow{Cells: []string{name, fmt.Sprint(l.Voxels[i]), signedNumber(l.Shapley[i]), signedNumber(l.Occlusion[i]), signedNumber(l.FirstIn[i])}})
	}
	blocks := []report.Block{t}
	if l.idle() {
		blocks = append(blocks, report.Notice{Warning: true, Text: idleLobes})
	}
	if len(l.Unseen) > 0 {
		blocks = append(blocks, report.Notice{Warning: true, Text: "The model sees no voxel of: " + strings.Join(l.Unseen, ", ") + "."})
	}
	if len(l.Names) > 1 {
		m := report.Matrix{Caption: "Interaction of two lobes, nats", Rows: l.Names, Cols: l.Names, Digits: 3,
			Notes: []string{"Shapley interaction index: above 0, each lobe is worth more with the other, as where a relation between them counts; below 0, either would do."}}
		for i, row := range l.Interaction {
			for j, v := range row {
				if i == j {
					v = math.NaN()
				}
				m.Values = append(m.Values, v)
			}
		}
		blocks = append(blocks, m)
	}
	return blocks
}

// idleLobes is said where lobes hardly count.
const idleLobes = "No lobe moves the log-odds by 0.01: what the model says of this scan hardly depends on the lobes, and differences between them mean nothing."

// idle reports that no lobe counts, neither alone nor with the others.
func (l *Lobes) idle() bool {
	for i := range l.Names {
		if max(math.Abs(l.Shapley[i]), math.Abs(l.Occlusion[i]), math.Abs(l.FirstIn[i])) >= 0.01 {
			return false
		}
	}
	return true
}

func signedNumber(x float64) string { return fmt.Sprintf("%+.3f", x) }

// verdictBlocks show what the referee says.
func (e *ScanExplanation) verdictBlocks() []report.Block {
	v := e.Verdict
	if v == nil {
		return []report.Block{report.Notice{Warning: true, Text: "The maps were not put to the test: without --verify=false they are."}}
	}
	blocks := []report.Block{report.Text(fmt.Sprintf("The referee, on this one scan. If a map is right, the log-odds fall when the blocks on top are replaced (comprehensiveness), and hardly when they alone are kept (sufficiency). Both are averaged over the top 1, 5, 10, 20 and 50 %% of the blocks and compared with %d random orders of the same blocks. A table shows a map in grey where its interval does not exclude random; the viewer does so if the map fails one of the two tests under both replacements.", v.Replacements[0].Orders))}
	for _, r := range v.Replacements {
		for _, test := range []struct {
			name string
			gain func(f *explain.Faithfulness) *explain.Gain
		}{
			{"comprehensiveness", func(f *explain.Faithfulness) *explain.Gain { return &f.Comprehensiveness }},
			{"sufficiency", func(f *explain.Faithfulness) *explain.Gain { return &f.Sufficiency }},
		} {
			t := report.Verdicts{Caption: fmt.Sprintf("%s, blocks replaced by %s", test.name, r.Replacement), Measure: "gain over random orders", Unit: "nats",
				Notes: []string{"Mean over the random orders, and the middle 95 % of them: whether a random order could have done as well. 0 is a random order."}}
			for i := range r.Methods {
				f := &r.Methods[i]
				g := test.gain(f)
				row := report.Verdict{Method: f.Name, Estimate: g.Gain.Estimate, Low: g.Gain.Low, High: g.Gain.High}
				if !g.Beats {
					row.Sentence = fmt.Sprintf("not faithful here: by this test no better than a random order of the blocks (%.3g against %.3g)", g.AOPC, g.Random)
				}
				t.Rows = append(t.Rows, row)
			}
			blocks = append(blocks, t)
		}
		c := report.Curves{
			Name: "deletion-" + strings.ReplaceAll(r.Replacement, " ", "-"), Alt: "Log-odds against the share of blocks replaced, one line for each method and one for random orders",
			Caption: "Log-odds when the blocks that a map puts on top are replaced by " + r.Replacement + ". The lower, the better; random orders are the floor.",
			XLabel:  "share of the blocks replaced", YLabel: "log-odds (nats)",
			Series: []report.Curve{{Name: "random orders", X: r.Shares, Y: r.RandomDeletion}},
		}
		for i := range r.Methods {
			c.Series = append(c.Series, report.Curve{Name: r.Methods[i].Name, X: r.Shares, Y: r.Methods[i].Deletion})
		}
		blocks = append(blocks, c)
	}
	t := report.Table{
		Caption: "Checks of sanity",
		Columns: []report.Column{{Name: "method"}, {Name: "wrong sign", Numeric: true}, {Name: "random parameters"}, {Name: "other class", Numeric: true}, {Name: "other seeds", Numeric: true}},
		Notes: []string{
			"Wrong sign: of the tenth of the blocks that are largest in size, the share whose sign disagrees with the effect of replacing them by " + v.Replacements[0].Replacement + ". Occlusion is that effect.",
			"Random parameters: rank correlation of the map in size with that of the same model with all parameters shuffled (Adebayo et al. 2018): pass up to 0.2, fail above 0.5. To pass is necessary and not sufficient.",
			"Other class: rank correlation with the map for the other class; -1 for an exact account of the log-odds, and 1, class-agnostic, for a map that cannot say what speaks for a class.",
			"Other seeds: mean rank correlation between the maps of the members of an ensemble; there is one only if heed ct train was given --ensemble.",
		},
	}
	for i, f := range v.Replacements[0].Methods {
		t.Rows = append(t.Rows, report.TableRow{Cells: v.sanity(i, f.Name)})
	}
	return append(blocks, t)
}
