package dicom

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/flate"

	"heed/format"
)

// A Reader says how much to read.
type Reader struct {
	MaxBytes int64 // greatest size of a file, inflated; 0 means format.MaxArray
}

// maxDepth is how deep sequences may lie in one another.
const maxDepth = 32

// Open reads a file, as [Reader.Open] of the zero Reader does.
func Open(path string) (*File, error) { return Reader{}.Open(path) }

// Open reads a file, gzipped or not.
func (d Reader) Open(path string) (*File, error) {
	r, err := format.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return d.Read(path, r)
}

// Read reads a file. Values share the memory of the whole. Errors have name and
// offset.
func (d Reader) Read(name string, r io.Reader) (*File, error) {
	if d.MaxBytes <= 0 {
		d.MaxBytes = format.MaxArray
	}
	b, err := d.all(name, r)
	if err != nil {
		return nil, err
	}
	return d.parse(name, b)
}

func (d Reader) all(name string, r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, d.MaxBytes+1))
	if err != nil {
		var corrupt flate.CorruptInputError
		if errors.As(err, &corrupt) {
			return nil, format.InvalidAt(name, 0, "deflated data set is damaged")
		}
		return nil, format.CutOff(name, int64(len(b)), err)
	}
	if int64(len(b)) > d.MaxBytes {
		return nil, format.TooLargeAt(name, 0, "more than %d bytes", d.MaxBytes)
	}
	return b, nil
}

// Is says whether bytes, 132 or more, begin with the preamble of DICOM. Old files
// have none.
func Is(head []byte) bool { return len(head) >= 132 && string(head[128:132]) == "DICM" }

func (d Reader) parse(name string, b []byte) (*File, error) {
	f := &File{Name: name, Syntax: explicitLittle}
	p := parser{name: name, b: b, end: len(b), order: binary.LittleEndian, explicit: true}
	f.Meta.order = p.order
	if Is(b) {
		p.at = 132
	} else if f.Syntax = bare(b); f.Syntax == "" {
		return nil, format.InvalidAt(name, 0, "not DICOM: no DICM at offset 128, and no group 2 or 8 at the start")
	}
	// The header is always explicit and little-endian.
	for p.end-p.at >= 8 && binary.LittleEndian.Uint16(b[p.at:]) == 2 {
		e, err := p.element(0)
		if err != nil {
			return nil, err
		}
		f.Meta.Elements = append(f.Meta.Elements, e)
	}
	if uid := f.Meta.Text(0x00020010); uid != "" {
		f.Syntax = uid
	} else if Is(b) {
		f.Syntax = bare(b[p.at:])
	}
	if f.Syntax == deflatedLittle {
		inflated, err := d.all(name, flate.NewReader(bytes.NewReader(b[p.at:])))
		if err != nil {
			return nil, err
		}
		p.b, p.at, p.end = inflated, 0, len(inflated)
	}
	p.explicit = f.Syntax != implicitLittle
	if f.Syntax == explicitBig {
		p.order = binary.BigEndian
	}
	set, err := p.dataset(0)
	if err != nil {
		return nil, err
	}
	f.Dataset = *set
	return f, nil
}

// bare guesses the coding of a data set without a header: it begins with a low
// group, and has a VR or has none.
func bare(b []byte) string {
	if len(b) < 8 {
		return ""
	}
	g := binary.LittleEndian.Uint16(b)
	if g != 8 && g != 2 || binary.LittleEndian.Uint16(b[2:]) > 0x1000 {
		return ""
	}
	if isVR(string(b[4:6])) {
		return explicitLittle
	}
	return implicitLittle
}

const (
	shortVRs = "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US"
	longVRs  = "OB OD OF OL OV OW SQ SV UC UN UR UT UV"
)

func isVR(s string) bool {
	return isLong(s) || strings.Contains(shortVRs, s) && s[0] > ' ' && s[1] > ' '
}

func isLong(s string) bool {
	return strings.Contains(longVRs, s) && s[0] > ' ' && s[1] > ' '
}

// A parser reads elements of b from at to end.
type parser struct {
	name     string
	b        []byte
	at, end  int
	order    binary.ByteOrder
	explicit bool
}

const undefined = 0xffffffff

func (p *parser) invalid(at int, reason string, args ...any) error {
	return format.InvalidAt(p.name, int64(at), reason, args...)
}

// dataset reads elements to the end, or in an item of undefined length to its
// delimiter.
func (p *parser) dataset(depth int) (*Dataset, error) {
	if depth > maxDepth {
		return nil, format.TooLargeAt(p.name, int64(p.at), "sequences lie more than %d deep", maxDepth)
	}
	d := &Dataset{order: p.order}
	for p.at < p.end {
		if p.end-p.at < 8 {
			// Some files are padded with zeros.
			if len(bytes.Trim(p.b[p.at:p.end], "\x00")) == 0 {
				p.at = p.end
				break
			}
			return nil, p.invalid(p.at, "file is cut off within an element")
		}
		if p.tag(p.at) == tagItemEnd {
			break
		}
		e, err := p.element(depth)
		if err != nil {
			return nil, err
		}
		d.Elements = append(d.Elements, e)
	}
	// The standard wants rising tags; not all programs keep to it.
	byTag := func(a, b Element) int { return cmp.Compare(a.Tag, b.Tag) }
	if !slices.IsSortedFunc(d.Elements, byTag) {
		slices.SortStableFunc(d.Elements, byTag)
	}
	for i := 1; i < len(d.Elements); i++ {
		if d.Elements[i].Tag == d.Elements[i-1].Tag {
			return nil, p.invalid(int(d.Elements[i].at), "%s for the second time", d.Elements[i].Tag)
		}
	}
	return d, nil
}

func (p *parser) tag(at int) Tag {
	return Tag(p.order.Uint16(p.b[at:]))<<16 | Tag(p.order.Uint16(p.b[at+2:]))
}

// element reads one element; eight bytes are there.
func (p *parser) element(depth int) (Element, error) {
	start := p.at
	e := Element{Tag: p.tag(start), at: int64(start)}
	var length uint32
	switch {
	case e.Tag.group() == 0xfffe:
		return e, p.invalid(start, "%s outside of a sequence", e.Tag)
	case !p.explicit:
		length = p.order.Uint32(p.b[start+4:])
		e.VR, _ = Lookup(e.Tag)
		if e.VR == "" {
			e.VR = "UN"
		}
		p.at += 8
	default:
		e.VR = string(p.b[start+4 : start+6])
		switch {
		case isLong(e.VR):
			if p.end-start < 12 {
				return e, p.invalid(start, "file is cut off within %s", e.Tag)
			}
			length = p.order.Uint32(p.b[start+8:])
			p.at += 12
		case isVR(e.VR):
			length = uint32(p.order.Uint16(p.b[start+6:]))
			p.at += 8
		default:
			return e, p.invalid(start, "%s has no value representation", e.Tag)
		}
	}
	if length != undefined && int64(length) > int64(p.end-p.at) {
		return e, p.invalid(start, "%s has %d bytes, but %d are left: file is cut off or damaged", e.Tag, length, p.end-p.at)
	}
	switch {
	case e.Tag == tagPixels && length == undefined:
		return e, p.fragments(&e)
	case e.VR == "SQ" || length == undefined:
		return e, p.sequence(&e, length, depth)
	}
	e.Value = p.b[p.at : p.at+int(length)]
	p.at += int(length)
	return e, nil
}

// sequence reads items. A value of unknown VR and undefined length is a sequence in
// implicit VR (PS3.5, 6.2.2).
func (p *parser) sequence(e *Element, length uint32, depth int) error {
	in := *p
	if length != undefined {
		in.end = p.at + int(length)
	}
	if e.VR == "UN" && p.explicit {
		in.explicit, in.order = false, binary.LittleEndian
	}
	for in.at < in.end {
		if in.end-in.at < 8 {
			return p.invalid(in.at, "file is cut off within %s", e.Tag)
		}
		tag, start := in.tag(in.at), in.at
		n := in.order.Uint32(in.b[in.at+4:])
		in.at += 8
		if tag == tagSequenceEnd && length == undefined {
			p.at = in.at
			return nil
		}
		if tag != tagItem {
			return p.invalid(start, "%s in the sequence %s, want an item", tag, e.Tag)
		}
		item := in
		if n != undefined {
			if int64(n) > int64(in.end-in.at) {
				return p.invalid(start, "item of %s has %d bytes, but %d are left: file is cut off or damaged", e.Tag, n, in.end-in.at)
			}
			item.end = in.at + int(n)
		}
		d, err := item.dataset(depth + 1)
		if err != nil {
			return err
		}
		e.Items = append(e.Items, d)
		in.at = item.at
		if n == undefined {
			if in.end-in.at < 8 || in.tag(in.at) != tagItemEnd {
				return p.invalid(in.at, "file is cut off within %s", e.Tag)
			}
			in.at += 8
		} else if in.at != item.end {
			return p.invalid(in.at, "item of %s ends early", e.Tag)
		}
	}
	if length == undefined {
		return p.invalid(in.at, "file is cut off within %s", e.Tag)
	}
	p.at = in.at
	return nil
}

// fragments reads compressed pixels.
func (p *parser) fragments(e *Element) error {
	for {
		if p.end-p.at < 8 {
			return p.invalid(p.at, "file is cut off within the pixels")
		}
		tag, start := p.tag(p.at), p.at
		n := p.order.Uint32(p.b[p.at+4:])
		p.at += 8
		switch {
		case tag == tagSequenceEnd:
			return nil
		case tag != tagItem:
			return p.invalid(start, "%s in the pixels, want an item", tag)
		case int64(n) > int64(p.end-p.at):
			return p.invalid(start, "fragment of %d bytes, but %d are left: file is cut off or damaged", n, p.end-p.at)
		}
		e.Fragments = append(e.Fragments, p.b[p.at:p.at+int(n)])
		p.at += int(n)
	}
}

// Bare says whether bytes look like a data set without preamble and header, as in old
// files.
func Bare(head []byte) bool { return bare(head) != "" }
