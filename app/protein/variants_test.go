package protein

import (
	"context"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"heed/autograd"
	"heed/format/dms"
	"heed/metric"
	"heed/model/esm"
)

func tinyModel(t *testing.T) (*encoderFile, *encoderModel) {
	t.Helper()
	f, err := readEncoderFile(encoder(t, tinyConfig, nil))
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.load()
	if err != nil {
		t.Fatal(err)
	}
	return f, m
}

// Masked marginals are those of a pass with one mask, whatever is in the batch;
// wild-type marginals those of one pass without.
func TestSiteScores(t *testing.T) {
	_, m := tinyModel(t)
	ids, _, err := esm.Encode("MKTVRQERLKSI")
	if err != nil {
		t.Fatal(err)
	}
	p := Protein{ID: "one", IDs: ids}
	byHand := func(masked bool, at int, to byte) float64 {
		in := slices.Clone(ids)
		if masked {
			in[at+1] = esm.Mask
		}
		tape := &autograd.Tape{NoGrad: true}
		logits := m.sequence.Logits(tape, m.sequence.Encode(tape, esm.Pack(in))).Data[(at+1)*esm.Tokens:]
		return float64(logits[tokenOf(to)]) - float64(logits[ids[at+1]])
	}
	all := []int{0, 3, 7, 11}
	for _, masked := range []bool{true, false} {
		var first siteScores
		for _, tokens := range []int{1, 30, 4096} {
			got, err := m.siteScores(context.Background(), p, all, masked, &memoryPlan{Tokens: tokens}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = got
			}
			for _, i := range all {
				if !slices.Equal(got[i], first[i]) {
					t.Errorf("position %d depends on the batch", i)
				}
				for a, letter := range []byte(dms.Letters) {
					if want := byHand(masked, i, letter); math.Abs(got[i][a]-want) > 1e-5 {
						t.Errorf("masked %t, position %d, %c: %v, want %v", masked, i, letter, got[i][a], want)
					}
				}
			}
		}
		if got := first.Score([]Change{{0, 'M'}, {3, 'V'}}); got != 0 {
			t.Errorf("no change scores %v", got)
		}
		if got, want := first.Score([]Change{{0, 'A'}, {3, 'C'}}), byHand(masked, 0, 'A')+byHand(masked, 3, 'C'); math.Abs(got-want) > 1e-5 {
			t.Errorf("two changes score %v, want %v", got, want)
		}
	}
}

// A residue that is not known has nothing to compare with.
func TestUnknownResidue(t *testing.T) {
	_, m := tinyModel(t)
	ids, _, err := esm.Encode("MXT")
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.siteScores(context.Background(), Protein{IDs: ids}, []int{0, 1}, true, &memoryPlan{Tokens: 9}, nil)
	if err != nil || !math.IsNaN(s[1][4]) || math.IsNaN(s[0][4]) {
		t.Errorf("%v, %v", s, err)
	}
	if rows, err := changes("x", []dms.Variant{{Name: "X2A", Line: 3, Substitutions: []dms.Substitution{{From: 'A', Position: 2, To: 'C'}}}}, "p", []byte("MXT"), 1); err == nil {
		t.Errorf("%v", rows)
	}
}

// Measurements made of the model's own scores correlate with it, above floors.
func TestVariantCorrelation(t *testing.T) {
	seq := []byte("MKTVRQERLK")
	r := rand.New(rand.NewPCG(1, 2))
	sites := siteScores{}
	var list []dms.Variant
	for i, wild := range seq {
		x := make([]float64, len(dms.Letters))
		for a := range x {
			x[a] = r.NormFloat64()
		}
		sites[i] = x
		for a, to := range []byte(dms.Letters) {
			if to != wild {
				list = append(list, dms.Variant{Name: "v", Substitutions: []dms.Substitution{{From: wild, Position: i + 1, To: to}}, Score: x[a] + 0.1*r.NormFloat64()})
			}
		}
	}
	where, err := changes("x.csv", list, "p", seq, 1)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := newVariantTable(list, where, seq, "model", sites, nil).compare(1)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"model", "BLOSUM62", "hydrophobicity", "position mean", "measured position mean"} {
		if rows[i].Method != want || rows[i].Variants != 190 {
			t.Errorf("row %d is %+v, want %s", i, rows[i], want)
		}
	}
	if s := rows[0].Spearman; !(s.Estimate > 0.98 && s.Low > 0.97 && s.Low < s.Estimate) {
		t.Errorf("the model: %+v", s)
	}
	if s := rows[1]; !(math.Abs(s.Spearman.Estimate) < 0.3 && s.Less.Low > 0.5 && s.Floor) {
		t.Errorf("a floor: %+v", s)
	}
	if d := rows[1].Less.Estimate - (rows[0].Spearman.Estimate - rows[1].Spearman.Estimate); math.Abs(d) > 1e-12 {
		t.Errorf("the difference is off by %v", d)
	}
}

// The contacts of a structure that one head makes are found by that head.
func TestFitHeadFindsTheHead(t *testing.T) {
	_, m := tinyModel(t)
	r := rand.New(rand.NewPCG(3, 4))
	var list []headExample
	for range 4 {
		const n = 40
		seq := make([]byte, n)
		for i := range seq {
			seq[i] = dms.Letters[r.IntN(20)]
		}
		ids, _, err := esm.Encode(string(seq))
		if err != nil {
			t.Fatal(err)
		}
		e := headExample{protein: Protein{IDs: ids}, Evaluated: Evaluated{Name: "p", Length: n, Truth: &Truth{Touch: make([]metric.Touch, n*n)}}}
		m.maps(e.protein, esm.Work{}, func(layer, head int, a []float32) {
			if layer != 1 || head != 0 {
				return
			}
			esm.Correct(a, n)
			var values []float32
			for i := range n {
				for j := i + nearest; j < n; j++ {
					values = append(values, a[i*n+j])
				}
			}
			slices.Sort(values)
			limit := values[len(values)-40]
			for i := range a {
				e.Truth.Touch[i] = metric.Apart
				if a[i] >= limit {
					e.Truth.Touch[i] = metric.Contact
				}
			}
		})
		list = append(list, e)
	}
	f, err := choosePairs(list, 1<<20, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.at) != 4*34*35/2 {
		t.Errorf("%d pairs", len(f.at))
	}
	if err := f.fill(context.Background(), m, list, esm.Work{Rows: 16}, func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	h, err := f.fit(context.Background(), 5, 1, func(int) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	for k, w := range h.Weight {
		if k != 2 && math.Abs(w) > h.Weight[2]/4 {
			t.Errorf("head %d has weight %v, that of the truth %v", k, w, h.Weight[2])
		}
	}
	maps, err := f.crossValidate(context.Background(), m, list, 4, 5, esm.Work{}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := EvaluateMaps(maps, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range rows {
		if x.Name == "mean" && x.Range.Name == "all" && x.Method == "predicted" && !(x.At[0].Estimate > 0.9) {
			t.Errorf("held out: %+v", x.At)
		}
	}
	// In less memory all contacts stay, and the others weigh what is missing.
	few, err := choosePairs(list, 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	contacts, weight := 0, 0.0
	for i, yes := range few.contact {
		if yes {
			contacts++
		}
		weight += few.weight[i]
	}
	if contacts != 160 || len(few.at) > 1100 || math.Abs(weight-float64(len(f.at))) > 300 {
		t.Errorf("%d contacts, %d pairs of weight %v", contacts, len(few.at), weight)
	}
}
