package fasta

import "fmt"

// Duplicates finds names that occur more than once. The zero value is ready.
// It remembers every name, so its memory grows with the number of records.
type Duplicates struct {
	lines map[string]int // of the first record of a name
	count int
	first Record // that repeated a name; its Seq is dropped
}

// Add takes note of rec and reports whether its name occurred before.
func (d *Duplicates) Add(rec Record) bool {
	if _, seen := d.lines[rec.ID]; seen {
		if d.count == 0 {
			d.first = Record{ID: rec.ID, Line: rec.Line}
		}
		d.count++
		return true
	}
	if d.lines == nil {
		d.lines = make(map[string]int)
	}
	d.lines[rec.ID] = rec.Line
	return false
}

// Count returns the number of records whose name occurred before.
func (d *Duplicates) Count() int { return d.count }

// Warning returns a line for the user, or "" if all names were different:
//
//	p.fa:7: name "a" occurred in line 1 before; 3 such records
func (d *Duplicates) Warning(name string) string {
	if d.count == 0 {
		return ""
	}
	s := fmt.Sprintf("%s:%d: name %q occurred in line %d before",
		name, d.first.Line, short(d.first.ID), d.lines[d.first.ID])
	if d.count > 1 {
		s += fmt.Sprintf("; %d such records", d.count)
	}
	return s
}
