// Package motif finds what the explanations of many sequences have in common:
// short patterns of letters that a model reacts to wherever they stand.
//
// Into it flow [Track]s, the contributions of the letters of one sequence each,
// as in-silico mutagenesis gives them: of positives, of negatives, and of
// positives with their letters shuffled (data.ShuffleDinucleotides). Out of it
// flow [Motif]s
// with their occurrences, matrices and counts. It is TF-MoDISco (Shrikumar et
// al. 2018, arXiv 1811.00416) in small:
//
//  1. Windows of high contribution become seqlets ([Options.Window]). The
//     threshold bounds their false discovery rate against the noise in the
//     shuffled sequences, a Laplace distribution. Contributions for and against
//     the class are searched apart.
//  2. The similarity of two seqlets is the cosine of their contributions, those
//     of the letters that are there and the hypothetical ones added, the largest
//     over shifts and, if wanted, both strands.
//  3. Average linkage with a cut gives clusters; those whose mean profiles are
//     alike are merged, and every seqlet is aligned anew to the profiles until
//     nothing changes.
//  4. A motif is tested by the contributions of its strongest occurrence in
//     each positive, against those in the shuffled sequences (Mann and Whitney's
//     test, times the number of motifs): anywhere, and at the place where most
//     occurrences of both are, since a sequence of many A and T has a TATA by
//     chance, but not always at one place.
//
// Seqlets of positives, negatives and shuffled sequences are clustered together,
// blind to where they come from, so that the test in step 4 is not decided by
// the search. The result is the same bits for any number of cores, and does not
// depend on the order of the sequences.
//
// A motif is what the model reacts to. Whether the cell does is another question.
package motif

import "fmt"

// Letters are the columns of every matrix here.
const Letters = "ACGT"

// A Track is what a model makes of one sequence of L letters.
type Track struct {
	Sequence []byte // (L) upper case; other letters than ACGT are allowed
	// Hypothetical (L, 4) is what each letter would contribute to the score at
	// each position; a row sums to 0. See explain.Effects.
	Hypothetical [][]float64
}

// contribution returns that of the letter at i: 0 for one that is not in
// Letters.
func (t *Track) contribution(i int) float64 {
	if k := code(t.Sequence[i]); k >= 0 {
		return t.Hypothetical[i][k]
	}
	return 0
}

func (t *Track) check() {
	if len(t.Sequence) != len(t.Hypothetical) {
		panic(fmt.Sprintf("motif: %d letters but %d rows of contributions", len(t.Sequence), len(t.Hypothetical)))
	}
}

// code returns the column of a letter, -1 for others.
func code(letter byte) int {
	switch letter {
	case 'A':
		return 0
	case 'C':
		return 1
	case 'G':
		return 2
	case 'T':
		return 3
	}
	return -1
}

// A Group says where a track comes from.
type Group int

// The groups of an [Input].
const (
	Positive Group = iota
	Negative
	Shuffled
	groups = 3
)

// An Input is the tracks of one model. Shuffled are shuffled positives: what
// motifs are tested against. Negatives may be empty.
type Input struct {
	Positives, Negatives, Shuffled []Track
}

func (in *Input) tracks(g Group) []Track {
	return [groups][]Track{in.Positives, in.Negatives, in.Shuffled}[g]
}

// Options of the search. The zero Options takes the defaults.
type Options struct {
	Window int // letters whose contributions are summed; 0 means 8
	Flank  int // letters added to both sides of a window; 0 means 4
	// FDR bounds the share of windows above the threshold that are noise; 0 means
	// 0.2. The motifs are tested by themselves, against shuffled sequences.
	FDR float64
	// Similar is the mean similarity within a cluster, 0 to 1; 0 means 0.5.
	Similar float64
	// Least is the number of seqlets in positives that makes a motif; 0 means
	// 20.
	Least   int
	Strands bool // a motif may stand on either strand
	Cores   int  // 0 means all; the result does not depend on it
}

func (o Options) complete() Options {
	if o.Window == 0 {
		o.Window = 8
	}
	if o.Flank == 0 {
		o.Flank = 4
	}
	if o.FDR == 0 {
		o.FDR = 0.2
	}
	if o.Similar == 0 {
		o.Similar = 0.5
	}
	if o.Least == 0 {
		o.Least = 20
	}
	return o
}

// Validate reports the first option that makes no sense.
func (o Options) Validate() error {
	o = o.complete()
	switch {
	case o.Window < 3 || o.Window > 100:
		return fmt.Errorf("window %d: want 3 to 100 letters", o.Window)
	case o.Flank < 0 || o.Flank > 100:
		return fmt.Errorf("flank %d: want 1 to 100 letters", o.Flank)
	case !(o.FDR > 0 && o.FDR < 1):
		return fmt.Errorf("fdr %v: want a share in (0, 1)", o.FDR)
	case !(o.Similar > 0 && o.Similar < 1):
		return fmt.Errorf("similar %v: want a cosine in (0, 1)", o.Similar)
	case o.Least < 3:
		return fmt.Errorf("least %d: want 3 seqlets or more", o.Least)
	}
	return nil
}

// width is the number of letters of a seqlet and of a motif before trimming.
func (o Options) width() int { return o.Window + 2*o.Flank }

// A Seqlet is one occurrence of a motif.
type Seqlet struct {
	Group Group
	Track int // index into the tracks of its group
	// Start is the index of the first letter of the motif's first column before
	// trimming, or of its last column if Reverse is set; it may lie outside of
	// the sequence.
	Start      int
	Reverse    bool    // the motif reads from right to left, on the other strand
	Sum        float64 // of the contributions in the window that was found
	Similarity float64 // cosine with the profile of the motif
}

// A Motif is a pattern that many seqlets share. Matrices have M rows, one for
// each column of the motif, and one number for each of Letters.
type Motif struct {
	Name    string
	Against bool // the letters speak against the class
	// Seqlets are those of all groups, by group, track and start.
	Seqlets []Seqlet
	// Counts (M, 4) of letters, Contribution (M, 4) the mean contribution of
	// the letters that are there (it adds up to the mean height of a position),
	// and Hypothetical (M, 4) the mean hypothetical contributions; over the
	// seqlets of the positives.
	Counts       [][]float64
	Contribution [][]float64
	Hypothetical [][]float64
	// From and To cut the flanks without information off: rows [From, To).
	From, To int
	// Found counts seqlets, With sequences that have one or more, Of all
	// sequences, by group.
	Found, With, Of [groups]int
	// Mean contribution of an occurrence in positives: the sum over rows
	// [From, To), in the unit of the tracks.
	Mean float64
	// P is the probability that positives have so much more and stronger
	// occurrences than shuffled sequences, if both were alike; PPlace the same
	// for occurrences at the motif's most frequent place, NaN for sequences of
	// several lengths. E is the smaller one times the number of tests.
	P, PPlace, E float64
	// PNegative is P against negatives; NaN without negatives.
	PNegative float64

	profile [][]float64 // (M, 4) mean of the seqlets' views, each of norm 1
}

// Significant is the E below which a motif counts as found.
const Significant = 0.05

// Enrichment returns the share of positives with the motif over that of another
// group, with half a sequence added to both.
func (m *Motif) Enrichment(g Group) float64 {
	share := func(g Group) float64 { return (float64(m.With[g]) + 0.5) / (float64(m.Of[g]) + 1) }
	return share(Positive) / share(g)
}

// A Search is what was looked at on the way, for contributions of one sign.
type Search struct {
	// Threshold on the sum over a window; +Inf if no threshold has a false
	// discovery rate as low as wanted.
	Threshold float64
	FDR       float64     // of the windows at Threshold
	Seqlets   [groups]int // above it
	InMotifs  [groups]int
}

// A Result is what Find found.
type Result struct {
	Options Options // with the defaults filled in
	// Motifs in the order of sign (for the class first), and seqlets in the
	// positives. Those with E above Significant are kept for the record.
	Motifs       []*Motif
	For, Against Search
	Background   [4]float64 // shares of the letters in the positives
}

// Find searches the tracks for motifs. Tracks are read and kept. It panics if a
// track has contributions for another number of letters than it has; options
// must be valid.
func Find(in Input, o Options) *Result {
	o = o.complete()
	for g := range Group(groups) {
		for i := range in.tracks(g) {
			in.tracks(g)[i].check()
		}
	}
	r := &Result{Options: o, Background: background(in.Positives)}
	r.For = r.search(&in, o, false)
	r.Against = r.search(&in, o, true)
	for _, m := range r.Motifs {
		p, tests := m.P, float64(len(r.Motifs))
		if m.PPlace == m.PPlace {
			p, tests = min(p, m.PPlace), 2*tests
		}
		m.E = p * tests
	}
	return r
}

// search looks for motifs of one sign and appends them.
func (r *Result) search(in *Input, o Options, against bool) Search {
	found, s := seqlets(in, o, against)
	f := finder{in: in, o: o, seqlets: found}
	f.order()
	motifs := f.motifs()
	for i, m := range motifs {
		m.Against = against
		m.Name = fmt.Sprintf("for-%d", i+1)
		if against {
			m.Name = fmt.Sprintf("against-%d", i+1)
		}
		m.fill(in, r.Background)
		for g, n := range m.Found {
			s.InMotifs[g] += n
		}
	}
	r.Motifs = append(r.Motifs, motifs...)
	return s
}

// background returns the shares of the letters, with one of each added.
func background(tracks []Track) [4]float64 {
	var n [4]float64
	total := 4.0
	for k := range n {
		n[k] = 1
	}
	for _, t := range tracks {
		for _, c := range t.Sequence {
			if k := code(c); k >= 0 {
				n[k]++
				total++
			}
		}
	}
	for k := range n {
		n[k] /= total
	}
	return n
}
