package dna

import (
	"bytes"
	"fmt"
	"strings"

	"heed/plot"
	"heed/report"
)

// What every figure of a kind says.
const (
	importanceLabel   = "fall of log-odds (nats)"
	importanceMeaning = "Height: how much the log-odds of the class fall, on average over the three other letters, when this one letter is replaced; letters below the axis speak against the class."
	mutagenesisCaveat = "In-silico mutagenesis is evidence of cause for the model, not for the cell. It changes one letter at a time: where either of two motifs would do, neither shows."
	rolloutCaveat     = "The rollout is the same for every class and has no sign; it knows nothing of values, feed-forward layers and norms, and it turns uniform with depth whatever the model has learned."
)

func (e *Explanation) logo(title string, tss int, marks []plot.Mark) (*plot.Figure, error) {
	heights, err := plot.SequenceHeights(string(e.Sequence), Letters, e.Importance)
	if err != nil {
		return nil, err
	}
	return plot.Logo{
		Title: title, Letters: Letters, Heights: heights, Positions: coordinates(len(e.Sequence), tss),
		Marks: marks, YLabel: importanceLabel,
	}.Figure()
}

func (t *MeanTrack) logo(title string, tss int, marks []plot.Mark) (*plot.Figure, error) {
	return plot.Logo{
		Title: title, Letters: Letters, Heights: t.Heights, Positions: coordinates(len(t.Mean), tss),
		Marks: marks, YLabel: importanceLabel,
	}.Figure()
}

// trackFigure shows the mean importance of classes.
func trackFigure(title string, tracks []*MeanTrack, tss int, marks []plot.Mark) (*plot.Figure, error) {
	f := plot.Track{Title: title, X: xs(len(tracks[0].Mean), tss), Marks: marks, XLabel: axis(tss), YLabel: importanceLabel}
	for _, t := range tracks {
		f.Lines = append(f.Lines, plot.TrackLine{Name: t.name(), Y: t.Mean, Low: t.Low, High: t.High})
	}
	return f.Figure()
}

func (t *MeanTrack) name() string { return fmt.Sprintf("%s (n = %d)", t.Class, t.N) }

// xs returns coordinates for a continuous axis.
func xs(n, tss int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(coordinate(i, tss))
	}
	return out
}

func axis(tss int) string {
	if tss < 0 {
		return "position"
	}
	return "" // that of plot.Track
}

func marksOf(motifs []Motif) []plot.Mark {
	var out []plot.Mark
	for _, m := range motifs {
		out = append(out, plot.Mark{From: float64(m.From), To: float64(m.To), Name: m.Name})
	}
	return out
}

// fileName makes the stem of a file from the name of a sequence.
func fileName(prefix, name string) string {
	return prefix + "-" + strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, name)
}

// findingsTable compares a track with what biology expects.
func (t *MeanTrack) findingsTable(motifs []Motif, tss int) report.Table {
	table := report.Table{
		Caption: "Known motifs against the mean track of " + t.name(),
		Columns: []report.Column{{Name: "motif"}, {Name: "expected at", Numeric: true}, {Name: "peak", Numeric: true}, {Name: "rank", Numeric: true}, {Name: "importance", Numeric: true}, {Name: "enrichment", Numeric: true}},
		Notes: []string{
			fmt.Sprintf("Peak: highest point of the track in the motif or within %d letters of it. Rank: its place among the %d highest points of the whole track that are %d letters or more apart; - if it is none of them. Importance: mean over the motif, in nats.", motifReach, peakCount, peakGap),
			"Enrichment: share of all positive importance inside the motif, over the motif's share of the positions; 1 if the model does not care.",
		},
	}
	for _, f := range t.Compare(motifs, tss) {
		table.Rows = append(table.Rows, report.TableRow{Cells: f.cells()})
	}
	return table
}

func tsv(write func(b *bytes.Buffer) error) ([]byte, error) {
	var b bytes.Buffer
	err := write(&b)
	return b.Bytes(), err
}
