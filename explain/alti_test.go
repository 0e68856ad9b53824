package explain

import (
	"math"
	"testing"
	"time"
)

// TestALTI compares with the definition, vector by vector.
func TestALTI(t *testing.T) {
	m, c := smallCase(t, "cls")
	e := encoderOf(m, 1)
	const width = 8
	for _, p := range []float64{1, 2} {
		got, err := e.ALTI(c)
		if p == 2 {
			got, err = e.ALTI2(c)
		}
		if err != nil {
			t.Fatal(err)
		}
		norm := func(x []float64) float64 {
			s := 0.0
			for _, v := range x {
				s += math.Pow(math.Abs(v), p)
			}
			return math.Pow(s, 1/p)
		}
		cut := 0
		for l, s := range e.trace(c) {
			f := naiveVectors(s.layer, s.input, width)
			n := len(f)
			for i := range n {
				row, total := make([]float64, n), 0.0
				for j := range n {
					y, rest := make([]float64, width), make([]float64, width)
					for k := range y {
						y[k] = float64(s.middle[i*width+k])
						rest[k] = y[k]
						for h := range f[j] {
							rest[k] -= float64(s.weights[(h*n+i)*n+j]) * f[j][h][k]
						}
						if i == j {
							rest[k] -= float64(s.input[i*width+k])
						}
					}
					row[j] = max(0, norm(y)-norm(rest))
					total += row[j]
					if row[j] == 0 {
						cut++
					}
				}
				for j, want := range row {
					if g := got[l].Row(i)[j]; math.Abs(float64(g)-want/total) > 1e-5 {
						t.Fatalf("norm %v, %s: C[%d, %d] = %v, want %v", p, s.layer.Name, i, j, g, want/total)
					}
				}
			}
		}
		if cut == 0 {
			t.Error("no contribution was cut to 0")
		}
		row, full := Roll(got, c.Readout), FullRollout(got)
		sum := 0.0
		for j, v := range row {
			sum += v
			if math.Abs(v-float64(full.Row(0)[j])) > 1e-6 {
				t.Errorf("norm %v: input %d has %v, in full %v", p, j, v, full.Row(0)[j])
			}
		}
		if math.Abs(sum-1) > 1e-6 {
			t.Errorf("norm %v: sums to %v", p, sum)
		}
	}
}

// BenchmarkALTI runs both distances in turn, of one layer.
func BenchmarkALTI(b *testing.B) {
	v := randomSources(512, 12, 768)
	var l1, l2 time.Duration
	for b.Loop() {
		start := time.Now()
		v.alti()
		middle := time.Now()
		v.alti2()
		l1 += middle.Sub(start)
		l2 += time.Since(middle)
	}
	b.ReportMetric(float64(l1.Milliseconds())/float64(b.N), "L1-ms")
	b.ReportMetric(float64(l1)/float64(l2), "L1/L2")
}
