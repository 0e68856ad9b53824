//go:build amd64 && !purego

package kernel

//go:generate sh -c "cd _asm && go run ./gemm -out ../gemm_amd64.s -stubs ../gemm_stub_amd64.go -pkg kernel"

// tileSize returns the rows and columns of the largest tile: as many sums as
// the registers hold beside one row of B and one element of A.
func tileSize(m Impl) (rows, cols int) {
	if m == AVX512 {
		return 14, 32
	}
	return 6, 16
}

func tile(m Impl, c, start, a, b *float32, rows, cols, k, cStride, startStride, aStride, aStep, bStep int, ahead *float32, aheadLen int) {
	if m == AVX512 {
		tileAVX512(c, start, a, b, rows, cols, k, cStride, startStride, aStride, aStep, bStep, ahead, aheadLen)
	} else {
		tileAVX2(c, start, a, b, rows, cols, k, cStride, startStride, aStride, aStep, bStep, ahead, aheadLen)
	}
}

// packPanel copies the panel b, of at most width columns, to rows of width
// adjacent floats. What it writes beyond b.Cols is undefined.
func packPanel(dst []float32, b View, width int) {
	_ = dst[b.Rows*width-1]
	switch {
	case b.ColStride == 1:
		packRowsAVX2(&dst[0], &b.Data[0], b.Rows, b.Cols, width, b.RowStride)
	case b.RowStride == 1:
		for j := 0; j < b.Cols; j += 8 {
			packColumnsAVX2(&dst[j], &b.Data[j*b.ColStride], b.Rows, min(8, b.Cols-j), width, b.ColStride)
		}
	default:
		packPanelGeneric(dst, b, width)
	}
}
