package protein

import (
	"fmt"
	"slices"
	"strings"

	"heed/autograd"
	"heed/explain"
	"heed/plot"
	"heed/report"
)

// A gridAttention is the attention of a pass of axial layers over one alignment.
type gridAttention struct {
	rows, columns int // of the grid
	collector     explain.AxialCollector
	between       []float32 // (layers, H, rows, rows) column attention, the mean over the columns
}

// probe is the tape's probe for the pass.
func (g *gridAttention) probe(name string, v *autograd.Var) {
	g.collector.Probe(name, v)
	if !strings.HasSuffix(name, ".column.weights") {
		return
	}
	mean := make([]float32, v.Dim(1)*g.rows*g.rows)
	for c := range g.columns {
		for i, w := range v.Data[c*len(mean) : (c+1)*len(mean)] {
			mean[i] += w / float32(g.columns)
		}
	}
	g.between = append(g.between, mean...)
}

// rollout shows the rollout to the first row of the alignment. The first skip columns
// of the grid are no residues, and are left out of what is shown; m has the name, the
// tokens and the positions of the others.
func (g *gridAttention) rollout(skip int, m report.AttentionMap) ([]report.Block, error) {
	byColumn, byCell := g.rolled(skip)
	n, l := g.rows, g.columns-skip
	kept := float32(0)
	for i := range l {
		kept += byColumn[i*l+i] / float32(l)
		byColumn[i*l+i] = 0
	}
	m.Weights, m.Full = byColumn, []bool{true}
	high := slices.Max(byCell[min(l, len(byCell)-1):]) // of the other rows
	png, err := plot.HeatmapPNG(byCell, n, l, 0, max(float64(high), 1e-9), plot.Viridis())
	if err != nil {
		return nil, err
	}
	wide := make([]float64, len(byCell))
	for i, v := range byCell {
		wide[i] = float64(v)
	}
	return []report.Block{
		report.HeatmapSet{Name: "axial-rollout", Layers: 1, Heads: 1, Maps: []report.AttentionMap{m},
			Caption: fmt.Sprintf("Axial rollout over the same alignment: how much of each position (column of the map, all rows of the alignment together) could have flowed to each position of the query (row of the map) through the attention of all layers along rows and columns, heads averaged. The diagonal, what a position keeps through the residual connections (%.3f of it on average), is left out.", kept)},
		report.Figure{Name: "axial-rollout-grid", PNG: png, Alt: "Axial rollout from the query to all cells of an alignment",
			Caption: fmt.Sprintf("The same rollout by cell: how much of each cell of the alignment (%d rows, the query on top, by %d columns) could have flowed to the query, the mean over its positions; light is more, the lightest %.5f or more: the row of the query, which the residual connections feed, is off the scale. Uniformity %.3f (1: all cells alike; above %g a rollout tells next to nothing).", n, l, high, explain.Uniformity(wide), explain.Uniform)},
	}, nil
}

// rolled returns, for each cell of the first row but the first skip, what could have
// flowed to it from each column but those, (l, l), and the mean over these cells of
// what could have flowed from each cell, (rows, l).
func (g *gridAttention) rolled(skip int) (byColumn, byCell []float32) {
	n, width, l := g.rows, g.columns, g.columns-skip
	byColumn, byCell = make([]float32, l*l), make([]float32, n*l)
	for i := range l {
		for c, v := range explain.AxialRollout(g.collector.Blocks, n, width, explain.ReadRow(n*width, skip+i), explain.FuseSpec{}) {
			if at := c%width - skip; at >= 0 {
				byColumn[i*l+at] += float32(v)
				byCell[c/width*l+at] += float32(v / float64(l))
			}
		}
	}
	return byColumn, byCell
}
