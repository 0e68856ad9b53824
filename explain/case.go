package explain

import (
	"fmt"

	"heed/autograd"
	"heed/tensor"
)

// A Case is one input of one model, ready to be run as often as a method
// needs, and the score f that is to be explained. The methods know nothing else
// of a model: they watch its passes through [autograd.Tape.Probe], and intervene
// by writing into what the probe sees.
//
// An application makes one in a few lines:
//
//	c := &explain.Case{
//		Rows:    1 + len(ids),
//		Readout: explain.ReadRow(1+len(ids), 0), // [CLS]
//		Run: func(t *autograd.Tape, n int) *autograd.Var {
//			logits := model.Logits(t, model.Pack(slices.Repeat([][]int32{ids}, n)...))
//			return explain.Contrast(t, logits, class)
//		},
//	}
type Case struct {
	// Run makes one forward pass over n copies of the input and returns f of
	// each, (n, 1). The copies are packed end to end: what a probe sees as
	// (n·Rows, D) or (n, H, Rows, Rows) begins with the first copy. Run neither
	// resets the tape nor changes its switches, and it may be called from any
	// goroutine.
	Run func(t *autograd.Tape, n int) *autograd.Var
	// Rows is the number L of rows of one copy: tokens, special ones included.
	Rows int
	// Readout (L) says by which weights the score reads the rows of the last
	// layer: see [ReadRow] and [ReadMean].
	Readout []float64
}

// Embedding is the name under which a model shows its embedded input
// (n·Rows, D), before positions and anything else.
const Embedding = "embedding"

// Contrast returns the score that is explained by default: the logit of a class
// less the mean of the others, (S, 1) of logits (S, C). It is linear in the
// logits, as exact decompositions need. Of two classes it is the log-odds of the
// class, and that of the other class is its negative.
func Contrast(t *autograd.Tape, logits *autograd.Var, class int) *autograd.Var {
	w := ContrastWeights(logits.Dim(-1), class)
	return autograd.Linear(t, logits, autograd.Input(w, 1, len(w)), nil)
}

// ContrastWeights returns the weights (C) by which [Contrast] adds the logits.
func ContrastWeights(classes, class int) []float32 {
	if classes < 2 || class < 0 || class >= classes {
		panic(fmt.Sprintf("explain: class %d of %d", class, classes))
	}
	w := make([]float32, classes)
	for i := range w {
		w[i] = -1 / float32(classes-1)
	}
	w[class] = 1
	return w
}

// ReadRow returns the readout of a score that is computed from one row of L,
// such as 0 for a [CLS] token that leads.
func ReadRow(length, row int) []float64 {
	r := make([]float64, length)
	r[row] = 1
	return r
}

// ReadMean returns the readout of a score that is computed from the mean of
// rows first to L-1.
func ReadMean(length, first int) []float64 {
	r := make([]float64, length)
	for i := first; i < length; i++ {
		r[i] = 1 / float64(length-first)
	}
	return r
}

// Score returns f.
func (c *Case) Score() float64 {
	return float64(c.run(&autograd.Tape{NoGrad: true}, 1).Data[0])
}

// run calls Run and checks what it returns.
func (c *Case) run(t *autograd.Tape, n int) *autograd.Var {
	y := c.Run(t, n)
	tensor.Check("explain.Case.Run", y.Shape, n, 1)
	return y
}
