// Package dicom reads DICOM files, stacks the slices of a series into a volume,
// and removes from files what identifies a patient.
//
//	folder, err := dicom.Scan("study")      // which series there are, and what is wrong with them
//	v, err := folder.Series[0].Load()       // a format.Volume, in HU for a CT
//	f, err := dicom.Open("slice.dcm")       // one file, as a tree of elements
//	changed, err := dicom.Deidentify(f, p)  // after PS3.15, annex E
//
// Files with and without the preamble are read, in implicit and explicit VR, both
// byte orders, deflated; pixels plain, RLE, JPEG baseline and JPEG lossless. JPEG
// 2000, JPEG-LS and others are refused by name.
//
// No error, warning or report of this package holds a value that could name
// somebody, nor the name of a file below the folder that the caller gave: a file of
// a folder is called by its place in the order of names. Values that describe the
// geometry and the coding of pixels are shown.
//
// Source: DICOM PS3.3, PS3.5, PS3.6, PS3.10 and PS3.15. The dictionary is table 6-1
// of PS3.6.
package dicom

import (
	_ "embed" // the dictionary
	"encoding/binary"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
)

// A Tag is the group (upper half) and number of an attribute.
type Tag uint32

// String returns the tag as the standard writes it: "(0010,0020)".
func (t Tag) String() string { return fmt.Sprintf("(%04X,%04X)", uint32(t)>>16, uint32(t)&0xffff) }

// Private says whether the attribute is a manufacturer's own.
func (t Tag) Private() bool { return t>>16&1 == 1 }

func (t Tag) group() uint32 { return uint32(t) >> 16 }

// The dictionary has one line for each attribute, in the order of tags: eight
// hexadecimal digits, VR and keyword.
//
//go:embed dictionary.tsv
var dictionary string

// Lookup returns the VR and the keyword of a standard attribute: ("PN",
// "PatientName"), and empty strings for one that is none, overlays among them.
func Lookup(t Tag) (vr, keyword string) {
	key := fmt.Sprintf("%08X", uint32(t))
	// Binary search over the bytes, to the beginning of a line each time.
	low, high := 0, len(dictionary)
	for low < high {
		mid := (low + high) / 2
		start := strings.LastIndexByte(dictionary[:mid], '\n') + 1
		end := start + strings.IndexByte(dictionary[start:], '\n')
		line := dictionary[start:end]
		switch {
		case line[:8] == key:
			vr, keyword, _ = strings.Cut(line[9:], "\t")
			return vr, keyword
		case line[:8] < key:
			low = end + 1
		default:
			high = start
		}
	}
	return "", ""
}

// A File is a file of DICOM: its header and its data set.
type File struct {
	Name   string // in errors
	Syntax string // UID of the transfer syntax
	Meta   Dataset
	Dataset
}

// A Dataset is a list of elements in the order of the file.
type Dataset struct {
	Elements []Element
	order    binary.ByteOrder
}

// An Element is an attribute with its value: bytes, items of a sequence, or the
// fragments of compressed pixels.
type Element struct {
	Tag       Tag
	VR        string
	Value     []byte
	Items     []*Dataset
	Fragments [][]byte // the first is the table of offsets

	at int64
}

// Find returns an element, nil if the data set has none.
func (d *Dataset) Find(t Tag) *Element {
	i := sort.Search(len(d.Elements), func(i int) bool { return d.Elements[i].Tag >= t })
	if i < len(d.Elements) && d.Elements[i].Tag == t {
		return &d.Elements[i]
	}
	return nil
}

// Text returns a value as text without its padding, "" if there is none.
func (d *Dataset) Text(t Tag) string {
	e := d.Find(t)
	if e == nil {
		return ""
	}
	return strings.Trim(string(e.Value), " \x00")
}

// Numbers returns the values of a numeric attribute, in text (DS, IS) or binary;
// none if it is absent or empty. A value that is no number is an error, which does
// not show it.
func (d *Dataset) Numbers(t Tag) ([]float64, error) {
	e := d.Find(t)
	if e == nil || len(e.Value) == 0 {
		return nil, nil
	}
	size := 0
	switch e.VR {
	case "US", "SS":
		size = 2
	case "UL", "SL", "FL":
		size = 4
	case "FD":
		size = 8
	default:
		text := strings.Trim(string(e.Value), " \x00")
		if text == "" {
			return nil, nil
		}
		parts := strings.Split(text, `\`)
		out := make([]float64, len(parts))
		for i, p := range parts {
			v, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
			if err != nil {
				return nil, fmt.Errorf("%s: value %d is no number", describe(t), i+1)
			}
			out[i] = v
		}
		return out, nil
	}
	if len(e.Value)%size != 0 {
		return nil, fmt.Errorf("%s: %d bytes are not numbers of %d", describe(t), len(e.Value), size)
	}
	var out []float64
	for b := e.Value; len(b) > 0; b = b[size:] {
		switch e.VR {
		case "US":
			out = append(out, float64(d.order.Uint16(b)))
		case "SS":
			out = append(out, float64(int16(d.order.Uint16(b))))
		case "UL":
			out = append(out, float64(d.order.Uint32(b)))
		case "SL":
			out = append(out, float64(int32(d.order.Uint32(b))))
		case "FL":
			out = append(out, float64(math.Float32frombits(d.order.Uint32(b))))
		case "FD":
			out = append(out, math.Float64frombits(d.order.Uint64(b)))
		}
	}
	return out, nil
}

// vector returns the n finite values of an attribute, nil if it is absent.
func (d *Dataset) vector(t Tag, n int) ([]float64, error) {
	v, err := d.Numbers(t)
	if err != nil || v == nil {
		return nil, err
	}
	if len(v) != n {
		return nil, fmt.Errorf("%s: %d values, want %d", describe(t), len(v), n)
	}
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("%s: a value is %v", describe(t), x)
		}
	}
	return v, nil
}

// integer returns the first value of an attribute, or absent.
func (d *Dataset) integer(t Tag, absent int) (int, error) {
	v, err := d.Numbers(t)
	if err != nil || len(v) == 0 {
		return absent, err
	}
	if v[0] != math.Trunc(v[0]) || math.Abs(v[0]) > 1<<40 {
		return 0, fmt.Errorf("%s: value is no integer", describe(t))
	}
	return int(v[0]), nil
}

// item returns the first item of a sequence, nil if there is none.
func (d *Dataset) item(t Tag) *Dataset {
	if d == nil {
		return nil
	}
	if e := d.Find(t); e != nil && len(e.Items) > 0 {
		return e.Items[0]
	}
	return nil
}

// describe names an attribute in a message.
func describe(t Tag) string {
	if _, keyword := Lookup(t); keyword != "" {
		return keyword + " " + t.String()
	}
	return t.String()
}
