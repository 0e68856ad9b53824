package format

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestLineReader(t *testing.T) {
	long := strings.Repeat("x", 1<<16-1) // fills the buffer but for one byte
	for _, test := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"\xef\xbb\xbf", nil},
		{"\n", []string{"1:"}},
		{"a", []string{"1:a"}},
		{"a\n\nb\n", []string{"1:a", "2:", "3:b"}},
		{"\xef\xbb\xbfa\r\nb\rc\n\rd", []string{"1:a", "2:b\rc", "3:\rd"}},
		{"a\r", []string{"1:a"}},
		{"a\r\r\n\n", []string{"1:a\r", "2:"}},
		{long + "\r\n" + long + "yz\n" + long, []string{"1:" + long, "2:" + long + "yz", "3:" + long}},
	} {
		for _, slow := range []bool{false, true} {
			var r io.Reader = strings.NewReader(test.text)
			if slow {
				r = iotest.OneByteReader(r)
			}
			l := NewLineReader("p.txt", r, 1<<17)
			var got []string
			for {
				line, err := l.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%d:%s", l.Number(), line))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%.20q, slow %v: %s", test.text, slow, diff)
			}
		}
	}
}

func TestLineReaderErrors(t *testing.T) {
	for _, test := range []struct {
		r    io.Reader
		want string
		kind error
	}{
		{strings.NewReader("a\nbcdef\n"), "p.txt:2: too large: line has more than 4 bytes", ErrTooLarge},
		{iotest.OneByteReader(strings.NewReader("a\nbcdef")), "p.txt:2: too large: line has more than 4 bytes", ErrTooLarge},
		{io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(io.ErrClosedPipe)), "p.txt:2: io: read/write on closed pipe", io.ErrClosedPipe},
	} {
		l := NewLineReader("p.txt", test.r, 4)
		var err error
		for err == nil {
			_, err = l.Next()
		}
		if err.Error() != test.want || !errors.Is(err, test.kind) {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
}

// FuzzLineReader compares with a plain implementation.
func FuzzLineReader(f *testing.F) {
	f.Add("a\r\nb\rc\n\rd", 3)
	f.Add("\xef\xbb\xbf\r\r\n", 1)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		cut = max(0, min(cut, len(text)))
		r := io.MultiReader(strings.NewReader(text[:cut]), strings.NewReader(text[cut:]))
		l := NewLineReader("p.txt", r, len(text)+1)
		var got []string
		for {
			line, err := l.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(line))
		}
		plain := strings.TrimPrefix(text, "\xef\xbb\xbf")
		plain = strings.ReplaceAll(plain, "\r\n", "\n")
		want := strings.Split(plain, "\n")
		if last := len(want) - 1; want[last] == "" {
			want = want[:last]
		} else {
			want[last] = strings.TrimSuffix(want[last], "\r")
		}
		if len(got) != len(want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
		if l.Number() != len(want) {
			t.Fatalf("number %d of %d", l.Number(), len(want))
		}
	})
}
