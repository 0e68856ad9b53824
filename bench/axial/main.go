// Axial measures what axial attention costs over an (N, L) grid: multiply-adds and
// time of one layer's forward pass for N = L = 32 to 512, rows tied and not, against
// full attention over all N·L cells, for as long as that is feasible.
//
//	go run ./bench/axial
//	go run ./bench/axial -rows 1024 -columns 1024 -cells 65536
//
// The first fits exponents b of the best time = a·Nᵇ with 95 % intervals; the second runs one
// layer over one grid in pieces and says how much memory the process has held.
package main

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"heed/autograd"
	"heed/internal/clock"
	"heed/internal/kernel"
	"heed/nn"
)

func main() {
	rounds := flag.Int("rounds", 5, "timed rounds, interleaved")
	width := flag.Int("width", 64, "width of the model")
	heads := flag.Int("heads", 4, "heads")
	cores := flag.Int("cores", 1, "cores; with one, times are processor time where the system tells it")
	full := flag.Int("full", 256, "largest N = L of full attention")
	rows := flag.Int("rows", 0, "rows of one grid for the memory")
	columns := flag.Int("columns", 0, "its columns")
	cells := flag.Int("cells", 1<<16, "cells of a piece")
	tied := flag.Bool("tied", true, "tied rows in the one grid")
	flag.Parse()
	if *width%*heads != 0 || *rounds < 1 || *rows < 0 || *columns < 0 {
		fmt.Fprintln(os.Stderr, "axial: -width must be a multiple of -heads, -rounds 1 or more")
		os.Exit(2)
	}
	b := bench{*width, *heads, *cores}
	if *rows > 0 && *columns > 0 {
		b.memory(*rows, *columns, *cells, *tied)
		return
	}
	b.cost(*rounds, *full)
}

type bench struct{ width, heads, cores int }

func (b bench) layer(tied bool) *nn.AxialLayer {
	return nn.NewAxialLayer("", b.width, b.heads, 4*b.width, tied, rand.New(rand.NewPCG(1, 2)))
}

func (b bench) input(rows int) []float32 {
	r := rand.New(rand.NewPCG(3, 4))
	x := make([]float32, rows*b.width)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// A kind of layer that is timed.
type kind struct {
	name  string
	run   func(t *autograd.Tape, x *autograd.Var, n int)
	count func(n int) float64 // multiply-adds
	most  int                 // N
}

var sides = []int{32, 64, 128, 256, 512} // never written to

func (b bench) cost(rounds, full int) {
	d := float64(b.width)
	tied, untied := b.layer(true), b.layer(false)
	one := nn.NewEncoderLayer(nn.NewMultiHeadAttention(b.width, b.heads, rand.New(rand.NewPCG(1, 2))), b.width, 4*b.width, rand.New(rand.NewPCG(1, 2)))
	attention := func(tied bool) func(t *autograd.Tape, x *autograd.Var, n int) {
		return func(t *autograd.Tape, x *autograd.Var, n int) {
			spec := autograd.AttentionSpec{Heads: b.heads, Query: autograd.GridRows(0, n, n)}
			if tied {
				spec.Tied = n
			}
			y := autograd.Attention(t, x, x, x, spec)
			autograd.Attention(t, y, y, y, autograd.AttentionSpec{Heads: b.heads, Query: autograd.GridColumns(0, n, n)})
		}
	}
	counted := func(l *nn.AxialLayer, linear bool) func(n int) float64 {
		return func(n int) float64 {
			a, rest := l.MultiplyAdds(nn.Grid{Rows: n, Columns: n})
			if linear {
				a += rest
			}
			return float64(a)
		}
	}
	fullAttention := func(n int) float64 { return 2 * math.Pow(float64(n), 4) * d }
	kinds := []kind{
		{"axial attention, tied", attention(true), counted(tied, false), 512},
		{"axial attention, untied", attention(false), counted(untied, false), 512},
		{"full attention", func(t *autograd.Tape, x *autograd.Var, n int) {
			autograd.Attention(t, x, x, x, autograd.AttentionSpec{Heads: b.heads, Query: autograd.Packed(n * n)})
		}, fullAttention, full},
		{"axial layer, tied", func(t *autograd.Tape, x *autograd.Var, n int) {
			tied.Forward(t, x, nn.Grid{Rows: n, Columns: n}, nil)
		}, counted(tied, true), 512},
		{"full layer", func(t *autograd.Tape, x *autograd.Var, n int) {
			one.Forward(t, x, autograd.Packed(n*n))
		}, func(n int) float64 { return fullAttention(n) + float64(n*n)*12*d*d }, full},
	}
	now, what := clock.New(b.cores)
	fmt.Printf("kernel %s, %d cores, width %d, %d heads, %d rounds, seconds of %s\n\n", kernel.Active(), b.cores, b.width, b.heads, rounds, what)
	fmt.Println("| N = L | what | multiply-adds | seconds, best | median | GFLOP/s of the best |\n|---|---|---|---|---|---|")
	times := map[string][]float64{}
	for _, n := range sides {
		x := autograd.Input(b.input(n*n), n*n, b.width)
		seen := map[string][]float64{}
		for round := range rounds {
			for _, k := range kinds {
				if n > k.most || round > 0 && seen[k.name][0] > 5 {
					continue // a run of seconds needs no repetition
				}
				t := &autograd.Tape{NoGrad: true, Cores: b.cores}
				start := now()
				reps := 0
				for ; reps == 0 || now()-start < 0.1; reps++ {
					k.run(t, x, n)
					t.Reset()
				}
				seen[k.name] = append(seen[k.name], (now()-start)/float64(reps))
			}
		}
		for _, k := range kinds {
			if s := seen[k.name]; s != nil {
				slices.Sort(s)
				times[k.name] = append(times[k.name], s[0])
				fmt.Printf("| %d | %s | %.3g | %.4g | %.4g | %.1f |\n", n, k.name, k.count(n), s[0], s[len(s)/2], 2*k.count(n)/s[0]/1e9)
			}
		}
	}
	fmt.Println("\n| what | exponent of N: multiply-adds | best seconds (95 % interval) | sizes |\n|---|---|---|---|")
	for _, k := range kinds {
		var logN, logC, logT []float64
		for i, s := range times[k.name] {
			logN = append(logN, math.Log(float64(sides[i])))
			logC = append(logC, math.Log(k.count(sides[i])))
			logT = append(logT, math.Log(s))
		}
		if len(logN) < 3 {
			fmt.Printf("| %s | - | too few sizes | %d |\n", k.name, len(logN))
			continue
		}
		c, _ := slope(logN, logC)
		b, half := slope(logN, logT)
		fmt.Printf("| %s | %.2f | %.2f (%.2f to %.2f) | %d |\n", k.name, c, b, b-half, b+half, len(logN))
	}
}

// slope fits y = a + b·x by least squares and returns b and half the width of its
// 95 % interval, by Student's t with n-2 degrees of freedom.
func slope(x, y []float64) (b, half float64) {
	n := float64(len(x))
	var mx, my, xx, xy, left float64
	for i := range x {
		mx, my = mx+x[i]/n, my+y[i]/n
	}
	for i := range x {
		xx, xy = xx+(x[i]-mx)*(x[i]-mx), xy+(x[i]-mx)*(y[i]-my)
	}
	b = xy / xx
	for i := range x {
		e := y[i] - my - b*(x[i]-mx)
		left += e * e
	}
	t := []float64{12.706, 4.303, 3.182, 2.776, 2.571}[min(len(x)-3, 4)]
	return b, t * math.Sqrt(left/(n-2)/xx)
}

// memory runs one layer in place and reads what the system says of the process.
func (b bench) memory(rows, columns, cells int, tied bool) {
	l, x := b.layer(tied), b.input(rows*columns)
	start := time.Now()
	l.Infer(nn.NewAxialPass(nn.Grid{Rows: rows, Columns: columns}, cells, b.cores), x, nil, nil)
	took := time.Since(start)
	attention, linear := l.MultiplyAdds(nn.Grid{Rows: rows, Columns: columns})
	fmt.Printf("%d x %d cells, width %d, %d heads, tied %v, pieces of %d cells: %.1f s, %.3g multiply-adds, %.1f GFLOP/s\n",
		rows, columns, b.width, b.heads, tied, cells, took.Seconds(), float64(attention+linear), 2*float64(attention+linear)/took.Seconds()/1e9)
	fmt.Printf("x alone: %.2f GB; %s\n", 4*float64(len(x))/1e9, peak())
}

// peak returns the largest resident memory of the process so far, where the system
// tells.
func peak() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "peak memory unknown on this system"
	}
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var n float64
			fmt.Sscan(kb, &n)
			return fmt.Sprintf("peak resident memory %.2f GB", n*1024/1e9)
		}
	}
	return "peak memory unknown on this system"
}
