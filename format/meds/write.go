package meds

import (
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"heed/internal/par"
)

// A Writer writes events to a parquet file.
type Writer struct {
	w      *parquet.Writer
	cols   []*parquet.ColumnWriter
	extra  bool
	vocab  *Vocabulary
	values [][]parquet.Value // scratch, one for each column
	names  []parquet.Value   // of codes, made once
	cores  int
	rows   int64
	last   [2]int64 // subject and time of the last event
}

// NewWriter returns a writer of events whose codes are numbers of v. With available
// the file gets the column available_time. Encoding runs on up to cores cores, which
// does not change the bytes.
func NewWriter(w io.Writer, v *Vocabulary, available bool, cores int) *Writer {
	schema := parquet.NewSchema("event", eventFields(available))
	pw := parquet.NewWriter(w, schema, parquet.CreatedBy("heed", "1", ""), parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}), parquet.DataPageStatistics(false), parquet.PageBufferSize(256<<10))
	out := &Writer{w: pw, cols: pw.ColumnWriters(), extra: available, vocab: v, cores: cores}
	out.values = make([][]parquet.Value, len(out.cols))
	out.last = [2]int64{math.MinInt64, math.MinInt64}
	return out
}

// Write appends events as one row group. They must follow on what was written
// before, by subject and time; anything else is an error of the program that calls.
func (w *Writer) Write(c *Columns) error {
	n := c.Len()
	if n == 0 {
		return nil
	}
	if i := c.Sorted(); i >= 0 {
		return fmt.Errorf("meds: event %d stands before the one in front of it", w.rows+int64(i))
	}
	if Before(c.Subject[0], c.Time[0], w.last[0], w.last[1]) {
		return fmt.Errorf("meds: event %d stands before the one in front of it", w.rows)
	}
	w.last = [2]int64{c.Subject[n-1], c.Time[n-1]}
	for len(w.names) < w.vocab.Len() {
		w.names = append(w.names, parquet.ByteArrayValue([]byte(w.vocab.Code(int32(len(w.names))))))
	}
	errs := make([]error, len(w.cols))
	par.Do(len(w.cols), w.cores, func(_, col int) { errs[col] = w.column(col, c) })
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("meds: %w", err)
		}
	}
	w.rows += int64(n)
	return w.w.Flush()
}

// piece is how many values become parquet.Values at one time.
const piece = 4096

// column writes one column of c. The columns are in the order of the schema.
func (w *Writer) column(col int, c *Columns) error {
	if w.values[col] == nil {
		w.values[col] = make([]parquet.Value, 0, piece)
	}
	for lo := 0; lo < c.Len(); lo += piece {
		hi := min(lo+piece, c.Len())
		out := w.values[col][:0]
		name := w.w.Schema().Columns()[col][0]
		switch name {
		case "subject_id":
			for _, s := range c.Subject[lo:hi] {
				out = append(out, parquet.Int64Value(s).Level(0, 0, col))
			}
		case "time":
			for _, t := range c.Time[lo:hi] {
				out = append(out, timeValue(t, col))
			}
		case "code":
			for _, id := range c.Code[lo:hi] {
				out = append(out, w.names[id].Level(0, 0, col))
			}
		case "numeric_value":
			for _, v := range c.Value[lo:hi] {
				if v != v {
					out = append(out, parquet.NullValue().Level(0, 0, col))
				} else {
					out = append(out, parquet.FloatValue(v).Level(0, 1, col))
				}
			}
		case "text_value":
			for i := lo; i < hi; i++ {
				if t := c.text(i); t == "" {
					out = append(out, parquet.NullValue().Level(0, 0, col))
				} else {
					out = append(out, parquet.ByteArrayValue([]byte(t)).Level(0, 1, col))
				}
			}
		case "available_time":
			for i := lo; i < hi; i++ {
				out = append(out, timeValue(c.available(i), col))
			}
		}
		if _, err := w.cols[col].WriteRowValues(out); err != nil {
			return err
		}
	}
	return nil
}

func timeValue(t int64, col int) parquet.Value {
	if t == Static {
		return parquet.NullValue().Level(0, 0, col)
	}
	return parquet.Int64Value(t).Level(0, 1, col)
}

// Rows returns the number of events written.
func (w *Writer) Rows() int64 { return w.rows }

// Close writes the end of the file. It does not close the writer below.
func (w *Writer) Close() error { return w.w.Close() }
