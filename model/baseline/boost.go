package baseline

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"heed/internal/par"
)

// A BoostConfig says how trees are boosted. The zero value of a field means its
// default.
type BoostConfig struct {
	Rounds  int     `json:"rounds"`  // trees; default 300
	Rate    float64 `json:"rate"`    // share of each tree that is added; default 0.05
	Depth   int     `json:"depth"`   // splits from root to leaf, at most; default 4
	Lambda  float64 `json:"lambda"`  // L2 penalty of the values of leaves; default 1
	MinLeaf float64 `json:"minleaf"` // least sum of p·(1-p) in a leaf; default 1
	Rows    float64 `json:"rows"`    // share of the examples that a tree sees; default 0.8
	Columns float64 `json:"columns"` // share of the features that a tree sees; default 0.8

	// Valid and ValidY, if there are any, decide how many trees are kept: those
	// up to the smallest log loss. Patience, default 50, is how many trees
	// without improvement are borne.
	Valid    [][]float32 `json:"-"`
	ValidY   []bool      `json:"-"`
	Patience int         `json:"patience,omitempty"`
}

// Validate fills in the defaults and reports the first field that makes no
// sense.
func (c *BoostConfig) Validate() error {
	or := func(f *float64, v float64) {
		if *f == 0 {
			*f = v
		}
	}
	if c.Rounds == 0 {
		c.Rounds = 300
	}
	if c.Depth == 0 {
		c.Depth = 4
	}
	if c.Patience == 0 {
		c.Patience = 50
	}
	or(&c.Rate, 0.05)
	or(&c.Lambda, 1)
	or(&c.MinLeaf, 1)
	or(&c.Rows, 0.8)
	or(&c.Columns, 0.8)
	switch {
	case c.Rounds < 1:
		return fmt.Errorf("baseline: %d rounds: want 1 or more", c.Rounds)
	case c.Depth < 1 || c.Depth > 16:
		return fmt.Errorf("baseline: trees of depth %d: want 1 to 16", c.Depth)
	case !(c.Rate > 0 && c.Rate <= 1):
		return fmt.Errorf("baseline: rate %v of trees: want a share in (0, 1]", c.Rate)
	case !(c.Lambda >= 0) || !(c.MinLeaf >= 0):
		return fmt.Errorf("baseline: lambda %v and least leaf %v of trees: want 0 or more", c.Lambda, c.MinLeaf)
	case !(c.Rows > 0 && c.Rows <= 1) || !(c.Columns > 0 && c.Columns <= 1):
		return fmt.Errorf("baseline: shares %v of rows and %v of columns: want shares in (0, 1]", c.Rows, c.Columns)
	case len(c.Valid) != len(c.ValidY):
		return fmt.Errorf("baseline: %d rows for validation but %d labels", len(c.Valid), len(c.ValidY))
	case c.Patience < 1:
		return fmt.Errorf("baseline: patience %d: want 1 or more", c.Patience)
	}
	return nil
}

// A Boost is a sum of small regression trees that predicts the log odds of one
// of two classes from tabular features: stochastic gradient boosting (Friedman
// 2001, 2002) with the second-order gain of Chen & Guestrin 2016, eq. 7, over
// histograms of at most 255 bins. It needs no scaling of the features; a NaN is
// a missing value, and every split learns to which side those go. A Boost can
// be stored as JSON.
type Boost struct {
	Width int         `json:"width"` // features F
	Base  float64     `json:"base"`  // log odds of the training set
	Trees []BoostTree `json:"trees"`
	Gain  []float64   `json:"gain"` // (F) sum over splits of how much the loss fell
}

// A BoostTree is one tree; node 0 is its root.
type BoostTree []BoostNode

// A BoostNode is a split, or a leaf if Left is 0.
type BoostNode struct {
	Feature     int     `json:"f,omitempty"`
	Limit       float32 `json:"t,omitempty"` // values up to it go to the left
	MissingLeft bool    `json:"m,omitempty"` // NaN goes to the left
	Left        int     `json:"l,omitempty"`
	Right       int     `json:"r,omitempty"`
	Value       float64 `json:"v,omitempty"` // of a leaf, log odds
}

// FitBoost learns from rows x (n, F) and their labels; both classes must occur.
// What is random, the rows and columns of each tree, is drawn from rng. The
// result does not depend on the number of cores.
func FitBoost(x [][]float32, y []bool, cfg BoostConfig, rng *rand.Rand) (*Boost, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	width, positives, err := checkTable(x, y)
	if err != nil {
		return nil, err
	}
	for i, row := range cfg.Valid {
		if len(row) != width {
			return nil, fmt.Errorf("baseline: row %d for validation has %d features, want %d", i, len(row), width)
		}
	}
	n := len(x)
	b := &Boost{Width: width, Base: math.Log(float64(positives) / float64(n-positives)), Gain: make([]float64, width)}
	g := newGrower(x, cfg)
	score, valid := slices.Repeat([]float64{b.Base}, n), slices.Repeat([]float64{b.Base}, len(cfg.Valid))
	best, least := 0, math.Inf(1)
	var gains [][]float64 // of each tree
	for round := range cfg.Rounds {
		for i, s := range score { // of the log loss
			p := sigmoid(s)
			g.grad[i], g.hess[i] = p, p*(1-p)
			if y[i] {
				g.grad[i]--
			}
		}
		tree := g.grow(draw(n, cfg.Rows, rng), draw(width, cfg.Columns, rng))
		b.Trees, gains = append(b.Trees, tree), append(gains, slices.Clone(g.gain))
		for i, row := range x {
			score[i] += tree.value(row)
		}
		if len(valid) == 0 {
			continue
		}
		loss := 0.0
		for i, row := range cfg.Valid {
			valid[i] += tree.value(row)
			loss += logLoss(valid[i], cfg.ValidY[i])
		}
		if loss < least {
			best, least = round+1, loss
		} else if round+1-best >= cfg.Patience {
			break
		}
	}
	if len(valid) > 0 {
		b.Trees = b.Trees[:best]
	}
	for _, gain := range gains[:len(b.Trees)] {
		for f, v := range gain {
			b.Gain[f] += v
		}
	}
	return b, nil
}

// Predict returns the probability of the positive class for each row of x
// (n, F).
func (b *Boost) Predict(x [][]float32) []float64 {
	p := make([]float64, len(x))
	for i, row := range x {
		s := b.Base
		for _, t := range b.Trees {
			s += t.value(row)
		}
		p[i] = sigmoid(s)
	}
	return p
}

func (t BoostTree) value(row []float32) float64 {
	at := 0
	for t[at].Left != 0 {
		v, limit := row[t[at].Feature], t[at].Limit
		if v <= limit || v != v && t[at].MissingLeft {
			at = t[at].Left
		} else {
			at = t[at].Right
		}
	}
	return t[at].Value
}

// A grower grows trees over one table, whose values it has put into bins.
type grower struct {
	cfg        BoostConfig
	bins       [][]uint8   // (F, n): 0 for NaN, otherwise 1 + the number of limits below
	limits     [][]float32 // (F, bins-1)
	grad, hess []float64   // (n)
	gain       []float64   // (F) of the last tree
}

// maxLimits makes at most 255 bins of values, beside the one of NaN.
const maxLimits = 254

func newGrower(x [][]float32, cfg BoostConfig) *grower {
	n, width := len(x), len(x[0])
	g := &grower{cfg: cfg, bins: make([][]uint8, width), limits: make([][]float32, width),
		grad: make([]float64, n), hess: make([]float64, n), gain: make([]float64, width)}
	par.Do(width, par.Cores(), func(_, f int) {
		var values []float32
		for _, row := range x {
			if v := row[f]; v == v {
				values = append(values, v)
			}
		}
		slices.Sort(values)
		g.limits[f] = binLimits(values)
		g.bins[f] = make([]uint8, n)
		for i, row := range x {
			if v := row[f]; v == v {
				at, _ := slices.BinarySearch(g.limits[f], v)
				g.bins[f][i] = uint8(1 + at)
			}
		}
	})
	return g
}

// binLimits returns ascending limits between sorted values, about equally many
// values apart; each lies midway between two neighbours, or is the lower one.
func binLimits(sorted []float32) []float32 {
	var limits []float32
	distinct := slices.Compact(slices.Clone(sorted))
	if len(distinct) <= maxLimits+1 {
		for i := 1; i < len(distinct); i++ {
			limits = append(limits, between(distinct[i-1], distinct[i]))
		}
		return limits
	}
	for q := range maxLimits {
		at := (q + 1) * len(sorted) / (maxLimits + 1)
		if at > 0 && sorted[at] > sorted[at-1] {
			limits = append(limits, between(sorted[at-1], sorted[at]))
		} else if at > 0 && (len(limits) == 0 || sorted[at] > limits[len(limits)-1]) && sorted[at] < sorted[len(sorted)-1] {
			limits = append(limits, sorted[at])
		}
	}
	return slices.Compact(limits)
}

// between returns a number that is at least a and less than b.
func between(a, b float32) float32 {
	if m := a/2 + b/2; m >= a && m < b {
		return m
	}
	return a
}

// grow makes one tree from some rows and columns.
func (g *grower) grow(rows, columns []int) BoostTree {
	clear(g.gain)
	tree := BoostTree{{}}
	g.split(&tree, 0, rows, columns, g.cfg.Depth)
	return tree
}

// A cut is how a node could be split.
type cut struct {
	gain        float64
	bin         int // the last one of the left side
	missingLeft bool
}

func (g *grower) split(tree *BoostTree, at int, rows, columns []int, depth int) {
	var sumG, sumH float64
	for _, i := range rows {
		sumG += g.grad[i]
		sumH += g.hess[i]
	}
	cuts := make([]cut, len(columns))
	if depth > 0 && sumH >= 2*g.cfg.MinLeaf {
		par.Do(len(columns), par.Cores(), func(_, c int) { cuts[c] = g.bestCut(columns[c], rows, sumG, sumH) })
	}
	best := -1
	for c := range cuts {
		if cuts[c].gain > 0 && (best < 0 || cuts[c].gain > cuts[best].gain) {
			best = c
		}
	}
	if best < 0 {
		(*tree)[at].Value = -g.cfg.Rate * sumG / (sumH + g.cfg.Lambda)
		return
	}
	f, k := columns[best], cuts[best]
	g.gain[f] += k.gain
	var left, right []int
	for _, i := range rows {
		if b := int(g.bins[f][i]); b != 0 && b <= k.bin || b == 0 && k.missingLeft {
			left = append(left, i)
		} else {
			right = append(right, i)
		}
	}
	limit := float32(math.Inf(1)) // the right side has NaN alone
	if k.bin-1 < len(g.limits[f]) {
		limit = g.limits[f][k.bin-1]
	}
	l := len(*tree)
	*tree = append(*tree, BoostNode{}, BoostNode{})
	(*tree)[at] = BoostNode{Feature: f, Limit: limit, MissingLeft: k.missingLeft, Left: l, Right: l + 1}
	g.split(tree, l, left, columns, depth-1)
	g.split(tree, l+1, right, columns, depth-1)
}

// bestCut returns the cut of a node by one feature with the greatest gain, that
// is by how much the loss falls to second order:
//
//	½·(G_L²/(H_L+λ) + G_R²/(H_R+λ) - G²/(H+λ))
func (g *grower) bestCut(f int, rows []int, sumG, sumH float64) cut {
	var hist [256]struct{ g, h float64 }
	bins := g.bins[f]
	for _, i := range rows {
		h := &hist[bins[i]]
		h.g += g.grad[i]
		h.h += g.hess[i]
	}
	lambda, least := g.cfg.Lambda, g.cfg.MinLeaf
	whole := sumG * sumG / (sumH + lambda)
	best := cut{}
	for _, missingLeft := range [2]bool{false, true} {
		var left, leftH float64
		last := len(g.limits[f]) // with all values on the left, NaN is the right side
		if missingLeft {
			if hist[0].h == 0 {
				break
			}
			left, leftH = hist[0].g, hist[0].h
			last--
		} else if hist[0].h > 0 {
			last++
		}
		for b := 1; b <= last; b++ {
			left += hist[b].g
			leftH += hist[b].h
			right, rightH := sumG-left, sumH-leftH
			if leftH < least || rightH < least || hist[b].h == 0 {
				continue
			}
			gain := (left*left/(leftH+lambda) + right*right/(rightH+lambda) - whole) / 2
			if gain > best.gain+1e-12 {
				best = cut{gain, b, missingLeft}
			}
		}
	}
	return best
}

// draw returns a share of the numbers below n, at least one, ascending.
func draw(n int, share float64, rng *rand.Rand) []int {
	keep := max(1, int(math.Round(share*float64(n))))
	p := rng.Perm(n)[:keep]
	slices.Sort(p)
	return p
}

func sigmoid(s float64) float64 { return 1 / (1 + math.Exp(-s)) }

// logLoss is -log of the probability of the label at log odds s.
func logLoss(s float64, y bool) float64 {
	if y {
		s = -s
	}
	return math.Max(s, 0) + math.Log1p(math.Exp(-math.Abs(s)))
}

// Check reports whether trees that were read from a file can predict rows of
// the given width.
func (b *Boost) Check(width int) error {
	if b.Width != width || math.IsNaN(b.Base) {
		return fmt.Errorf("baseline: trees of %d features, want %d", b.Width, width)
	}
	for i, t := range b.Trees {
		if len(t) == 0 {
			return fmt.Errorf("baseline: tree %d is empty", i)
		}
		for at, n := range t {
			// Children come after their parent, so that every path ends.
			if n.Left != 0 && (n.Left <= at || n.Left >= len(t) || n.Right <= at || n.Right >= len(t) || n.Feature < 0 || n.Feature >= width) {
				return fmt.Errorf("baseline: tree %d, node %d: no such child or feature", i, at)
			}
		}
	}
	return nil
}
