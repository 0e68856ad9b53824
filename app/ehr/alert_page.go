package ehr

import (
	"fmt"
	"strings"

	"heed/report"
)

// page shows the first timelines with alerts, or, if there are none, the first.
func (o *AlertRun) page(most int, version string) *report.Report {
	p := &report.Report{
		Title: "Alerts from timelines",
		Lead: fmt.Sprintf("Alerts of %d of %d patients, %d in all, in %.0f patient-days at a threshold of %.3f. %d of %d events have codes that the model does not know. %s.",
			o.Alerted, o.Patients, o.Alerts, o.Days, o.Threshold, o.Unknown, o.Events, sentence(Notice)),
		Footer: "heed " + version + ", " + Notice,
	}
	shown := 0
	for _, t := range o.Timelines {
		if shown < most && (len(t.Alerts) > 0 || o.Alerted == 0) {
			shown++
			p.Sections = append(p.Sections, t.section(shown))
		}
	}
	p.Sections = append(p.Sections, report.Section{Title: "Limits", Blocks: []report.Block{report.Text(limits + " Probabilities are calibrated on the patients that the model was tuned on; of others they are only as right as those are alike.")}})
	return p
}

// section shows one patient.
func (t *ScoredTimeline) section(n int) report.Section {
	names, lane := lanes(t.events)
	x := report.Timeline{Name: fmt.Sprintf("patient-%d", n), Lanes: names}
	for i := range t.events {
		e := &t.events[i]
		x.Events = append(x.Events, report.TimelineEvent{Day: e.Day, Lane: lane[i], Code: e.Code, Text: e.text()})
	}
	alerts := map[float64]bool{}
	table := report.Table{
		Caption: "Evidence",
		Columns: []report.Column{{Name: "alert on day"}, {Name: "event"}, {Name: "day", Numeric: true}, {Name: "integrated gradients", Numeric: true}, {Name: "Shapley value", Numeric: true}, {Name: "probability without it", Numeric: true}},
		Notes:   []string{"Integrated gradients and Shapley values are parts of the log-odds; Shapley values are those among the events of the table, all others kept."},
	}
	var words []string
	for _, a := range t.Alerts {
		alerts[a.Day] = true
		for k, e := range a.Evidence {
			x.Events[e.event].Weight = e.Shapley
			table.Rows = append(table.Rows, report.TableRow{Highlight: k < 2, Cells: []string{
				fmt.Sprintf("%.1f", a.Day), e.Code, fmt.Sprintf("%.1f", e.Day), fmt.Sprintf("%.2f", e.Part), fmt.Sprintf("%.2f", e.Shapley), fmt.Sprintf("%.3f", e.Without),
			}})
		}
		if len(a.Evidence) > 1 {
			i, j := a.Evidence[0], a.Evidence[1]
			if i.event > j.event {
				i, j = j, i
			}
			x.Links = append(x.Links, report.TimelineLink{From: i.event, To: j.event, Text: gapText(a.GapDays)})
			words = append(words, fmt.Sprintf("Day %.1f: probability %.3f from %s on day %.1f and %s on day %.1f, %s apart. Without the first it is %.3f, without the second %.3f, without both %.3f; together they bring %.2f log-odds beyond what each brings.",
				a.Day, a.Probability, i.Code, i.Day, j.Code, j.Day, gapText(a.GapDays), i.Without, j.Without, a.WithoutBoth, a.Interaction))
		}
	}
	for _, s := range t.Scores {
		x.Scores = append(x.Scores, report.TimelineScore{Day: s.Day, Probability: s.Probability, Alert: alerts[s.Day]})
	}
	x.Threshold = t.threshold
	x.Alt = fmt.Sprintf("%d events of one patient in %d lanes over %.0f days, %d alerts", t.Events, len(names), t.Days, len(t.Alerts))
	x.Caption = "Events by day, the probability after each of them, and the two that carry each alert."
	if len(words) > 0 {
		x.Caption = strings.Join(words, " ")
	}
	s := report.Section{Title: "Patient " + t.Subject, Blocks: []report.Block{x}}
	if len(table.Rows) > 0 {
		s.Blocks = append(s.Blocks, table)
	}
	return s
}
