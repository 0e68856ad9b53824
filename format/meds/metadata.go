package meds

import (
	"encoding/json"
	"io"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"

	"heed/format"
)

// A CodeInfo is one row of metadata/codes.parquet.
type CodeInfo struct {
	Code        string
	Description string
	Parents     []string // more general codes
	Events      int64    // with this code; a column of ours, 0 where it is not told
}

// ReadCodes reads a codes.parquet.
func ReadCodes(path string) ([]CodeInfo, error) {
	var out []CodeInfo
	err := eachRow(path, []string{"code", "description", "parent_codes", "code/n_occurrences"}, func(row parquet.Row, at []int) error {
		if at[0] < 0 {
			return missingColumn(path, "code")
		}
		c := CodeInfo{Code: textOf(row, at[0]), Description: textOf(row, at[1])}
		for _, v := range row {
			if v.Column() == at[2] && v.Kind() == parquet.ByteArray {
				c.Parents = append(c.Parents, string(v.ByteArray()))
			}
		}
		c.Events, _ = intOf(row, at[3])
		out = append(out, c)
		return nil
	})
	return out, err
}

// readCodeNumbers returns what the numbers of codes mean.
func readCodeNumbers(path string) (map[int64]string, error) {
	out := map[int64]string{}
	err := eachRow(path, []string{"code", "code/vocab_index"}, func(row parquet.Row, at []int) error {
		if n, ok := intOf(row, at[1]); ok && at[0] >= 0 {
			out[n] = textOf(row, at[0])
		}
		return nil
	})
	return out, err
}

// WriteCodes writes a codes.parquet, in the given order.
func WriteCodes(w io.Writer, codes []CodeInfo) error {
	fields := record{parquet.Group{
		"code":               parquet.String(),
		"description":        parquet.Optional(parquet.String()),
		"parent_codes":       parquet.Optional(parquet.List(parquet.String())),
		"code/n_occurrences": parquet.Leaf(parquet.Int64Type),
	}, []string{"code", "description", "parent_codes", "code/n_occurrences"}}
	return writeRows(w, fields, func(yield func(parquet.Row) error) error {
		for _, c := range codes {
			row := parquet.Row{parquet.ByteArrayValue([]byte(c.Code)).Level(0, 0, 0), optionalText(c.Description, 1)}
			if len(c.Parents) == 0 {
				row = append(row, parquet.NullValue().Level(0, 0, 2))
			}
			for i, p := range c.Parents {
				row = append(row, parquet.ByteArrayValue([]byte(p)).Level(min(i, 1), 2, 2))
			}
			row = append(row, parquet.Int64Value(c.Events).Level(0, 0, 3))
			if err := yield(row); err != nil {
				return err
			}
		}
		return nil
	})
}

func optionalText(s string, column int) parquet.Value {
	if s == "" {
		return parquet.NullValue().Level(0, 0, column)
	}
	return parquet.ByteArrayValue([]byte(s)).Level(0, 1, column)
}

// ReadSplits reads a subject_splits.parquet. A subject that stands in two splits is
// format.ErrInvalid.
func ReadSplits(path string) (map[int64]string, error) {
	out := map[int64]string{}
	names := map[string]string{} // one string for each split, not for each subject
	n := 0
	err := eachRow(path, []string{"subject_id", "split"}, func(row parquet.Row, at []int) error {
		n++
		switch {
		case at[0] < 0:
			return missingColumn(path, "subject_id")
		case at[1] < 0:
			return missingColumn(path, "split")
		}
		id, ok := intOf(row, at[0])
		if !ok {
			return format.InvalidAt(path, 0, "row %d has no subject_id", n)
		}
		split := textOf(row, at[1])
		if s, ok := names[split]; ok {
			split = s
		} else {
			names[split] = split
		}
		if old, twice := out[id]; twice && old != split {
			return format.InvalidAt(path, 0, "row %d: the subject is in the splits %s and %s", n, old, split)
		}
		out[id] = split
		return nil
	})
	return out, err
}

// WriteSplits writes a subject_splits.parquet, by subject.
func WriteSplits(w io.Writer, splits map[int64]string) error {
	ids := make([]int64, 0, len(splits))
	for id := range splits {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	fields := record{parquet.Group{"subject_id": parquet.Leaf(parquet.Int64Type), "split": parquet.Encoded(parquet.String(), &parquet.RLEDictionary)}, []string{"subject_id", "split"}}
	return writeRows(w, fields, func(yield func(parquet.Row) error) error {
		for _, id := range ids {
			if err := yield(parquet.Row{parquet.Int64Value(id).Level(0, 0, 0), parquet.ByteArrayValue([]byte(splits[id])).Level(0, 0, 1)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Metadata is metadata/dataset.json. All of it is optional.
type Metadata struct {
	DatasetName    string   `json:"dataset_name,omitempty"`
	DatasetVersion string   `json:"dataset_version,omitempty"`
	ETLName        string   `json:"etl_name,omitempty"`
	ETLVersion     string   `json:"etl_version,omitempty"`
	MEDSVersion    string   `json:"meds_version,omitempty"`
	CreatedAt      string   `json:"created_at,omitempty"`
	License        string   `json:"license,omitempty"`
	LocationURI    string   `json:"location_uri,omitempty"`
	DescriptionURI string   `json:"description_uri,omitempty"`
	Extensions     []string `json:"extension_columns,omitempty"`
}

// ReadMetadata reads a dataset.json.
func ReadMetadata(path string) (*Metadata, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, format.PathError(path, err)
	}
	m := &Metadata{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, format.Invalidf(path, 0, "%w", err)
	}
	return m, nil
}
