package alignment

import (
	"errors"
	"math"
	"math/rand/v2"

	"heed/autograd"
	"heed/internal/kernel"
	"heed/internal/par"
)

// Loss returns what a model of couplings makes of a family that it was not fitted
// to: the mean over its residues, weighted by the sequences, of
//
//	-log p(x_nj | the other columns of x_n, and that x_nj is no gap)
//
// in nats: 3 (log 20) for a model that knows nothing. It is the same measure for
// [Potts], [Factored] and [ProfileLoss], whatever they make of gaps.
func (m *Factored) Loss(f *Family, cores int) float64 {
	l := m.Columns
	norms, pairs := m.logNorms(cores), m.pairs()
	works, buffers := make([]kernel.Work, cores), make([][]float32, cores)
	return columnLoss(f, cores, func(worker, j int, each func(n int, logits []float32)) {
		b := resize(buffers[worker], 2*m.Heads*l+l*pairSize)
		buffers[worker] = b
		weights, w := b[:2*m.Heads*l], b[2*m.Heads*l:]
		m.weights(&works[worker], weights, norms, j, j+1)
		kernel.Mul(&works[worker], kernel.Matrix(w, l, pairSize), kernel.Matrix(weights, 2*m.Heads, l).T(), kernel.Matrix(pairs, 2*m.Heads, pairSize), false)
		var out [Residues]float32
		for n := range f.Sequences {
			row := f.row(n)
			if row[j] >= Residues {
				continue
			}
			copy(out[:], m.Field.Data[j*Residues:])
			for i, a := range row {
				if a < Residues {
					kernel.Add(out[:], w[i*pairSize+int(a)*Residues:][:Residues])
				}
			}
			each(n, out[:])
		}
	})
}

// Loss is what it is for [Factored].
func (p *Potts) Loss(f *Family, cores int) float64 {
	width := p.Columns * States
	return columnLoss(f, cores, func(_, j int, each func(n int, logits []float32)) {
		var out [Residues]float32
		for n := range f.Sequences {
			row := f.row(n)
			if row[j] >= Residues {
				continue
			}
			copy(out[:], p.Field[j*States:])
			for i, a := range row {
				if i != j {
					kernel.Add(out[:], p.Coupling[(i*States+int(a))*width+j*States:][:Residues])
				}
			}
			each(n, out[:])
		}
	})
}

// ProfileLoss is the same of the frequencies of the columns of another family,
// [Profile], which look at no other column: the floor.
func ProfileLoss(from, f *Family) float64 {
	p := Profile(from)
	logits := make([]float32, len(p))
	for i, v := range p {
		logits[i] = float32(math.Log(v))
	}
	return columnLoss(f, 1, func(_, j int, each func(n int, logits []float32)) {
		for n := range f.Sequences {
			if f.row(n)[j] < Residues {
				each(n, logits[j*Residues:(j+1)*Residues])
			}
		}
	})
}

// hiddenShare is the share of residues that [Axial.Loss] hides, whatever the model
// was trained with, and hiddenCopies how often it hides others in every sequence.
const (
	hiddenShare  = 0.15
	hiddenCopies = 4
)

// Loss returns the mean cross-entropy of hidden residues of a family that the model
// was not trained on, weighted by its sequences, in nats. Every sequence is put into
// an alignment with rows of the training family, drawn by their weights, in which 15 %
// of the residues are hidden; those of the sequence are asked for. Less is known to
// the model than to those of couplings, for which one residue is hidden at a time.
func (m *Axial) Loss(training, f *Family, seed uint64, cores int) (float64, error) {
	sums, weights, errs := make([]float64, f.Sequences), make([]float64, f.Sequences), make([]error, f.Sequences)
	tapes := make([]*autograd.Tape, cores)
	par.Do(f.Sequences, cores, func(worker, n int) {
		if tapes[worker] == nil {
			tapes[worker] = &autograd.Tape{NoGrad: true}
		}
		r := rand.New(rand.NewPCG(seed, 0x6c6f73<<32+uint64(n))) // "los"
		for range hiddenCopies {
			rows, err := draw(training, m.Config.Rows-1, r)
			if err != nil {
				errs[n] = err
				return
			}
			states := append(append([]uint8(nil), f.row(n)...), gather(training, rows)...)
			var cells, truth []int32
			for i, s := range states {
				if s >= Residues || r.Float64() >= hiddenShare {
					continue
				}
				states[i] = Hidden
				if i < m.Columns {
					cells, truth = append(cells, int32(i)), append(truth, int32(s))
				}
			}
			if len(cells) == 0 {
				continue
			}
			t := tapes[worker]
			t.Reset()
			sums[n] += f.Weights[n] * float64(autograd.CrossEntropy(t, m.Logits(t, states, cells), truth, 1).Data[0])
			weights[n] += f.Weights[n] * float64(len(cells))
		}
	})
	sum, weight := 0.0, 0.0
	for n := range sums {
		sum, weight = sum+sums[n], weight+weights[n]
	}
	return sum / weight, errors.Join(errs...)
}

// columnLoss is the weighted mean of the cross-entropy over the residues that of
// reports, column by column. The order of the sum does not depend on cores.
func columnLoss(f *Family, cores int, of func(worker, j int, each func(n int, logits []float32))) float64 {
	sums, weights := make([]float64, f.Columns), make([]float64, f.Columns)
	par.Do(f.Columns, cores, func(worker, j int) {
		of(worker, j, func(n int, logits []float32) {
			top, sum := float64(kernel.Max(logits)), 0.0
			for _, x := range logits {
				sum += math.Exp(float64(x) - top)
			}
			sums[j] += f.Weights[n] * (math.Log(sum) + top - float64(logits[f.row(n)[j]]))
			weights[j] += f.Weights[n]
		})
	})
	sum, weight := 0.0, 0.0
	for j := range sums {
		sum, weight = sum+sums[j], weight+weights[j]
	}
	return sum / weight
}
