package ehr

import (
	"io"
	"iter"
	"path/filepath"

	"heed/format"
	"heed/format/meds"
)

// A medsSource is any data set in the layout of MEDS.
type medsSource struct {
	d     *meds.Dataset
	codes []meds.CodeInfo
	// folder is the split of the folder in which the events of a subject stand, where
	// the data set has no table of splits.
	folder map[int64]string
}

func openMEDS(path string) (*medsSource, error) {
	d, err := meds.OpenDataset(path)
	if err != nil {
		return nil, err
	}
	codes, err := d.Codes()
	if err != nil {
		return nil, err
	}
	return &medsSource{d, codes, map[int64]string{}}, nil
}

func (s *medsSource) units() []unit {
	out := make([]unit, len(s.d.Files))
	for i, f := range s.d.Files {
		rel, err := filepath.Rel(s.d.Root, f.Path)
		if err != nil {
			rel = filepath.Base(f.Path)
		}
		out[i] = unit{filepath.ToSlash(rel), f.Path}
	}
	return out
}

func (s *medsSource) split(subject int64) (string, bool) {
	if split, ok := s.d.Splits[subject]; ok {
		return split, split == meds.Train || split == meds.Tuning || split == meds.HeldOut
	}
	split, ok := s.folder[subject]
	return split, ok
}

// passOver learns the splits of the subjects of a unit that is in runs already.
func (s *medsSource) passOver(u int) error {
	f := s.d.Files[u]
	if f.Split == "" || s.d.Splits != nil {
		return nil
	}
	r, err := s.d.Open(f, meds.NewVocabulary())
	if err != nil {
		return err
	}
	defer r.Close()
	var c meds.Columns
	for {
		err := r.Next(&c, 1<<16)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for _, id := range c.Subject {
			s.folder[id] = f.Split
		}
	}
}

func (s *medsSource) events(u int, e *emitter) iter.Seq2[*meds.Columns, error] {
	return func(yield func(*meds.Columns, error) bool) {
		for _, c := range s.codes {
			e.describe(c.Code, c.Description, c.Parents...)
		}
		f := s.d.Files[u]
		r, err := s.d.Open(f, e.vocab)
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.Close()
		name := s.units()[u].name
		t := e.tally.table("events")
		last := [2]int64{meds.Static, meds.Static}
		for {
			err := r.Next(&e.cols, 1<<16)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			c := &e.cols
			before := r.Row() - int64(c.Len())
			for i, id := range c.Subject {
				if id == last[0] && c.Time[i] < last[1] {
					count(&t.Noted, "events out of order (sorted)", place(name, int(before)+i+1), 1)
				}
				if id != last[0] && f.Split != "" && s.d.Splits == nil {
					if old, ok := s.folder[id]; ok && old != f.Split {
						yield(nil, format.InvalidAt(f.Path, 0, "row %d: the subject is in the splits %s and %s", before+int64(i)+1, old, f.Split))
						return
					}
					s.folder[id] = f.Split
				}
				last = [2]int64{id, c.Time[i]}
			}
			n := int64(c.Len())
			t.Rows, t.Kept, t.Events = t.Rows+n, t.Kept+n, t.Events+n
			if !yield(c, nil) {
				return
			}
		}
	}
}
