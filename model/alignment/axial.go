package alignment

import (
	"fmt"
	"math"
	"math/rand/v2"

	"heed/autograd"
	"heed/internal/par"
	"heed/nn"
)

// ArchitectureAxial is the name that checkpoints of an Axial carry.
const ArchitectureAxial = "alignment-axial"

// Hidden is the state of a cell that is masked, after those of a Family.
const Hidden = States

// An Axial is an axial transformer over the rows and columns of an alignment,
// trained on one family to fill in masked residues: the MSA Transformer (Rao et
// al. 2021) in little and without any other family. A cell begins as the vector of
// its state plus that of its column; rows have no position, for their order means
// nothing. Unlike [Potts] and [Factored] it sees a cell's neighbours in the column,
// the other sequences, as well.
type Axial struct {
	Config   AxialConfig
	Columns  int           // L
	Embed    *nn.Embedding // (22, D)
	Position *autograd.Var // (L, D)
	Layers   []*nn.AxialLayer
	// Pairs is what row attention of each layer knows of pairs of columns whatever
	// their residues, (H, L, L) by pairScale; none without Config.Pairs.
	Pairs []*autograd.Var
	Norm  *nn.LayerNorm
	Head  *nn.Linear    // (20, D)
	Field *autograd.Var // (L, 20) added to the logits of a column
}

// An AxialConfig says how large an Axial is and how FitAxial trains it. The zero
// value of a field means its default. It is stored in checkpoints.
type AxialConfig struct {
	Layers int  `json:"layers"` // 0 means 1
	Width  int  `json:"width"`  // D; 0 means 128
	Heads  int  `json:"heads"`  // of each attention; 0 means 32
	FFN    int  `json:"ffn"`    // 0 means 2·D
	Untied bool `json:"untied"` // each row has a map of its own
	// Pairs adds to the scores of row attention a number for each head and pair of
	// columns, learned for the family: the pair bias of AlphaFold (Jumper et al. 2021,
	// algorithm 7) without a network behind it. Queries and keys of D/H values, which
	// must tell L columns apart, are too narrow for maps that are sharp.
	Pairs   bool    `json:"pairs,omitempty"`
	Rows    int     `json:"rows"`    // R of an alignment that is drawn; 0 means 4
	Batch   int     `json:"batch"`   // alignments in a step; 0 means 16
	Steps   int     `json:"steps"`   // 0 means 700
	Rate    float64 `json:"rate"`    // peak of AdamW; 0 means 0.005
	Decay   float64 `json:"decay"`   // 0 means 0.01
	Dropout float64 `json:"dropout"` // of what is added to the residual; 0 means none
	Mask    float64 `json:"mask"`    // share of residues to fill in; 0 means 0.15
	Seed    uint64  `json:"seed"`
	Cores   int     `json:"-"` // 0 means all. Results do not depend on it
	// Tell, if not nil, is called after each step.
	Tell func(step, steps int, loss float64) `json:"-"`
}

// Validate fills in the defaults and reports the first field that makes no sense.
func (c *AxialConfig) Validate() error {
	if c.Width == 0 {
		c.Width = 128
	}
	for _, x := range []struct {
		field *int
		value int
	}{{&c.Layers, 1}, {&c.Heads, 32}, {&c.FFN, 2 * c.Width}, {&c.Rows, 4}, {&c.Batch, 16}, {&c.Steps, 700}, {&c.Cores, par.Cores()}} {
		if *x.field == 0 {
			*x.field = x.value
		}
	}
	for _, x := range []struct {
		field *float64
		value float64
	}{{&c.Rate, 0.005}, {&c.Decay, 0.01}, {&c.Mask, 0.15}} {
		if *x.field == 0 {
			*x.field = x.value
		}
	}
	for _, x := range []struct {
		name              string
		value, low, limit int
	}{{"layers", c.Layers, 1, 64}, {"width", c.Width, 1, 4096}, {"heads", c.Heads, 1, 1024}, {"ffn", c.FFN, 1, 1 << 16},
		{"rows", c.Rows, 2, 1 << 16}, {"batch", c.Batch, 1, 1 << 10}, {"steps", c.Steps, 1, 1 << 30}, {"cores", c.Cores, 1, 1 << 16}} {
		if x.value < x.low || x.value > x.limit {
			return fmt.Errorf("%s %d: want %d to %d", x.name, x.value, x.low, x.limit)
		}
	}
	switch {
	case c.Width%c.Heads != 0:
		return fmt.Errorf("width %d: want a multiple of %d heads", c.Width, c.Heads)
	case !(c.Rate > 0) || math.IsInf(c.Rate, 1):
		return fmt.Errorf("rate %v: want a positive number", c.Rate)
	case !(c.Decay >= 0) || math.IsInf(c.Decay, 1):
		return fmt.Errorf("decay %v: want 0 or more", c.Decay)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return fmt.Errorf("dropout %v: want a share from 0 to below 1", c.Dropout)
	case !(c.Mask > 0 && c.Mask < 1):
		return fmt.Errorf("mask %v: want a share between 0 and 1", c.Mask)
	}
	return nil
}

// Parameters returns how many values a model of the given number of columns has.
func (c *AxialConfig) Parameters(columns int) int {
	d := c.Width
	layer := 2*4*(d*d+d) + 3*2*d + 2*d*c.FFN + c.FFN + d
	if c.Pairs {
		layer += c.Heads * columns * columns
	}
	return (States+1+columns)*d + c.Layers*layer + 2*d + Residues*(d+1) + columns*Residues
}

// NewAxial returns a model of L columns with weights drawn from r, or zeros for
// weights that will be loaded. c must be valid.
func NewAxial(columns int, c AxialConfig, r *rand.Rand) *Axial {
	m := &Axial{Config: c, Columns: columns, Embed: nn.NewEmbedding(States+1, c.Width, 1, r), Position: nn.NewEmbedding(columns, c.Width, 1, r).Weight}
	for i := range c.Layers {
		l := nn.NewAxialLayer(fmt.Sprintf("layers.%d", i), c.Width, c.Heads, c.FFN, !c.Untied, r)
		l.Dropout = float32(c.Dropout)
		m.Layers = append(m.Layers, l)
		if c.Pairs {
			m.Pairs = append(m.Pairs, autograd.Param(c.Heads, columns, columns))
		}
	}
	m.Norm = nn.NewLayerNorm(c.Width)
	m.Head = nn.NewLinear(c.Width, Residues, r)
	m.Field = autograd.Param(columns, Residues)
	return m
}

// pairScale is what Pairs are multiplied by. An optimiser that moves every value by
// about its rate in a step then makes a map sharp in some hundred steps and not in
// some thousand.
const pairScale = 16

// Visit names embed, position, layers (with pairs), norm, head and field.
func (m *Axial) Visit(prefix string, f nn.Visitor) {
	m.Embed.Visit(nn.Join(prefix, "embed"), f)
	f(nn.Join(prefix, "position.weight"), m.Position)
	for i, l := range m.Layers {
		l.Visit(nn.Join(prefix, l.Name), f)
		if m.Pairs != nil {
			f(nn.Join(prefix, l.Name+".pairs"), m.Pairs[i])
		}
	}
	m.Norm.Visit(nn.Join(prefix, "norm"), f)
	m.Head.Visit(nn.Join(prefix, "head"), f)
	f(nn.Join(prefix, "field"), m.Field)
}

// Logits returns the logits (len(cells), 20) of some cells of an alignment, given by
// its states (R·L), 0 to Hidden, row by row; nil means all cells.
func (m *Axial) Logits(t *autograd.Tape, states []uint8, cells []int32) *autograd.Var {
	ids, columns := make([]int32, len(states)), make([]int32, len(states))
	for i, s := range states {
		ids[i], columns[i] = int32(s), int32(i%m.Columns)
	}
	g := nn.Grid{Rows: len(states) / m.Columns, Columns: m.Columns}
	x := autograd.Add(t, m.Embed.Forward(t, ids), autograd.Embedding(t, m.Position, columns))
	for i, l := range m.Layers {
		var bias *autograd.Var
		if m.Pairs != nil {
			bias = autograd.Scale(t, m.Pairs[i], pairScale)
		}
		x = l.Forward(t, x, g, bias)
	}
	if cells != nil {
		x = autograd.Rows(t, x, cells)
		columns = columns[:0]
		for _, c := range cells {
			columns = append(columns, c%int32(m.Columns))
		}
	}
	y := m.Head.Forward(t, m.Norm.Forward(t, x))
	return autograd.Add(t, y, autograd.Embedding(t, m.Field, columns))
}

// gather returns the states (R·L) of some rows of a family.
func gather(f *Family, rows []int) []uint8 {
	out := make([]uint8, 0, len(rows)*f.Columns)
	for _, n := range rows {
		out = append(out, f.row(n)...)
	}
	return out
}
