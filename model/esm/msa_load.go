package esm

import (
	"fmt"
	"strconv"
	"strings"
)

// LoadMSA is [Load] for ESM-MSA-1b. In the authors' file, whose names begin with
// "encoder.", the words row and column of the attention are exchanged; names
// without that beginning, as the loaded model has them, mean what they say. The
// number of heads does not follow from the shapes: 0 stands for heads of width
// 64, those of the published model.
func LoadMSA(arrays map[string]Array, heads int) (*MSA, []string, error) {
	arrays, err := rename(arrays, ourNameMSA)
	if err != nil {
		return nil, nil, err
	}
	c, err := msaConfigOf(arrays, heads)
	if err != nil {
		return nil, nil, err
	}
	if err := check(arrays, func(param params) { buildMSA(c, param) }); err != nil {
		return nil, nil, err
	}
	var m *MSA
	ignored, err := fill(arrays, func(param params) { m = buildMSA(c, param) })
	if err != nil {
		return nil, nil, err
	}
	return m, ignored, nil
}

func msaConfigOf(arrays map[string]Array, heads int) (MSAConfig, error) {
	c := MSAConfig{Heads: heads}
	for name := range arrays {
		if rest, ok := strings.CutPrefix(name, "layers."); ok {
			number, _, _ := strings.Cut(rest, ".")
			if i, err := strconv.Atoi(number); err == nil && i >= c.Layers && i < 2*maxDepth {
				c.Layers = i + 1
			}
		}
	}
	var shapes [3][]int
	for i, name := range []string{"embed.weight", "layers.0.up.weight", "position.weight"} {
		a, ok := arrays[name]
		if !ok || len(a.Shape) != 2 {
			return c, fmt.Errorf("no array %q of two axes: not ESM-MSA-1b", name)
		}
		shapes[i] = a.Shape
	}
	row, ok := arrays["row_position"]
	if !ok || len(row.Shape) != 4 {
		return c, fmt.Errorf("no array \"row_position\" (msa_position_embedding) of four axes: not ESM-MSA-1b")
	}
	c.Dim, c.FFN, c.MaxColumns = shapes[0][1], shapes[1][0], shapes[2][0]-2
	c.MaxRows, c.RowWidth = row.Shape[1], row.Shape[3]
	if heads == 0 {
		c.Heads = c.Dim / 64
	}
	_, c.Contacts = arrays["contacts.weight"]
	return c, c.Validate()
}

// msaLayouts are our names of the parts of a layer, and the authors'.
var msaLayouts = [][2]string{
	{"row.query", "row_self_attention.layer.q_proj"}, {"row.key", "row_self_attention.layer.k_proj"},
	{"row.value", "row_self_attention.layer.v_proj"}, {"row.out", "row_self_attention.layer.out_proj"},
	{"norm_row", "row_self_attention.layer_norm"},
	{"column.query", "column_self_attention.layer.q_proj"}, {"column.key", "column_self_attention.layer.k_proj"},
	{"column.value", "column_self_attention.layer.v_proj"}, {"column.out", "column_self_attention.layer.out_proj"},
	{"norm_column", "column_self_attention.layer_norm"},
	{"up", "feed_forward_layer.layer.fc1"}, {"down", "feed_forward_layer.layer.fc2"}, {"norm", "feed_forward_layer.layer_norm"},
}

func ourNameMSA(name string) string {
	short := strings.TrimPrefix(strings.TrimPrefix(name, "encoder."), "sentence_encoder.")
	if short != name {
		switch {
		case strings.Contains(short, ".row_self_attention."):
			short = strings.Replace(short, ".row_", ".column_", 1)
		case strings.Contains(short, ".column_self_attention."):
			short = strings.Replace(short, ".column_", ".row_", 1)
		}
	}
	if rest, ok := strings.CutPrefix(short, "layers."); ok {
		number, rest, _ := strings.Cut(rest, ".")
		at := max(0, strings.LastIndexByte(rest, '.'))
		for _, l := range msaLayouts {
			if rest[:at] == l[1] {
				return "layers." + number + "." + l[0] + rest[at:]
			}
		}
		return short
	}
	for _, l := range [][2]string{{"position.weight", "embed_positions.weight"}, {"row_position", "msa_position_embedding"},
		{"before.weight", "emb_layer_norm_before.weight"}, {"before.bias", "emb_layer_norm_before.bias"}} {
		if short == l[1] {
			return l[0]
		}
	}
	return ourName(short)
}
