package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A walker goes over a message of Thrift's compact protocol, which tells the type of
// every field, and holds what is claimed against what is there.
type walker struct {
	b        []byte
	at       int
	elements int // of lists so far
}

var (
	errShort    = errors.New("it is cut off")
	errElements = errors.New("too many elements")
)

// Types of the compact protocol.
const (
	isTrue = iota + 1
	isFalse
	isByte
	isInt16
	isInt32
	isInt64
	isDouble
	isBinary
	isList
	isSet
	isMap
	isStruct
	isUUID
)

// message passes over one struct.
func (w *walker) message() error { return w.structure(0) }

func (w *walker) structure(depth int) error {
	if depth > 24 {
		return errors.New("too many structures in structures")
	}
	for {
		head, err := w.byte()
		if err != nil || head == 0 {
			return err
		}
		if head>>4 == 0 { // the number of the field follows
			if _, err := w.varint(); err != nil {
				return err
			}
		}
		if kind := head & 15; kind != isTrue && kind != isFalse { // the value of these is their type
			if err := w.value(kind, depth); err != nil {
				return err
			}
		}
	}
}

func (w *walker) value(kind byte, depth int) error {
	switch kind {
	case isTrue, isFalse, isByte:
		return w.skip(1)
	case isInt16, isInt32, isInt64:
		_, err := w.varint()
		return err
	case isDouble:
		return w.skip(8)
	case isUUID:
		return w.skip(16)
	case isBinary:
		n, err := w.varint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case isList, isSet:
		head, err := w.byte()
		if err != nil {
			return err
		}
		n := uint64(head >> 4)
		if n == 15 {
			if n, err = w.varint(); err != nil {
				return err
			}
		}
		return w.list(n, depth, head&15)
	case isMap:
		n, err := w.varint()
		if err != nil || n == 0 {
			return err
		}
		kinds, err := w.byte()
		if err != nil {
			return err
		}
		return w.list(n, depth, kinds>>4, kinds&15)
	case isStruct:
		return w.structure(depth + 1)
	}
	return fmt.Errorf("a field of the type %d", kind)
}

// list passes over n elements, each a value of every kind.
func (w *walker) list(n uint64, depth int, kinds ...byte) error {
	if n > uint64(len(w.b)-w.at) { // each takes a byte at least
		return errShort
	}
	if w.elements += int(n); w.elements > MaxElements {
		return errElements
	}
	for range n {
		for _, k := range kinds {
			if err := w.value(k, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walker) byte() (byte, error) {
	if w.at >= len(w.b) {
		return 0, errShort
	}
	w.at++
	return w.b[w.at-1], nil
}

func (w *walker) skip(n uint64) error {
	if n > uint64(len(w.b)-w.at) {
		return errShort
	}
	w.at += int(n)
	return nil
}

func (w *walker) varint() (uint64, error) {
	x, n := binary.Uvarint(w.b[w.at:])
	if n == 0 {
		return 0, errShort
	}
	if n < 0 {
		return 0, errors.New("a number of more than 64 bits")
	}
	w.at += n
	return x, nil
}
