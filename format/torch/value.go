package torch

import (
	"fmt"

	"heed/format"
)

// What a pickle makes is one of: nil, bool, int64, float64, string, []byte,
// Tuple, *List, *Dict, *Set, Class, *Tensor, *Object.

// A Tuple is a tuple of Python, a torch.Size among them.
type Tuple []any

// A List is a list of Python.
type List struct{ Items []any }

// A Set is a set or a frozen set of Python, in the order of the file.
type Set struct{ Items []any }

// A Dict is a dictionary, ordered or not, in the order of the file.
type Dict struct {
	Keys, Values []any

	index map[string]int // of the keys that are strings
}

// Get returns the value of a key, or nil. A nil Dict is empty.
func (d *Dict) Get(key string) any {
	if d == nil {
		return nil
	}
	if i, ok := d.index[key]; ok {
		return d.Values[i]
	}
	return nil
}

// set appends a pair, or replaces the value of a string that is there already.
func (d *Dict) set(key, value any) {
	if s, ok := key.(string); ok {
		if i, ok := d.index[s]; ok {
			d.Values[i] = value
			return
		}
		if d.index == nil {
			d.index = map[string]int{}
		}
		d.index[s] = len(d.Keys)
	}
	d.Keys, d.Values = append(d.Keys, key), append(d.Values, value)
}

// A Class is the name of a class or a function of Python.
type Class struct{ Module, Name string }

func (c Class) String() string { return c.Module + "." + c.Name }

// An Object is an instance of a class that means nothing here. It holds what
// the file would have given to Python to make it.
type Object struct {
	Class Class
	Args  Tuple
	State any   // usually a *Dict of its attributes
	Items []any // appended, for a class that is a list
	Dict  Dict  // set by key, for a class that is a dictionary
}

// Get returns an attribute, or an entry if the class is a dictionary, or nil.
func (o *Object) Get(key string) any {
	if d, ok := o.State.(*Dict); ok {
		if v := d.Get(key); v != nil {
			return v
		}
	}
	return o.Dict.Get(key)
}

// storageTypes are the classes of torch that stand for a type of value.
var storageTypes = map[string]format.DType{
	"DoubleStorage": format.F64, "FloatStorage": format.F32, "HalfStorage": format.F16, "BFloat16Storage": format.BF16,
	"LongStorage": format.I64, "IntStorage": format.I32, "ShortStorage": format.I16, "CharStorage": format.I8,
	"ByteStorage": format.U8, "BoolStorage": format.Bool,
}

// A storage is the memory that tensors are views of.
type storage struct {
	key   string
	dtype format.DType
	count int64 // values
	at    int64 // of the instruction that named it first

	offset  int64  // of its first byte in the file
	crc     uint32 // of all its bytes
	checked bool   // crc is known
}

// A Tensor is a view of a storage: its element (i, j, ...) is value
// Offset + i·Stride[0] + j·Stride[1] + ... of the storage.
type Tensor struct {
	DType  format.DType
	Shape  []int
	Stride []int // in values, 0 or more
	Offset int   // in values

	storage *storage
	at      int64 // of the instruction that made it
}

// Len returns the number of elements.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

func (t *Tensor) String() string { return fmt.Sprintf("tensor %v of %s", t.Shape, t.DType) }
