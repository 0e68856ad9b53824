package ehr

import (
	"fmt"
	"maps"
	"slices"

	"heed/format"
	"heed/internal/cli"
)

// A Count says how often something happened and where it happened first. The place
// is a file and a line or row; values and identifiers are never kept.
type Count struct {
	N     int64  `json:"n"`
	First string `json:"first"`
}

// A TableTally counts what an import made of the rows of one table. Rows is Kept plus
// what is in Dropped.
type TableTally struct {
	Rows    int64            `json:"rows"`
	Kept    int64            `json:"kept"`   // rows that gave events, or were needed otherwise
	Events  int64            `json:"events"` // a row may give several
	Dropped map[string]Count `json:"dropped,omitempty"`
	// Noted counts rows that were kept although something in them could not be: a
	// value of "?" or an event in the wrong order.
	Noted map[string]Count `json:"noted,omitempty"`
}

// A Tally counts rows table by table.
type Tally struct {
	Tables map[string]*TableTally `json:"tables"`
	strict bool
}

func newTally(strict bool) *Tally { return &Tally{map[string]*TableTally{}, strict} }

func (t *Tally) table(name string) *TableTally {
	x := t.Tables[name]
	if x == nil {
		x = &TableTally{}
		t.Tables[name] = x
	}
	return x
}

func count(m *map[string]Count, reason, place string, n int64) {
	if *m == nil {
		*m = map[string]Count{}
	}
	c := (*m)[reason]
	if c.N == 0 {
		c.First = place
	}
	c.N += n
	(*m)[reason] = c
}

// drop counts a row that was read and gives nothing. It is an error where every row
// must be right.
func (t *Tally) drop(table, reason, file string, line int) error {
	x := t.table(table)
	x.Rows++
	count(&x.Dropped, reason, place(file, line), 1)
	if t.strict {
		return cli.Hint(format.Invalidf(file, line, "%s", reason), "without --strict such rows are left out and counted")
	}
	return nil
}

// keep counts a row that gave events.
func (t *Tally) keep(table string, events int64) {
	x := t.table(table)
	x.Rows++
	x.Kept++
	x.Events += events
}

func (t *Tally) note(table, reason, file string, line int) {
	count(&t.table(table).Noted, reason, place(file, line), 1)
}

func place(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

func (t *Tally) clone() *Tally {
	out := newTally(t.strict)
	for name, x := range t.Tables {
		y := *x
		y.Dropped, y.Noted = maps.Clone(x.Dropped), maps.Clone(x.Noted)
		out.Tables[name] = &y
	}
	return out
}

// total adds up all tables.
func (t *Tally) total() TableTally {
	out := TableTally{}
	for _, name := range slices.Sorted(maps.Keys(t.Tables)) {
		x := t.Tables[name]
		out.Rows += x.Rows
		out.Kept += x.Kept
		out.Events += x.Events
		for _, reason := range slices.Sorted(maps.Keys(x.Dropped)) {
			count(&out.Dropped, reason, x.Dropped[reason].First, x.Dropped[reason].N)
		}
	}
	return out
}
