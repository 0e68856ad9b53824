package meds

import (
	"strings"

	"github.com/parquet-go/parquet-go"
	pformat "github.com/parquet-go/parquet-go/format"

	"heed/format"
)

// scale is how a stored time becomes microseconds.
type scale struct{ mul, div int64 }

// layout says where the columns of events are in a file.
type layout struct {
	subject, time, code, value, text, available int // index of the leaf, or -1
	scale, availableScale                       scale
	codeIsNumber                                bool
}

// names lists what columns are called, the standard's own name first. patient_id
// is from before version 0.3.
var names = map[string][]string{
	"subject_id":    {"subject_id", "patient_id"},
	"time":          {"time"},
	"code":          {"code"},
	"numeric_value": {"numeric_value"},
	"text_value":    {"text_value"},
}

func column(root *parquet.Column, name string) *parquet.Column {
	all := names[name]
	if all == nil {
		all = []string{name}
	}
	for _, n := range all {
		if c := root.Column(n); c != nil {
			return c
		}
	}
	return nil
}

// findColumns checks the schema of a file of events.
func findColumns(name string, root *parquet.Column) (layout, error) {
	l := layout{-1, -1, -1, -1, -1, -1, scale{1, 1}, scale{1, 1}, false}
	if c := root.Column("events"); c != nil && root.Column("code") == nil {
		return l, format.UnsupportedAt(name, 0, "events are nested in a column, as MEDS had it before version 0.3; write one row for each event")
	}
	for _, f := range []struct {
		name  string
		index *int
		need  bool
		kinds []parquet.Kind
	}{
		{"subject_id", &l.subject, true, []parquet.Kind{parquet.Int64, parquet.Int32}},
		{"time", &l.time, true, []parquet.Kind{parquet.Int64}},
		{"code", &l.code, true, []parquet.Kind{parquet.ByteArray, parquet.Int64, parquet.Int32}},
		{"numeric_value", &l.value, false, []parquet.Kind{parquet.Float, parquet.Double, parquet.Int32, parquet.Int64}},
		{"text_value", &l.text, false, []parquet.Kind{parquet.ByteArray}},
		{"available_time", &l.available, false, []parquet.Kind{parquet.Int64}},
	} {
		c := column(root, f.name)
		if c == nil {
			if f.need {
				return l, format.InvalidAt(name, 0, "no column %s; the columns are %s", f.name, list(root))
			}
			continue
		}
		if !c.Leaf() || c.MaxRepetitionLevel() > 0 || c.MaxDefinitionLevel() > 1 {
			return l, format.UnsupportedAt(name, 0, "column %s is nested", f.name)
		}
		if isNull(c) && !f.need {
			continue // pandas writes a column without any value so
		}
		if !hasKind(c, f.kinds) {
			return l, format.UnsupportedAt(name, 0, "column %s has the type %s", f.name, c.Type())
		}
		*f.index = c.Index()
		if f.name == "time" || f.name == "available_time" {
			s, ok := timeScale(c)
			if !ok {
				return l, format.UnsupportedAt(name, 0, "column %s has the type %s, want a timestamp", f.name, c.Type())
			}
			if f.name == "time" {
				l.scale = s
			} else {
				l.availableScale = s
			}
		}
	}
	l.codeIsNumber = column(root, "code").Type().Kind() != parquet.ByteArray
	return l, nil
}

func list(root *parquet.Column) string {
	var all []string
	for _, c := range root.Columns() {
		if len(all) == 20 {
			all = append(all, "...")
			break
		}
		all = append(all, c.Name())
	}
	return strings.Join(all, ", ")
}

func hasKind(c *parquet.Column, kinds []parquet.Kind) bool {
	for _, k := range kinds {
		if c.Type().Kind() == k {
			return true
		}
	}
	return false
}

func isNull(c *parquet.Column) bool {
	t := c.Type().LogicalType()
	if t == nil {
		return false
	}
	_, ok := t.Value.(*pformat.NullType)
	return ok
}

func timeScale(c *parquet.Column) (scale, bool) {
	t := c.Type().LogicalType()
	if t == nil {
		return scale{}, false
	}
	stamp, ok := t.Value.(*pformat.TimestampType)
	if !ok {
		return scale{}, false
	}
	switch stamp.Unit.Value.(type) {
	case *pformat.MilliSeconds:
		return scale{1000, 1}, true
	case *pformat.MicroSeconds:
		return scale{1, 1}, true
	case *pformat.NanoSeconds:
		return scale{1, 1000}, true
	}
	return scale{}, false
}
