package ehr

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"heed/format"
	"heed/format/meds"
)

// The PhysioNet/CinC challenge of 2012 (Silva et al. 2012): the first 48 hours of stays
// in intensive care, one text file for each. A stay begins at 1970-01-01 00:00 here, for
// the files tell hours since admission and no dates. Statics have no time; weight is
// measured again and again and has one.

// p12Labels is the name of the labels that come with the data.
const p12Labels = "in_hospital_mortality"

type p12Source struct {
	files  []input // set-a.tar.gz, or the folders' .txt files as one unit each set
	sets   []p12Set
	splits map[int64]string
	labels []meds.Label
}

// A p12Set is an archive, or the files of a folder.
type p12Set struct {
	name    string
	archive *input
	records []input
}

func openP12(src string) (source, error) {
	files, err := inputs(src)
	if err != nil {
		return nil, err
	}
	s := &p12Source{splits: map[int64]string{}}
	folders := map[string]*p12Set{}
	for _, f := range files {
		base := path.Base(f.name)
		lower := strings.ToLower(base)
		switch {
		case strings.HasSuffix(lower, ".tar.gz") || strings.HasSuffix(lower, ".tgz") || strings.HasSuffix(lower, ".tar"):
			s.sets = append(s.sets, p12Set{name: f.name, archive: &f})
		case strings.HasPrefix(lower, "outcomes") && strings.HasSuffix(lower, ".txt"):
			if err := s.outcomes(f); err != nil {
				return nil, err
			}
		case strings.HasPrefix(lower, "seft_") && strings.HasSuffix(lower, "_listfile.csv"):
			if err := s.listFile(f, lower); err != nil {
				return nil, err
			}
		case isRecordName(base):
			dir := path.Dir(f.name)
			if folders[dir] == nil {
				folders[dir] = &p12Set{name: dir}
			}
			folders[dir].records = append(folders[dir].records, f)
		}
	}
	for _, set := range folders {
		s.sets = append(s.sets, *set)
	}
	slices.SortFunc(s.sets, func(a, b p12Set) int { return strings.Compare(a.name, b.name) })
	if len(s.sets) == 0 {
		return nil, format.InvalidAt(src, 0, "no records: want set-a, set-b or set-c, as folders of .txt files or as .tar.gz")
	}
	slices.SortFunc(s.labels, func(a, b meds.Label) int {
		if a.Subject < b.Subject {
			return -1
		}
		return 1
	})
	return s, nil
}

func isRecordName(base string) bool {
	stem, ok := strings.CutSuffix(base, ".txt")
	_, err := strconv.ParseInt(stem, 10, 64)
	return ok && err == nil
}

// outcomes reads labels. The scores SAPS-I and SOFA and the length of the stay beside
// them are outcomes, or made by others: they are no events.
func (s *p12Source) outcomes(in input) error {
	line := 1
	var bad error
	err := eachOf(in, func(r *row) {
		line++
		id, ok := wholeNumber(r.get("recordid"))
		dead := r.get("in-hospital_death")
		if bad == nil && (!ok || dead != "0" && dead != "1") {
			bad = format.Invalidf(in.name, line, "want RecordID and In-hospital_death, 0 or 1")
		}
		s.labels = append(s.labels, meds.Label{Subject: id, Time: 2 * meds.Day, Value: dead == "1"})
	})
	return errors.Join(err, bad)
}

// listFile reads one of the lists of the split of Horn et al. (SeFT, ICML 2020).
func (s *p12Source) listFile(in input, base string) error {
	split, ok := map[string]string{"seft_train_listfile.csv": meds.Train, "seft_val_listfile.csv": meds.Tuning, "seft_test_listfile.csv": meds.HeldOut}[base]
	if !ok {
		return nil
	}
	r, err := in.open()
	if err != nil {
		return err
	}
	defer r.Close()
	for line, err := range format.Lines(in.name, r) {
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(line.Text, ",")
		stem := strings.TrimSuffix(path.Base(strings.TrimSpace(first)), ".txt")
		stem, _, _ = strings.Cut(stem, "_")
		id, ok := wholeNumber(stem)
		if !ok {
			continue // the header
		}
		if old, twice := s.splits[id]; twice && old != split {
			return format.Invalidf(in.name, line.Number, "the subject is in the splits %s and %s", old, split)
		}
		s.splits[id] = split
	}
	return nil
}

func (s *p12Source) units() []unit {
	var out []unit
	for _, set := range s.sets {
		if set.archive != nil {
			out = append(out, unit{set.name, set.archive.path})
		} else {
			out = append(out, unit{set.name, path.Dir(set.records[0].path)})
		}
	}
	return out
}

func (s *p12Source) passOver(int) error { return nil }

func (s *p12Source) split(subject int64) (string, bool) {
	split, ok := s.splits[subject]
	return split, ok
}

func (s *p12Source) events(u int, e *emitter) iter.Seq2[*meds.Columns, error] {
	return func(yield func(*meds.Columns, error) bool) {
		e.cols.Reset()
		more := true
		one := func(name string, r io.Reader) error {
			if err := readP12(name, r, e); err != nil {
				return err
			}
			if e.cols.Len() >= emitEvents {
				more = yield(&e.cols, nil)
				e.cols.Reset()
			}
			return nil
		}
		if err := s.sets[u].each(func(name string, r io.Reader) error {
			if !more {
				return io.EOF
			}
			return one(name, r)
		}); err != nil && err != io.EOF {
			yield(nil, err)
			return
		}
		if more && e.cols.Len() > 0 {
			yield(&e.cols, nil)
		}
	}
}

// each calls see for every record, by name in a folder, in the order of an archive.
// The names of the files are those of patients; messages get their numbers.
func (s *p12Set) each(see func(name string, r io.Reader) error) error {
	for i, in := range s.records {
		r, err := in.open()
		if err != nil {
			return err
		}
		err = see(fmt.Sprintf("%s record %d", s.name, i+1), r)
		if err := errors.Join(err, r.Close()); err != nil {
			return err
		}
	}
	if s.archive == nil {
		return nil
	}
	r, err := s.archive.open()
	if err != nil {
		return err
	}
	defer r.Close()
	t := tar.NewReader(r)
	for n := 0; ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return format.InvalidAt(s.archive.name, 0, "archive is damaged or cut off: %w", err)
		}
		if h.Typeflag == tar.TypeReg && isRecordName(path.Base(h.Name)) {
			n++
			if err := see(fmt.Sprintf("%s record %d", s.archive.name, n), t); err != nil {
				return err
			}
		}
	}
}

var p12Statics = map[string]bool{"Age": true, "Gender": true, "Height": true, "ICUType": true}

// readP12 reads one record: Time,Parameter,Value with the time as hours and minutes
// since admission.
func readP12(name string, r io.Reader, e *emitter) error {
	id, known := int64(0), false
	var events []meds.Event
	for line, err := range format.Lines(name, r) {
		if err != nil {
			return err
		}
		clock, rest, ok := strings.Cut(line.Text, ",")
		parameter, value, ok2 := strings.Cut(rest, ",")
		drop := func(reason string) error { return e.tally.drop("records", reason, name, line.Number) }
		if line.Number == 1 {
			if clock != "Time" {
				return format.Invalidf(name, 1, "want the header Time,Parameter,Value")
			}
			continue
		}
		hours, minutes, ok3 := strings.Cut(clock, ":")
		h, err1 := strconv.Atoi(hours)
		m, err2 := strconv.Atoi(minutes)
		var bad error
		switch {
		case !ok || !ok2:
			bad = drop(badFields)
		case !ok3 || err1 != nil || err2 != nil || h < 0 || h > 1<<16 || m < 0 || m > 59:
			bad = drop(badTime)
		case parameter == "":
			bad = drop("no parameter")
		case parameter == "RecordID":
			if id, known = wholeNumber(value); !known {
				bad = drop(noSubject)
			} else {
				e.tally.keep("records", 0)
			}
		default:
			bad = p12Event(&events, parameter, value, int64(h)*meds.Hour+int64(m)*meds.Minute, e, drop)
		}
		if bad != nil {
			return bad
		}
	}
	if !known {
		return format.Invalidf(name, 0, "no RecordID")
	}
	e.add(&meds.Event{Subject: id, Time: 0, Code: "ICU_ADMISSION", Value: float32(math.NaN()), Available: meds.Static})
	for i := range events {
		events[i].Subject = id
		e.add(&events[i])
	}
	return nil
}

func p12Event(events *[]meds.Event, parameter, value string, time int64, e *emitter, drop func(string) error) error {
	v, ok := number(value)
	switch {
	case !ok:
		return drop("value is not a number")
	case v == -1 && (p12Statics[parameter] || parameter == "Weight"):
		return drop("value missing (-1)")
	}
	ev := meds.Event{Time: time, Code: parameter, Value: v, Available: meds.Static}
	if p12Statics[parameter] {
		ev.Time = meds.Static
		if parameter == "Gender" || parameter == "ICUType" { // classes, not quantities
			ev.Code = fmt.Sprintf("%s//%d", parameter, int(v))
			ev.Value = float32(math.NaN())
		}
	}
	*events = append(*events, ev)
	e.tally.keep("records", 1)
	return nil
}

// taskLabels returns the labels that came with the data.
func (s *p12Source) taskLabels() map[string][]meds.Label {
	if len(s.labels) == 0 {
		return nil
	}
	return map[string][]meds.Label{p12Labels: s.labels}
}
