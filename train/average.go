package train

import (
	"fmt"

	"heed/nn"
)

// Average keeps a running mean of the parameters of a model over the steps of a
// run, which is often better than the last of them (Polyak & Juditsky 1992; as in
// Izmailov et al. 2018 it costs no training). After n steps the newest counts
//
//	1 - min(Decay, n/(n+10))
//
// so that the first steps do not stay in it.
type Average struct {
	Decay float64 // in [0, 1), usually 0.99 to 0.999

	steps   int
	weights [][]float32
}

// See adds the parameters as they are now.
func (a *Average) See(m nn.Module) {
	params := nn.Params(m)
	if a.weights == nil {
		a.weights = make([][]float32, len(params))
		for i, p := range params {
			a.weights[i] = make([]float32, len(p.Data))
		}
	}
	a.check(len(params))
	keep := float32(min(a.Decay, float64(a.steps)/float64(a.steps+10)))
	a.steps++
	for i, p := range params {
		w := a.weights[i]
		for j, v := range p.Data {
			w[j] = keep*w[j] + (1-keep)*v
		}
	}
}

// Swap exchanges the parameters of the model and the average: once to evaluate
// or save the average, once more to go on training. Before the first See it does
// nothing.
func (a *Average) Swap(m nn.Module) {
	if a.weights == nil {
		return
	}
	params := nn.Params(m)
	a.check(len(params))
	for i, p := range params {
		w := a.weights[i]
		for j, v := range p.Data {
			p.Data[j], w[j] = w[j], v
		}
	}
}

func (a *Average) check(n int) {
	if n != len(a.weights) {
		panic(fmt.Sprintf("train.Average: %d parameters, average of %d", n, len(a.weights)))
	}
}
