package tensor

import (
	"fmt"
	"testing"
)

func TestCheckNamesBothShapes(t *testing.T) {
	defer func() {
		e, ok := recover().(*ShapeError)
		if !ok || e.Error() != "Linear: shape (2, 3), want (*, 4)" {
			t.Errorf("panic %v", e)
		}
	}()
	Check("Linear", []int{2, 4}, -1, 4)
	Check("Linear", []int{2, 3}, -1, 4)
	t.Error("no panic")
}

func TestRowsAndDim(t *testing.T) {
	x := New(2, 3, 4)
	if x.Rows() != 6 || x.Dim(-1) != 4 || x.Dim(0) != 2 || len(x.Data) != 24 {
		t.Errorf("rows %d, last %d, first %d, size %d", x.Rows(), x.Dim(-1), x.Dim(0), len(x.Data))
	}
	if s := New(); s.Rows() != 1 || len(s.Data) != 1 {
		t.Errorf("scalar: rows %d, size %d", s.Rows(), len(s.Data))
	}
}

func Example() {
	x := Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	fmt.Println(x, x.Data[1*3+2])
	// Output: tensor (2, 3) 6
}
