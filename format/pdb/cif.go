package pdb

import (
	"bytes"
	"io"
	"strings"

	"heed/format"
)

// A value is one value of a CIF file.
type value struct {
	text string
	null bool // '.' or '?' without quotes
}

// A cif cuts a file into the tokens of CIF 1.1 (Hall, Allen & Brown 1991, with
// the syntax of www.iucr.org/resources/cif/spec/version1.1).
type cif struct {
	name  string
	lines *format.LineReader
	rest  []byte // of the current line
	start bool   // rest is a whole line
	max   int    // greatest length of a text over several lines
}

// The kinds of tokens.
type kind uint8

const (
	end   kind = iota
	tag        // _category.item
	item       // a value
	loop       // loop_
	block      // data_x
	frame      // save_x, global_ and stop_, which have no place in a structure
)

// next returns the next token.
func (c *cif) next() (kind, value, error) {
	for {
		if c.start && len(c.rest) > 0 && c.rest[0] == ';' {
			text, err := c.text()
			return item, value{text: text}, err
		}
		c.rest = bytes.TrimLeft(c.rest, " \t")
		if len(c.rest) > 0 && c.rest[0] != '#' {
			break
		}
		text, err := c.lines.Next()
		if err == io.EOF {
			return end, value{}, nil
		}
		if err != nil {
			return end, value{}, err
		}
		c.rest, c.start = text, true
	}
	c.start = false
	if q := c.rest[0]; q == '\'' || q == '"' {
		// A quote ends the value only where a blank follows.
		for i := 1; i < len(c.rest); i++ {
			if c.rest[i] == q && (i+1 == len(c.rest) || c.rest[i+1] == ' ' || c.rest[i+1] == '\t') {
				v := value{text: string(c.rest[1:i])}
				c.rest = c.rest[i+1:]
				return item, v, nil
			}
		}
		return end, value{}, format.Invalidf(c.name, c.lines.Number(), "no closing quote of %s", short(string(c.rest)))
	}
	n := bytes.IndexAny(c.rest, " \t")
	if n < 0 {
		n = len(c.rest)
	}
	word := string(c.rest[:n])
	c.rest = c.rest[n:]
	switch lower := strings.ToLower(word[:min(len(word), 7)]); {
	case word[0] == '_':
		return tag, value{text: word}, nil
	case word == "." || word == "?":
		return item, value{null: true}, nil
	case strings.HasPrefix(lower, "data_"):
		return block, value{text: word}, nil
	case strings.EqualFold(word, "loop_"):
		return loop, value{text: word}, nil
	case strings.HasPrefix(lower, "save_"), strings.EqualFold(word, "global_"), strings.EqualFold(word, "stop_"):
		return frame, value{text: word}, nil
	}
	return item, value{text: word}, nil
}

// text reads a value between lines that begin with ';'.
func (c *cif) text() (string, error) {
	first := c.lines.Number()
	var b strings.Builder
	b.Write(c.rest[1:])
	for {
		line, err := c.lines.Next()
		if err == io.EOF {
			return "", format.Invalidf(c.name, first, "text without the ';' that ends it")
		}
		if err != nil {
			return "", err
		}
		if len(line) > 0 && line[0] == ';' {
			c.rest, c.start = line[1:], false
			return b.String(), nil
		}
		if len(line) >= c.max-b.Len() {
			return "", format.TooLargef(c.name, first, "text has more than %d bytes", c.max)
		}
		b.WriteByte('\n')
		b.Write(line)
	}
}

// A rowReader gets the rows of a category: for every row the values of the wanted
// items, in the order of items. An item that the file lacks is null.
type rowReader struct {
	items []string // without the category
	row   func(line int, values []value) error
}

// maxTags is the greatest number of items of a category; the dictionary has
// fewer than 200.
const maxTags = 2000

// read passes the rows of the wanted categories of one data block, which has
// begun, to their tables. Keys are in lower case, as "_atom_site".
func (c *cif) read(tables map[string]rowReader) error {
	kind, v, err := c.next()
	if err != nil {
		return err
	}
	for {
		switch kind {
		case end:
			return nil
		case block:
			return format.Unsupportedf(c.name, c.lines.Number(), "a second block, %s; split the file", short(v.text))
		case frame:
			return format.Unsupportedf(c.name, c.lines.Number(), "%s in a structure", short(v.text))
		case item:
			return format.Invalidf(c.name, c.lines.Number(), "value %q without an item", short(v.text))
		case loop:
			kind, v, err = c.loop(tables)
		case tag:
			kind, v, err = c.single(tables, v.text)
		}
		if err != nil {
			return err
		}
	}
}

// split cuts a tag into category and item, in lower case.
func split(tag string) (category, name string) {
	category, name, _ = strings.Cut(strings.ToLower(tag), ".")
	return category, name
}

// columnsOf returns for each item of a file the index of the wanted one, or -1.
func (t rowReader) columnsOf(names []string) []int {
	at := make([]int, len(names))
	for i, name := range names {
		at[i] = -1
		for j, want := range t.items {
			if name == want {
				at[i] = j
			}
		}
	}
	return at
}

// clear makes all values null.
func (t rowReader) clear(row []value) {
	for i := range row {
		row[i] = value{null: true}
	}
}

// loop reads a loop up to the token after it, which it returns.
func (c *cif) loop(tables map[string]rowReader) (kind, value, error) {
	first := c.lines.Number()
	var category string
	var names []string
	kind, v, err := c.next()
	for ; err == nil && kind == tag; kind, v, err = c.next() {
		if len(names) == maxTags {
			return end, v, format.TooLargef(c.name, first, "loop over more than %d items", maxTags)
		}
		var name string
		category, name = split(v.text)
		names = append(names, name)
	}
	if err != nil {
		return end, v, err
	}
	if len(names) == 0 {
		return end, v, format.Invalidf(c.name, first, "loop without items")
	}
	t, wanted := tables[category]
	at := t.columnsOf(names)
	row := make([]value, len(t.items))
	t.clear(row)
	n, line := 0, 0
	for ; err == nil && kind == item; kind, v, err = c.next() {
		if n == 0 {
			line = c.lines.Number()
		}
		if wanted && at[n] >= 0 {
			row[at[n]] = v
		}
		if n++; n < len(names) {
			continue
		}
		n = 0
		if wanted {
			if err := t.row(line, row); err != nil {
				return end, v, err
			}
		}
	}
	if err != nil {
		return end, v, err
	}
	if n > 0 {
		return end, v, format.Invalidf(c.name, line, "row of loop %s has %d values, want %d", short(category), n, len(names))
	}
	return kind, v, nil
}

// single reads the items of a category that has one row, up to the token after
// it, which it returns.
func (c *cif) single(tables map[string]rowReader, first string) (kind, value, error) {
	category, name := split(first)
	t, wanted := tables[category]
	row := make([]value, len(t.items))
	t.clear(row)
	line := c.lines.Number()
	for {
		kind, v, err := c.next()
		if err != nil {
			return end, v, err
		}
		if kind != item {
			return end, v, format.Invalidf(c.name, c.lines.Number(), "item %s.%s has no value", short(category), short(name))
		}
		if at := t.columnsOf([]string{name})[0]; at >= 0 {
			row[at] = v
		}
		if kind, v, err = c.next(); err != nil {
			return end, v, err
		}
		if kind == tag {
			var next string
			if next, name = split(v.text); next == category {
				continue
			}
		}
		if wanted {
			err = t.row(line, row)
		}
		return kind, v, err
	}
}
