package optim_test

import (
	"fmt"

	"heed/autograd"
	"heed/optim"
)

// One step is: gradients by Backward and Gather, their norm, Update.
func ExampleAdamW() {
	// Fit y = w·x + b to points on the line y = 2x - 1.
	x := autograd.Input([]float32{-2, -1, 0, 1, 2}, 5, 1)
	y := autograd.Input([]float32{-5, -3, -1, 1, 3}, 5, 1)
	w, b := autograd.Param(1, 1), autograd.Param(1)
	params := []*autograd.Var{w, b}

	const steps = 300
	var opt optim.AdamW
	tape := &autograd.Tape{}
	for step := range steps {
		tape.Reset()
		miss := autograd.Add(tape, autograd.Linear(tape, x, w, b), autograd.Scale(tape, y, -1))
		tape.Backward(autograd.Sum(tape, autograd.Mul(tape, miss, miss)))
		autograd.Gather(params, tape)

		rate := optim.WarmupCosine(step, 10, steps, 0.1, 0)
		opt.Update(params, rate, optim.ClipScale(optim.GlobalNorm(params), 1))
	}
	fmt.Printf("w %.2f, b %.2f after %d steps\n", w.Data[0], b.Data[0], opt.Step)
	// Output: w 2.00, b -1.00 after 300 steps
}

func ExampleWarmupCosine() {
	for _, step := range []int{0, 4, 9, 10, 55, 100} {
		fmt.Printf("step %3d: %.5f\n", step, optim.WarmupCosine(step, 10, 100, 1e-3, 0.1))
	}
	// Output:
	// step   0: 0.00010
	// step   4: 0.00050
	// step   9: 0.00100
	// step  10: 0.00100
	// step  55: 0.00055
	// step 100: 0.00010
}

func ExampleClipScale() {
	fmt.Println(optim.ClipScale(0.5, 1), optim.ClipScale(4, 1))
	// Output: 1 0.25
}
