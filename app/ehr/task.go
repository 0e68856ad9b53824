package ehr

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"heed/format"
	"heed/format/meds"
)

// A Task says which moments of which patients get a label, and which. It is written in
// the YAML of ACES (Xu et al. 2024, arXiv 2406.19653):
//
//	predicates:
//	  admission: {code: {regex: "^ADMISSION//"}}
//	  low_k:     {code: "LAB//K", value_max: 3.5}
//	  end:       {expr: "or(discharge, death)"}
//	trigger: admission
//	windows:
//	  input:  {start: NULL, end: trigger + 24h, index_timestamp: end}
//	  target: {start: input.end, end: start -> end, start_inclusive: false, label: death}
//
// Plain predicates count events; and() and or() of others hold at one time. Predicates
// over a range of values alone may be used in them.
type Task struct {
	Description  string               `yaml:"description"`
	Metadata     map[string]any       `yaml:"metadata"`
	Predicates   map[string]predicate `yaml:"predicates"`
	Demographics map[string]predicate `yaml:"patient_demographics"`
	Trigger      trigger              `yaml:"trigger"`
	Windows      map[string]*window   `yaml:"windows"`
}

// predicate is plain (code, values) or derived (expr).
type predicate struct {
	Code         codeMatch         `yaml:"code"`
	Min          *float64          `yaml:"value_min"`
	Max          *float64          `yaml:"value_max"`
	MinInclusive *bool             `yaml:"value_min_inclusive"`
	MaxInclusive *bool             `yaml:"value_max_inclusive"`
	Expr         string            `yaml:"expr"`
	Static       bool              `yaml:"static"`
	Other        map[string]string `yaml:"other_cols"`
}

// codeMatch is one code, several, or a regular expression. The zero value matches all.
type codeMatch struct {
	any   []string
	regex *regexp.Regexp
	set   bool
}

// UnmarshalYAML reads a code, {any: [...]} or {regex: ...}.
func (c *codeMatch) UnmarshalYAML(n *yaml.Node) error {
	c.set = true
	if n.Kind == yaml.ScalarNode {
		c.any = []string{n.Value}
		return nil
	}
	var m struct {
		Any   []string `yaml:"any"`
		Regex string   `yaml:"regex"`
	}
	if err := n.Decode(&m); err != nil {
		return err
	}
	if (m.Regex == "") == (len(m.Any) == 0) {
		return fmt.Errorf("line %d: want a code, {any: [...]} or {regex: ...}", n.Line)
	}
	c.any = m.Any
	if m.Regex != "" {
		re, err := regexp.Compile(m.Regex)
		if err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		c.regex = re
	}
	return nil
}

func (c *codeMatch) match(code string) bool {
	switch {
	case c.regex != nil:
		return c.regex.MatchString(code)
	case c.set:
		return slices.Contains(c.any, code)
	}
	return true
}

// trigger is the name of a predicate, or {predicate: name}.
type trigger struct{ Name string }

// UnmarshalYAML reads either form.
func (t *trigger) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		t.Name = n.Value
		return nil
	}
	var m struct {
		Predicate string `yaml:"predicate"`
	}
	if err := n.Decode(&m); err != nil {
		return err
	}
	t.Name = m.Predicate
	return nil
}

type window struct {
	Start          *string           `yaml:"start"`
	End            *string           `yaml:"end"`
	StartInclusive *bool             `yaml:"start_inclusive"`
	EndInclusive   *bool             `yaml:"end_inclusive"`
	Has            map[string]bounds `yaml:"has"`
	Label          string            `yaml:"label"`
	Index          string            `yaml:"index_timestamp"`
}

// bounds is how often a predicate must hold: "(1, None)" or [1, null].
type bounds struct{ min, max int }

// UnmarshalYAML reads either form.
func (b *bounds) UnmarshalYAML(n *yaml.Node) error {
	var parts []string
	if n.Kind == yaml.ScalarNode {
		text := strings.TrimSpace(n.Value)
		if len(text) < 2 || text[0] != '(' || text[len(text)-1] != ')' {
			return fmt.Errorf("line %d: want (min, max), either None", n.Line)
		}
		parts = strings.Split(text[1:len(text)-1], ",")
	} else {
		for _, c := range n.Content {
			parts = append(parts, c.Value)
		}
	}
	if len(parts) != 2 {
		return fmt.Errorf("line %d: want (min, max), either None", n.Line)
	}
	b.min, b.max = 0, math.MaxInt
	for i, p := range parts {
		switch p = strings.TrimSpace(p); p {
		case "None", "null", "~", "":
			continue
		}
		v, err := strconv.Atoi(p)
		if err != nil || v < 0 {
			return fmt.Errorf("line %d: want (min, max) of whole numbers, either None", n.Line)
		}
		if i == 0 {
			b.min = v
		} else {
			b.max = v
		}
	}
	if b.min > b.max {
		return fmt.Errorf("line %d: the minimum is above the maximum", n.Line)
	}
	return nil
}

// ParseTask reads and checks a task; name stands for the file in errors.
func ParseTask(name string, text []byte) (*plan, error) {
	var t Task
	if err := decodeYAML(name, text, &t); err != nil {
		return nil, err
	}
	p, err := t.compile()
	if err != nil {
		return nil, format.Invalidf(name, 0, "%w", err)
	}
	return p, nil
}

var durationPart = regexp.MustCompile(`^\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)`)

// parseDuration reads "24h", "1 day", "1h 30m", "30 days" into microseconds.
func parseDuration(s string) (int64, error) {
	rest, total := strings.TrimSpace(s), 0.0
	if rest == "" {
		return 0, fmt.Errorf("%q is no duration, such as 24h or 30 days", s)
	}
	for rest != "" {
		m := durationPart.FindStringSubmatch(rest)
		if m == nil {
			return 0, fmt.Errorf("%q is no duration, such as 24h or 30 days", s)
		}
		v, err := strconv.ParseFloat(m[1], 64)
		unit, ok := map[string]int64{
			"s": meds.Second, "sec": meds.Second, "secs": meds.Second, "second": meds.Second, "seconds": meds.Second,
			"m": meds.Minute, "min": meds.Minute, "mins": meds.Minute, "minute": meds.Minute, "minutes": meds.Minute,
			"h": meds.Hour, "hr": meds.Hour, "hrs": meds.Hour, "hour": meds.Hour, "hours": meds.Hour,
			"d": meds.Day, "day": meds.Day, "days": meds.Day, "w": 7 * meds.Day, "week": 7 * meds.Day, "weeks": 7 * meds.Day,
		}[strings.ToLower(m[2])]
		if err != nil || !ok {
			return 0, fmt.Errorf("%q is no duration: units are s, min, h, d and w", s)
		}
		total += v * float64(unit)
		rest = strings.TrimSpace(rest[len(m[0]):])
	}
	if total > 1000*366*float64(meds.Day) {
		return 0, fmt.Errorf("%q is longer than 1,000 years", s)
	}
	return int64(total), nil
}
