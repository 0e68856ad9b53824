package matrix

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ExampleWrite() {
	attention := Matrix{Rows: []string{"[CLS]", "T"}, Columns: []string{"[CLS]", "T"}, Values: []float32{0.1, 0.9, 1e-9, 1}}
	if err := Write(os.Stdout, attention, ','); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ,[CLS],T
	// [CLS],0.1,0.9
	// T,1e-09,1
}

func TestWrite(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, test := range []struct {
		m     Matrix
		comma rune
		want  string
	}{
		{Matrix{Columns: []string{"a", "b"}, Values: []float32{1, -2, 3, 4.5}}, '\t', "a\tb\n1\t-2\n3\t4.5\n"},
		{Matrix{Rows: []string{"x", "y"}, Values: []float32{1, 2, 3, 4}, Width: 2}, ',', "x,1,2\ny,3,4\n"},
		{Matrix{Values: []float32{inf, -inf, float32(math.NaN())}, Width: 3}, ',', "Inf,-Inf,NaN\n"},
		{Matrix{Columns: []string{"a"}}, ',', "a\n"},
		{Matrix{Columns: []string{""}, Values: []float32{1}}, ',', "matrix: the only label is empty, and readers would pass over its line"},
		{Matrix{Rows: []string{"a,b"}, Columns: []string{`5" end`}, Values: []float32{0}}, ',', ",\"5\"\" end\"\n\"a,b\",0\n"},
		{Matrix{}, ',', "matrix: 0 values are not 0 rows of 0 columns"},
		{Matrix{Rows: []string{"a"}, Columns: []string{"b", "c"}, Values: []float32{1}}, ',', "matrix: 1 values are not 1 rows of 2 columns"},
		{Matrix{Columns: []string{"b", "c"}, Values: []float32{1, 2, 3}}, ',', "matrix: 3 values are not 1 rows of 2 columns"},
		{Matrix{Columns: []string{"b"}}, '"', "matrix: csv: invalid field or comment delimiter"},
	} {
		var b strings.Builder
		got := ""
		if err := Write(&b, test.m, test.comma); err != nil {
			got = err.Error()
		} else {
			got = b.String()
		}
		if got != test.want {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
	}
	if err := Write(broken{}, Matrix{Width: 1, Values: []float32{1}}, ','); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestLabels checks that encoding/csv, a reader of RFC 4180, gets all labels back.
func TestLabels(t *testing.T) {
	labels := []string{"a", "", " a ", "a,b", "a\tb", "a\nb", `"`, `a"b`, "#a", "α", `\.`, "=1+1"}
	values := make([]float32, len(labels)*len(labels))
	for _, comma := range []rune{',', '\t', ';'} {
		var b strings.Builder
		if err := Write(&b, Matrix{Rows: labels, Columns: labels, Values: values}, comma); err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(strings.NewReader(b.String()))
		r.Comma = comma
		all, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var rows []string
		for _, row := range all[1:] {
			rows = append(rows, row[0])
		}
		if diff := cmp.Diff(labels, all[0][1:]) + cmp.Diff(labels, rows); diff != "" {
			t.Error(diff)
		}
	}
}
