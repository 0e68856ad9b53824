package meds

import (
	"errors"
	"io"

	"github.com/parquet-go/parquet-go"

	"heed/format"
)

// eachRow calls see for every row of a small table, such as the metadata, with the
// leaf columns of the given names: at[i] is the index of the leaf below the i-th, or
// -1. Lists are leaves too.
func eachRow(path string, names []string, see func(row parquet.Row, at []int) error) (err error) {
	f, file, err := openParquet(path)
	if err != nil {
		return err
	}
	defer f.Close()
	defer damaged(path, &err)
	at := make([]int, len(names))
	for i, name := range names {
		at[i] = -1
		for k, p := range file.Schema().Columns() {
			if p[0] == name && at[i] < 0 {
				at[i] = k
			}
		}
	}
	buf := make([]parquet.Row, 64)
	for i, g := range file.RowGroups() {
		if err := file.CheckGroup(i); err != nil {
			return parquetError(path, err)
		}
		rows := g.Rows()
		for {
			n, err := rows.ReadRows(buf)
			for _, row := range buf[:n] {
				if err := see(row, at); err != nil {
					rows.Close()
					return err
				}
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				rows.Close()
				return parquetError(path, err)
			}
			if n == 0 {
				rows.Close()
				return parquetError(path, errors.New("no rows"))
			}
		}
		rows.Close()
	}
	return nil
}

// first returns the first value of a column in a row; null where there is none.
func first(row parquet.Row, column int) parquet.Value {
	for _, v := range row {
		if v.Column() == column {
			return v
		}
	}
	return parquet.NullValue()
}

func textOf(row parquet.Row, column int) string {
	v := first(row, column)
	if v.Kind() != parquet.ByteArray {
		return ""
	}
	return string(v.ByteArray())
}

func intOf(row parquet.Row, column int) (int64, bool) {
	switch v := first(row, column); v.Kind() {
	case parquet.Int64:
		return v.Int64(), true
	case parquet.Int32:
		return int64(v.Int32()), true
	}
	return 0, false
}

// writeRows writes a small table. The rows hold one value for each leaf or, for a
// list, one for each element.
func writeRows(w io.Writer, fields parquet.Node, rows func(yield func(parquet.Row) error) error) error {
	pw := parquet.NewWriter(w, parquet.NewSchema("table", fields), parquet.CreatedBy("heed", "1", ""), parquet.Compression(&parquet.Snappy))
	if err := rows(func(r parquet.Row) error {
		_, err := pw.WriteRows([]parquet.Row{r})
		return err
	}); err != nil {
		return err
	}
	return pw.Close()
}

func missingColumn(path, column string) error {
	return format.InvalidAt(path, 0, "no column %s", column)
}
