package ehr

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"heed/format/meds"
)

// Thresholds of the checks. They are conventions, chosen so that clinical data without
// a leak passes; the evidence is always printed.
const (
	strongCode  = 0.9  // AUROC of one code alone
	strongProbe = 0.8  // AUROC of a model that should know nothing; of the fitted ones, the lower limit
	weakProbe   = 0.65 // from which it is worth a look
)

// checks names the fifteen ways in which labels leak and what the data says about each.
func (a *auditor) checks(r *AuditResult) []Check {
	meta, counts, bag, early, late := r.Probes[0].AUROC, r.Probes[1].AUROC, r.Probes[2].AUROC.Estimate, r.Probes[3].AUROC.Estimate, r.Probes[4].AUROC.Estimate
	var out []Check
	add := func(name, verdict, evidence string, args ...any) {
		out = append(out, Check{len(out) + 1, name, verdict, fmt.Sprintf(evidence, args...)})
	}

	switch {
	case a.splitConflict > 0:
		add("one patient in two splits", Fail, "%s subjects stand in the folder of another split than the table says", people(a.splitConflict))
	case a.noSplit > 0:
		add("one patient in two splits", Warn, "%s subjects with labels have no split", people(a.noSplit))
	default:
		add("one patient in two splits", Pass, "each of %d subjects stands in one place and one split", a.subjects)
	}

	add("several labels of one patient", verdictIf(a.multi > 0, Warn), "%s of %d subjects have more than one label; intervals must resample patients, as those here do", people(a.multi), r.Subjects)

	share := ratio(a.atStart, a.diagnoses)
	switch {
	case a.diagnoses == 0:
		add("diagnoses before they were coded", Pass, "no codes of diagnoses with a time")
	default:
		v := Pass
		if share > 0.05 {
			v = Warn
		}
		if share > 0.5 {
			v = Fail
		}
		add("diagnoses before they were coded", v, "%.1f %% of %d codes of diagnoses bear the time of an admission; they are coded at the discharge", 100*share, a.diagnoses)
	}

	switch {
	case !a.known:
		add("seen before it was known", Warn, "the store has no times of availability (available_time): results count from when they were taken")
	case a.late > 0:
		add("seen before it was known", Warn, "%d events of %s labels were taken before the time of prediction and known after it (available_time); a model must not see them", a.late, people(a.lateLabels))
	default:
		add("seen before it was known", Pass, "all events before a prediction were known by then")
	}

	pos, neg := ratio(a.exactPositive, a.positives), ratio(a.exact-a.exactPositive, a.negatives)
	add("events at the very time of prediction", verdictIf(a.exact >= smallCell && math.Abs(pos-neg) > 0.1, Fail), "%s of %s positive and %s of %s negative labels have an event at the time of prediction, which counts as visible", people(a.exactPositive), people(a.positives), people(a.exact-a.exactPositive), people(a.negatives))

	midnight := ratio(a.midnight, a.timed)
	add("dates that pose as midnights", verdictIf(midnight > 0.02, Warn), "%.1f %% of %d events are at 00:00:00; a date without a time is known at the end of its day (23:59:59)", 100*midnight, a.timed)

	future := a.staticNames(func(name string) bool { return futureForm.MatchString(name) && !strings.HasPrefix(name, meds.Birth) })
	add("statics that know the future", verdictIf(len(future) > 0, Fail), "%s", found(future, "static codes that speak of an outcome"))

	held := 0
	for code, s := range a.codeSplits {
		if s == 4 && a.posWith[code]+a.negWith[code] > 0 {
			held++
		}
	}
	switch {
	case a.opt.FittedOn == nil:
		add("fitted on all the data", Warn, "what a model was fitted on is not known here; %d codes occur in held_out alone and must be unknown to it", held)
	default:
		add("fitted on all the data", verdictIf(!only(a.opt.FittedOn, meds.Train), Fail), "vocabulary, bins and means come from: %s", strings.Join(a.opt.FittedOn, ", "))
	}

	follow := a.auroc(func(e *example) float64 { return e.follow })
	add("the end of the record", verdictIf(follow > strongProbe, Warn), "how long a record goes on after the prediction tells the label with AUROC %s; so do all features that count to its end, and negatives who were not watched as long", score(follow))

	hour := max(a.auroc(func(e *example) float64 { return math.Sin(e.hour / 24 * 2 * math.Pi) }), a.auroc(func(e *example) float64 { return math.Cos(e.hour / 24 * 2 * math.Pi) }))
	recent := a.auroc(func(e *example) float64 { return e.counts[1] })
	add("positives and negatives anchored differently", verdictIf(hour > weakProbe || counts.Low > strongProbe, Warn), "hour of the day AUROC %s, events in the last 24 h %s, all counts %s", score(hour), score(recent), score(counts.Estimate))

	var proxies []string
	for _, code := range slices.Sorted(maps.Keys(a.proxies)) {
		if a.proxies[code] >= smallCell && a.people[code] >= smallCell {
			proxies = append(proxies, a.vocab.Code(code))
		}
	}
	add("treatment that follows from the outcome", verdictIf(len(proxies) > 0, Warn), "%s", found(proxies, "codes of comfort care, code status and the like before the prediction"))

	sites := a.staticNames(siteForm.MatchString)
	add("marks of the site", verdictIf(len(sites) > 0 || meta.Low > strongProbe, Warn), "%s; metadata alone AUROC %s", found(sites, "static codes of sites or devices"), score(meta.Estimate))

	switch {
	case a.opt.SelectedOn == nil:
		add("chosen on the test set", Warn, "how a model was chosen is not known here; choose on tuning, score held_out once")
	default:
		add("chosen on the test set", verdictIf(slices.ContainsFunc(a.opt.SelectedOn, func(s string) bool { return s != meds.Train && s != meds.Tuning }), Fail), "chosen on: %s", strings.Join(a.opt.SelectedOn, ", "))
	}

	calendar := a.auroc(func(e *example) float64 { return e.calendar })
	add("drift of the calendar", verdictIf(calendar > weakProbe, Warn), "the date of the prediction tells the label with AUROC %s; splits at random hide what changes over years", score(calendar))

	switch {
	case a.twinsApart > 0:
		add("the same record twice", Fail, "%s records equal one in another split, event by event", people(a.twinsApart))
	default:
		add("the same record twice", verdictIf(a.twins > 0, Warn), "%s records of 20 events or more equal another one, none across splits", people(a.twins))
	}

	// The scan and the placebo have no number of their own: they look for what the
	// fifteen do not name.
	strong := []string{}
	for _, c := range r.Codes {
		if math.Abs(c.AUROC-0.5) > strongCode-0.5 {
			strong = append(strong, c.Code)
		}
	}
	add("one code tells all (scan)", verdictIf(len(strong) > 0, Fail), "%s", found(strong, fmt.Sprintf("codes with AUROC above %.1f alone", strongCode)))
	verdict := Pass
	if bag > strongProbe && early < bag-0.15 {
		verdict = Warn
	}
	add("the last day tells all (placebo)", verdict, "bag of codes AUROC %s; without the last 24 hours %s; with the 24 hours after the prediction %s", score(bag), score(early), score(late))
	return out
}

func verdictIf(bad bool, verdict string) string {
	if bad {
		return verdict
	}
	return Pass
}

// score is an AUROC, or a dash where it does not exist.
func score(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return fmt.Sprintf("%.3f", x)
}

func ratio(k, n int) float64 {
	if n == 0 {
		return 0
	}
	return float64(k) / float64(n)
}

func only(list []string, one string) bool {
	for _, s := range list {
		if s != one {
			return false
		}
	}
	return len(list) > 0
}

// staticNames returns the static codes that match. Those of fewer than 11 people have
// no name: it may be free text, and speak of one of them.
func (a *auditor) staticNames(match func(string) bool) []string {
	var out []string
	rare := 0
	for _, code := range slices.Sorted(maps.Keys(a.static)) {
		switch name := a.vocab.Code(code); {
		case !match(name):
		case a.people[code] < smallCell:
			rare++
		default:
			out = append(out, name)
		}
	}
	slices.Sort(out)
	for range rare {
		out = append(out, rareCode)
	}
	return out
}

const rareCode = "(a code of fewer than 11 people)"

// found names the first few of a list.
func found(list []string, what string) string {
	if len(list) == 0 {
		return "no " + what
	}
	shown := strings.Join(slices.Compact(slices.Clone(list[:min(len(list), 5)])), ", ")
	if len(list) > 5 {
		shown += ", ..."
	}
	return fmt.Sprintf("%d %s: %s", len(list), what, shown)
}
