package protein

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"heed/metric"
	"heed/model/alignment"
)

// TestDescribeHeads has one head that attends from each column to its partner, one
// to the column 12 further and one to nothing in particular.
func TestDescribeHeads(t *testing.T) {
	const l, d = 40, 40
	partner := func(i int) int { return (i*7 + 20) % l }
	m := alignment.NewFactored(l, 3, d, nil)
	for i := range l {
		m.Query.Data[i*3*d+0*d+i] = 100
		m.Key.Data[partner(i)*3*d+0*d+i] = 1
		m.Query.Data[i*3*d+1*d+i] = 100
		m.Key.Data[(i+12)%l*3*d+1*d+i] = 1
	}
	m.Value.Data[0*400+4*20+4] = 2     // C, C
	m.Value.Data[1*400+3*20+11] = -0.5 // D, K
	f := &Family{Family: &alignment.Family{Columns: l}, Query: []byte(strings.Repeat("A", l))}
	truth := &Truth{Touch: make([]metric.Touch, l*l)}
	for i := range l {
		f.Columns = append(f.Columns, i)
		for j := range l {
			truth.Touch[i*l+j] = metric.Apart
		}
	}
	want, pairs := 0, 0
	for i := range l {
		j := partner(i)
		truth.Touch[i*l+j], truth.Touch[j*l+i] = metric.Contact, metric.Contact
		if max(i-j, j-i) >= nearest {
			pairs++
		}
	}
	for i := range l {
		if j := (i + 12) % l; truth.Touch[i*l+j] == metric.Contact {
			want++
		}
	}
	heads, pooled := DescribeHeads(f, m, truth, 1)
	if h := heads[0].Attended; h.Pairs != pairs || h.Known != pairs || h.Precision != 1 || !h.Found || h.P > 0.01 || !(h.Null < 0.5) || h.High >= 1 || h.Low > h.Null {
		t.Errorf("head of contacts: %+v, want %d pairs", h, pairs)
	}
	if h := heads[0].First; h.Pairs != l/5 || h.Precision != 1 || !h.Found {
		t.Errorf("first pairs of the head of contacts: %+v", h)
	}
	if h := heads[1].Attended; h.Contacts != want || h.Pairs != l || h.Found || h.Low > h.Precision || h.High < h.Precision {
		t.Errorf("head of neighbours: %+v, want %d contacts", h, want)
	}
	if h := heads[2].Attended; h.Pairs != 0 || h.Known != 0 || !math.IsNaN(h.Precision) || !math.IsNaN(h.P) || h.Found || heads[2].Strength != 0 {
		t.Errorf("head of nothing: %+v", h)
	}
	if pooled.Pairs != pairs+l || pooled.Contacts != pairs+want {
		t.Errorf("pooled: %+v", pooled)
	}
	// Columns 10 and 30 would be partners of themselves, and attend to all.
	sharp := 4 * (38 * (1 - 1./39))
	if s := heads[0].Strength; math.Abs(s-sharp/(sharp+0.25*l*(1-1./39))) > 1e-3 || byStrength(heads)[0].Index != 1 || heads[0].Values[0] != (AminoPair{'C', 'C', 2 - 2./400}) {
		t.Errorf("strength %v, values %v", s, heads[0].Values)
	}
	var b bytes.Buffer
	if err := WriteHeads(&b, heads); err != nil || strings.Count(b.String(), "\n") != 4 || !strings.Contains(b.String(), "C→C +2.00") {
		t.Errorf("%v\n%s", err, b.String())
	}
	// Unknown pairs are no pairs.
	truth.Touch = make([]metric.Touch, l*l)
	heads, _ = DescribeHeads(f, m, truth, 1)
	if h := heads[0].Attended; h.Known != 0 || h.Pairs != pairs || !math.IsNaN(h.Precision) {
		t.Errorf("nothing known: %+v", h)
	}
	heads, _ = DescribeHeads(f, m, nil, 1)
	if h := heads[0].Attended; h.Pairs != pairs || !math.IsNaN(h.P) {
		t.Errorf("no structure: %+v", h)
	}
}
