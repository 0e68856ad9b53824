package study

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"heed/format"
	"heed/internal/kernel"
	"heed/internal/par"
)

// markdownLead begins a Markdown file of findings.
const markdownLead = `# Claims about attention, tested

Written by ` + "`heed study run NAME... --markdown FILE`" + `; do not edit. Each section says what was claimed, what would refute it, and what was found. Numbers are means over the seeds, with the range of the seeds in brackets.
A check that is missed refutes that part of the claim. Bounds stand in the code; tasks, and some bounds, were changed while a study was built and after small runs had been seen (one after a full run: tissue), so a check that is met confirms less than one that was registered would. ` + "`heed study list`" + ` shows all studies.
Times by the clock depend on what else the machine did, processor time hardly does.
`

// readMarkdown returns the sections that the Markdown file has already.
func (r *runRequest) readMarkdown() (map[string]string, error) {
	old, err := os.ReadFile(r.markdown)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	sections, err := markdownSections(string(old))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.markdown, err)
	}
	return sections, nil
}

// writeMarkdown writes findings as sections of a Markdown file, in the order of
// [All]. Sections of other studies that the file has already stay.
func (r *runRequest) writeMarkdown(all []done) error {
	sections, err := r.readMarkdown()
	if err != nil {
		return err
	}
	if sections == nil {
		sections = map[string]string{}
	}
	folder := strings.TrimSuffix(r.markdown, filepath.Ext(r.markdown))
	for _, d := range all {
		for _, f := range d.Finding.Figures {
			if err := os.MkdirAll(folder, 0o777); err != nil {
				return err
			}
			err := format.WriteFile(filepath.Join(folder, d.Study+"-"+f.Name+".svg"), func(w io.Writer) error {
				_, err := w.Write(f.SVG)
				return err
			})
			if err != nil {
				return err
			}
		}
		sections[d.Study] = r.markdownSection(&d, filepath.Base(folder))
	}
	return format.WriteFile(r.markdown, func(w io.Writer) error {
		if _, err := io.WriteString(w, markdownLead); err != nil {
			return err
		}
		for _, s := range All() {
			if text := sections[s.Name]; text != "" {
				if _, err := io.WriteString(w, "\n"+text); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// markdownSections returns the sections of a file that writeMarkdown wrote, by the
// name of the study. A file that somebody else wrote is an error, lest it be lost.
func markdownSections(text string) (map[string]string, error) {
	if first, _, _ := strings.Cut(markdownLead, "\n"); !strings.HasPrefix(text, first) {
		return nil, errors.New("it is there and no file of findings; it was left alone")
	}
	sections := map[string]string{}
	for i, part := range strings.Split("\n"+text, "\n## ") {
		name, _, ok := strings.Cut(part, ":")
		if i == 0 || !ok {
			continue
		}
		sections[name] = "## " + strings.TrimRight(part, "\n") + "\n"
	}
	return sections, nil
}

func (r *runRequest) markdownSection(d *done, folder string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "## %s: %s\n\n", d.Study, d.study.Title)
	fmt.Fprintf(&b, "**Claim.** %s\n\n**Refuted by.** %s\n\n**Found.** %s\n\n", d.study.Claim, d.study.Refuted, d.Finding.Words)
	if len(d.Finding.Checks) > 0 {
		fmt.Fprint(&b, "| check | measured | wanted | verdict |\n|---|---|---|---|\n")
		for _, c := range d.Finding.Checks {
			sign, verdict := "≥", "met"
			if c.Upper {
				sign = "≤"
			}
			if !c.Met() {
				verdict = "**missed**"
			}
			fmt.Fprintf(&b, "| %s | %s | %s %g | %s |\n", cell(c.Name), interval(c.Value), sign, c.Bound, verdict)
		}
		fmt.Fprintln(&b)
	}
	for _, t := range d.Finding.Tables {
		fmt.Fprintf(&b, "%s:\n\n|", t.Title)
		for _, c := range t.Columns {
			fmt.Fprintf(&b, " %s |", cell(c))
		}
		fmt.Fprintf(&b, "\n|%s\n", strings.Repeat("---|", len(t.Columns)))
		for _, row := range t.Rows {
			fmt.Fprint(&b, "|")
			for _, v := range row {
				fmt.Fprintf(&b, " %s |", cell(v))
			}
			fmt.Fprintln(&b)
		}
		fmt.Fprintln(&b)
		for _, n := range t.Notes {
			fmt.Fprintf(&b, "%s\n", n)
		}
		if len(t.Notes) > 0 {
			fmt.Fprintln(&b)
		}
	}
	for _, f := range d.Finding.Figures {
		fmt.Fprintf(&b, "![%s](%s/%s-%s.svg)\n\n%s\n\n", f.Alt, folder, d.Study, f.Name, f.Caption)
	}
	took := fmt.Sprintf("%.0f s by the clock", d.Seconds)
	if d.Processor > 0 {
		took = fmt.Sprintf("%.0f s of processor time, %s", d.Processor, took)
	}
	size := ""
	if r.lab.Tiny {
		size = " at a tiny size, whose numbers mean little"
	}
	run := d.Study // with what the study was given
	for _, x := range []struct{ study, flag, value string }{
		{"lenses", "digits", r.lab.Digits}, {"tissue", "volumes", r.lab.Volumes}, {"lobes", "lungs", r.lab.Lungs}, {"separation", "family", r.lab.Family},
	} {
		if x.study == d.Study && x.value != "" {
			run += " --" + x.flag + " " + filepath.Base(x.value)
		}
	}
	fmt.Fprintf(&b, "`heed study run %s`, seeds %d to %d%s: %s, %d cores, kernel %s.\n", run, r.lab.Seed, r.lab.Seed+uint64(r.lab.Seeds)-1, size, took, cmp.Or(r.lab.Cores, par.Cores()), kernel.Active())
	return b.String()
}

// cell keeps a text from ending a cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
