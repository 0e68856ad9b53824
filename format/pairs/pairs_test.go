package pairs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heed/format"
)

func TestRead(t *testing.T) {
	got, err := Read("d.dat", strings.NewReader("# i j d\n79 108 1.943\r\n\n3.500e+01 1.1e+01 2.2 1.957165\n"))
	if want := []Pair{{79, 108, 1.943, 2}, {11, 35, 1.957165, 4}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func TestReadErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "d.dat: invalid: no pairs",
		"# nothing\n":           "d.dat: invalid: no pairs",
		"1 2\n":                 "d.dat:1: invalid: 2 fields; want two positions and a number",
		"1 2 x\n":               `d.dat:1: invalid: "x" is not a number`,
		"1 2 NaN\n":             `d.dat:1: invalid: "NaN" is not a number`,
		"1.5 2 1\n":             `d.dat:1: invalid: position "1.5" is not a whole number from 1`,
		"1 0 1\n":               `d.dat:1: invalid: position "0" is not a whole number from 1`,
		"NaN 2 1\n":             `d.dat:1: invalid: position "NaN" is not a whole number from 1`,
		"1 9e9 1\n":             "d.dat:1: too large: position 9e9 is beyond 1048576",
		"2 2 1\n":               "d.dat:1: invalid: position 2 is paired with itself",
		"1 2 1\n3 4 1\n2 1 1\n": "d.dat:3: invalid: pair 1 2 was on line 1 already",
	} {
		if _, err := Read("d.dat", strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}

// TestReadPublished reads the distances of AttentionDCA.
func TestReadPublished(t *testing.T) {
	const dir = "../../../shared/data/protein/attentiondca"
	files, _ := filepath.Glob(dir + "/*.dat")
	if len(files) == 0 {
		t.Skip("no distances in " + dir)
	}
	for _, file := range files {
		r, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Read(file, r)
		r.Close()
		if err != nil || len(p) < 1000 {
			t.Errorf("%d pairs, %v", len(p), err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("79 108 1.943\n# x\n11 35 2.2 1.9\n")
	f.Add("1 2 3\n2 1 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Read("f", strings.NewReader(text))
		if err != nil {
			if e, ok := err.(*format.Error); !ok || e.Name != "f" {
				t.Fatalf("error %v", err)
			}
			return
		}
		for _, p := range got {
			if !(1 <= p.I && p.I < p.J && p.J <= MaxPosition) || p.Line < 1 || p.Value != p.Value {
				t.Fatalf("pair %+v", p)
			}
		}
	})
}
