package report

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"heed/plot"
)

type drawing interface {
	Figure() (*plot.Figure, error)
}

func svg(t *testing.T, d drawing) []byte {
	t.Helper()
	f, err := d.Figure()
	if err != nil {
		t.Fatal(err)
	}
	return f.SVG()
}

// attentionOf makes up attention: a diagonal, and on one head a column.
func attentionOf(n, layers, heads int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := make([]float32, 0, layers*heads*n*n)
	for k := range layers * heads {
		for q := range n {
			row := make([]float64, n)
			sum := 0.0
			for j := range n {
				d := float64(q - j - 3*(k-heads/2))
				row[j] = math.Exp(-d*d/float64(4+8*k)) + 0.05*rng.Float64()
				if k%3 == 1 && (j == n/4 || j == n/4+1) {
					row[j] += 2
				}
				sum += row[j]
			}
			for _, v := range row {
				w = append(w, float32(v/sum))
			}
		}
	}
	return w
}

// full is a report with every block, in the shape of a quickstart.
func full(t *testing.T) *Report {
	nan := math.NaN()
	rng := rand.New(rand.NewPCG(3, 5))
	const sequence = "TACTAGCAATACGCTTGCGTTCGGTGGTTAAGTATGTATAATGCGCGGGCTTGTCGT"
	var x, fpr, tpr, effect, low, high, heights []float64
	var positions []int
	tokens, coordinates := []string{"[CLS]"}, []int{0}
	for i := range len(sequence) {
		p := plot.Position(i, 50)
		positions = append(positions, p)
		tokens, coordinates = append(tokens, sequence[i:i+1]), append(coordinates, p)
		x = append(x, float64(p))
		e := 0.9*math.Exp(-math.Pow(float64(p+35)/3, 2)) + 1.3*math.Exp(-math.Pow(float64(p+11)/3, 2)) + 0.1*rng.Float64()
		effect, low, high = append(effect, e), append(low, e*0.6), append(high, e*1.3)
		heights = append(heights, e-0.2)
	}
	for i := range 41 {
		v := float64(i) / 40
		fpr, tpr = append(fpr, v), append(tpr, math.Pow(v, 0.12))
	}
	var steps, loss, mcc []float64
	for i := range 30 {
		steps = append(steps, float64(50*i))
		loss = append(loss, 0.69*math.Exp(-float64(i)/8)+0.04)
		mcc = append(mcc, 0.92*(1-math.Exp(-float64(i)/6)))
	}
	motifs := []plot.Mark{{From: -36, To: -31, Name: "−35 box"}, {From: -14, To: -8, Name: "−10 box"}}
	letters, err := plot.SequenceHeights(sequence, "ACGT", heights)
	if err != nil {
		t.Fatal(err)
	}
	logo := func(name string) Option {
		return Option{Name: name, Figure: Figure{
			Name: "logo-" + name, Alt: "Sequence logo of " + name + " with tall letters at −35 and −10",
			Caption: "Height: drop of the log-odds when the base is replaced, mean over the three others.",
			SVG:     svg(t, plot.Logo{Title: name, Letters: "ACGT", Heights: letters, Positions: positions, Marks: motifs, YLabel: "drop of log-odds"}),
		}}
	}
	var errors []plot.Bar
	for _, b := range []struct {
		name   string
		value  float64
		origin plot.Origin
	}{{"Heed transformer", 4, plot.Ours}, {"KBANN", 4, plot.Published}, {"Back-propagation", 8, plot.Published}, {"O'Neill", 12, plot.Published},
		{"3-nearest-neighbours", 13, plot.Published}, {"ID3", 19, plot.Published}, {"1-4-mer logistic", 17, plot.Floor}, {"GC content", 33, plot.Floor}} {
		errors = append(errors, plot.Bar{Name: b.name, Value: b.value, Low: nan, High: nan, Origin: b.origin})
	}
	errors[0].Low, errors[0].High = 1.6, 9.9
	pixels, err := plot.HeatmapPNG(attentionOf(58, 1, 1, 9), 58, 58, 0, 0.3, plot.Viridis())
	if err != nil {
		t.Fatal(err)
	}
	return &Report{
		Title: "Promoters of E. coli, read by a transformer",
		Lead:  "A two-layer transformer was trained on 106 sequences of 57 bases and tested on each sequence by a model that had not seen it. It made 4 errors of 106 (95 % interval 1.5 to 9.3 %); counting G and C alone makes 33.",
		Sections: []Section{
			{"Results", []Block{
				Tiles{{"4 of 106", "errors, leave-one-out", "95 % interval 1.5 to 9.3 %"}, {"0.93", "Matthews correlation", "0.85 to 0.98"}, {"0.981", "AUROC", "0.953 to 0.998"}, {"17", "errors of the best floor", "1-4-mer logistic"}},
				Table{Caption: "Errors of 106 sequences, fewest first", Columns: []Column{{"Method", false}, {"Errors", true}, {"Sn", true}, {"Sp", true}, {"MCC (95 % interval)", true}, {"Source", false}},
					Rows: []TableRow{
						{Cells: []string{"Heed transformer", "4", "0.962", "0.962", "0.925 (0.846–0.981)", "this run"}, Highlight: true},
						{Cells: []string{"KBANN", "4", "", "", "", "Towell 1990"}},
						{Cells: []string{"1-4-mer logistic", "17", "0.83", "0.85", "0.68 (0.54–0.81)", "this run"}},
						{Cells: []string{"GC content", "33", "0.70", "0.68", "0.38 (0.20–0.55)", "this run"}}},
					Notes: []string{"Sn sensitivity, Sp specificity. Published numbers come without intervals."}},
				Figure{Name: "errors", Alt: "Bars of errors by method; the transformer and KBANN have 4", Caption: "Errors beside floors and published results.", SVG: svg(t, plot.Bars{XLabel: "errors of 106", Rows: errors}), Data: []byte("method\terrors\nHeed\t4\n")},
				Row{
					{Name: "roc", Alt: "ROC curve close to the upper left corner", Caption: "All folds pooled.", SVG: svg(t, plot.ROC{Title: "ROC", Curves: []plot.ROCCurve{{Name: "transformer", FPR: fpr, TPR: tpr, AUROC: 0.981, Low: 0.953, High: 0.998}}})},
					{Name: "confusion", Alt: "Confusion matrix: 51 of 53 right in each class", Caption: "At the threshold chosen on validation data.", SVG: svg(t, plot.Confusion{Title: "Confusion", Classes: []string{"no promoter", "promoter"}, Counts: [][]int{{51, 2}, {2, 51}}})},
				}}},
			{"Training", []Block{
				Text("The curves are those of the final model.\n\nIt was trained on all sequences, after the test above."),
				Figure{Name: "training", Alt: "Loss falls from 0.7 to 0.05 while MCC rises to 0.92", Caption: "Mean loss in nats, and validation MCC.", SVG: svg(t, plot.Training{Loss: []plot.Series{{Name: "training", X: steps, Y: loss}}, Metric: []plot.Series{{Name: "MCC", X: steps, Y: mcc}}, MetricName: "MCC", BestStep: 1000})}}},
			{"What the model reads", []Block{
				Figure{Name: "track", Alt: "Effect of mutations peaks at −35 and −10", Caption: "Mean over 53 promoters.", SVG: svg(t, plot.Track{X: x, YLabel: "drop of log-odds", Lines: []plot.TrackLine{{Name: "mean, 95 % interval", Y: effect, Low: low, High: high}}, Marks: motifs})},
				Choice{"Sequence", []Option{logo("PRNAB_P1"), logo("LEU1_TRNA")}}}},
			{"Attention", []Block{
				HeatmapSet{Caption: "Rows are queries, columns are keys.", Layers: 2, Heads: 4, Maps: []AttentionMap{
					{Name: "PRNAB_P1", Tokens: tokens, Positions: coordinates, Weights: attentionOf(58, 2, 4, 1)},
					{Name: "LEU1_TRNA", Tokens: tokens, Positions: coordinates, Weights: attentionOf(58, 2, 4, 2)}}},
				Figure{Name: "pixels", Alt: "A diagonal band", Caption: "A matrix as pixels.", PNG: pixels},
				Notice{Text: AttentionCaveat, Warning: true},
				Notice{Text: "The maps show one sequence."}}},
			{"Methods compared", []Block{
				Verdicts{Caption: "Does removing what a method marks change the output?", Measure: "comprehensiveness at 20 %", Unit: "nats", Random: 0.31,
					Rows: []Verdict{
						{Method: "occlusion", Estimate: 1.42, Low: 1.2, High: 1.63},
						{Method: "integrated gradients", Estimate: 0.88, Low: 0.61, High: 1.1},
						{Method: "attention rollout", Estimate: 0.36, Low: 0.12, High: 0.6, Sentence: "not faithful here: removing what it marks changes the output no more than removing letters at random."}},
					Notes: []string{"Mean over 53 promoters with 95 % intervals of the bootstrap. Higher is better."}},
				Matrix{Caption: "Rank correlation between methods", Digits: 2, Full: 1,
					Rows: []string{"occlusion", "integrated gradients", "attention rollout"}, Cols: []string{"occlusion", "integrated gradients", "attention rollout"},
					Values: []float64{1, 0.71, -0.12, 0.71, 1, 0.05, -0.12, 0.05, nan}, Notes: []string{"Spearman, mean over 53 promoters."}},
				lossCurves(), Examples{Label: "Sequence", Pages: []Example{example("PRNAB_P1", 1), example("LEU1_TRNA", 2), example("a name with <markup> & spaces", 3)}}}},
			{"A long map", []Block{longMap(300)}},
			{"A scan", []Block{phantom()}},
			{"A patient", []Block{alert()}},
			{"Provenance", []Block{Provenance{{"Version", "heed 0.1.0"}, {"Seed", "1"}, {"Data", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}, {"Kernel", "avx512"}, {"Command", "heed quickstart --seed 1"}}}},
		},
		Footer: "Written by heed 0.1.0.",
	}
}

// lossCurves has two lines with points of their own, a band and a gap.
func lossCurves() Curves {
	rng := rand.New(rand.NewPCG(7, 7))
	c := Curves{Name: "loss", Alt: "Both losses fall; the validation loss stays above", Caption: "Loss by step.", XLabel: "step", YLabel: "loss (nats)", Marks: []Mark{{X: 1200, Name: "kept"}},
		Series: []Curve{{Name: "training"}, {Name: "validation, 95 % interval"}}}
	a, b := &c.Series[0], &c.Series[1]
	for i := range 2000 {
		a.X, a.Y = append(a.X, float64(i)), append(a.Y, 0.69*math.Exp(-float64(i)/500)+0.03+0.02*rng.Float64())
	}
	a.Y[700] = math.NaN()
	for i := 0; i < 2000; i += 50 {
		y := 0.6*math.Exp(-float64(i)/450) + 0.09 + 0.01*rng.Float64()
		b.X, b.Y = append(b.X, float64(i)+0.5), append(b.Y, y)
		b.Low, b.High = append(b.Low, y*0.8), append(b.High, y*1.25)
	}
	return c
}

// example has the tracks of a sequence, one of them not faithful.
func example(name string, seed uint64) Example {
	const sequence = "TACTAGCAATACGCTTGCGTTCGGTGGTTAAGTATGTATAATGCGCGGGCTTGTCGT"
	rng := rand.New(rand.NewPCG(seed, 2))
	t := Tracks{Name: "tracks", Alt: "Occlusion and gradients peak at the −35 and the −10 box", Caption: "Effect on the log-odds of the class.", XLabel: "position from the start of transcription",
		Labels: strings.Split(sequence, ""), Spans: []Span{{-36, -31, "−35 box"}, {-14, -8, "−10 box"}},
		Rows: []Track{{Name: "occlusion", Unit: "nats"}, {Name: "integrated gradients", Line: true}, {Name: "attention rollout", Unfaithful: "not faithful here: removing what it marks changes the output no more than removing letters at random."}}}
	for i := range len(sequence) {
		p := plot.Position(i, 50)
		t.Positions = append(t.Positions, p)
		e := 0.9*math.Exp(-math.Pow(float64(p+33)/3, 2)) + 1.3*math.Exp(-math.Pow(float64(p+11)/3, 2)) + 0.5*(rng.Float64()-0.5)
		t.Rows[0].Values = append(t.Rows[0].Values, e)
		t.Rows[1].Values = append(t.Rows[1].Values, e/20+0.01*rng.NormFloat64())
		t.Rows[2].Values = append(t.Rows[2].Values, rng.Float64()/30)
	}
	return Example{Name: name, Blocks: []Block{Text("What three methods say about " + name + "."), t}}
}

// alert is a drug on day 1 and a laboratory value on day 512 that belong
// together, among 60 other events.
func alert() Timeline {
	t := Timeline{Name: "patient", Alt: "Warfarin on day 1 and an INR of 5.2 on day 512 carry the alert", Caption: "One patient.", Lanes: []string{"drugs", "laboratory", "visits"}, Threshold: 0.6,
		Scores: []TimelineScore{{0, 0.02, false}, {1, 0.08, false}, {300, 0.11, false}, {512, 0.93, true}}}
	rng := rand.New(rand.NewPCG(3, 3))
	t.Events = append(t.Events, TimelineEvent{Day: 1, Code: "warfarin", Text: "5 mg", Weight: 1.9})
	for i := range 60 {
		l := rng.IntN(3)
		t.Events = append(t.Events, TimelineEvent{Day: 2 + 8.4*float64(i), Lane: l, Code: []string{"metformin", "sodium", "visit"}[l], Weight: 0.04 * float64(i%3-1)})
	}
	t.Events = append(t.Events, TimelineEvent{Day: 512, Lane: 1, Code: "INR", Text: "5.2", Weight: 2.3}, TimelineEvent{Day: 530, Lane: 2, Code: "visit"})
	t.Links = []TimelineLink{{0, 61, "511 days"}}
	return t
}

// phantom is two lungs in a chest with a nodule in the patient's left one, a map
// that finds it, one that is not faithful, and a head that attends across.
func phantom() Volume {
	v := Volume{Name: "phantom", Alt: "Two dark lungs in a bright chest, a nodule in the patient's left lung, and a map that marks it", Caption: "A phantom.", Unit: "HU", Shape: [3]int{60, 44, 40},
		Affine: [3][4]float64{{5, 0, 0, -147.5}, {0, 5, 0, -107.5}, {0, 0, 6, -117}}, Start: [3]int{16, 20, 24},
		Windows: []VolumeWindow{{"lung", -1350, 150}, {"mediastinum", -160, 240}}}
	for k := range 40 {
		for j := range 44 {
			for i := range 60 {
				x, y, z := 5*float64(i)-147.5, 5*float64(j)-107.5, 6*float64(k)-117
				hu := float32(-1000)
				if x*x/140/140+y*y/100/100 < 1 {
					hu = 40
				}
				for _, c := range []float64{-65, 65} {
					if (x-c)*(x-c)/45/45+y*y/70/70+z*z/105/105 < 1 {
						hu = -850
					}
				}
				if (x+65)*(x+65)+(y+5)*(y+5)+(z-27)*(z-27) < 15*15 {
					hu = 60
				}
				v.Values = append(v.Values, hu)
			}
		}
	}
	shape := [3]int{6, 5, 4}
	found := Overlay{Name: "occlusion", Unit: "logit", Shape: shape, Signed: true, Values: make([]float32, 120)}
	wrong := Overlay{Name: "rollout", Shape: shape, Values: make([]float32, 120), Unfaithful: "not faithful here: removing what it marks changes the output no more than removing cells at random."}
	head := VolumeAttention{Name: "layer 1, head 1", Shape: shape, Weights: make([]float32, 120*120)}
	for c := range 120 {
		i, j, k := c%6, c/6%5, c/30
		found.Values[c] = float32(1.8*math.Exp(-float64((i-1)*(i-1)+(j-2)*(j-2)+(k-2)*(k-2)))) - 0.02*float32(i)
		wrong.Values[c] = float32(i+j+k) / 12
		for d := range 120 {
			head.Weights[c*120+d] = 0.1 / 119
		}
		head.Weights[c*120+(k*5+j)*6+5-i] += 0.9 - 0.1/119
	}
	v.Overlays, v.Attention = []Overlay{found, wrong}, []VolumeAttention{head}
	return v
}

// longMap has 4 heads of n tokens, one signed map's worth of facts, and marks
// one head.
func longMap(n int) HeatmapSet {
	m := AttentionMap{Name: "long", Tokens: strings.Split(strings.Repeat("A", n), ""), Full: []bool{false, true, false, false}, Facts: make([]string, 4),
		Head: func(layer, head int) []float32 { return attentionOf(n, 2, 2, 6)[(2*layer+head)*n*n:][:n*n] }}
	for k := range m.Facts {
		m.Facts[k] = "entropy 4.1 bits, mean distance 21 bp, strongest offset −3"
	}
	return HeatmapSet{Name: "long", Caption: "A sequence longer than the small maps.", Layers: 2, Heads: 2, Maps: []AttentionMap{m}}
}
