package kernel

import (
	"fmt"
	"testing"
)

// BenchmarkVectors reports the time per element of slices that fit in the
// first-level cache.
func BenchmarkVectors(b *testing.B) {
	for _, c := range vectorCases {
		for _, m := range Available() {
			for _, n := range []int{64, 1024} {
				b.Run(fmt.Sprintf("%s/%v/%d", c.name, m, n), func(b *testing.B) {
					defer Force(m)()
					v, _ := guarded(c.vectors, n, 0)
					for k, x := range v {
						for i := range x {
							x[i] = float32(i%13+k)*0.25 - 2
						}
					}
					for b.Loop() {
						c.run(v)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/element")
				})
			}
		}
	}
}

func BenchmarkAdamW(b *testing.B) {
	const n = 1024
	for _, m := range Available() {
		b.Run(fmt.Sprintf("%v/%d", m, n), func(b *testing.B) {
			defer Force(m)()
			v, _ := guarded(4, n, 0)
			for _, x := range v {
				for i := range x {
					x[i] = 1
				}
			}
			for b.Loop() {
				AdamW(v[0], v[1], v[2], v[3], 1e-3, 0.9, 0.999, 1e-8, 0.01, 1, 1, 1)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/element")
		})
	}
}

func BenchmarkLayerNorm(b *testing.B) {
	const n = 256
	for _, m := range Available() {
		v, _ := guarded(5, n, 0)
		for k, x := range v {
			for i := range x {
				x[i] = float32(i%13 + k)
			}
		}
		y, x, gamma, beta, dy := v[0], v[1], v[2], v[3], v[4]
		mean, rstd := make([]float32, 1), make([]float32, 1)
		b.Run(fmt.Sprintf("forward/%v/%d", m, n), func(b *testing.B) {
			defer Force(m)()
			for b.Loop() {
				LayerNorm(y, x, gamma, beta, mean, rstd, 1e-5)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/element")
		})
		b.Run(fmt.Sprintf("back/%v/%d", m, n), func(b *testing.B) {
			defer Force(m)()
			for b.Loop() {
				LayerNormBack(y, gamma, beta, dy, x, gamma, mean, rstd, false)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/element")
		})
	}
}
