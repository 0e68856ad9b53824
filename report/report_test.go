package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"heed/plot"
)

var out = flag.String("out", "", "write the pages of the tests to this folder, to look at them")

func htmlOf(t *testing.T, r *Report) []byte {
	t.Helper()
	b, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFullReport(t *testing.T) {
	b := htmlOf(t, full(t))
	if !bytes.Equal(b, htmlOf(t, full(t))) {
		t.Error("the same report gave different bytes")
	}
	var w bytes.Buffer
	if n, err := full(t).WriteTo(&w); err != nil || n != int64(len(b)) || !bytes.Equal(w.Bytes(), b) {
		t.Errorf("WriteTo wrote %d bytes (%v), HTML gave %d", n, err, len(b))
	}
	checkPage(t, b)
	for _, want := range []string{
		"<h1>Promoters of E. coli, read by a transformer</h1>",
		`<tr class="highlight"><th scope="row">Heed transformer</th>`,
		`<caption>Errors of 106 sequences, fewest first</caption>`,
		`<th scope="col" class="number">Errors</th>`,
		`<span class="save" data-name="errors" data-tsv="data-`,
		`<aside class="notice warning" role="note"><strong>Caution.</strong>`,
		`aria-label="ROC curve close to the upper left corner"`,
		`<option value="1">LEU1_TRNA</option>`,
		"<dt>Seed</dt><dd>1</dd>",
	} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if n := bytes.Count(b, []byte(AttentionCaveat)); n != 4 {
		t.Errorf("the caveat stands %d times, want below the maps, the scan and in the notice", n)
	}
	if *out != "" {
		if err := os.WriteFile(filepath.Join(*out, "report.html"), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	reTag      = regexp.MustCompile(`<[a-zA-Z][^>]*>`)
	reRef      = regexp.MustCompile(`(?i)\b(src|href|srcset|action|formaction|poster|data|background|cite|manifest|xlink:href)\s*=\s*"([^"]*)"`)
	reHandler  = regexp.MustCompile(`(?i)\s(on[a-z]+|style)\s*=`)
	reValue    = regexp.MustCompile(`"[^"]*"`)
	rePolicy   = regexp.MustCompile(`<meta http-equiv="Content-Security-Policy" content="([^"]*)">`)
	reElements = regexp.MustCompile(`(?s)<(script|style)([^>]*)>(.*?)</(?:script|style)>`)
	reDataTag  = regexp.MustCompile(`^ type="text/plain" id="data-[0-9]+"$`)
	reBase64   = regexp.MustCompile(`^[A-Za-z0-9+/]+=*$`)
)

// checkPage reads a page as an attacker would: it must reach for nothing
// outside itself and run nothing but the two elements that its policy names.
func checkPage(t *testing.T, b []byte) {
	t.Helper()
	s := string(b)
	m := rePolicy.FindStringSubmatch(s)
	if m == nil {
		t.Fatal("no content security policy")
	}
	policy := strings.NewReplacer("&#39;", "'", "&#43;", "+").Replace(m[1])
	if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("policy %q", policy)
	}
	if at := strings.Index(s, m[0]); at > strings.Index(s, "<style") || at > strings.Index(s, "<script") {
		t.Error("the policy stands after what it should govern")
	}
	for _, e := range reElements.FindAllStringSubmatch(s, -1) {
		if e[1] == "script" && reDataTag.MatchString(e[2]) {
			if !reBase64.MatchString(e[3]) {
				t.Errorf("data that is not base64: %.80s", e[3])
			}
			continue
		}
		h := sha256.Sum256([]byte(e[3]))
		want := "'sha256-" + base64.StdEncoding.EncodeToString(h[:]) + "'"
		if e[2] != "" || !strings.Contains(policy, e[1]+"-src ") || !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %s of a %s%s", policy, want, e[1], e[2])
		}
	}
	bare := reElements.ReplaceAllString(s, "")
	for _, tag := range reTag.FindAllString(bare, -1) {
		if reHandler.MatchString(reValue.ReplaceAllString(tag, "")) {
			t.Errorf("a handler or style attribute in %.120s", tag)
		}
		for _, r := range reRef.FindAllStringSubmatch(tag, -1) {
			if !strings.HasPrefix(r[2], "#") && !strings.HasPrefix(r[2], "data:") {
				t.Errorf("a reference to %q in %.120s", r[2], tag)
			}
		}
		if strings.HasPrefix(tag, "<script") || strings.HasPrefix(tag, "<iframe") || strings.HasPrefix(tag, "<link") || strings.HasPrefix(tag, "<object") {
			t.Errorf("element %.120s", tag)
		}
	}
	// Nothing looks like an address but the name of the SVG namespace and the
	// home of uPlot in its licence.
	rest := strings.NewReplacer(`xmlns="http://www.w3.org/2000/svg"`, "", "/*! https://github.com/leeoniya/uPlot (v1.6.32) */", "").Replace(s)
	for _, bad := range []string{"http://", "https://", "@import", "url("} {
		if i := strings.Index(rest, bad); i >= 0 {
			t.Errorf("%q at …%.80s", bad, rest[max(0, i-40):])
		}
	}
}

// TestHostileNames puts markup wherever an application puts names.
func TestHostileNames(t *testing.T) {
	const evil = `</script></style></title><script>alert(1)</script><img src=x onerror=alert(2)>"'><b onclick=x>`
	fig := Figure{Name: "f", Alt: evil, Caption: evil, SVG: svg(t, plot.Histogram{Title: evil, XLabel: evil, Samples: []plot.Sample{{Name: evil, Values: []float64{1, 2}}}}), Data: []byte(evil)}
	r := &Report{Title: evil, Lead: evil, Footer: evil, Sections: []Section{
		{evil, []Block{Text(evil), Tiles{{evil, evil, evil}}, fig, Row{fig}, Choice{evil, []Option{{evil, fig}}}}},
		{evil, []Block{Table{Caption: evil, Columns: []Column{{Name: evil}, {Name: evil}}, Rows: []TableRow{{Cells: []string{evil, evil}}}, Notes: []string{evil}}}},
		{evil, []Block{Provenance{{evil, evil}}, Notice{Title: evil, Text: evil}}},
		{evil, []Block{HeatmapSet{Caption: evil, Layers: 1, Heads: 1, Maps: []AttentionMap{{Name: evil, Tokens: []string{evil}, Weights: []float32{1}, Facts: []string{evil}}}}}},
		{evil, []Block{
			Matrix{Caption: evil, Rows: []string{evil}, Cols: []string{evil}, Values: []float64{1}, Notes: []string{evil}},
			Verdicts{Caption: evil, Measure: evil, Unit: evil, Notes: []string{evil}, Rows: []Verdict{{Method: evil, Sentence: evil}}},
			Curves{Name: "c", Alt: evil, Caption: evil, XLabel: evil, YLabel: evil, Marks: []Mark{{1, evil}}, Series: []Curve{{Name: evil, X: []float64{1}, Y: []float64{1}}}},
			Tracks{Name: "t", Alt: evil, Caption: evil, XLabel: evil, Labels: []string{evil}, Spans: []Span{{1, 1, evil}}, Rows: []Track{{Name: evil, Unit: evil, Values: []float64{1}, Unfaithful: evil}}},
			Examples{Label: evil, Pages: []Example{{Name: evil, Title: evil, Blocks: []Block{Text(evil), fig}}}},
		}},
	}}
	b := htmlOf(t, r)
	checkPage(t, b)
	bare := reElements.ReplaceAll(b, nil)
	for _, bad := range []string{"<script", "<img", "<b "} {
		if bytes.Contains(bare, []byte(bad)) {
			t.Errorf("%s came through", bad)
		}
	}
}

func TestErrors(t *testing.T) {
	good := []byte(`<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>`)
	figure := func(svg string) Block { return Figure{Name: "f", Alt: "a", SVG: []byte(svg)} }
	maps := func(m AttentionMap) Block { return HeatmapSet{Layers: 1, Heads: 1, Maps: []AttentionMap{m}} }
	nan := float32(math.NaN())
	for _, c := range []struct {
		block Block
		want  string
	}{
		{nil, `report: section "s": block 0 is nil`},
		{Table{}, `report: section "s": a table without columns`},
		{Table{Caption: "t", Columns: []Column{{Name: "a"}}, Rows: []TableRow{{Cells: []string{"1", "2"}}}}, `report: section "s": row 0 of table "t" has 2 cells for 1 columns`},
		{Figure{Name: "../x", Alt: "a", SVG: good}, `report: section "s": figure name "../x" is not made of letters, digits, '-', '_' and '.'`},
		{Figure{Name: "f", SVG: good}, `report: section "s": figure "f" has no text for those who cannot see it`},
		{Figure{Name: "f", Alt: "a"}, `report: section "s": figure "f" has no drawing`},
		{Figure{Name: "f", Alt: "a", SVG: good, PNG: good}, `report: section "s": figure "f" is both SVG and PNG`},
		{Row{{Name: "f"}}, `report: section "s": figure "f" has no text for those who cannot see it`},
		{Choice{Label: "l"}, `report: section "s": choice "l" has no options`},
		{Choice{Label: "l", Options: []Option{{}}}, `report: section "s": figure name "" is not made of letters, digits, '-', '_' and '.'`},
		{figure(`<p></p>`), `report: section "s": figure "f": the SVG does not start with <svg`},
		{figure(`<svg><script>x</script></svg>`), `report: section "s": figure "f": the SVG has an element "script", which does not draw`},
		{figure(`<svg><foreignObject/></svg>`), `report: section "s": figure "f": the SVG has an element "foreignObject", which does not draw`},
		{figure(`<svg onload="x"></svg>`), `report: section "s": figure "f": the SVG has an attribute onload="x"`},
		{figure(`<svg><path fill="url(#a)"/></svg>`), `report: section "s": figure "f": the SVG has an attribute fill="url(#a)"`},
		{figure(`<svg><!-- --></svg>`), `report: section "s": figure "f": the SVG has a comment, declaration or instruction`},
		{figure(`<svg></svg><svg></svg>`), `report: section "s": figure "f": the SVG has 2 root elements`},
		{figure(`<svg></svg>x`), `report: section "s": figure "f": the SVG has text outside its element`},
		{HeatmapSet{}, `report: section "s": attention of 0 layers, 0 heads and 0 sequences`},
		{maps(AttentionMap{Name: "q"}), `report: section "s": attention of "q": 0 tokens, not 1 to 1024`},
		{maps(AttentionMap{Name: "q", Tokens: []string{"A"}}), `report: section "s": attention of "q": 0 weights, not 1 maps of 1 x 1`},
		{maps(AttentionMap{Name: "q", Tokens: []string{"A"}, Weights: []float32{1}, Positions: []int{1, 2}}), `report: section "s": attention of "q": 2 positions for 1 tokens`},
		{maps(AttentionMap{Name: "q", Tokens: []string{"A"}, Weights: []float32{nan}}), `report: section "s": attention of "q": layer 1, head 1: a weight is not finite`},
		{maps(AttentionMap{Name: "q", Tokens: []string{"A"}, Weights: []float32{-1}}), `report: section "s": attention of "q": layer 1, head 1: a weight is negative`},
	} {
		r := &Report{Sections: []Section{{"s", []Block{c.block}}}}
		if _, err := r.HTML(); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %q", err, c.want)
		}
		if n, err := r.WriteTo(io.Discard); err == nil || n != 0 {
			t.Errorf("WriteTo wrote %d bytes of a report that fails", n)
		}
	}
}

func TestContents(t *testing.T) {
	s := Section{Title: "s"}
	if b := htmlOf(t, &Report{Sections: []Section{s, s, s}}); bytes.Contains(b, []byte("<nav")) {
		t.Error("three sections need no table of contents")
	}
	if b := htmlOf(t, &Report{Sections: []Section{s, s, s, s}}); !bytes.Contains(b, []byte(`<a href="#section-4">`)) {
		t.Error("four sections need a table of contents")
	}
}
