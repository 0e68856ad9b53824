package torch

import (
	"hash/crc32"

	"heed/format"
)

// chunk is how many bytes are converted at a time.
const chunk = 1 << 16

// newTensor checks a view. Its elements may not be more than the values of its
// storage, so that no file asks for more memory than it has bytes.
func (m *machine) newTensor(s *storage, offset int64, shape, stride Tuple) (*Tensor, error) {
	t := &Tensor{DType: s.dtype, storage: s, at: m.base + int64(m.op)}
	if len(shape) != len(stride) {
		return nil, m.invalid("a tensor of %d axes with %d strides", len(shape), len(stride))
	}
	if len(shape) > MaxRank {
		return nil, format.UnsupportedAt(m.name, t.at, "a tensor of %d axes, limit %d", len(shape), MaxRank)
	}
	if offset < 0 || offset > s.count {
		return nil, m.invalid("a tensor at value %d of storage %q, which has %d", offset, s.key, s.count)
	}
	t.Offset = int(offset)
	n, last, empty := int64(1), offset, false
	for i := range shape {
		d, ok1 := shape[i].(int64)
		step, ok2 := stride[i].(int64)
		if !ok1 || !ok2 || d < 0 || step < 0 {
			return nil, m.invalid("a tensor of shape %s and strides %s", describe(shape), describe(stride))
		}
		t.Shape, t.Stride = append(t.Shape, int(d)), append(t.Stride, int(step))
		if d == 0 {
			empty = true
		}
	}
	for i := 0; !empty && i < len(shape); i++ {
		d, step := int64(t.Shape[i]), int64(t.Stride[i])
		if d > s.count/n {
			return nil, m.invalid("a tensor of shape %s in storage %q, which has %d values", describe(shape), s.key, s.count)
		}
		n *= d
		if step > 0 && d-1 > (s.count-last)/step {
			return nil, m.invalid("a tensor of shape %s and strides %s at value %d leaves storage %q, which has %d values",
				describe(shape), describe(stride), offset, s.key, s.count)
		}
		last += (d - 1) * step
	}
	if !empty && last >= s.count {
		return nil, m.invalid("a tensor of shape %s and strides %s at value %d leaves storage %q, which has %d values",
			describe(shape), describe(stride), offset, s.key, s.count)
	}
	return t, nil
}

// contiguous reports whether the elements of t lie side by side, in order.
func (t *Tensor) contiguous() bool {
	n := 1
	for i := len(t.Shape) - 1; i >= 0; i-- {
		if t.Shape[i] != 1 && t.Stride[i] != n {
			return false
		}
		n *= t.Shape[i]
	}
	return true
}

// Floats reads the elements of a tensor in row-major order, whatever its
// strides. Only tensors of floating-point values can be read; what is wider or
// narrower than float32 is converted.
func (f *File) Floats(t *Tensor) ([]float32, error) {
	if !t.DType.Float() {
		return nil, format.UnsupportedAt(f.Name, t.at, "values of type %s where floating-point numbers are wanted", t.DType)
	}
	n := t.Len()
	if n == 0 {
		return []float32{}, nil
	}
	if t.contiguous() {
		return f.span(t.storage, t.Offset, n)
	}
	last := t.Offset
	for i, d := range t.Shape {
		last += (d - 1) * t.Stride[i]
	}
	span, err := f.span(t.storage, t.Offset, last+1-t.Offset)
	if err != nil {
		return nil, err
	}
	out := make([]float32, n)
	index := make([]int, len(t.Shape))
	at := 0
	for i := range out {
		out[i] = span[at]
		for axis := len(index) - 1; axis >= 0; axis-- {
			index[axis]++
			at += t.Stride[axis]
			if index[axis] < t.Shape[axis] {
				break
			}
			at -= index[axis] * t.Stride[axis]
			index[axis] = 0
		}
	}
	return out, nil
}

// span reads n values of a storage from value first on. If that is all of them
// the checksum is compared.
func (f *File) span(s *storage, first, n int) ([]float32, error) {
	size := s.dtype.Size()
	out := make([]float32, n)
	buf := make([]byte, min(chunk, n*size))
	at := s.offset + int64(first)*int64(size)
	crc := uint32(0)
	for rest := out; len(rest) > 0; {
		k := min(len(buf)/size, len(rest))
		if err := f.readAt(buf[:k*size], at); err != nil {
			return nil, err
		}
		crc = crc32.Update(crc, crc32.IEEETable, buf[:k*size])
		s.dtype.Widen(rest[:k], buf)
		rest, at = rest[k:], at+int64(k*size)
	}
	if s.checked && int64(n) == s.count && crc != s.crc {
		return nil, format.InvalidAt(f.Name, s.offset, "storage %q: checksum %08x, the zip archive says %08x", s.key, crc, s.crc)
	}
	return out, nil
}
