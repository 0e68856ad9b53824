package ct

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"heed/format"
)

// openManifest reads the table of a dataset. Paths in it are relative to its
// folder. Of classes that are not known, positive may name the one that is 1.
func (d *Dataset) openManifest(path, positive string, classes [2]string) error {
	f, err := format.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := csv.NewReader(bufio.NewReader(f))
	if strings.HasSuffix(strings.TrimSuffix(path, ".gz"), ".tsv") {
		r.Comma = '\t'
	}
	r.TrimLeadingSpace = true
	head, err := r.Read()
	if err != nil {
		return manifestError(path, 1, err)
	}
	column := map[string]int{"path": -1, "label": -1, "patient": -1, "split": -1}
	for i, name := range head {
		name = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
		if at, known := column[name]; known && at < 0 {
			column[name] = i
		}
	}
	if column["path"] < 0 {
		return format.Invalidf(path, 1, "no column path: a manifest has path, label, and perhaps patient and split")
	}
	s := &files{manifest: path}
	var labels []string
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := r.FieldPos(0)
		if err != nil {
			return manifestError(path, line, err)
		}
		value := func(name string) string {
			if column[name] < 0 {
				return ""
			}
			return strings.TrimSpace(row[column[name]])
		}
		if value("path") == "" {
			return format.Invalidf(path, line, "no path")
		}
		split := strings.ToLower(value("split"))
		if split == "val" || split == "validation" {
			split = "valid"
		}
		if !slices.Contains([]string{"", "train", "valid", "test"}, split) {
			return format.Invalidf(path, line, "split: want train, valid or test")
		}
		file := value("path")
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(path), file)
		}
		s.paths, s.lines = append(s.paths, file), append(s.lines, line)
		labels = append(labels, value("label"))
		d.Cases = append(d.Cases, Case{Name: strconv.Itoa(len(d.Cases) + 1), Label: -1, Patient: value("patient"), Split: split})
		if len(d.Cases) > 1 && (split == "") != (d.Cases[0].Split == "") {
			return format.Invalidf(path, line, "some rows have a split and some have none")
		}
	}
	if len(d.Cases) == 0 {
		return format.Invalidf(path, 1, "no rows")
	}
	d.store = s
	if classes == [2]string{} {
		return d.nameClasses(labels, positive)
	}
	d.Classes = classes
	for i, l := range labels {
		if d.Cases[i].Label = slices.Index(classes[:], l); l != "" && d.Cases[i].Label < 0 {
			return format.Unsupportedf(path, s.lines[i], "the label is neither %q nor %q, the classes of the model", classes[0], classes[1])
		}
	}
	return nil
}

// nameClasses takes the classes from the labels of all cases. No label is shown in
// errors: the column may be another than its head says.
func (d *Dataset) nameClasses(labels []string, positive string) error {
	names := slices.Compact(slices.Sorted(slices.Values(labels)))
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" })
	if len(names) > 2 {
		return format.Unsupportedf(d.Name, 0, "%d different labels: want two classes", len(names))
	}
	if positive != "" && !slices.Contains(names, positive) {
		return format.Unsupportedf(d.Name, 0, "no row has the label %q", positive)
	}
	if len(names) < 2 {
		return nil
	}
	d.Classes = [2]string(names)
	if positive == names[0] {
		d.Classes = [2]string{names[1], names[0]}
	}
	for i, l := range labels {
		d.Cases[i].Label = slices.Index(d.Classes[:], l)
	}
	return nil
}

func manifestError(path string, line int, err error) error {
	var p *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return format.Invalidf(path, 1, "empty file")
	case errors.As(err, &p):
		return format.Invalidf(path, line, "%v", p.Err)
	}
	return format.ReadError(path, line, err)
}
