package motif

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"heed/metric"
)

func TestWindows(t *testing.T) {
	// Contributions 0 0 3 1 0 0 2 0 -4 0 of letters A.
	tr := Track{Sequence: []byte("AAAAAAAAAA"), Hypothetical: matrix(10)}
	for i, v := range []float64{0, 0, 3, 1, 0, 0, 2, 0, -4, 0} {
		tr.Hypothetical[i][0] = v
	}
	o := Options{Window: 3}
	if got, want := windows(&tr, o, false), []window{{1, 4}, {4, 2}}; !slices.Equal(got, want) {
		t.Errorf("for: %v, want %v", got, want)
	}
	if got, want := windows(&tr, o, true), []window{{7, -4}}; !slices.Equal(got, want) {
		t.Errorf("against: %v, want %v", got, want)
	}
	if got := windows(&Track{}, o, false); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}

// TestThreshold draws from a Laplace distribution with the scale 2 around 1, and
// adds outliers far away.
func TestThreshold(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	var values []float64
	for range 10000 {
		x := 2 * r.ExpFloat64()
		if r.IntN(2) == 0 {
			x = -x
		}
		values = append(values, 1+x)
	}
	null := slices.Clone(values)
	// Of the null alone nothing is discovered but what is next to it.
	if th, _ := threshold(slices.Clone(values), null, 0.05); th < 1+2*math.Log(5000) {
		t.Errorf("threshold %v of noise alone", th)
	}
	for range 200 {
		values = append(values, 60+r.Float64())
	}
	for _, limit := range []float64{0.01, 0.1, 0.2} {
		th, fdr := threshold(slices.Clone(values), null, limit)
		// 5000·exp(-(t-1)/2) of the null and 200 others: limit where the null is
		// limit/(1-limit) of 200.
		want := 1 + 2*math.Log(5000*(1-limit)/limit/200)
		if math.Abs(th-want) > 1 || !(fdr <= limit && fdr > limit/2) {
			t.Errorf("limit %v: threshold %v, rate %v; want about %v", limit, th, fdr, want)
		}
	}
	if th, _ := threshold(values, nil, 0.2); !math.IsInf(th, 1) {
		t.Errorf("without a null: %v", th)
	}
	for _, v := range [][]float64{nil, {0, 0, 0}, {-1, -2, -3}} {
		if th, fdr := threshold(slices.Clone(v), []float64{-1, 0, 1}, 0.2); !math.IsInf(th, 1) || fdr != 0 {
			t.Errorf("of %v: %v, %v", v, th, fdr)
		}
	}
	// Where most windows are alike, any other is a discovery.
	if th, fdr := threshold([]float64{0, 0, 0, 0, 3}, []float64{0, 0, 0}, 0.2); th != 3 || fdr != 0 {
		t.Errorf("of a single window: %v, %v", th, fdr)
	}
}

// TestLinkage compares chains of nearest neighbours with the definition: join
// the two clusters of the highest mean similarity until it is below the cut.
func TestLinkage(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for trial := range 30 {
		n := 3 + r.IntN(25)
		sim := make([]float32, n*n)
		for i := range n {
			for j := range i {
				s := r.Float32()
				sim[i*n+j], sim[j*n+i] = s, s
			}
		}
		const cut = 0.55
		naive := make([][]int, n)
		for i := range n {
			naive[i] = []int{i}
		}
		for {
			bi, bj, best := -1, -1, float64(cut)
			for i := range naive {
				for j := range i {
					sum := 0.0
					for _, a := range naive[i] {
						for _, b := range naive[j] {
							sum += float64(sim[a*n+b])
						}
					}
					if s := sum / float64(len(naive[i])*len(naive[j])); s >= best {
						bi, bj, best = i, j, s
					}
				}
			}
			if bi < 0 {
				break
			}
			naive[bj] = append(naive[bj], naive[bi]...)
			naive = slices.Delete(naive, bi, bi+1)
		}
		text := func(c [][]int) []string {
			var out []string
			for _, m := range c {
				m = slices.Sorted(slices.Values(m))
				var b strings.Builder
				for _, i := range m {
					b.WriteByte(byte('a' + i))
				}
				out = append(out, b.String())
			}
			slices.Sort(out)
			return out
		}
		got := linkage(slices.Clone(sim), n, cut)
		if a, b := text(got), text(naive); !slices.Equal(a, b) {
			t.Errorf("trial %d: clusters %v, want %v", trial, a, b)
		}
		for i := 1; i < len(got); i++ {
			if len(got[i]) > len(got[i-1]) {
				t.Errorf("trial %d: a cluster of %d after one of %d", trial, len(got[i]), len(got[i-1]))
			}
		}
	}
}

func TestSimilar(t *testing.T) {
	flat := func(s string) []float64 {
		var out []float64
		for i := range len(s) {
			row := make([]float64, 4)
			if k := code(s[i]); k >= 0 {
				row[k] = 1
			}
			out = append(out, row...)
		}
		return out
	}
	for _, c := range []struct {
		a, b   string
		shifts int
		want   float64
	}{
		{"TATAAT", "TATAAT", 2, 1},
		{"..CATG", "CATG..", 2, 1},
		{"..CATG", "CATG..", 1, 0},
		{"ACGT..", "ACGA..", 0, 0.75},
		{"......", "TATAAT", 3, 0},
	} {
		for _, s := range []float64{similar(flat(c.a), flat(c.b), c.shifts), similar(flat(c.b), flat(c.a), c.shifts)} {
			if math.Abs(s-c.want) > 1e-12 {
				t.Errorf("%s and %s, %d shifts: %v, want %v", c.a, c.b, c.shifts, s, c.want)
			}
		}
	}
}

func TestMerge(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 9))
	profile := func() []float64 {
		p := make([]float64, 4*16)
		for i := 16; i < 48; i++ {
			p[i] = r.NormFloat64()
		}
		return p
	}
	a, b := profile(), profile()
	moved := slices.Concat(a[8:], make([]float64, 8)) // by two letters
	turned := slices.Concat(reverseComplement(rows(a))...)
	f := finder{o: Options{}.complete()}
	if got := f.merge([][]float64{a, b, moved, turned}); len(got) != 3 || !slices.Equal(got[0], a) || !slices.Equal(got[1], b) || !slices.Equal(got[2], turned) {
		t.Errorf("one strand: %d profiles, want a, b and the other strand of a", len(got))
	}
	f.o.Strands = true
	if got := f.merge([][]float64{a, b, moved, turned}); len(got) != 2 {
		t.Errorf("both strands: %d profiles, want 2", len(got))
	}
}

// TestRankSum compares with the exact probability over all ways to divide the
// values, and with worked cases.
func TestRankSum(t *testing.T) {
	exact := func(a, b []float64) float64 {
		all := slices.Concat(a, b)
		ranks := metric.MidRanks(all)
		own, count, total := 0.0, 0, 0
		for i := range a {
			own += ranks[i]
		}
		for set := range 1 << len(all) {
			if bits.OnesCount(uint(set)) != len(a) {
				continue
			}
			sum := 0.0
			for i, r := range ranks {
				if set>>i&1 == 1 {
					sum += r
				}
			}
			total++
			if sum >= own-1e-9 {
				count++
			}
		}
		return float64(count) / float64(total)
	}
	r := rand.New(rand.NewPCG(6, 6))
	for trial := range 40 {
		a, b := make([]float64, 8), make([]float64, 9)
		for i := range a {
			a[i] = float64(r.IntN(6)) + float64(trial%4)/2
		}
		for i := range b {
			b[i] = float64(r.IntN(6))
		}
		if got, want := rankSum(a, b), exact(a, b); math.Abs(got-want) > 0.03 {
			t.Errorf("%v and %v: %v, exactly %v", a, b, got, want)
		}
	}
	for _, c := range []struct {
		a, b []float64
		want float64
	}{
		{[]float64{0, 0}, []float64{0, 0, 0}, 1},
		{nil, []float64{1}, math.NaN()},
		{[]float64{1}, nil, math.NaN()},
	} {
		if got := rankSum(c.a, c.b); got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%v and %v: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func TestTrimAndInformation(t *testing.T) {
	even := [4]float64{0.25, 0.25, 0.25, 0.25}
	m := &Motif{Counts: matrix(8)}
	for i := range m.Counts {
		copy(m.Counts[i], []float64{25, 25, 25, 25})
	}
	if from, to := m.trim(even); from != 0 || to != 8 {
		t.Errorf("without information: [%d, %d), want all", from, to)
	}
	for i, c := range "TATA" {
		copy(m.Counts[2+i], []float64{1, 1, 1, 1})
		m.Counts[2+i][code(byte(c))] = 97
	}
	copy(m.Counts[4], []float64{25, 25, 25, 25}) // a gap inside stays
	m.From, m.To = m.trim(even)
	if m.From != 2 || m.To != 6 {
		t.Errorf("trimmed to [%d, %d), want [2, 6)", m.From, m.To)
	}
	if c := m.Consensus(); c != "TAaA" {
		t.Errorf("consensus %q, want TAaA", c)
	}
	// 2 - entropy of (.97, .01, .01, .01), with one letter more.
	information := Information(m.Probabilities(even), even)
	p, q := 97.25/101, 1.25/101
	if want := 2 + p*math.Log2(p) + 3*q*math.Log2(q); math.Abs(information[2]-want) > 1e-12 || math.Abs(information[0]) > 1e-12 {
		t.Errorf("information %v, want %v and 0", information, want)
	}
	for i := range m.Counts {
		copy(m.Counts[i], []float64{25, 25, 25, 25})
	}
	copy(m.Counts[7], []float64{97, 1, 1, 1})
	if from, to := m.trim(even); from != 5 || to != 8 {
		t.Errorf("one column: [%d, %d), want three", from, to)
	}
	m.From, m.To = 1, 4
	if a, b := m.At(Seqlet{Start: 10}); a != 11 || b != 14 {
		t.Errorf("forward at [%d, %d), want [11, 14)", a, b)
	}
	if a, b := m.At(Seqlet{Start: 10, Reverse: true}); a != 14 || b != 17 {
		t.Errorf("reverse at [%d, %d), want [14, 17)", a, b)
	}
}

func TestConsensus(t *testing.T) {
	tata, err := ParseConsensus("TATAWAr")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(tata[0], []float64{0, 0, 0, 1}) || !slices.Equal(tata[4], []float64{0.5, 0, 0, 0.5}) || !slices.Equal(tata[6], []float64{0.5, 0, 0.5, 0}) {
		t.Errorf("TATAWAr: %v", tata)
	}
	for s, want := range map[string]string{
		"TA":     `consensus "TA": want 3 letters or more`,
		"TATAXA": `consensus "TATAXA": 'X' is no letter of the IUPAC code`,
		"TA-A":   `consensus "TA-A": '-' is no letter of the IUPAC code`,
		"NNN":    `consensus "NNN": any letter is allowed everywhere`,
	} {
		if _, err := ParseConsensus(s); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", s, err, want)
		}
	}
	long, _ := ParseConsensus("CCTATAATCC")
	word, _ := ParseConsensus("TATAAT")
	if m := Correlate(long, word, false); math.Abs(m.R-1) > 1e-12 || m.Column != 2 || m.Reverse {
		t.Errorf("match %+v", m)
	}
	if m := Correlate(reverseComplement(long), word, true); math.Abs(m.R-1) > 1e-12 || m.Column != 2 || !m.Reverse {
		t.Errorf("match %+v on the other strand", m)
	}
	if m := Correlate(word, long, false); !math.IsNaN(m.R) {
		t.Errorf("a long consensus: %+v", m)
	}
	if m := Correlate(matrix(9), word, false); m.R != 0 {
		t.Errorf("a constant matrix: %+v", m)
	}
	f := ShuffledFloor([][][]float64{word, long}, word, false, 999, rand.New(rand.NewPCG(1, 1)))
	if f.P < 0.05 { // TATAAT itself is among the matrices and has few orders
		t.Errorf("floor %+v", f)
	}
	f = ShuffledFloor([][][]float64{long}, word, false, 999, rand.New(rand.NewPCG(1, 1)))
	if !(f.Median < f.High && f.High <= 1 && f.P < 0.05 && f.P >= 0.001) {
		t.Errorf("floor %+v", f)
	}
	if i, m := Best([][][]float64{matrix(3), matrix(9), long}, word, false); i != 2 || m.Column != 2 {
		t.Errorf("best is %d, %+v", i, m)
	}
	if i, m := Best([][][]float64{matrix(3)}, word, false); i != -1 || !math.IsNaN(m.R) {
		t.Errorf("best of nothing that fits is %d, %+v", i, m)
	}
	if string(fmtConsensus(long)) != "CCTATAATCC" {
		t.Error("the matrix was changed")
	}
}

func fmtConsensus(m [][]float64) []byte {
	var out []byte
	for _, row := range m {
		out = append(out, Letters[slices.Index(row, slices.Max(row))])
	}
	return out
}

func TestOptions(t *testing.T) {
	if err := (Options{}).Validate(); err != nil {
		t.Error(err)
	}
	for want, o := range map[string]Options{
		"window 2: want 3 to 100 letters":     {Window: 2},
		"flank -1: want 1 to 100 letters":     {Flank: -1},
		"fdr 1: want a share in (0, 1)":       {FDR: 1},
		"similar -1: want a cosine in (0, 1)": {Similar: -1},
		"least 2: want 3 seqlets or more":     {Least: 2},
	} {
		if err := o.Validate(); err == nil || err.Error() != want {
			t.Errorf("%+v: %v, want %s", o, err, want)
		}
	}
}
