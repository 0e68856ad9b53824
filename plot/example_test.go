package plot_test

import (
	"bytes"
	"fmt"
	"log"
	"math"

	"heed/plot"
)

// The mean effect of mutations along promoters, with the motifs that biology
// expects.
func ExampleTrack() {
	f, err := plot.Track{
		Title:  "Mean effect of mutations",
		X:      []float64{-12, -11, -10, -9, -8},
		YLabel: "drop of log-odds",
		Lines: []plot.TrackLine{{
			Name: "mean, 95 % interval",
			Y:    []float64{0.1, 0.8, 0.3, 0.2, 0.1},
			Low:  []float64{0.0, 0.6, 0.1, 0.1, 0.0},
			High: []float64{0.2, 1.0, 0.5, 0.3, 0.2},
		}},
		Marks: []plot.Mark{{From: -12, To: -9, Name: "−10 box"}},
	}.Figure()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bytes.HasPrefix(f.SVG(), []byte(`<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="Mean effect of mutations"`)))
	// Output: true
}

// A ROC curve without an interval, as PNG for a slide.
func ExampleFigure_WritePNG() {
	f, err := plot.ROC{
		Title:  "ROC",
		Curves: []plot.ROCCurve{{Name: "model", FPR: []float64{0, 0, 0.5, 1}, TPR: []float64{0, 0.7, 1, 1}, AUROC: 0.925, Low: math.NaN(), High: math.NaN()}},
	}.Figure()
	if err != nil {
		log.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.WritePNG(&b, 150); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", b.String()[1:4])
	// Output: "PNG"
}

// One sequence with the effect of mutating each base as the height of its
// letter; the transcription start is index 4.
func ExampleLogo() {
	h, err := plot.SequenceHeights("TATAGC", "ACGT", []float64{0.2, 0.9, 0.4, 0.8, -0.1, 0})
	if err != nil {
		log.Fatal(err)
	}
	var positions []int
	for i := range h {
		positions = append(positions, plot.Position(i, 4))
	}
	f, err := plot.Logo{Title: "Mutagenesis", Letters: "ACGT", Heights: h, Positions: positions, YLabel: "drop of log-odds"}.Figure()
	if err != nil {
		log.Fatal(err)
	}
	w, _ := f.Size()
	fmt.Println(positions, w)
	// Output: [-4 -3 -2 -1 1 2] 540
}

func ExampleHeatmapPNG() {
	attention := []float32{0.7, 0.3, 0.1, 0.9}
	img, err := plot.HeatmapPNG(attention, 2, 2, 0, 1, plot.Viridis())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", img[1:4])
	// Output: "PNG"
}
