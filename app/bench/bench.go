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
	"fmt"
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
	// Within is what all of it may take, on the clock; 0 means 100 seconds. What would
	// not fit is skipped and said.
	Within time.Duration
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
	Skipped []Skip   `json:"skipped"`
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
	Rounds int     `json:"rounds"`
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
	if s.Within == 0 {
		s.Within = 100 * time.Second
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
	w := newWatch(s.Processor)
	out := &Result{Machine: Machine{
		Heed: version, Go: strings.TrimPrefix(runtime.Version(), "go"), System: runtime.GOOS + "/" + runtime.GOARCH, Processor: processor(),
		Kernel: kernel.Active().String(), Cores: s.Cores, Clock: counted,
	}}
	cores := []int{1}
	if s.Cores > 1 {
		cores = append(cores, s.Cores)
	}
	subjects, lengths := models(), lengths(cmp.Or(s.Tokens, 8192))
	b := &budget{watch: w, processor: s.Processor, each: s.Each.Seconds(), total: s.Within.Seconds(), skipped: []Skip{},
		left: len(cores)*(1+len(kernels(1))) + 2*len(subjects) + len(lengths)}
	peaks := map[int]float64{}
	for _, n := range cores {
		s.Tell("the peak of fused multiply-adds")
		p := b.peak(n)
		out.Peak = append(out.Peak, p)
		peaks[n] = p.GFLOPS
	}
	for _, n := range cores {
		for _, w := range kernels(n) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			s.Tell(w.what)
			if part, ok := b.begin(fmt.Sprintf("%s, %s", w.what, coresWord(n)), w.flops); ok {
				t := b.measure(part, n, w.flops, w.run)
				g := w.flops / t.best() / 1e9
				out.Kernels = append(out.Kernels, Kernel{w.what, n, g, g / peaks[n], len(t.seconds)})
			}
		}
	}
	for _, make := range subjects {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m := make(s.Cores)
		s.Tell("the model " + m.name)
		if x := m.measure(b, s.Cores, peaks[s.Cores]); x.Inference != nil || x.Training != nil {
			out.Models = append(out.Models, x)
		}
	}
	for _, length := range lengths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.Tell("memory")
		if _, ok := b.begin(fmt.Sprintf("memory of %d tokens", length), memoryWork(length)); ok {
			out.Memory = append(out.Memory, memory(length))
		}
	}
	out.Skipped, out.Seconds = b.skipped, w.wall()
	return out, nil
}

// peak measures cores cores at once.
func (b *budget) peak(cores int) Peak {
	const turns = 1 << 16
	fused := make([]float64, cores)
	part, _ := b.begin("", 0)
	t := b.measure(part, cores, 0, func() {
		par.Do(cores, cores, func(_, i int) { fused[i] = kernel.Fuse(turns) })
	})
	total := 0.0
	for _, f := range fused {
		total += f
	}
	slices.Sort(t.seconds)
	return Peak{Cores: cores, GFLOPS: 2 * total / t.seconds[0] / 1e9, Steady: t.seconds[0] / t.seconds[len(t.seconds)/2], Rounds: len(t.seconds)}
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
