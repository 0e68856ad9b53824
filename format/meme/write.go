package meme

import (
	"fmt"
	"io"
	"strconv"
)

// Write writes a file in the minimal format, probabilities with six decimals and
// the background with five, as MEME does. It calls w.Write once. What [Read] could
// not read back is refused.
func Write(w io.Writer, f *File) error {
	version, background := f.Version, f.Background
	if version == "" {
		version = "5"
	}
	if background == [4]float64{} {
		background = [4]float64{.25, .25, .25, .25}
	}
	if err := f.check(version, background); err != nil {
		return fmt.Errorf("meme: %w", err)
	}
	b := fmt.Appendf(nil, "MEME version %s\n\nALPHABET= %s\n\nstrands: +", version, alphabet)
	if !f.OneStrand {
		b = append(b, " -"...)
	}
	b = append(b, "\n\nBackground letter frequencies\n"...)
	for i, p := range background {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, alphabet[i], ' ')
		b = strconv.AppendFloat(b, p, 'f', 5, 64)
	}
	b = append(b, '\n')
	for _, m := range f.Motifs {
		b = fmt.Appendf(b, "\nMOTIF %s", m.ID)
		if m.Name != "" {
			b = fmt.Appendf(b, " %s", m.Name)
		}
		b = fmt.Appendf(b, "\nletter-probability matrix: alength= %d w= %d nsites= %v E= %v\n", len(alphabet), len(m.Probabilities), m.Sites, m.E)
		for _, row := range m.Probabilities {
			for _, p := range row {
				b = append(b, ' ')
				b = strconv.AppendFloat(b, p, 'f', 6, 64)
			}
			b = append(b, '\n')
		}
		if m.URL != "" {
			b = fmt.Appendf(b, "\nURL %s\n", m.URL)
		}
	}
	_, err := w.Write(b)
	return err
}

func (f *File) check(version string, background [4]float64) error {
	p := parser{}
	if p.version("", []string{"MEME", "version", version}) != nil {
		return fmt.Errorf("version %s is not 3 or later", show(version))
	}
	if err := checkRow("background", background); err != nil {
		return err
	}
	ids := make(map[string]bool)
	for _, m := range f.Motifs {
		if err := checkName(m.ID); err != nil {
			return err
		}
		for _, s := range []string{m.Name, m.URL} {
			if err := checkName(s); s != "" && err != nil {
				return fmt.Errorf("motif %s: %w", show(m.ID), err)
			}
		}
		switch {
		case ids[m.ID]:
			return fmt.Errorf("two motifs are called %s", show(m.ID))
		case len(m.Probabilities) == 0:
			return fmt.Errorf("motif %s has no matrix", show(m.ID))
		case !(m.Sites >= 0 && m.Sites <= 1e308) || !(m.E >= 0 && m.E <= 1e308):
			return fmt.Errorf("motif %s has %v sites and an E of %v", show(m.ID), m.Sites, m.E)
		}
		ids[m.ID] = true
		for i, row := range m.Probabilities {
			if err := checkRow(fmt.Sprintf("motif %s: row %d", show(m.ID), i+1), row); err != nil {
				return err
			}
		}
	}
	return nil
}
