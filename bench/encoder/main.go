// Encoder times a forward pass of ESM-2 with its masked-token head, batch 1,
// against PyTorch and ONNX Runtime with the same weights, in one interleaved run.
//
//	npm install --ignore-scripts onnxruntime-node    # in a folder outside of the repository
//	go run ./bench/encoder -python python3 -node FOLDER -shape 8M -cores 2
//
// The shapes are those of the published models of 8 and 150 million parameters,
// the weights are random. Before anything is timed, the logits of all sides must
// agree. The peers are encoder.py, which also exports the ONNX graph, one for each
// length, and encoder.js; each answers a line of its input by the time of one pass.
package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"heed/autograd"
	"heed/internal/kernel"
	"heed/model/esm"
)

func main() {
	python := flag.String("python", "", "interpreter with PyTorch, onnx export included; empty for no peers")
	node := flag.String("node", "", "folder in which onnxruntime-node is installed; empty for none")
	shape := flag.String("shape", "8M", "8M or 150M")
	lengths := flag.String("lengths", "256,1024", "tokens of a sequence, with commas between")
	cores := flag.Int("cores", 1, "cores of all sides")
	rounds := flag.Int("rounds", 10, "timed rounds")
	threads := flag.String("threads", "", "one setting of PyTorch in place of all, as in 1:2 for set_num_threads(1) and OPENBLAS_NUM_THREADS=2")
	profile := flag.String("profile", "", "write a CPU profile of our passes to this file, without peers")
	pause := flag.Duration("pause", 50*time.Millisecond, "before each pass of any side, in which the threads of the others stop to look for work")
	flag.Parse()
	if err := run(*python, *node, *shape, *lengths, *threads, *cores, *rounds, *profile, *pause); err != nil {
		fmt.Fprintln(os.Stderr, "encoder:", err)
		os.Exit(1)
	}
}

// shapes are layers, width and heads; the feed-forward width is 4 times the width.
var shapes = map[string][3]int{"8M": {6, 320, 20}, "150M": {30, 640, 20}}

func run(python, node, shape, lengths, threads string, cores, rounds int, profile string, pause time.Duration) error {
	s, ok := shapes[shape]
	if !ok {
		return fmt.Errorf("shape %q: want 8M or 150M", shape)
	}
	runtime.GOMAXPROCS(cores)
	ours, names, err := newModel(s[0], s[1], s[2])
	if err != nil {
		return err
	}
	var ls []int
	for _, text := range strings.Split(lengths, ",") {
		l, err := strconv.Atoi(text)
		if err != nil || l < 3 {
			return fmt.Errorf("length %q", text)
		}
		ls = append(ls, l)
	}
	if profile != "" {
		ours.Pack()
		return profiled(ours, ls, cores, rounds, profile, pause)
	}
	dir, err := os.MkdirTemp("", "encoder")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeWeights(filepath.Join(dir, "weights"), ours, names); err != nil {
		return err
	}
	ours.Pack()
	fmt.Printf("ESM-2 %s shape, %d layers of width %d, %d heads; kernel %s; %d cores; %d rounds\n\n", shape, s[0], s[1], s[2], kernel.Active(), cores, rounds)
	fmt.Println("| tokens | side | median, ms | best, ms | median ratio to Heed | logits differ by at most |\n|---|---|---|---|---|---|")
	for _, l := range ls {
		if err := race(ours, dir, python, node, threads, s, l, cores, rounds, pause); err != nil {
			return err
		}
	}
	return nil
}

// newModel returns a model of random weights, and the names of its arrays in the
// order in which peers read them.
func newModel(layers, dim, heads int) (*esm.Model, []string, error) {
	r := rand.New(rand.NewPCG(1, 2))
	arrays := map[string]esm.Array{}
	var names []string
	add := func(name string, mean, spread float64, shape ...int) {
		n := 1
		for _, d := range shape {
			n *= d
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(mean + spread*r.NormFloat64())
		}
		arrays[name] = esm.Array{Shape: shape, Values: func() ([]float32, error) { return v, nil }}
		names = append(names, name)
	}
	linear := func(name string, in, out int) {
		add(name+".weight", 0, 1/math.Sqrt(float64(in)), out, in)
		add(name+".bias", 0, 0.1, out)
	}
	norm := func(name string) {
		add(name+".weight", 1, 0.1, dim)
		add(name+".bias", 0, 0.1, dim)
	}
	add("embed.weight", 0, 1, esm.Tokens, dim)
	for i := range layers {
		p := fmt.Sprintf("layers.%d.", i)
		norm(p + "norm1")
		linear(p+"attention.query", dim, dim)
		linear(p+"attention.key", dim, dim)
		linear(p+"attention.value", dim, dim)
		f := autograd.RotaryFrequencies(dim/heads, 10000)
		arrays[p+"attention.rotary"] = esm.Array{Shape: []int{len(f)}, Values: func() ([]float32, error) { return f, nil }}
		names = append(names, p+"attention.rotary")
		linear(p+"attention.out", dim, dim)
		norm(p + "norm2")
		linear(p+"up", dim, 4*dim)
		linear(p+"down", 4*dim, dim)
	}
	norm("norm")
	linear("head.dense", dim, dim)
	norm("head.norm")
	add("head.bias", 0, 0.1, esm.Tokens)
	m, _, err := esm.Load(arrays)
	return m, names, err
}

// writeWeights writes the values in the order of names, float32, little-endian.
func writeWeights(path string, m *esm.Model, names []string) error {
	values := map[string][]float32{}
	m.Visit("", func(name string, v *autograd.Var) { values[name] = v.Data })
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	for _, name := range names {
		if err := binary.Write(w, binary.LittleEndian, values[name]); err != nil {
			return err
		}
	}
	return w.Flush()
}

func tokens(l int) []int32 {
	r := rand.New(rand.NewPCG(3, 4))
	ids := make([]int32, l)
	for i := range ids {
		ids[i] = 4 + r.Int32N(20)
	}
	ids[0], ids[l-1] = esm.Begin, esm.End
	return ids
}

// A forward is our side: passes over one sequence on one tape.
type forward struct {
	model *esm.Model
	tape  *autograd.Tape
	batch *esm.Batch
}

func newForward(m *esm.Model, l, cores int) *forward {
	return &forward{m, &autograd.Tape{NoGrad: true, Cores: cores}, esm.Pack(tokens(l))}
}

func (f *forward) run() []float32 {
	f.tape.Reset()
	return f.model.Logits(f.tape, f.model.Encode(f.tape, f.batch)).Data
}

func profiled(m *esm.Model, ls []int, cores, rounds int, path string, pause time.Duration) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	for _, l := range ls {
		f := newForward(m, l, cores)
		f.run()
		if l == ls[0] {
			if err := pprof.StartCPUProfile(out); err != nil {
				return err
			}
		}
		var ts []float64
		used := cpuTime()
		for range rounds {
			time.Sleep(pause)
			begin := time.Now()
			f.run()
			ts = append(ts, time.Since(begin).Seconds())
		}
		used = cpuTime() - used
		fmt.Printf("%d tokens, %d cores: median %.1f ms, best %.1f ms, %.1f ms of the processor\n", l, cores, 1e3*median(ts), 1e3*slices.Min(ts), 1e3*used/float64(rounds))
	}
	pprof.StopCPUProfile()
	return nil
}

// cpuTime returns the seconds that this process has had of the processor.
func cpuTime() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// A peer answers each line of its input by the seconds of one pass.
type peer struct {
	name   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	logits string // file
	times  []float64
}

func start(name, logits string, env []string, command ...string) (*peer, error) {
	cmd := exec.Command(command[0], command[1:]...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "OPENBLAS_") && !strings.HasPrefix(v, "OMP_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &peer{name: name, cmd: cmd, in: in, out: bufio.NewScanner(out), logits: logits}, cmd.Start()
}

func (p *peer) pass() error {
	fmt.Fprintln(p.in, "pass")
	if !p.out.Scan() {
		return fmt.Errorf("%s stopped", p.name)
	}
	s, err := strconv.ParseFloat(p.out.Text(), 64)
	p.times = append(p.times, s)
	return err
}

func (p *peer) stop() {
	p.in.Close()
	p.cmd.Wait()
}

func race(m *esm.Model, dir, python, node, threads string, s [3]int, l, cores, rounds int, pause time.Duration) error {
	ours := newForward(m, l, cores)
	logits := slices.Clone(ours.run())
	var peers []*peer
	defer func() {
		for _, p := range peers {
			p.stop()
		}
	}()
	if python != "" {
		settings := [][2]int{{1, 1}}
		if cores > 1 {
			settings = [][2]int{{cores, cores}, {cores, 1}, {1, cores}}
		}
		if threads != "" {
			settings = settings[:1]
			if _, err := fmt.Sscanf(threads, "%d:%d", &settings[0][0], &settings[0][1]); err != nil {
				return fmt.Errorf("-threads %q: %w", threads, err)
			}
		}
		for i, set := range settings {
			file := filepath.Join(dir, fmt.Sprintf("torch%d", i))
			graph := ""
			if i == 0 && node != "" {
				graph = filepath.Join(dir, "graph.onnx")
			}
			p, err := start(fmt.Sprintf("PyTorch, set_num_threads(%d), OPENBLAS_NUM_THREADS=%d", set[0], set[1]), file,
				[]string{fmt.Sprintf("OPENBLAS_NUM_THREADS=%d", set[1]), fmt.Sprintf("OMP_NUM_THREADS=%d", set[0])},
				python, "bench/encoder/encoder.py", filepath.Join(dir, "weights"), fmt.Sprint(s[0]), fmt.Sprint(s[1]), fmt.Sprint(s[2]), ids(l), fmt.Sprint(set[0]), file, graph)
			if err != nil {
				return err
			}
			peers = append(peers, p)
			if err := p.pass(); err != nil { // the graph is written by now
				return err
			}
		}
	}
	if node != "" {
		file := filepath.Join(dir, "ort")
		p, err := start(fmt.Sprintf("ONNX Runtime, intraOpNumThreads %d", cores), file, []string{"NODE_PATH=" + filepath.Join(node, "node_modules")},
			"node", "bench/encoder/encoder.js", filepath.Join(dir, "graph.onnx"), ids(l), fmt.Sprint(cores), file)
		if err != nil {
			return err
		}
		peers = append(peers, p)
	}
	differ := make([]float64, len(peers))
	for i, p := range peers {
		for range 2 {
			if err := p.pass(); err != nil {
				return err
			}
		}
		p.times = nil
		var err error
		if differ[i], err = compare(logits, p.logits); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	var times []float64
	ours.run()
	for range rounds {
		time.Sleep(pause)
		begin := time.Now()
		ours.run()
		times = append(times, time.Since(begin).Seconds())
		for _, p := range peers {
			time.Sleep(pause)
			if err := p.pass(); err != nil {
				return err
			}
		}
	}
	row := func(name string, ts []float64, agree string) {
		var ratio []float64
		for i := range ts {
			ratio = append(ratio, ts[i]/times[i])
		}
		fmt.Printf("| %d | %s | %.1f | %.1f | %.2f | %s |\n", l, name, 1e3*median(ts), 1e3*slices.Min(ts), median(ratio), agree)
	}
	row("Heed", times, "")
	for i, p := range peers {
		row(p.name, p.times, fmt.Sprintf("%.1e", differ[i]))
	}
	return nil
}

// tolerance is by how much logits, whose spread is about 1, may differ.
const tolerance = 1e-3

// compare returns the largest difference between our logits and those of a file.
func compare(logits []float32, path string) (float64, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	if len(raw) != 4*len(logits) {
		return 0, fmt.Errorf("%d bytes of logits, want %d", len(raw), 4*len(logits))
	}
	worst := 0.0
	for i, x := range logits {
		y := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		worst = max(worst, math.Abs(float64(x)-float64(y)))
	}
	if !(worst < tolerance) {
		return worst, fmt.Errorf("logits differ by %.2g, tolerance %g", worst, tolerance)
	}
	return worst, nil
}

func ids(l int) string {
	var text []string
	for _, id := range tokens(l) {
		text = append(text, fmt.Sprint(id))
	}
	return strings.Join(text, ",")
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[len(s)/2]
}
