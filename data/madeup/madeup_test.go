package madeup

import (
	"math"
	"strings"
	"testing"
)

// Every drug class and every analyte that is abnormal is equally frequent with and
// without an outcome, on every level but the control; the two events are where the
// truth says; and the relation holds if and only if there is an outcome.
func TestGeneratedMarginals(t *testing.T) {
	const n = 3000
	for level := 1; level <= 5; level++ {
		g := Default()
		g.Level, g.Noise, g.Density = level, 0, 0.1
		drugs, labs := map[string][2]float64{}, map[string][2]float64{}
		positive := [2]float64{}
		kinds := map[string]int{}
		for id := range int64(n) {
			s := g.Generate(id + 1)
			label := 0
			if s.Positive {
				label = 1
			}
			kinds[s.Kind]++
			positive[label]++
			drug, lab := s.Events[s.Drug], s.Events[s.Lab]
			add := func(m map[string][2]float64, key string) {
				x := m[key]
				x[label]++
				m[key] = x
			}
			add(drugs, drug.Code)
			add(labs, lab.Code[:len("LAB//ANALYTE-1")])
			days := lab.At.Sub(drug.At).Hours() / 24
			if math.Abs(math.Abs(days)-s.Gap) > 0.01 {
				t.Fatalf("level %d, patient %d: gap %v, the truth says %v", level, s.ID, days, s.Gap)
			}
			related := labCode(belongs(int(drug.Code[len(drug.Code)-1]-'1')), 0)[:len("LAB//ANALYTE-1")] == lab.Code[:len("LAB//ANALYTE-1")]
			if level >= 2 {
				related = related && days > 0
			}
			if level < 3 && related != s.Positive {
				t.Fatalf("level %d, patient %d, %s: related %v, outcome %v", level, s.ID, s.Kind, related, s.Positive)
			}
			for i := 1; i < len(s.Events); i++ {
				if s.Events[i].At.Before(s.Events[i-1].At) {
					t.Fatalf("level %d, patient %d: events out of order", level, s.ID)
				}
			}
			if s.Predict.Before(s.Events[len(s.Events)-1].At) {
				t.Fatalf("level %d, patient %d: an event after the prediction", level, s.ID)
			}
		}
		if len(kinds) != 1+len(g.Kinds()) {
			t.Errorf("level %d: kinds %v", level, kinds)
		}
		for name, m := range map[string]map[string][2]float64{"drug": drugs, "analyte": labs} {
			if len(m) != pairs {
				t.Errorf("level %d: %d %ss, want %d", level, len(m), name, pairs)
			}
			for key, x := range m {
				a, b := x[0]/positive[0], x[1]/positive[1]
				if math.Abs(a-b) > 4.5*math.Sqrt(2*a*(1-a)/(n/2)) {
					t.Errorf("level %d: %s occurs in %.3f without and %.3f with an outcome", level, key, a, b)
				}
			}
		}
	}
}

// A patient depends on the seed and the number alone.
func TestGenerateIsDeterministic(t *testing.T) {
	g := Default()
	g.Level = 5
	a, b := g.Generate(7), g.Generate(7)
	if len(a.Events) != len(b.Events) || a.Gap != b.Gap || a.Kind != b.Kind || !a.Predict.Equal(b.Predict) {
		t.Error("one patient was made up in two ways")
	}
	for i := range a.Events {
		if x, y := a.Events[i], b.Events[i]; x.Code != y.Code || !x.At.Equal(y.At) {
			t.Fatalf("event %d differs", i)
		}
	}
}

// A stop between the two is the reason for no outcome, and otherwise it is another
// class's or comes before.
func TestGeneratedStops(t *testing.T) {
	g := Default()
	g.Level, g.Noise = 3, 0
	for id := range int64(400) {
		s := g.Generate(id + 1)
		drug, lab := s.Events[s.Drug], s.Events[s.Lab]
		low, high := drug.At, lab.At
		if high.Before(low) {
			low, high = high, low
		}
		between, stops := false, 0
		for _, e := range s.Events {
			if strings.HasPrefix(e.Code, "STOP//") {
				stops++
				if strings.TrimPrefix(e.Code, "STOP//") == strings.TrimPrefix(drug.Code, "RX//") && e.At.After(low) && e.At.Before(high) {
					between = true
				}
			}
		}
		if stops != 1 || between != (s.Kind == "stopped") && s.Kind != "wrong order" {
			t.Errorf("patient %d, %s: %d stops, between %v", s.ID, s.Kind, stops, between)
		}
	}
}
