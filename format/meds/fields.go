package meds

import (
	"reflect"

	"github.com/parquet-go/parquet-go"
)

// A record is a parquet group whose fields stand in the order that the standard
// lists; parquet.Group sorts them by name.
type record struct {
	parquet.Group
	order []string
}

// Fields returns the columns in order.
func (r record) Fields() []parquet.Field {
	out := make([]parquet.Field, len(r.order))
	for i, name := range r.order {
		out[i] = field{r.Group[name], name}
	}
	return out
}

type field struct {
	parquet.Node
	name string
}

func (f field) Name() string { return f.name }

// Value is asked for by parquet-go's rows made of Go structs, which are not used here.
func (f field) Value(base reflect.Value) reflect.Value {
	return base.MapIndex(reflect.ValueOf(f.name))
}

func eventFields(available bool) parquet.Node {
	stamp := parquet.Optional(parquet.Encoded(parquet.TimestampAdjusted(parquet.Microsecond, false), &parquet.DeltaBinaryPacked))
	r := record{parquet.Group{
		"subject_id":    parquet.Encoded(parquet.Leaf(parquet.Int64Type), &parquet.DeltaBinaryPacked),
		"time":          stamp,
		"code":          parquet.Encoded(parquet.String(), &parquet.RLEDictionary),
		"numeric_value": parquet.Optional(parquet.Leaf(parquet.FloatType)),
		"text_value":    parquet.Optional(parquet.Encoded(parquet.String(), &parquet.RLEDictionary)),
	}, []string{"subject_id", "time", "code", "numeric_value", "text_value"}}
	if available {
		r.Group["available_time"] = stamp
		r.order = append(r.order, "available_time")
	}
	return r
}
