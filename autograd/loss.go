package autograd

import (
	"fmt"
	"math"

	"heed/tensor"
)

// CrossEntropy computes the softmax cross-entropy of logits (N, C) against
// class indices: the sum of -log softmax(logits[i])[targets[i]] over rows with
// a target of 0 or more, divided by norm. Negative targets are ignored. norm
// is the number of counted rows of the whole batch when a batch is cut into
// several tapes, so that the losses of the tapes add up.
//
//	dlogits = (softmax(logits) - onehot) / norm · dy
func CrossEntropy(t *Tape, logits *Var, targets []int32, norm float32) *Var {
	tensor.Check("CrossEntropy", logits.Shape, len(targets), -1)
	c := logits.Dim(1)
	y := t.out()
	p := t.scratch(len(logits.Data))
	var loss float64
	for i, target := range targets {
		if int(target) >= c {
			panic(fmt.Sprintf("CrossEntropy: target %d is not below %d", target, c))
		}
		loss += softmaxRow(p[i*c:(i+1)*c], logits.Data[i*c:(i+1)*c], int(target))
	}
	y.Data[0] = float32(loss / float64(norm))
	if t.wantsAny(logits) {
		t.record(y, func() {
			d := t.grad(logits)
			f := y.Grad[0] / norm
			for i, target := range targets {
				if target < 0 {
					continue
				}
				for j := range c {
					g := p[i*c+j]
					if j == int(target) {
						g--
					}
					d[i*c+j] += f * g
				}
			}
		})
	}
	return y
}

// softmaxRow writes softmax(x) to p and returns -log p[target], or 0 if target
// is negative.
func softmaxRow(p, x []float32, target int) float64 {
	m := x[0]
	for _, v := range x {
		m = max(m, v)
	}
	var sum float64
	for j, v := range x {
		e := math.Exp(float64(v) - float64(m))
		p[j] = float32(e)
		sum += e
	}
	for j := range p {
		p[j] = float32(float64(p[j]) / sum)
	}
	if target < 0 {
		return 0
	}
	return math.Log(sum) - (float64(x[target]) - float64(m))
}

// BinaryCrossEntropy computes the cross-entropy of the logistic function of
// each logit against targets in [0, 1]: the sum of softplus(x) - x·target,
// divided by norm, in the form that does not overflow.
//
//	dlogits = (sigmoid(logits) - target) / norm · dy
func BinaryCrossEntropy(t *Tape, logits *Var, targets []float32, norm float32) *Var {
	if len(targets) != len(logits.Data) {
		panic(&tensor.ShapeError{Op: "BinaryCrossEntropy targets", Got: []int{len(targets)}, Want: logits.Shape})
	}
	y := t.out()
	var loss float64
	for i, target := range targets {
		x := float64(logits.Data[i])
		loss += max(x, 0) - x*float64(target) + math.Log1p(math.Exp(-math.Abs(x)))
	}
	y.Data[0] = float32(loss / float64(norm))
	if t.wantsAny(logits) {
		t.record(y, func() {
			d := t.grad(logits)
			f := y.Grad[0] / norm
			for i, target := range targets {
				d[i] += f * float32(1/(1+math.Exp(-float64(logits.Data[i])))-float64(target))
			}
		})
	}
	return y
}

// Softmax returns the probabilities of one row of logits.
func Softmax(logits []float32) []float32 {
	p := make([]float32, len(logits))
	softmaxRow(p, logits, -1)
	return p
}
