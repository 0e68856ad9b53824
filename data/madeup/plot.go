package madeup

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// gap draws the days between the two: a stratum, all alike, then log-uniform
// within it.
func (m *maker) gap() float64 {
	var strata [][2]float64
	low := 1.0
	for _, high := range GapEnds {
		if a, b := max(low, m.g.MinGap), min(high, m.g.MaxGap); a < b {
			strata = append(strata, [2]float64{a, b})
		}
		low = high
	}
	s := strata[m.r.IntN(len(strata))]
	return s[0] * math.Pow(s[1]/s[0], m.r.Float64())
}

// Kinds returns the reasons for which there is no outcome on a level; they have
// equal shares.
func (g *Generation) Kinds() []string {
	if g.Level == 0 {
		return []string{"drug only", "analyte only", "neither"}
	}
	kinds := []string{"other analyte", "normal value", "other unit"}
	if g.Level >= 2 {
		kinds = append(kinds, "wrong order")
	}
	if g.Level >= 3 {
		kinds = append(kinds, "stopped")
	}
	return kinds
}

// plot adds what decides the outcome. Half of the patients are positive.
func (m *maker) plot(id int64) {
	s, r := m.s, m.r
	kinds := m.g.Kinds()
	s.Kind = "pair"
	if id%2 == 0 {
		s.Kind = kinds[int(id/2)%len(kinds)]
	}
	s.Positive = (s.Kind == "pair") != (r.Float64() < m.g.Noise)
	s.Gap = m.gap()
	// The later of the two is up to a month before the end, whatever the gap.
	second := m.span - 30*r.Float64()
	first := second - s.Gap
	if m.g.Level == 0 {
		m.presence(first, second)
		return
	}
	class := r.IntN(pairs)
	right := belongs(class)
	abnormal := right
	drugDay, labDay := first, second
	switch s.Kind {
	case "other analyte", "normal value", "other unit":
		abnormal = m.other(right)
	}
	// Which comes first may tell nothing on level 1; from level 2 only the wrong
	// order is reversed.
	if s.Kind == "wrong order" || m.g.Level == 1 && r.IntN(2) == 0 {
		drugDay, labDay = second, first
	}
	m.add(drugCode(class), math.NaN(), drugDay, 1)
	m.add(labCode(abnormal, m.unit), m.abnormal(abnormal, m.unit), labDay, 2)
	// At the time of the abnormal value two others are measured in every patient,
	// one of them in the other unit.
	normal, foreign := m.other(abnormal), m.other(abnormal)
	switch s.Kind {
	case "normal value":
		normal = right
	case "other unit":
		foreign = right
	}
	m.add(labCode(normal, m.unit), m.normal(normal, m.unit), labDay, 0)
	m.add(labCode(foreign, 1-m.unit), m.normal(foreign, 1-m.unit), labDay, 0)
	if m.g.Level >= 3 {
		m.stop(class, drugDay, labDay)
	}
	if m.g.Level >= 4 { // everybody has an earlier value of everything
		for k := range pairs {
			m.add(labCode(k, m.unit), m.normal(k, m.unit), max(0, first-5)*r.Float64(), 0)
		}
	}
	if m.g.Level >= 5 {
		m.distract(class, abnormal, first, second)
	}
}

// presence is level 0.
func (m *maker) presence(first, second float64) {
	class, k := 1+m.r.IntN(pairs-1), 1+m.r.IntN(pairs-1)
	if m.s.Kind == "pair" || m.s.Kind == "drug only" {
		class = 0
	}
	if m.s.Kind == "pair" || m.s.Kind == "analyte only" {
		k = 0
	}
	m.add(drugCode(class), math.NaN(), first, 1)
	m.add(labCode(k, m.unit), m.abnormal(k, m.unit), second, 2)
}

// other returns an analyte other than k, all alike.
func (m *maker) other(k int) int { return (k + 1 + m.r.IntN(pairs-1)) % pairs }

// stop adds one event that stops a drug to every patient: the patient's own between
// the two if that is why there is no outcome; else, with equal shares, the patient's
// own before it was given, or that of another class between the two.
func (m *maker) stop(class int, drugDay, labDay float64) {
	low, high := min(drugDay, labDay), max(drugDay, labDay)
	between := low + (high-low)*(0.1+0.8*m.r.Float64())
	switch {
	case m.s.Kind == "stopped":
		m.add(stopCode(class), math.NaN(), between, 0)
	case m.r.IntN(2) == 0:
		m.add(stopCode(class), math.NaN(), max(0, drugDay-1-60*m.r.Float64()), 0)
	default:
		m.add(stopCode((class+1+m.r.IntN(pairs-1))%pairs), math.NaN(), between, 0)
	}
}

// distract adds two drugs and two abnormal analytes, none of which belongs to any
// other. By symmetry every class and every analyte stays equally frequent.
func (m *maker) distract(class, abnormal int, first, second float64) {
	taken := map[int]bool{belongs(class): true, abnormal: true} // analytes
	classes := map[int]bool{class: true}
	for c := range pairs {
		if belongs(c) == abnormal {
			classes[c] = true // its drug would make a pair
		}
	}
	order := m.r.Perm(pairs)
	added := 0
	for _, c := range order {
		if added < 2 && !classes[c] {
			m.add(drugCode(c), math.NaN(), first+(second-first)*m.r.Float64(), 0)
			taken[belongs(c)] = true
			classes[c] = true
			added++
		}
	}
	added = 0
	for _, k := range m.r.Perm(pairs) {
		if added < 2 && !taken[k] {
			m.add(labCode(k, m.unit), m.abnormal(k, m.unit), first+(second-first)*m.r.Float64(), 0)
			added++
		}
	}
}

// finish sorts the events, those of one time in random order, and finds the two
// again.
func (m *maker) finish() {
	m.r.Shuffle(len(m.events), func(i, j int) { m.events[i], m.events[j] = m.events[j], m.events[i] })
	slices.SortStableFunc(m.events, func(a, b made) int { return cmp.Compare(a.At.Unix(), b.At.Unix()) })
	s := m.s
	for i, e := range m.events {
		s.Events = append(s.Events, e.Event)
		switch e.mark {
		case 1:
			s.Drug = i
		case 2:
			s.Lab = i
		}
	}
	s.Between = max(s.Drug, s.Lab) - min(s.Drug, s.Lab) - 1
	s.Predict = m.at(m.span + 1).Truncate(time.Second)
}
