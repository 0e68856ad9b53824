package rr

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
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"heed/format"
)

func TestRead(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       Prediction
	}{
		{"CASP", "PFRMAT RR\nTARGET T0001\nAUTHOR 1234-5678-9000\nREMARK first\nMETHOD a b\nMETHOD c\nMODEL 1\nACDEF\nghik\n1 9 0 8 0.7\r\n2\t8 0 8 0.9\nEND\n",
			Prediction{"T0001", "1234-5678-9000", []string{"a b", "c"}, []string{"first"}, []byte("ACDEFGHIK"), []Contact{{1, 9, 0, 8, 0.7, 10}, {2, 8, 0, 8, 0.9, 11}}, true}},
		{"EVA", "PFRMAT RR\nTARGET T1\nSEQRES ACDEF\nMODEL 1\nCONTC 1 5 A f 0 8 0.70\nEND",
			Prediction{"T1", "", nil, nil, []byte("ACDEF"), []Contact{{1, 5, 0, 8, 0.7, 5}}, true}},
		{"list", "\n16 40 0 8 29.618225\n22 46 0 8 -1e-1\n", Prediction{Contacts: []Contact{{16, 40, 0, 8, 29.618225, 2}, {22, 46, 0, 8, -0.1, 3}}}},
		{"no contacts", "PFRMAT RR\nMODEL 1\nEND\n", Prediction{Header: true}},
	} {
		got, err := Read("p.rr", iotest.HalfReader(strings.NewReader(test.text)))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if diff := cmp.Diff(&test.want, got); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

func TestBadInput(t *testing.T) {
	const head = "PFRMAT RR\nMODEL 1\nACDEF\n"
	for _, test := range []struct {
		name, text, want string
		kind             error
	}{
		{"empty", "", "p.rr: invalid: no contacts", format.ErrInvalid},
		{"other file", "\n>a\n", `p.rr:2: invalid: neither PFRMAT nor a list of contacts: begins with ">a"`, format.ErrInvalid},
		{"structure", "PFRMAT TS\n", "p.rr:1: not supported: PFRMAT TS; this reads RR", format.ErrUnsupported},
		{"distances", "PFRMAT RR\nRMODE 2\n", "p.rr:2: not supported: RMODE 2, the distances of CASP 14; this reads contacts", format.ErrUnsupported},
		{"late header", "1 2 0 8 1\nPFRMAT RR\n", "p.rr:2: invalid: PFRMAT is not the first line", format.ErrInvalid},
		{"second model", head + "MODEL 2\n", "p.rr:4: not supported: a second model; split the file", format.ErrUnsupported},
		{"chains", head + "A1 B4 0 8 0.5\n", "p.rr:4: not supported: contact between chains: A1 B4", format.ErrUnsupported},
		{"record", head + "OTHER x\n", `p.rr:4: invalid: unknown record "OTHER"`, format.ErrInvalid},
		{"cut off", head + "1 4 0 8 0.5\n", "p.rr: invalid: no END; the file is cut off", format.ErrInvalid},
		{"after the end", head + "END\n1 4 0 8 0.5\n", "p.rr:5: invalid: a line after END", format.ErrInvalid},
		{"four values", head + "1 4 0 8\n", "p.rr:4: invalid: contact has 4 values, want i j d1 d2 p", format.ErrInvalid},
		{"CONTC", head + "CONTC 1 4 0 8 0.5\n", "p.rr:4: invalid: CONTC has 5 values, want i j A B d1 d2 p", format.ErrInvalid},
		{"letter", head + "CONTC 1 4 A D 0 8 0.5\n", "p.rr:4: invalid: residue 4 is D, but E in the sequence", format.ErrInvalid},
		{"position", "0 4 0 8 1\n", `p.rr:1: invalid: position "0"`, format.ErrInvalid},
		{"no position", "1 x 0 8 1\n", `p.rr:1: invalid: position "x"`, format.ErrInvalid},
		{"large position", "1 9999999 0 8 1\n", `p.rr:1: invalid: position "9999999"`, format.ErrInvalid},
		{"order", "4 1 0 8 1\n", "p.rr:1: invalid: pair 4 1: want i < j, from 1", format.ErrInvalid},
		{"same", "4 4 0 8 1\n", "p.rr:1: invalid: pair 4 4: want i < j, from 1", format.ErrInvalid},
		{"twice", "1 4 0 8 1\n1 4 0 8 1\n", "p.rr:2: invalid: pair 1 4 occurs in line 1 before", format.ErrInvalid},
		{"beyond", head + "1 6 0 8 1\nEND\n", "p.rr:4: invalid: position 6 of a sequence of 5", format.ErrInvalid},
		{"distance", "1 4 8 0 1\n", "p.rr:1: invalid: distances from 8 to 0 Å", format.ErrInvalid},
		{"probability", head + "1 4 0 8 1.5\n", "p.rr:4: invalid: probability 1.5 is not from 0 to 1", format.ErrInvalid},
		{"NaN", "1 4 0 8 nan\n", `p.rr:1: invalid: "nan" is not a number`, format.ErrInvalid},
		{"sequence", "PFRMAT RR\nACD-\n", "p.rr:2: invalid: '-' in the sequence is not a letter", format.ErrInvalid},
		{"late sequence", head + "1 4 0 8 0.5\nACD\n", "p.rr:5: invalid: sequence after the contacts", format.ErrInvalid},
	} {
		_, err := Read("p.rr", strings.NewReader(test.text))
		if err == nil || err.Error() != test.want || !errors.Is(err, test.kind) {
			t.Errorf("%s: got  %v\nwant %s", test.name, err, test.want)
		}
	}
	r := io.MultiReader(strings.NewReader("1 4 0 8 1\n"), iotest.ErrReader(errors.New("cable cut")))
	if _, err := Read("p.rr", r); err == nil || err.Error() != "p.rr:2: cable cut" {
		t.Error(err)
	}
}

func TestWrite(t *testing.T) {
	long := strings.Repeat("ACDEFGHIKL", 5)
	p := &Prediction{Target: "T1", Author: "a", Methods: []string{"m", ""}, Remarks: []string{"r"}, Sequence: []byte(long + "END"),
		Contacts: []Contact{{1, 9, 0, 8, 0.25, 0}, {3, 9, 0, 8, 0.5, 0}, {2, 30, 0, 8.5, 0.5, 0}}}
	var b strings.Builder
	if err := Write(&b, p); err != nil {
		t.Fatal(err)
	}
	want := "PFRMAT RR\nTARGET T1\nAUTHOR a\nREMARK r\nMETHOD m\nMETHOD\nMODEL 1\n" + long + "\nSEQRES END\n2 30 0 8.5 0.500000\n3 9 0 8 0.500000\n1 9 0 8 0.250000\nEND\n"
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
	again, err := Read("p.rr", strings.NewReader(b.String()))
	if err != nil || string(again.Sequence) != long+"END" || len(again.Contacts) != 3 {
		t.Error(again, err)
	}
	for _, test := range []struct {
		p    Prediction
		want string
	}{
		{Prediction{}, "rr: prediction has no target"},
		{Prediction{Target: "a\nb"}, `rr: control character in "a\nb"`},
		{Prediction{Target: "a", Sequence: []byte("a")}, "rr: 'a' in the sequence is not an upper-case letter"},
		{Prediction{Target: "a", Contacts: []Contact{{2, 1, 0, 8, 1, 0}}}, "rr: pair 2 1: want i < j, from 1"},
		{Prediction{Target: "a", Contacts: []Contact{{1, 2, 0, 8, 2, 0}}}, "rr: probability 2 is not from 0 to 1"},
		{Prediction{Target: "a", Contacts: []Contact{{1, 2, 0, 8, math.NaN(), 0}}}, "rr: probability NaN is not from 0 to 1"},
		{Prediction{Target: "a", Contacts: []Contact{{1, 2, 0, math.Inf(1), 1, 0}}}, "rr: distances from 0 to +Inf Å"},
		{Prediction{Target: "a", Contacts: []Contact{{1, 2, 0, 8, 1, 0}, {1, 2, 0, 8, 0, 0}}}, "rr: pair 1 2 occurs twice"},
		{Prediction{Target: "a", Sequence: []byte("A"), Contacts: []Contact{{1, 2, 0, 8, 1, 0}}}, "rr: position 2 of a sequence of 1"},
	} {
		b.Reset()
		if err := Write(&b, &test.p); err == nil || err.Error() != test.want || b.Len() > 0 {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

// FuzzRead checks that no input makes the reader panic, and that what was read
// reads the same after it was written.
func FuzzRead(f *testing.F) {
	f.Add([]byte("PFRMAT RR\nTARGET T1\nAUTHOR a\nREMARK r\nMETHOD m\nMODEL 1\nACDEF\n1 5 0 8 0.7\nEND\n"))
	f.Add([]byte("PFRMAT RR\nSEQRES ACDEF\nCONTC 1 5 A F 0 8 0.70\nEND"))
	f.Add([]byte("16 40 0 8 29.6\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Read("p.rr", bytes.NewReader(data))
		if err != nil {
			var e *format.Error
			if !errors.As(err, &e) || e.Name != "p.rr" {
				t.Fatalf("%v is not an error of p.rr", err)
			}
			return
		}
		var b bytes.Buffer
		if Write(&b, p) != nil {
			return // scores, control characters, no target
		}
		q, err := Read("p.rr", bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatalf("%v\n%s", err, b.Bytes())
		}
		if len(q.Contacts) != len(p.Contacts) || string(q.Sequence) != string(p.Sequence) || q.Target != p.Target || fmt.Sprint(q.Methods) != fmt.Sprint(p.Methods) {
			t.Fatalf("got %+v\nwant %+v", q, p)
		}
	})
}

// TestToxd reads the list that PSICOV made for the example of ConKit.
func TestToxd(t *testing.T) {
	file := filepath.Join("..", "..", "..", "shared", "data", "protein", "toxd", "toxd.psicov")
	if _, err := os.Stat(file); err != nil {
		t.Skip("no file " + file)
	}
	r, err := format.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := Read("toxd.psicov", r)
	if err != nil {
		t.Fatal(err)
	}
	if c := p.Contacts[0]; p.Header || c != (Contact{16, 40, 0, 8, 29.618225, 1}) {
		t.Errorf("%+v", c)
	}
	last := 0
	for _, c := range p.Contacts {
		last = max(last, c.J)
	}
	if last != 59 {
		t.Errorf("last position %d, want 59; %d contacts", last, len(p.Contacts))
	}
}
