package baseline

import (
	"heed/data"

	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// MaxK is the length of the longest words that KmerLogistic counts.
const MaxK = 4

// kmers is the number of words of 1 to MaxK letters.
const kmers = 4 + 16 + 64 + 256

// KmerLogistic is multinomial logistic regression on the frequencies of all 340
// words of 1 to 4 letters. It knows the composition of a sequence and not where
// anything is.
//
// Frequencies of words of one length are their counts divided by the number of
// places where a word of that length without unknown letters lies. They are
// standardised with mean and deviation of the training set. The strength λ of
// the L2 penalty comes from {1, 0.3, 0.1, 0.03, 0.01, ..., 0.0003, 0.0001}: the
// one with the smallest cross-entropy in a stratified 5-fold cross-validation
// within the training set. The loss is the mean over sequences plus λ/2·|w|²;
// L-BFGS minimises it.
type KmerLogistic struct {
	Lambda float64 // the strength that was chosen

	mean, deviation []float64 // (kmers)
	model           *linear
}

var _ Classifier = (*KmerLogistic)(nil)

// Fit learns from sequences of any lengths. rng draws the inner folds.
func (m *KmerLogistic) Fit(seqs [][]byte, labels []int, classes int, rng *rand.Rand) error {
	if err := check(seqs, labels, classes); err != nil {
		return err
	}
	x := frequencies(seqs)
	mean := make([]float64, kmers)
	deviation := make([]float64, kmers)
	count := make([]float64, kmers) // of sequences that have words of this length
	for _, row := range x {
		for f, v := range row {
			if !math.IsNaN(v) {
				mean[f] += v
				count[f]++
			}
		}
	}
	for f := range mean {
		mean[f] /= max(count[f], 1)
	}
	for _, row := range x {
		for f, v := range row {
			if !math.IsNaN(v) {
				deviation[f] += (v - mean[f]) * (v - mean[f])
			}
		}
	}
	for f := range deviation {
		deviation[f] = math.Sqrt(deviation[f] / max(count[f], 1))
	}
	fitted := KmerLogistic{mean: mean, deviation: deviation}
	fitted.standardise(x)
	var err error
	if fitted.model, err = fitLinear(dense(x), labels, classes, rng); err != nil {
		return err
	}
	fitted.Lambda = fitted.model.lambda
	*m = fitted
	return nil
}

// Predict returns class probabilities (S, C).
func (m *KmerLogistic) Predict(seqs [][]byte) [][]float64 {
	x := frequencies(seqs)
	m.standardise(x)
	return m.model.predict(dense(x), len(seqs))
}

// A Kmer is a word and its weight for one class: how much the logit grows when
// the frequency of the word grows by one standard deviation.
type Kmer struct {
	Word   string
	Weight float64
}

// Kmers returns all words with their weights for a class, largest first.
func (m *KmerLogistic) Kmers(class int) []Kmer {
	out := make([]Kmer, 0, kmers)
	for k, first := 1, 0; k <= MaxK; first, k = first+1<<(2*k), k+1 {
		for w := range 1 << (2 * k) {
			word := make([]byte, k)
			for i := range word {
				word[i] = "ACGT"[w>>(2*(k-1-i))&3]
			}
			out = append(out, Kmer{string(word), m.model.w[class][first+w]})
		}
	}
	slices.SortStableFunc(out, func(a, b Kmer) int { return cmp.Compare(b.Weight, a.Weight) })
	return out
}

// standardise makes each column of x (S, kmers) mean 0 and deviation 1 on the
// training set. What is missing gets the mean, and so does a word that never
// varied in training, about which nothing was learned.
func (m *KmerLogistic) standardise(x [][]float64) {
	for _, row := range x {
		for f, v := range row {
			if math.IsNaN(v) || m.deviation[f] < 1e-12 {
				row[f] = 0
			} else {
				row[f] = (v - m.mean[f]) / m.deviation[f]
			}
		}
	}
}

// frequencies returns the frequencies of all words (S, kmers): those of length 1
// first, then of length 2 and so on, in alphabetical order. They are NaN where a
// sequence has no word of that length.
func frequencies(seqs [][]byte) [][]float64 {
	x := matrix(len(seqs), kmers)
	for i, seq := range seqs {
		var places [MaxK + 1]float64
		word, known := 0, 0 // the last letters as digits, and how many of them are known
		for _, b := range seq {
			d := data.Nucleotide(b)
			if d < 0 {
				known = 0
				continue
			}
			word = (word<<2 | d) & (1<<(2*MaxK) - 1)
			known = min(known+1, MaxK)
			for k, first := 1, 0; k <= known; first, k = first+1<<(2*k), k+1 {
				x[i][first+word&(1<<(2*k)-1)]++
				places[k]++
			}
		}
		for k, first := 1, 0; k <= MaxK; first, k = first+1<<(2*k), k+1 {
			for f := first; f < first+1<<(2*k); f++ {
				x[i][f] /= places[k] // 0/0 is NaN: missing
			}
		}
	}
	return x
}
