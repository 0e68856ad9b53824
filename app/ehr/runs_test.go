package ehr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heed/format/meds"
)

// A fakeSource gives random events in units, and may stop.
type fakeSource struct {
	dir    string
	files  [][]meds.Event
	stopAt int // batches until the context is cancelled; 0 for never
	cancel context.CancelFunc
}

func newFake(t *testing.T, files, each int) *fakeSource {
	s := &fakeSource{dir: t.TempDir()}
	rng := rand.New(rand.NewPCG(3, 4))
	n := 0
	for range files {
		var ev []meds.Event
		for range each {
			n++
			e := meds.Event{Subject: int64(rng.IntN(40)) - 20, Time: int64(rng.IntN(50)) * meds.Hour, Code: fmt.Sprint("C", rng.IntN(30)), Value: float32(n), Available: meds.Static}
			switch rng.IntN(10) {
			case 0:
				e.Time = meds.Static
			case 1:
				e.Text, e.Value = fmt.Sprint("text ", n), float32(math.NaN())
			case 2:
				e.Available = e.Time + meds.Hour
			}
			ev = append(ev, e)
		}
		s.files = append(s.files, ev)
	}
	return s
}

func (s *fakeSource) units() []unit {
	var out []unit
	for i := range s.files {
		out = append(out, unit{fmt.Sprint(i), s.dir})
	}
	return out
}
func (s *fakeSource) passOver(int) error         { return nil }
func (s *fakeSource) split(int64) (string, bool) { return "", false }
func (s *fakeSource) events(u int, e *emitter) iter.Seq2[*meds.Columns, error] {
	return func(yield func(*meds.Columns, error) bool) {
		ev := s.files[u]
		for lo := 0; lo < len(ev); lo += 700 {
			e.cols.Reset()
			for i := lo; i < min(lo+700, len(ev)); i++ {
				e.add(&ev[i])
				e.tally.keep("t", 1)
			}
			if s.stopAt--; s.stopAt == 0 {
				s.cancel()
			}
			if !yield(&e.cols, nil) {
				return
			}
		}
	}
}

func storeBytes(t *testing.T, store string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(store, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(store, path)
		out[rel], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sameStores(t *testing.T, a, b map[string][]byte) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%d and %d files", len(a), len(b))
	}
	for name := range a {
		if !bytes.Equal(a[name], b[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

// Runs of a few thousand events merge to what a stable sort of all gives.
func TestExternalSort(t *testing.T) {
	s := newFake(t, 3, 20000)
	store := filepath.Join(t.TempDir(), "s")
	sum, err := importInto(t, s, store, 1) // the smallest runs
	if err != nil {
		t.Fatal(err)
	}
	var want []meds.Event
	for _, f := range s.files {
		want = append(want, f...)
	}
	slices.SortStableFunc(want, func(a, b meds.Event) int {
		if meds.Before(a.Subject, a.Time, b.Subject, b.Time) {
			return -1
		}
		if meds.Before(b.Subject, b.Time, a.Subject, a.Time) {
			return 1
		}
		return 0
	})
	d, err := meds.OpenDataset(store)
	if err != nil {
		t.Fatal(err)
	}
	var got []meds.Event
	v := meds.NewVocabulary()
	for c, err := range d.Subjects(v) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.Len() {
			got = append(got, c.Event(i, v))
		}
	}
	slices.SortStableFunc(got, func(a, b meds.Event) int { return int(a.Subject - b.Subject) })
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("%.2000s", diff)
	}
	if sum.Events != 60000 || sum.Rows != 60000 {
		t.Errorf("got %+v", sum)
	}
}

// The bytes depend on neither the memory nor the cores nor an interruption.
func TestSameBytes(t *testing.T) {
	s := newFake(t, 3, 20000)
	dir := t.TempDir()
	if _, err := importInto(t, s, filepath.Join(dir, "large"), 1<<30); err != nil {
		t.Fatal(err)
	}
	want := storeBytes(t, filepath.Join(dir, "large"))
	if _, err := importInto(t, s, filepath.Join(dir, "small"), 1); err != nil {
		t.Fatal(err)
	}
	sameStores(t, want, storeBytes(t, filepath.Join(dir, "small")))
	for _, stop := range []int{1, 31, 80} {
		store := filepath.Join(dir, fmt.Sprint("cut", stop))
		ctx, cancel := context.WithCancel(context.Background())
		s.stopAt, s.cancel = stop, cancel
		im := importer{Source: s, Kind: "test", Store: store, Memory: 1, Cores: 1, Seed: 1, Shares: Shares{0.6, 0.2}, Version: "v"}
		if _, err := im.run(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("stop %d: %v", stop, err)
		}
		if _, err := os.Stat(store); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a store is there before it is whole")
		}
		sum, err := im.run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if sum.Rows != 60000 {
			t.Errorf("%d rows are counted after an interruption, want 60000", sum.Rows)
		}
		sameStores(t, want, storeBytes(t, store))
		if _, err := os.Stat(store + ".partial"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s.partial is left", store)
		}
	}
}
