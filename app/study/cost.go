package study

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"heed/autograd"
	"heed/internal/cost"
	"heed/metric"
	"heed/nn"
	"heed/plot"
)

// costStudy asks what full attention costs.
func costStudy() Study {
	return Study{
		Name:  "cost",
		Title: "What does full attention cost, and where does it end?",
		Claim: "The time of full attention grows with the square of the number of tokens, that of the linear layers around it in proportion. Its memory grows with the square if the weights are kept, and in proportion if they are computed in blocks (Milakov & Gimelshein 2018; Dao et al. 2022). " +
			"So blocks remove the wall of memory and leave that of time, which for the voxels of a CT scan only fewer tokens remove.",
		Refuted: "An exponent of the time of attention outside of 1.8 to 2.2, or of the linear layers above 1.2; an exponent of the memory with all weights below 1.8, or in blocks above 1.2.",
		Takes:   "1 minute",
		Run:     runCost,
	}
}

const (
	costWidth = 64
	costHeads = 4
)

// costLayers returns attention alone and the linear layers of a block alone, over
// one sequence of n tokens.
func costLayers() []cost.Layer {
	r := rand.New(rand.NewPCG(1, 2))
	block := nn.NewEncoderLayer(nn.NewMultiHeadAttention(costWidth, costHeads, r), costWidth, 4*costWidth, r)
	attention := block.Mixer.(*nn.MultiHeadAttention)
	tokens := func(n int) int { return n }
	return []cost.Layer{
		{Name: "attention", Rows: tokens, MultiplyAdds: func(n int) float64 { return 2 * float64(n) * float64(n) * costWidth }, Run: func(t *autograd.Tape, x *autograd.Var, n int) {
			autograd.Attention(t, x, x, x, autograd.AttentionSpec{Heads: costHeads, Query: autograd.Packed(n)})
		}},
		{Name: "linear layers", Rows: tokens, MultiplyAdds: func(n int) float64 { return 12 * float64(n) * costWidth * costWidth }, Run: func(t *autograd.Tape, x *autograd.Var, n int) {
			for _, l := range []*nn.Linear{attention.Query, attention.Key, attention.Value, attention.Out} {
				l.Forward(t, x)
			}
			block.Down.Forward(t, autograd.GELU(t, block.Up.Forward(t, x)))
		}},
	}
}

// attentionBytes returns what a forward and a backward pass of attention over n
// tokens allocate beyond the input, with all weights or in blocks.
func attentionBytes(n int, weights bool, seed uint64) float64 {
	x := cost.Input(n, costWidth, seed)
	x.Trainable = true
	grad := make([]float32, len(x.Data))
	return cost.Bytes(func() {
		t := &autograd.Tape{}
		if weights {
			t.Probe = func(string, *autograd.Var) {}
		}
		y := autograd.Attention(t, x, x, x, autograd.AttentionSpec{Name: "a", Heads: costHeads, Query: autograd.Packed(n)})
		t.BackwardFrom(y, grad)
	})
}

func runCost(ctx context.Context, l *Lab) (*Finding, error) {
	sizes := []int{512, 1024, 2048, 4096, 8192, 16384}
	memory := []int{256, 512, 1024, 2048}
	if l.Tiny {
		sizes, memory = []int{128, 256, 512}, []int{256, 512, 1024}
	}
	layers := costLayers()
	race := cost.Race{Width: costWidth, Rounds: l.pick(3, 1), Cores: 1, Least: 0.05}
	var times [][]cost.Timing       // (seeds)
	bytes := [2][][]float64{{}, {}} // (kept, in blocks), (seeds, sizes)
	for k := range l.Seeds {
		race.Seed = l.Seed + uint64(k)
		t, err := race.Times(ctx, layers, sizes)
		if err != nil {
			return nil, err
		}
		times = append(times, t)
		for i, kept := range []bool{true, false} {
			var row []float64
			for _, n := range memory {
				row = append(row, attentionBytes(n, kept, race.Seed))
			}
			bytes[i] = append(bytes[i], row)
		}
		l.tell("seed %d: times and memory of %d sizes", race.Seed, len(sizes))
	}
	f := &Finding{}
	exponents := l.addTimes(f, race.Clock(), layers, times)
	memoryExponents := l.addMemory(f, memory, bytes)
	rate := 0.0 // multiply-adds in a second, of attention at the largest size
	for _, t := range times {
		for _, x := range t {
			if x.Layer == layers[0].Name && x.N == sizes[len(sizes)-1] {
				rate = max(rate, x.MultiplyAdds/x.Best)
			}
		}
	}
	f.Tables = append(f.Tables, voxelTable(rate))
	fig, err := costFigure(layers, times, memory, bytes)
	if err != nil {
		return nil, err
	}
	f.Figures = fig
	f.Words = fmt.Sprintf("Time grows with the length to the power of %.2f in attention and %.2f in the linear layers; memory to the power of %.2f if all weights are kept and %.2f in blocks. "+
		"Over %d tokens the weights take %.0f times the memory of the blocks. The voxels of one CT scan (512 x 512 x 300) would take %s for one layer of attention on one core here, and 25 PB for the weights of one head; "+
		"a convolution that halves the sides four times before it leaves %d tokens, and %s.",
		exponents[0].Estimate, exponents[1].Estimate, memoryExponents[0].Estimate, memoryExponents[1].Estimate,
		memory[len(memory)-1], overSeeds(last(bytes[0])).Estimate/overSeeds(last(bytes[1])).Estimate,
		duration(pairsOf(512*512*300)*2*costWidth/rate), 32*32*19, duration(pairsOf(32*32*19)*2*costWidth/rate))
	return f, nil
}

// last returns the last value of each row.
func last(rows [][]float64) []float64 {
	var out []float64
	for _, r := range rows {
		out = append(out, r[len(r)-1])
	}
	return out
}

func (l *Lab) addTimes(f *Finding, clock string, layers []cost.Layer, times [][]cost.Timing) []metric.Interval {
	t := Table{
		Title:   fmt.Sprintf("Forward pass over L tokens, width %d, %d heads, one core, seconds of %s, %d repetitions", costWidth, costHeads, clock, l.Seeds),
		Columns: []string{"L", "what", "multiply-adds", "seconds [range]", "GFLOP/s"},
		Notes:   []string{"Best time of each repetition; repetitions differ in their input and in what else the machine did. Exponents are fitted over all lengths; their multiply-adds have exponents 2 and 1 exactly."},
	}
	var exponents []metric.Interval
	for i, layer := range layers {
		n, _ := cost.Series(times[0], layer.Name)
		var fits []float64
		seconds := make([][]float64, len(n)) // (sizes, seeds)
		for _, x := range times {
			_, best := cost.Series(x, layer.Name)
			b, _ := cost.Exponent(n, best)
			fits = append(fits, b)
			for k := range n {
				seconds[k] = append(seconds[k], best[k])
			}
		}
		for k, v := range n {
			s := overSeeds(seconds[k])
			t.Rows = append(t.Rows, []string{fmt.Sprint(v), layer.Name, fmt.Sprintf("%.3g", layer.MultiplyAdds(int(v))), fmt.Sprintf("%.3g [%.3g, %.3g]", s.Estimate, s.Low, s.High),
				fmt.Sprintf("%.0f", 2*layer.MultiplyAdds(int(v))/s.Estimate/1e9)})
		}
		e := overSeeds(fits)
		exponents = append(exponents, e)
		if i == 0 {
			f.Checks = append(f.Checks, Check{Name: "time: exponent of attention", Value: e, Bound: 1.8}, Check{Name: "time: exponent of attention", Value: e, Bound: 2.2, Upper: true})
		} else {
			f.Checks = append(f.Checks, Check{Name: "time, control: exponent of the linear layers", Value: e, Bound: 1.2, Upper: true})
		}
	}
	f.Tables = append(f.Tables, t)
	return exponents
}

// memoryWays are the two ways to hold the weights of attention.
var memoryWays = [2]string{"all weights kept", "in blocks"} // never written to

func (l *Lab) addMemory(f *Finding, sizes []int, bytes [2][][]float64) []metric.Interval {
	t := Table{
		Title:   fmt.Sprintf("Memory of attention, forward and backward, beyond its input, width %d, %d heads", costWidth, costHeads),
		Columns: []string{"L", memoryWays[0], memoryWays[1], "ratio"},
		Notes:   []string{"Bytes that a fresh pass allocates. Blocks compute the softmax as they go and the weights once more on the way back; they give the same numbers."},
	}
	var exponents []metric.Interval
	for i, way := range memoryWays {
		var fits []float64
		for _, row := range bytes[i] {
			n := make([]float64, len(sizes))
			for k := range n {
				n[k] = float64(sizes[k])
			}
			b, _ := cost.Exponent(n, row)
			fits = append(fits, b)
		}
		e := overSeeds(fits)
		exponents = append(exponents, e)
		c := Check{Name: "memory: exponent, " + way, Value: e, Bound: 1.8}
		if i == 1 {
			c = Check{Name: "memory, control: exponent, " + way, Value: e, Bound: 1.2, Upper: true}
		}
		f.Checks = append(f.Checks, c)
	}
	for k, n := range sizes {
		var m [2]float64
		for i := range m {
			for _, row := range bytes[i] {
				m[i] += row[k] / float64(len(bytes[i]))
			}
		}
		t.Rows = append(t.Rows, []string{fmt.Sprint(n), size(m[0]), size(m[1]), fmt.Sprintf("%.1f", m[0]/m[1])})
	}
	f.Tables = append(f.Tables, t)
	return exponents
}

func pairsOf(tokens int) float64 { return float64(tokens) * float64(tokens) }

// voxelTable is the arithmetic of full attention over volumes, before and after
// convolutions that halve the sides.
func voxelTable(rate float64) Table {
	t := Table{
		Title:   fmt.Sprintf("One layer of full attention over the voxels of a volume, width %d", costWidth),
		Columns: []string{"volume", "tokens", "weights of one head", "attention at the speed measured here"},
		Notes: []string{"Arithmetic, not measured but for the speed: tokens² · 4 bytes, and 2 · tokens² · width multiply-adds on one core. Stem ÷k: convolutions that leave one token for k voxels along each side.",
			"128 x 128 x 128 with a stem of ÷16 has 4,096 times fewer tokens and 1.7e7 times fewer pairs than without."},
	}
	for _, v := range []struct {
		name  string
		sides [3]int
		stem  int
	}{
		{"whole CT, 512 x 512 x 300", [3]int{512, 512, 300}, 1},
		{"whole CT, stem ÷8", [3]int{512, 512, 300}, 8},
		{"whole CT, stem ÷16", [3]int{512, 512, 300}, 16},
		{"crop, 128 x 128 x 128", [3]int{128, 128, 128}, 1},
		{"crop, stem ÷8", [3]int{128, 128, 128}, 8},
		{"crop, stem ÷16", [3]int{128, 128, 128}, 16},
		{"MedMNIST, 28 x 28 x 28", [3]int{28, 28, 28}, 1},
		{"MedMNIST, stem ÷4", [3]int{28, 28, 28}, 4},
	} {
		tokens := 1
		for _, s := range v.sides {
			tokens *= (s + v.stem - 1) / v.stem
		}
		t.Rows = append(t.Rows, []string{v.name, fmt.Sprint(tokens), size(4 * pairsOf(tokens)), duration(2 * pairsOf(tokens) * costWidth / rate)})
	}
	return t
}

// size prints bytes with a unit of a thousand.
func size(bytes float64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB"}
	i := 0
	for ; bytes >= 1000 && i < len(units)-1; i++ {
		bytes /= 1000
	}
	return fmt.Sprintf("%.3g %s", bytes, units[i])
}

// duration prints seconds in a unit that suits them.
func duration(seconds float64) string {
	switch {
	case seconds >= 2*86400:
		return fmt.Sprintf("%.3g days", seconds/86400)
	case seconds >= 2*3600:
		return fmt.Sprintf("%.3g hours", seconds/3600)
	case seconds >= 120:
		return fmt.Sprintf("%.3g minutes", seconds/60)
	case seconds < 0.1:
		return fmt.Sprintf("%.3g ms", 1000*seconds)
	}
	return fmt.Sprintf("%.3g s", seconds)
}

func costFigure(layers []cost.Layer, times [][]cost.Timing, memory []int, bytes [2][][]float64) ([]Figure, error) {
	line := func(name string, n []float64, rows [][]float64) plot.Line {
		out := plot.Line{Name: name, X: n}
		for k := range n {
			var values []float64
			for _, r := range rows {
				values = append(values, r[k])
			}
			v := overSeeds(values)
			out.Y, out.Low, out.High = append(out.Y, v.Estimate), append(out.Low, v.Low), append(out.High, v.High)
		}
		return out
	}
	var a, b []plot.Line
	for _, l := range layers {
		n, _ := cost.Series(times[0], l.Name)
		var rows [][]float64
		for _, t := range times {
			_, best := cost.Series(t, l.Name)
			rows = append(rows, best)
		}
		a = append(a, line(l.Name, n, rows))
	}
	n := make([]float64, len(memory))
	for k := range n {
		n[k] = float64(memory[k])
	}
	for i, way := range memoryWays {
		b = append(b, line(way, n, bytes[i]))
	}
	var out []Figure
	for _, f := range []struct {
		name, caption string
		lines         plot.Lines
	}{
		{"time", "Best times of a forward pass on one core. Attention has twice the slope of the linear layers.", plot.Lines{Title: "Time of attention and of the linear layers", XLabel: "tokens", YLabel: "seconds", LogX: true, LogY: true, Lines: a}},
		{"memory", "Bytes that forward and backward pass allocate. Blocks turn the square into a line.", plot.Lines{Title: "Memory of attention", XLabel: "tokens", YLabel: "bytes", LogX: true, LogY: true, Lines: b}},
	} {
		fig, err := linesFigure(f.name, f.caption, f.lines)
		if err != nil {
			return nil, err
		}
		out = append(out, fig)
	}
	return out, nil
}

// linesFigure draws lines and writes their numbers beside them.
func linesFigure(name, caption string, lines plot.Lines) (Figure, error) {
	fig, err := lines.Figure()
	if err != nil {
		return Figure{}, err
	}
	tsv := &strings.Builder{}
	fmt.Fprintln(tsv, "line\tx\ty\tlow\thigh")
	for _, l := range lines.Lines {
		for k := range l.X {
			fmt.Fprintf(tsv, "%s\t%.6g\t%.6g", l.Name, l.X[k], l.Y[k])
			if l.Low != nil {
				fmt.Fprintf(tsv, "\t%.6g\t%.6g", l.Low[k], l.High[k])
			}
			fmt.Fprintln(tsv)
		}
	}
	return Figure{Name: name, Alt: lines.Title + ": " + lines.YLabel + " by " + lines.XLabel, Caption: caption, SVG: fig.SVG(), TSV: []byte(tsv.String())}, nil
}
