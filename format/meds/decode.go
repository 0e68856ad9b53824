package meds

import (
	"errors"
	"math"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
)

var errIndex = errors.New("an index lies outside of its dictionary")

// spread appends one value for each definition level: the next of values where the
// level is 1, and null where it is 0. Without levels it appends all values.
func spread[T any](dst, values []T, levels []byte, null T, nullable bool) ([]T, error) {
	if len(levels) == 0 {
		return append(dst, values...), nil
	}
	k := 0
	for _, l := range levels {
		if l == 0 {
			if !nullable {
				return dst, errNull
			}
			dst = append(dst, null)
			continue
		}
		if k == len(values) {
			return dst, errIndex
		}
		dst = append(dst, values[k])
		k++
	}
	return dst, nil
}

// look returns table[i] for each index.
func look[T any](table []T, indices []int32) ([]T, error) {
	out := make([]T, len(indices))
	for k, i := range indices {
		if uint(i) >= uint(len(table)) {
			return nil, errIndex
		}
		out[k] = table[i]
	}
	return out, nil
}

// values returns what a page holds, nulls left out, from its dictionary if it has
// one; convert reads the plain type.
func values[T any](p parquet.Page, convert func(encoding.Values) []T) ([]T, error) {
	if d := p.Dictionary(); d != nil {
		data := p.Data()
		return look(convert(d.Page().Data()), data.Int32())
	}
	return convert(p.Data()), nil
}

func integers(dst []int64, p parquet.Page, null int64, nullable bool, change func(int64) int64) ([]int64, error) {
	v, err := values(p, func(e encoding.Values) []int64 {
		if e.Kind() == encoding.Int64 {
			return e.Int64()
		}
		var wide []int64
		for _, x := range e.Int32() {
			wide = append(wide, int64(x))
		}
		return wide
	})
	if err != nil {
		return dst, err
	}
	if change != nil {
		changed := make([]int64, len(v))
		for i, x := range v {
			changed[i] = change(x)
		}
		v = changed
	}
	return spread(dst, v, p.DefinitionLevels(), null, nullable)
}

func numbers(dst []float32, p parquet.Page) ([]float32, error) {
	v, err := values(p, func(e encoding.Values) []float32 {
		var out []float32
		switch e.Kind() {
		case encoding.Float:
			return e.Float()
		case encoding.Double:
			for _, x := range e.Double() {
				out = append(out, float32(x))
			}
		case encoding.Int32:
			for _, x := range e.Int32() {
				out = append(out, float32(x))
			}
		case encoding.Int64:
			for _, x := range e.Int64() {
				out = append(out, float32(x))
			}
		}
		return out
	})
	if err != nil {
		return dst, err
	}
	return spread(dst, v, p.DefinitionLevels(), float32(math.NaN()), true)
}

// byteStrings copies the values of a page once and cuts the copy.
func byteStrings(e encoding.Values) []string {
	b, offsets := e.ByteArray()
	if len(offsets) == 0 {
		return nil
	}
	all := string(b)
	out := make([]string, len(offsets)-1)
	for i := range out {
		out[i] = all[offsets[i]:offsets[i+1]]
	}
	return out
}

func texts(dst []string, p parquet.Page) ([]string, error) {
	v, err := values(p, byteStrings)
	if err != nil {
		return dst, err
	}
	return spread(dst, v, p.DefinitionLevels(), "", true)
}

// codes returns the numbers of the codes of a page; ids are those of its dictionary.
func codes(dst []int32, p parquet.Page, ids []int32, v *Vocabulary) ([]int32, error) {
	data := p.Data()
	var out []int32
	if p.Dictionary() != nil {
		var err error
		if out, err = look(ids, data.Int32()); err != nil {
			return dst, err
		}
	} else {
		b, offsets := data.ByteArray()
		for i := 0; i+1 < len(offsets); i++ {
			out = append(out, v.id(b[offsets[i]:offsets[i+1]]))
		}
	}
	return spread(dst, out, p.DefinitionLevels(), 0, false)
}
