package report

import (
	"fmt"
	"html/template"
)

// Column is the heading of a table column.
type Column struct {
	Name    string
	Numeric bool // aligned to the right
}

// TableRow is one row: as many cells as the table has columns; the first names
// the row.
type TableRow struct {
	Cells     []string
	Highlight bool // the row that the table is about
}

// Table is a table with an optional caption and footnotes. The reader sorts it
// by pressing the heading of a column: numbers by value, also those with more
// behind them, such as "0.92 (0.85 to 0.98)".
type Table struct {
	Caption string
	Columns []Column
	Rows    []TableRow
	Notes   []string
}

func (t Table) render(p *page) (template.HTML, error) {
	if len(t.Columns) == 0 {
		return "", errNoColumns
	}
	for i, r := range t.Rows {
		if len(r.Cells) != len(t.Columns) {
			return "", fmt.Errorf("row %d of table %q has %d cells for %d columns", i, t.Caption, len(r.Cells), len(t.Columns))
		}
	}
	return p.execute("table", t)
}

// numbers is the table behind a graphic, for a disclosure below it.
type numbers struct {
	Caption string
	Heads   []string
	Rows    [][]string
	Note    string
}
