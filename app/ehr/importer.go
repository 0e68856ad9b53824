package ehr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"heed/format"
	"heed/format/meds"
	"heed/internal/cli"
	"heed/internal/par"
)

// A source gives the events of what is imported.
type source interface {
	// units are what the source consists of, in the order in which it is read: as a
	// rule files. An import that was cut goes on with the unit in which it stopped.
	units() []unit
	// events reads one unit. The columns are valid until the next ones.
	events(u int, e *emitter) iter.Seq2[*meds.Columns, error]
	// passOver is called for units before the one with which a cut import goes on.
	passOver(u int) error
	// split returns the split of a subject where the source has one.
	split(subject int64) (string, bool)
}

// A labelled source has labels of its own, which are kept below labels in the store.
type labelled interface {
	taskLabels() map[string][]meds.Label
}

// A unit is a file, or a folder, of a source.
type unit struct{ name, path string }

// An emitter collects events into columns on behalf of a source.
type emitter struct {
	vocab *meds.Vocabulary
	infos map[string]meds.CodeInfo
	tally *Tally
	cols  meds.Columns
}

// add takes one event. Text is cut to what a store keeps.
func (e *emitter) add(ev *meds.Event) {
	e.cols.Add(ev, e.vocab.ID(ev.Code))
}

// describe keeps what is known about a code; the first that is said of it holds.
func (e *emitter) describe(code, description string, parents ...string) {
	if _, ok := e.infos[code]; !ok {
		e.infos[code] = meds.CodeInfo{Code: code, Description: description, Parents: parents}
	}
}

// emitEvents is when a source that reads row by row passes its events on.
const emitEvents = 8192

// An importer brings a source into a store.
type importer struct {
	Source   source
	Kind     string
	Options  string // whatever else decides the bytes
	Store    string
	Force    bool
	Strict   bool
	Memory   int64 // bytes
	Cores    int
	Seed     uint64
	Shares   Shares
	Version  string
	Progress func(events int64)
}

// A Summary is what an import did: metadata/import.json.
type Summary struct {
	Source   string         `json:"source"`
	Version  string         `json:"heed_version"`
	Rows     int64          `json:"rows"`
	Kept     int64          `json:"rows_kept"`
	Dropped  int64          `json:"rows_dropped"`
	Events   int64          `json:"events"`
	Subjects int            `json:"subjects"`
	Codes    int            `json:"codes"`
	Splits   map[string]int `json:"subjects_by_split"`
	*Tally
	Files []StoreFile `json:"files"`
}

// A state is where an import stands: everything before is in runs.
type state struct {
	Job       string          `json:"job"`
	Unit      int             `json:"unit"`
	Skip      int64           `json:"skip"` // events of that unit that are in runs
	Runs      int             `json:"runs"`
	Done      bool            `json:"done"` // all is in runs
	Available bool            `json:"available"`
	Tally     *Tally          `json:"tally"` // before that unit
	Codes     []meds.CodeInfo `json:"codes"`
}

// job says what is imported, how: another job must not go on with the runs of this.
func (im *importer) job() (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, "1", im.Kind, im.Options, im.Strict)
	for _, u := range im.Source.units() {
		info, err := os.Stat(u.path)
		if err != nil {
			return "", format.PathError(u.path, err)
		}
		fmt.Fprintln(h, u.name, info.Size(), info.ModTime().UnixNano())
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// partial is the folder beside the store in which it is made.
func (im *importer) partial() string { return filepath.Clean(im.Store) + ".partial" }

// run imports. When it is cut, what is in runs stays, and the next run of the same
// job goes on from there.
func (im *importer) run(ctx context.Context) (*Summary, error) {
	if info, err := os.Stat(im.Store); err == nil {
		entries, _ := os.ReadDir(im.Store)
		if !info.IsDir() {
			return nil, fmt.Errorf("%s: is no folder", im.Store)
		}
		if len(entries) > 0 && !im.Force {
			return nil, cli.Hint(fmt.Errorf("%s: the folder exists", im.Store), "--force puts the new store in its place")
		}
	}
	job, err := im.job()
	if err != nil {
		return nil, err
	}
	dir := im.partial()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, cli.SystemError(dir, err)
	}
	st, err := im.resume(dir, job)
	if err != nil {
		return nil, err
	}
	e := &emitter{vocab: meds.NewVocabulary(), infos: map[string]meds.CodeInfo{}, tally: st.Tally.clone()}
	e.tally.strict = im.Strict
	for _, c := range st.Codes {
		e.vocab.ID(c.Code)
		e.infos[c.Code] = c
	}
	for u := range min(st.Unit, len(im.Source.units())) {
		if err := im.Source.passOver(u); err != nil {
			return nil, err
		}
	}
	if !st.Done {
		if err := im.readAll(ctx, dir, st, e); err != nil {
			return nil, err
		}
	}
	sum, err := im.merge(ctx, dir, st, e)
	if err != nil {
		return nil, err
	}
	if l, ok := im.Source.(labelled); ok {
		for name, labels := range l.taskLabels() {
			path := filepath.Join(dir, "store", "labels", name, "labels.parquet")
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return nil, cli.SystemError(path, err)
			}
			if err := cli.WriteFile(path, func(w io.Writer) error { return meds.WriteLabels(w, labels) }); err != nil {
				return nil, err
			}
		}
	}
	return sum, im.publish(dir)
}

// resume returns the state of an import of the same job that was cut, or a new one.
func (im *importer) resume(dir, job string) (*state, error) {
	text, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err == nil {
		st := &state{}
		if json.Unmarshal(text, st) == nil && st.Job == job && st.Tally != nil {
			return st, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, cli.SystemError(dir, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, cli.SystemError(dir, err)
	}
	for _, e := range entries { // what an import of something else left
		if strings.HasPrefix(e.Name(), "run-") {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return nil, cli.SystemError(dir, err)
			}
		}
	}
	return &state{Job: job, Tally: newTally(im.Strict)}, nil
}

func (st *state) save(dir string) error {
	return cli.WriteFile(filepath.Join(dir, "state.json"), func(w io.Writer) error { return json.NewEncoder(w).Encode(st) })
}

// readAll turns the source into runs. While one run is sorted and written, the next
// is read.
func (im *importer) readAll(ctx context.Context, dir string, st *state, e *emitter) error {
	f := &filler{ctx: ctx, im: im, e: e, at: *st}
	defer f.stop()
	full := max(int(im.Memory/perEvent/2), blockEvents)
	cur, next, sorter := &meds.Columns{}, &meds.Columns{}, &sorter{}
	at, err := f.fill(cur, full)
	if err != nil {
		return err
	}
	runs := st.Runs
	for cur.Len() > 0 || !at.Done {
		var readErr, writeErr error
		var nextAt state
		number := runs
		par.Do(2, 2, func(_, task int) {
			if task == 0 {
				nextAt, readErr = f.fill(next, full)
				return
			}
			if writeErr = writeRun(runFile(dir, number), sorter.sort(cur)); writeErr == nil {
				at.Runs = number + 1
				writeErr = at.save(dir)
			}
		})
		if writeErr != nil {
			return writeErr
		}
		if readErr != nil {
			return readErr
		}
		runs++
		cur, next, at = next, cur, nextAt
	}
	at.Runs = runs
	if err := at.save(dir); err != nil {
		return err
	}
	*st = at
	return nil
}

// A filler reads a source on request.
type filler struct {
	ctx    context.Context
	im     *importer
	e      *emitter
	at     state
	next   func() (*meds.Columns, error, bool)
	end    func()
	skip   int64 // events to pass over
	given  int64 // events of the unit that were passed on
	before *Tally
	left   meds.Columns // read, but more than the run could hold
	events int64
}

func (f *filler) stop() {
	if f.end != nil {
		f.end()
	}
	f.end, f.next = nil, nil
}

// fill puts up to most events into c and returns the state after them.
func (f *filler) fill(c *meds.Columns, most int) (state, error) {
	c.Reset()
	units := f.im.Source.units()
	for c.Len() < most {
		if f.left.Len() > 0 {
			k := min(most-c.Len(), f.left.Len())
			c.Append(&f.left, 0, k)
			var rest meds.Columns
			rest.Append(&f.left, k, f.left.Len())
			f.left = rest
			f.given += int64(k)
			continue
		}
		if f.next == nil {
			if f.at.Unit == len(units) {
				f.at.Done = true
				break
			}
			f.before = f.e.tally.clone()
			f.skip, f.given = f.at.Skip, f.at.Skip
			f.next, f.end = iter.Pull2(f.im.Source.events(f.at.Unit, f.e))
		}
		if err := f.ctx.Err(); err != nil {
			return state{}, err
		}
		d, err, ok := f.next()
		if err != nil {
			return state{}, err
		}
		if !ok {
			f.stop()
			f.at.Unit++
			f.at.Skip, f.given = 0, 0
			continue
		}
		lo := int(min(f.skip, int64(d.Len())))
		f.skip -= int64(lo)
		f.at.Available = f.at.Available || len(d.Available) > 0
		hi := min(d.Len(), lo+most-c.Len())
		c.Append(d, lo, hi)
		f.given += int64(hi - lo)
		f.left.Append(d, hi, d.Len())
		f.events += int64(d.Len())
		if f.im.Progress != nil {
			f.im.Progress(f.events)
		}
	}
	at := f.at
	at.Skip = f.given
	at.Tally = f.before.clone()
	if f.next == nil {
		at.Skip, at.Tally = 0, f.e.tally.clone()
	}
	at.Codes = make([]meds.CodeInfo, f.e.vocab.Len())
	for i, code := range f.e.vocab.Codes() {
		at.Codes[i] = f.e.infos[code]
		at.Codes[i].Code = code
	}
	return at, nil
}

// merge writes the store from the runs.
func (im *importer) merge(ctx context.Context, dir string, st *state, e *emitter) (*Summary, error) {
	root := filepath.Join(dir, "store")
	if err := os.RemoveAll(root); err != nil {
		return nil, cli.SystemError(root, err)
	}
	if err := os.MkdirAll(filepath.Join(root, "metadata"), 0o700); err != nil {
		return nil, cli.SystemError(root, err)
	}
	m, err := openMerger(dir, st.Runs)
	if err != nil {
		return nil, err
	}
	defer m.close()
	byHash := splitByHash(im.Seed, im.Shares)
	w := newStoreWriter(root, e.vocab, st.Available, im.Cores, func(id int64) string {
		if s, ok := im.Source.split(id); ok {
			return s
		}
		return byHash(id)
	})
	defer w.abandon()
	cur, next := &meds.Columns{}, &meds.Columns{}
	if err := m.next(cur, groupEvents); err != nil {
		return nil, err
	}
	for cur.Len() > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var mergeErr, writeErr error
		par.Do(2, 2, func(_, task int) {
			if task == 0 {
				mergeErr = m.next(next, groupEvents)
			} else {
				writeErr = w.write(cur)
			}
		})
		if err := errors.Join(mergeErr, writeErr); err != nil {
			return nil, err
		}
		cur, next = next, cur
	}
	if err := w.close(); err != nil {
		return nil, err
	}
	return im.writeMetadata(root, w, e)
}

func (im *importer) writeMetadata(root string, w *storeWriter, e *emitter) (*Summary, error) {
	var codes []meds.CodeInfo
	for id, n := range w.counts {
		if n > 0 {
			c := e.infos[e.vocab.Code(int32(id))]
			c.Code, c.Events = e.vocab.Code(int32(id)), n
			codes = append(codes, c)
		}
	}
	slices.SortFunc(codes, func(a, b meds.CodeInfo) int { return strings.Compare(a.Code, b.Code) })
	total := e.tally.total()
	sum := &Summary{Source: im.Kind, Version: im.Version, Rows: total.Rows, Kept: total.Kept, Dropped: total.Rows - total.Kept,
		Subjects: len(w.splits), Codes: len(codes), Splits: map[string]int{}, Tally: e.tally, Files: w.files}
	for _, s := range w.splits {
		sum.Splits[s]++
	}
	for _, f := range w.files {
		sum.Events += f.Events
	}
	meta := meds.Metadata{DatasetName: im.Kind, ETLName: "heed", ETLVersion: im.Version, MEDSVersion: "0.4.0"}
	if w.available {
		meta.Extensions = []string{"available_time"}
	}
	in := func(name string) string { return filepath.Join(root, "metadata", name) }
	if err := cli.WriteFile(in("codes.parquet"), func(o io.Writer) error { return meds.WriteCodes(o, codes) }); err != nil {
		return nil, err
	}
	if err := cli.WriteFile(in("subject_splits.parquet"), func(o io.Writer) error { return meds.WriteSplits(o, w.splits) }); err != nil {
		return nil, err
	}
	if err := writeJSON(in("dataset.json"), meta); err != nil {
		return nil, err
	}
	return sum, writeJSON(in("import.json"), sum)
}

func writeJSON(path string, v any) error {
	return cli.WriteFile(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	})
}

// publish puts the finished store in its place and removes the rest.
func (im *importer) publish(dir string) error {
	old := filepath.Join(dir, "old")
	if err := os.RemoveAll(old); err != nil {
		return cli.SystemError(old, err)
	}
	if _, err := os.Lstat(im.Store); err == nil {
		if err := os.Rename(im.Store, old); err != nil {
			return cli.SystemError(im.Store, err)
		}
	}
	if err := os.Rename(filepath.Join(dir, "store"), im.Store); err != nil {
		return cli.SystemError(im.Store, err)
	}
	return cli.SystemError(dir, os.RemoveAll(dir))
}
