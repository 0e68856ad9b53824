package ct

import (
	"fmt"
	"runtime/debug"
	"strings"

	"heed/format/npy"
	"heed/internal/cli"
	"heed/internal/par"
	"heed/model/volume"
)

// A memoryPlan is what heed ct train takes at most, in bytes: the number that is printed,
// that --mem-limit is compared with, and that the collector of garbage stays within.
type memoryPlan struct {
	volume.Plan
	Cores   int
	Data    int64 // volumes as they are stored, where they are in memory, and as the model sees them
	Program int64
}

// planMemory makes the plan of a run. Leaves and volumes of validation have buffers of their
// own, which are not given back in between.
func planMemory(cfg *TrainConfig, d *Dataset) memoryPlan {
	p := memoryPlan{Plan: volume.NewPlan(cfg.Model, cfg.Train.Batch, cfg.Train.Leaves), Cores: cfg.Train.Cores, Program: 40 << 20}
	if p.Cores == 0 {
		p.Cores = par.Cores()
	}
	used := int64(len(d.Part("train")) + len(d.Part("valid")))
	one := 4 * int64(d.Voxels())
	p.Data = min(d.cache.limit, used*one) + int64(p.Cores)*one // one is being read on each core
	if s, ok := d.store.(*archive); ok {
		for _, part := range s.parts {
			p.Data += storedBytes(part)
		}
	}
	return p
}

func storedBytes(a npy.Array) int64 {
	n := int64(1)
	for _, s := range a.Shape {
		n *= int64(s)
	}
	switch a.Data.(type) {
	case []uint8, []int8, []bool:
		return n
	case []int16, []uint16:
		return 2 * n
	case []float64, []int64, []uint64:
		return 8 * n
	}
	return 4 * n
}

func (p memoryPlan) total() int64 { return p.Plan.Total(p.Cores) + p.Data + p.Program }

func (p memoryPlan) String() string {
	text := func(n int64) string { b := cli.Bytes(n); return b.String() }
	parts := []string{text(p.total())}
	for _, x := range []struct {
		name  string
		bytes int64
	}{{"activations", p.Activations}, {"weights", p.Weights + p.Optimiser}, {"volumes", p.Data}, {"validation", int64(p.Cores) * p.Prediction}, {"program", p.Program}} {
		parts = append(parts, fmt.Sprintf("%s %s", x.name, text(x.bytes)))
	}
	return fmt.Sprintf("at most %s: %s", parts[0], strings.Join(parts[1:], ", "))
}

// hold makes the plan the limit that the collector of garbage works towards: without, it would
// let as much garbage gather as there is in use. The result lifts it.
func (p memoryPlan) hold() func() {
	before := debug.SetMemoryLimit(p.total())
	return func() { debug.SetMemoryLimit(before) }
}
