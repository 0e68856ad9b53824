package format

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	limit := strings.Repeat("x", MaxRow)
	for _, test := range []struct {
		text string
		want []string
		err  string
	}{
		{"", nil, ""},
		{"a", []string{"a"}, ""},
		{"a\n", []string{"a"}, ""},
		{"\xef\xbb\xbfa\r\n\n\r\nb\rc", []string{"a", "", "", "b\rc"}, ""},
		{long + "\n" + long, []string{long, long}, ""},
		{limit + "\r\n" + limit, []string{limit, limit}, ""},
		{"a\n" + limit + "x\n", []string{"a"}, "p:2: too large: line has more than 16777216 bytes"},
		{"a\n" + limit + "xxxx", []string{"a"}, "p:2: too large: line has more than 16777216 bytes"},
	} {
		var got []string
		var failed error
		for line, err := range Lines("p", strings.NewReader(test.text)) {
			if err != nil {
				failed = err
				continue
			}
			got = append(got, line.Text)
			if line.Number != len(got) {
				t.Errorf("line %d has number %d", len(got), line.Number)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%.40q: got %.80q, want %.80q", test.text, got, test.want)
		}
		if (failed != nil || test.err != "") && (failed == nil || failed.Error() != test.err) {
			t.Errorf("%.40q: got error %v, want %q", test.text, failed, test.err)
		}
	}
	r := io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(errors.New("cable cut")))
	for line, err := range Lines("p", r) {
		if line.Number != 1 && (err == nil || err.Error() != "p:2: cable cut") {
			t.Errorf("got %v, %v", line, err)
		}
	}
}
