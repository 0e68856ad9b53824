package ehr

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"heed/model/timeline"
)

var nan32 = float32(math.NaN())

// history is a heart rate at 30, 20, 10 and 1 hours before, a drug, and a heart rate
// that has no number.
func history() *Case {
	return &Case{Happenings: []Happening{
		{"HR", 80, 30. / 24, 1}, {"HR", 90, 20. / 24, 1}, {"RX", nan32, 12. / 24, 1},
		{"HR", 100, 10. / 24, 2}, {"HR", 60, 1. / 24, 2}, {"HR", nan32, 0.5 / 24, 2},
	}}
}

func show(events []timeline.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%s@%.1fh", e.Code, 24*e.Time)
		for _, v := range e.Values {
			fmt.Fprintf(&b, " %.3g", v)
		}
		b.WriteString("; ")
	}
	return b.String()
}

// Tokens by hand: mean, min, max, first, last, deviation, log count, slope, hours.
func TestTokens(t *testing.T) {
	for _, x := range []struct {
		k    Tokens
		want string
	}{
		{Tokens{}, "HR@30.0h 80; HR@20.0h 90; RX@12.0h; HR@10.0h 100; HR@1.0h 60; HR@0.5h; "},
		{Tokens{Windows: []float64{24}}, "HR/24h@24.0h 80 80 80 80 80 NaN 0.693 NaN 3.43; " +
			"HR/24h@0.0h 83.3 60 100 90 60 17 1.61 -36.8 0.405; RX/24h@0.0h NaN NaN NaN NaN NaN NaN 0.693 NaN 2.56; "},
		{Tokens{Windows: []float64{0}}, "HR/all@0.0h 82.5 60 100 80 60 14.8 1.79 -11.6 0.405; RX/all@0.0h NaN NaN NaN NaN NaN NaN 0.693 NaN 2.56; "},
	} {
		if got := show(x.k.Make(history())); got != x.want {
			t.Errorf("windows %v:\n%s, want\n%s", x.k.Windows, got, x.want)
		}
	}
	joined := Tokens{Windows: []float64{0, 24}, Joined: true}
	events := joined.Make(history())
	if len(events) != 2 || events[1].Code != "HR" || len(events[1].Values) != joined.Channels() || len(joined.channelNames()) != joined.Channels() {
		t.Fatalf("joined: %s", show(events))
	}
	if all, day := events[1].Values[0], events[1].Values[9]; all != 82.5 || math.Abs(float64(day)-250./3) > 1e-4 {
		t.Errorf("joined: means %v and %v", all, day)
	}
}

func TestTokensValidate(t *testing.T) {
	for want, k := range map[string]Tokens{
		"window of -1 hours: want a positive number, or 0 for the whole history": {Windows: []float64{-1}},
		"window of 8 hours: given twice":                                         {Windows: []float64{8, 8}},
		"0 windows to join: want 1 to 7":                                         {Joined: true},
	} {
		if err := k.Validate(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
