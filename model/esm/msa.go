package esm

import (
	"fmt"
	"slices"

	"heed/autograd"
	"heed/nn"
)

// ArchitectureMSA is the name that checkpoints of ESM-MSA-1b carry.
const ArchitectureMSA = "esm-msa"

// An MSAConfig says how large an MSA Transformer is. It is stored in checkpoints.
type MSAConfig struct {
	Layers     int  `json:"layers"`
	Dim        int  `json:"dim"`         // width D of the model
	Heads      int  `json:"heads"`       // H; D is a multiple
	FFN        int  `json:"ffn"`         // width F of the feed-forward layers
	MaxColumns int  `json:"max_columns"` // with Begin
	MaxRows    int  `json:"max_rows"`
	RowWidth   int  `json:"row_width"` // of the positions of rows: D, or 1 in ESM-MSA-1
	Contacts   bool `json:"contacts"`
}

// Validate reports the first field that makes no sense.
func (c *MSAConfig) Validate() error {
	e := Config{Layers: c.Layers, Dim: c.Dim, Heads: c.Heads, FFN: c.FFN}
	if err := e.Validate(); err != nil {
		return err
	}
	switch {
	case c.MaxColumns < 1 || c.MaxColumns > 1<<20:
		return fmt.Errorf("max_columns %d: want 1 to %d", c.MaxColumns, 1<<20)
	case c.MaxRows < 1 || c.MaxRows > 1<<20:
		return fmt.Errorf("max_rows %d: want 1 to %d", c.MaxRows, 1<<20)
	case c.RowWidth != 1 && c.RowWidth != c.Dim:
		return fmt.Errorf("row_width %d: want 1 or dim %d", c.RowWidth, c.Dim)
	}
	return nil
}

// An MSA is the MSA Transformer (Rao et al. 2021), ESM-MSA-1b, in the order of
// the data. Its blocks attend along rows, with one map that all rows share, then
// along columns.
type MSA struct {
	Config   MSAConfig
	Embed    *nn.Embedding // (33, D); the masked-token head uses it too
	Position *autograd.Var // (MaxColumns+2, D): column c has row c+2
	Row      *autograd.Var // (1, MaxRows, 1, RowWidth)
	Before   *nn.LayerNorm
	Layers   []*nn.AxialLayer // tied; see its comment for what a probe sees
	Norm     *nn.LayerNorm
	Dense    *nn.Linear // (D, D), first of the masked-token head
	DenseLN  *nn.LayerNorm
	Bias     *autograd.Var // (33) of the masked-token head
	Contact  *ContactHead  // on the row attention; nil if there is none
}

func buildMSA(c MSAConfig, param params) *MSA {
	m := &MSA{Config: c, Embed: &nn.Embedding{Weight: param("embed.weight", Tokens, c.Dim)}}
	m.Position = param("position.weight", c.MaxColumns+2, c.Dim)
	m.Row = param("row_position", 1, c.MaxRows, 1, c.RowWidth)
	m.Before = param.norm("before", c.Dim)
	attention := func(name string) *nn.MultiHeadAttention {
		a := &nn.MultiHeadAttention{Name: name, Heads: c.Heads}
		a.Query, a.Key = param.linear(name+".query", c.Dim, c.Dim), param.linear(name+".key", c.Dim, c.Dim)
		a.Value, a.Out = param.linear(name+".value", c.Dim, c.Dim), param.linear(name+".out", c.Dim, c.Dim)
		return a
	}
	for i := range c.Layers {
		name := fmt.Sprintf("layers.%d", i)
		l := &nn.AxialLayer{Name: name, Tied: true}
		l.NormRow, l.RowAttention = param.norm(name+".norm_row", c.Dim), attention(name+".row")
		l.NormColumn, l.ColumnAttention = param.norm(name+".norm_column", c.Dim), attention(name+".column")
		l.Norm = param.norm(name+".norm", c.Dim)
		l.Up, l.Down = param.linear(name+".up", c.Dim, c.FFN), param.linear(name+".down", c.FFN, c.Dim)
		m.Layers = append(m.Layers, l)
	}
	m.Norm = param.norm("norm", c.Dim)
	m.Dense, m.DenseLN = param.linear("head.dense", c.Dim, c.Dim), param.norm("head.norm", c.Dim)
	m.Bias = param("head.bias", Tokens)
	if c.Contacts {
		m.Contact = &ContactHead{param("contacts.weight", 1, c.Layers*c.Heads), param("contacts.bias", 1)}
	}
	return m
}

// Pack is [Model.Pack].
func (m *MSA) Pack() {
	ls := []*nn.Linear{m.Dense}
	for _, l := range m.Layers {
		for _, a := range []*nn.MultiHeadAttention{l.RowAttention, l.ColumnAttention} {
			ls = append(ls, a.Query, a.Key, a.Value, a.Out)
		}
		ls = append(ls, l.Up, l.Down)
	}
	pack(ls)
}

// Visit names all parameters.
func (m *MSA) Visit(prefix string, f nn.Visitor) {
	m.Embed.Visit(nn.Join(prefix, "embed"), f)
	f(nn.Join(prefix, "position.weight"), m.Position)
	f(nn.Join(prefix, "row_position"), m.Row)
	m.Before.Visit(nn.Join(prefix, "before"), f)
	for _, l := range m.Layers {
		l.Visit(nn.Join(prefix, l.Name), f)
	}
	m.Norm.Visit(nn.Join(prefix, "norm"), f)
	m.Dense.Visit(nn.Join(prefix, "head.dense"), f)
	m.DenseLN.Visit(nn.Join(prefix, "head.norm"), f)
	f(nn.Join(prefix, "head.bias"), m.Bias)
	if m.Contact != nil {
		f(nn.Join(prefix, "contacts.weight"), m.Contact.Weight)
		f(nn.Join(prefix, "contacts.bias"), m.Contact.Bias)
	}
}

// Check reports why rows of token ids, as EncodeRow gives them, are no input: they
// are of different lengths, or more or longer than the model has positions for.
func (m *MSA) Check(rows [][]int32) error {
	switch {
	case len(rows) == 0 || len(rows[0]) == 0:
		return fmt.Errorf("an alignment without rows or columns")
	case len(rows) > m.Config.MaxRows:
		return fmt.Errorf("%d rows, the model has positions for %d", len(rows), m.Config.MaxRows)
	case len(rows[0]) > m.Config.MaxColumns:
		return fmt.Errorf("%d columns with <cls>, the model has positions for %d", len(rows[0]), m.Config.MaxColumns)
	}
	for i, r := range rows {
		if len(r) != len(rows[0]) {
			return fmt.Errorf("row %d has %d tokens, row 1 has %d", i+1, len(r), len(rows[0]))
		}
	}
	return nil
}

// EncodeRow is Encode for a row of an alignment, which has no End.
func EncodeRow(row string) ([]int32, Changes, error) {
	ids, n, err := Encode(row)
	if err != nil {
		return nil, n, err
	}
	return ids[:len(ids)-1], n, nil
}

// embedded returns what enters the layers, (R·C, D).
func (m *MSA) embedded(t *autograd.Tape, rows [][]int32) *autograd.Var {
	r, c, d := len(rows), len(rows[0]), m.Config.Dim
	x := m.Embed.Forward(t, slices.Concat(rows...))
	at := make([]float32, r*c*d)
	for i := range r {
		row := m.Row.Data[i*m.Config.RowWidth : (i+1)*m.Config.RowWidth]
		for j := range c {
			for k := range d {
				at[(i*c+j)*d+k] = m.Position.Data[(j+2)*d+k] + row[k%len(row)]
			}
		}
	}
	return m.Before.Forward(t, autograd.Add(t, x, autograd.Input(at, r*c, d)))
}

// Logits returns the masked-token logits (R·C, 33) for hidden states (R·C, D)
// after the last layer of Each.
func (m *MSA) Logits(t *autograd.Tape, hidden *autograd.Var) *autograd.Var {
	h := m.DenseLN.Forward(t, autograd.GELU(t, m.Dense.Forward(t, hidden)))
	return autograd.Linear(t, h, m.Embed.Weight, m.Bias)
}

// Each computes the hidden states (R·C, D) of an alignment that passed Check, and
// calls see with those of each layer as [Model.Each] does. A probe, if not nil,
// sees queries, keys and, if weights is set, the attention of each layer.
func (m *MSA) Each(rows [][]int32, cores int, weights bool, probe func(name string, v *autograd.Var), see func(layer int, x []float32)) {
	r, c := len(rows), len(rows[0])
	t := &autograd.Tape{NoGrad: true, Cores: cores, Probe: probe, NoWeights: !weights}
	x := slices.Clone(m.embedded(t, rows).Data)
	see(0, x)
	for i, l := range m.Layers {
		t.Reset()
		y := l.Forward(t, autograd.Input(x, r*c, m.Config.Dim), nn.Grid{Rows: r, Columns: c}, nil)
		if i == len(m.Layers)-1 {
			y = m.Norm.Forward(t, y)
		}
		copy(x, y.Data)
		see(i+1, x)
	}
}
