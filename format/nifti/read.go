package nifti

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"heed/format"
)

// A Reader says what to read. The zero value reads files of one volume.
type Reader struct {
	MaxVoxels int  // greatest number of voxels; 0 means format.MaxVoxels
	Frame     int  // which volume of a series to read, from 1; 0 wants a file of one
	QForm     bool // let the qform count, where there is one, as ITK does
}

// maxExtensions is how many bytes may stand between header and voxels.
const maxExtensions = 64 << 20

// Open reads a file, as [Reader.Open] of the zero Reader does.
func Open(path string) (*Image, error) { return Reader{}.Open(path) }

// Open reads a .nii or .nii.gz file.
func (d Reader) Open(path string) (*Image, error) {
	r, err := format.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return d.Read(path, r)
}

// Is says whether bytes, 348 or more, begin with a header of NIfTI.
func Is(head []byte) bool {
	_, _, ok := byteOrder(head)
	return ok
}

// byteOrder finds version and byte order by the size of the header and the magic.
func byteOrder(b []byte) (order binary.ByteOrder, version int, ok bool) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if len(b) < 348 {
			return nil, 0, false
		}
		switch order.Uint32(b) {
		case 348:
			return order, 1, string(b[344:347]) == "n+1" || string(b[344:347]) == "ni1"
		case 540:
			return order, 2, string(b[4:7]) == "n+2" || string(b[4:7]) == "ni2"
		}
	}
	return nil, 0, false
}

// A header holds the fields of both versions that are used.
type header struct {
	dim              [8]int64
	datatype         int
	pixdim           [8]float64
	offset           int64
	slope, intercept float64
	qcode, scode     int
	q                [6]float64 // b, c, d and the offsets
	s                format.Affine
	units            byte
}

// Read reads a file that has been decompressed. Errors have name and offset.
func (d Reader) Read(name string, r io.Reader) (*Image, error) {
	if d.MaxVoxels <= 0 {
		d.MaxVoxels = format.MaxVoxels
	}
	b := make([]byte, 540)
	n, err := io.ReadFull(r, b[:348])
	order, version, ok := byteOrder(b[:n])
	if !ok {
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, format.CutOff(name, int64(n), err)
		}
		if n == 348 && (binary.LittleEndian.Uint32(b) == 348 || binary.BigEndian.Uint32(b) == 348) {
			return nil, format.UnsupportedAt(name, 344, "Analyze 7.5, which does not say what is left and what right; convert it to NIfTI")
		}
		return nil, format.InvalidAt(name, 0, "not NIfTI: no header of 348 or 540 bytes that ends in n+1 or n+2")
	}
	size := int64(348)
	if version == 2 {
		size = 540
		if n, err := io.ReadFull(r, b[348:]); err != nil {
			return nil, format.CutOff(name, int64(348+n), err)
		}
	}
	if magic := string(b[344:346]); version == 1 && magic == "ni" || version == 2 && string(b[4:6]) == "ni" {
		return nil, format.UnsupportedAt(name, 0, "header and voxels in two files (.hdr and .img); convert them to one .nii")
	}
	h := parse(b, version, order)
	im := &Image{Version: version, Big: order == binary.BigEndian, Slope: 1}
	count, err := im.setShape(name, h, d)
	if err != nil {
		return nil, err
	}
	if im.Stored = numberType(h.datatype); im.Stored == format.Unknown {
		return nil, format.UnsupportedAt(name, at(version, 70, 12), "%s", datatypeName(h.datatype))
	}
	if err := im.setScale(name, h); err != nil {
		return nil, err
	}
	if err := im.setPlace(name, h, d.QForm); err != nil {
		return nil, err
	}
	if h.offset == 0 { // some writers leave it out
		h.offset = size + 4
	}
	if h.offset < size || h.offset > size+maxExtensions {
		return nil, format.InvalidAt(name, at(version, 108, 168), "voxels at offset %d, want %d to %d", h.offset, size, size+maxExtensions)
	}
	bytes := int64(count) * int64(im.Stored.Size())
	skip := h.offset - size + int64(max(d.Frame-1, 0))*bytes
	if n, err := io.CopyN(io.Discard, r, skip); err != nil {
		return nil, format.CutOff(name, size+n, err)
	}
	im.Data, im.Rounded, err = format.ReadVoxels(name, size+skip, r, count, im.Stored, order, im.Slope, im.Intercept)
	if err != nil {
		return nil, err
	}
	// To the end: the checksum of a gzip stream stands there.
	rest, err := io.Copy(io.Discard, r)
	if err != nil {
		return nil, format.CutOff(name, size+skip+bytes+rest, err)
	}
	im.Trailing = rest - int64(im.Frames-max(d.Frame, 1))*bytes
	if im.Trailing < 0 {
		return nil, format.InvalidAt(name, size+skip+bytes+rest, "file is cut off")
	}
	return im, nil
}

func at(version int, first, second int64) int64 {
	if version == 1 {
		return first
	}
	return second
}

func parse(b []byte, version int, order binary.ByteOrder) *header {
	h := &header{}
	i16 := func(at int) int64 { return int64(int16(order.Uint16(b[at:]))) }
	i32 := func(at int) int64 { return int64(int32(order.Uint32(b[at:]))) }
	i64 := func(at int) int64 { return int64(order.Uint64(b[at:])) }
	f32 := func(at int) float64 { return float64(math.Float32frombits(order.Uint32(b[at:]))) }
	f64 := func(at int) float64 { return math.Float64frombits(order.Uint64(b[at:])) }
	if version == 1 {
		for i := range h.dim {
			h.dim[i], h.pixdim[i] = i16(40+2*i), f32(76+4*i)
		}
		h.datatype, h.units = int(i16(70)), b[123]
		if o := f32(108); o >= 0 && o < 1<<40 {
			h.offset = int64(o)
		} else {
			h.offset = -1
		}
		h.slope, h.intercept = f32(112), f32(116)
		h.qcode, h.scode = int(i16(252)), int(i16(254))
		for i := range h.q {
			h.q[i] = f32(256 + 4*i)
		}
		for i := range 12 {
			h.s[i/4][i%4] = f32(280 + 4*i)
		}
		return h
	}
	for i := range h.dim {
		h.dim[i], h.pixdim[i] = i64(16+8*i), f64(104+8*i)
	}
	h.datatype, h.units = int(i16(12)), byte(i32(500))
	h.offset = i64(168)
	h.slope, h.intercept = f64(176), f64(184)
	h.qcode, h.scode = int(i32(344)), int(i32(348))
	for i := range h.q {
		h.q[i] = f64(352 + 8*i)
	}
	for i := range 12 {
		h.s[i/4][i%4] = f64(400 + 8*i)
	}
	return h
}

func (im *Image) setShape(name string, h *header, d Reader) (int, error) {
	v := im.Version
	if h.dim[0] < 1 || h.dim[0] > 7 {
		return 0, format.InvalidAt(name, at(v, 40, 16), "%d dimensions, want 1 to 7", h.dim[0])
	}
	im.Shape = [3]int{1, 1, 1}
	frames := int64(1)
	for i := 1; i <= int(h.dim[0]); i++ {
		n := h.dim[i]
		if n < 1 {
			return 0, format.InvalidAt(name, at(v, 40, 16)+int64(i)*at(v, 2, 8), "size of axis %d is %d, want 1 or more", i, n)
		}
		switch {
		case n > int64(d.MaxVoxels):
			return 0, format.TooLargeAt(name, at(v, 40, 16), "size of axis %d is %d; the limit is %d voxels", i, n, d.MaxVoxels)
		case i <= 3:
			im.Shape[i-1] = int(n)
		case frames > int64(d.MaxVoxels)/n:
			return 0, format.TooLargeAt(name, at(v, 40, 16), "more than %d volumes", d.MaxVoxels)
		default:
			frames *= n
		}
	}
	count, err := format.CountVoxels(im.Shape, d.MaxVoxels)
	if err != nil {
		return 0, format.TooLargeAt(name, at(v, 40, 16), "%w", err)
	}
	im.Frames = int(frames)
	if d.Frame == 0 && frames > 1 {
		return 0, format.UnsupportedAt(name, at(v, 40, 16), "%d volumes in one file; choose one", frames)
	}
	if int64(d.Frame) > frames {
		return 0, format.InvalidAt(name, at(v, 40, 16), "no volume %d: the file has %d", d.Frame, frames)
	}
	return count, nil
}

func (im *Image) setScale(name string, h *header) error {
	if math.IsNaN(h.slope) || math.IsInf(h.slope, 0) || h.slope == 0 { // 0: do not scale
		return nil
	}
	if math.IsNaN(h.intercept) || math.IsInf(h.intercept, 0) {
		return format.InvalidAt(name, at(im.Version, 116, 184), "scl_inter is %v", h.intercept)
	}
	im.Slope, im.Intercept = h.slope, h.intercept
	return nil
}

func (im *Image) setPlace(name string, h *header, preferQ bool) error {
	v := im.Version
	for i := 1; i <= 3; i++ {
		p := h.pixdim[i]
		if math.IsNaN(p) || math.IsInf(p, 0) || p < 0 || p == 0 && h.scode <= 0 && i <= int(h.dim[0]) {
			return format.InvalidAt(name, at(v, 76, 104)+int64(i)*at(v, 4, 8), "spacing of axis %d is %v, want a positive number", i, p)
		}
		if p == 0 {
			h.pixdim[i] = 1
		}
	}
	scale := 1.
	switch h.units & 7 {
	case 0:
		im.Unit = "unknown"
	case 1:
		im.Unit, scale = "m", 1000
	case 2:
		im.Unit = "mm"
	case 3:
		im.Unit, scale = "µm", .001
	default:
		return format.InvalidAt(name, at(v, 123, 500), "unit of length %d, want 0 to 3", h.units&7)
	}
	im.SFormCode, im.QFormCode = h.scode, h.qcode
	if h.scode > 0 {
		if err := h.s.Check(); err != nil {
			return format.InvalidAt(name, at(v, 280, 400), "sform: %w", err)
		}
		s := scaled(h.s, scale)
		im.SForm = &s
	}
	if h.qcode > 0 {
		q := quaternion{h.q[0], h.q[1], h.q[2], 1}
		if h.pixdim[0] < 0 {
			q.qfac = -1
		}
		rotation, ok := q.rotation()
		var a format.Affine
		for i := range 3 {
			for j := range 3 {
				a[i][j] = rotation[i][j] * h.pixdim[j+1]
			}
			a[i][3] = h.q[3+i]
		}
		err := a.Check()
		if !ok {
			err = fmt.Errorf("quaternion (%g, %g, %g) is longer than 1", q.b, q.c, q.d)
		}
		if err != nil {
			return format.InvalidAt(name, at(v, 256, 352), "qform: %w", err)
		}
		a = scaled(a, scale)
		im.QForm = &a
	}
	switch {
	case im.QForm != nil && (im.SForm == nil || preferQ):
		im.Affine, im.Place = *im.QForm, "qform"
	case im.SForm != nil:
		im.Affine, im.Place = *im.SForm, "sform"
	default:
		for i := range 3 {
			im.Affine[i][i] = h.pixdim[i+1] * scale
		}
		im.Place = "voxel sizes"
	}
	if err := im.Affine.Check(); err != nil {
		return format.InvalidAt(name, at(v, 76, 104), "%w", err)
	}
	return nil
}

func scaled(a format.Affine, by float64) format.Affine {
	for i := range a {
		for j := range a[i] {
			a[i][j] *= by
		}
	}
	return a
}

// types are the data types that are read and written, by their codes.
var types = map[int]format.NumberType{
	2: format.Uint8, 4: format.Int16, 8: format.Int32, 16: format.Float32, 64: format.Float64,
	256: format.Int8, 512: format.Uint16, 768: format.Uint32, 1024: format.Int64, 1280: format.Uint64,
}

func numberType(code int) format.NumberType { return types[code] }

func datatypeName(code int) string {
	for _, t := range []struct {
		code int
		name string
	}{{1, "one bit per voxel"}, {32, "complex numbers"}, {128, "colours (RGB)"}, {1536, "float128"}, {1792, "complex numbers"}, {2048, "complex numbers"}, {2304, "colours (RGBA)"}} {
		if t.code == code {
			return fmt.Sprintf("voxels of %s (datatype %d)", t.name, code)
		}
	}
	return fmt.Sprintf("datatype %d", code)
}
