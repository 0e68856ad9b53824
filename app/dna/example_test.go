package dna_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"

	"heed/app/dna"
)

// A classifier of sequences that are in memory, tested on some that it was not
// trained on.
func ExampleFit() {
	r := rand.New(rand.NewPCG(1, 1))
	d := &dna.Dataset{Classes: []string{"other", "box"}, Positive: 1}
	for i := range 300 {
		s := make([]byte, 24)
		for j := range s {
			s[j] = "ACGT"[r.IntN(4)]
		}
		if i%2 == 1 {
			copy(s[r.IntN(16):], "TATAAT")
		}
		d.Seqs, d.Labels = append(d.Seqs, s), append(d.Labels, i%2)
	}
	folds, _, err := dna.SplitConfig{Holdout: 0.2, Seed: 1}.Split(d, 0.1)
	if err != nil {
		log.Fatal(err)
	}
	c := dna.DefaultConfig(24)
	c.Model.Layers, c.Model.Dim, c.Model.FFN = 1, 16, 32
	c.Train.Epochs, c.Train.Rate = 25, 5e-3
	model, err := dna.Fit(context.Background(), c, d, folds[0].Train, folds[0].Valid, nil)
	if err != nil {
		log.Fatal(err)
	}
	right := 0
	for _, i := range folds[0].Test {
		if model.Call(model.Probabilities(d.Seqs[i:i+1], 0)[0]) == d.Labels[i] {
			right++
		}
	}
	fmt.Println("more than 50 of 60 right:", right > 50)
	// Output: more than 50 of 60 right: true
}
