package rows

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"heed/format"
)

func all(r Reader) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%q", r.Columns())
	for {
		f, line, err := r.Next()
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
		fmt.Fprintf(&b, " %d%q", line, f)
	}
}

func fromText(text string) (string, error) {
	r, err := NewCSV("p.csv", io.NopCloser(strings.NewReader(text)))
	if err != nil {
		return "", err
	}
	return all(r)
}

func TestCSV(t *testing.T) {
	for text, want := range map[string]string{
		"A,b\n1,2\n": `["a" "b"] 2["1" "2"]`,
		"\xef\xbb\xbfA;b;c\r\n1,5;\"x\ny\";\r\n;2": `["a" "b" "c"] 2["1,5" "x\ny" ""] 4["" "2"]`,
		"a\tb\n\n1\tit is 5\" long\t3\n":           `["a" "b"] 3["1" "it is 5\" long" "3"]`,
	} {
		if got, err := fromText(text); err != nil || got != want {
			t.Errorf("%q:\ngot  %s, %v\nwant %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":         "p.csv: invalid: no header line: the file is empty",
		"\n\n":     "p.csv: invalid: no header line",
		"a\x00b\n": "p.csv:1: invalid: no text: the header has a NUL byte",
		"a,b,A\n":  `p.csv:1: invalid: two columns are called "a"`,
	} {
		if got, err := fromText(text); err == nil || err.Error() != want || !errors.Is(err, format.ErrInvalid) {
			t.Errorf("%q:\ngot  %s, %v\nwant %s", text, got, err, want)
		}
	}
}

func TestLongRow(t *testing.T) {
	_, err := fromText("a,b\n1,\"" + strings.Repeat("x\n", format.MaxRow/2+1<<18))
	if want := "p.csv: too large: a row of more than 16777216 bytes: is a quotation mark never closed?"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// encode writes two equal rows of all kinds of columns.
func encode(t testing.TB) []byte {
	var b bytes.Buffer
	w := parquet.NewWriter(&b, parquet.NewSchema("t", parquet.Group{
		"A": parquet.Leaf(parquet.Int64Type), "b": parquet.Optional(parquet.String()), "c": parquet.Timestamp(parquet.Millisecond),
		"d": parquet.Date(), "e": parquet.Leaf(parquet.DoubleType), "f": parquet.Repeated(parquet.Leaf(parquet.Int32Type))}))
	row := parquet.Row{parquet.Int64Value(-5).Level(0, 0, 0), parquet.NullValue().Level(0, 0, 1), parquet.Int64Value(1500).Level(0, 0, 2), parquet.Int32Value(1).Level(0, 0, 3), parquet.DoubleValue(0.1).Level(0, 0, 4), parquet.Int32Value(9).Level(0, 1, 5), parquet.Int32Value(8).Level(1, 1, 5)}
	if _, err := w.WriteRows([]parquet.Row{row, row}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestParquet(t *testing.T) {
	data := encode(t)
	path := filepath.Join(t.TempDir(), "t.parquet")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := OpenParquet(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := all(r)
	one := `["-5" "" "1970-01-01 00:00:01.5" "1970-01-02" "0.1" ""]`
	if want := `["a" "b" "c" "d" "e" ""] 1` + one + " 2" + one; err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	if err := os.WriteFile(path, data[:len(data)-8], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenParquet(path); err == nil || !errors.Is(err, format.ErrInvalid) || !strings.Contains(err.Error(), "parquet file is cut off") {
		t.Errorf("cut off: %v", err)
	}
}

// Whatever the text is, it is read to the end or refused with a place.
func FuzzCSV(f *testing.F) {
	f.Add("a,b\n1,\"2\"\n")
	f.Add("a;b\n\"x\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := fromText(text)
		var e *format.Error
		if err != nil && err != io.EOF && !errors.As(err, &e) {
			t.Errorf("%v has no place", err)
		}
	})
}

// Whatever the bytes are, they are read to the end or refused with a place.
func FuzzParquet(f *testing.F) {
	good := encode(f)
	f.Add(good)
	f.Add(good[:len(good)-20])
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		path := filepath.Join(t.TempDir(), "p")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := OpenParquet(path)
		if err == nil {
			for row := 0; row < 1<<16 && err == nil; { // a run of one value may stand for millions
				_, row, err = r.Next()
			}
			r.Close()
		}
		var e *format.Error
		if err != nil && err != io.EOF && !errors.As(err, &e) {
			t.Errorf("%v has no place", err)
		}
	})
}
