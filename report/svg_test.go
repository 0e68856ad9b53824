package report

import (
	"bytes"
	"testing"
)

// FuzzCheckSVG looks for input that is accepted and yet holds what could act or
// reach out.
func FuzzCheckSVG(f *testing.F) {
	for _, s := range []string{
		`<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="url(x)"><g><path d="M0 0"/><text x="1">a &lt; b</text></g></svg>`,
		`<svg><a href="x"/></svg>`, `<svg><x:script/></svg>`, `<svg/onload=x>`, `<svg><text><![CDATA[<script>]]></text></svg>`,
		`<svg><path fill="&#117;rl(x)"/></svg>`, `<svg></svg>`, `<svg`, `<svg>&bad;</svg>`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if checkSVG(b) != nil {
			return
		}
		low := bytes.ToLower(b)
		for _, bad := range []string{"<script", "<style", "<foreignobject", "<image", "<use", "<a ", "<a>", "<!", "<?", "<p>", "<div", "\x00"} {
			if bytes.Contains(low, []byte(bad)) {
				t.Errorf("accepted %q in %q", bad, b)
			}
		}
		if !bytes.HasPrefix(b, []byte("<svg")) {
			t.Errorf("accepted %q", b)
		}
	})
}
