package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"heed/format"
)

func TestMakeFolder(t *testing.T) {
	dir := t.TempDir()
	full := filepath.Join(dir, "full")
	if err := MakeFolder(full, false); err != nil {
		t.Fatal(err)
	}
	if err := MakeFolder(full, false); err != nil {
		t.Errorf("an empty folder is refused: %v", err)
	}
	file := filepath.Join(full, "file")
	if err := WriteFile(file, func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }); err != nil {
		t.Fatal(err)
	}
	err := MakeFolder(full, false)
	var h *HintedError
	if !errors.As(err, &h) || h.Hint() != "--force writes into it" || err.Error() != full+": the folder exists" {
		t.Errorf("a full folder: %v", err)
	}
	if err := MakeFolder(full, true); err != nil {
		t.Errorf("by force: %v", err)
	}
	private := filepath.Join(dir, "private")
	if err := MakePrivateFolder(private, false); err != nil {
		t.Fatal(err)
	}
	if i, err := os.Stat(private); err != nil || i.Mode().Perm() != 0o700 {
		t.Errorf("a private folder has mode %v, %v", i.Mode().Perm(), err)
	}
	if !Exists(file) || RemoveFile(file) != nil || Exists(file) || RemoveFile(file) != nil {
		t.Error("a file is not removed, or missing it is an error")
	}
}

// TestWriteFileErrors: an error of the system is no bad input, and loses the name of
// the system call; an error of what is written keeps its mark.
func TestWriteFileErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "file")
	err := WriteFile(path, func(io.Writer) error { return nil })
	if err == nil || BadInput(err) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	path = filepath.Join(t.TempDir(), "file")
	bad := WriteFile(path, func(io.Writer) error { return format.ErrTooLarge })
	if !BadInput(bad) || Exists(path) {
		t.Errorf("too large: %v, file there: %t", bad, Exists(path))
	}
	if err := Usagef("--n %d", 3); err.Error() != "--n 3" {
		t.Errorf("usage: %v", err)
	}
}
