// Package optim turns gradients into new parameters.
//
// Into it flow parameters whose Grad has been set by [autograd.Gather], and a
// learning rate; it changes their Data in place. A step is
//
//	tape.Backward(loss)
//	autograd.Gather(params, tape)
//	scale := optim.ClipScale(optim.GlobalNorm(params), 1)
//	opt.Update(params, optim.WarmupCosine(step, warmup, steps, 1e-3, 0), scale)
//
// and package train does it for whole runs.
package optim

import (
	"fmt"
	"math"

	"heed/autograd"
	"heed/internal/kernel"
	"heed/internal/par"
)

// AdamW is Adam with decoupled weight decay and bias correction (Loshchilov &
// Hutter 2019, algorithm 2). The zero AdamW is ready to use: it has the values
// of PyTorch but for Decay, whose zero means none.
type AdamW struct {
	Beta1, Beta2 float64 // 0 means 0.9 and 0.999
	Eps          float64 // 0 means 1e-8
	Decay        float64 // of parameters with two axes or more; biases and norms do not decay

	// Step counts the updates made. Step, M and V are the state: whoever resumes
	// a run restores all three. The first Update makes M and V.
	Step int
	M, V [][]float32 // first and second moments, by parameter
}

// Update makes one step at the given learning rate. Gradients are first
// multiplied by scale (see [ClipScale]). Frozen parameters stay as they are.
// Every call must have the same parameters in the same order.
func (a *AdamW) Update(params []*autograd.Var, rate, scale float64) {
	if a.M == nil {
		for _, p := range params {
			a.M = append(a.M, make([]float32, len(p.Data)))
			a.V = append(a.V, make([]float32, len(p.Data)))
		}
	}
	if len(a.M) != len(params) {
		panic(fmt.Sprintf("optim.AdamW: %d parameters, state of %d", len(params), len(a.M)))
	}
	a.Step++
	b1, b2, eps := narrow(or(a.Beta1, 0.9)), narrow(or(a.Beta2, 0.999)), or(a.Eps, 1e-8)
	c1 := 1 / (1 - math.Pow(b1, float64(a.Step)))
	c2 := 1 / (1 - math.Pow(b2, float64(a.Step)))
	par.Do(len(params), par.Cores(), func(_, i int) {
		p := params[i]
		if !p.Trainable {
			return
		}
		decay := a.Decay
		if len(p.Shape) < 2 {
			decay = 0
		}
		kernel.AdamW(p.Data, p.Grad, a.M[i], a.V[i], float32(rate), float32(b1), float32(b2), float32(eps),
			float32(decay), float32(c1), float32(c2), float32(scale))
	})
}

// narrow rounds a decay rate to the float32 that the moments are made with. The
// bias correction needs the same: 1-β2 of 0.999 moves by 1e-5 in rounding.
func narrow(beta float64) float64 { return float64(float32(beta)) }

func or(x, otherwise float64) float64 {
	if x == 0 {
		return otherwise
	}
	return x
}

// GlobalNorm returns the Euclidean norm of the gradients of all trainable
// parameters together. It is not finite if any of them is not.
func GlobalNorm(params []*autograd.Var) float64 {
	var s float64
	for _, p := range params {
		if p.Trainable {
			s += kernel.SumSquares(p.Grad)
		}
	}
	return math.Sqrt(s)
}

// ClipScale returns the factor that brings gradients of the given norm down to
// at most limit (Pascanu et al. 2013); a limit of 0 means none.
func ClipScale(norm, limit float64) float64 {
	if limit <= 0 || norm <= limit {
		return 1
	}
	return limit / norm
}

// WarmupCosine returns the learning rate of step (counted from 0) of steps: it
// rises linearly to peak over the warm-up, then falls along half a cosine to
// floor·peak (Loshchilov & Hutter 2017).
func WarmupCosine(step, warmup, steps int, peak, floor float64) float64 {
	if step < warmup {
		return peak * float64(step+1) / float64(warmup)
	}
	x := float64(step-warmup) / float64(max(1, steps-warmup))
	return peak * (floor + (1-floor)*0.5*(1+math.Cos(math.Pi*min(1, x))))
}
