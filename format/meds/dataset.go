package meds

import (
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"heed/format"
)

// A File is one parquet file of events.
type File struct {
	Path  string
	Split string // by the folder in which it stands; "" if that says nothing
}

// A Dataset is a folder in the layout of MEDS.
type Dataset struct {
	Root     string
	Files    []File           // by path
	Splits   map[int64]string // by subject, from metadata/subject_splits.parquet; nil without
	Metadata Metadata
	numbers  map[int64]string
	single   bool // Root is a file, which has no metadata
}

// OpenDataset finds the files of a data set: those below data, or, where there is no
// such folder, all but those below metadata. It reads the metadata but no events.
func OpenDataset(root string) (*Dataset, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, format.PathError(root, err)
	}
	d := &Dataset{Root: root}
	if !info.IsDir() {
		d.Files, d.single = []File{{root, ""}}, true
		return d, nil
	}
	top := filepath.Join(root, "data")
	if i, err := os.Stat(top); err != nil || !i.IsDir() {
		top = root
	}
	err = filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return format.PathError(path, err)
		}
		name := e.Name()
		switch {
		case e.IsDir() && path != top && (strings.HasPrefix(name, ".") || top == root && name == "metadata"):
			return filepath.SkipDir
		case e.IsDir() || !strings.HasSuffix(name, ".parquet") || strings.HasPrefix(name, "."):
			return nil
		}
		d.Files = append(d.Files, File{path, splitOf(top, path)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(d.Files) == 0 {
		return nil, format.InvalidAt(root, 0, "no parquet files of events, neither in data nor beside it")
	}
	slices.SortFunc(d.Files, func(a, b File) int { return comparePaths(a.Path, b.Path) })
	return d, d.readMetadata()
}

func splitOf(top, path string) string {
	rel, err := filepath.Rel(top, filepath.Dir(path))
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
	if name == Train || name == Tuning || name == HeldOut {
		return name
	}
	return ""
}

// comparePaths orders 2.parquet before 10.parquet.
func comparePaths(a, b string) int {
	da, db := filepath.Dir(a), filepath.Dir(b)
	if da != db {
		return strings.Compare(a, b)
	}
	if len(a) != len(b) && digits(filepath.Base(a)) && digits(filepath.Base(b)) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func digits(name string) bool {
	name, _, _ = strings.Cut(name, ".")
	return name != "" && strings.Trim(name, "0123456789") == ""
}

func (d *Dataset) readMetadata() error {
	splits, err := ReadSplits(d.metadata("subject_splits.parquet"))
	switch {
	case err == nil:
		d.Splits = splits
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	m, err := ReadMetadata(d.metadata("dataset.json"))
	switch {
	case err == nil:
		d.Metadata = *m
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

func (d *Dataset) metadata(name string) string { return filepath.Join(d.Root, "metadata", name) }

// Codes reads metadata/codes.parquet. Without that file there are none.
func (d *Dataset) Codes() ([]CodeInfo, error) {
	if d.single {
		return nil, nil
	}
	codes, err := ReadCodes(d.metadata("codes.parquet"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return codes, err
}

// Open opens one of the files.
func (d *Dataset) Open(f File, v *Vocabulary) (*Reader, error) {
	r, err := Open(f.Path, v)
	if err != nil || !r.layout.codeIsNumber {
		return r, err
	}
	if d.numbers == nil && !d.single {
		d.numbers, err = readCodeNumbers(d.metadata("codes.parquet"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.Close()
			return nil, err
		}
	}
	r.NumberedCodes(func(n int64) (string, bool) { s, ok := d.numbers[n]; return s, ok })
	return r, nil
}

// SplitOf returns the split of a subject that stands in a file.
func (d *Dataset) SplitOf(subject int64, f File) string {
	if s, ok := d.Splits[subject]; ok {
		return s
	}
	return f.Split
}

// batch is how many rows are read at one time.
const batch = 1 << 15

// Subjects yields all events of one subject after the other, of the given splits or,
// without any, of all. Codes get their numbers from v. The columns are valid until
// the next ones. Events out of order, and a subject in two files or in two places of
// one, are format.ErrInvalid, which ends the iteration.
func (d *Dataset) Subjects(v *Vocabulary, splits ...string) iter.Seq2[*Columns, error] {
	return func(yield func(*Columns, error) bool) {
		g := grouper{d: d, splits: splits, seen: map[int64]bool{}}
		for _, f := range d.Files {
			if len(splits) > 0 && f.Split != "" && d.Splits == nil && !slices.Contains(splits, f.Split) {
				continue
			}
			if len(splits) > 0 && f.Split != "" && d.Metadata.ETLName == "heed" && !slices.Contains(splits, f.Split) {
				continue // the folders of our own stores are the splits
			}
			more, err := g.file(f, v, func(c *Columns) bool { return yield(c, nil) })
			if err != nil {
				yield(nil, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

type grouper struct {
	d      *Dataset
	splits []string
	seen   map[int64]bool
	rows   Columns
	one    Columns
}

func (g *grouper) file(f File, v *Vocabulary, yield func(*Columns) bool) (more bool, err error) {
	r, err := g.d.Open(f, v)
	if err != nil {
		return false, err
	}
	defer r.Close()
	g.one.Reset()
	end := int64(0) // the last row of the subject that is being read
	flush := func() (bool, error) {
		if g.one.Len() == 0 {
			return true, nil
		}
		id := g.one.Subject[0]
		if g.seen[id] {
			return false, format.InvalidAt(f.Path, 0, "the subject whose events end at row %d has events elsewhere too; a subject must stand in one place", end)
		}
		g.seen[id] = true
		if len(g.splits) > 0 && !slices.Contains(g.splits, g.d.SplitOf(id, f)) {
			return true, nil
		}
		return yield(&g.one), nil
	}
	for {
		err := r.Next(&g.rows, batch)
		if err == io.EOF {
			return flush()
		}
		if err != nil {
			return false, err
		}
		before := r.Row() - int64(g.rows.Len())
		for lo := 0; lo < g.rows.Len(); {
			id := g.rows.Subject[lo]
			hi := lo + 1
			for hi < g.rows.Len() && g.rows.Subject[hi] == id {
				hi++
			}
			if g.one.Len() > 0 && g.one.Subject[0] != id {
				if more, err := flush(); err != nil || !more {
					return more, err
				}
				g.one.Reset()
			}
			last := int64(Static)
			if n := g.one.Len(); n > 0 {
				last = g.one.Time[n-1]
			}
			for i := lo; i < hi; i++ {
				if g.rows.Time[i] < last {
					return false, format.InvalidAt(f.Path, 0, "events out of order: row %d is earlier than the one in front of it; heed ehr import meds sorts them", before+int64(i)+1)
				}
				last = g.rows.Time[i]
			}
			g.one.Append(&g.rows, lo, hi)
			end = before + int64(hi)
			lo = hi
		}
	}
}
