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
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"heed/internal/cost"
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
	if err := b.cost(*rounds, *full); err != nil {
		fmt.Fprintln(os.Stderr, "axial:", err)
		os.Exit(1)
	}
}

type bench struct{ width, heads, cores int }

func (b bench) layer(tied bool) *nn.AxialLayer {
	return nn.NewAxialLayer("", b.width, b.heads, 4*b.width, tied, rand.New(rand.NewPCG(1, 2)))
}

var sides = []int{32, 64, 128, 256, 512} // never written to

func (b bench) cost(rounds, full int) error {
	race := cost.Race{Width: b.width, Rounds: rounds, Cores: b.cores, Least: 0.1, Seed: 3}
	layers := cost.Axial(b.width, b.heads, full)
	times, err := race.Times(context.Background(), layers, sides)
	if err != nil {
		return err
	}
	fmt.Printf("kernel %s, %d cores, width %d, %d heads, %d rounds, seconds of %s\n\n", kernel.Active(), b.cores, b.width, b.heads, rounds, race.Clock())
	fmt.Println("| N = L | what | multiply-adds | seconds, best | median | GFLOP/s of the best |\n|---|---|---|---|---|---|")
	for _, t := range times {
		fmt.Printf("| %d | %s | %.3g | %.4g | %.4g | %.1f |\n", t.N, t.Layer, t.MultiplyAdds, t.Best, t.Median, 2*t.MultiplyAdds/t.Best/1e9)
	}
	fmt.Println("\n| what | exponent of N: multiply-adds | best seconds (95 % interval) | sizes |\n|---|---|---|---|")
	for _, l := range layers {
		n, best := cost.Series(times, l.Name)
		if len(n) < 3 {
			fmt.Printf("| %s | - | too few sizes | %d |\n", l.Name, len(n))
			continue
		}
		counts := make([]float64, len(n))
		for i, v := range n {
			counts[i] = l.MultiplyAdds(int(v))
		}
		c, _ := cost.Exponent(n, counts)
		b, half := cost.Exponent(n, best)
		fmt.Printf("| %s | %.2f | %.2f (%.2f to %.2f) | %d |\n", l.Name, c, b, b-half, b+half, len(n))
	}
	return nil
}

// memory runs one layer in place and reads what the system says of the process.
func (b bench) memory(rows, columns, cells int, tied bool) {
	l, x := b.layer(tied), cost.Input(rows*columns, b.width, 3).Data
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
