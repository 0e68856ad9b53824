package nrrd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"heed/format"
)

// A header holds the fields that are used.
type header struct {
	name  string
	value map[string]string
	line  map[string]int
	bytes int64 // of the header, with the blank line
}

func (h *header) has(field string) bool { return h.line[field] > 0 }

// known are the fields whose value is kept, by both their names.
var known = map[string]string{
	"type": "type", "dimension": "dimension", "sizes": "sizes", "encoding": "encoding", "endian": "endian",
	"space": "space", "space dimension": "space dimension", "space directions": "space directions",
	"space origin": "space origin", "space units": "space units", "spacings": "spacings", "units": "units",
	"data file": "data file", "datafile": "data file", "byte skip": "byte skip", "byteskip": "byte skip",
	"line skip": "line skip", "lineskip": "line skip", "kinds": "kinds",
}

// readHeader reads up to the blank line. A detached header may end without one.
func readHeader(name string, in *bufio.Reader) (*header, error) {
	h := &header{name: name, value: make(map[string]string), line: make(map[string]int)}
	for number := 1; ; number++ {
		text, err := in.ReadSlice('\n')
		h.bytes += int64(len(text))
		if h.bytes > maxHeader || errors.Is(err, bufio.ErrBufferFull) {
			return nil, format.TooLargef(name, number, "header of more than %d bytes", min(h.bytes, maxHeader))
		}
		if err != nil && err != io.EOF {
			return nil, format.ReadError(name, number, err)
		}
		end := err == io.EOF
		s := strings.TrimRight(string(text), "\r\n")
		if number == 1 {
			if !Is([]byte(s)) {
				return nil, format.Invalidf(name, 0, "not NRRD: it does not begin with NRRD000")
			}
			if s < "NRRD0001" || s > "NRRD0005" || len(s) != 8 {
				return nil, format.Unsupportedf(name, 1, "this version of NRRD; versions 1 to 5 are read")
			}
			if end {
				return nil, format.Invalidf(name, 1, "header is cut off")
			}
			continue
		}
		if s == "" || end {
			if s != "" {
				if err := h.add(s, number); err != nil {
					return nil, err
				}
			}
			if end && !h.has("data file") {
				return nil, format.Invalidf(name, number, "header is cut off")
			}
			return h, nil
		}
		if err := h.add(s, number); err != nil {
			return nil, err
		}
	}
}

// add takes one line: a comment, a field, or a key and value of the user's own.
func (h *header) add(s string, number int) error {
	if strings.HasPrefix(s, "#") {
		return nil
	}
	name, value, ok := strings.Cut(s, ": ")
	if !ok {
		if strings.Contains(s, ":=") || strings.HasSuffix(s, ":") {
			return nil
		}
		return format.Invalidf(h.name, number, "line of the header is neither a field nor a comment")
	}
	field := known[strings.ToLower(strings.TrimSpace(name))]
	switch {
	case field == "":
		return nil
	case h.has(field):
		return format.Invalidf(h.name, number, "field %q for the second time", field)
	}
	h.value[field], h.line[field] = strings.TrimSpace(value), number
	return nil
}

// place fills type, shape and affine.
func (im *Image) place(h *header, limit int) error {
	for _, field := range []string{"dimension", "sizes", "type", "encoding"} {
		if !h.has(field) {
			return format.Invalidf(h.name, 0, "no field %q", field)
		}
	}
	dims, err := strconv.Atoi(h.value["dimension"])
	if err != nil || dims < 1 || dims > 16 {
		return h.invalid("dimension", "want 1 to 16")
	}
	sizes := strings.Fields(h.value["sizes"])
	if len(sizes) != dims {
		return h.invalid("sizes", fmt.Sprintf("%d numbers for %d dimensions", len(sizes), dims))
	}
	if im.Stored = types[strings.ToLower(h.value["type"])]; im.Stored == format.Unknown {
		return format.Unsupportedf(h.name, h.line["type"], "this type of numbers; integers of 1 to 8 bytes, float and double are read")
	}
	switch im.Encoding = h.encoding(); im.Encoding {
	case "raw", "gzip", "ascii":
	case "bzip2", "hex":
		return format.Unsupportedf(h.name, h.line["encoding"], "encoding %s; raw, gzip and ascii are read", im.Encoding)
	default:
		return h.invalid("encoding", "want raw, gzip or ascii")
	}
	directions, err := h.directions(dims)
	if err != nil {
		return err
	}
	spatial := 0
	im.Shape = [3]int{1, 1, 1}
	for i, s := range sizes {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return h.invalid("sizes", fmt.Sprintf("axis %d: want 1 or more", i+1))
		}
		isSpace := directions == nil && i < 3 || directions != nil && directions[i] != nil
		switch {
		case isSpace && spatial < 3:
			im.Shape[spatial] = n
			spatial++
		case n > 1:
			return format.Unsupportedf(h.name, h.line["sizes"], "axis %d of size %d is not one of space: one volume of three axes is read", i+1, n)
		}
	}
	if spatial < 3 && dims >= 3 || dims < 3 {
		return format.Unsupportedf(h.name, h.line["dimension"], "%d axes of space; volumes of three are read", spatial)
	}
	if _, err := format.CountVoxels(im.Shape, limit); err != nil {
		return format.TooLargef(h.name, h.line["sizes"], "%w", err)
	}
	return im.orient(h, directions)
}

// directions returns the vector of each axis, nil for one that is none of space,
// or no list at all if the header has none.
func (h *header) directions(dims int) ([]*[3]float64, error) {
	if !h.has("space directions") {
		return nil, nil
	}
	var out []*[3]float64
	rest := strings.TrimSpace(h.value["space directions"])
	for rest != "" {
		if after, ok := strings.CutPrefix(rest, "none"); ok {
			out, rest = append(out, nil), strings.TrimSpace(after)
			continue
		}
		v, after, err := vector(rest)
		if err != nil {
			return nil, h.invalid("space directions", err.Error())
		}
		out, rest = append(out, v), strings.TrimSpace(after)
	}
	if len(out) != dims {
		return nil, h.invalid("space directions", fmt.Sprintf("%d vectors for %d dimensions", len(out), dims))
	}
	return out, nil
}

// vector takes "(x,y,z)" off the front of s.
func vector(s string) (*[3]float64, string, error) {
	inner, rest, ok := strings.Cut(s, ")")
	inner, open := strings.CutPrefix(inner, "(")
	parts := strings.Split(inner, ",")
	if !ok || !open || len(parts) != 3 {
		return nil, "", errors.New("want vectors as (x,y,z), or none")
	}
	var v [3]float64
	for i, p := range parts {
		x, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil {
			return nil, "", errors.New("a component is no number")
		}
		v[i] = x
	}
	return &v, rest, nil
}

// orient makes the affine.
func (im *Image) orient(h *header, directions []*[3]float64) error {
	im.Space = strings.ToLower(h.value["space"])
	field := "space directions"
	if directions != nil {
		axis := 0
		for _, d := range directions {
			if d != nil && axis < 3 {
				im.Affine.SetColumn(axis, *d)
				axis++
			}
		}
		im.Placed = h.has("space origin")
	} else {
		field = "sizes"
		spacings := strings.Fields(h.value["spacings"])
		for i := range 3 {
			s := 1.
			if h.has("spacings") {
				field = "spacings"
				if len(spacings) <= i {
					return h.invalid(field, "want one number for each axis")
				}
				var err error
				if s, err = positive(spacings[i]); err != nil {
					return format.Invalidf(h.name, h.line[field], "spacings: axis %d: %w", i+1, err)
				}
			}
			im.Affine[i][i] = s
		}
	}
	if h.has("space origin") {
		v, rest, err := vector(h.value["space origin"])
		if err != nil || rest != "" {
			return h.invalid("space origin", "want a vector as (x,y,z)")
		}
		im.Affine.SetColumn(3, *v)
	}
	switch im.Space {
	case "left-posterior-superior", "lps":
		im.Affine = im.Affine.FlipXY()
	case "right-anterior-superior", "ras":
	case "left-anterior-superior", "las":
		for c := range im.Affine[0] {
			im.Affine[0][c] = -im.Affine[0][c]
		}
	case "":
		im.Placed = false
		im.Affine = im.Affine.FlipXY()
	default:
		return format.Unsupportedf(h.name, h.line["space"], "this space; LPS, RAS and LAS are read")
	}
	if err := im.unit(h); err != nil {
		return err
	}
	if err := im.Affine.Check(); err != nil {
		return format.Invalidf(h.name, h.line[field], "%s: %w", field, err)
	}
	return nil
}

// unit scales the affine to mm.
func (im *Image) unit(h *header) error {
	field := "space units"
	if !h.has(field) {
		return nil
	}
	for i, u := range strings.Fields(h.value[field]) {
		by := 1.
		switch strings.Trim(u, `"`) {
		case "mm", "":
		case "cm":
			by = 10
		case "m":
			by = 1000
		case "um", "µm":
			by = .001
		default:
			return format.Unsupportedf(h.name, h.line[field], "this unit of space; mm, cm, m and um are read")
		}
		if i < 3 && by != 1 {
			for c := range im.Affine[i] {
				im.Affine[i][c] *= by
			}
		}
	}
	return nil
}
