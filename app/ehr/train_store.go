package ehr

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"time"

	"heed/format"
	"heed/format/meds"
	"heed/internal/cli"
)

// Store reads events from a data set in the layout of MEDS, and labels from a
// parquet file. An event is known to a prediction if neither its time nor, where the
// store has one, the time at which it became available is later.
type Store struct {
	Folder, Labels string
	hash           string
}

// Hash returns the SHA-256 of the labels and of all events of their subjects.
func (s *Store) Hash() string { return s.hash }

// longestText is that of a text value that becomes part of a code; longer ones are
// notes, not categories.
const longestText = 32

// Cases reads everything.
func (s *Store) Cases() ([]Case, map[string]int, error) {
	sum := sha256.New()
	read, err := meds.ReadLabels(s.Labels)
	if err != nil {
		return nil, nil, err
	}
	if err := addFile(sum, s.Labels); err != nil {
		return nil, nil, err
	}
	wanted := map[int64]bool{}
	labels := make([]asked, len(read))
	for i, l := range read {
		labels[i] = asked{id: l.Subject, at: meds.Clock(l.Time), positive: l.Value}
		wanted[l.Subject] = true
	}
	d, err := meds.OpenDataset(s.Folder)
	if err != nil {
		return nil, nil, err
	}
	events, splits := map[int64][]tableEvent{}, map[int64]string{}
	v := meds.NewVocabulary()
	for _, split := range []string{"train", "tuning", "held_out", ""} {
		names := []string{split}
		if split == "" {
			if len(events) > 0 {
				break // the data set has parts
			}
			names = nil
		}
		for c, err := range d.Subjects(v, names...) {
			if err != nil {
				return nil, nil, err
			}
			id := c.Subject[0]
			if !wanted[id] || splits[id] != "" {
				continue
			}
			splits[id] = split
			es := make([]tableEvent, c.Len())
			for i := range es {
				es[i] = storeEvent(c, i, v)
				binary.Write(sum, binary.LittleEndian, []int64{id, c.Time[i], int64(math.Float32bits(c.Value[i]))})
				io.WriteString(sum, es[i].code)
			}
			events[id] = es
		}
	}
	for i := range labels {
		labels[i].split = splits[labels[i].id]
	}
	cases, left := casesOf(labels, events)
	if len(cases) == 0 {
		return nil, nil, format.Invalidf(s.Labels, 0, "no prediction for a subject with events in %s", s.Folder)
	}
	s.hash = hex.EncodeToString(sum.Sum(nil))
	return cases, left, nil
}

// Subjects returns all events of the store.
func (s *Store) Subjects(v *meds.Vocabulary) iter.Seq2[*meds.Columns, error] {
	d, err := meds.OpenDataset(s.Folder)
	if err != nil {
		return func(yield func(*meds.Columns, error) bool) { yield(nil, err) }
	}
	return d.Subjects(v)
}

func storeEvent(c *meds.Columns, i int, v *meds.Vocabulary) tableEvent {
	e := tableEvent{code: v.Code(c.Code[i]), value: c.Value[i], static: c.Time[i] == meds.Static}
	if !e.static {
		e.at = meds.Clock(c.Time[i])
	}
	if c.Available != nil && c.Available[i] != meds.Static && c.Available[i] > c.Time[i] {
		e.known = meds.Clock(c.Available[i])
	}
	if c.Text != nil && e.value != e.value && c.Text[i] != "" && len(c.Text[i]) <= longestText {
		e.code += "=" + c.Text[i]
	}
	return e
}

func addFile(sum io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return cli.SystemError(path, err)
	}
	defer f.Close()
	_, err = io.Copy(sum, f)
	return cli.SystemError(path, err)
}

// openSource returns the source that lies in a folder.
func openSource(folder, labels string, lists []string) (Source, error) {
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(folder, name))
		return err == nil
	}
	stays := has("set-a.tar.gz") || has("set-b.tar.gz") || has("set-c.tar.gz")
	if len(lists) > 0 && !stays {
		return nil, cli.Usagef("--lists is for the stays of PhysioNet 2012")
	}
	switch {
	case labels != "":
		path, err := labelsFile(folder, labels)
		if err != nil {
			return nil, err
		}
		return &Store{Folder: folder, Labels: path}, nil
	case has("events.csv"):
		return &Tables{Folder: folder}, nil
	case stays:
		s := &Stays{Folder: folder}
		if len(lists) > 0 {
			if len(lists) != 3 {
				return nil, cli.Usagef("--lists: %d files, want three: training, tuning, held out", len(lists))
			}
			s.Splits = [3]string(lists)
		}
		return s, nil
	}
	return nil, cli.Hint(&format.Error{Name: folder, Err: errors.New("no events")},
		"a store needs --labels FILE; other folders need events.csv and labels.csv, or set-a.tar.gz and Outcomes-a.txt of PhysioNet 2012")
}

// asked is a prediction that the labels ask for.
type asked struct {
	id       int64
	at       time.Time
	positive bool
	split    string
	groups   map[string]string
}
