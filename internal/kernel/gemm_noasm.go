//go:build !amd64 || purego

package kernel

func mulTiled(one *Work, w *Workers, c, a, b View, bias []float32, add bool) {
	mulGeneric(c, a, b, bias, add)
}

func packPanel(dst []float32, b View, width int) { packPanelGeneric(dst, b, width) }

func mulPackedTiled(w *Workers, a View, targets []Target, _, workers int) {
	mulPackedGeneric(w, a, targets, workers)
}
