package meds

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/parquet-go/parquet-go"

	"heed/format"
)

var none = float32(math.NaN())

func sample() []Event {
	return []Event{
		{-7, Static, "SEX//F", none, "", Static},
		{-7, 0, Birth, none, "", Static},
		{-7, 5 * Day, "LAB//K//mmol/L", 4.25, "", 5*Day + Hour},
		{-7, 5 * Day, "NOTE", none, "stable", Static},
		{3, -Day, "DRUG", none, "", Static},
		{3, Day, Death, none, "", Static},
	}
}

func columns(v *Vocabulary, events []Event) *Columns {
	c := &Columns{}
	for _, e := range events {
		c.Add(&e, v.ID(e.Code))
	}
	return c
}

func encode(t *testing.T, events []Event, extra bool) []byte {
	t.Helper()
	var b bytes.Buffer
	v := NewVocabulary()
	c := columns(v, events)
	w := NewWriter(&b, v, extra, 2)
	if err := w.Write(c); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func save(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func readAll(path string, most int) ([]Event, error) {
	v := NewVocabulary()
	r, err := Open(path, v)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []Event
	var c Columns
	for {
		err := r.Next(&c, most)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range c.Len() {
			out = append(out, c.Event(i, v))
		}
	}
}

// readSome reads the first 65,536 events at the most: a run of one value may stand for
// millions.
func readSome(path string) error {
	r, err := Open(path, NewVocabulary())
	if err != nil {
		return err
	}
	defer r.Close()
	var c Columns
	for r.Row() < 1<<16 && err == nil {
		err = r.Next(&c, 1000)
	}
	if err == io.EOF {
		err = nil
	}
	return err
}

func TestRoundTrip(t *testing.T) {
	for _, extra := range []bool{false, true} {
		want := sample()
		if !extra {
			want[2].Available = Static
		}
		path := save(t, filepath.Join(t.TempDir(), "0.parquet"), encode(t, sample(), extra))
		for _, most := range []int{1, 4, 100} {
			got, err := readAll(path, most)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("extra %v, %d at a time: %s", extra, most, diff)
			}
		}
	}
}

// The same events give the same bytes, on any number of cores.
func TestSameBytes(t *testing.T) {
	if !bytes.Equal(encode(t, sample(), true), encode(t, sample(), true)) {
		t.Error("two files of the same events differ")
	}
}

func TestWriterRefusesDisorder(t *testing.T) {
	v := NewVocabulary()
	events := sample()
	events[1], events[2] = events[2], events[1]
	w := NewWriter(io.Discard, v, false, 1)
	if err := w.Write(columns(v, events)); err == nil || err.Error() != "meds: event 2 stands before the one in front of it" {
		t.Errorf("got %v", err)
	}
	w = NewWriter(io.Discard, v, false, 1)
	if err := w.Write(columns(v, sample())); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(columns(v, sample())); err == nil || err.Error() != "meds: event 6 stands before the one in front of it" {
		t.Errorf("got %v", err)
	}
}

// foreign writes rows with another library's idea of a schema.
func foreign(t *testing.T, fields parquet.Group, rows ...parquet.Row) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewWriter(&b, parquet.NewSchema("root", fields))
	if len(rows) > 0 {
		if _, err := w.WriteRows(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Columns are in the order of their names in these files: code, hadm_id,
// numeric_value, subject_id, time.
func TestForeignSchemas(t *testing.T) {
	stamp := func(u parquet.TimeUnit) parquet.Node { return parquet.Optional(parquet.Timestamp(u)) }
	dict := func(n parquet.Node) parquet.Node { return parquet.Encoded(n, &parquet.RLEDictionary) }
	for name, test := range map[string]struct {
		fields parquet.Group
		row    parquet.Row
	}{
		"nanoseconds, double, dictionaries, one column more": {parquet.Group{"code": dict(parquet.Optional(parquet.String())), "hadm_id": parquet.Optional(parquet.Leaf(parquet.Int64Type)), "numeric_value": dict(parquet.Optional(parquet.Leaf(parquet.DoubleType))),
			"subject_id": dict(parquet.Optional(parquet.Leaf(parquet.Int64Type))), "time": dict(stamp(parquet.Nanosecond))},
			parquet.Row{parquet.ByteArrayValue([]byte("HR")).Level(0, 1, 0), parquet.NullValue().Level(0, 0, 1), parquet.DoubleValue(80.5).Level(0, 1, 2), parquet.Int64Value(12).Level(0, 1, 3), parquet.Int64Value(-1).Level(0, 1, 4)}},
		"milliseconds, patient_id, int32": {parquet.Group{"code": parquet.String(), "hadm_id": parquet.String(), "numeric_value": parquet.Leaf(parquet.Int32Type),
			"patient_id": parquet.Leaf(parquet.Int32Type), "time": stamp(parquet.Millisecond)},
			parquet.Row{parquet.ByteArrayValue([]byte("HR")).Level(0, 0, 0), parquet.ByteArrayValue([]byte("x")).Level(0, 0, 1), parquet.Int32Value(80).Level(0, 0, 2), parquet.Int32Value(12).Level(0, 0, 3), parquet.Int64Value(7).Level(0, 1, 4)}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAll(save(t, filepath.Join(t.TempDir(), "0.parquet"), foreign(t, test.fields, test.row)), 10)
			if err != nil {
				t.Fatal(err)
			}
			want := []Event{{12, -1, "HR", 80.5, "", Static}}
			if strings.HasPrefix(name, "milli") {
				want[0].Time, want[0].Value = 7000, 80
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBadFiles(t *testing.T) {
	good := encode(t, sample(), false)
	stamp := parquet.Timestamp(parquet.Microsecond)
	ids, code := parquet.Leaf(parquet.Int64Type), parquet.String()
	nullCode := foreign(t, parquet.Group{"code": parquet.Optional(code), "subject_id": ids, "time": stamp},
		parquet.Row{parquet.NullValue().Level(0, 0, 0), parquet.Int64Value(1).Level(0, 0, 1), parquet.Int64Value(1).Level(0, 0, 2)})
	numbers := foreign(t, parquet.Group{"code": ids, "subject_id": ids, "time": stamp},
		parquet.Row{parquet.Int64Value(5).Level(0, 0, 0), parquet.Int64Value(1).Level(0, 0, 1), parquet.Int64Value(1).Level(0, 0, 2)})
	for _, test := range []struct {
		name string
		data []byte
		want string
		kind error
	}{
		{"empty", nil, "0 bytes are no parquet file", format.ErrInvalid},
		{"text", []byte("subject_id,time,code\n1,2,3\n"), "no parquet file: it does not begin with PAR1", format.ErrInvalid},
		{"cut", good[:len(good)-9], "parquet file is cut off: it does not end with PAR1", format.ErrInvalid},
		{"columns", foreign(t, parquet.Group{"id": ids, "value": code}), "no column subject_id; the columns are id, value", format.ErrInvalid},
		{"notime", foreign(t, parquet.Group{"code": code, "subject_id": ids}), "no column time; the columns are code, subject_id", format.ErrInvalid},
		{"textid", foreign(t, parquet.Group{"code": code, "subject_id": code, "time": stamp}), "column subject_id has the type STRING", format.ErrUnsupported},
		{"plaintime", foreign(t, parquet.Group{"code": code, "subject_id": ids, "time": ids}), "column time has the type INT(64,true), want a timestamp", format.ErrUnsupported},
		{"nested", foreign(t, parquet.Group{"subject_id": ids, "events": parquet.Repeated(parquet.Group{"code": code})}), "events are nested in a column, as MEDS had it before version 0.3; write one row for each event", format.ErrUnsupported},
		{"nullcode", nullCode, "column code has a null after row 0", format.ErrInvalid},
		{"numbers", numbers, "codes are numbers, and metadata/codes.parquet has no code/vocab_index that names all of them", format.ErrUnsupported},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			save(t, "p.parquet", test.data)
			_, err := readAll("p.parquet", 10)
			if err == nil || !strings.HasSuffix(err.Error(), ": "+test.want) || !strings.HasPrefix(err.Error(), "p.parquet: ") || !errors.Is(err, test.kind) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "x"), NewVocabulary()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// However a file is cut or changed, reading it ends, without a panic.
func FuzzReader(f *testing.F) {
	var t testing.T
	good := encode(&t, sample(), true)
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
		err := readSome(path)
		var e *format.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%v has no place", err)
		}
	})
}

func TestDataset(t *testing.T) {
	root := t.TempDir()
	e := sample()
	save(t, filepath.Join(root, "data", "train", "0.parquet"), encode(t, e[:4], false))
	save(t, filepath.Join(root, "data", "held_out", "10.parquet"), encode(t, e[4:], false))
	var b bytes.Buffer
	infos := []CodeInfo{{"A", "first", []string{"P", "Q"}, 3}, {"B", "", nil, 0}}
	if err := WriteCodes(&b, infos); err != nil {
		t.Fatal(err)
	}
	save(t, filepath.Join(root, "metadata", "codes.parquet"), b.Bytes())
	b.Reset()
	splits := map[int64]string{-7: Train, 3: HeldOut}
	if err := WriteSplits(&b, splits); err != nil {
		t.Fatal(err)
	}
	save(t, filepath.Join(root, "metadata", "subject_splits.parquet"), b.Bytes())
	d, err := OpenDataset(root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(splits, d.Splits); diff != "" {
		t.Error(diff)
	}
	codes, err := d.Codes()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(infos, codes); diff != "" {
		t.Error(diff)
	}
	for want, splits := range map[string][]string{"3x2 -7x4 ": nil, "-7x4 ": {Train}, "3x2 ": {HeldOut, Tuning}, "": {Tuning}} {
		got := ""
		for c, err := range d.Subjects(NewVocabulary(), splits...) {
			if err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprintf("%dx%d ", c.Subject[0], c.Len())
		}
		if got != want {
			t.Errorf("%v: got %q, want %q", splits, got, want)
		}
	}
	for _, err := range d.Subjects(NewVocabulary()) { // stopping early
		if err != nil {
			t.Fatal(err)
		}
		break
	}
}

func TestDatasetErrors(t *testing.T) {
	e := sample()
	stamp := parquet.Optional(parquet.Timestamp(parquet.Microsecond))
	row := func(id, time int64) parquet.Row {
		return parquet.Row{parquet.ByteArrayValue([]byte("A")).Level(0, 0, 0), parquet.Int64Value(id).Level(0, 0, 1), parquet.Int64Value(time).Level(0, 1, 2)}
	}
	fields := parquet.Group{"code": parquet.String(), "subject_id": parquet.Leaf(parquet.Int64Type), "time": stamp}
	for name, test := range map[string]struct {
		a, b []byte
		want string
	}{
		"disorder": {foreign(t, fields, row(1, 5), row(1, 4)), nil, "events out of order: row 2 is earlier than the one in front of it; heed ehr import meds sorts them"},
		"apart":    {foreign(t, fields, row(1, 5), row(2, 4), row(1, 6)), nil, "the subject whose events end at row 3 has events elsewhere too; a subject must stand in one place"},
		"twice":    {encode(t, e[4:], false), encode(t, e[4:], false), "the subject whose events end at row 2 has events elsewhere too; a subject must stand in one place"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			save(t, filepath.Join(root, "0.parquet"), test.a)
			if test.b != nil {
				save(t, filepath.Join(root, "1.parquet"), test.b)
			}
			d, err := OpenDataset(root)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range d.Subjects(NewVocabulary()) {
				if e != nil {
					err = e
				}
			}
			if err == nil || !errors.Is(err, format.ErrInvalid) || !strings.HasSuffix(err.Error(), ": "+test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestSplitsDisagree(t *testing.T) {
	rows := func(yield func(parquet.Row) error) error {
		for i, s := range []string{Train, HeldOut} {
			if err := yield(parquet.Row{parquet.ByteArrayValue([]byte(s)).Level(0, 0, 0), parquet.Int64Value(4).Level(0, 0, 1)}); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		return nil
	}
	var b bytes.Buffer
	if err := writeRows(&b, parquet.Group{"split": parquet.String(), "subject_id": parquet.Leaf(parquet.Int64Type)}, rows); err != nil {
		t.Fatal(err)
	}
	path := save(t, filepath.Join(t.TempDir(), "s.parquet"), b.Bytes())
	_, err := ReadSplits(path)
	if want := path + ": invalid: row 2: the subject is in the splits train and held_out"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestLabels(t *testing.T) {
	want := []Label{{3, 5 * Day, true}, {-9, -1, false}}
	var b bytes.Buffer
	if err := WriteLabels(&b, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadLabels(save(t, filepath.Join(t.TempDir(), "l.parquet"), b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A synthetic sample that pandas and pyarrow wrote.
func TestSampleOfACES(t *testing.T) {
	root := "../../../shared/data/ehr/meds_aces_sample"
	if _, err := os.Stat(root); err != nil {
		t.Skip("no sample of ACES: ", root)
	}
	d, err := OpenDataset(root)
	if err != nil {
		t.Fatal(err)
	}
	v := NewVocabulary()
	subjects, events, values := 0, 0, 0
	for c, err := range d.Subjects(v) {
		if err != nil {
			t.Fatal(err)
		}
		subjects++
		events += c.Len()
		for _, x := range c.Value {
			if x == x {
				values++
			}
		}
	}
	t.Log(subjects, events, values, v.Len())
	held := 0
	for c, err := range d.Subjects(v, HeldOut) {
		if err != nil {
			t.Fatal(err)
		}
		held += c.Len()
	}
	if held != 10836 {
		t.Errorf("%d events are held out, want 10836", held)
	}
}
