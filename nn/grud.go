package nn

import (
	"math/rand/v2"

	"heed/autograd"
)

// GRUD is the GRU-D of Che et al. 2018 (Scientific Reports 8:6085), for D
// variables that are observed now and then. A value that is missing is the last
// one observed, which fades towards the variable's mean the longer ago that was;
// so does the state between two rows; and the cell is told what was observed.
//
//	fade = exp(-max(0, w∘gap + b))                     of the values, (T, D)
//	x    = m∘x + (1-m)∘(fade∘last + (1-fade)∘mean)
//	h    = exp(-max(0, W·gap + b)) ∘ h                 before every row
//	h    = GRU(x and m side by side, h)
//
// The reset gate acts after the product with the hidden weights, as in PyTorch
// and cuDNN; in the paper it acts before.
type GRUD struct {
	Fade     *autograd.Var // (D) w, at 0 or above at first
	FadeBias *autograd.Var // (D)
	Mean     *autograd.Var // (D) of the training data; not trainable
	Decay    *Linear       // (H, D) of the state
	Input    *Linear       // (3H, 2D)
	Hidden   *Linear       // (3H, H)
}

// NewGRUD returns a GRU-D of the given number of variables and width of state.
// mean (D) is that of each variable in the training data; nil stands for zeros,
// for variables that were standardised. Weights are initialised like those of
// NewGRU; at first nothing fades but by the gaps.
func NewGRUD(variables, width int, mean []float32, r *rand.Rand) *GRUD {
	g := &GRUD{
		Fade: autograd.Param(variables), FadeBias: autograd.Param(variables), Mean: autograd.Param(variables),
		Decay: NewLinear(variables, width, r),
		Input: newGates(3, 2*variables, width, r), Hidden: newGates(3, width, width, r),
	}
	copy(g.Mean.Data, mean)
	g.Mean.Trainable = false
	uniform(g.Fade, 1, r)
	for i, v := range g.Fade.Data {
		g.Fade.Data[i] = max(v, -v)
	}
	return g
}

// Forward maps values x, the mask of those that were observed (1 or 0) and the
// gaps (see [Gaps]), (T, D) each, to the states (T, H). A value that was not
// observed may be any finite number.
func (g *GRUD) Forward(t *autograd.Tape, x, mask, gaps *autograd.Var, s []autograd.Segment) *autograd.Var {
	fade := autograd.Decay(t, autograd.AddRow(t, autograd.MulRow(t, gaps, g.Fade), g.FadeBias))
	x = autograd.Concat(t, autograd.DecayToMean(t, x, mask, fade, g.Mean, s), mask)
	decay := autograd.Decay(t, g.Decay.Forward(t, gaps))
	return autograd.GRU(t, x, g.Input.Weight, g.Input.Bias, g.Hidden.Weight, g.Hidden.Bias, decay, s, false)
}

// Visit names fade, decay, input and hidden; the mean too, which is frozen.
func (g *GRUD) Visit(prefix string, f Visitor) {
	f(Join(prefix, "fade.weight"), g.Fade)
	f(Join(prefix, "fade.bias"), g.FadeBias)
	f(Join(prefix, "mean"), g.Mean)
	g.Decay.Visit(Join(prefix, "decay"), f)
	g.Input.Visit(Join(prefix, "input"), f)
	g.Hidden.Visit(Join(prefix, "hidden"), f)
}

// Gaps returns for each of D variables at each row the time since it was last
// observed, (T, D) in the unit of times (T): 0 at the first row of a segment, and
// the time since that row before the first observation (Che et al. 2018, equation
// 2). mask (T, D) is 0 where nothing was observed.
func Gaps(times, mask []float32, s []autograd.Segment) []float32 {
	gaps := make([]float32, len(mask))
	if len(times) == 0 {
		return gaps
	}
	d := len(mask) / len(times)
	for _, g := range s {
		for k := 1; k < g.Count; k++ {
			at := g.Start + k*g.Stride
			before := at - g.Stride
			for j := range d {
				gap := times[at] - times[before]
				if mask[before*d+j] == 0 {
					gap += gaps[before*d+j]
				}
				gaps[at*d+j] = gap
			}
		}
	}
	return gaps
}
