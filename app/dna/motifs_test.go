package dna

import (
	"bytes"
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"heed/format/bed"
	"heed/motif"
)

// promoters returns n sequences of 50 letters, every second with TATAAT at index
// 7.
func promoters(n int) *Dataset {
	d := planted(n)
	r := rand.New(rand.NewPCG(8, 8))
	for i := range d.Seqs {
		for range 30 {
			d.Seqs[i] = append(d.Seqs[i], Letters[r.IntN(4)])
		}
	}
	return d
}

func TestMotifsOfTrainedModel(t *testing.T) {
	d := promoters(400)
	c := tiny()
	c.Model.PositionScale, c.Train.Epochs = 0.5, 20
	c.ValidShare, c.Patience, c.Threshold = 0, 0, 0.5
	f, err := Fit(context.Background(), c, d, upTo(0, 200), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	known, err := ParseKnownMotif("a=b=tataat")
	if err != nil {
		t.Fatal(err)
	}
	var positives, negatives []int
	for i := 200; i < 400; i++ {
		if d.Labels[i] == 1 {
			positives = append(positives, i)
		} else {
			negatives = append(negatives, i)
		}
	}
	search := func(cores int) *MotifSearch {
		x := &MotifSearch{Model: f, Class: 1, TSS: 10, Seed: 1, Origin: "new", Known: []*KnownMotif{known}}
		if err := x.explain(context.Background(), d, positives, negatives, cores, nil); err != nil {
			t.Fatal(err)
		}
		x.find(motif.Options{Window: 6, Cores: cores})
		return x
	}
	one := search(1)
	x := search(2)
	if !reflect.DeepEqual(one.Input, x.Input) || !reflect.DeepEqual(one.Result.Motifs, x.Result.Motifs) {
		t.Error("one core finds other motifs than two")
	}
	if known.Name != "a=b" || known.Consensus != "TATAAT" || known.Found != x.Result.Motifs[0] || known.Match.R < 0.9 || known.Floor.P > 0.01 {
		t.Errorf("known motif %+v", known)
	}
	if at := x.knownAt(known); at != -3 { // index 7
		t.Errorf("the known motif stands at %d, want -3", at)
	}
	// The occurrences, read again, are the planted ones.
	var b bytes.Buffer
	if err := x.WriteBED(&b); err != nil {
		t.Fatal(err)
	}
	right, n := 0, 0
	for rec, err := range bed.Records("motifs.bed", &b) {
		if err != nil {
			t.Fatal(err)
		}
		i := slices.Index(d.Names, rec.Chrom)
		if got := string(d.Seqs[i][rec.Start:rec.End]); got != rec.Extra[2] {
			t.Errorf("%s %d to %d is %s, the file says %s", rec.Chrom, rec.Start, rec.End, got, rec.Extra[2])
		}
		if rec.Name != "for-1" || rec.Extra[0] != "positive" {
			continue
		}
		if n++; rec.Start <= 8 && rec.End >= 12 && rec.Strand == '+' {
			right++
		}
	}
	if n < 80 || right < n*9/10 {
		t.Errorf("%d of %d occurrences lie on the planted motif", right, n)
	}
	b.Reset()
	if err := x.WriteMEME(&b); err != nil || !strings.Contains(b.String(), "\nMOTIF for-1 ") {
		t.Errorf("error %v, matrices\n%s", err, &b)
	}
	if _, err := x.sections(); err != nil {
		t.Error(err)
	}
}

// TestSample draws the same sequences whatever their order.
func TestSample(t *testing.T) {
	d := planted(50)
	draw := func(idx []int) map[string]bool {
		out := map[string]bool{}
		for _, i := range sample(d, idx, 10, 3) {
			out[string(d.Seqs[i])] = true
		}
		return out
	}
	idx := upTo(0, 50)
	want := draw(idx)
	rand.New(rand.NewPCG(1, 1)).Shuffle(50, func(i, j int) {
		d.Seqs[i], d.Seqs[j] = d.Seqs[j], d.Seqs[i]
	})
	if got := draw(idx); len(got) != 10 || !reflect.DeepEqual(got, want) {
		t.Errorf("another order draws other sequences: %v, want %v", got, want)
	}
	if got := sample(d, idx, 0, 3); !slices.Equal(got, idx) {
		t.Errorf("no limit: %v", got)
	}
}

func TestHidden(t *testing.T) {
	for _, c := range []struct {
		tss, from, to int
		want          string
	}{
		{2, -1, 1, "ANNT"}, {2, -2, -2, "NCGT"}, {-1, 2, 9, "ANNN"}, {-1, 5, 9, "ACGT"},
	} {
		x := &MotifSearch{TSS: c.tss, Hidden: &Motif{From: c.from, To: c.to}}
		seqs := [][]byte{[]byte("ACGT")}
		old := seqs[0]
		if x.hide(seqs); string(seqs[0]) != c.want || string(old) != "ACGT" {
			t.Errorf("%+v: %s, the original is %s", c, seqs[0], old)
		}
		track := motif.Track{Sequence: seqs[0], Hypothetical: [][]float64{{1, 0, 0, -1}, {1, 0, 0, -1}, {1, 0, 0, -1}, {1, 0, 0, -1}}}
		x.forget([]motif.Track{track})
		for i, h := range track.Hypothetical {
			if (h[0] == 0) != (c.want[i] == 'N') {
				t.Errorf("%+v: contributions %v", c, track.Hypothetical)
			}
		}
	}
}

func TestSpread(t *testing.T) {
	if got, want := spreadOf([]int{-3, -3, -2, 0, 5, 5, 9, 9}), (spread{-2, 5, 9, -3, 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := spreadOf(nil); got != (spread{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

// Matrices are written as Tomtom reads them, byte by byte; what does not count as
// found is left out.
func TestWriteMEME(t *testing.T) {
	found := &motif.Motif{Name: "for-1", Counts: [][]float64{{9, 9, 9, 9}, {1, 0, 0, 36}, {36, 0, 1, 0}}, From: 1, To: 3, E: 1.23456e-22}
	found.Found[motif.Positive] = 37
	x := &MotifSearch{Result: &motif.Result{Background: [4]float64{.3, .2, .2, .3}, Motifs: []*motif.Motif{found, {Name: "for-2", E: 1}}}}
	const body = `
Background letter frequencies
A 0.30000 C 0.20000 G 0.20000 T 0.30000

MOTIF for-1 TA
letter-probability matrix: alength= 4 w= 2 nsites= 37 E= 1.235e-22
 0.034211 0.005263 0.005263 0.955263
 0.955263 0.005263 0.031579 0.007895
`
	for _, strands := range []bool{false, true} {
		x.Result.Options.Strands = strands
		want := "MEME version 4\n\nALPHABET= ACGT\n\nstrands: +\n" + body
		if strands {
			want = strings.Replace(want, ": +", ": + -", 1)
		}
		var b bytes.Buffer
		if err := x.WriteMEME(&b); err != nil || b.String() != want {
			t.Errorf("error %v, got\n%s", err, &b)
		}
	}
}
