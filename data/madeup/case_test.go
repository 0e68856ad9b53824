package madeup

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// The answer is no until the later of the two has happened, and then that of the
// patient.
func TestQuestions(t *testing.T) {
	g := Default()
	r := rand.New(rand.NewPCG(1, 1))
	for id := range int64(60) {
		c := g.Case(id+1, 0.05, 1)
		both := max(c.Patient.Drug, c.Patient.Lab)
		if c.Second <= both || c.Second < len(c.Events) && c.Events[c.Second].Days == c.Events[both].Days {
			t.Fatalf("patient %d: the second of the two is event %d, questions count %d", id+1, both, c.Second)
		}
		drawn := [2]int{}
		for range 40 {
			if n := c.Before(r.Float64()); n > both || n < 1 || c.Answer(n) || c.Truth(n) {
				t.Fatalf("patient %d: %d events before event %d, answer %v", id+1, n, both, c.Answer(n))
			}
			n := c.Draw(r)
			if n < 1 || n > c.Count || c.Answer(n) != (c.Patient.Positive && n >= c.Second) {
				t.Fatalf("patient %d: answer %v after %d of %d events", id+1, c.Answer(n), n, c.Count)
			}
			if n < c.Second {
				drawn[0]++
			} else {
				drawn[1]++
			}
		}
		if drawn[0] == 0 || drawn[1] == 0 {
			t.Errorf("patient %d: %d questions before and %d after the second of the two", id+1, drawn[0], drawn[1])
		}
	}
}

// Crowded patients have as many events between the two as was asked for, in order, and
// the truth still points at the two.
func TestCrowded(t *testing.T) {
	g := Default()
	for id := range int64(20) {
		c := g.Crowded(id+1, 129, 512, 0.05)
		s := c.Patient
		if s.Between < 129 || s.Between > 512 || max(s.Drug, s.Lab)-min(s.Drug, s.Lab)-1 != s.Between || c.Count != len(c.Events) {
			t.Errorf("patient %d: events %d and %d, %d between", s.ID, s.Drug, s.Lab, s.Between)
		}
		if !strings.HasPrefix(c.Events[s.Drug].Code, "RX//") || !strings.HasPrefix(c.Events[s.Lab].Code, "LAB//") || c.Second <= max(s.Drug, s.Lab) {
			t.Errorf("patient %d: %s and %s, second %d", s.ID, c.Events[s.Drug].Code, c.Events[s.Lab].Code, c.Second)
		}
		for i := 1; i < len(c.Events); i++ {
			if c.Events[i].Days > c.Events[i-1].Days {
				t.Fatalf("patient %d: event %d is earlier than the one before it", s.ID, i)
			}
		}
	}
}

// A variant differs from its patient in the one event that it is about.
func TestVariant(t *testing.T) {
	g := Default()
	for id := range int64(20) {
		c := g.Case(id+1, 0.05, 0.05)
		s := c.Patient
		same := c.Variant(true, true)
		for _, x := range []struct {
			events []Happening
			at     int
		}{{c.Variant(false, true), s.Drug}, {c.Variant(true, false), s.Lab}} {
			for i, e := range same {
				f := x.events[i]
				if changed := e.Code != f.Code || e.Value == e.Value && e.Value != f.Value; changed != (i == x.at) {
					t.Fatalf("patient %d: event %d changed: %v, wanted event %d", s.ID, i, changed, x.at)
				}
			}
		}
	}
}

// One seed gives the same patients in every version: models in published tables were
// trained on them.
func TestSameBits(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the last bit of exp and pow is that of the processor")
	}
	h := sha256.New()
	for level := range 6 {
		g := Default()
		g.Level, g.Seed = level, uint64(level+3)
		for id := range int64(40) {
			s := g.Generate(id + 1)
			fmt.Fprintln(h, s.ID, s.Birth.Unix(), s.Sex, s.Predict.UnixNano(), s.Positive, s.Kind, s.Gap, s.Between, s.Drug, s.Lab)
			for _, e := range s.Events {
				fmt.Fprintln(h, e.Code, e.Value, e.At.UnixNano())
			}
		}
	}
	if got, want := fmt.Sprintf("%x", h.Sum(nil)), "f4fb9a35edc5069b9482ea3db8217d24ac158937e8fc5aa3c50146bedafc500f"; got != want {
		t.Errorf("patients %s, want %s", got, want)
	}
	h.Reset()
	g := Default()
	show := func(c Case) {
		fmt.Fprintln(h, c.Patient.ID, c.Second, c.Patient.Between, c.Patient.Drug, c.Patient.Lab)
		for _, e := range c.Events {
			values := []float32{e.Value}
			if e.Value != e.Value {
				values = nil
			}
			fmt.Fprintln(h, e.Code, values, e.Days)
		}
	}
	for id := range int64(20) {
		show(g.Case(id+1, 0.05, 5))
		show(g.Crowded(id+1, 129, 512, 0.05))
	}
	if got, want := fmt.Sprintf("%x", h.Sum(nil)), "a1d0b526428f4674a434d634469efc506eedbb45036fc5bcf63e9314ed77588f"; got != want {
		t.Errorf("cases %s, want %s", got, want)
	}
}

// On level 5 distractors lie between the two: the least numbers of events cannot be had,
// and others are drawn in their place.
func TestCrowdedOfLevel5(t *testing.T) {
	g := Default()
	g.Level = 5
	for id := range int64(5) {
		if c := g.Crowded(id+1, 1, 32, 0.05); c.Patient.Between < 1 || c.Patient.Between > 32 {
			t.Errorf("patient %d: %d events between, want 1 to 32", id+1, c.Patient.Between)
		}
	}
}
