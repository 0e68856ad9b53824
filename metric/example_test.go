package metric_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"heed/metric"
)

func ExampleNewBinary() {
	scores := []float64{0.95, 0.8, 0.8, 0.6, 0.3, 0.1}
	promoter := []bool{true, true, false, true, false, false}
	b, err := metric.NewBinary(scores, promoter)
	if err != nil {
		log.Fatal(err)
	}
	c := b.Confusion(0.5)
	fmt.Printf("Sn %.3f, Sp %.3f, MCC %.3f\n", c.Sn(), c.Sp(), c.MCC())
	fmt.Printf("AUROC %.3f\n", b.AUROC())
	fmt.Printf("AUPRC %.3f at prevalence %.3f\n", b.AUPRC(), b.Prevalence())
	// Output:
	// Sn 1.000, Sp 0.667, MCC 0.707
	// AUROC 0.833
	// AUPRC 0.806 at prevalence 0.500
}

// The interval of an AUROC, resampling families of similar sequences instead
// of single sequences.
func ExampleBootstrapClusters() {
	scores := []float64{0.9, 0.85, 0.7, 0.4, 0.6, 0.3, 0.2, 0.1}
	promoter := []bool{true, true, true, true, false, false, false, false}
	family := []int{1, 1, 2, 3, 4, 5, 6, 6}
	b, err := metric.NewBinary(scores, promoter)
	if err != nil {
		log.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	iv := metric.BootstrapClusters(rng, family, 1000, func(idx []int) float64 {
		return b.Resample(idx).AUROC()
	})
	fmt.Printf("AUROC %.3f, upper limit %.1f, lower limit below estimate: %t\n", iv.Estimate, iv.High, iv.Low < iv.Estimate)
	// Output: AUROC 0.938, upper limit 1.0, lower limit below estimate: true
}

// The published error counts on the 106 UCI promoters come without intervals;
// Wilson gives one to each.
func ExampleWilson() {
	iv := metric.Wilson(4, 106)
	fmt.Printf("%.1f %% (%.1f to %.1f)\n", 100*iv.Estimate, 100*iv.Low, 100*iv.High)
	// Output: 3.8 % (1.5 to 9.3)
}

func ExampleNewConfusionMatrix() {
	// Classes: 0 exon-intron, 1 intron-exon, 2 neither.
	m, err := metric.NewConfusionMatrix([]int{0, 0, 1, 1, 2, 2}, []int{0, 0, 1, 2, 2, 2}, 3)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("accuracy %.3f, macro F1 %.3f, R_K %.3f\n", m.Accuracy(), m.MacroF1(), m.MCC())
	for k, c := range m.PerClass() {
		fmt.Printf("class %d: error %.2f\n", k, c.Error)
	}
	// Output:
	// accuracy 0.833, macro F1 0.822, R_K 0.783
	// class 0: error 0.00
	// class 1: error 0.50
	// class 2: error 0.00
}

func ExampleSpearman() {
	rho, err := metric.Spearman([]float64{1, 2, 3, 4}, []float64{1, 10, 100, 1000})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rho)
	// Output: 1
}
