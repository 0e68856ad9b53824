package plot

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestMutationMap(t *testing.T) {
	m := MutationMap{Title: "effects", Sequence: []byte("ACDX"), First: 9, Values: make([]float64, 4*20), Label: "log ratio"}
	m.Values[0], m.Values[25], m.Values[26] = -4, 2, math.NaN()
	f, err := m.Figure()
	if err != nil {
		t.Fatal(err)
	}
	svg := string(f.SVG())
	colors := Diverging()
	for _, v := range []float64{0, 0.75, math.NaN()} { // -4 and 2 of 4, and what is not known
		c := colors.At(v)
		if want := strings.ToUpper(fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B)); !strings.Contains(strings.ToUpper(svg), want) {
			t.Errorf("no colour %s for level %v", want, v)
		}
	}
	// The dots of A, C and D, beside text, have the colour of ink; X has none.
	for _, text := range []string{">10<", "-4 or less", "dot: the residue"} {
		if !strings.Contains(svg, text) {
			t.Errorf("no %q", text)
		}
	}
	if again, _ := m.Figure(); !bytes.Equal(again.SVG(), []byte(svg)) {
		t.Error("not the same twice")
	}
	for _, bad := range []MutationMap{{}, {Sequence: []byte("AC"), Values: make([]float64, 39)}, {Sequence: []byte("A"), Values: make([]float64, 20), Limit: -1}} {
		if _, err := bad.Figure(); err == nil {
			t.Errorf("%+v was drawn", bad)
		}
	}
}
