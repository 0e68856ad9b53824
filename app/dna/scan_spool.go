package dna

import (
	"bufio"
	bin "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"time"

	"heed/format"
	"heed/internal/cli"
)

// A spool is the file in which a scan keeps its scores until all are there:
// little-endian float32, one for each column of each window in order. So a
// window's number is all that must be known to resume.
type spool struct {
	path  string
	id    scanID
	tiles *tiling
	file  *os.File
	done  int // windows in the file
	saved time.Time
}

// A scanID is what the scores depend on.
type scanID struct {
	Version int    `json:"version"`
	Model   string `json:"model_sha256"`
	Genome  string `json:"genome_sha256"` // of the text, decompressed
	Window  int    `json:"window"`
	Step    int    `json:"step"`
	Class   string `json:"class"`
	Columns int    `json:"columns"` // scores of a window
	Minus   bool   `json:"minus"`   // the first column is the other strand
	Control bool   `json:"control"`
	Seed    uint64 `json:"seed"` // of the control
}

// differs names the first field in which two scans differ, or is empty.
func (id *scanID) differs(other *scanID) string {
	switch {
	case id.Version != other.Version:
		return "version of the program"
	case id.Model != other.Model:
		return "model"
	case id.Genome != other.Genome:
		return "genome"
	case id.Window != other.Window:
		return "--window"
	case id.Step != other.Step:
		return "--step"
	case id.Class != other.Class:
		return "--class"
	case id.Control != other.Control:
		return "--control"
	case id.Columns != other.Columns || id.Minus != other.Minus:
		return "--strand"
	case id.Seed != other.Seed:
		return "--seed"
	}
	return ""
}

// A scanState is what stands in the JSON beside a spool. Next and Start are for
// whoever reads it.
type scanState struct {
	scanID
	Done  int    `json:"windows_done"`
	Total int    `json:"windows"`
	Next  string `json:"next_sequence,omitempty"`
	Start int    `json:"next_start"` // 0-based
}

func statePath(partial string) string { return partial + ".json" }

// noPartial returns an error if there is an unfinished scan.
func noPartial(partial string) error {
	for _, path := range []string{partial, statePath(partial)} {
		if cli.Exists(path) {
			return cli.Hint(cli.Usagef("%s: left by a scan that was interrupted", path),
				fmt.Sprintf("--resume continues it; to begin anew, remove %s and %s", partial, statePath(partial)))
		}
	}
	return nil
}

// saveEvery is the time between two saved states: as much is lost at worst.
const saveEvery = 10 * time.Second

// openSpool creates a spool, or opens the one of an interrupted scan if there is
// one and resume is set.
func openSpool(path string, id scanID, t *tiling, resume bool) (*spool, error) {
	s := &spool{path: path, id: id, tiles: t, saved: time.Now()}
	flags := os.O_RDWR | os.O_CREATE
	if resume {
		if err := s.load(); err != nil {
			return nil, err
		}
	} else {
		flags |= os.O_EXCL
	}
	var err error
	if s.file, err = os.OpenFile(path, flags, 0o666); err != nil {
		return nil, cli.SystemError(path, err)
	}
	if info, err := s.file.Stat(); err == nil && info.Size() < s.offset(s.done) {
		s.file.Close()
		return nil, format.Invalidf(path, 0, "%d bytes, the state says %d", info.Size(), s.offset(s.done))
	}
	// What was written after the state was saved is written again.
	if err := s.file.Truncate(s.offset(s.done)); err != nil {
		s.file.Close()
		return nil, cli.SystemError(path, err)
	}
	return s, s.save()
}

// load reads the state, if there is one.
func (s *spool) load() error {
	path := statePath(s.path)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return cli.SystemError(path, err)
	}
	var state scanState
	if err := json.Unmarshal(text, &state); err != nil {
		return format.Invalidf(path, 0, "%w", err)
	}
	if what := s.id.differs(&state.scanID); what != "" {
		return cli.Hint(cli.Usagef("%s: the interrupted scan had another %s", path, what),
			"resume with what it had, or remove "+s.path+" and "+path)
	}
	if state.Done < 0 || state.Done > s.tiles.total() {
		return format.Invalidf(path, 0, "%d of %d windows are done", state.Done, s.tiles.total())
	}
	s.done = state.Done
	return nil
}

func (s *spool) offset(window int) int64 { return int64(window) * int64(s.id.Columns) * 4 }

// append adds the scores of some windows.
func (s *spool) append(scores []float32) error {
	b := make([]byte, 0, 4*len(scores))
	for _, v := range scores {
		b = bin.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	if _, err := s.file.WriteAt(b, s.offset(s.done)); err != nil {
		return cli.SystemError(s.path, err)
	}
	s.done += len(scores) / s.id.Columns
	if time.Since(s.saved) < saveEvery {
		return nil
	}
	return s.save()
}

// save makes sure that what was scored will be found.
func (s *spool) save() error {
	s.saved = time.Now()
	if err := s.file.Sync(); err != nil {
		return cli.SystemError(s.path, err)
	}
	state := scanState{scanID: s.id, Done: s.done, Total: s.tiles.total()}
	if i, start := s.tiles.at(s.done); i < len(s.tiles.names) {
		state.Next, state.Start = s.tiles.names[i], start
	}
	return writeJSON(statePath(s.path), state)
}

// read returns the scores of the windows of one sequence, in order.
func (s *spool) read(sequence int) *bufio.Reader {
	lo, hi := s.offset(s.tiles.first[sequence]), s.offset(s.tiles.first[sequence+1])
	return bufio.NewReaderSize(io.NewSectionReader(s.file, lo, hi-lo), int(min(hi-lo, 64<<10)))
}

// close ends the use of the file, which stays.
func (s *spool) close() { s.file.Close() }

// remove deletes the files.
func (s *spool) remove() error {
	s.file.Close()
	for _, path := range []string{s.path, statePath(s.path)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return cli.SystemError(path, err)
		}
	}
	return nil
}
