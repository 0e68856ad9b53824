package timeline

import (
	"math"
	"testing"

	"heed/autograd"
)

// Event by event, a stream answers what the model answers of the whole sequence, at
// the time of every event and later.
func TestStreamEqualsBatch(t *testing.T) {
	v := fixed()
	nan := float32(math.NaN())
	events := []Event{
		{Code: "A", Values: []float32{0.5, nan}, Time: 3, Visit: 1},
		{Code: "B", Values: []float32{25, nan}, Time: 4.5, Visit: 2},
		{Code: "B", Time: 4.5, Visit: 2},
		{Code: "never seen", Values: []float32{1, 1}, Time: 90},
		{Code: "A", Values: []float32{-3, 0.25}, Time: 512, Visit: 3},
	}
	for _, time := range []string{"bias", "none"} {
		for _, value := range []string{"knots", "projection", "linear", "none"} {
			c := goldenConfig()
			c.Causal, c.Time, c.Value, c.Age, c.Visits = true, time, value, true, true
			m := New(c, v, source())
			s, err := m.NewStream()
			if err != nil {
				t.Fatal(err)
			}
			for n := range events {
				age := float32(61 + events[n].Time/365.25)
				if err := s.Add(events[n], age); err != nil {
					t.Fatal(err)
				}
				for _, later := range []float64{0, 30} {
					now := events[n].Time + later
					got := s.Logits(now, float32(61+now/365.25))
					var before []Event
					for _, e := range events[:n+1] {
						e.Time = now - e.Time
						before = append(before, e)
					}
					q := v.Encode(before, float32(61+now/365.25), false)
					want := m.Logits(&autograd.Tape{NoGrad: true}, m.Pack(nil, &q)).Data
					for i := range want {
						if math.Abs(float64(got[i]-want[i])) > 2e-5 {
							t.Errorf("%s, %s, event %d, %v days later: %v, the whole sequence gives %v", time, value, n, later, got, want)
						}
					}
				}
			}
			if s.Len() != len(events) {
				t.Errorf("%d events are remembered, want %d", s.Len(), len(events))
			}
		}
	}
}

// What is remembered has a bound, and time does not go back.
func TestStreamLimits(t *testing.T) {
	c := goldenConfig()
	c.Causal, c.Time, c.MaxTokens = true, "bias", 3
	m := New(c, fixed(), source())
	s, err := m.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	for day := range 5 {
		if err := s.Add(Event{Code: "A", Time: float64(day)}, 50); err != nil {
			t.Fatal(err)
		}
	}
	if s.Len() != 3 || len(s.keys[1]) != 3*c.Dim || s.times[0] != 2 {
		t.Errorf("%d events from day %v with %d keys, want 3 from day 2", s.Len(), s.times[0], len(s.keys[1])/c.Dim)
	}
	if err := s.Add(Event{Code: "A", Time: 3.5}, 50); err == nil || err.Error() != "timeline: an event 0.5 days before the last one" {
		t.Errorf("error %v", err)
	}
	for want, change := range map[string]func(c *Config){
		"timeline: a stream needs a causal model: here every event changes all others":                                    func(c *Config) { c.Causal = false },
		`timeline: time "both" counts from the prediction, so that what is remembered changes with it: want bias or none`: func(c *Config) { c.Time = "both" },
	} {
		c := goldenConfig()
		c.Causal, c.Time = true, "bias"
		change(&c)
		if _, err := New(c, fixed(), source()).NewStream(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// One event and one question after 512 others.
func BenchmarkStream(b *testing.B) {
	c := Config{Layers: 2, Dim: 32, Heads: 4, FFN: 64, Value: "projection", ValueHidden: 16, Time: "bias", Causal: true, Outputs: 1, LagUnit: 1, MaxTokens: 512}
	m := New(c, fixed(), source())
	s, err := m.NewStream()
	if err != nil {
		b.Fatal(err)
	}
	day := 0.0
	step := func() {
		if err := s.Add(Event{Code: "A", Values: []float32{1, 2}, Time: day}, 50); err != nil {
			b.Fatal(err)
		}
		s.Logits(day, 50)
		day++
	}
	for range c.MaxTokens {
		step()
	}
	for b.Loop() {
		step()
	}
}
