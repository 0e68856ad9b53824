// Step times one training step of a [CLS] encoder against PyTorch on the same
// network, batch and number of cores, in one interleaved run.
//
//	go run ./bench/step -python python3 -rounds 10
//
// The network: 2 layers, width 128, 4 heads, feed-forward 512, 64 sequences of
// 252 tokens, cross-entropy, clipping, AdamW. The peer's script is step.py,
// which answers each line of its input by the time of one step.
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
	"heed/data"
	"heed/internal/kernel"
	"heed/internal/par"
	"heed/model/sequence"
	"heed/nn"
	"heed/optim"
)

func main() {
	python := flag.String("python", "python3", "the peer's interpreter; empty for none")
	rounds := flag.Int("rounds", 10, "timed rounds")
	leaves := flag.Int("leaves", 8, "pieces of the batch")
	cores := flag.Int("cores", runtime.NumCPU(), "cores of both sides")
	flag.Parse()
	if err := race(*python, *rounds, *leaves, *cores); err != nil {
		fmt.Fprintln(os.Stderr, "step:", err)
		os.Exit(1)
	}
}

// A peer is PyTorch under one setting of its threads.
type peer struct {
	name  string
	in    io.Writer
	out   *bufio.Scanner
	times []float64
}

func start(python string, torch, blas int) (*peer, error) {
	cmd := exec.Command(python, "bench/step/step.py", fmt.Sprint(torch))
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "OPENBLAS_") && !strings.HasPrefix(v, "OMP_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, fmt.Sprintf("OPENBLAS_NUM_THREADS=%d", blas), fmt.Sprintf("OMP_NUM_THREADS=%d", torch))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &peer{name: fmt.Sprintf("PyTorch, set_num_threads(%d), OPENBLAS_NUM_THREADS=%d", torch, blas), in: in, out: bufio.NewScanner(out)}, cmd.Start()
}

func (p *peer) step() error {
	fmt.Fprintln(p.in, "step")
	if !p.out.Scan() {
		return fmt.Errorf("%s stopped", p.name)
	}
	var s float64
	if _, err := fmt.Sscan(p.out.Text(), &s); err != nil {
		return err
	}
	p.times = append(p.times, s)
	return nil
}

func race(python string, rounds, leaves, cores int) error {
	runtime.GOMAXPROCS(cores)
	var peers []*peer
	if python != "" {
		settings := [][2]int{{1, 1}}
		if cores > 1 {
			settings = [][2]int{{cores, cores}, {cores, 1}, {1, cores}}
		}
		for _, s := range settings {
			p, err := start(python, s[0], s[1])
			if err != nil {
				return err
			}
			peers = append(peers, p)
		}
	}
	ours := newStep(leaves)
	for range 2 {
		ours.run()
	}
	for _, p := range peers {
		for range 2 {
			if err := p.step(); err != nil {
				return err
			}
		}
		p.times = nil
	}
	var times []float64
	for range rounds {
		begin := time.Now()
		ours.run()
		times = append(times, time.Since(begin).Seconds())
		for _, p := range peers {
			if err := p.step(); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%d cores, kernel %s, %d rounds\n\n| side | median | best | median ratio to Heed |\n|---|---|---|---|\n", cores, kernel.Active(), rounds)
	row := func(name string, ts []float64) {
		var ratio []float64
		for i := range ts {
			ratio = append(ratio, ts[i]/times[i])
		}
		fmt.Printf("| %s | %.3f s | %.3f s | %.2f |\n", name, median(ts), slices.Min(ts), median(ratio))
	}
	row(fmt.Sprintf("Heed, %d leaves", leaves), times)
	for _, p := range peers {
		row(p.name, p.times)
	}
	return nil
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[len(s)/2]
}

const (
	sequences = 64
	tokens    = 252 // [CLS] and 251 letters
)

type step struct {
	model   *sequence.Model
	params  []*autograd.Var
	opt     optim.AdamW
	tapes   []*autograd.Tape
	leaves  [][]int
	seqs    [][]int32
	targets []int32
}

func newStep(v int) *step {
	r := rand.New(rand.NewPCG(1, 1))
	s := &step{model: sequence.New(sequence.Config{
		Tokenizer: sequence.Tokenizer{K: 1}, MaxLen: tokens - 1, Layers: 2, Dim: 128, Heads: 4, FFN: 512,
		Position: "learned", Pooling: "cls", Classes: 2,
	}, r)}
	s.params = nn.Params(s.model)
	var batch, lengths []int
	for i := range sequences {
		seq := make([]byte, tokens-1)
		for j := range seq {
			seq[j] = "ACGT"[r.IntN(4)]
		}
		s.seqs = append(s.seqs, s.model.Config.Tokenizer.Encode(seq))
		s.targets = append(s.targets, int32(r.IntN(2)))
		batch, lengths = append(batch, i), append(lengths, tokens)
	}
	s.leaves = data.Leaves(batch, lengths, v)
	for range s.leaves {
		s.tapes = append(s.tapes, &autograd.Tape{})
	}
	return s
}

func (s *step) run() {
	par.Do(len(s.leaves), par.Cores(), func(_, i int) {
		t := s.tapes[i]
		t.Reset()
		var seqs [][]int32
		var targets []int32
		for _, e := range s.leaves[i] {
			seqs, targets = append(seqs, s.seqs[e]), append(targets, s.targets[e])
		}
		t.Backward(autograd.CrossEntropy(t, s.model.Logits(t, s.model.Pack(seqs...)), targets, sequences))
	})
	autograd.Gather(s.params, s.tapes...)
	s.opt.Update(s.params, 1e-3, optim.ClipScale(optim.GlobalNorm(s.params), 1))
}
