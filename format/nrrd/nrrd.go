// Package nrrd reads and writes volumes in the NRRD format of Teem, which 3D
// Slicer and ITK use: attached (.nrrd) and with the voxels in a file of their own
// (.nhdr), raw, gzip or text, in the spaces LPS, RAS and LAS.
//
//	im, err := nrrd.Open("ct.nrrd") // an Image: a format.Volume, RAS as everywhere in Heed
//
// Keys and values of the user's own, and the field "content", may hold names of
// patients: they are passed over.
//
// Source: teem.sourceforge.net/nrrd/format.html.
package nrrd

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"heed/format"
)

// An Image is a volume and what its header says of its place.
type Image struct {
	format.Volume

	Space    string // as the header names it; "" if it does not
	Encoding string // "raw", "gzip" or "ascii"
	Detached bool
	// Placed says whether the header gives directions and an origin. Without, the
	// affine is made of the spacings, as if in LPS.
	Placed bool
}

// A Reader says how much to read.
type Reader struct {
	MaxVoxels int // greatest number of voxels; 0 means format.MaxVoxels
}

// maxHeader is the greatest length of a header in bytes.
const maxHeader = 1 << 20

// Open reads a file, as [Reader.Open] of the zero Reader does.
func Open(path string) (*Image, error) { return Reader{}.Open(path) }

// Open reads a .nrrd or .nhdr file. The file of the voxels of the latter must lie
// in the folder of the header or below.
func (d Reader) Open(path string) (*Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, format.PathError(path, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, format.InvalidAt(path, 0, "is a directory")
	}
	return d.read(path, f, filepath.Dir(path))
}

// Read reads an attached file. Errors have name, and line or offset.
func (d Reader) Read(name string, r io.Reader) (*Image, error) { return d.read(name, r, "") }

// Is says whether bytes begin as NRRD does.
func Is(head []byte) bool { return strings.HasPrefix(string(head), "NRRD000") }

func (d Reader) read(name string, r io.Reader, folder string) (*Image, error) {
	if d.MaxVoxels <= 0 {
		d.MaxVoxels = format.MaxVoxels
	}
	in := bufio.NewReaderSize(r, 64<<10)
	h, err := readHeader(name, in)
	if err != nil {
		return nil, err
	}
	im := &Image{Detached: h.has("data file")}
	if err := im.place(h, d.MaxVoxels); err != nil {
		return nil, err
	}
	order, err := h.order(im.Stored)
	if err != nil {
		return nil, err
	}
	at := h.bytes
	if im.Detached {
		f, err := h.open(folder)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in, name, at = bufio.NewReaderSize(f, 64<<10), h.dataName(), 0
	}
	body, err := h.decompress(im, name, in)
	if err != nil {
		return nil, err
	}
	n, _ := format.CountVoxels(im.Shape, d.MaxVoxels) // place has done it
	if im.Encoding == "ascii" {
		return im, im.readText(name, body, n)
	}
	im.Data, im.Rounded, err = format.ReadVoxels(name, at, body, n, im.Stored, order, 1, 0)
	if err != nil {
		return nil, err
	}
	// To the end of a gzip stream, where its checksum stands.
	if im.Encoding == "gzip" {
		if _, err := io.Copy(io.Discard, body); err != nil {
			return nil, format.CutOff(name, at, err)
		}
	}
	return im, nil
}

// decompress passes over what is to be skipped and returns the stream of the
// numbers.
func (h *header) decompress(im *Image, name string, in *bufio.Reader) (io.Reader, error) {
	skip := 0
	for _, field := range []string{"line skip", "byte skip"} {
		if !h.has(field) {
			continue
		}
		n, err := strconv.Atoi(h.value[field])
		if err != nil || n < -1 || n > 1<<30 || n < 0 && field == "line skip" {
			return nil, h.invalid(field, "want a number of 0 or more")
		}
		if field == "byte skip" {
			skip = n
			continue
		}
		for range n {
			if _, err := in.ReadSlice('\n'); err != nil && err != bufio.ErrBufferFull {
				return nil, format.CutOff(name, 0, err)
			}
		}
	}
	if skip < 0 {
		return nil, format.Unsupportedf(h.name, h.line["byte skip"], "byte skip -1, voxels at the end of the file")
	}
	if im.Encoding == "gzip" {
		z, err := format.Gunzip(name, in)
		if err != nil {
			return nil, err
		}
		in = bufio.NewReader(z)
	}
	if _, err := in.Discard(skip); err != nil {
		return nil, format.CutOff(name, 0, err)
	}
	return in, nil
}

// dataName stands for the file of the voxels in errors: the header may name it
// after a patient.
func (h *header) dataName() string { return h.name + " (data file)" }

// open opens the file of the voxels.
func (h *header) open(folder string) (*os.File, error) {
	line, file := h.line["data file"], h.value["data file"]
	switch {
	case folder == "":
		return nil, format.Unsupportedf(h.name, line, "voxels in a file of their own")
	case strings.HasPrefix(file, "LIST"), strings.Contains(file, "%"):
		return nil, format.Unsupportedf(h.name, line, "voxels in several files")
	case !filepath.IsLocal(file):
		return nil, format.Invalidf(h.name, line, "data file lies outside the folder of the header")
	}
	f, err := os.Open(filepath.Join(folder, file))
	if err != nil {
		return nil, format.PathError(h.dataName(), err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, format.InvalidAt(h.dataName(), 0, "is a directory")
	}
	return f, nil
}

func (im *Image) readText(name string, r io.Reader, n int) error {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 4096), 4096)
	in.Split(bufio.ScanWords)
	for in.Scan() {
		if len(im.Data) == n {
			break
		}
		v, err := strconv.ParseFloat(in.Text(), 64)
		if err != nil {
			return format.Invalidf(name, 0, "voxel %d is no number", len(im.Data)+1)
		}
		if f := float32(v); im.Stored < format.Float32 && float64(f) != v {
			im.Rounded++
		}
		im.Data = append(im.Data, float32(v))
	}
	if err := in.Err(); errors.Is(err, bufio.ErrTooLong) {
		return format.Invalidf(name, 0, "voxel %d is no number", len(im.Data)+1)
	} else if err != nil {
		return format.ReadError(name, 0, err)
	}
	if len(im.Data) < n {
		return format.Invalidf(name, 0, "%d voxels, want %d: file is cut off", len(im.Data), n)
	}
	return nil
}

// types are the names of the types of numbers.
var types = map[string]format.NumberType{
	"signed char": format.Int8, "int8": format.Int8, "int8_t": format.Int8,
	"uchar": format.Uint8, "unsigned char": format.Uint8, "uint8": format.Uint8, "uint8_t": format.Uint8,
	"short": format.Int16, "short int": format.Int16, "signed short": format.Int16, "signed short int": format.Int16, "int16": format.Int16, "int16_t": format.Int16,
	"ushort": format.Uint16, "unsigned short": format.Uint16, "unsigned short int": format.Uint16, "uint16": format.Uint16, "uint16_t": format.Uint16,
	"int": format.Int32, "signed int": format.Int32, "int32": format.Int32, "int32_t": format.Int32,
	"uint": format.Uint32, "unsigned int": format.Uint32, "uint32": format.Uint32, "uint32_t": format.Uint32,
	"longlong": format.Int64, "long long": format.Int64, "long long int": format.Int64, "signed long long": format.Int64, "signed long long int": format.Int64, "int64": format.Int64, "int64_t": format.Int64,
	"ulonglong": format.Uint64, "unsigned long long": format.Uint64, "unsigned long long int": format.Uint64, "uint64": format.Uint64, "uint64_t": format.Uint64,
	"float": format.Float32, "double": format.Float64,
}

// order returns the byte order, which only numbers of one byte need not have.
func (h *header) order(t format.NumberType) (binary.ByteOrder, error) {
	switch e := h.value["endian"]; {
	case e == "little", !h.has("endian") && (t.Size() == 1 || h.encoding() == "ascii"):
		return binary.LittleEndian, nil
	case e == "big":
		return binary.BigEndian, nil
	case !h.has("endian"):
		return nil, format.Invalidf(h.name, 0, "no field \"endian\", which numbers of %d bytes need", t.Size())
	}
	return nil, h.invalid("endian", "want little or big")
}

// encoding returns the encoding by its first name.
func (h *header) encoding() string {
	switch e := strings.ToLower(h.value["encoding"]); e {
	case "gz":
		return "gzip"
	case "txt", "text":
		return "ascii"
	case "bz2":
		return "bzip2"
	default:
		return e
	}
}

func (h *header) invalid(field, want string) error {
	return format.Invalidf(h.name, h.line[field], "%s: %s", field, want)
}

// positive reads a number that must be one, above 0 and finite.
func positive(s string) (float64, error) {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, fmt.Errorf("no number")
	}
	if !(x > 0) || math.IsInf(x, 0) {
		return 0, fmt.Errorf("spacing is %v, want a positive number", x)
	}
	return x, nil
}
