package explain

import (
	"context"
	"fmt"
	"math"

	"heed/format"
	"heed/internal/par"
	"heed/tensor"
)

const (
	// FlowLength is the length up to which [AttentionFlow] usually takes seconds.
	FlowLength = 512
	// FlowSpread is the coefficient of variation below which a flow tells next to
	// nothing.
	FlowSpread = 0.1
)

// A Flow holds the maximum flows from a readout to each input.
type Flow struct {
	Max   []float64 // (L) the flow to each position, 0 to 1
	Share []float64 // (L) the same, divided by the sum
	// CV is the coefficient of variation of Max, standard deviation by mean, over
	// the positions that any edge reaches. Below [FlowSpread] the flows are next
	// to equal, and the map is uninformative.
	CV float64
}

// Informative reports whether the flows differ enough to be shown.
func (f *Flow) Informative() bool { return f.CV >= FlowSpread }

// AttentionFlow returns the attention flow of Abnar & Zuidema 2020 (§3): with the
// positions of each layer as nodes and W_l[i, j] as the capacity of the edge from
// position i after layer l to position j before it,
//
//	Max[j] = maximum flow from the readout to input j
//
// The readout (L) is a source with an edge of capacity readout[i] to each
// position i of the last layer. Where a rollout multiplies shares along a path
// and adds paths, a flow takes the narrowest edge of a path, and paths share the
// capacity of their edges. layers are those of [Fuse], with their residual.
//
// There is one maximum flow for each input, over n·L² edges; all cores are used.
// The algorithm is Dinic's (1970). On random attention the time grows as n·L³
// (docs/maths/rollout.md has measurements); the worst case is far above that.
// Memory is 16·n·L² bytes for each core. A length above limit ([FlowLength], unless the caller knows
// better) is an error of the kind [format.ErrTooLarge]; otherwise the error is
// that of the context.
//
// What a flow cannot tell is what a rollout cannot, and this beside: it
// saturates. With more layers there are more paths, until the narrowest place is
// the source itself and all inputs get the same (see CV).
func AttentionFlow(ctx context.Context, layers []Mixing, readout []float64, limit int) (*Flow, error) {
	n, depth := len(readout), len(layers)
	for l := range layers {
		tensor.Check("explain.AttentionFlow: "+layers[l].Name, []int{layers[l].Length, len(layers[l].Weights)}, n, n*n)
	}
	if n > limit {
		return nil, fmt.Errorf("%w: attention flow of length %d takes %d maximum flows over %d layers x %d² = %d edges; the limit is length %d",
			format.ErrTooLarge, n, n, depth, n, depth*n*n, limit)
	}
	if depth == 0 {
		panic("explain: flow without layers")
	}
	f := &Flow{Max: make([]float64, n), Share: make([]float64, n)}
	nets := make([]*network, par.Cores())
	par.Do(n, len(nets), func(worker, j int) {
		if ctx.Err() != nil {
			return
		}
		if nets[worker] == nil {
			nets[worker] = newNetwork(layers, n)
		}
		f.Max[j] = nets[worker].flow(layers, readout, j)
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.summarize(&layers[0])
	return f, nil
}

// summarize computes Share and CV; first is the layer that reads the input.
func (f *Flow) summarize(first *Mixing) {
	reached := make([]bool, len(f.Max))
	for i := range f.Max {
		for j, w := range first.Row(i) {
			reached[j] = reached[j] || w > 0
		}
	}
	count, sum, squares := 0.0, 0.0, 0.0
	for j, v := range f.Max {
		if reached[j] {
			count++
			sum += v
		}
	}
	for j, v := range f.Max {
		if reached[j] {
			d := v - sum/count
			squares += d * d
		}
		if sum > 0 {
			f.Share[j] = v / sum
		}
	}
	if sum > 0 {
		f.CV = math.Sqrt(squares/count) / (sum / count)
	}
}

// A network is the residual graph of one maximum flow. Node a·L+i is position i
// at height a: 0 is the output of the last layer, n the input.
type network struct {
	length, depth int
	down          [][]float64 // [a][i·L+j] what edge (a, i) → (a+1, j) still takes
	up            [][]float64 // [a][j·L+i] what flows on it, and could be taken back
	source        []float64   // what the edges from the readout still take
	level         []int32     // of each node, counted from the source; 0 is unreached
	at            []int32     // the edge at which the search goes on; down, then up
	queue         []int32
	sink          int // position of the input
}

// epsilon is the capacity that counts as none: rounding leaves less.
const epsilon = 1e-12

func newNetwork(layers []Mixing, n int) *network {
	g := &network{length: n, depth: len(layers), source: make([]float64, n)}
	for range layers {
		g.down = append(g.down, make([]float64, n*n))
		g.up = append(g.up, make([]float64, n*n))
	}
	nodes := (len(layers) + 1) * n
	g.level, g.at, g.queue = make([]int32, nodes), make([]int32, nodes), make([]int32, 0, nodes)
	return g
}

// flow returns the maximum flow to input sink.
func (g *network) flow(layers []Mixing, readout []float64, sink int) float64 {
	g.sink = sink
	copy(g.source, readout)
	for a := range g.down {
		for e, w := range layers[g.depth-1-a].Weights {
			g.down[a][e] = float64(w)
		}
		clear(g.up[a])
	}
	total := 0.0
	for g.levels() {
		clear(g.at)
		for i, left := range g.source {
			if left > epsilon {
				f := g.push(0, i, left)
				g.source[i] -= f
				total += f
			}
		}
	}
	return total
}

// levels finds the number of edges from the source to each node, breadth first,
// and reports whether the sink is within reach.
func (g *network) levels() bool {
	n := g.length
	clear(g.level)
	g.queue = g.queue[:0]
	visit := func(node int, level int32) {
		if g.level[node] == 0 {
			g.level[node] = level
			g.queue = append(g.queue, int32(node))
		}
	}
	for i, left := range g.source {
		if left > epsilon {
			visit(i, 1)
		}
	}
	for head := 0; head < len(g.queue); head++ {
		node := int(g.queue[head])
		a, i := node/n, node%n
		next := g.level[node] + 1
		if a == g.depth-1 { // of the inputs, only the sink leads anywhere
			if g.down[a][i*n+g.sink] > epsilon {
				g.level[g.depth*n+g.sink] = next
				return true // the nodes that matter are nearer
			}
		} else {
			for j, left := range g.down[a][i*n : (i+1)*n] {
				if left > epsilon {
					visit((a+1)*n+j, next)
				}
			}
		}
		if a > 0 {
			for k, left := range g.up[a-1][i*n : (i+1)*n] {
				if left > epsilon {
					visit((a-1)*n+k, next)
				}
			}
		}
	}
	return false
}

// push sends up to limit from (a, i) to the sink, along edges that lead one
// level on, and returns what arrived. Edges that are found exhausted are not
// looked at again before the next levels.
func (g *network) push(a, i int, limit float64) float64 {
	if a == g.depth {
		return limit // only the sink has a level there
	}
	n := g.length
	node := a*n + i
	next := g.level[node] + 1
	pushed := 0.0
	try := func(b, j int, ahead, back *float64) {
		if *ahead > epsilon && g.level[b*n+j] == next {
			f := g.push(b, j, min(limit-pushed, *ahead))
			*ahead -= f
			*back += f
			pushed += f
		}
	}
	for ; int(g.at[node]) < 2*n; g.at[node]++ {
		if e := int(g.at[node]); e < n {
			if a == g.depth-1 {
				e = g.sink
				g.at[node] = int32(n - 1)
			}
			try(a+1, e, &g.down[a][i*n+e], &g.up[a][e*n+i])
		} else if a > 0 {
			k := e - n
			try(a-1, k, &g.up[a-1][i*n+k], &g.down[a-1][k*n+i])
		}
		if limit-pushed <= epsilon {
			break // the edge may take more
		}
	}
	return pushed
}
