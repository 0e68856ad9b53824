package dms

import (
	"errors"
	"math"
	"strings"
	"testing"

	"heed/format"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	one := []Substitution{{'A', 24, 'G'}}
	two := []Substitution{{'A', 24, 'G'}, {'T', 3, 'S'}}
	for _, test := range []struct {
		text string
		c    Columns
		want []Variant
	}{
		{"mutant,mutated_sequence,DMS_score,DMS_score_bin\nA24G,MK,-1.5,0\nA24G:T3S,MK,2e-3,1\n", Columns{}, []Variant{{"A24G", one, -1.5, 2}, {"A24G:T3S", two, 0.002, 3}}},
		{"\ufeffmutant\tother\r\nA24G\tx\r\n", Columns{}, []Variant{{"A24G", one, math.NaN(), 2}}},
		{"what,fitness\nA24G,3\n", Columns{"what", "fitness"}, []Variant{{"A24G", one, 3, 2}}},
		{"# mine\n\nA24G\nA24G:T3S", Columns{}, []Variant{{"A24G", one, math.NaN(), 3}, {"A24G:T3S", two, math.NaN(), 4}}},
		{"name;mutant; DMS_score\n\"a;b\";A24G; 3\n", Columns{}, []Variant{{"A24G", one, 3, 2}}},
		{"K-3R\n", Columns{}, []Variant{{"K-3R", []Substitution{{'K', -3, 'R'}}, math.NaN(), 1}}},
	} {
		got, err := Read("x.csv", strings.NewReader(test.text), test.c)
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
		} else if d := cmp.Diff(test.want, got, cmp.Comparer(func(a, b float64) bool { return a == b || a != a && b != b })); d != "" {
			t.Errorf("%q: %s", test.text, d)
		}
	}
}

func TestBadInput(t *testing.T) {
	for _, test := range []struct {
		text, want string
		kind       error
	}{
		{"", "x.csv: invalid: no variants", format.ErrInvalid},
		{"a,b\n1,2\n", `x.csv:1: invalid: no column "mutant", and the line is no variant`, format.ErrInvalid},
		{"mutant,DMS_score\n", "x.csv: invalid: no variants", format.ErrInvalid},
		{"mutant,DMS_score\nA24G\n", "x.csv:2: invalid: 1 values, 2 columns have names", format.ErrInvalid},
		{"mutant,DMS_score\n\"A24G,1\n", "x.csv:2: invalid: quotes that do not match", format.ErrInvalid},
		{"mutant,DMS_score\nA24G,high\n", `x.csv:2: invalid: DMS_score "high" is not a number`, format.ErrInvalid},
		{"mutant,DMS_score\nA24G,NaN\n", `x.csv:2: invalid: DMS_score "NaN" is not a number`, format.ErrInvalid},
		{"mutant,DMS_score\nA24,1\n", `x.csv:2: invalid: "A24" is not a variant such as A123G or A123G:T45S`, format.ErrInvalid},
		{"A24G\nB24G\n", `x.csv:2: invalid: "B24G" is not a variant such as A123G or A123G:T45S`, format.ErrInvalid},
		{"A24G\nA+4G\n", `x.csv:2: invalid: "A+4G" is not a variant such as A123G or A123G:T45S`, format.ErrInvalid},
		{"A24G\nA24*\n", `x.csv:2: not supported: variant "A24*": stops and deletions`, format.ErrUnsupported},
		{"A24G\nA24G:A24C\n", `x.csv:2: invalid: variant "A24G:A24C" has position 24 twice`, format.ErrInvalid},
		{"A24G\nA99999999G\n", `x.csv:2: invalid: variant "A99999999G": position 99999999`, format.ErrInvalid},
		{"A24G\n" + strings.Repeat("A", 50), `x.csv:2: invalid: "` + strings.Repeat("A", 40) + `..." is not a variant such as A123G or A123G:T45S`, format.ErrInvalid},
	} {
		_, err := Read("x.csv", strings.NewReader(test.text), Columns{})
		if err == nil || !errors.Is(err, test.kind) || test.want != "" && err.Error() != test.want {
			t.Errorf("%q: got error\n%v, want\n%s", test.text, err, test.want)
		}
	}
	if _, err := Read("x.csv", strings.NewReader("mutant\nA24G\n"), Columns{Score: "fitness"}); err == nil {
		t.Error("a score that was asked for and is absent was passed over")
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"mutant,DMS_score\nA24G,1\n", "A24G\nA24G:T3S\n", "# x\n\nK-3R", "mutant\tx\nA1C\t2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := Read("x", strings.NewReader(text), Columns{})
		if err != nil {
			var at *format.Error
			if !errors.As(err, &at) {
				t.Fatalf("%v has no place", err)
			}
			return
		}
		for _, v := range list {
			var names []string
			for _, s := range v.Substitutions {
				names = append(names, s.String())
			}
			again, err := Parse(strings.Join(names, ":"))
			if d := cmp.Diff(v.Substitutions, again); err != nil || d != "" {
				t.Fatalf("%q: %v %s", v.Name, err, d)
			}
		}
	})
}
