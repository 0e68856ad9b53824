// Volume times one training step of a classifier of volumes against PyTorch on
// the same network, batch and number of cores, in one interleaved run.
//
//	go run ./bench/volume -python python3 -edge 28 -batch 32 -cores 1
//
// The network: two stages of 16 and 48 channels with a residual block each, two
// layers of attention over the feature map and [CLS], dropout, cross-entropy,
// clipping, AdamW. The peer's script is step.py, which answers each line of its
// input by the time of one step.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"heed/autograd"
	"heed/internal/kernel"
	"heed/internal/par"
	"heed/model/volume"
	"heed/nn"
	"heed/optim"
)

func main() {
	python := flag.String("python", "python3", "the peer's interpreter; empty for none")
	rounds := flag.Int("rounds", 7, "timed rounds")
	edge := flag.Int("edge", 28, "voxels along each axis, a multiple of 4")
	batch := flag.Int("batch", 32, "volumes")
	leaves := flag.Int("leaves", 4, "pieces of the batch")
	cores := flag.Int("cores", runtime.NumCPU(), "cores of both sides")
	threads := flag.String("threads", "", "the peer's threads, its own and those of its matrix products, each setting a side of the race, as in 1:2,2:1 (default cores:cores)")
	flag.Parse()
	if *threads == "" {
		*threads = fmt.Sprintf("%d:%d", *cores, *cores)
	}
	if err := race(*python, *rounds, *edge, *batch, *leaves, *cores, strings.Split(*threads, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "volume:", err)
		os.Exit(1)
	}
}

// A peer is PyTorch in a process of its own.
type peer struct {
	in  io.Writer
	out *bufio.Scanner
}

func start(python, threads string, edge, batch int) (*peer, string, error) {
	own, products, ok := strings.Cut(threads, ":")
	if !ok {
		return nil, "", fmt.Errorf("-threads %q: want two numbers, as in 1:2", threads)
	}
	cmd := exec.Command(python, "bench/volume/step.py", own, fmt.Sprint(edge), fmt.Sprint(batch))
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "OPENBLAS_") && !strings.HasPrefix(v, "OMP_") && !strings.HasPrefix(v, "MKL_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "OPENBLAS_NUM_THREADS="+products, "OMP_NUM_THREADS="+own)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	p := &peer{in, bufio.NewScanner(out)}
	if !p.out.Scan() {
		return nil, "", fmt.Errorf("PyTorch stopped")
	}
	return p, p.out.Text(), nil
}

func (p *peer) step() (s float64, err error) {
	fmt.Fprintln(p.in, "step")
	if !p.out.Scan() {
		return 0, fmt.Errorf("PyTorch stopped")
	}
	_, err = fmt.Sscan(p.out.Text(), &s)
	return s, err
}

// race takes turns between Heed and one peer for each setting of threads. Before each step
// it waits for the threads of the side before, which spin for a while, to fall asleep.
func race(python string, rounds, edge, batch, leaves, cores int, threads []string) error {
	runtime.GOMAXPROCS(cores)
	ours := newStep(edge, batch, leaves)
	var peers []*peer
	if python != "" {
		for _, n := range threads {
			p, params, err := start(python, n, edge, batch)
			if err != nil {
				return err
			}
			if params != fmt.Sprint(nn.Count(ours.model)) {
				return fmt.Errorf("PyTorch has %s parameters, Heed %d", params, nn.Count(ours.model))
			}
			peers = append(peers, p)
		}
	}
	const asleep = 300 * time.Millisecond
	var us []float64
	them, ratio := make([][]float64, len(peers)), make([][]float64, len(peers))
	for round := range rounds + 2 {
		time.Sleep(asleep)
		begin := time.Now()
		ours.run()
		s := time.Since(begin).Seconds()
		if round >= 2 { // the first two warm up
			us = append(us, s)
		}
		for i, p := range peers {
			time.Sleep(asleep)
			r, err := p.step()
			if err != nil {
				return err
			}
			if round >= 2 {
				them[i], ratio[i] = append(them[i], r), append(ratio[i], r/s)
			}
		}
	}
	fmt.Printf("edge %d, batch %d, %d cores, kernel %s, %d parameters, %d rounds\n\n| side | median | best | median ratio | of the best times |\n|---|---|---|---|---|\n",
		edge, batch, cores, kernel.Active(), nn.Count(ours.model), rounds)
	fmt.Printf("| Heed, %d leaves | %.3f s | %.3f s | | |\n", leaves, median(us), slices.Min(us))
	for i, n := range threads[:len(peers)] {
		fmt.Printf("| PyTorch, threads %s | %.3f s | %.3f s | %.2f | %.2f |\n", n, median(them[i]), slices.Min(them[i]), median(ratio[i]), slices.Min(them[i])/slices.Min(us))
	}
	return nil
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[len(s)/2]
}

type step struct {
	edge, batch, leaves int
	model               *volume.Model
	params              []*autograd.Var
	tapes               []*autograd.Tape
	opt                 optim.AdamW
	x                   []float32
}

func newStep(edge, batch, leaves int) *step {
	r := rand.New(rand.NewPCG(1, 2))
	c := volume.Config{Size: [3]int{edge, edge, edge}, Spacing: [3]float64{1, 1, 1}, Channels: 1, Stem: []int{16, 48}, Blocks: 1, Mixer: volume.Attention,
		Layers: 2, Heads: 4, FFN: 96, Position: "sinusoidal", Pooling: "cls", Classes: 2, Dropout: 0.1}
	s := &step{edge: edge, batch: batch, leaves: leaves, model: volume.New(c, r), x: make([]float32, batch*edge*edge*edge), opt: optim.AdamW{Decay: 0.01}}
	s.params = nn.Params(s.model)
	for i := range s.x {
		s.x[i] = float32(r.NormFloat64())
	}
	for i := range leaves {
		s.tapes = append(s.tapes, &autograd.Tape{Rand: rand.New(rand.NewPCG(3, uint64(i)))})
	}
	return s
}

func (s *step) run() {
	n := s.edge * s.edge * s.edge
	par.Do(s.leaves, par.Cores(), func(_, i int) {
		lo, hi := i*s.batch/s.leaves, (i+1)*s.batch/s.leaves
		t := s.tapes[i]
		t.Reset()
		x := autograd.Input(s.x[lo*n:hi*n], hi-lo, s.edge, s.edge, s.edge, 1)
		t.Backward(autograd.CrossEntropy(t, s.model.Logits(t, x), make([]int32, hi-lo), float32(s.batch)))
	})
	autograd.Gather(s.params, s.tapes...)
	s.opt.Update(s.params, 1e-4, optim.ClipScale(optim.GlobalNorm(s.params), 1))
}
