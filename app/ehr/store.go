package ehr

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"

	"heed/format/meds"
	"heed/internal/cli"
)

// Sizes of what a store is made of. They decide its bytes, so they are fixed.
const (
	groupEvents = 1 << 18 // of a row group
	fileEvents  = 8 << 20 // from which the next subject begins a new file
)

// A StoreFile is one file of a store as its summary lists it.
type StoreFile struct {
	Path     string `json:"path"` // below the store
	Subjects int64  `json:"subjects"`
	Events   int64  `json:"events"`
	SHA256   string `json:"sha256"`
}

// A storeWriter writes events that come by subject and time into the files of their
// splits.
type storeWriter struct {
	root      string
	vocab     *meds.Vocabulary
	available bool
	cores     int
	splitOf   func(subject int64) string
	splits    map[int64]string
	parts     map[string]*part
	files     []StoreFile
	counts    []int64 // events by code
	subject   int64
	part      *part // of that subject; nil at the start
}

// A part is the file of a split that is being written.
type part struct {
	split   string
	number  int
	pending meds.Columns
	f       *os.File
	buf     *bufio.Writer
	sum     hash.Hash
	w       *meds.Writer
	file    StoreFile
}

func newStoreWriter(root string, v *meds.Vocabulary, available bool, cores int, splitOf func(int64) string) *storeWriter {
	return &storeWriter{root: root, vocab: v, available: available, cores: cores, splitOf: splitOf,
		splits: map[int64]string{}, parts: map[string]*part{}, counts: make([]int64, v.Len())}
}

// write takes events that follow on those before.
func (s *storeWriter) write(c *meds.Columns) error {
	for _, code := range c.Code {
		s.counts[code]++
	}
	for lo := 0; lo < c.Len(); {
		id := c.Subject[lo]
		hi := lo + 1
		for hi < c.Len() && c.Subject[hi] == id {
			hi++
		}
		if s.part == nil || id != s.subject {
			if err := s.begin(id); err != nil {
				return err
			}
		}
		p := s.part
		p.pending.Append(c, lo, hi)
		if p.pending.Len() >= groupEvents {
			if err := s.flush(p, false); err != nil {
				return err
			}
		}
		lo = hi
	}
	return nil
}

// begin finds the file of a new subject.
func (s *storeWriter) begin(id int64) error {
	split := s.splitOf(id)
	s.splits[id], s.subject = split, id
	p := s.parts[split]
	if p == nil {
		p = &part{split: split}
		s.parts[split] = p
	}
	s.part = p
	if p.w != nil && p.file.Events+int64(p.pending.Len()) >= fileEvents {
		if err := s.finish(p); err != nil {
			return err
		}
	}
	if p.w == nil {
		if err := s.open(p); err != nil {
			return err
		}
	}
	p.file.Subjects++
	return nil
}

func (s *storeWriter) open(p *part) error {
	name := filepath.Join("data", p.split, fmt.Sprintf("%d.parquet", p.number))
	p.number++
	path := filepath.Join(s.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return cli.SystemError(path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return cli.SystemError(path, err)
	}
	p.f, p.sum = f, sha256.New()
	p.buf = bufio.NewWriterSize(io.MultiWriter(f, p.sum), 256<<10)
	p.w = meds.NewWriter(p.buf, s.vocab, s.available, s.cores)
	p.file = StoreFile{Path: filepath.ToSlash(name)}
	return nil
}

// flush writes full row groups, and with all the rest too.
func (s *storeWriter) flush(p *part, all bool) error {
	n := p.pending.Len()
	var group meds.Columns
	for lo := 0; lo < n; lo += groupEvents {
		hi := min(lo+groupEvents, n)
		if hi-lo < groupEvents && !all {
			rest := meds.Columns{}
			rest.Append(&p.pending, lo, hi)
			p.pending = rest
			return nil
		}
		group.Reset()
		group.Append(&p.pending, lo, hi)
		if err := p.w.Write(&group); err != nil {
			return cli.SystemError(s.root, err)
		}
		p.file.Events += int64(hi - lo)
	}
	p.pending.Reset()
	return nil
}

func (s *storeWriter) finish(p *part) error {
	if err := s.flush(p, true); err != nil {
		return err
	}
	for _, end := range []func() error{p.w.Close, p.buf.Flush, p.f.Sync, p.f.Close} {
		if err := end(); err != nil {
			return cli.SystemError(filepath.Join(s.root, p.file.Path), err)
		}
	}
	p.file.SHA256 = hex.EncodeToString(p.sum.Sum(nil))
	s.files = append(s.files, p.file)
	p.w, p.f = nil, nil
	return nil
}

// close writes what is left, and closes all files.
func (s *storeWriter) close() error {
	for _, split := range []string{meds.Train, meds.Tuning, meds.HeldOut} {
		if p := s.parts[split]; p != nil && p.w != nil {
			if err := s.finish(p); err != nil {
				return err
			}
		}
	}
	for split, p := range s.parts {
		if p.w != nil {
			return fmt.Errorf("ehr: no such split %q", split)
		}
	}
	slices.SortFunc(s.files, func(a, b StoreFile) int {
		if a.Path < b.Path {
			return -1
		}
		return 1
	})
	return nil
}

// abandon closes the files of a store that will not be.
func (s *storeWriter) abandon() {
	for _, p := range s.parts {
		if p.f != nil {
			p.f.Close()
		}
	}
}

// Shares is how a store is divided: the share of subjects for training and tuning.
// The rest is held out.
type Shares struct{ Train, Tuning float64 }

// splitByHash divides subjects by a hash of seed and id, so that a subject stays
// where it is when others join.
func splitByHash(seed uint64, s Shares) func(subject int64) string {
	return func(subject int64) string {
		var b [16]byte
		binary.LittleEndian.PutUint64(b[:], seed)
		binary.LittleEndian.PutUint64(b[8:], uint64(subject))
		h := sha256.Sum256(b[:])
		u := float64(binary.LittleEndian.Uint64(h[:])>>11) / (1 << 53)
		switch {
		case u < s.Train:
			return meds.Train
		case u < s.Train+s.Tuning:
			return meds.Tuning
		}
		return meds.HeldOut
	}
}
