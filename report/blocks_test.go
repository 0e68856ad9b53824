package report

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"heed/format"
)

// unpack returns a piece of data of a page.
func unpack(t *testing.T, page []byte, id string) []byte {
	t.Helper()
	m := regexp.MustCompile(`<script type="text/plain" id="` + id + `">([^<]*)</script>`).FindSubmatch(page)
	if m == nil {
		t.Fatalf("the page lacks %s", id)
	}
	packed, err := base64.StdEncoding.DecodeString(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// metaOf reads the description of the first block of a class.
func metaOf[T any](t *testing.T, page []byte, class string) T {
	t.Helper()
	m := regexp.MustCompile(`<figure class="` + class + `" data-meta="([^"]*)"`).FindSubmatch(page)
	if m == nil {
		t.Fatalf("no %s on the page", class)
	}
	var v T
	if err := json.Unmarshal(unpack(t, page, string(m[1])), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func pageOf(t *testing.T, blocks ...Block) []byte {
	t.Helper()
	b := htmlOf(t, &Report{Title: "t", Sections: []Section{{"s", blocks}}})
	checkPage(t, b)
	return b
}

func TestBlockErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	one := []float64{1}
	curves := func(s ...Curve) Block { return Curves{Name: "c", Alt: "a", Series: s} }
	tracks := func(r ...Track) Tracks { return Tracks{Name: "t", Alt: "a", Rows: r} }
	maps := func(change func(*HeatmapSet)) Block {
		s := HeatmapSet{Layers: 1, Heads: 1, Maps: []AttentionMap{{Name: "q", Tokens: []string{"A"}, Weights: []float32{1}}}}
		change(&s)
		return s
	}
	for _, c := range []struct {
		block Block
		want  string
	}{
		{Curves{Name: "a/b", Alt: "a"}, `curves name "a/b" is not made of letters, digits, '-', '_' and '.'`},
		{Curves{Name: "c"}, `curves "c" has no text for those who cannot see it`},
		{curves(), `curves "c": no series`},
		{curves(Curve{Name: "s"}), `curves "c": series "s" has no points`},
		{curves(Curve{Name: "s", X: one}), `curves "c": series "s" has 1 x and 0 values`},
		{curves(Curve{Name: "s", X: []float64{1, 1}, Y: []float64{1, 2}}), `curves "c": x of series "s" does not rise at point 1: 1`},
		{curves(Curve{Name: "s", X: []float64{nan}, Y: one}), `curves "c": x of series "s" does not rise at point 0: NaN`},
		{curves(Curve{Name: "s", X: one, Y: []float64{inf}}), `curves "c": series "s": value 0 is +Inf`},
		{curves(Curve{Name: "s", X: one, Y: []float64{1e300}}), `curves "c": series "s": value 0 is 1e+300`},
		{curves(Curve{Name: "s", X: one, Y: one, Low: one}), `curves "c": series "s" has one bound of a band`},
		{curves(Curve{Name: "s", X: one, Y: one, Low: one, High: []float64{1, 2}}), `curves "c": series "s" has 1 x and 2 values`},
		{Curves{Name: "c", Alt: "a", Series: []Curve{{X: one, Y: one}}, Marks: []Mark{{nan, "m"}}}, `curves "c": the mark "m" stands at NaN`},
		{Tracks{Name: "t"}, `tracks "t" has no text for those who cannot see it`},
		{tracks(), `tracks "t": no rows`},
		{tracks(Track{Name: "r"}), `tracks "t": 0 positions, not 1 to 1048576`},
		{tracks(Track{Name: "r", Values: one}, Track{Name: "q"}), `tracks "t": row "q" has 0 values, row "r" has 1`},
		{tracks(Track{Name: "r", Values: []float64{-inf}}), `tracks "t": row "r": value 0 is -Inf`},
		{Tracks{Name: "t", Alt: "a", Rows: []Track{{Values: one}}, Positions: []int{1, 2}}, `tracks "t": 2 coordinates for 1 positions`},
		{Tracks{Name: "t", Alt: "a", Rows: []Track{{Values: one}}, Labels: []string{}}, `tracks "t": 0 labels for 1 positions`},
		{Tracks{Name: "t", Alt: "a", Rows: []Track{{Values: one}}, Spans: []Span{{3, 2, "m"}}}, `tracks "t": span "m" from 3 to 2`},
		{Matrix{Caption: "m"}, `matrix "m" of 0 x 0, not 1 to 4096 cells`},
		{Matrix{Caption: "m", Rows: []string{"a"}, Cols: []string{"b"}}, `matrix "m" of 1 x 1 has 0 values`},
		{Matrix{Caption: "m", Rows: []string{"a"}, Cols: []string{"b"}, Values: one, Digits: 7}, `matrix "m" with 7 digits, not 0 to 6`},
		{Matrix{Caption: "m", Rows: []string{"a"}, Cols: []string{"b"}, Values: one, Full: -1}, `matrix "m" with the strongest colour at -1`},
		{Matrix{Caption: "m", Rows: []string{"a"}, Cols: []string{"b"}, Values: []float64{inf}}, `value 0 of matrix "m" is +Inf`},
		{Verdicts{Caption: "v"}, `verdicts "v" without methods`},
		{Verdicts{Caption: "v", Random: nan, Rows: []Verdict{{}}}, `verdicts "v": random is NaN`},
		{Verdicts{Caption: "v", Rows: []Verdict{{"m", 3, 1, 2, ""}}}, `verdicts "v": method "m" has 3 in an interval from 1 to 2`},
		{Verdicts{Caption: "v", Rows: []Verdict{{"m", nan, 1, 2, ""}}}, `verdicts "v": method "m" has NaN in an interval from 1 to 2`},
		{Verdicts{Caption: "v", Rows: []Verdict{{"m", 0, -1, 1, ""}}}, `verdicts "v": method "m" does not beat random and has no sentence that says so`},
		{Verdicts{Caption: "v", LowerIsBetter: true, Rows: []Verdict{{"m", 2, 1, 3, ""}}}, `verdicts "v": method "m" does not beat random and has no sentence that says so`},
		{Examples{Label: "e"}, `examples "e": there are none`},
		{Examples{Label: "e", Pages: []Example{{}}}, `examples "e": example 0 has no name`},
		{Examples{Label: "e", Pages: []Example{{Name: "x", Blocks: []Block{nil}}}}, `example "x": block 0 is nil`},
		{Examples{Label: "e", Pages: []Example{{Name: "x", Blocks: []Block{Table{}}}}}, `example "x": a table without columns`},
		{maps(func(s *HeatmapSet) { s.Name = " " }), `attention name " " is not made of letters, digits, '-', '_' and '.'`},
		{maps(func(s *HeatmapSet) { s.Maps[0].Facts = []string{} }), `attention of "q": 0 facts for 1 heads`},
		{maps(func(s *HeatmapSet) { s.Maps[0].Full = make([]bool, 2) }), `attention of "q": 2 marks of full resolution for 1 heads`},
		{maps(func(s *HeatmapSet) { s.Maps[0].Keys = []string{} }), `attention of "q": 0 keys, not 1 to 1024`},
		{maps(func(s *HeatmapSet) { s.Maps[0].Keys = []string{"a", "b"} }), `attention of "q": 1 weights, not 1 maps of 1 x 2`},
		{maps(func(s *HeatmapSet) { s.Maps[0].Head = func(int, int) []float32 { return nil } }), `attention of "q": both weights and a function that returns them`},
		{maps(func(s *HeatmapSet) {
			s.Maps[0].Weights, s.Maps[0].Head = nil, func(int, int) []float32 { return nil }
		}), `attention of "q": layer 1, head 1 has 0 weights, not 1 x 1`},
	} {
		want := `report: section "s": ` + c.want
		if _, err := (&Report{Sections: []Section{{"s", []Block{c.block}}}}).HTML(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := (&Report{Budget: -1}).HTML(); err == nil || err.Error() != "report: budget of -1 bytes, not 1 to 20971520" {
		t.Errorf("a negative budget: %v", err)
	}
}

// TestLevels bounds what 8 bits lose.
func TestLevels(t *testing.T) {
	w := []float32{0, 1e-4, 0.001, 0.01, 0.1, 0.25, 0.5, 0.8}
	for _, sign := range []bool{false, true} {
		v := slices.Clone(w)
		steps, zero := 255.0, 0.0
		if sign {
			steps, zero = 127, 128
			for i := range v {
				if i%2 == 1 {
					v[i] = -v[i]
				}
			}
		}
		levels, strongest, err := quantise(v, sign)
		if err != nil || strongest != 7 {
			t.Fatalf("strongest %d, %v", strongest, err)
		}
		for i, l := range levels {
			root := (float64(l) - zero) / steps
			got := root * math.Abs(root) * 0.8
			bound := math.Sqrt(math.Abs(float64(v[i]))*0.8)/steps + 0.8/(4*steps*steps)
			if math.Abs(got-float64(v[i])) > bound*1.0001 {
				t.Errorf("signed %t: %g becomes %g, off by more than %g", sign, v[i], got, bound)
			}
		}
	}
	if levels, _, err := quantise(make([]float32, 3), true); err != nil || !bytes.Equal(levels, []byte{128, 128, 128}) {
		t.Errorf("nothing becomes %v (%v)", levels, err)
	}
}

// TestShrink keeps the strongest weight of each block.
func TestShrink(t *testing.T) {
	m := make([]byte, 5*7)
	m[4*7+6] = 9
	if got := shrink(m, 5, 7, 2, 3, false); !bytes.Equal(got, []byte{0, 0, 0, 0, 0, 9}) {
		t.Errorf("got %v", got)
	}
	for i := range m {
		m[i] = 128
	}
	m[0], m[1], m[2] = 100, 150, 90 // the strongest is negative
	if got := shrink(m, 5, 7, 2, 3, true); !bytes.Equal(got, []byte{90, 128, 128, 128, 128, 128}) {
		t.Errorf("signed: got %v", got)
	}
}

// TestAttentionData decodes what the page carries for its script.
func TestAttentionData(t *testing.T) {
	const n = 80
	w := attentionOf(n, 1, 2, 4)
	tokens := strings.Split(strings.Repeat("A", n), "")
	facts := []string{"first", "second"}
	m := AttentionMap{Name: "q", Tokens: tokens, Facts: facts, Weights: w}
	b := pageOf(t, HeatmapSet{Layers: 1, Heads: 2, Maps: []AttentionMap{m}})
	s := metaOf[setMeta](t, b, "maps").Sequences[0]
	if s.Rows != 64 || s.Cols != 64 || len(s.Queries) != n || s.Keys != nil || s.QueryPositions[n-1] != n || !slices.Equal(s.Facts, facts) {
		t.Errorf("meta %+v", s)
	}
	small := unpack(t, b, s.Small)
	for k := range 2 {
		want, at, _ := quantise(w[k*n*n:(k+1)*n*n], false)
		if got := unpack(t, b, s.Full[k]); !bytes.Equal(got, want) {
			t.Errorf("head %d differs", k)
		}
		if !bytes.Equal(small[k*4096:(k+1)*4096], shrink(want, n, n, 64, 64, false)) {
			t.Errorf("small head %d differs", k)
		}
		if s.Max[k] != w[k*n*n+at] {
			t.Errorf("maximum %g, want %g", s.Max[k], w[k*n*n+at])
		}
	}
	// A function of heads gives the same page.
	m.Weights, m.Head = nil, func(_, head int) []float32 { return w[head*n*n : (head+1)*n*n] }
	if !bytes.Equal(b, pageOf(t, HeatmapSet{Layers: 1, Heads: 2, Maps: []AttentionMap{m}})) {
		t.Error("weights and the function that returns them give two pages")
	}
}

// TestBudget leaves out maps that nobody has marked, and refuses what is too
// large all the same.
func TestBudget(t *testing.T) {
	set := longMap(300)
	set.Maps[0].Facts = nil
	held := func(budget int) string {
		b := htmlOf(t, &Report{Title: "t", Budget: budget, Sections: []Section{{"s", []Block{set}}}})
		out := ""
		for k, id := range metaOf[setMeta](t, b, "maps").Sequences[0].Full {
			if bytes.Contains(b, []byte(`id="`+id+`"`)) {
				out += fmt.Sprint(k)
			}
		}
		if budget > 200_000 && len(b) > budget {
			t.Errorf("a page of %d bytes for a budget of %d", len(b), budget)
		}
		return out
	}
	for _, c := range []struct {
		budget int
		want   string
	}{{0, "0123"}, {1, "1"}, {275_000, "01"}} {
		if got := held(c.budget); got != c.want {
			t.Errorf("budget %d holds the heads %q, want %q", c.budget, got, c.want)
		}
	}
	noise := make([]byte, 6<<20)
	state := uint32(1)
	for i := range noise {
		state = state*1664525 + 1013904223
		noise[i] = byte(state >> 24)
	}
	tsv := Figure{Name: "f", Alt: "a", SVG: []byte(`<svg></svg>`), Data: noise}
	b := htmlOf(t, &Report{Title: "t", Sections: []Section{{"s", []Block{tsv}}}})
	if !bytes.Contains(b, []byte("This page is large (8.")) {
		t.Error("a page of 8 MB does not say so")
	}
	_, err := (&Report{Title: "t", Sections: []Section{{"s", []Block{tsv, tsv, tsv}}}}).HTML()
	if !errors.Is(err, format.ErrTooLarge) || !strings.HasPrefix(err.Error(), "report: too large: the page would hold 24.") || !strings.HasSuffix(err.Error(), " MB, the limit is 20.0 MB") {
		t.Errorf("three such figures: %v", err)
	}
}

// floats undoes float32Planes.
func floats(b []byte) []float32 {
	n := len(b) / 4
	out := make([]float32, n)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32([]byte{b[i], b[n+i], b[2*n+i], b[3*n+i]}))
	}
	return out
}

func TestCurvesData(t *testing.T) {
	nan := math.NaN()
	b := pageOf(t, Curves{Name: "c", Alt: "a", Series: []Curve{
		{Name: "a", X: []float64{1, 2, 3}, Y: []float64{10, nan, 30}},
		{Name: "b", X: []float64{2, 4}, Y: []float64{5, 6}, Low: []float64{4, 5}, High: []float64{6, 7}},
	}})
	m := metaOf[curvesMeta](t, b, "curves")
	if m.N != 4 || !m.Regular || m.Start != 1 || m.Step != 1 || !m.Series[1].Band || m.Series[0].Band {
		t.Errorf("meta %+v", m)
	}
	data := unpack(t, b, m.Data)
	for k, want := range []string{"[10 NaN 30 +Inf]", "[+Inf 5 +Inf 6]", "[+Inf 4 +Inf 5]", "[+Inf 6 +Inf 7]"} {
		if got := fmt.Sprint(floats(data[16*k : 16*(k+1)])); got != want {
			t.Errorf("column %d is %s, want %s", k, got, want)
		}
	}
	if !bytes.Contains(b, []byte("uPlot 1.6.32")) || !bytes.Contains(b, []byte("Permission is hereby granted")) {
		t.Error("the page carries uPlot without its licence")
	}
	if bytes.Contains(pageOf(t, Text("x")), []byte("Leon Sorokin")) {
		t.Error("a page without curves carries uPlot")
	}
	if !bytes.Contains(b, []byte(`<tr><th scope="row">a</th><td>3</td><td>10</td><td>30</td><td>10</td><td>1</td><td>30</td><td>3</td></tr>`)) {
		t.Error("the summary of the first line is missing")
	}
	irregular := metaOf[curvesMeta](t, pageOf(t, Curves{Name: "c", Alt: "a", Series: []Curve{{X: []float64{0, 0.1, 0.3}, Y: []float64{1, 2, 3}}}}), "curves")
	if irregular.Regular {
		t.Error("0, 0.1, 0.3 is not regular")
	}
}

func TestTracksData(t *testing.T) {
	b := pageOf(t, Tracks{Name: "t", Alt: "a", Positions: []int{-2, -1, 1}, Labels: []string{"A", "C", "G"},
		Spans: []Span{{-1, 5, "in"}, {7, 9, "out"}},
		Rows:  []Track{{Name: "r", Values: []float64{1, -2, math.NaN()}}, {Name: "q", Values: []float64{0, 0, 3}, Unfaithful: "not faithful here: a reason."}}})
	m := metaOf[tracksMeta](t, b, "tracks")
	if m.N != 3 || len(m.Spans) != 1 || m.Spans[0] != (spanMeta{1, 2, "in"}) || !m.Rows[0].Faithful || m.Rows[1].Faithful {
		t.Errorf("meta %+v", m)
	}
	if got := fmt.Sprint(floats(unpack(t, b, m.Data)[:12])); got != "[1 -2 NaN]" {
		t.Errorf("values %s", got)
	}
	for _, want := range []string{
		"<li><strong>q</strong> (grey): not faithful here: a reason.</li>",
		`<th scope="row">r</th><td>−2</td><td>C at −1</td><td>1</td><td>A at −2</td><td>1.5</td>`,
		`<td>G at &#43;1</td>`,
	} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func TestMatrixAndVerdicts(t *testing.T) {
	b := pageOf(t,
		Matrix{Rows: []string{"a"}, Cols: []string{"b", "c", "d", "e"}, Values: []float64{1, -0.5, 0.001, math.NaN()}, Digits: 2},
		Verdicts{Measure: "m", Random: 0.3, Rows: []Verdict{{Method: "good", Estimate: 2, Low: 1, High: 3}, {Method: "bad", Estimate: 0.4, Low: 0.2, High: 0.6, Sentence: "not faithful here: why."}}},
		Verdicts{Measure: "m", Random: 0.3, LowerIsBetter: true, Rows: []Verdict{{Method: "low", Estimate: 0.1, Low: 0, High: 0.2}}})
	for _, want := range []string{
		`<td class="p-5">&#43;1.00</td><td class="m-3">−0.50</td><td class="zero">0.00</td><td class="zero">–</td>`,
		`<tr class="accepted"><th scope="row">good</th>`, `<tr class="accepted"><th scope="row">low</th>`,
		`<tr class="rejected"><th scope="row">bad</th>`,
		`not better than random</span> <span class="sentence">not faithful here: why.</span>`,
	} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func TestExampleAddresses(t *testing.T) {
	b := pageOf(t, Examples{Label: "e", Pages: []Example{{Name: "a b"}, {Name: "a-b"}, {Name: "µ"}}})
	for _, want := range []string{`id="example-a-b"`, `id="example-a-b-2"`, `id="example--"`} {
		if bytes.Count(b, []byte(want)) != 1 {
			t.Errorf("the page has not one %s", want)
		}
	}
}
