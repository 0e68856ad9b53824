package plot

import (
	"bytes"
	"encoding/xml"
	"flag"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var out = flag.String("out", "", "write the figures of the tests to this folder, to look at them")

type drawing interface{ Figure() (*Figure, error) }

type sample struct {
	name   string
	figure drawing
}

var nan = math.NaN()

// samples returns one or two figures of each kind from made-up numbers.
func samples() []sample {
	rng := rand.New(rand.NewPCG(3, 5))
	wave := func(n int, f func(x float64) float64) (x, y []float64) {
		for i := range n {
			v := float64(i) / float64(n-1)
			x, y = append(x, v), append(y, f(v))
		}
		return x, y
	}
	steps := func(f func(x float64) float64) Series {
		x, y := wave(41, f)
		for i := range x {
			x[i] *= 2000
		}
		return Series{X: x, Y: y}
	}
	train := steps(func(x float64) float64 { return 0.69*math.Exp(-4*x) + 0.05 + 0.02*rng.Float64() })
	train.Name = "training"
	valid := steps(func(x float64) float64 { return 0.55*math.Exp(-5*x) + 0.2 + 0.05*x })
	valid.Name = "validation"
	mcc := steps(func(x float64) float64 { return 0.85 * (1 - math.Exp(-5*x)) })
	mcc.Name = "validation MCC"

	fpr, tpr := wave(60, func(x float64) float64 { return math.Pow(x, 0.12) })
	_, tpr2 := wave(60, func(x float64) float64 { return math.Pow(x, 0.5) })
	band := &Band{X: fpr}
	for _, y := range tpr {
		band.Low, band.High = append(band.Low, max(0, y-0.08*(1-y)-0.03)), append(band.High, min(1, y+0.04))
	}
	recall, precision := wave(40, func(x float64) float64 { return 1 - 0.4*x*x*x })

	var bins []ReliabilityBin
	for k := range 10 {
		m := (float64(k) + 0.5) / 10
		n := 5 + (k-5)*(k-5)*4
		f := min(1, max(0, m+0.08*math.Sin(6*m)))
		bins = append(bins, ReliabilityBin{Low: float64(k) / 10, High: float64(k+1) / 10, N: n, MeanScore: m,
			Fraction: f, FracLow: max(0, f-0.5/math.Sqrt(float64(n))), FracHigh: min(1, f+0.5/math.Sqrt(float64(n)))})
	}

	var x, effect, low, high, gc []float64
	var positions []int
	sequence := "TACTAGCAATACGCTTGCGTTCGGTGGTTAAGTATGTATAATGCGCGGGCTTGTCGT"
	var heights []float64
	for i := range 57 {
		p := Position(i, 50)
		positions = append(positions, p)
		x = append(x, float64(p))
		e := 0.9*math.Exp(-math.Pow(float64(p+35)/3, 2)) + 1.3*math.Exp(-math.Pow(float64(p+11)/3, 2)) + 0.1*rng.Float64()
		effect, low, high = append(effect, e), append(low, e*0.6), append(high, e*1.3)
		gc = append(gc, 0.2+0.05*math.Sin(float64(i)))
		heights = append(heights, e-0.25+0.3*rng.NormFloat64()*e)
	}
	h, err := SequenceHeights(sequence, "ACGT", heights)
	if err != nil {
		panic(err)
	}
	var stack [][]float64
	for range 14 {
		stack = append(stack, []float64{rng.Float64(), rng.Float64() * 0.4, -rng.Float64() * 0.3, rng.Float64() * 0.6})
	}
	var long [][]float64
	var longPositions []int
	for i := range 251 {
		row := make([]float64, 4)
		row[rng.IntN(4)] = rng.ExpFloat64() * 0.4
		long = append(long, row)
		longPositions = append(longPositions, Position(i, 200))
	}
	motifs := []Mark{{-36, -31, "−35 box TTGACA"}, {-14, -8, "−10 box TATAAT"}, {1, 1, "TSS"}}

	var negative, positive []float64
	for range 400 {
		negative = append(negative, 1/(1+math.Exp(-rng.NormFloat64()+1.5)))
		positive = append(positive, 1/(1+math.Exp(-rng.NormFloat64()-1.5)))
	}

	return []sample{
		{"training", Training{Title: "Training of the final model", Loss: []Series{train, valid}, Metric: []Series{mcc}, MetricName: "MCC", BestStep: 1250}},
		{"loss", Training{Loss: []Series{train}, BestStep: nan}},
		{"roc", ROC{Title: "ROC, pooled folds", Curves: []ROCCurve{
			{Name: "transformer", FPR: fpr, TPR: tpr, AUROC: 0.953, Low: 0.914, High: 0.985, Band: band},
			{Name: "k-mer logistic", FPR: fpr, TPR: tpr2, AUROC: 0.67, Low: nan, High: nan}}}},
		{"pr", PR{Title: "Precision and recall", Prevalence: 0.22, Curves: []PRCurve{{Name: "transformer", Recall: recall[1:], Precision: precision[1:], AUPRC: 0.9, Low: 0.85, High: 0.94}}}},
		{"reliability", Reliability{Title: "Calibration", Bins: bins, ECE: 0.041, Brier: 0.083}},
		{"confusion2", Confusion{Title: "Confusion at 0.5", Classes: []string{"no promoter", "promoter"}, Counts: [][]int{{50, 3}, {2, 51}}}},
		{"confusion3", Confusion{Title: "Splice sites", Classes: []string{"EI", "IE", "neither"}, Counts: [][]int{{271, 3, 6}, {2, 270, 8}, {7, 5, 614}}}},
		{"confusion12", Confusion{Title: "Twelve classes", Classes: strings.Split("a bb ccc dddd e f g h i j k a-very-long-class-name-indeed", " "), Counts: diagonal(12)}},
		{"bars", Bars{Title: "Errors of 106 (fewer is better)", XLabel: "errors in leave-one-out", Rows: []Bar{
			{Name: "this model, transformer", Value: 4, Low: 1, High: 8, Origin: Ours},
			{Name: "KBANN (Towell 1990)", Value: 4, Low: nan, High: nan, Origin: Published},
			{Name: "back-propagation", Value: 8, Low: nan, High: nan, Origin: Published},
			{Name: "3-nearest-neighbours", Value: 13, Low: nan, High: nan, Origin: Published},
			{Name: "1-4-mer logistic regression", Value: 17, Low: 11, High: 24, Origin: Floor},
			{Name: "GC content", Value: 33, Low: 24, High: 42, Origin: Floor}}}},
		{"mcc-bars", Bars{Title: "Matthews correlation, test split", XLabel: "MCC", XMax: 1, Rows: []Bar{
			{Name: "majority class", Value: 0, Low: nan, High: nan, Origin: Floor},
			{Name: "permuted labels", Value: -0.021, Low: -0.09, High: 0.05, Origin: Floor},
			{Name: "a name that is much too long to be printed in full beside its bar", Value: 0.862, Low: 0.83, High: 0.89, Origin: Ours}}}},
		{"track", Track{Title: "Mean effect of mutations", X: x, YLabel: "drop of log-odds",
			Lines: []TrackLine{{Name: "mean over 53 promoters, 95 % interval", Y: effect, Low: low, High: high}, {Name: "shuffled control", Y: gc}}, Marks: motifs}},
		{"track-crowded", Track{X: x, YLabel: "effect", Lines: []TrackLine{{Name: "mean", Y: gc}},
			Marks: []Mark{{-36, -31, "first motif with a long name"}, {-29, -24, "second motif with a long name"}, {-22, -20, "third"}, {5, 7, "at the right edge of the panel"}, {-50, -49, "at the left edge of the panel"}, {90, 95, "outside"}}}},
		{"lines", Lines{Title: "One head and the law", XLabel: "values m of a token", YLabel: "R²", YMin: 0, YMax: 1, Lines: []Line{
			{Name: "one head", X: []float64{1, 2, 4, 8}, Y: []float64{0.99, 0.75, 0.62, 0.56}, Low: []float64{0.98, 0.7, 0.6, 0.5}, High: []float64{1, 0.8, 0.7, 0.6}},
			{Name: "(m+1)/(2m)", X: []float64{1, 2, 4, 8}, Y: []float64{1, 0.75, 0.625, 0.5625}, Theory: true}}}},
		{"lines-log", Lines{XLabel: "tokens", YLabel: "seconds", LogX: true, LogY: true, Lines: []Line{
			{Name: "full", X: []float64{64, 512, 4096}, Y: []float64{1e-5, 1e-3, 0.07}}, {Name: "linear", X: []float64{64, 512}, Y: []float64{2e-5, 2e-4}}}}},
		{"histogram", Histogram{Title: "Scores of the test split", XLabel: "predicted probability", Samples: []Sample{{"no promoter", negative}, {"promoter", positive}}}},
		{"logo", Logo{Title: "Mutagenesis of PRNAB_P1", Letters: "ACGT", Heights: h, Positions: positions, Marks: motifs, YLabel: "drop of log-odds"}},
		{"logo-stack", Logo{Title: "Letter stacks", Letters: "ACGT", Heights: stack, YLabel: "bits"}},
		{"logo-long", Logo{Title: "251 bases", Letters: "ACGT", Heights: long, Positions: longPositions, Marks: []Mark{{-33, -26, ""}}, YLabel: "effect"}},
	}
}

func diagonal(n int) [][]int {
	m := make([][]int, n)
	for i := range m {
		m[i] = make([]int, n)
		for j := range m[i] {
			m[i][j] = (i*7 + j*3) % 5
		}
		m[i][i] = 40 + i
	}
	return m
}

// TestFigures renders every figure twice, checks that the bytes agree, that the
// SVG is well-formed and obeys a strict policy, and that the PNG decodes to the
// size asked for.
func TestFigures(t *testing.T) {
	again := samples()
	for i, s := range samples() {
		f, err := s.figure.Figure()
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		svg := f.SVG()
		g, err := again[i].figure.Figure()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(svg, f.SVG()) || !bytes.Equal(svg, g.SVG()) {
			t.Errorf("%s: two renderings differ", s.name)
		}
		checkSVG(t, s.name, svg)
		var a, b bytes.Buffer
		if err := f.WritePNG(&a, 96); err != nil {
			t.Fatal(err)
		}
		if err := g.WritePNG(&b, 96); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: two PNG renderings differ", s.name)
		}
		if *out != "" {
			write(t, s.name+".svg", svg)
			write(t, s.name+".png", a.Bytes())
		}
		img, err := png.Decode(&a)
		if err != nil {
			t.Fatal(err)
		}
		w, h := f.Size()
		if d := img.Bounds(); math.Abs(float64(d.Dx())-w*96/72) > 1 || math.Abs(float64(d.Dy())-h*96/72) > 1 {
			t.Errorf("%s: PNG of %v for a figure of %.0f x %.0f points", s.name, d, w, h)
		}
	}
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(*out, name), b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkSVG reads an SVG to its end and refuses what a strict page would.
func checkSVG(t *testing.T, name string, svg []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("%s: not well-formed: %v", name, err)
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		switch e.Name.Local {
		case "svg", "g", "path", "text":
		default:
			t.Errorf("%s: element %s", name, e.Name.Local)
		}
		for _, a := range e.Attr {
			switch a.Name.Local {
			case "style", "href", "class", "id":
				t.Errorf("%s: attribute %s of %s", name, a.Name.Local, e.Name.Local)
			}
			if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
				t.Errorf("%s: %s=%q", name, a.Name.Local, a.Value)
			}
		}
	}
}

// TestHostileText puts markup and control characters wherever text goes.
func TestHostileText(t *testing.T) {
	const evil = "</text><script>alert(1)</script>\"'&\x00\x1b\xff style=\"x\""
	one := []float64{0, 1}
	for _, f := range []drawing{
		Training{Title: evil, Loss: []Series{{evil, one, one}}, Metric: []Series{{evil, one, one}}, MetricName: evil, BestStep: 1},
		ROC{Title: evil, Curves: []ROCCurve{{Name: evil, FPR: one, TPR: one}}},
		PR{Title: evil, Curves: []PRCurve{{Name: evil, Recall: one, Precision: one}}},
		Reliability{Title: evil, Bins: []ReliabilityBin{{Low: 0, High: 1, N: 1}}},
		Confusion{Title: evil, Classes: []string{evil, evil}, Counts: [][]int{{0, 0}, {1, 2}}},
		Bars{Title: evil, XLabel: evil, Rows: []Bar{{Name: evil, Text: evil}}},
		Track{Title: evil, X: one, XLabel: evil, YLabel: evil, Lines: []TrackLine{{Name: evil, Y: one}}, Marks: []Mark{{0, 1, evil}}},
		Histogram{Title: evil, XLabel: evil, Samples: []Sample{{evil, one}}},
		Logo{Title: evil, Letters: "A", Heights: [][]float64{{1}}, YLabel: evil},
	} {
		fig, err := f.Figure()
		if err != nil {
			t.Fatalf("%T: %v", f, err)
		}
		svg := fig.SVG()
		checkSVG(t, strings.TrimPrefix(strings.Split(strings.TrimPrefix(string(svg), "<"), " ")[0], "<"), svg)
		if bytes.Contains(svg, []byte("<script")) {
			t.Errorf("%T: markup in a name came through", f)
		}
	}
}

func TestErrors(t *testing.T) {
	one := []float64{0, 1}
	bad := []float64{0, nan}
	for _, c := range []struct {
		figure drawing
		want   string
	}{
		{Training{}, "plot: training curves without a loss"},
		{Training{Loss: []Series{{"loss", one, []float64{1}}}}, `plot: training curves: "loss" has 2 x and 1 y values`},
		{Training{Loss: []Series{{"loss", one, bad}}}, `plot: training curves: value 1 of "loss" is NaN`},
		{Training{Loss: []Series{{"loss", nil, nil}}}, `plot: training curves: "loss" has no points`},
		{ROC{}, "plot: ROC without a curve"},
		{ROC{Curves: []ROCCurve{{Name: "m", FPR: one, TPR: bad}}}, `plot: ROC: value 1 of "m" is NaN`},
		{ROC{Curves: []ROCCurve{{Name: "m", FPR: one, TPR: one, Band: &Band{X: one}}}}, "plot: ROC: a band of 2 x, 0 low and 0 high values"},
		{PR{}, "plot: precision-recall without a curve"},
		{PR{Prevalence: nan, Curves: []PRCurve{{}}}, "plot: precision-recall: prevalence NaN is not in [0, 1]"},
		{PR{Curves: []PRCurve{{Name: "m"}}}, `plot: precision-recall: "m" has no points`},
		{Reliability{}, "plot: reliability without examples"},
		{Reliability{Bins: []ReliabilityBin{{N: -1}}}, "plot: reliability: bin 0 has -1 examples"},
		{Confusion{}, "plot: confusion matrix of 0 classes, not 1 to 30"},
		{Confusion{Classes: []string{"a"}}, "plot: confusion matrix has 0 rows for 1 classes"},
		{Confusion{Classes: []string{"a"}, Counts: [][]int{{1, 2}}}, "plot: row 0 of the confusion matrix has 2 columns for 1 classes"},
		{Confusion{Classes: []string{"a"}, Counts: [][]int{{-1}}}, "plot: row 0 of the confusion matrix has a count of -1"},
		{Lines{}, "plot: lines without a line"},
		{Lines{Lines: []Line{{Name: "m", X: one, Y: bad}}}, `plot: lines: value 1 of "m" is NaN`},
		{Lines{Lines: []Line{{Name: "m", X: one, Y: one, Low: one}}}, `plot: lines: "m" has one end of an interval`},
		{Lines{LogX: true, Lines: []Line{{Name: "m", X: one, Y: one}}}, `plot: lines: 0 of "m" on a logarithmic axis`},
		{Bars{}, "plot: bars without a row"},
		{Bars{Rows: []Bar{{Name: "b", Value: nan}}}, `plot: bars: value 0 of "b" is NaN`},
		{Bars{Rows: []Bar{{Name: "b", High: math.Inf(1)}}}, `plot: bars: the interval of "b" is infinite`},
		{Track{}, "plot: track of 0 positions and 0 lines"},
		{Track{X: []float64{1, 1}, Lines: []TrackLine{{Y: one}}}, "plot: track: position 1 follows 1"},
		{Track{X: one, Lines: []TrackLine{{Name: "l", Y: one, Low: one}}}, "plot: track: a band of 2 x, 2 low and 0 high values"},
		{Track{X: one, Lines: []TrackLine{{Name: "l", Y: one}}, Marks: []Mark{{2, 1, "m"}}}, `plot: track: mark "m" runs from 2 to 1`},
		{Histogram{}, "plot: histogram without values"},
		{Histogram{Bins: -1}, "plot: histogram of -1 bins"},
		{Logo{}, "plot: logo of no positions"},
		{Logo{Letters: "A", Heights: [][]float64{{1, 2}}}, "plot: logo: position 0 has 2 heights for 1 letters"},
		{Logo{Letters: "A", Heights: [][]float64{{nan}}}, `plot: logo: value 0 of "position 0" is NaN`},
		{Logo{Letters: "*", Heights: [][]float64{{1}}}, `plot: logo: '*' is not a letter`},
		{Logo{Letters: "A", Heights: [][]float64{{1}}, Positions: []int{1, 2}}, "plot: logo has 1 positions but 2 labels"},
	} {
		_, err := c.figure.Figure()
		if err == nil || err.Error() != c.want {
			t.Errorf("%T: got %v, want %q", c.figure, err, c.want)
		}
	}
	if _, err := SequenceHeights("AC", "ACGT", []float64{1}); err == nil || err.Error() != "plot: logo: 2 letters but 1 heights" {
		t.Errorf("SequenceHeights: %v", err)
	}
}

// TestOnePoint draws the smallest inputs, whose ranges are empty.
func TestOnePoint(t *testing.T) {
	zero := []float64{0}
	for _, f := range []drawing{
		Training{Loss: []Series{{"loss", zero, zero}}, BestStep: nan},
		Track{X: zero, Lines: []TrackLine{{Name: "l", Y: zero}}, Marks: []Mark{{0, 0, "m"}}},
		Histogram{Samples: []Sample{{"s", zero}}},
		Bars{Rows: []Bar{{Name: "b", Low: nan, High: nan}}},
		Logo{Letters: "ACGT", Heights: [][]float64{{0, 0, 0, 0}}},
		Confusion{Classes: []string{"a"}, Counts: [][]int{{0}}},
	} {
		fig, err := f.Figure()
		if err != nil {
			t.Fatalf("%T: %v", f, err)
		}
		checkSVG(t, "one point", fig.SVG())
	}
}

func TestPosition(t *testing.T) {
	for _, c := range []struct{ index, tss, want int }{{50, 50, 1}, {49, 50, -1}, {0, 50, -50}, {56, 50, 7}} {
		if got := Position(c.index, c.tss); got != c.want {
			t.Errorf("Position(%d, %d) = %d, want %d", c.index, c.tss, got, c.want)
		}
	}
}

// TestIntervalsLeftOut takes fields that were not set for no interval.
func TestIntervalsLeftOut(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{{0, 0, "0.900"}, {nan, nan, "0.900"}, {0, 0.95, "0.900 (0.000–0.950)"}, {0.9, 0.9, "0.900 (0.900–0.900)"}} {
		if got := withInterval(0.9, c.low, c.high); got != c.want {
			t.Errorf("withInterval(0.9, %v, %v) = %s, want %s", c.low, c.high, got, c.want)
		}
		f, err := Bars{Rows: []Bar{{Name: "b", Value: 0.9, Low: c.low, High: c.high}}}.Figure()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := bytes.Contains(f.SVG(), []byte("0.9 (")), strings.Contains(c.want, "("); got != want {
			t.Errorf("bars show an interval from %v to %v: %t", c.low, c.high, got)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0, 1, "0.0 0.2 0.4 0.6 0.8 1.0"},
		{-50, 7, "-50 -40 -30 -20 -10 0"},
		{0, 2000, "0 500 1000 1500 2000"},
		{0.0012, 0.0019, "0.0012 0.0014 0.0016 0.0018"},
		{3, 3, "3"},
	} {
		var s []string
		for _, k := range ticks(c.low, c.high) {
			s = append(s, k.Label)
		}
		if got := strings.Join(s, " "); got != c.want {
			t.Errorf("ticks(%v, %v) = %s, want %s", c.low, c.high, got, c.want)
		}
	}
}
