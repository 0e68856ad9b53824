package ehr

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A log can be continued; a record that was changed, taken out, moved or cut off is
// found, and what was written anew is by the hash that somebody kept.
func TestAuditLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var heads []string
	for range 2 {
		l, err := OpenAuditLog(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := l.Append(LogRecord{Model: "m", Subject: "s", Events: 1, Probability: 0.25}); err != nil {
				t.Fatal(err)
			}
			_, head := l.Head()
			heads = append(heads, head)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n, last, err := VerifyAuditLog("log", bytes.NewReader(whole))
	if err != nil || n != 6 || last != heads[5] {
		t.Fatalf("%d records, %s, %v", n, last, err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(whole), "\n"), "\n")
	lines[5] += "\n"
	join := func(i ...int) string {
		var b strings.Builder
		for _, i := range i {
			b.WriteString(lines[i])
		}
		return b.String()
	}
	for text, want := range map[string]string{
		strings.Replace(string(whole), "0.25", "0.75", 1):                    "log:1: invalid: record 1 was changed: its hash is another",
		strings.Replace(string(whole), `"alert":false`, `"alert": false`, 1): "log:1: invalid: record 1 was changed: its hash is another",
		join(0, 1, 3, 4, 5):          "log:3: invalid: the chain is broken: record 4 does not follow record 2",
		join(0, 2, 1, 3, 4, 5):       "log:2: invalid: the chain is broken: record 3 does not follow record 1",
		join(1, 2):                   "log:1: invalid: the chain is broken: record 2 does not follow record 0",
		string(whole[:len(whole)-9]): "log:6: invalid: the last record is cut off",
		join(0) + "x\n":              "log:2: invalid: no record: invalid character 'x' looking for beginning of value",
		strings.Replace(string(whole), `{"n":1,`, `{"n":1,"name":"J. Doe",`, 1): `log:1: invalid: no record: json: unknown field "name"`,
	} {
		if _, _, err := VerifyAuditLog("log", strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	// Whole records cut off at the end: the chain holds, the kept hash is missing.
	w := &watcher{Reader: strings.NewReader(join(0, 1, 2)), want: heads[5]}
	if _, _, err := VerifyAuditLog("log", w); err != nil || w.seen {
		t.Errorf("a hash that was cut off is seen: %v %v", w.seen, err)
	}
	w = &watcher{Reader: bytes.NewReader(whole), want: heads[2]}
	if _, _, err := VerifyAuditLog("log", w); err != nil || !w.seen {
		t.Errorf("a hash in the middle is not seen: %v", err)
	}
	// A broken log is not continued.
	if err := os.WriteFile(path, []byte(join(1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuditLog(path); err == nil {
		t.Error("a broken log was continued")
	}
}

func TestPseudonymizer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := NewPseudonymizer(path)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := NewPseudonymizer(path)
	drawn, _ := NewPseudonymizer("")
	if a.Name("7") != b.Name("7") || a.Name("7") == a.Name("8") || a.Name("7") == drawn.Name("7") || len(a.Name("7")) != 16 {
		t.Errorf("names %s %s %s", a.Name("7"), b.Name("7"), a.Name("8"))
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewPseudonymizer(path); err == nil || err.Error() != path+": invalid: a key of 5 bytes, want 16 or more" {
		t.Errorf("error %v", err)
	}
}
