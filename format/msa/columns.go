package msa

// columns finds out which letters of rows in FASTA stand in columns, and takes
// out the others.
//
// Rows in which the upper-case letters and '-' are equally many are A3M, or A2M
// if also the whole rows are equally long and no column mixes the two kinds. All
// other rows of one length are aligned FASTA, which may be in lower case and
// write gaps as '.'. Anything else is an error.
func (p *parser) columns(a *Alignment) error {
	first := count(a.Rows[0].Seq)
	var upper, between, stops bool // seen anywhere
	sameColumns, sameLength := true, true
	for _, row := range a.Rows {
		c := count(row.Seq)
		upper = upper || c.upper > 0
		between = between || c.lower+c.dots > 0
		stops = stops || c.stops > 0
		sameColumns = sameColumns && c.columns() == first.columns()
		sameLength = sameLength && len(row.Seq) == len(a.Rows[0].Seq)
	}
	switch {
	case !upper && sameLength, // lower case throughout
		sameLength && sameColumns && between && !consistent(a.Rows),
		sameLength && !sameColumns:
		a.Format = FASTA
		p.keepAll(a)
		return nil
	case !sameColumns:
		for _, row := range a.Rows {
			if n := count(row.Seq).columns(); n != first.columns() {
				return p.ragged(a, row, n, first.columns())
			}
		}
	}
	switch {
	case sameLength && between:
		a.Format = A2M
	case !between:
		a.Format = FASTA
	}
	return p.matchCase(a)
}

// A tally counts the letters of a row by what they may stand for.
type tally struct{ upper, lower, gaps, dots, stops int }

func (t tally) columns() int { return t.upper + t.gaps }

func count(seq []byte) (t tally) {
	for _, c := range seq {
		switch {
		case c == '-':
			t.gaps++
		case c == '.':
			t.dots++
		case c == '*':
			t.stops++
		case c >= 'a':
			t.lower++
		default:
			t.upper++
		}
	}
	return t
}

// consistent reports whether rows of one length agree on which columns are
// insertions.
func consistent(rows []Row) bool {
	inserted := func(c byte) bool { return c >= 'a' || c == '.' || c == '*' }
	for _, row := range rows[1:] {
		for i, c := range row.Seq {
			if inserted(c) != inserted(rows[0].Seq[i]) {
				return false
			}
		}
	}
	return true
}

// keepAll makes a column of every letter.
func (p *parser) keepAll(a *Alignment) {
	a.Columns = len(a.Rows[0].Seq)
	for _, row := range a.Rows {
		for i, c := range row.Seq {
			switch {
			case c == '.':
				row.Seq[i] = '-'
			case c == '*':
				row.Seq[i] = '-'
				a.Stops++
			case c >= 'a':
				row.Seq[i] = c &^ 0x20
			}
		}
	}
}

// matchCase makes columns of upper-case letters and '-', and insertions of lower
// case. It is in place, for rows are many.
func (p *parser) matchCase(a *Alignment) error {
	a.Columns = count(a.Rows[0].Seq).columns()
	if a.Columns == 0 {
		return invalidRow(p.name, a.Rows[0], "has no column: all its letters are insertions")
	}
	var letters []byte // inserted into one row, in upper case
	for i := range a.Rows {
		row := &a.Rows[i]
		letters = letters[:0]
		for _, c := range row.Seq {
			if c >= 'a' {
				letters = append(letters, c&^0x20)
			}
		}
		inserted := string(letters)
		seq := row.Seq[:0]
		n := 0 // letters in front of the next
		for _, c := range row.Seq {
			switch {
			case c >= 'a':
				n++
				continue
			case c == '*':
				a.Stops++
				continue
			case c == '.':
				continue
			}
			inserted = row.insert(len(seq), inserted, n)
			n = 0
			seq = append(seq, c)
		}
		row.insert(len(seq), inserted, n)
		row.Seq = seq[:len(seq):len(seq)]
	}
	return nil
}

// insert takes n letters off the front of those inserted.
func (r *Row) insert(before int, inserted string, n int) string {
	if n > 0 {
		r.Insertions = append(r.Insertions, Insertion{before, inserted[:n]})
	}
	return inserted[n:]
}

// MatchQuery returns the alignment of the columns in which the query, the first
// row, has a residue. Letters of other rows in the columns that go become
// insertions, notes on those columns go with them, and lengths of chains shrink; a
// chain without a column left goes. If no column goes, a itself is returned.
//
// A query without a residue leaves nothing to align: it is an error.
func (a *Alignment) MatchQuery() (*Alignment, error) {
	query := a.Rows[0].Seq
	kept := make([]bool, len(query))
	to := make([]int, len(query)+1) // columns before this one that stay
	for i, c := range query {
		kept[i] = c != '-'
		to[i+1] = to[i]
		if kept[i] {
			to[i+1]++
		}
	}
	n := to[len(query)]
	switch n {
	case len(query):
		return a, nil
	case 0:
		return nil, errNoQuery(a.Rows[0])
	}
	b := *a
	b.Columns = n
	b.Rows = make([]Row, len(a.Rows))
	all := make([]byte, 0, n*len(a.Rows))
	for i := range a.Rows {
		row := a.Rows[i]
		start := len(all)
		var letters []byte
		var ins []Insertion
		flush := func(before int) {
			if len(letters) > 0 {
				ins = append(ins, Insertion{before, string(letters)})
				letters = letters[:0]
			}
		}
		old := row.Insertions
		for col, c := range row.Seq {
			for len(old) > 0 && old[0].Before == col {
				letters = append(letters, old[0].Letters...)
				old = old[1:]
			}
			if kept[col] {
				flush(to[col])
				all = append(all, c)
			} else if c != '-' {
				letters = append(letters, c)
			}
		}
		for _, in := range old {
			letters = append(letters, in.Letters...)
		}
		flush(n)
		row.Seq = all[start:len(all):len(all)]
		row.Insertions = ins
		b.Rows[i] = row
	}
	b.Notes = a.Notes.cut(kept)
	b.Chains = nil
	end := 0
	for _, c := range a.Chains {
		start := end
		end += c.Length
		if c.Length = to[end] - to[start]; c.Length > 0 {
			b.Chains = append(b.Chains, c)
		}
	}
	return &b, nil
}
