package dicom

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// implementation identifies this program in the files it writes: a UID made of a
// UUID, as PS3.5, annex B.2 allows.
const implementation = "2.25.302850713861295404136217460829451837364"

// Write writes a file with preamble and header, in the transfer
// syntax of f; a deflated file is written as Explicit VR Little Endian. Sequences
// get undefined lengths. Lengths of groups, which the standard has retired, are left
// out.
func Write(w io.Writer, f *File) error {
	e := encoder{order: binary.LittleEndian, explicit: true}
	syntax := f.Syntax
	if syntax == deflatedLittle {
		syntax = explicitLittle
	}
	meta := Dataset{order: binary.LittleEndian, Elements: []Element{
		{Tag: 0x00020001, VR: "OB", Value: []byte{0, 1}},
		{Tag: 0x00020002, VR: "UI", Value: []byte(f.Text(tagSOPClass))},
		{Tag: 0x00020003, VR: "UI", Value: []byte(f.Text(tagSOPInstance))},
		{Tag: 0x00020010, VR: "UI", Value: []byte(syntax)},
		{Tag: 0x00020012, VR: "UI", Value: []byte(implementation)},
		{Tag: 0x00020013, VR: "SH", Value: []byte("HEED")},
	}}
	if err := e.dataset(&meta); err != nil {
		return err
	}
	head := make([]byte, 128, 160)
	head = append(head, "DICM\x02\x00\x00\x00UL\x04\x00"...)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(e.b)))
	head = append(head, e.b...)
	e.b = e.b[:0]
	if syntax == explicitBig {
		e.order = binary.BigEndian
	}
	e.explicit = syntax != implicitLittle
	if err := e.dataset(&f.Dataset); err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(e.b)
	return err
}

type encoder struct {
	b        []byte
	order    binary.ByteOrder
	explicit bool
}

func (e *encoder) u16(v uint16) {
	if e.order == binary.BigEndian {
		e.b = binary.BigEndian.AppendUint16(e.b, v)
	} else {
		e.b = binary.LittleEndian.AppendUint16(e.b, v)
	}
}

func (e *encoder) u32(v uint32) {
	if e.order == binary.BigEndian {
		e.b = binary.BigEndian.AppendUint32(e.b, v)
	} else {
		e.b = binary.LittleEndian.AppendUint32(e.b, v)
	}
}

// head writes tag, VR and length.
func (e *encoder) head(t Tag, vr string, length uint32) error {
	e.u16(uint16(t >> 16))
	e.u16(uint16(t))
	switch {
	case !e.explicit || vr == "":
		e.u32(length)
	case isLong(vr):
		e.b = append(e.b, vr[0], vr[1], 0, 0)
		e.u32(length)
	case !isVR(vr):
		return fmt.Errorf("dicom: %s has no value representation", t)
	case length > math.MaxUint16:
		return fmt.Errorf("dicom: %s has %d bytes, which its value representation cannot have", t, length)
	default:
		e.b = append(e.b, vr[0], vr[1])
		e.u16(uint16(length))
	}
	return nil
}

func (e *encoder) dataset(d *Dataset) error {
	for i := range d.Elements {
		if err := e.element(&d.Elements[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) element(x *Element) error {
	switch {
	case x.Tag&0xffff == 0:
		return nil // length of a group
	case x.Fragments != nil:
		if err := e.head(x.Tag, x.VR, undefined); err != nil {
			return err
		}
		for _, f := range x.Fragments {
			e.head(tagItem, "", uint32(len(f)))
			e.b = append(e.b, f...)
		}
		return e.head(tagSequenceEnd, "", 0)
	case x.VR == "SQ":
		if err := e.head(x.Tag, x.VR, undefined); err != nil {
			return err
		}
		for _, item := range x.Items {
			e.head(tagItem, "", undefined)
			if err := e.dataset(item); err != nil {
				return err
			}
			e.head(tagItemEnd, "", 0)
		}
		return e.head(tagSequenceEnd, "", 0)
	case x.Items != nil:
		return fmt.Errorf("dicom: %s is a sequence of unknown value representation", x.Tag)
	}
	if int64(len(x.Value)) >= undefined-1 {
		return fmt.Errorf("dicom: %s has %d bytes", x.Tag, len(x.Value))
	}
	odd := len(x.Value) & 1
	if err := e.head(x.Tag, x.VR, uint32(len(x.Value)+odd)); err != nil {
		return err
	}
	e.b = append(e.b, x.Value...)
	if odd == 1 {
		pad := byte(' ')
		if x.VR == "UI" || x.VR == "OB" || x.VR == "UN" {
			pad = 0
		}
		e.b = append(e.b, pad)
	}
	return nil
}
