//go:build linux

// Command gemm races the matrix products of Heed against cblas_sgemm of
// OpenBLAS, and prints a table in Markdown. It needs a C compiler and
// OpenBLAS; neither is linked into Heed.
//
// Both sides multiply the same shapes in turn, in short groups, so that
// whatever else the machine does falls on both. The time is the clock's, or for
// one thread and on demand the processor's, which does not count the time of
// other programs. OpenBLAS runs with every one of its sets of kernels that the
// machine can run, and the fastest set whose results are right is the peer.
package main

import (
	_ "embed"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"heed/internal/kernel"
)

//go:embed openblas/openblas.c
var source []byte

// cores are values of OPENBLAS_CORETYPE. The empty one lets OpenBLAS choose.
var cores = []string{"", "SkylakeX", "Cooperlake", "Zen", "Haswell"}

// A shape is a product C (m, n) = A (m, k) · B (k, n). N in form says that a
// matrix is stored by rows, T that its transpose is.
type shape struct {
	form    string
	m, n, k int
}

func (s shape) String() string { return fmt.Sprintf("%s %d×%d×%d", s.form, s.m, s.n, s.k) }

func (s shape) flops() float64 { return 2 * float64(s.m) * float64(s.n) * float64(s.k) }

func shapes() []shape {
	var list []shape
	for _, n := range []int{256, 512, 1024, 2048} {
		for _, form := range []string{"NN", "NT", "TN"} {
			list = append(list, shape{form, n, n, n})
		}
	}
	return append(list,
		// Linear layers: forward, gradient of the input, gradient of the weights.
		shape{"NN", 2016, 128, 128}, shape{"NT", 2016, 128, 128}, shape{"TN", 128, 128, 2016},
		shape{"NN", 2016, 512, 128}, shape{"NT", 2016, 128, 512}, shape{"TN", 128, 512, 2016},
		shape{"NN", 2016, 256, 512}, shape{"NT", 2016, 512, 256}, shape{"TN", 512, 256, 2016},
		// One head of attention: scores, values, and their gradients.
		shape{"NT", 64, 64, 32}, shape{"NN", 64, 32, 64}, shape{"TN", 64, 32, 64},
		shape{"NT", 252, 252, 32}, shape{"NN", 252, 32, 252}, shape{"TN", 252, 32, 252},
	)
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("gemm: ")
	rounds := flag.Int("rounds", 6, "rounds per shape")
	only := flag.String("only", "", "race only shapes that match this regular `expression`")
	threads := flag.String("threads", "1 2", "numbers of threads")
	budget := flag.Duration("budget", 400*time.Millisecond, "time of one round of four groups of products on one side; short groups measure how fast threads wake")
	processor := flag.Bool("processor", false, "count processor time with one thread")
	flag.Parse()
	filter, err := regexp.Compile(*only)
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "gemm")
	if err != nil {
		log.Fatal(err)
	}
	err = race(dir, filter, strings.Fields(*threads), *rounds, *budget, *processor)
	os.RemoveAll(dir)
	if err != nil {
		log.Fatal(err)
	}
}

func race(dir string, filter *regexp.Regexp, threads []string, rounds int, budget time.Duration, processor bool) error {
	program := filepath.Join(dir, "openblas")
	if err := os.WriteFile(program+".c", source, 0o666); err != nil {
		return err
	}
	if out, err := exec.Command("cc", "-O2", "-o", program, program+".c", "-lopenblas", "-lm").CombinedOutput(); err != nil {
		return fmt.Errorf("cc: %w\n%s", err, out)
	}
	for _, t := range threads {
		var n int
		if _, err := fmt.Sscan(t, &n); err != nil || n < 1 {
			return fmt.Errorf("%q is not a number of threads", t)
		}
		clock := int32(unix.CLOCK_MONOTONIC)
		if processor && n == 1 {
			clock = unix.CLOCK_PROCESS_CPUTIME_ID
		}
		p, err := choosePeer(program, n, clock)
		if err != nil {
			return err
		}
		if err := table(p, n, filter, rounds, budget); err != nil {
			return err
		}
		p.stop()
	}
	return nil
}

// choosePeer returns the fastest OpenBLAS that computes right results.
func choosePeer(program string, threads int, clock int32) (*peer, error) {
	var best *peer
	bestTime := 0.0
	for _, core := range cores {
		p, err := start(program, core, threads, clock)
		if err != nil {
			return nil, err
		}
		times, err := p.time(shape{"NN", 1024, 1024, 1024}, 1, 8)
		if err != nil {
			fmt.Printf("OpenBLAS with OPENBLAS_CORETYPE=%q: %v\n", core, err)
			p.stop()
			continue
		}
		t := slices.Min(times)
		fmt.Printf("OpenBLAS with OPENBLAS_CORETYPE=%q, %d threads: %.1f GFLOP/s (%s)\n",
			core, threads, shape{"", 1024, 1024, 1024}.flops()/t, p.config)
		switch {
		case best == nil || t < bestTime*0.97: // prefer OpenBLAS's own choice among equals
			if best != nil {
				best.stop()
			}
			best, bestTime = p, t
		default:
			p.stop()
		}
	}
	if best == nil {
		return nil, fmt.Errorf("no kernels of OpenBLAS compute right results")
	}
	return best, nil
}

// table races all shapes against p and prints one line for each.
func table(p *peer, threads int, filter *regexp.Regexp, rounds int, budget time.Duration) error {
	runtime.GOMAXPROCS(threads)
	workers := kernel.NewWorkers(threads)
	time := "elapsed time"
	if p.clock == unix.CLOCK_PROCESS_CPUTIME_ID {
		time = "processor time"
	}
	fmt.Printf("\nHeed (%v) against OpenBLAS (OPENBLAS_CORETYPE=%q), threads: %d, %s. GFLOP/s are of the fastest group of\n"+
		"%d rounds; the ratio is Heed's speed over OpenBLAS's, of the fastest groups and of the medians, and the\n"+
		"quartiles of the ratio of the rounds' medians.\n\n", kernel.Active(), p.core, threads, time, rounds)
	fmt.Println("| shape (m×n×k) | Heed | OpenBLAS | ratio | of medians | quartiles |\n|---|---|---|---|---|---|")
	for _, s := range shapes() {
		if !filter.MatchString(s.String()) {
			continue
		}
		ours, theirs, err := rival(workers, threads, p, s, rounds, budget)
		if err != nil {
			return err
		}
		var all [2][]float64
		var ratios []float64
		for i := range ours {
			all[0], all[1] = append(all[0], ours[i]...), append(all[1], theirs[i]...)
			ratios = append(ratios, median(theirs[i])/median(ours[i]))
		}
		slices.Sort(ratios)
		best0, best1 := slices.Min(all[0]), slices.Min(all[1])
		fmt.Printf("| %v | %.1f | %.1f | %.2f | %.2f | %.2f to %.2f |\n", s, s.flops()/best0, s.flops()/best1,
			best1/best0, median(all[1])/median(all[0]), ratios[len(ratios)/4], ratios[len(ratios)*3/4])
	}
	fmt.Println()
	return nil
}

// rival returns the nanoseconds per product of every group of every round.
func rival(workers *kernel.Workers, threads int, p *peer, s shape, rounds int, budget time.Duration) (ours, theirs [][]float64, err error) {
	c, a, b := operands(s)
	group := func(inner int) float64 {
		start := now(p.clock)
		for range inner {
			kernel.MulParallel(workers, c, a, b, nil, false)
		}
		return (now(p.clock) - start) / float64(inner)
	}
	group(1)
	once := min(group(1), group(1))
	const groups = 4
	inner := max(1, int(float64(budget.Nanoseconds())/groups/once))
	for range rounds {
		group(1)
		var mine []float64
		for range groups {
			mine = append(mine, group(inner))
		}
		ours = append(ours, mine)
		t, err := p.time(s, inner, groups)
		if err != nil {
			return nil, nil, fmt.Errorf("%v: %w", s, err)
		}
		theirs = append(theirs, t)
		if threads > 1 {
			// OpenBLAS's idle threads spin for a while.
			time.Sleep(60 * time.Millisecond)
		}
	}
	return ours, theirs, nil
}

// now returns the nanoseconds of a clock.
func now(clock int32) float64 {
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		log.Fatal(err)
	}
	return float64(t.Nano())
}

func operands(s shape) (c, a, b kernel.View) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(rows, cols int, transposed bool) kernel.View {
		data := make([]float32, rows*cols)
		for i := range data {
			data[i] = 2*r.Float32() - 1
		}
		if transposed {
			return kernel.Matrix(data, cols, rows).T()
		}
		return kernel.Matrix(data, rows, cols)
	}
	return random(s.m, s.n, false), random(s.m, s.k, s.form[0] == 'T'), random(s.k, s.n, s.form[1] == 'T')
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[len(x)/2] + x[(len(x)-1)/2]) / 2
}
