package report

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// smallSide is the side of the small map of a head.
const smallSide = 64

// quantise turns a map to bytes that grow with the root of the weight: 0 to 255,
// or, signed, 1 to 255 about 128. It returns the index of the strongest weight.
func quantise(w []float32, signed bool) (levels []byte, strongest int, err error) {
	largest := float32(0)
	for i, x := range w {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, 0, errors.New("a weight is not finite")
		}
		if x < 0 && !signed {
			return nil, 0, errors.New("a weight is negative")
		}
		if a := max(x, -x); a > largest {
			largest, strongest = a, i
		}
	}
	levels = make([]byte, len(w))
	for i, x := range w {
		root := 0.0
		if largest > 0 {
			root = math.Sqrt(math.Abs(float64(x)) / float64(largest))
		}
		switch {
		case !signed:
			levels[i] = uint8(root*255 + 0.5)
		case x < 0:
			levels[i] = uint8(128 - int(root*127+0.5))
		default:
			levels[i] = uint8(128 + int(root*127+0.5))
		}
	}
	return levels, strongest, nil
}

// shrink pools levels (rows, cols) to (toRows, toCols): the strongest of each
// block, so that a single strong weight stays visible.
func shrink(levels []byte, rows, cols, toRows, toCols int, signed bool) []byte {
	if rows == toRows && cols == toCols {
		return levels
	}
	out := make([]byte, toRows*toCols)
	strength := func(v byte) int { return int(v) }
	if signed {
		strength = func(v byte) int { return max(int(v)-128, 128-int(v)) }
		for i := range out {
			out[i] = 128
		}
	}
	for r := range rows {
		to := r * toRows / rows * toCols
		for c := range cols {
			at := to + c*toCols/cols
			if v := levels[r*cols+c]; strength(v) > strength(out[at]) {
				out[at] = v
			}
		}
	}
	return out
}

// number writes a value with three digits, and what does not exist as a dash.
func number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	return strings.Replace(strconv.FormatFloat(v, 'g', 3, 64), "-", "−", 1)
}
