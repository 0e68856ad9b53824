package nn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Mixers lists the kinds of [NewMixer]: the alternatives to attention.
func Mixers() []string {
	return []string{"lstm", "bilstm", "gru", "bigru", "inception", "dilated"}
}

// NewMixer returns an alternative to attention for width dim: "lstm" and "gru"
// read forwards, "bilstm" and "bigru" in both directions, "inception" sees two
// rows to each side and "dilated" 15. width is that of the state of one direction
// or of a branch.
func NewMixer(kind string, dim, width int, r *rand.Rand) (Mixer, error) {
	if width < 1 {
		return nil, fmt.Errorf("mixer %s: width %d: want 1 or more", kind, width)
	}
	switch kind {
	case "lstm":
		return &RecurrentMixer{NewLSTM(dim, width, r), NewLinear(width, dim, r)}, nil
	case "bilstm":
		return &RecurrentMixer{NewBiLSTM(dim, width, r), NewLinear(2*width, dim, r)}, nil
	case "gru":
		return &RecurrentMixer{NewGRU(dim, width, r), NewLinear(width, dim, r)}, nil
	case "bigru":
		return &RecurrentMixer{NewBiGRU(dim, width, r), NewLinear(2*width, dim, r)}, nil
	case "inception":
		return NewInception(dim, width, r), nil
	case "dilated":
		return NewDilatedCNN(dim, width, []int{1, 2, 4, 8}, r), nil
	}
	return nil, fmt.Errorf("mixer %q: want one of %s", kind, strings.Join(Mixers(), ", "))
}

// LooksBack reports whether a kind of mixer shows a row nothing of the rows after
// it, so that the first row of a segment never learns of the others.
func LooksBack(kind string) bool { return slices.Contains([]string{"lstm", "gru"}, kind) }

// EqualWidth returns the width at which a module has the number of trainable
// values that is nearest to target, so that two architectures are compared at
// equal parameters. count, the number at a width, must rise with it. The error
// says if the nearest number is more than 2 % away.
func EqualWidth(target int, count func(width int) int) (int, error) {
	low, high := 0, 1 // count(low) < target <= count(high), or low is 0
	for count(high) < target {
		if high >= 1<<16 {
			return 0, fmt.Errorf("no width below %d has %d values", high, target)
		}
		low, high = high, 2*high
	}
	for high-low > 1 {
		if mid := (low + high) / 2; count(mid) < target {
			low = mid
		} else {
			high = mid
		}
	}
	best := high
	if low > 0 && target-count(low) < count(high)-target {
		best = low
	}
	if off := count(best) - target; 50*max(off, -off) > target {
		return 0, fmt.Errorf("width %d has %d values and %d has %d: none is within 2 %% of %d", low, count(max(low, 1)), high, count(high), target)
	}
	return best, nil
}
