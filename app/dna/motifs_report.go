package dna

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"heed/format"
	"heed/internal/cli"
	"heed/motif"
	"heed/plot"
	"heed/report"
)

// write fills the output folder.
func (r *motifsRequest) write(x *MotifSearch, d *Dataset) error {
	logos := filepath.Join(r.out, "logos")
	if err := os.MkdirAll(logos, 0o777); err != nil {
		return cli.SystemError(logos, err)
	}
	put := func(name string, write func(io.Writer) error) error {
		return format.WriteFile(filepath.Join(r.out, name), write)
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"motifs.tsv", x.WriteTable}, {"motifs.bed", x.WriteBED}, {"motifs.meme", x.WriteMEME}, {"expect.tsv", x.WriteKnown},
	} {
		if f.name == "expect.tsv" && len(x.Known) == 0 {
			continue
		}
		if err := put(f.name, f.write); err != nil {
			return err
		}
	}
	for _, m := range x.significant() {
		for _, l := range []struct {
			suffix string
			draw   func(*motif.Motif) (*plot.Figure, error)
		}{{"", x.logo}, {"-contribution", contributionLogo}} {
			f, err := l.draw(m)
			if err != nil {
				return err
			}
			if err := put(filepath.Join("logos", m.Name+l.suffix+".svg"), func(w io.Writer) error {
				_, err := w.Write(f.SVG())
				return err
			}); err != nil {
				return err
			}
		}
	}
	sections, err := x.sections()
	if err != nil {
		return err
	}
	e := explainRequest{version: r.version, command: r.command}
	facts := append(e.provenance(x.Model, d), report.Fact{Key: "seed", Value: fmt.Sprint(r.seed)}, report.Fact{Key: "sequences", Value: x.Origin})
	sections = append(sections, report.Section{Title: "Provenance", Blocks: []report.Block{facts}})
	return writePage(filepath.Join(r.out, reportFile), &report.Report{
		Title:    "What the model reacts to",
		Lead:     x.lead(),
		Sections: sections,
		Footer:   "heed " + r.version,
	})
}

func (x *MotifSearch) lead() string {
	hidden := ""
	if x.Hidden != nil {
		hidden = fmt.Sprintf(" Letters %s to %s were hidden from the model.", x.place(x.Hidden.From), x.place(x.Hidden.To))
	}
	return fmt.Sprintf("%s found in the mutagenesis of %d sequences of the class %s, beside %d others and as many shuffled ones. The sequences are %s.%s",
		plural(len(x.significant()), "motif"), len(x.Input.Positives), x.Model.Classes[x.Class], len(x.Input.Negatives), x.Origin, hidden)
}

func plural(n int, what string) string {
	if n == 1 {
		return "One " + what
	}
	if n == 0 {
		return "No " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// logo shows the matrix of a motif as information.
func (x *MotifSearch) logo(m *motif.Motif) (*plot.Figure, error) {
	p := m.Probabilities(x.Result.Background)
	bits := motif.Information(p, x.Result.Background)
	heights := make([][]float64, 0, m.To-m.From)
	for i := m.From; i < m.To; i++ {
		row := make([]float64, len(motif.Letters))
		for k := range row {
			row[k] = bits[i] * p[i][k]
		}
		heights = append(heights, row)
	}
	return plot.Logo{Title: fmt.Sprintf("%s, %d occurrences: letters", m.Name, m.Found[motif.Positive]), Letters: motif.Letters, Heights: heights, YLabel: "information (bits)"}.Figure()
}

// contributionLogo shows what the letters of a motif contribute.
func contributionLogo(m *motif.Motif) (*plot.Figure, error) {
	return plot.Logo{Title: fmt.Sprintf("%s, %d occurrences: contributions", m.Name, m.Found[motif.Positive]), Letters: motif.Letters, Heights: m.Contribution[m.From:m.To], YLabel: "contribution (nats)"}.Figure()
}

// placesFigure shows where the occurrences of a motif begin, in positives and in
// shuffled sequences.
func (x *MotifSearch) placesFigure(m *motif.Motif) (*plot.Figure, error) {
	length := 0
	for _, t := range x.Input.Positives {
		length = max(length, len(t.Sequence))
	}
	// An occurrence may begin before its sequence does.
	first, last := 0, length-1
	for _, q := range m.Seqlets {
		start, _ := m.At(q)
		first, last = min(first, start), max(last, start)
	}
	f := plot.Track{Title: m.Name + ": first letters of its occurrences", XLabel: axis(x.TSS), YLabel: "share of sequences"}
	for i := first; i <= last; i++ {
		f.X = append(f.X, float64(coordinate(i, x.TSS)))
	}
	for g, name := range []string{"positives", "negatives", "shuffled positives"} {
		if m.Of[g] == 0 {
			continue
		}
		l := plot.TrackLine{Name: fmt.Sprintf("%s (%d)", name, m.Found[g]), Y: make([]float64, last-first+1)}
		for _, q := range m.Seqlets {
			if int(q.Group) == g {
				start, _ := m.At(q)
				l.Y[start-first] += 1 / float64(m.Of[g])
			}
		}
		f.Lines = append(f.Lines, l)
	}
	return f.Figure()
}

// sections shows everything: motifs, what is known, how they were found.
func (x *MotifSearch) sections() ([]report.Section, error) {
	blocks := []report.Block{report.Text("A motif is a pattern of letters that the model reacts to in many sequences. Occurrences are windows where the letters contribute more than noise would; the motif counts as found if its occurrences are significantly stronger and more frequent than in the same sequences with their letters shuffled (pairs of neighbours kept), anywhere or at one place. " + mutagenesisCaveat)}
	if a := x.auroc(); a < leastAUROC {
		blocks = append(blocks, report.Notice{Warning: true, Text: fmt.Sprintf("The model tells the explained positives from the negatives with an AUROC of %.3f only. What it reacts to says little about the class.", a)})
	}
	if len(x.Result.Motifs) > 0 {
		blocks = append(blocks, x.table())
	} else {
		blocks = append(blocks, report.Text("Nothing stood out of the noise often enough."))
	}
	letters, contributions, places := report.Choice{Label: "Motif"}, report.Choice{Label: "Motif"}, report.Choice{Label: "Motif"}
	for _, m := range x.significant() {
		for _, f := range []struct {
			to                 *report.Choice
			name, alt, caption string
			draw               func(*motif.Motif) (*plot.Figure, error)
		}{
			{&letters, "letters", "Sequence logo of the letters of ", "Height: information against the letters of the positives.", x.logo},
			{&contributions, "contributions", "Sequence logo of the contributions of ", "Height: mean contribution of the letter that is there, over all occurrences: three quarters of what the log-odds lose on average when it is replaced.", contributionLogo},
			{&places, "places", "Places of the occurrences of ", "Each occurrence counts at its first letter.", x.placesFigure},
		} {
			figure, err := f.draw(m)
			if err != nil {
				return nil, err
			}
			f.to.Options = append(f.to.Options, report.Option{Name: m.Name + " " + m.Consensus(), Figure: report.Figure{
				Name: fileName(f.name, m.Name), Alt: f.alt + m.Name, Caption: f.caption, SVG: figure.SVG(),
			}})
		}
	}
	out := []report.Section{{Title: "Motifs", Blocks: blocks}}
	if len(letters.Options) > 0 {
		out = append(out, report.Section{Title: "Logos", Blocks: []report.Block{letters, contributions}},
			report.Section{Title: "Where they stand", Blocks: []report.Block{places}})
	}
	if len(x.Known) > 0 {
		out = append(out, report.Section{Title: "Known motifs", Blocks: []report.Block{x.knownTable()}})
	}
	return append(out, report.Section{Title: "How they were found", Blocks: []report.Block{x.searchTable()}}), nil
}

func (x *MotifSearch) table() report.Table {
	t := report.Table{
		Caption: "Motifs of " + x.Model.Classes[x.Class],
		Columns: []report.Column{{Name: "motif"}, {Name: "letters"}, {Name: "sites", Numeric: true}, {Name: "positives", Numeric: true}, {Name: "negatives", Numeric: true}, {Name: "shuffled", Numeric: true},
			{Name: "enriched", Numeric: true}, {Name: "E", Numeric: true}, {Name: "nats", Numeric: true}, {Name: "begins at", Numeric: true}},
		Notes: []string{
			"Letters: the most frequent of each column, in small letters where it has less than half. Sites: occurrences in positives. Positives, negatives, shuffled: share of the sequences with one occurrence or more, by the same threshold. Enriched: positives over negatives.",
			fmt.Sprintf("E: probability of so much stronger occurrences in positives than in shuffled sequences, anywhere or at the most frequent place, times the number of tests (rank sums of the strongest occurrence of each sequence); above %.2f the motif does not count as found and has no logo. Nats: mean contribution of an occurrence. Begins at: most frequent place, with the quartiles.", motif.Significant),
			"\"Against\" motifs are those whose letters lower the log-odds of the class in its own sequences.",
		},
	}
	for _, m := range x.Result.Motifs {
		s := spreadOf(x.places(m, motif.Positive))
		t.Rows = append(t.Rows, report.TableRow{Highlight: m.E <= motif.Significant, Cells: []string{
			m.Name, m.Consensus(), fmt.Sprint(m.Found[motif.Positive]), shareText(share(m, motif.Positive)), shareText(share(m, motif.Negative)), shareText(share(m, motif.Shuffled)),
			ratio(enrichment(m, motif.Negative)), fmt.Sprintf("%.1e", m.E), fmt.Sprintf("%.2f", m.Mean),
			fmt.Sprintf("%s (%s to %s)", x.place(s.most), x.place(s.low), x.place(s.high)),
		}})
	}
	return t
}

func shareText(share float64) string {
	if math.IsNaN(share) {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", 100*share)
}

func ratio(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.1f", v)
}

func (x *MotifSearch) knownTable() report.Table {
	t := report.Table{
		Caption: "Found motifs against known ones",
		Columns: []report.Column{{Name: "known"}, {Name: "consensus"}, {Name: "found"}, {Name: "Pearson", Numeric: true}, {Name: "begins at", Numeric: true}, {Name: "floor, median", Numeric: true}, {Name: "floor, 95 %", Numeric: true}, {Name: "p", Numeric: true}},
		Notes: []string{
			"Pearson: correlation of the matrix of the found motif with the consensus, at the best alignment; the found motif that is most like it. Begins at: where the consensus, so aligned, begins most often.",
			fmt.Sprintf("Floor: the same for %d copies of the found matrices with their columns shuffled. p: share of the copies that do as well.", floorShuffles),
		},
	}
	for _, k := range x.Known {
		if k.Found == nil {
			t.Rows = append(t.Rows, report.TableRow{Cells: []string{k.Name, k.Consensus, "none", "-", "-", "-", "-", "-"}})
			continue
		}
		t.Rows = append(t.Rows, report.TableRow{Cells: []string{k.Name, k.Consensus, k.Found.Name, fmt.Sprintf("%.2f", k.Match.R), x.place(x.knownAt(k)),
			fmt.Sprintf("%.2f", k.Floor.Median), fmt.Sprintf("%.2f", k.Floor.High), fmt.Sprintf("%.3f", k.Floor.P)}})
	}
	return t
}

// searchTable says how many windows were looked at.
func (x *MotifSearch) searchTable() report.Table {
	o := x.Result.Options
	t := report.Table{
		Caption: fmt.Sprintf("Windows of %d letters whose contributions add up to more than the threshold", o.Window),
		Columns: []report.Column{{Name: "sign"}, {Name: "threshold (nats)", Numeric: true}, {Name: "noise", Numeric: true}, {Name: "positives", Numeric: true}, {Name: "negatives", Numeric: true}, {Name: "shuffled", Numeric: true}},
		Notes: []string{
			fmt.Sprintf("Noise: expected share of the windows in positives that a Laplace distribution, fitted to the windows of the shuffled sequences, would put above the threshold (wanted: %.2f or less). Counts are windows that do not overlap, and in brackets those that belong to a motif.", o.FDR),
			fmt.Sprintf("Windows with %d letters more on both sides were clustered by average linkage down to a mean cosine of %.2f of their contributions, blind to where they come from, and aligned; a motif has %d occurrences in positives or more.", o.Flank, o.Similar, o.Least),
		},
	}
	for _, s := range []struct {
		name   string
		search motif.Search
	}{{"for the class", x.Result.For}, {"against it", x.Result.Against}} {
		cells := []string{s.name, "none", "-"}
		if !math.IsInf(s.search.Threshold, 1) {
			cells = []string{s.name, fmt.Sprintf("%.2f", s.search.Threshold), shareText(s.search.FDR)}
		}
		for g := range s.search.Seqlets {
			cells = append(cells, fmt.Sprintf("%d (%d)", s.search.Seqlets[g], s.search.InMotifs[g]))
		}
		t.Rows = append(t.Rows, report.TableRow{Cells: cells})
	}
	return t
}
