package data

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// orderStream sets the numbers that order samples apart from those that the same
// seed draws for another purpose.
const orderStream = 0x6f72646572 << 24 // "order"

// Shuffle returns the order of n samples in an epoch, a permutation of 0 to n-1.
// It depends on n, seed and epoch alone, so a run that is resumed within an epoch
// needs to know no more than how many samples it has seen.
func Shuffle(n int, seed, epoch uint64) []int {
	return rand.New(rand.NewPCG(seed, orderStream+epoch)).Perm(n)
}

// Packs cuts an order of samples into batches of at most maxTokens tokens and
// keeps the order. lengths is indexed by sample. A sample longer than maxTokens
// is a batch of its own. Sequences are packed end to end, without padding,
// therefore a batch costs its sum of lengths and nothing is gained by sorting
// for equal lengths, which would make batches less random.
func Packs(order, lengths []int, maxTokens int) [][]int {
	var packs [][]int
	start, tokens := 0, 0
	for i, sample := range order {
		if i > start && tokens+lengths[sample] > maxTokens {
			packs = append(packs, order[start:i:i])
			start, tokens = i, 0
		}
		tokens += lengths[sample]
	}
	if start < len(order) {
		packs = append(packs, order[start:len(order):len(order)])
	}
	return packs
}

// Leaves divides a batch of samples into v leaves of nearly equal numbers of
// tokens, or into one leaf per sample if they are fewer; no leaf is empty.
// lengths is indexed by sample. Within a leaf samples stand in the order of the
// batch. The number of tokens of any two leaves differs by at most the longest
// sample.
//
// Gradients are summed leaf by leaf, so the leaves must not depend on the number
// of cores: they are a function of the arguments alone. Samples are dealt the
// longest first, each to the leaf with the fewest tokens (Graham 1969, doi
// 10.1137/0117039: never above 4/3 of the best possible maximum).
func Leaves(batch, lengths []int, v int) [][]int {
	v = min(v, len(batch))
	if v <= 0 {
		return nil
	}
	places := make([]int, len(batch)) // in the batch, the longest sample first
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(lengths[batch[b]], lengths[batch[a]]) })

	leaf := make([]int, len(batch)) // of every place
	tokens := make([]int, v)
	count := make([]int, v)
	for _, place := range places {
		best := 0
		for l := 1; l < v; l++ {
			// Samples without tokens spread by count, so that no leaf stays empty.
			if tokens[l] < tokens[best] || tokens[l] == tokens[best] && count[l] < count[best] {
				best = l
			}
		}
		leaf[place] = best
		tokens[best] += lengths[batch[place]]
		count[best]++
	}
	leaves := make([][]int, v)
	for l := range leaves {
		leaves[l] = make([]int, 0, count[l])
	}
	for place, l := range leaf {
		leaves[l] = append(leaves[l], batch[place])
	}
	return leaves
}
