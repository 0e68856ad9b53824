package alignment

import (
	"cmp"
	"fmt"
	"math/rand/v2"

	"heed/autograd"
	"heed/nn"
)

// MaskState is the token of a residue that is to be filled in.
const MaskState = States

// A RowConfig says how large a Row is.
type RowConfig struct {
	Columns int // L
	Layers  int
	Dim     int // D
	Heads   int // of attention
	FFN     int
	Dropout float32
	// Mixer, if not empty, is one of [nn.Mixers] and takes the place of attention;
	// MixerWidth is that of its states or branches, 0 the one of equal parameters.
	Mixer      string
	MixerWidth int
}

// A Row is an encoder of single aligned rows that fills in masked residues (Devlin
// et al. 2019), trained on one family. A column is known by a learned vector, so a
// Row can be a profile at least; what it knows beyond that, it knows from the other
// columns of the row, which the mixer brings together.
type Row struct {
	Config RowConfig
	Embed  *nn.Embedding // (States+1, D)
	Column *nn.Embedding // (L, D)
	Layers []*nn.EncoderLayer
	Norm   *nn.LayerNorm
	Masked *nn.Linear // (20, D)
}

// NewRow returns a model with weights drawn from r.
func NewRow(c RowConfig, r *rand.Rand) (*Row, error) {
	switch {
	case c.Columns < 1 || c.Layers < 0 || c.Dim < 1 || c.FFN < 1:
		return nil, fmt.Errorf("alignment: a row model of %d columns, %d layers, width %d and %d", c.Columns, c.Layers, c.Dim, c.FFN)
	case c.Mixer == "" && (c.Heads < 1 || c.Dim%c.Heads != 0):
		return nil, fmt.Errorf("alignment: heads %d: want a divisor of %d", c.Heads, c.Dim)
	}
	if c.Mixer != "" && c.MixerWidth == 0 {
		target := nn.Count(nn.NewEncoderLayer(nn.NewMultiHeadAttention(c.Dim, 1, nil), c.Dim, c.FFN, nil))
		if _, err := nn.NewMixer(c.Mixer, c.Dim, 1, nil); err != nil {
			return nil, err
		}
		width, err := nn.EqualWidth(target, func(width int) int {
			m, _ := nn.NewMixer(c.Mixer, c.Dim, width, nil)
			return nn.Count(nn.NewEncoderLayer(m, c.Dim, c.FFN, nil))
		})
		if err != nil {
			return nil, err
		}
		c.MixerWidth = width
	}
	m := &Row{Config: c, Embed: nn.NewEmbedding(States+1, c.Dim, 0.5, r), Column: nn.NewEmbedding(c.Columns, c.Dim, 0.5, r)}
	for i := range c.Layers {
		var mixer nn.Mixer
		if c.Mixer == "" {
			a := nn.NewMultiHeadAttention(c.Dim, c.Heads, r)
			a.Name = fmt.Sprintf("layers.%d.attention", i)
			mixer = a
		} else {
			var err error
			if mixer, err = nn.NewMixer(c.Mixer, c.Dim, c.MixerWidth, r); err != nil {
				return nil, err
			}
		}
		l := nn.NewEncoderLayer(mixer, c.Dim, c.FFN, r)
		l.Name, l.Dropout = fmt.Sprintf("layers.%d", i), c.Dropout
		m.Layers = append(m.Layers, l)
	}
	m.Norm = nn.NewLayerNorm(c.Dim)
	m.Masked = nn.NewLinear(c.Dim, Residues, r)
	return m, nil
}

// Visit names all parameters.
func (m *Row) Visit(prefix string, f nn.Visitor) {
	m.Embed.Visit(nn.Join(prefix, "embed"), f)
	m.Column.Visit(nn.Join(prefix, "column"), f)
	for i, l := range m.Layers {
		l.Visit(nn.Join(prefix, fmt.Sprintf("layers.%d", i)), f)
	}
	m.Norm.Visit(nn.Join(prefix, "norm"), f)
	m.Masked.Visit(nn.Join(prefix, "masked"), f)
}

// Encode returns the hidden states (S·L, D) of S rows of L states each, packed
// end to end.
func (m *Row) Encode(t *autograd.Tape, rows []uint8) *autograd.Var {
	l := m.Config.Columns
	if len(rows)%l != 0 {
		panic(fmt.Sprintf("alignment: %d states, not a multiple of %d columns", len(rows), l))
	}
	tokens, columns := make([]int32, len(rows)), make([]int32, len(rows))
	for i, s := range rows {
		tokens[i], columns[i] = int32(s), int32(i%l)
	}
	x := autograd.Add(t, m.Embed.Forward(t, tokens), m.Column.Forward(t, columns))
	x = autograd.Dropout(t, x, m.Config.Dropout)
	segments := autograd.GridRows(0, len(rows)/l, l)
	for _, layer := range m.Layers {
		x = layer.Forward(t, x, segments)
	}
	return m.Norm.Forward(t, x)
}

// Logits returns logits over the amino acids (len(at), 20) at some places of S
// rows, counted from the first; all of them, (S·L, 20), if at is nil.
func (m *Row) Logits(t *autograd.Tape, rows []uint8, at []int32) *autograd.Var {
	x := m.Encode(t, rows)
	if at != nil {
		x = autograd.Rows(t, x, at)
	}
	return m.Masked.Forward(t, x)
}

// Mask prepares a row for training: each residue is chosen with probability rate;
// of the chosen ones 80 % are masked, 10 % become an amino acid drawn from all,
// and 10 % stay (Devlin et al. 2019, §3.1). It changes row and returns the chosen
// columns and their residues. Gaps are never chosen. With all set, all of the
// chosen are masked: for a test.
func Mask(row []uint8, rate float64, all bool, r *rand.Rand) (at, truth []int32) {
	for i, s := range row {
		if s >= Gap || r.Float64() >= rate {
			continue
		}
		at, truth = append(at, int32(i)), append(truth, int32(s))
		switch p := r.Float64(); {
		case all || p < 0.8:
			row[i] = MaskState
		case p < 0.9:
			row[i] = uint8(r.IntN(Residues))
		}
	}
	return at, truth
}

// Profile returns the frequencies of the amino acids in every column (L, 20), with
// a pseudocount of one residue spread over all: what a model knows that looks at
// no other column.
func Profile(f *Family) []float64 {
	p := make([]float64, f.Columns*Residues)
	for i := range p {
		p[i] = 1.0 / Residues
	}
	for n := range f.Sequences {
		for c, s := range f.row(n) {
			if s < Gap {
				p[c*Residues+int(s)] += f.Weights[n]
			}
		}
	}
	for c := range f.Columns {
		sum := 0.0
		for _, v := range p[c*Residues : (c+1)*Residues] {
			sum += v
		}
		for a := range Residues {
			p[c*Residues+a] /= cmp.Or(sum, 1)
		}
	}
	return p
}
