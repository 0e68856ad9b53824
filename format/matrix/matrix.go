// Package matrix writes a matrix of numbers with labels as CSV or TSV, for
// spreadsheets, R and pandas: attention maps, contact maps, scores of positions.
// Nothing is read back here; format/npy keeps numbers for programs.
package matrix

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
)

// A Matrix is a table of numbers.
type Matrix struct {
	// Rows and Columns hold the labels. Without Rows there is no column of labels,
	// without Columns no header line.
	Rows, Columns []string
	Values        []float32 // row by row, shape (rows, columns)
	Width         int       // number of columns, needed where Columns is nil
}

// Write writes m with comma, ',' or '\t' as a rule, between values, and LF after
// each row. Labels are quoted as RFC 4180 says where they need it; above the
// labels of rows the header is empty. Numbers have the digits that float32 needs,
// NaN is "NaN", infinities are "Inf" and "-Inf": R and pandas read all of them.
func Write(w io.Writer, m Matrix, comma rune) error {
	width := m.Width
	if m.Columns != nil {
		width = len(m.Columns)
	}
	rows := len(m.Rows)
	if m.Rows == nil && width > 0 {
		rows = len(m.Values) / width
	}
	if width <= 0 || rows*width != len(m.Values) {
		return fmt.Errorf("matrix: %d values are not %d rows of %d columns", len(m.Values), rows, width)
	}
	if m.Rows == nil && len(m.Columns) == 1 && m.Columns[0] == "" {
		return fmt.Errorf("matrix: the only label is empty, and readers would pass over its line")
	}
	c := csv.NewWriter(w)
	c.Comma = comma
	record := make([]string, 0, width+1)
	if m.Columns != nil {
		if m.Rows != nil {
			record = append(record, "")
		}
		if err := c.Write(append(record, m.Columns...)); err != nil {
			return fmt.Errorf("matrix: %w", err)
		}
	}
	for i := range rows {
		record = record[:0]
		if m.Rows != nil {
			record = append(record, m.Rows[i])
		}
		for _, v := range m.Values[i*width : (i+1)*width] {
			record = append(record, text(v))
		}
		if err := c.Write(record); err != nil {
			return fmt.Errorf("matrix: %w", err)
		}
	}
	c.Flush()
	return c.Error()
}

func text(v float32) string {
	if math.IsInf(float64(v), 1) {
		return "Inf" // Go has a sign
	}
	return strconv.FormatFloat(float64(v), 'g', -1, 32)
}
