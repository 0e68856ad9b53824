package ehr

import (
	"math/rand/v2"
	"slices"

	"heed/model/timeline"
)

// randomOrders is how many random orders of removal stand beside that of the
// evidence.
const randomOrders = 16

// removals returns the probability after the tokens of an order were removed one
// by one, each in addition to those before it, and the mean of the same for random
// tokens.
func (f *Fitted) removals(s *timeline.Sequence, order []int, seed uint64) (top, random []float64) {
	rng := rand.New(rand.NewPCG(seed, 0x72656d6f7665)) // "remove"
	remove := func(order []int) []float64 {
		seqs := make([]timeline.Sequence, len(order))
		for k := range order {
			seqs[k] = without(s, f.Vocabulary.Channels, func(i int) bool { return slices.Contains(order[:k+1], i) })
		}
		return f.probabilities(f.logits(seqs))
	}
	top, random = remove(order), make([]float64, len(order))
	for range randomOrders {
		for k, p := range remove(rng.Perm(len(s.Codes))[:len(order)]) {
			random[k] += p / randomOrders
		}
	}
	return top, random
}
