package dna

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// WriteExplanations writes one line per position of every sequence: name,
// position relative to the start site tss (from 1 if tss is negative), letter,
// importance by mutagenesis, the change of the log-odds by each substitution, and
// the scores of the other methods.
func WriteExplanations(w io.Writer, es []*Explanation, ms []method, tss int) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, "sequence\tposition\tletter\timportance")
	for _, l := range Letters {
		fmt.Fprintf(b, "\tdelta_%c", l)
	}
	for _, m := range ms {
		if m.key != keyMutagenesis {
			fmt.Fprint(b, "\t", strings.ReplaceAll(m.key, "-", "_"))
		}
	}
	fmt.Fprintln(b)
	for _, e := range es {
		for i, c := range e.Sequence {
			fmt.Fprintf(b, "%s\t%d\t%c\t%s", e.Name, coordinate(i, tss), c, short(e.Importance[i]))
			for _, d := range e.Effects.Delta[i] {
				fmt.Fprintf(b, "\t%s", short(d))
			}
			for k, m := range ms {
				if m.key != keyMutagenesis {
					fmt.Fprintf(b, "\t%s", short(e.Scores[k][i]))
				}
			}
			fmt.Fprintln(b)
		}
	}
	return b.Flush()
}

// WriteTracks writes one line per position of every class: mean importance with
// its interval, and mean rollout.
func WriteTracks(w io.Writer, tracks []*MeanTrack, tss int) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "class\tsequences\tposition\timportance\tlow\thigh\trollout")
	for _, t := range tracks {
		for i, v := range t.Mean {
			fmt.Fprintf(b, "%s\t%d\t%d\t%s\t%s\t%s\t", t.Class, t.N, coordinate(i, tss), short(v), short(t.Low[i]), short(t.High[i]))
			if t.Rollout != nil {
				fmt.Fprint(b, short(t.Rollout[i]))
			}
			fmt.Fprintln(b)
		}
	}
	return b.Flush()
}

// WriteBedGraph writes the importance of every position as a bedGraph track
// (UCSC), with the names of the sequences as chromosomes: a genome browser
// shows it on the FASTA file that was explained.
func WriteBedGraph(w io.Writer, es []*Explanation) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, `track type=bedGraph name="importance" description="fall of the log-odds when the letter is replaced"`)
	for _, e := range es {
		for i, v := range e.Importance {
			fmt.Fprintf(b, "%s\t%d\t%d\t%s\n", e.Name, i, i+1, short(v))
		}
	}
	return b.Flush()
}

// short prints four digits, more than a score of a model is good for.
func short(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', 4, 64)
}
