package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// checkSVG accepts one svg element that draws and does nothing else. Its text
// goes into the page as it stands, where a browser reads it by the rules of
// HTML, so everything that the two grammars treat differently is refused too.
func checkSVG(svg []byte) error {
	if !bytes.HasPrefix(svg, []byte("<svg")) {
		return errors.New("the SVG does not start with <svg")
	}
	if bytes.Contains(svg, []byte("<!")) || bytes.Contains(svg, []byte("<?")) {
		return errors.New("the SVG has a comment, declaration or instruction")
	}
	d := xml.NewDecoder(bytes.NewReader(svg))
	depth, roots := 0, 0
	for {
		tok, err := d.Token()
		if err == io.EOF {
			if roots != 1 {
				return fmt.Errorf("the SVG has %d root elements", roots)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("the SVG is not well-formed: %w", err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
			switch t.Name.Local {
			case "svg", "g", "path", "text", "tspan", "rect", "circle", "ellipse", "line", "polyline", "polygon":
			default:
				return fmt.Errorf("the SVG has an element %q, which does not draw", t.Name.Local)
			}
			for _, a := range t.Attr {
				name, value := strings.ToLower(a.Name.Local), strings.ToLower(a.Value)
				if name == "aria-label" {
					continue // any text
				}
				if strings.HasPrefix(name, "on") || name == "style" || name == "href" || name == "id" || name == "class" ||
					strings.Contains(value, "url(") || strings.Contains(value, "javascript:") {
					return fmt.Errorf("the SVG has an attribute %s=%q", a.Name.Local, a.Value)
				}
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.TrimSpace(t)) > 0 {
				return errors.New("the SVG has text outside its element")
			}
		}
	}
}
