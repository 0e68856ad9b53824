package dna

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"heed/data"
	"heed/format"
	"heed/format/fasta"
	"heed/format/table"
	"heed/internal/cli"
)

// A Dataset is labelled sequences, one element of each slice per sequence.
type Dataset struct {
	Names   []string
	Seqs    [][]byte // upper case
	Labels  []int    // indices into Classes
	Classes []string
	// Positive is the class that sensitivity and AUROC are about, if there are
	// two.
	Positive int
	Warnings []string // for the user
	byOrder  bool     // classes stand in the order of the arguments
	closed   string   // the file that all classes occur in, once there is one
}

// A DataConfig says where labelled sequences are.
type DataConfig struct {
	// Files is one table, or for each class one or more FASTA files written as
	// "label=path".
	Files []string `json:"files"`
	// Sequence and Label are the columns of tables; empty means "sequence" and
	// "label".
	Sequence string `json:"sequence_column,omitempty"`
	Label    string `json:"label_column,omitempty"`
	Positive string `json:"positive,omitempty"` // name of the positive class; empty means to choose
	// MaxLen is the greatest length of a sequence; 0 means DefaultMaxLen.
	MaxLen int `json:"max_len,omitempty"`
}

// DefaultMaxLen is the length above which a sequence is taken for a mistake
// (a genome in place of its promoters, say) unless the user raises the limit.
const DefaultMaxLen = 16384

// positiveNames are labels that mean "yes", in the order of preference.
var positiveNames = []string{"1", "+", "positive", "pos", "yes", "true", "promoter", "prom"}

// Load reads the files of a configuration.
func (c DataConfig) Load() (*Dataset, error) {
	d := &Dataset{}
	if len(c.Files) == 0 {
		return nil, cli.Usagef("no data: give a table, or label=path for each class")
	}
	classes := 0
	for _, f := range c.Files {
		if _, _, ok := splitLabel(f); ok {
			classes++
		}
	}
	switch {
	case classes == len(c.Files):
		d.byOrder = true
		for _, f := range c.Files {
			label, path, _ := splitLabel(f)
			if err := d.readFASTA(path, label, c.maxLen()); err != nil {
				return nil, err
			}
		}
	case classes == 0 && len(c.Files) == 1:
		if err := d.readTable(c.Files[0], c); err != nil {
			return nil, err
		}
	case classes == 0:
		return nil, cli.Usagef("%d files without labels: give one table, or label=path for each class", len(c.Files))
	default:
		return nil, cli.Usagef("tables and label=path do not mix")
	}
	return d, d.finish(c)
}

// splitLabel cuts "label=path". A file whose whole name exists is a path.
func splitLabel(arg string) (label, path string, ok bool) {
	label, path, ok = strings.Cut(arg, "=")
	if !ok || label == "" || strings.ContainsAny(label, `/\`) {
		return "", arg, false
	}
	if _, err := os.Stat(arg); err == nil {
		return "", arg, false
	}
	return label, path, true
}

func (c DataConfig) maxLen() int {
	if c.MaxLen > 0 {
		return c.MaxLen
	}
	return DefaultMaxLen
}

func (d *Dataset) class(label string) int {
	i := slices.Index(d.Classes, label)
	if i < 0 {
		i = len(d.Classes)
		d.Classes = append(d.Classes, label)
	}
	return i
}

func (d *Dataset) add(name, label string, seq []byte) {
	fasta.Upper(seq)
	d.Names = append(d.Names, name)
	d.Seqs = append(d.Seqs, seq)
	d.Labels = append(d.Labels, d.class(label))
}

func (d *Dataset) readFASTA(path, label string, maxLen int) error {
	f, err := format.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var dup fasta.Duplicates
	for rec, err := range (fasta.Reader{Alphabet: fasta.DNA, MaxLetters: maxLen}).Records(path, f) {
		if err != nil {
			return tooLong(err)
		}
		dup.Add(rec)
		d.add(rec.ID, label, rec.Seq)
	}
	if w := dup.Warning(path); w != "" {
		d.Warnings = append(d.Warnings, w)
	}
	return nil
}

func (d *Dataset) readTable(path string, c DataConfig) error {
	f, err := format.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	switch head, err := firstBytes(path); {
	case err != nil:
		return err
	case bytes.HasPrefix(bytes.TrimSpace(head), []byte(">")):
		return cli.Hint(format.Invalidf(path, 0, "a FASTA file has no labels"),
			"give one file for each class, as in promoter="+filepath.Base(path)+" other=FILE")
	case bytes.IndexByte(head, 0) >= 0:
		return format.Invalidf(path, 0, "binary data, not a table")
	}
	r := table.Reader{Sequence: c.Sequence, Label: c.Label, Check: fasta.DNA.Check}
	n := 0
	for row, err := range r.Rows(path, f) {
		if err != nil {
			return columnHint(err)
		}
		if len(row.Sequence) > c.maxLen() {
			return tooLong(format.TooLargef(path, row.Line, "sequence has %d letters, the limit is %d", len(row.Sequence), c.maxLen()))
		}
		if d.closed != "" && !slices.Contains(d.Classes, row.Label) {
			return format.Invalidf(path, row.Line, "label %q does not occur in %s", row.Label, d.closed)
		}
		n++
		d.add(fmt.Sprintf("row%d", n), row.Label, row.Sequence)
	}
	return nil
}

// looksLikeFASTA reports whether '>' is the first byte that is not blank.
func looksLikeFASTA(path string) bool {
	head, err := firstBytes(path)
	return err == nil && bytes.HasPrefix(bytes.TrimSpace(head), []byte(">"))
}

// firstBytes returns some bytes from the start of a file.
func firstBytes(path string) ([]byte, error) {
	f, err := format.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return head[:n], nil
}

// finish puts the classes in order, chooses the positive one and looks for
// duplicates.
func (d *Dataset) finish(c DataConfig) error {
	name := strings.Join(c.Files, " ")
	if len(d.Classes) < 2 {
		return cli.Hint(format.Invalidf(name, 0, "one class only (%q)", d.Classes[0]), "a classifier needs sequences of two classes or more")
	}
	if len(d.Classes) > 1000 {
		return cli.Hint(format.TooLargef(name, 0, "%d different labels, the limit is 1000", len(d.Classes)), "is the label column right? --label-column names it")
	}
	if !d.byOrder {
		sorted := slices.Sorted(slices.Values(d.Classes))
		for i, l := range d.Labels {
			d.Labels[i], _ = slices.BinarySearch(sorted, d.Classes[l])
		}
		d.Classes = sorted
	}
	if err := d.choosePositive(c.Positive); err != nil {
		return err
	}
	seen, copies, mixed := map[string]int{}, 0, 0
	for i, s := range d.Seqs {
		if j, ok := seen[string(s)]; !ok {
			seen[string(s)] = i
		} else {
			copies++
			if d.Labels[i] != d.Labels[j] {
				mixed++
			}
		}
	}
	if copies > 0 {
		w := fmt.Sprintf("%d of %d sequences occur more than once", copies, len(d.Seqs))
		if mixed > 0 {
			w += fmt.Sprintf(", %d of them with another label", mixed)
		}
		d.Warnings = append(d.Warnings, w+"; --clusters keeps copies in one fold")
	}
	return nil
}

func (d *Dataset) choosePositive(name string) error {
	if name != "" {
		i := slices.Index(d.Classes, name)
		if i < 0 {
			return cli.Usagef("no class %q; classes are %s", name, strings.Join(d.Classes, ", "))
		}
		d.Positive = i
		return nil
	}
	for _, p := range positiveNames {
		if i := slices.IndexFunc(d.Classes, func(c string) bool { return strings.EqualFold(c, p) }); i >= 0 {
			d.Positive = i
			return nil
		}
	}
	if !d.byOrder {
		d.Positive = len(d.Classes) - 1
	}
	return nil
}

// LoadParts reads the files of an official split and joins them to one
// Dataset. A path may be empty; its part is then empty too.
func (c DataConfig) LoadParts(train, valid, test string) (*Dataset, data.Parts, error) {
	d := &Dataset{}
	var p data.Parts
	for _, part := range []struct {
		path string
		idx  *[]int
	}{{train, &p.Train}, {valid, &p.Valid}, {test, &p.Test}} {
		if part.path == "" {
			continue
		}
		from := len(d.Seqs)
		if err := d.readTable(part.path, c); err != nil {
			return nil, p, err
		}
		d.closed = train
		for i := from; i < len(d.Seqs); i++ {
			*part.idx = append(*part.idx, i)
		}
	}
	c.Files = []string{train}
	if err := d.finish(c); err != nil {
		return nil, p, err
	}
	shared, err := data.Overlap(d.seqs(p.Train), d.seqs(p.Test), data.KMer)
	if err != nil {
		return nil, p, err
	}
	if n := len(shared.Exact); n > 0 {
		d.Warnings = append(d.Warnings, fmt.Sprintf("%d of %d test sequences occur letter for letter in the training set", n, len(p.Test)))
	}
	if n := len(shared.Related); n > 0 {
		d.Warnings = append(d.Warnings, fmt.Sprintf("%d of %d test sequences share %d letters with the training set", n, len(p.Test), data.KMer))
	}
	return d, p, nil
}

// Hash returns the SHA-256 of labels and sequences in their order, in
// hexadecimal digits. Names, file format and compression do not matter.
func (d *Dataset) Hash() string {
	h := sha256.New()
	for i, s := range d.Seqs {
		fmt.Fprintf(h, "%s\t%s\n", d.Classes[d.Labels[i]], s)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Lengths returns the lengths of the shortest and the longest sequence.
func (d *Dataset) Lengths() (shortest, longest int) {
	for i, s := range d.Seqs {
		if i == 0 || len(s) < shortest {
			shortest = len(s)
		}
		longest = max(longest, len(s))
	}
	return shortest, longest
}

func (d *Dataset) seqs(idx []int) [][]byte {
	out := make([][]byte, len(idx))
	for i, j := range idx {
		out[i] = d.Seqs[j]
	}
	return out
}

func (d *Dataset) labels(idx []int) []int {
	out := make([]int, len(idx))
	for i, j := range idx {
		out[i] = d.Labels[j]
	}
	return out
}
