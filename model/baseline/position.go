package baseline

import (
	"heed/data"

	"fmt"
	"math/rand/v2"
)

// PositionLogistic is multinomial logistic regression on which letter stands at
// which place: a position weight matrix (Stormo et al. 1982) whose weights are
// learned against the other classes instead of counted. On sequences that are
// aligned at a start site or a junction it is a strong floor; on others it is
// blind.
//
// The loss and the choice of λ are those of [KmerLogistic]; the features, 0 or
// 1, are not standardised.
type PositionLogistic struct {
	Lambda float64 // the strength that was chosen

	length int
	model  *linear
}

var _ Classifier = (*PositionLogistic)(nil)

// Fit learns from sequences of one length; others are an error. rng draws the
// inner folds.
func (m *PositionLogistic) Fit(seqs [][]byte, labels []int, classes int, rng *rand.Rand) error {
	if err := check(seqs, labels, classes); err != nil {
		return err
	}
	length := len(seqs[0])
	for i, s := range seqs {
		if len(s) != length {
			return fmt.Errorf("baseline: sequence %d has %d letters, sequence 0 has %d: weights by position need one length", i, len(s), length)
		}
	}
	if length == 0 {
		return fmt.Errorf("baseline: sequences without letters")
	}
	model, err := fitLinear(newOneHot(seqs, length), labels, classes, rng)
	if err != nil {
		return err
	}
	*m = PositionLogistic{Lambda: model.lambda, length: length, model: model}
	return nil
}

// Predict returns class probabilities (S, C). Letters beyond the length of the
// training sequences are ignored; missing ones are unknown.
func (m *PositionLogistic) Predict(seqs [][]byte) [][]float64 {
	return m.model.predict(newOneHot(seqs, m.length), len(seqs))
}

// Matrix returns the weights of a class, (L, 4) with columns A C G T: what the
// letter at the place adds to the logit, relative to the mean of the four
// letters there.
func (m *PositionLogistic) Matrix(class int) [][4]float64 {
	out := make([][4]float64, m.length)
	for p := range out {
		w := m.model.w[class][4*p:][:4]
		mean := (w[0] + w[1] + w[2] + w[3]) / 4
		for a := range w {
			out[p][a] = w[a] - mean
		}
	}
	return out
}

// oneHot is a matrix (n, 4·length) with a 1 at 4p+a if the letter at place p is
// a. Only the letters are stored, -1 for unknown ones.
type oneHot struct {
	n, length int
	letters   []int8 // (n, length)
}

func newOneHot(seqs [][]byte, length int) oneHot {
	x := oneHot{len(seqs), length, make([]int8, len(seqs)*length)}
	for i, s := range seqs {
		row := x.row(i)
		for p := range row {
			row[p] = -1
			if p < len(s) {
				row[p] = int8(data.Nucleotide(s[p]))
			}
		}
	}
	return x
}

func (x oneHot) row(i int) []int8 { return x.letters[i*x.length:][:x.length] }

func (x oneHot) size() (int, int) { return x.n, 4 * x.length }

func (x oneHot) dot(i int, w []float64) float64 {
	sum := 0.0
	for p, a := range x.row(i) {
		if a >= 0 {
			sum += w[4*p+int(a)]
		}
	}
	return sum
}

func (x oneHot) add(i int, f float64, g []float64) {
	for p, a := range x.row(i) {
		if a >= 0 {
			g[4*p+int(a)] += f
		}
	}
}
