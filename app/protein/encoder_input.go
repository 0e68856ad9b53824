package protein

import (
	"fmt"
	"io"
	"slices"

	"heed/data"
	"heed/format"
	"heed/format/msa"
	"heed/internal/cli"
	"heed/model/esm"
	"heed/tensor"
)

// few is the number of rows below which the MSA Transformer knows little.
const few = 16

// readAlignment reads an alignment for ESM-MSA-1b: the columns of its first row,
// and of more than most rows those far from one another.
func readAlignment(path string, most, maxLen int, tell io.Writer) (Protein, error) {
	f, err := format.Open(path)
	if err != nil {
		return Protein{}, err
	}
	defer f.Close()
	a, err := msa.Read(path, f)
	if err != nil {
		return Protein{}, err
	}
	if a, err = a.MatchQuery(); err != nil {
		return Protein{}, format.Invalidf(path, 0, "%w", err)
	}
	if a.Columns > maxLen {
		return Protein{}, cli.Hint(format.TooLargef(path, 0, "a query of %d residues, limit %d", a.Columns, maxLen), "--max-len raises the limit")
	}
	all := len(a.Rows)
	if all > most {
		keep, err := data.DiverseRows(a.Seqs(), most)
		if err != nil {
			return Protein{}, format.Invalidf(path, 0, "%w", err)
		}
		a = a.Select(keep)
	}
	fmt.Fprintf(tell, "%s: %d of %d rows, %d columns\n", path, len(a.Rows), all, a.Columns)
	switch n := len(a.Rows); {
	case n == 1:
		fmt.Fprintf(tell, "warning: a single sequence: Neff is 1, and the model, which reads columns, has nothing to compare\n")
	case n < few:
		fmt.Fprintf(tell, "warning: %d rows, fewer than %d: the model has little to see\n", n, few)
	}
	p := Protein{ID: a.Rows[0].Name, Rows: make([][]int32, len(a.Rows))}
	for i, row := range a.Seqs() {
		if p.Rows[i], _, err = esm.EncodeRow(string(row)); err != nil {
			return Protein{}, format.Invalidf(path, a.Rows[i].Line, "%w", err)
		}
	}
	p.IDs = append(slices.Clone(p.Rows[0]), esm.End)
	return p, nil
}

// An encoderModel is one of the two published models.
type encoderModel struct {
	file      *encoderFile
	sequence  *esm.Model
	alignment *esm.MSA
}

// read returns the model with weights that can be written again.
func (f *encoderFile) read() (*encoderModel, error) {
	if f.architecture == esm.ArchitectureMSA {
		m, err := LoadMSAEncoder(f.path)
		return &encoderModel{file: f, alignment: m}, err
	}
	m, err := LoadEncoder(f.path)
	return &encoderModel{file: f, sequence: m}, err
}

// load returns the model for inference alone: its weights are packed.
func (f *encoderFile) load() (*encoderModel, error) {
	m, err := f.read()
	if err != nil {
		return nil, err
	}
	if m.alignment != nil {
		m.alignment.Pack()
	} else {
		m.sequence.Pack()
	}
	return m, nil
}

// inputs reads what the model is for: sequences, or one alignment whose first row
// is the one protein.
func (f *encoderFile) inputs(path string, maxLen, rows int, tell io.Writer) ([]Protein, error) {
	if f.architecture != esm.ArchitectureMSA {
		return readProteins(path, maxLen, tell)
	}
	if rows < 1 {
		return nil, cli.Usagef("--rows %d: want 1 or more", rows)
	}
	p, err := readAlignment(path, rows, maxLen, tell)
	if err != nil {
		return nil, err
	}
	c := f.alignment
	if err := (&esm.MSA{Config: c}).Check(p.Rows); err != nil {
		return nil, format.TooLargef(path, 0, "%w", err)
	}
	return []Protein{p}, nil
}

// plan is what a pass holds; tokens is that of a batch, at least the longest input.
func (f *encoderFile) plan(proteins []Protein, w esm.Work, tokens int) []esm.Part {
	if f.architecture == esm.ArchitectureMSA {
		return f.alignment.Plan(len(proteins[0].Rows), len(proteins[0].Rows[0]), w)
	}
	return f.sequence.Plan(max(tokens, longest(proteins)+2), w)
}

// longest returns the residues of the longest protein.
func longest(proteins []Protein) int {
	n := 0
	for _, p := range proteins {
		n = max(n, len(p.IDs)-2)
	}
	return n
}

func (e *encoderModel) contacts(p Protein, w esm.Work) (*tensor.Tensor, error) {
	if e.alignment != nil {
		return e.alignment.Contacts(p.Rows, w)
	}
	return e.sequence.Contacts(p.IDs, w)
}

func (e *encoderModel) maps(p Protein, w esm.Work, see func(layer, head int, a []float32)) {
	if e.alignment != nil {
		e.alignment.Maps(p.Rows, w, see)
	} else {
		e.sequence.Maps(p.IDs, w, see)
	}
}

// heads returns the number of layers, and of heads in each.
func (f *encoderFile) heads() (layers, heads int) {
	if f.architecture == esm.ArchitectureMSA {
		return f.alignment.Layers, f.alignment.Heads
	}
	return f.sequence.Layers, f.sequence.Heads
}

// letters returns the residues of a protein, X for what is none.
func (p *Protein) letters() []byte {
	var out []byte
	for _, id := range p.IDs[1 : len(p.IDs)-1] {
		letter := esm.Name(id)
		if len(letter) != 1 || letter[0] < 'A' || letter[0] > 'Z' {
			letter = "X"
		}
		out = append(out, letter[0])
	}
	return out
}

func noHead(path string) error {
	return cli.Hint(format.UnsupportedAt(path, 0, "%w", esm.ErrNoContactHead), "heed protein fit-head makes a contact head from a few structures")
}
