// Package pairs reads tables of one number for pairs of positions, such as the
// distances that papers publish beside alignments of families: lines of
//
//	79 108 1.943
//	11 35 2.2066 1.957165
//
// with two positions, counted from 1 and perhaps written as 1.1e+01, and a number,
// the last of the line. Fields between are passed over. Blank lines and lines that
// begin with '#' are comments.
//
// Bytes flow in, usually from [heed/format.Open]; a slice of [Pair] flows out. Text
// that is no number, a position that is not whole, a position paired with itself
// and a pair that occurs twice, in either order, are errors with file and line.
package pairs

import (
	"io"
	"math"
	"strconv"
	"strings"

	"heed/format"
)

// A Pair is one line.
type Pair struct {
	I, J  int // 1-based, I < J
	Value float64
	Line  int // 1-based
}

// Limits of [Read].
const (
	MaxPairs    = 64 << 20
	MaxPosition = 1 << 20
	maxLine     = 1 << 16
)

// Read reads all pairs, in the order of the file.
func Read(name string, r io.Reader) ([]Pair, error) {
	var out []Pair
	seen := make(map[[2]int]int)
	lines := format.NewLineReader(name, r, maxLine)
	for {
		text, err := lines.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		words := strings.Fields(string(text))
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if len(words) < 3 {
			return nil, format.Invalidf(name, lines.Number(), "%d fields; want two positions and a number", len(words))
		}
		if len(out) == MaxPairs {
			return nil, format.TooLargef(name, lines.Number(), "more than %d pairs", MaxPairs)
		}
		i, err := position(name, lines.Number(), words[0])
		if err != nil {
			return nil, err
		}
		j, err := position(name, lines.Number(), words[1])
		if err != nil {
			return nil, err
		}
		last := words[len(words)-1]
		v, err := strconv.ParseFloat(last, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, format.Invalidf(name, lines.Number(), "%q is not a number", short(last))
		}
		p := Pair{min(i, j), max(i, j), v, lines.Number()}
		if i == j {
			return nil, format.Invalidf(name, p.Line, "position %d is paired with itself", i)
		}
		if before := seen[[2]int{p.I, p.J}]; before > 0 {
			return nil, format.Invalidf(name, p.Line, "pair %d %d was on line %d already", p.I, p.J, before)
		}
		seen[[2]int{p.I, p.J}] = p.Line
		out = append(out, p)
	}
	if len(out) == 0 {
		return nil, format.Invalidf(name, 0, "no pairs")
	}
	return out, nil
}

func position(name string, line int, word string) (int, error) {
	x, err := strconv.ParseFloat(word, 64)
	if err != nil || x != math.Trunc(x) || x < 1 || math.IsInf(x, 0) {
		return 0, format.Invalidf(name, line, "position %q is not a whole number from 1", short(word))
	}
	if x > MaxPosition {
		return 0, format.TooLargef(name, line, "position %s is beyond %d", short(word), MaxPosition)
	}
	return int(x), nil
}

// short cuts text to what a message can bear.
func short(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}
