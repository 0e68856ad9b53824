package checkpoint

import (
	"fmt"
	"math"
	"slices"

	"heed/format"
)

// Restore copies the values of the file into the Float and Raw of dst, which
// are those of a model as it was built, say.
//
// It checks everything before it copies anything: the names must be the same in
// both (see Under), types and shapes must agree, and no value may be NaN or
// infinite. Errors about the file are of type *format.Error.
func (f *File) Restore(dst []Entry) error {
	index := make(map[string]int, len(f.Entries))
	for i, e := range f.Entries {
		index[e.Name] = i
	}
	wanted := make(map[string]bool, len(dst))
	var missing, surplus []string
	for _, d := range dst {
		if err := d.check(); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		if wanted[d.Name] {
			return fmt.Errorf("checkpoint: tensor %q: the name is taken", d.Name)
		}
		wanted[d.Name] = true
		if _, ok := index[d.Name]; !ok {
			missing = append(missing, d.Name)
		}
	}
	for _, e := range f.Entries {
		if !wanted[e.Name] {
			surplus = append(surplus, e.Name)
		}
	}
	if len(missing) > 0 {
		return format.InvalidAt(f.Name, 0, "tensor %q is missing%s", missing[0], more(missing))
	}
	if len(surplus) > 0 {
		return format.InvalidAt(f.Name, 0, "tensor %q has no place in the model%s", surplus[0], more(surplus))
	}
	for _, d := range dst {
		i := index[d.Name]
		e, at := f.Entries[i], f.Arrays[i].Offset
		if e.DType != d.DType {
			return format.InvalidAt(f.Name, at, "tensor %q is %s, want %s", d.Name, f.Arrays[i].DType, d.DType)
		}
		if !slices.Equal(e.Shape, d.Shape) {
			return format.InvalidAt(f.Name, at, "tensor %q has shape %s, want %s", d.Name, shapeString(e.Shape), shapeString(d.Shape))
		}
		for j, v := range e.Float {
			if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
				return format.InvalidAt(f.Name, at+int64(j*f.Arrays[i].DType.Size()), "tensor %q: value %d is %v", d.Name, j, v)
			}
		}
	}
	for _, d := range dst {
		e := f.Entries[index[d.Name]]
		copy(d.Float, e.Float)
		copy(d.Raw, e.Raw)
	}
	return nil
}

// more says how many names a message leaves out.
func more(names []string) string {
	if len(names) == 1 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", len(names)-1)
}
