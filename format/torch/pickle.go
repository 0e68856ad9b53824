package torch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"heed/format"
)

// errEnd is the cause of an error where a pickle ends too early.
var errEnd = errors.New("the pickle ends early")

// A machine runs a pickle: a stack of values, with marks, and a memo of values
// to use again. Its instructions build data. Those that would call a class or a
// function note its name instead (see reduce).
type machine struct {
	name     string
	base     int64  // of code in the file
	code     []byte // of one or more pickles
	legacy   bool   // the layout before PyTorch 1.6
	storages map[string]*storage

	op, at int // of this instruction, and of what comes next
	stack  []any
	marks  []int // heights of the stack
	memo   map[uint32]any
	pushed int
}

func (m *machine) invalid(reason string, args ...any) error {
	return format.InvalidAt(m.name, m.base+int64(m.op), reason, args...)
}

func (m *machine) unsupported(reason string, args ...any) error {
	return format.UnsupportedAt(m.name, m.base+int64(m.op), reason, args...)
}

// run executes instructions up to the first STOP and returns the value on top.
func (m *machine) run() (any, error) {
	m.memo = map[uint32]any{}
	for {
		m.op = m.at
		if m.at >= len(m.code) {
			return nil, m.invalid("%w", errEnd)
		}
		op := m.code[m.at]
		m.at++
		if op == '.' {
			v, err := m.pop()
			if err == nil && (len(m.stack) > 0 || len(m.marks) > 0) {
				return nil, m.invalid("the pickle ends with %d values on its stack, want 1", len(m.stack)+1)
			}
			return v, err
		}
		if err := m.step(op); err != nil {
			return nil, err
		}
	}
}

// step executes one instruction. Those that it knows are those of protocol 2,
// which PyTorch writes, and what later protocols have for the same data. The
// names are those of Python's pickletools.
func (m *machine) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		v, err := m.uint(1)
		if err == nil && v > 5 {
			return m.unsupported("pickle of protocol %d", v)
		}
		return err
	case 0x95: // FRAME
		_, err := m.uint(8)
		return err
	case 'N': // NONE
		return m.push(nil)
	case 0x88: // NEWTRUE
		return m.push(true)
	case 0x89: // NEWFALSE
		return m.push(false)
	case 'K': // BININT1
		return m.pushUint(1)
	case 'M': // BININT2
		return m.pushUint(2)
	case 'J': // BININT
		v, err := m.uint(4)
		return m.pushOr(int64(int32(v)), err)
	case 0x8a: // LONG1
		return m.pushLong(1)
	case 0x8b: // LONG4
		return m.pushLong(4)
	case 'G': // BINFLOAT, the one number that is big-endian
		b, err := m.take(8)
		if err != nil {
			return err
		}
		return m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	case 'X': // BINUNICODE
		return m.pushString(4)
	case 0x8c: // SHORT_BINUNICODE
		return m.pushString(1)
	case 0x8d: // BINUNICODE8
		return m.pushString(8)
	case 'U': // SHORT_BINSTRING
		return m.pushString(1)
	case 'T': // BINSTRING
		return m.pushString(4)
	case 'C': // SHORT_BINBYTES
		return m.pushBytes(1)
	case 'B': // BINBYTES
		return m.pushBytes(4)
	case 0x8e, 0x96: // BINBYTES8, BYTEARRAY8
		return m.pushBytes(8)
	case '(': // MARK
		m.marks = append(m.marks, len(m.stack))
		return m.count()
	case '0': // POP
		if n := len(m.marks); n > 0 && m.marks[n-1] == len(m.stack) {
			m.marks = m.marks[:n-1]
			return nil
		}
		_, err := m.pop()
		return err
	case '1': // POP_MARK
		_, err := m.popMark()
		return err
	case '2': // DUP
		v, err := m.top()
		return m.pushOr(v, err)
	case ')': // EMPTY_TUPLE
		return m.push(Tuple{})
	case 't': // TUPLE
		items, err := m.popMark()
		return m.pushOr(Tuple(items), err)
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		items, err := m.popN(int(op) - 0x84)
		return m.pushOr(Tuple(items), err)
	case ']': // EMPTY_LIST
		return m.push(&List{})
	case 'a': // APPEND
		items, err := m.popN(1)
		return m.extend(items, err)
	case 'e': // APPENDS
		items, err := m.popMark()
		return m.extend(items, err)
	case '}': // EMPTY_DICT
		return m.push(&Dict{})
	case 's': // SETITEM
		items, err := m.popN(2)
		return m.setItems(items, err)
	case 'u': // SETITEMS
		items, err := m.popMark()
		return m.setItems(items, err)
	case 0x8f: // EMPTY_SET
		return m.push(&Set{})
	case 0x90: // ADDITEMS
		items, err := m.popMark()
		return m.extend(items, err)
	case 0x91: // FROZENSET
		items, err := m.popMark()
		return m.pushOr(&Set{items}, err)
	case 'q': // BINPUT
		return m.put(1)
	case 'r': // LONG_BINPUT
		return m.put(4)
	case 0x94: // MEMOIZE
		v, err := m.top()
		m.memo[uint32(len(m.memo))] = v
		return err
	case 'h': // BINGET
		return m.get(1)
	case 'j': // LONG_BINGET
		return m.get(4)
	case 'c': // GLOBAL
		return m.global()
	case 0x93: // STACK_GLOBAL
		return m.stackGlobal()
	case 'Q': // BINPERSID
		return m.persistent()
	case 'R': // REDUCE
		return m.reduce()
	case 0x81: // NEWOBJ
		return m.newObject(2)
	case 0x92: // NEWOBJ_EX
		return m.newObject(3)
	case 'b': // BUILD
		return m.build()
	}
	return m.unsupported("pickle instruction 0x%02x", op)
}

// take returns the next n bytes, which it does not copy.
func (m *machine) take(n uint64) ([]byte, error) {
	if n > uint64(len(m.code)-m.at) {
		return nil, m.invalid("%w: %d bytes wanted, there are %d", errEnd, n, len(m.code)-m.at)
	}
	b := m.code[m.at : m.at+int(n)]
	m.at += int(n)
	return b, nil
}

// uint reads an unsigned number of n bytes, little-endian.
func (m *machine) uint(n int) (uint64, error) {
	b, err := m.take(uint64(n))
	var v uint64
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v, err
}

// count limits how many values a pickle makes.
func (m *machine) count() error {
	if m.pushed++; m.pushed > MaxValues {
		return format.TooLargeAt(m.name, m.base+int64(m.op), "a pickle of more than %d values", MaxValues)
	}
	return nil
}

func (m *machine) push(v any) error {
	m.stack = append(m.stack, v)
	return m.count()
}

func (m *machine) pushOr(v any, err error) error {
	if err != nil {
		return err
	}
	return m.push(v)
}

func (m *machine) pushUint(n int) error {
	v, err := m.uint(n)
	return m.pushOr(int64(v), err)
}

// pushLong pushes a whole number in two's complement, little-endian.
func (m *machine) pushLong(n int) error {
	size, err := m.uint(n)
	if err != nil {
		return err
	}
	b, err := m.take(size)
	if err != nil {
		return err
	}
	if len(b) > 8 {
		return m.unsupported("a whole number of %d bytes, limit 8", len(b))
	}
	var v int64
	for i, x := range b {
		v |= int64(x) << (8 * i)
	}
	if n := len(b); n > 0 && n < 8 && b[n-1] >= 0x80 {
		v -= 1 << (8 * n)
	}
	return m.push(v)
}

func (m *machine) pushString(n int) error {
	size, err := m.uint(n)
	if err != nil {
		return err
	}
	b, err := m.take(size)
	return m.pushOr(string(b), err)
}

func (m *machine) pushBytes(n int) error {
	size, err := m.uint(n)
	if err != nil {
		return err
	}
	b, err := m.take(size)
	return m.pushOr(append([]byte{}, b...), err)
}

// floor returns the height of the stack below which no instruction reaches.
func (m *machine) floor() int {
	if n := len(m.marks); n > 0 {
		return m.marks[n-1]
	}
	return 0
}

func (m *machine) top() (any, error) {
	if len(m.stack) <= m.floor() {
		return nil, m.invalid("the stack is empty")
	}
	return m.stack[len(m.stack)-1], nil
}

func (m *machine) pop() (any, error) {
	v, err := m.top()
	if err == nil {
		m.stack = m.stack[:len(m.stack)-1]
	}
	return v, err
}

// popN takes the n values on top of the stack.
func (m *machine) popN(n int) ([]any, error) {
	if len(m.stack)-n < m.floor() {
		return nil, m.invalid("%d values wanted, the stack has %d", n, len(m.stack)-m.floor())
	}
	return m.cut(len(m.stack) - n), nil
}

// popMark takes all values above the last mark.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, m.invalid("no mark on the stack")
	}
	at := m.floor()
	m.marks = m.marks[:len(m.marks)-1]
	return m.cut(at), nil
}

func (m *machine) cut(at int) []any {
	items := append([]any{}, m.stack[at:]...)
	clear(m.stack[at:])
	m.stack = m.stack[:at]
	return items
}

func (m *machine) put(n int) error {
	i, err := m.uint(n)
	if err != nil {
		return err
	}
	v, err := m.top()
	if err == nil {
		m.memo[uint32(i)] = v
	}
	return err
}

func (m *machine) get(n int) error {
	i, err := m.uint(n)
	if err != nil {
		return err
	}
	v, ok := m.memo[uint32(i)]
	if !ok {
		return m.invalid("value %d is not in the memo", i)
	}
	return m.push(v)
}

// describe names a value in messages without following it.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case string:
		if len(v) > 60 {
			v = v[:60] + "..."
		}
		return fmt.Sprintf("%q", v)
	case bool, int64, float64:
		return fmt.Sprint(v)
	case Class:
		return v.String()
	case *Object:
		return "an object of " + v.Class.String()
	case *Tensor:
		return v.String()
	case Tuple:
		text := "("
		for i, x := range v[:min(len(v), MaxRank)] {
			if i > 0 {
				text += ", "
			}
			if n, ok := x.(int64); ok {
				text += fmt.Sprint(n)
			} else {
				text += fmt.Sprintf("%T", x)
			}
		}
		return text + ")"
	}
	return fmt.Sprintf("a %T", v)
}
