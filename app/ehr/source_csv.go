package ehr

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"heed/format"
	"heed/internal/cli"
)

// A csvMapping is the file that --map names:
//
//	subject: patient
//	events:
//	  - code: "LAB//{test}"
//	    time: drawn_at
//	    value: result
//	    unit: units
//	    available: reported_at
//	  - code: "SEX//{sex}"
type csvMapping struct {
	Subject string     `yaml:"subject"`
	Events  []csvEvent `yaml:"events"`
}

type csvEvent struct {
	Code      string `yaml:"code"`
	Time      string `yaml:"time"`
	Value     string `yaml:"value"`
	Unit      string `yaml:"unit"`
	Text      string `yaml:"text"`
	Available string `yaml:"available"`
}

var placeholder = regexp.MustCompile(`\{([^{}]*)\}`)

// maxYAML is the size of a file that says what to do: a mapping or a task.
const maxYAML = 1 << 20

// readYAML reads a file into v, in which it must know every key.
func readYAML(path string, v any) error {
	f, err := format.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxYAML+1))
	if err != nil {
		return format.ReadError(path, 0, err)
	}
	return decodeYAML(path, text, v)
}

func decodeYAML(path string, text []byte, v any) (err error) {
	if len(text) > maxYAML {
		return format.TooLargef(path, 0, "more than %d bytes", maxYAML)
	}
	defer func() {
		if r := recover(); r != nil { // the library panics on some aliases
			err = format.Invalidf(path, 0, "YAML: %v", r)
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return format.Invalidf(path, 0, "the file is empty")
		}
		return yamlError(path, err)
	}
	return nil
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?(?:line (\d+): )?(.*)`)

// yamlError puts the line of the first error in its place. Go's names of types are
// nothing to a user.
func yamlError(path string, err error) error {
	m := yamlLine.FindStringSubmatch(err.Error())
	line, _ := strconv.Atoi(m[1])
	text := m[2]
	if i := strings.Index(text, " not found in type "); i >= 0 {
		text = "no such key: " + strings.TrimPrefix(text[:i], "field ")
	}
	return format.Invalidf(path, line, "%s", text)
}

func openCSV(src, mappingFile string) (source, error) {
	if mappingFile == "" {
		return nil, cli.Hint(cli.Usagef("heed ehr import csv needs --map FILE"), "heed ehr import --help shows what it holds")
	}
	var m csvMapping
	if err := readYAML(mappingFile, &m); err != nil {
		return nil, err
	}
	mapped, err := m.compile(mappingFile)
	if err != nil {
		return nil, err
	}
	files, err := inputs(src)
	if err != nil {
		return nil, err
	}
	s := &tableSource{}
	for _, f := range files {
		if _, kind := tableName(f.name); len(files) > 1 && kind != "csv" && kind != "tsv" && kind != "parquet" {
			continue
		}
		s.files, s.mappings = append(s.files, f), append(s.mappings, mapped)
	}
	if len(s.files) == 0 {
		return nil, format.InvalidAt(src, 0, "no files that end in .csv, .tsv or .parquet")
	}
	return s, nil
}

func (m *csvMapping) compile(name string) (*mapping, error) {
	if m.Subject == "" {
		return nil, format.Invalidf(name, 0, "no subject: want the name of a column")
	}
	if len(m.Events) == 0 {
		return nil, format.Invalidf(name, 0, "no events")
	}
	out := &mapping{subject: strings.ToLower(m.Subject)}
	needed := map[string]bool{}
	need := func(column string) []string {
		if column == "" {
			return nil
		}
		column = strings.ToLower(column)
		if !needed[column] {
			needed[column] = true
			out.need = append(out.need, column)
		}
		return []string{column}
	}
	for i, ev := range m.Events {
		if ev.Code == "" {
			return nil, format.Invalidf(name, 0, "event %d has no code", i+1)
		}
		if strings.ContainsAny(placeholder.ReplaceAllString(ev.Code, ""), "{}") {
			return nil, format.Invalidf(name, 0, "event %d: a brace of the code is not closed", i+1)
		}
		for _, p := range placeholder.FindAllStringSubmatch(ev.Code, -1) {
			if p[1] == "" {
				return nil, format.Invalidf(name, 0, "event %d: {} without the name of a column", i+1)
			}
			need(p[1])
		}
		template := ev.Code
		out.events = append(out.events, eventMapping{
			code: func(r *row, _ *emitter) string { return fillTemplate(template, r) },
			time: need(ev.Time), value: need(ev.Value), unit: need(ev.Unit), text: need(ev.Text), available: need(ev.Available),
		})
	}
	return out, nil
}

// fillTemplate puts fields in the place of {column}; one that is empty makes the code
// missing.
func fillTemplate(template string, r *row) string {
	empty := false
	code := placeholder.ReplaceAllStringFunc(template, func(p string) string {
		v := r.get(strings.ToLower(p[1 : len(p)-1]))
		empty = empty || blank(v)
		return v
	})
	if empty || code == "" {
		return missing
	}
	return code
}
