package meds

import (
	"io"

	"github.com/parquet-go/parquet-go"

	"heed/format"
)

// A Label is one row of a file of labels: what is to be predicted for a subject from
// its events up to and including Time.
type Label struct {
	Subject int64
	Time    int64 // µs
	Value   bool
}

// ReadLabels reads labels with a boolean_value.
func ReadLabels(path string) ([]Label, error) {
	var out []Label
	toMicros := scale{1, 1}
	f, file, err := openParquet(path)
	if err != nil {
		return nil, err
	}
	if c := file.Root().Column("prediction_time"); c != nil {
		s, ok := timeScale(c)
		if !ok {
			f.Close()
			return nil, format.UnsupportedAt(path, 0, "column prediction_time has the type %s, want a timestamp", c.Type())
		}
		toMicros = s
	}
	f.Close()
	n := 0
	err = eachRow(path, []string{"subject_id", "prediction_time", "boolean_value"}, func(row parquet.Row, at []int) error {
		n++
		for i, name := range []string{"subject_id", "prediction_time", "boolean_value"} {
			if at[i] < 0 {
				return missingColumn(path, name)
			}
		}
		id, ok := intOf(row, at[0])
		t, ok2 := intOf(row, at[1])
		b := first(row, at[2])
		switch {
		case !ok:
			return format.InvalidAt(path, 0, "row %d has no subject_id", n)
		case !ok2:
			return format.InvalidAt(path, 0, "row %d has no prediction_time", n)
		case b.Kind() != parquet.Boolean:
			return format.UnsupportedAt(path, 0, "row %d has no boolean_value; other kinds of labels cannot be read", n)
		}
		out = append(out, Label{id, floorDiv(t*toMicros.mul, toMicros.div), b.Boolean()})
		return nil
	})
	return out, err
}

// WriteLabels writes labels in the given order.
func WriteLabels(w io.Writer, labels []Label) error {
	fields := record{parquet.Group{
		"subject_id":      parquet.Leaf(parquet.Int64Type),
		"prediction_time": parquet.TimestampAdjusted(parquet.Microsecond, false),
		"boolean_value":   parquet.Optional(parquet.Leaf(parquet.BooleanType)),
	}, []string{"subject_id", "prediction_time", "boolean_value"}}
	return writeRows(w, fields, func(yield func(parquet.Row) error) error {
		for _, l := range labels {
			if err := yield(parquet.Row{parquet.Int64Value(l.Subject).Level(0, 0, 0), parquet.Int64Value(l.Time).Level(0, 0, 1), parquet.BooleanValue(l.Value).Level(0, 1, 2)}); err != nil {
				return err
			}
		}
		return nil
	})
}
