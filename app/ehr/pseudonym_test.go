package ehr

import (
	"os"
	"path/filepath"
	"testing"
)

// Without a key each run has names of its own; with one they stay.
func TestSubjectNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	name := func(n subjectNames) string {
		t.Helper()
		if err := n.check(); err != nil {
			t.Fatal(err)
		}
		return n.column() + " " + n.of(17)
	}
	if a, b := name(subjectNames{safe: true}), name(subjectNames{safe: true}); a == b {
		t.Errorf("two runs without a key both say %s", a)
	}
	want := "subject " + (&Pseudonymizer{[]byte("0123456789abcdef")}).Name("17")
	if a := name(subjectNames{safe: true, path: path}); a != want {
		t.Errorf("got %s, want %s", a, want)
	}
	if a := name(subjectNames{}); a != "subject_id 17" {
		t.Errorf("got %s", a)
	}
}
