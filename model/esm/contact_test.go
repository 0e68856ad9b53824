package esm

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
)

// random returns an untrained model, whose heads attend to few residues each.
func random(c Config) *Model {
	r := rand.New(rand.NewPCG(1, 2))
	return build(c, func(name string, shape ...int) *autograd.Var {
		p := autograd.Param(shape...)
		for i := range p.Data {
			p.Data[i] = float32(r.NormFloat64()) * 0.3
			switch {
			case strings.HasSuffix(name, "rotary"):
				p.Data[i] = float32(math.Pow(10000, -float64(i)/float64(len(p.Data))))
			case strings.Contains(name, "norm") && strings.HasSuffix(name, "weight"):
				p.Data[i] = 1
			}
		}
		return p
	})
}

func protein(n int) []int32 {
	r := rand.New(rand.NewPCG(3, 4))
	ids := []int32{Begin}
	for range n {
		ids = append(ids, int32(4+r.IntN(20)))
	}
	return append(ids, End)
}

// stacked computes the contact head as it is defined, in float64, from the maps
// of all heads.
func stacked(m *Model, ids []int32) []float64 {
	n, h := len(ids), m.Config.Heads
	l := n - 2
	x := make([]float64, l*l)
	channel := 0
	m.Encode(&autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
		if !strings.HasSuffix(name, ".weights") {
			return
		}
		for head := range h {
			a := v.Data[head*n*n:]
			sym := make([]float64, l*l)
			rows := make([]float64, l)
			total := 0.0
			for i := range l {
				for j := range l {
					v := float64(a[(i+1)*n+j+1]) + float64(a[(j+1)*n+i+1])
					sym[i*l+j] = v
					rows[i] += v
					total += v
				}
			}
			w := float64(m.Contact.Weight.Data[channel])
			for i := range l {
				for j := range l {
					x[i*l+j] += w * (sym[i*l+j] - rows[i]*rows[j]/total)
				}
			}
			channel++
		}
	}}, Pack(ids))
	for i := range x {
		x[i] = 1 / (1 + math.Exp(-x[i]-float64(m.Contact.Bias.Data[0])))
	}
	return x
}

func TestContactsAreExact(t *testing.T) {
	m := random(Config{Layers: 3, Dim: 24, Heads: 4, FFN: 32, TokenDropout: true, Contacts: true})
	m.Contact.Weight.Data[5] = 0 // a head that is passed over
	for _, n := range []int{0, 1, 2, 31, 32, 33, 100} {
		ids := protein(n)
		want := stacked(m, ids)
		var one []float32
		for _, cores := range []int{1, 2, 3} {
			got, err := m.Contacts(ids, Work{Cores: cores})
			if err != nil {
				t.Fatal(err)
			}
			worst := 0.0
			for i, v := range got.Data {
				worst = max(worst, math.Abs(float64(v)-want[i]))
			}
			if !slices.Equal(got.Shape, []int{n, n}) || !(worst <= 1e-6) {
				t.Errorf("%d residues: shape %v, largest difference %.2g", n, got.Shape, worst)
			}
			if one != nil && !slices.Equal(one, got.Data) {
				t.Errorf("%d residues: other bits on %d cores", n, cores)
			}
			one = got.Data
		}
	}
}

// Memory is that of the result and of one layer: it does not grow with layers
// or heads, whose maps would take layers·heads times the result.
func TestContactsMemory(t *testing.T) {
	const n = 600
	taken := func(layers, heads int) uint64 {
		m := random(Config{Layers: layers, Dim: 64, Heads: heads, FFN: 64, Contacts: true})
		ids := protein(n)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := m.Contacts(ids, Work{Cores: 1}); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	const result = 4 * n * n
	few, many := taken(1, 2), taken(8, 16)
	t.Logf("a result of %d bytes: %d bytes for 2 maps, %d for 128", result, few, many)
	if many > few+result || many > 5*result {
		t.Errorf("128 maps took %d bytes, 2 took %d, the result %d", many, few, result)
	}
}

func TestContactsErrors(t *testing.T) {
	m := random(Config{Layers: 1, Dim: 4, Heads: 1, FFN: 4})
	if _, err := m.Contacts(protein(3), Work{Cores: 1}); !errors.Is(err, ErrNoContactHead) {
		t.Errorf("got error %v", err)
	}
	m = random(Config{Layers: 1, Dim: 4, Heads: 1, FFN: 4, Contacts: true})
	if _, err := m.Contacts([]int32{Begin}, Work{Cores: 1}); err == nil || fmt.Sprint(err) != "1 tokens: want those of a sequence and its two ends" {
		t.Errorf("got error %v", err)
	}
}

// The smallest published size. Compare B/op with what the maps of all heads
// would take, 120·L²·4 bytes: 114 MiB for 500 residues.
func BenchmarkContacts(b *testing.B) {
	m := random(Config{Layers: 6, Dim: 320, Heads: 20, FFN: 1280, TokenDropout: true, Contacts: true})
	for _, n := range []int{250, 500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ids := protein(n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Contacts(ids, Work{Cores: 1}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint(n, " without contacts"), func(b *testing.B) {
			ids := protein(n)
			b.ReportAllocs()
			for b.Loop() {
				m.Each(Pack(ids), 1, nil, func(int, []float32) {})
			}
		})
	}
}
