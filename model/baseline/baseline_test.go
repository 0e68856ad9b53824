package baseline

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"heed/metric"
)

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// random returns n sequences of random letters.
func random(r *rand.Rand, n, length int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = make([]byte, length)
		for p := range out[i] {
			out[i][p] = "ACGT"[r.IntN(4)]
		}
	}
	return out
}

// halves labels n sequences 0 1 0 1 ...
func halves(n int) []int {
	y := make([]int, n)
	for i := range y {
		y[i] = i % 2
	}
	return y
}

func auroc(t *testing.T, p [][]float64, labels []int) float64 {
	t.Helper()
	score := make([]float64, len(p))
	positive := make([]bool, len(p))
	for i := range p {
		score[i] = p[i][1]
		positive[i] = labels[i] == 1
	}
	b, err := metric.NewBinary(score, positive)
	if err != nil {
		t.Fatal(err)
	}
	return b.AUROC()
}

func classifiers() map[string]Classifier {
	return map[string]Classifier{"GC": &GC{}, "KmerLogistic": &KmerLogistic{}, "PositionLogistic": &PositionLogistic{}}
}

func TestFitErrors(t *testing.T) {
	two := [][]byte{[]byte("ACGT"), []byte("TTTT")}
	for _, c := range []struct {
		seqs    [][]byte
		labels  []int
		classes int
		want    string
	}{
		{two, []int{0}, 2, "baseline: 2 sequences but 1 labels"},
		{two, []int{0, 1}, 1, "baseline: 1 classes: want 2 or more"},
		{nil, nil, 2, "baseline: no sequences to train on"},
		{two, []int{0, 2}, 2, "baseline: label 2 of sequence 1: want 0 to 1"},
		{two, []int{-1, 1}, 2, "baseline: label -1 of sequence 0: want 0 to 1"},
		{two, []int{1, 1}, 2, "baseline: no sequence of class 0 to train on"},
	} {
		for name, m := range classifiers() {
			if err := m.Fit(c.seqs, c.labels, c.classes, source(1)); err == nil || err.Error() != c.want {
				t.Errorf("%s: error %v, want %s", name, err, c.want)
			}
		}
	}
	var m PositionLogistic
	err := m.Fit([][]byte{[]byte("ACGT"), []byte("ACG")}, []int{0, 1}, 2, source(1))
	if want := "baseline: sequence 1 has 3 letters, sequence 0 has 4: weights by position need one length"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	err = m.Fit([][]byte{{}, {}}, []int{0, 1}, 2, source(1))
	if want := "baseline: sequences without letters"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// Probabilities sum to 1 and are the same for either case, for U and in a second
// run; inputs stay as they are; unknown letters, sequences of other lengths and
// empty ones give no NaN.
func TestClassifiers(t *testing.T) {
	r := source(2)
	seqs := random(r, 60, 30)
	labels := make([]int, len(seqs))
	for i := range seqs {
		labels[i] = i % 3
		seqs[i][5] = "ACG"[i%3]
		seqs[i][r.IntN(30)] = 'N'
	}
	lower := make([][]byte, len(seqs))
	for i, s := range seqs {
		lower[i] = bytes.ReplaceAll(bytes.ToLower(s), []byte("t"), []byte("u"))
	}
	odd := [][]byte{nil, []byte("NNNN"), []byte("A"), []byte("ACGTACGTACGTACGTACGTACGTACGTACGTACGT"), []byte("..-*\x00\xff")}
	again := classifiers()
	for name, m := range classifiers() {
		before := slices.Concat(seqs...)
		if err := m.Fit(seqs, labels, 3, source(3)); err != nil {
			t.Fatal(err)
		}
		if err := again[name].Fit(lower, labels, 3, source(3)); err != nil {
			t.Fatal(err)
		}
		p, q := m.Predict(seqs), again[name].Predict(lower)
		if !bytes.Equal(before, slices.Concat(seqs...)) {
			t.Errorf("%s changes its input", name)
		}
		for i := range p {
			if !slices.Equal(p[i], q[i]) {
				t.Fatalf("%s: sequence %d: %v in upper, %v in lower case", name, i, p[i], q[i])
			}
		}
		for i, row := range slices.Concat(p, m.Predict(odd)) {
			sum := 0.0
			for _, v := range row {
				if !(v >= 0 && v <= 1) {
					t.Errorf("%s: sequence %d: %v", name, i, row)
				}
				sum += v
			}
			if math.Abs(sum-1) > 1e-12 {
				t.Errorf("%s: sequence %d: %v add up to %v", name, i, row, sum)
			}
		}
		if n := len(m.Predict(nil)); n != 0 {
			t.Errorf("%s: %d predictions of nothing", name, n)
		}
	}
}

// One example of each class is enough to fit.
func TestTiny(t *testing.T) {
	seqs := [][]byte{[]byte("AAAAAAAA"), []byte("GGGGGGGG")}
	for name, m := range classifiers() {
		if err := m.Fit(seqs, []int{0, 1}, 2, source(1)); err != nil {
			t.Fatal(err)
		}
		if p := m.Predict(seqs); !(p[0][0] > 0.5 && p[1][1] > 0.5) {
			t.Errorf("%s: %v", name, p)
		}
	}
}

func TestGC(t *testing.T) {
	seqs := [][]byte{[]byte("AAAC"), []byte("aaccNN"), []byte("ACGG"), []byte("CCGG"), []byte("NN")}
	var m GC
	if err := m.Fit(seqs, []int{0, 0, 1, 1, 1}, 2, nil); err != nil {
		t.Fatal(err)
	}
	// Contents are 1/4, 1/2 and 3/4, 1; the border lies midway between the
	// inner ones, and the slope is (7/8-3/8)/(1/8)² = 32.
	if m.Mean[0] != 0.375 || m.Mean[1] != 0.875 || m.Variance != 1./64 || m.Threshold != 0.625 {
		t.Errorf("%+v", m)
	}
	p := m.Predict([][]byte{[]byte("ACGG"), []byte("NN"), []byte("AACC")})
	for i, want := range []float64{1 / (1 + math.Exp(-4)), 0.5, 1 / (1 + math.Exp(4))} {
		if math.Abs(p[i][1]-want) > 1e-12 || math.Abs(p[i][0]+p[i][1]-1) > 1e-12 {
			t.Errorf("sequence %d: %v, want %v", i, p[i], want)
		}
	}
	// The same with the classes exchanged: the score falls with GC.
	if err := m.Fit(seqs, []int{1, 1, 0, 0, 0}, 2, nil); err != nil {
		t.Fatal(err)
	}
	q := m.Predict([][]byte{[]byte("ACGG"), []byte("AACC")})
	if m.Threshold != 0.625 || math.Abs(q[0][0]-p[0][1]) > 1e-12 || math.Abs(q[1][0]-p[2][1]) > 1e-12 {
		t.Errorf("%+v %v", m, q)
	}
	// A threshold away from the middle of the means: one class is spread out.
	seqs = [][]byte{[]byte("AAAA"), []byte("AAAA"), []byte("AAAC"), []byte("AACC"), []byte("CCCC")}
	if err := m.Fit(seqs, []int{0, 0, 1, 1, 1}, 2, nil); err != nil {
		t.Fatal(err)
	}
	if p := m.Predict(seqs); m.Threshold != 0.125 || !(p[2][1] > 0.5 && p[1][1] < 0.5) {
		t.Errorf("%+v %v", m, p)
	}
}

// With three classes the nearest mean wins.
func TestGCNearestMean(t *testing.T) {
	seqs := [][]byte{[]byte("AAAAAAAAAA"), []byte("AAAAAAAACC"), []byte("AAAACCCCCC"), []byte("AAAAAACCCC"), []byte("CCCCCCCCCC"), []byte("AACCCCCCCC")}
	var m GC // means 0.1, 0.5, 0.9
	if err := m.Fit(seqs, []int{0, 0, 1, 1, 2, 2}, 3, nil); err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(m.Threshold) || math.Abs(m.Variance-0.01) > 1e-15 {
		t.Errorf("%+v", m)
	}
	p := m.Predict([][]byte{[]byte("AAAAAAACCC"), []byte("AAAAAAACCCCCCC"), []byte("G"), []byte("N")})
	// 0.3 is as near to the first as to the second.
	if math.Abs(p[0][0]-p[0][1]) > 1e-9 || p[0][2] > 1e-3 {
		t.Errorf("%v", p[0])
	}
	if p[1][1] < 0.99 || p[2][2] < 0.99 || math.Abs(p[3][0]-1./3) > 1e-12 {
		t.Errorf("%v", p)
	}
}

func TestGCUnknownOnly(t *testing.T) {
	var m GC
	if err := m.Fit([][]byte{[]byte("NN"), []byte("ACGT")}, []int{0, 1}, 2, nil); err != nil {
		t.Fatal(err)
	}
	if p := m.Predict([][]byte{[]byte("GG")}); p[0][0] != 0.5 {
		t.Errorf("%v", p)
	}
}

func TestFrequencies(t *testing.T) {
	x := frequencies([][]byte{[]byte("acgTNAC"), []byte("AC")})
	want := map[int]float64{ // index of the word: A 0 ... T 3, AA 4 ... TT 19, AAA 20 ..., AAAA 84 ...
		0: 2. / 6, 1: 2. / 6, 2: 1. / 6, 3: 1. / 6,
		4 + 1: 2. / 4, 4 + 6: 1. / 4, 4 + 11: 1. / 4,
		20 + 6: 1. / 2, 20 + 27: 1. / 2,
		84 + 27: 1,
	}
	for f, v := range x[0] {
		if v != want[f] {
			t.Errorf("word %d: %v, want %v", f, v, want[f])
		}
	}
	if x[1][0] != 0.5 || x[1][5] != 1 || !math.IsNaN(x[1][20]) || !math.IsNaN(x[1][kmers-1]) {
		t.Errorf("two letters: %v", x[1])
	}
}

// A planted word is found among 340, wherever it lies; weights by position do not
// see it.
func TestPlantedWord(t *testing.T) {
	r := source(5)
	seqs := random(r, 500, 60)
	labels := halves(len(seqs))
	for i, s := range seqs {
		if labels[i] == 1 {
			for range 3 {
				copy(s[r.IntN(57):], "GATC")
			}
		}
	}
	var m KmerLogistic
	if err := m.Fit(seqs[:300], labels[:300], 2, source(6)); err != nil {
		t.Fatal(err)
	}
	if a := auroc(t, m.Predict(seqs[300:]), labels[300:]); a < 0.97 {
		t.Errorf("AUROC %.3f", a)
	}
	words := m.Kmers(1)
	if len(words) != kmers || words[0].Word != "GATC" || words[0].Weight < words[1].Weight*1.2 {
		t.Errorf("best words %v", words[:4])
	}
	if w := m.Kmers(0)[kmers-1]; w.Word != "GATC" || math.Abs(w.Weight+words[0].Weight) > 1e-3 {
		t.Errorf("the other class has %v", w)
	}
	var blind PositionLogistic
	if err := blind.Fit(seqs[:300], labels[:300], 2, source(6)); err != nil {
		t.Fatal(err)
	}
	if a := auroc(t, blind.Predict(seqs[300:]), labels[300:]); a > 0.75 {
		t.Errorf("weights by position reach AUROC %.3f", a)
	}
}

// A letter preferred at one place is found there, and is too little for words.
func TestPlantedPlace(t *testing.T) {
	r := source(7)
	seqs := random(r, 500, 40)
	labels := halves(len(seqs))
	for i, s := range seqs {
		if labels[i] == 1 && r.IntN(10) > 0 {
			s[17] = 'g'
		}
	}
	var m PositionLogistic
	if err := m.Fit(seqs[:300], labels[:300], 2, source(8)); err != nil {
		t.Fatal(err)
	}
	if a := auroc(t, m.Predict(seqs[300:]), labels[300:]); a < 0.8 {
		t.Errorf("AUROC %.3f", a)
	}
	w := m.Matrix(1)
	if len(w) != 40 {
		t.Fatalf("%d places", len(w))
	}
	for p := range w {
		sum := 0.0
		for a, v := range w[p] {
			sum += v
			if (p != 17 || a != 2) && v > w[17][2]/2 {
				t.Errorf("weight %.3f at place %d, letter %d; the planted one has %.3f", v, p, a, w[17][2])
			}
		}
		if math.Abs(sum) > 1e-12 {
			t.Errorf("place %d adds up to %v", p, sum)
		}
	}
	var words KmerLogistic
	if err := words.Fit(seqs[:300], labels[:300], 2, source(8)); err != nil {
		t.Fatal(err)
	}
	if a := auroc(t, words.Predict(seqs[300:]), labels[300:]); a > 0.75 {
		t.Errorf("words reach AUROC %.3f", a)
	}
}
