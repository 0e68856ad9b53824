package ct

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"heed/format"
	"heed/format/dicom"
	"heed/internal/cli"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// A TagReport says of one attribute what became of it, and in how many files. It
// holds no value.
type TagReport struct {
	Tag     string `json:"tag"`
	Keyword string `json:"keyword"`
	Action  string `json:"action"`
	Reason  string `json:"reason"`
	Files   int    `json:"files"`
}

// A Deidentification is the report of heed ct deidentify.
type Deidentification struct {
	Notice   string         `json:"notice"`
	Version  string         `json:"heed"`
	Profile  string         `json:"profile"`
	Dates    string         `json:"dates"` // "removed" or "shifted"
	Written  int            `json:"files_written"`
	Refused  map[string]int `json:"files_refused"` // by reason
	Other    int            `json:"files_not_dicom"`
	Warnings map[string]int `json:"warnings"` // by text
	Tags     []TagReport    `json:"tags"`
}

// actions says what the letters of PS3.15 mean.
var actions = map[dicom.Action]string{dicom.Remove: "removed", dicom.Empty: "emptied", dicom.Dummy: "replaced by a dummy",
	dicom.Replace: "replaced by another UID", dicom.Shift: "shifted", dicom.Keep: "kept"}

// Deidentify reads all DICOM files of a folder, or one file, and writes those that can
// be made safe to out, as 000001.dcm and on in the order of their names, which are not
// kept. The report is returned; a file that cannot be read ends the work.
func Deidentify(in, out string, p dicom.Profile, version string) (*Deidentification, error) {
	r := &Deidentification{Notice: Disclaimer, Version: version, Profile: "DICOM PS3.15 annex E, basic profile, stricter", Dates: "removed",
		Refused: map[string]int{}, Warnings: map[string]int{}}
	if p.ShiftDates {
		r.Dates = "shifted"
	}
	paths, err := filesBelow(in)
	if err != nil {
		return nil, err
	}
	counts := make(map[dicom.Change]int)
	for i, path := range paths {
		name := in
		if path != in {
			name = fmt.Sprintf("%s (file %d of %d)", in, i+1, len(paths))
		}
		f, err := openDICOM(path, name)
		if err != nil {
			return nil, err
		}
		if f == nil {
			r.Other++
			continue
		}
		for _, w := range f.Warnings() {
			r.Warnings[w]++
		}
		changes, err := dicom.Deidentify(f, p)
		var refused *dicom.Identified
		if errors.As(err, &refused) {
			r.Refused[refused.Reason]++
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, c := range changes {
			counts[c]++
		}
		r.Written++
		if err := cli.WriteFile(filepath.Join(out, fmt.Sprintf("%06d.dcm", r.Written)), func(w io.Writer) error { return dicom.Write(w, f) }); err != nil {
			return nil, err
		}
	}
	for c, n := range counts {
		r.Tags = append(r.Tags, TagReport{c.Tag.String(), c.Keyword, actions[c.Action], c.Reason, n})
	}
	slices.SortFunc(r.Tags, func(a, b TagReport) int {
		return cmp.Or(cmp.Compare(a.Tag, b.Tag), cmp.Compare(a.Action, b.Action), cmp.Compare(a.Reason, b.Reason))
	})
	return r, nil
}

// openDICOM reads a file under another name than its own; nil if it is not DICOM.
func openDICOM(path, name string) (*dicom.File, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, format.PathError(name, err)
	}
	defer r.Close()
	plain, err := format.NewReader(name, r)
	if err != nil {
		if errors.Is(err, format.ErrUnsupported) && path != name { // an archive beside the images
			return nil, nil
		}
		return nil, err
	}
	in := bufio.NewReaderSize(plain, 64<<10)
	if head, _ := in.Peek(132); !dicom.Is(head) && path != name && !dicom.Bare(head) {
		return nil, nil
	}
	return dicom.Reader{}.Read(name, in)
}

// filesBelow lists the files of a folder and below it in the order of their names.
func filesBelow(root string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if path == root {
				return format.PathError(root, err)
			}
			return format.PathError(root+" (a folder below)", err)
		}
		if d.Type().IsRegular() || path == root && !d.IsDir() {
			out = append(out, path)
		}
		return nil
	})
	return out, err
}

// readKey reads the secret of pseudonyms, or makes one up.
func readKey(path string) ([]byte, error) {
	if path == "" {
		key := make([]byte, 32)
		rand.Read(key) // never fails
		return key, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, format.PathError(path, err)
	}
	b = []byte(strings.TrimSpace(string(b)))
	if len(b) < 16 {
		return nil, cli.Hint(format.InvalidAt(path, 0, "key of %d bytes, want 16 or more", len(b)), "heed ct deidentify --new-key FILE makes one")
	}
	return b, nil
}

// newKey writes a secret that only its owner may read.
func newKey(path string) error {
	key := make([]byte, 32)
	rand.Read(key)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	_, err = fmt.Fprintln(f, hex.EncodeToString(key))
	return errors.Join(err, f.Close())
}

func (r *Deidentification) write(w io.Writer) error {
	fmt.Fprintf(w, "%d files written, %d not DICOM; dates %s\n", r.Written, r.Other, r.Dates)
	for _, reason := range sortedKeys(r.Refused) {
		fmt.Fprintf(w, "refused: %d files: %s\n", r.Refused[reason], reason)
	}
	by := make(map[string]int)
	for _, t := range r.Tags {
		by[t.Action]++
	}
	for _, a := range sortedKeys(by) {
		fmt.Fprintf(w, "%d attributes %s\n", by[a], a)
	}
	_, err := fmt.Fprintln(w, Disclaimer)
	return err
}

func (r *Deidentification) writeTable(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "# %s, %s\ntag\tkeyword\taction\treason\tfiles\n", r.Profile, r.Notice)
	for _, t := range r.Tags {
		fmt.Fprintf(b, "%s\t%s\t%s\t%s\t%d\n", t.Tag, t.Keyword, t.Action, t.Reason, t.Files)
	}
	return b.Flush()
}

func deidentifyCommand(version string) *cobra.Command {
	var p dicom.Profile
	var out, keyFile, makeKey string
	var force, asJSON bool
	c := &cobra.Command{
		Use:   "deidentify PATH -o FOLDER",
		Short: "Remove from DICOM files what identifies the patient",
		Long: `Write DICOM files without what identifies the patient, after the basic profile of
DICOM PS3.15, annex E, and stricter: private attributes, overlays, people, orders and
visits go, text is kept only where a list says so, dates go or are shifted by one number
of days for each patient. Name and number become a pseudonym, UIDs become others, by a
keyed hash: with one key (--key) patients, studies and series stay together over any
number of runs.

The folder gets 000001.dcm and on (names of files are not kept), report.json and
report.tsv: what became of each attribute, never what it was.

Pixels are not changed. Files that say that text is burned into them, screen captures,
reports and documents are refused; where a file says nothing about burned-in text, you
are warned: look at the pixels. From a head, a face can be drawn.`,
		Example: `  heed ct deidentify --new-key site.key
  heed ct deidentify study/ -o clean --key site.key --shift-dates`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if makeKey != "" {
				if len(args) > 0 || out != "" {
					return cli.Usagef("--new-key: want nothing else")
				}
				return newKey(makeKey)
			}
			if len(args) != 1 || out == "" {
				return cli.Hint(cli.Usagef("%s needs a file or a folder, and an output", cmd.CommandPath()), "-o FOLDER")
			}
			key, err := readKey(keyFile)
			if err != nil {
				return err
			}
			p.Key = key
			if _, err := os.Stat(args[0]); err != nil {
				return format.PathError(args[0], err)
			}
			if err := cli.MakeFolder(out, force); err != nil {
				return err
			}
			if inside(args[0], out) {
				return cli.Usagef("the output folder lies within the input")
			}
			r, err := Deidentify(args[0], out, p, version)
			if err != nil {
				return err
			}
			if err := cli.WriteFile(filepath.Join(out, "report.json"), func(w io.Writer) error { return printJSON(w, r) }); err != nil {
				return err
			}
			if err := cli.WriteFile(filepath.Join(out, "report.tsv"), r.writeTable); err != nil {
				return err
			}
			for _, text := range sortedKeys(r.Warnings) {
				fmt.Fprintf(cmd.ErrOrStderr(), "heed: warning: %d files: %s\n", r.Warnings[text], text)
			}
			if keyFile == "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "heed: a key was made up and is forgotten: another run gives other pseudonyms (--key)")
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), r)
			} else {
				err = r.write(cmd.OutOrStdout())
			}
			if err == nil && r.Written == 0 {
				return format.InvalidAt(args[0], 0, "no file could be de-identified")
			}
			return err
		},
	}
	fs := c.Flags()
	fs.StringVarP(&out, "output", "o", "", "folder for files and reports")
	fs.BoolVar(&force, "force", false, "write into a folder that is not empty")
	fs.StringVar(&keyFile, "key", "", "file with the secret of pseudonyms, 16 letters or more (default made up for this run)")
	fs.StringVar(&makeKey, "new-key", "", "write a new secret to this file, and do nothing else")
	fs.BoolVar(&p.ShiftDates, "shift-dates", false, "shift dates by 1 to 3650 days, one number for each patient, and keep times")
	fs.BoolVar(&asJSON, "json", false, "print the report as JSON")
	return c
}

// inside says whether a folder lies in another one.
func inside(outer, inner string) bool {
	a, errA := filepath.Abs(outer)
	b, errB := filepath.Abs(inner)
	return errA == nil && errB == nil && (a == b || strings.HasPrefix(b, a+string(filepath.Separator)))
}
