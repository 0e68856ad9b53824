package esm

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
)

// In pieces of any size, on any number of cores, a pass has the bits of the whole.
func TestStreamIsEach(t *testing.T) {
	m := random(Config{Layers: 2, Dim: 24, Heads: 4, FFN: 32, TokenDropout: true, Contacts: true})
	masked := protein(37)
	masked[5], masked[9] = Mask, Mask
	b := Pack(protein(70), masked, protein(0))
	var want [][]float32
	m.Each(b, 1, nil, func(_ int, x []float32) { want = append(want, slices.Clone(x)) })
	for _, w := range []Work{{}, {Cores: 2}, {Rows: 1}, {Rows: 7, Cores: 3}, {Rows: 64}, {Rows: 1000}} {
		m.Stream(b, w, nil, func(layer int, x []float32) {
			if !slices.Equal(x, want[layer]) {
				t.Fatalf("%+v: layer %d differs from Each", w, layer)
			}
		})
	}
}

func tinyMSA(t *testing.T) (*MSA, [][]int32) {
	t.Helper()
	m, _, err := LoadMSA(randomMSA(MSAConfig{Layers: 1, Dim: 16, Heads: 2, FFN: 24, MaxColumns: 60, MaxRows: 20, RowWidth: 16, Contacts: true}), 2)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]int32
	for i := range 11 {
		row := protein(45)
		row = row[:len(row)-1]
		for j := 1; j < len(row); j++ {
			row[j] = 4 + (row[j]+int32(i*j)%5)%20
		}
		rows = append(rows, row)
	}
	return m, rows
}

// The same for alignments, whose row attention is summed in another order than that
// of Each: equal among pieces to the bit, and with Each to rounding.
func TestStreamMSAIsEach(t *testing.T) {
	m, rows := tinyMSA(t)
	var want [][]float32
	m.Each(rows, 1, false, nil, func(_ int, x []float32) { want = append(want, slices.Clone(x)) })
	var first [][]float32
	for i, w := range []Work{{}, {Cores: 2}, {Rows: 1}, {Rows: 7, Cores: 3}, {Rows: 100}, {Rows: 10000}} {
		m.Stream(rows, w, nil, func(layer int, x []float32) {
			if i == 0 {
				first = append(first, slices.Clone(x))
				near(t, "hidden states", x, want[layer], 2e-6)
			} else if !slices.Equal(x, first[layer]) {
				t.Errorf("%+v: layer %d depends on the pieces", w, layer)
			}
		})
	}
}

func near(t *testing.T, what string, got, want []float32, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= bound) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// Maps are the weights that a probe sees, without the ends.
func TestMaps(t *testing.T) {
	m := random(Config{Layers: 2, Dim: 24, Heads: 4, FFN: 32, TokenDropout: true})
	ids := protein(50)
	n, l := len(ids), len(ids)-2
	var want []float32
	m.Encode(&autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
		if strings.HasSuffix(name, ".weights") {
			for h := range 4 {
				for i := range l {
					want = append(want, v.Data[(h*n+i+1)*n+1:][:l]...)
				}
			}
		}
	}}, Pack(ids))
	var got []float32
	m.Maps(ids, Work{Rows: 16, Cores: 2}, func(layer, head int, a []float32) {
		if layer*4+head != len(got)/(l*l) {
			t.Errorf("layer %d, head %d out of order", layer, head)
		}
		got = append(got, a...)
	})
	near(t, "maps", got, want, 1e-6)

	msa, rows := tinyMSA(t)
	c := len(rows[0])
	want, got = nil, nil
	msa.Each(rows, 1, true, func(name string, v *autograd.Var) {
		if strings.HasSuffix(name, ".row.weights") {
			for h := range 2 {
				for i := range c - 1 {
					want = append(want, v.Data[(h*c+i+1)*c+1:][:c-1]...)
				}
			}
		}
	}, func(int, []float32) {})
	msa.Maps(rows, Work{Rows: 50}, func(_, _ int, a []float32) { got = append(got, a...) })
	near(t, "maps of rows", got, want, 2e-6)
}

// The contact head is linear in corrected maps.
func TestCorrect(t *testing.T) {
	m := random(Config{Layers: 2, Dim: 24, Heads: 4, FFN: 32, TokenDropout: true, Contacts: true})
	ids := protein(40)
	sum := make([]float64, 40*40)
	m.Maps(ids, Work{}, func(layer, head int, a []float32) {
		Correct(a, 40)
		for i, v := range a {
			sum[i] += float64(v) * float64(m.Contact.Weight.Data[layer*4+head])
		}
	})
	want, err := m.Contacts(ids, Work{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range sum {
		sum[i] = 1 / (1 + math.Exp(-sum[i]-float64(m.Contact.Bias.Data[0])))
		if math.Abs(sum[i]-float64(want.Data[i])) > 1e-5 {
			t.Fatalf("pair %d: %v, the contact head says %v", i, sum[i], want.Data[i])
		}
	}
}

// The masked-token head at some rows is that at all rows.
func TestLogProbabilities(t *testing.T) {
	m := random(Config{Layers: 2, Dim: 24, Heads: 4, FFN: 32, TokenDropout: true})
	ids := protein(30)
	ids[7] = Mask
	b := Pack(protein(9), ids)
	tape := &autograd.Tape{NoGrad: true}
	logits := m.Logits(tape, m.Encode(tape, b))
	got := m.LogProbabilities(b, []int{3, 11 + 7}, Work{Rows: 5})
	for i, r := range []int{3, 11 + 7} {
		sum := 0.0
		for k := range Tokens {
			p := got[i*Tokens+k]
			sum += math.Exp(p)
			if d := p - got[i*Tokens] - float64(logits.Data[r*Tokens+k]) + float64(logits.Data[r*Tokens]); math.Abs(d) > 1e-5 {
				t.Errorf("row %d, token %d differs by %v", r, k, d)
			}
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("probabilities of row %d sum to %v", r, sum)
		}
	}
}

func TestLogProbabilitiesOfAlignment(t *testing.T) {
	m, rows := tinyMSA(t)
	rows[0][7] = Mask
	c, d := len(rows[0]), m.Config.Dim
	var logits []float32
	m.Each(rows, 1, false, nil, func(layer int, x []float32) {
		if layer == len(m.Layers) {
			logits = m.Logits(&autograd.Tape{NoGrad: true}, autograd.Input(slices.Clone(x), len(rows)*c, d)).Data
		}
	})
	got := m.LogProbabilities(rows, []int{7, 20}, Work{Rows: 90})
	for i, column := range []int{7, 20} {
		want := logits[column*Tokens:]
		for k := range Tokens {
			if d := got[i*Tokens+k] - got[i*Tokens] - float64(want[k]) + float64(want[0]); math.Abs(d) > 2e-5 {
				t.Errorf("column %d, token %d differs by %v", column, k, d)
			}
		}
	}
}

// A plan is no less than what a pass takes, and not much more.
func TestPlanHolds(t *testing.T) {
	took := func(f func()) int64 {
		var a, b runtime.MemStats
		runtime.ReadMemStats(&a)
		f()
		runtime.ReadMemStats(&b)
		return int64(b.TotalAlloc - a.TotalAlloc)
	}
	check := func(what string, parts []Part, got int64) {
		t.Helper()
		var sum int64
		for _, p := range parts {
			sum += p.Bytes
		}
		// What else there is: panels of the products, 400 kB for each core, and
		// small things.
		if got > sum+1<<20 || got < sum/3 {
			t.Errorf("%s took %d bytes, the plan says %d: %+v", what, got, sum, parts)
		}
	}
	m := random(Config{Layers: 2, Dim: 96, Heads: 4, FFN: 384, TokenDropout: true, Contacts: true})
	for _, w := range []Work{{}, {Rows: 64, Cores: 2}, {Rows: 4096}} {
		ids := protein(400)
		check("contacts", append(m.Config.Plan(len(ids), w), ContactPlan(400, w)), took(func() {
			if _, err := m.Contacts(ids, w); err != nil {
				t.Error(err)
			}
		}))
	}
	c := MSAConfig{Layers: 1, Dim: 64, Heads: 4, FFN: 256, MaxColumns: 130, MaxRows: 100, RowWidth: 64, Contacts: true}
	msa, _, err := LoadMSA(randomMSA(c), 4)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]int32
	for range 100 {
		rows = append(rows, protein(120)[:121])
	}
	for _, w := range []Work{{}, {Rows: 2000, Cores: 2}} {
		check("contacts of an alignment", append(c.Plan(100, 121, w), ContactPlan(120, w)), took(func() {
			if _, err := msa.Contacts(rows, w); err != nil {
				t.Error(err)
			}
		}))
	}
}

// A packed model gives the bits of the plain one.
func TestPack(t *testing.T) {
	m := random(Config{Layers: 2, Dim: 32, Heads: 4, FFN: 72, TokenDropout: true, Contacts: true})
	ids := protein(60)
	b := Pack(ids, protein(33))
	states := func(m *Model, w Work) (all [][]float32) {
		m.Stream(b, w, nil, func(_ int, x []float32) { all = append(all, slices.Clone(x)) })
		logits := m.LogProbabilities(b, []int{1, 40}, w)
		for _, x := range logits {
			all = append(all, []float32{float32(x)})
		}
		c, err := m.Contacts(ids, w)
		if err != nil {
			t.Fatal(err)
		}
		return append(all, c.Data)
	}
	want := states(m, Work{})
	msa, rows := tinyMSA(t)
	maps, err := msa.Contacts(rows, Work{})
	if err != nil {
		t.Fatal(err)
	}
	m.Pack()
	msa.Pack()
	for _, w := range []Work{{}, {Cores: 2}, {Rows: 7, Cores: 3}} {
		for i, x := range states(m, w) {
			if !slices.Equal(x, want[i]) {
				t.Errorf("%+v: result %d differs", w, i)
			}
		}
	}
	got, err := msa.Contacts(rows, Work{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Data, maps.Data) {
		t.Error("contacts of an alignment differ")
	}
}
