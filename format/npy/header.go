package npy

import (
	"fmt"
	"strconv"
	"strings"
)

// A header is the dictionary at the start of a file.
type header struct {
	descr   string
	fortran bool
	shape   []int
}

// parseHeader reads a literal of Python such as
//
//	{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
//
// and nothing of Python beyond it.
func parseHeader(text string) (h header, err error) {
	p := literal{text}
	seen := make(map[string]bool)
	if !p.take("{") {
		return h, fmt.Errorf("header does not begin with '{'")
	}
	for !p.take("}") {
		key, ok := p.text()
		if !ok || !p.take(":") {
			return h, p.unexpected("a key")
		}
		if seen[key] {
			return h, fmt.Errorf("header has %q twice", key)
		}
		seen[key] = true
		switch key {
		case "descr":
			if strings.HasPrefix(p.rest, "[") {
				return h, errRecords
			}
			if h.descr, ok = p.text(); !ok {
				return h, p.unexpected("the type")
			}
		case "fortran_order":
			switch {
			case p.take("True"):
				h.fortran = true
			case !p.take("False"):
				return h, p.unexpected("True or False")
			}
		case "shape":
			if h.shape, err = p.shape(); err != nil {
				return h, err
			}
		default:
			return h, fmt.Errorf("header has the key %s", show(key))
		}
		if !p.take(",") && !strings.HasPrefix(p.rest, "}") {
			return h, p.unexpected("',' or '}'")
		}
	}
	if p.rest != "" {
		return h, p.unexpected("the end")
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			return h, fmt.Errorf("header has no key %q", key)
		}
	}
	return h, nil
}

var errRecords = fmt.Errorf("array of records")

// A literal is what is left of a header.
type literal struct{ rest string }

// take passes over a token, and blanks before and after it.
func (p *literal) take(token string) bool {
	p.rest = strings.Trim(p.rest, " \t\n")
	rest, found := strings.CutPrefix(p.rest, token)
	if found {
		p.rest = strings.Trim(rest, " \t\n")
	}
	return found
}

// text takes a string in quotes, which no key or type has a backslash in.
func (p *literal) text() (string, bool) {
	for _, quote := range []string{"'", `"`} {
		if p.take(quote) {
			s, rest, found := strings.Cut(p.rest, quote)
			if !found || strings.Contains(s, `\`) {
				return "", false
			}
			p.rest = strings.Trim(rest, " \t\n")
			return s, true
		}
	}
	return "", false
}

// shape takes a tuple of numbers: (), (3,), (3, 4).
func (p *literal) shape() ([]int, error) {
	if !p.take("(") {
		return nil, p.unexpected("the shape")
	}
	shape := []int{}
	for !p.take(")") {
		n := 0
		for n < len(p.rest) && '0' <= p.rest[n] && p.rest[n] <= '9' {
			n++
		}
		d, err := strconv.Atoi(p.rest[:n])
		if err != nil {
			return nil, p.unexpected("a size")
		}
		p.rest = p.rest[n:]
		p.take("L") // of Python 2
		shape = append(shape, d)
		// A tuple of one element has a comma: (3) would be a number.
		if !p.take(",") && (len(shape) == 1 || !strings.HasPrefix(p.rest, ")")) {
			return nil, p.unexpected("',' or ')'")
		}
	}
	return shape, nil
}

func (p *literal) unexpected(want string) error {
	return fmt.Errorf("header has %s, want %s", show(p.rest), want)
}

// show quotes a value of the file, as much of it as a message can bear.
func show(s string) string {
	const most = 40
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
