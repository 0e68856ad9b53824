// Package bench is the noun "bench" of the command line: it says how fast this
// machine is at what Heed does, in numbers that can be compared from machine to
// machine.
//
// Everything is measured against one yardstick, the peak of fused multiply-adds
// between registers, measured here and now on the same cores: a kernel or a model
// that is given as a share of it can be judged without knowing the machine. Data
// and weights are random; no file is read or written.
package bench

import (
	"bufio"
	"cmp"
	"context"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"heed/internal/cli"
	"heed/internal/clock"
	"heed/internal/kernel"
	"heed/internal/par"
)

// A Setting says how to measure.
type Setting struct {
	Cores int           // 0 means all
	Each  time.Duration // of one measurement; 0 means a second
	// Processor counts processor time, divided by the cores at work, in place of the
	// time on the clock: for a machine that is not idle. Cores that wait for one
	// another then go unnoticed. It is an error where the system does not tell it.
	Processor bool
	// Tokens is the length of the longest sequence whose memory is measured; 0 means
	// 8,192.
	Tokens int
	// Tell, if not nil, is called with what is under way.
	Tell func(what string)
}

// A Result is what was measured.
type Result struct {
	Machine Machine  `json:"machine"`
	Peak    []Peak   `json:"peak"`
	Kernels []Kernel `json:"kernels"`
	Models  []Model  `json:"models"`
	Memory  []Memory `json:"memory"`
	Seconds float64  `json:"seconds"` // that all of it took
}

// A Machine is where it was measured.
type Machine struct {
	Heed      string `json:"heed"`
	Go        string `json:"go"`
	System    string `json:"system"` // operating system and architecture
	Processor string `json:"processor,omitempty"`
	Kernel    string `json:"kernel"`
	Cores     int    `json:"cores"`
	Clock     string `json:"clock"` // "wall" or "processor"
}

// A Peak is the most that some cores can do.
type Peak struct {
	Cores  int     `json:"cores"`
	GFLOPS float64 `json:"gflops"` // 2 for each fused multiply-add; the best of the groups
	// Steady is the median of the groups by the best: far from 1 if other programs
	// run, or if the processor changes its frequency.
	Steady float64 `json:"steady"`
}

// Busy is the steadiness below which a machine is not idle.
const Busy = 0.9

// Run measures everything.
func Run(ctx context.Context, version string, s Setting) (*Result, error) {
	if s.Cores == 0 {
		s.Cores = par.Cores()
	}
	if s.Each == 0 {
		s.Each = time.Second
	}
	if s.Tell == nil {
		s.Tell = func(string) {}
	}
	counted := "wall"
	if s.Processor {
		counted = "processor"
		if _, ok := clock.Processor(); !ok {
			return nil, &cli.UsageError{Reason: "this system does not tell the processor time"}
		}
	}
	began := time.Now()
	out := &Result{Machine: Machine{
		Heed: version, Go: strings.TrimPrefix(runtime.Version(), "go"), System: runtime.GOOS + "/" + runtime.GOARCH, Processor: processor(),
		Kernel: kernel.Active().String(), Cores: s.Cores, Clock: counted,
	}}
	cores := []int{1}
	if s.Cores > 1 {
		cores = append(cores, s.Cores)
	}
	peaks := map[int]float64{}
	for _, n := range cores {
		s.Tell("the peak of fused multiply-adds")
		p := s.peak(n)
		out.Peak = append(out.Peak, p)
		peaks[n] = p.GFLOPS
	}
	for _, n := range cores {
		for _, w := range kernels(n) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			s.Tell(w.what)
			g := w.flops / s.best(n, w.run) / 1e9
			out.Kernels = append(out.Kernels, Kernel{w.what, n, g, g / peaks[n]})
		}
	}
	for _, make := range models() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m := make(s.Cores)
		s.Tell("the model " + m.name)
		out.Models = append(out.Models, m.measure(s, peaks[s.Cores]))
	}
	for length := 512; length <= cmp.Or(s.Tokens, 8192); length *= 2 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.Tell("memory")
		out.Memory = append(out.Memory, memory(length))
	}
	out.Seconds = time.Since(began).Seconds()
	return out, nil
}

// groups is how often a measurement is repeated, unless a single run takes longer
// than all of them should.
const groups = 5

// now returns seconds on the clock of the setting.
func (s *Setting) now(began time.Time) float64 {
	if s.Processor {
		t, _ := clock.Processor()
		return t
	}
	return time.Since(began).Seconds()
}

// times returns the seconds of one call of f, which keeps cores busy, in each of the
// groups, which together last about as long as Each.
func (s *Setting) times(cores int, f func()) []float64 {
	f() // scratch space and caches
	share := (s.Each / groups).Seconds()
	n := 1
	began := time.Now()
	first := s.now(began)
	out := make([]float64, 0, groups)
	for len(out) < groups {
		start := s.now(began)
		for range n {
			f()
		}
		took := s.now(began) - start
		if s.Processor {
			took /= float64(cores)
		}
		if len(out) == 0 && took < share/2 && n < 1<<24 { // a longer group, and again
			n *= 2
			continue
		}
		if out = append(out, max(took, 1e-9)/float64(n)); s.now(began)-first > 2*s.Each.Seconds()*float64(cores) {
			break
		}
	}
	return out
}

// best returns the seconds of one call of f in the fastest of the groups: what the
// machine does when nothing else disturbs it.
func (s *Setting) best(cores int, f func()) float64 { return slices.Min(s.times(cores, f)) }

// peak measures cores cores at once.
func (s *Setting) peak(cores int) Peak {
	const turns = 1 << 16
	fused := make([]float64, cores)
	ts := s.times(cores, func() {
		par.Do(cores, cores, func(_, i int) { fused[i] = kernel.Fuse(turns) })
	})
	total := 0.0
	for _, f := range fused {
		total += f
	}
	slices.Sort(ts)
	return Peak{Cores: cores, GFLOPS: 2 * total / ts[0] / 1e9, Steady: ts[0] / ts[len(ts)/2]}
}

// processor returns the name of the processor where the system tells it.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
