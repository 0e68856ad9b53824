package plot

import (
	"bytes"
	"fmt"
	"html"
	"strings"

	"gonum.org/v1/plot/vg"
)

// inline turns the document that vgsvg writes into one element for a page: no
// prologue, and presentation attributes in place of style attributes, which a
// content security policy without 'unsafe-inline' switches off.
func inline(svg []byte, title string, w, h vg.Length) []byte {
	// The prologue ends with the start tag of the root.
	body := svg[bytes.Index(svg, []byte("<svg")):]
	body = body[bytes.IndexByte(body, '>')+1:]

	var b bytes.Buffer
	// Width and height are CSS pixels of 1/96 inch, the coordinates points of 1/72.
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="%s" width="%.5g" height="%.5g" viewBox="0 0 %.5g %.5g">`,
		html.EscapeString(clean(title)), w.Points()*96/72, h.Points()*96/72, w.Points(), h.Points())

	// Quotes inside text are escaped, so this pattern occurs in tags only.
	const mark = `style="`
	rest := string(body)
	for {
		before, after, found := strings.Cut(rest, mark)
		if !found {
			b.WriteString(before)
			return b.Bytes()
		}
		declarations, tail, _ := strings.Cut(after, `"`)
		b.WriteString(strings.TrimRight(before, "\n\t "))
		for d := range strings.SplitSeq(declarations, ";") {
			name, value, _ := strings.Cut(d, ":")
			switch {
			case name == "" || value == "none" && name != "fill", name != "fill" && value == "normal":
				continue // the initial value
			case name == "font-family":
				value += ", Arial, Helvetica, sans-serif"
			}
			fmt.Fprintf(&b, ` %s="%s"`, name, value)
		}
		rest = tail
	}
}

// clean replaces what XML or a single line of text cannot hold.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r < 0x20 || 0x7f <= r && r < 0xa0 || r == 0xfffe || r == 0xffff:
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
