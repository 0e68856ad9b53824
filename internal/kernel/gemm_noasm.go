//go:build !amd64 || purego

package kernel

func mulTiled(one *Work, w *Workers, c, a, b View, bias []float32, add bool) {
	mulGeneric(c, a, b, bias, add)
}
