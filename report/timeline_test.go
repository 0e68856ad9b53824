package report

import (
	"math"
	"strings"
	"testing"
)

func TestTimelineRefuses(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(*Timeline)
	}{
		{"nothing", "3 lanes and 0 events, not 1 lane or more and 1 to 50000 events", func(x *Timeline) { x.Events = nil }},
		{"day", "event 0: its day or weight is not finite", func(x *Timeline) { x.Events[0].Day = math.NaN() }},
		{"lane", "event 3 lies in lane 3 of 3", func(x *Timeline) { x.Events[3].Lane = 3 }},
		{"order", "event 1 comes before event 0", func(x *Timeline) { x.Events[0].Day = 900 }},
		{"score", "score 1: probability 1.5 on day 1", func(x *Timeline) { x.Scores[1].Probability = 1.5 }},
		{"order of scores", "score 1 comes before score 0", func(x *Timeline) { x.Scores[0].Day = 2 }},
		{"link", "a link leads out of the timeline", func(x *Timeline) { x.Links[0].To = 63 }},
		{"name", `timeline name "" is not made of letters, digits, '-', '_' and '.'`, func(x *Timeline) { x.Name = "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := alert()
			c.change(&x)
			_, err := (&Report{Title: "x", Sections: []Section{{"s", []Block{x}}}}).HTML()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestTimelineNumbers: what the script draws stands in tables as well.
func TestTimelineNumbers(t *testing.T) {
	var got []string
	for _, n := range alert().numbers() {
		got = append(got, n.Caption+": "+strings.Join(n.Rows[0], ", "))
	}
	want := "Alerts: 512, 0.93\nEvidence that belongs together: warfarin 5 mg, 1, INR 5.2, 512, 511 days\nEvents that moved the output most: 512, laboratory, INR 5.2, 2.3"
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("numbers say\n%s", s)
	}
	if n := len(alert().numbers()[2].Rows); n != 20 {
		t.Errorf("%d events are listed", n)
	}
}
