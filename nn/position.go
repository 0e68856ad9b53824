package nn

import (
	"math"

	"heed/autograd"
)

// Sinusoidal returns the (length, dim) table of Vaswani et al. 2017, §3.5, as
// a constant: sin(p/10000^(2i/dim)) in even columns, cos in odd ones.
func Sinusoidal(length, dim int) *autograd.Var {
	v := autograd.Input(make([]float32, length*dim), length, dim)
	for p := range length {
		for i := range dim {
			angle := float64(p) * math.Pow(10000, -float64(i-i%2)/float64(dim))
			x := math.Sin(angle)
			if i%2 == 1 {
				x = math.Cos(angle)
			}
			v.Data[p*dim+i] = float32(x)
		}
	}
	return v
}
