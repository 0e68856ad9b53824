package dna

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"heed/format/bed"
	"heed/format/meme"
	"heed/motif"
)

// WriteTable writes one line for each motif, those that do not count as found
// too.
func (x *MotifSearch) WriteTable(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, strings.Join([]string{
		"motif", "found", "consensus", "columns", "seqlets", "in_positives", "in_negatives", "in_shuffled",
		"enrichment_negatives", "p_negatives", "enrichment_shuffled", "p_shuffled", "p_place", "e", "contribution",
		"start_first_quartile", "start_median", "start_third_quartile", "start_most", "start_most_times",
	}, "\t"))
	for _, m := range x.Result.Motifs {
		found := "no"
		if m.E <= motif.Significant {
			found = "yes"
		}
		s := spreadOf(x.places(m, motif.Positive))
		fmt.Fprintf(b, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n",
			m.Name, found, m.Consensus(), m.To-m.From, m.Found[motif.Positive],
			short(share(m, motif.Positive)), short(share(m, motif.Negative)), short(share(m, motif.Shuffled)),
			short(enrichment(m, motif.Negative)), short(m.PNegative), short(m.Enrichment(motif.Shuffled)), short(m.P), short(m.PPlace), short(m.E), short(m.Mean),
			s.low, s.median, s.high, s.most, s.times)
	}
	return b.Flush()
}

// share is the share of the sequences of a group with the motif; NaN of none.
func share(m *motif.Motif, g motif.Group) float64 {
	return float64(m.With[g]) / float64(m.Of[g])
}

// enrichment is NaN against a group without sequences.
func enrichment(m *motif.Motif, g motif.Group) float64 {
	if m.Of[g] == 0 {
		return math.NaN()
	}
	return m.Enrichment(g)
}

// WriteKnown writes one line for each known motif: the found one that is most
// like it, and the floor of shuffled matrices.
func (x *MotifSearch) WriteKnown(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "known\tconsensus\tmotif\tpearson\tstrand\tstart_most\tfloor_median\tfloor_high\tp")
	for _, k := range x.Known {
		if k.Found == nil {
			fmt.Fprintf(b, "%s\t%s\t\t\t\t\t\t\t\n", k.Name, k.Consensus)
			continue
		}
		fmt.Fprintf(b, "%s\t%s\t%s\t%s\t%c\t%d\t%s\t%s\t%s\n", k.Name, k.Consensus, k.Found.Name, short(k.Match.R), strand(k.Match.Reverse),
			x.knownAt(k), short(k.Floor.Median), short(k.Floor.High), short(k.Floor.P))
	}
	return b.Flush()
}

func strand(reverse bool) byte {
	if reverse {
		return '-'
	}
	return '+'
}

// knownAt is the coordinate at which the known motif begins most often: that of
// the motif that was found, moved by the alignment.
func (x *MotifSearch) knownAt(k *KnownMotif) int {
	n := len(k.Found.Counts)
	var starts []int
	for _, q := range k.Found.Seqlets {
		if q.Group != motif.Positive {
			continue
		}
		at := q.Start + k.Match.Column
		if q.Reverse {
			at = q.Start + n - k.Match.Column - len(k.matrix)
		}
		starts = append(starts, at)
	}
	most, _ := mode(starts)
	return coordinate(most, x.TSS)
}

// WriteBED writes the occurrences of the found motifs in positives and
// negatives, with the sequences as chromosomes. The score is 1000 times the
// cosine with the motif; three columns of its own follow: the class, the sum of
// the contributions in nats, and the letters.
func (x *MotifSearch) WriteBED(w io.Writer) error {
	b := bufio.NewWriter(w)
	for g, names := range x.Names {
		tracks := [][]motif.Track{x.Input.Positives, x.Input.Negatives}[g]
		class := "positive"
		if g == int(motif.Negative) {
			class = "negative"
		}
		type row struct {
			m *motif.Motif
			q motif.Seqlet
		}
		rows := make([][]row, len(tracks))
		for _, m := range x.significant() {
			for _, q := range m.Seqlets {
				if int(q.Group) == g {
					rows[q.Track] = append(rows[q.Track], row{m, q})
				}
			}
		}
		for i, list := range rows {
			for _, r := range list {
				start, end := r.m.At(r.q)
				start, end = max(start, 0), min(end, len(tracks[i].Sequence))
				if start >= end {
					continue
				}
				err := bed.Write(b, bed.Record{
					Chrom: names[i], Start: start, End: end, Name: r.m.Name,
					Score: math.Round(1000 * max(r.q.Similarity, 0)), Strand: strand(r.q.Reverse),
					Extra: []string{class, strconv.FormatFloat(r.q.Sum, 'g', 4, 64), string(tracks[i].Sequence[start:end])},
				})
				if err != nil {
					return err
				}
			}
		}
	}
	return b.Flush()
}

// WriteMEME writes the matrices of the found motifs in minimal MEME format,
// version 4.
func (x *MotifSearch) WriteMEME(w io.Writer) error {
	f := &meme.File{Version: "4", OneStrand: !x.Result.Options.Strands, Background: x.Result.Background}
	for _, m := range x.significant() {
		e, err := strconv.ParseFloat(short(m.E), 64) // four digits are enough
		if err != nil {
			return fmt.Errorf("motif %s has an E of %v", m.Name, m.E)
		}
		out := meme.Motif{ID: m.Name, Name: m.Consensus(), Sites: float64(m.Found[motif.Positive]), E: e}
		for _, row := range m.Probabilities(f.Background)[m.From:m.To] {
			out.Probabilities = append(out.Probabilities, [4]float64(row))
		}
		f.Motifs = append(f.Motifs, out)
	}
	return meme.Write(w, f)
}

// Summary returns a few lines for the terminal.
func (x *MotifSearch) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d positives, %d negatives and %d shuffled positives explained for %s\n", len(x.Input.Positives), len(x.Input.Negatives), len(x.Input.Shuffled), x.Model.Classes[x.Class])
	if a := x.auroc(); a == a {
		fmt.Fprintf(&b, "the model tells positives from negatives with an AUROC of %.3f\n", a)
		if a < leastAUROC {
			fmt.Fprintf(&b, "warning: below %.1f the model knows too little for its motifs to mean anything\n", leastAUROC)
		}
	}
	found := x.significant()
	fmt.Fprintf(&b, "motifs found: %d; no better than chance: %d\n", len(found), len(x.Result.Motifs)-len(found))
	for _, m := range found {
		s := spreadOf(x.places(m, motif.Positive))
		fmt.Fprintf(&b, "%s %s: %d occurrences in %.0f %% of the positives, %s%.0f %% of the shuffled; mostly at %s; E %.1e\n", m.Name, m.Consensus(),
			m.Found[motif.Positive], 100*share(m, motif.Positive), ofNegatives(m), 100*share(m, motif.Shuffled), x.place(s.most), m.E)
	}
	for _, k := range x.Known {
		if k.Found == nil {
			fmt.Fprintf(&b, "known %s %s: no motif to compare with\n", k.Name, k.Consensus)
			continue
		}
		fmt.Fprintf(&b, "known %s %s: Pearson %.2f with %s, at %s; shuffled matrices reach %.2f (median) and %.2f (95 %%), p %.3f\n", k.Name, k.Consensus,
			k.Match.R, k.Found.Name, x.place(x.knownAt(k)), k.Floor.Median, k.Floor.High, k.Floor.P)
	}
	return b.String()
}

func ofNegatives(m *motif.Motif) string {
	if m.Of[motif.Negative] == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %% of the negatives, ", 100*share(m, motif.Negative))
}
