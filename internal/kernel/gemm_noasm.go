//go:build !amd64 || purego

package kernel

func mulTiled(w *Work, works []Work, c, a, b View, bias []float32, add bool) {
	mulGeneric(c, a, b, bias, add)
}
