package baseline

import (
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"testing"

	"heed/data"
	"heed/format"
	"heed/format/fasta"
	"heed/metric"
)

// promoters reads two files of the CNNProm sets, class 1 first, or skips the
// test if they are not there.
func promoters(t *testing.T, positive, negative string) (seqs [][]byte, labels []int) {
	t.Helper()
	for i, name := range []string{positive, negative} {
		path := filepath.Join("..", "..", "..", "shared", "data", "dna", "cnnprom", name+".fa.gz")
		f, err := format.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			t.Skipf("the CNNProm sequences are not here: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for rec, err := range fasta.Records(path, f) {
			if err != nil {
				t.Fatal(err)
			}
			seqs = append(seqs, rec.Seq)
			labels = append(labels, 1-i)
		}
	}
	return seqs, labels
}

// crossValidate returns the pooled predictions of a stratified 5-fold
// cross-validation.
func crossValidate(t *testing.T, m Classifier, seqs [][]byte, labels []int) [][]float64 {
	t.Helper()
	folds, err := data.KFold(labels, 5, source(2))
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]float64, len(seqs))
	for fold := range 5 {
		train, test := data.Fold(folds, fold)
		var x, unseen [][]byte
		var y []int
		for _, i := range train {
			x, y = append(x, seqs[i]), append(y, labels[i])
		}
		for _, i := range test {
			unseen = append(unseen, seqs[i])
		}
		if err := m.Fit(x, y, 2, source(uint64(fold))); err != nil {
			t.Fatal(err)
		}
		for j, p := range m.Predict(unseen) {
			out[test[j]] = p
		}
	}
	return out
}

// GC content alone separates the CNNProm sets as well as an independent
// measurement found.
func TestFloorGC(t *testing.T) {
	for _, c := range []struct {
		positive, negative string
		auroc              float64
	}{
		{"Ecoli_prom", "Ecoli_non_prom", 0.906},
		{"Bacillus_prom", "Bacillus_non_prom", 0.874},
		{"Mouse_tata", "Mouse_nonprom", 0.828},
	} {
		seqs, labels := promoters(t, c.positive, c.negative)
		var m GC
		if err := m.Fit(seqs, labels, 2, nil); err != nil {
			t.Fatal(err)
		}
		if a := auroc(t, m.Predict(seqs), labels); math.Abs(a-c.auroc) > 0.001 {
			t.Errorf("%s: AUROC %.4f, want %.3f", c.positive, a, c.auroc)
		}
	}
}

// So do the frequencies of words of 1 to 4 letters, measured with another
// implementation and other folds.
func TestFloorKmer(t *testing.T) {
	if testing.Short() {
		t.Skip("several seconds")
	}
	for _, c := range []struct {
		positive, negative string
		mcc                float64
	}{
		{"Ecoli_prom", "Ecoli_non_prom", 0.730},
		{"Bacillus_prom", "Bacillus_non_prom", 0.658},
	} {
		seqs, labels := promoters(t, c.positive, c.negative)
		p := crossValidate(t, &KmerLogistic{}, seqs, labels)
		predicted := make([]int, len(p))
		for i := range p {
			if p[i][1] > p[i][0] {
				predicted[i] = 1
			}
		}
		m, err := metric.NewConfusionMatrix(labels, predicted, 2)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.MCC(); math.Abs(got-c.mcc) > 0.04 {
			t.Errorf("%s: MCC %.3f, want %.3f", c.positive, got, c.mcc)
		}
	}
}
