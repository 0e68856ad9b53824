package bert

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"heed/autograd"
	"heed/tensor"
)

// An Array is one named array of a file: its shape, and its values on demand,
// so that nothing is read before all shapes are known to fit.
type Array struct {
	Shape  []int
	Values func() ([]float32, error)
}

// Load makes a model of the arrays of a published file, whose names are those of
// Hugging Face for BERT or MosaicBERT, with or without "bert." before them, or of
// [Model.Visit]. Sizes follow from the shapes; heads and eps, which the arrays do
// not say, from config.json. The slices that Values returns become the model's.
//
// Load returns the names of arrays that it had no use for, such as a classifier
// that was trained elsewhere.
func Load(arrays map[string]Array, heads int, eps float32, z *Tokenizer) (*Model, []string, error) {
	arrays, err := rename(arrays)
	if err != nil {
		return nil, nil, err
	}
	c, err := configOf(arrays)
	if err != nil {
		return nil, nil, err
	}
	c.Heads, c.Eps = heads, eps
	if err := c.Validate(); err != nil {
		return nil, nil, err
	}
	if n := len(z.Tokens); n > c.Vocab {
		return nil, nil, fmt.Errorf("the tokenizer has %d tokens, the embedding %d rows", n, c.Vocab)
	}
	var failed error
	build(c, z, func(name string, shape ...int) *autograd.Var {
		a, ok := arrays[name]
		switch {
		case failed != nil:
		case !ok:
			failed = fmt.Errorf("no array %s", published(name, c.Gated))
		case !slices.Equal(a.Shape, shape):
			failed = fmt.Errorf("array %s has shape %v, want %v", published(name, c.Gated), a.Shape, shape)
		}
		return &autograd.Var{}
	})
	used := map[string]bool{"masked.weight": true}
	read := func(name string) []float32 {
		used[name] = true
		if failed != nil {
			return nil
		}
		var values []float32
		values, failed = arrays[name].Values()
		return values
	}
	if failed != nil {
		return nil, nil, failed
	}
	m := build(c, z, func(name string, shape ...int) *autograd.Var {
		values := read(name)
		if failed != nil {
			return &autograd.Var{}
		}
		return &autograd.Var{Tensor: *tensor.Of(values, shape...), Trainable: true}
	})
	if _, ok := arrays["masked.weight"]; ok && c.Masked && failed == nil {
		if tied := read("masked.weight"); failed == nil && !slices.Equal(tied, m.Embed.Weight.Data) {
			failed = fmt.Errorf("the output layer differs from the embedding: not BERT as published")
		}
	}
	if failed != nil {
		return nil, nil, failed
	}
	var ignored []string
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		if !used[name] {
			ignored = append(ignored, name)
		}
	}
	return m, ignored, nil
}

// configOf reads the sizes off the shapes.
func configOf(arrays map[string]Array) (Config, error) {
	var c Config
	for name := range arrays {
		if rest, ok := strings.CutPrefix(name, "layers."); ok {
			number, _, _ := strings.Cut(rest, ".")
			if i, err := strconv.Atoi(number); err == nil && i >= c.Layers && i < 2*maxDepth {
				c.Layers = i + 1
			}
		}
	}
	rows := func(name string) (int, int, error) {
		a, ok := arrays[name]
		if !ok {
			return 0, 0, fmt.Errorf("no array %s", published(name, c.Gated))
		}
		if len(a.Shape) != 2 {
			return 0, 0, fmt.Errorf("array %s has shape %v, want two axes", published(name, c.Gated), a.Shape)
		}
		return a.Shape[0], a.Shape[1], nil
	}
	var err error
	if c.Vocab, c.Dim, err = rows("embed.weight"); err != nil {
		return c, err
	}
	if c.Types, _, err = rows("types.weight"); err != nil {
		return c, err
	}
	if _, ok := arrays["position.weight"]; ok {
		if c.Positions, _, err = rows("position.weight"); err != nil {
			return c, err
		}
	}
	if _, c.FFN, err = rows("layers.0.down.weight"); err != nil {
		return c, err
	}
	up, _, err := rows("layers.0.up.weight")
	if err != nil {
		return c, err
	}
	_, bias := arrays["layers.0.up.bias"]
	c.Gated = up == 2*c.FFN && !bias
	_, c.Pooler = arrays["pooler.weight"]
	_, c.Masked = arrays["masked.dense.weight"]
	return c, nil
}

// layouts are the names of arrays, ours first, then those of Hugging Face, without
// "bert.". What follows a name, such as ".weight", is the same in both.
var layouts = [][2]string{
	{"embed", "embeddings.word_embeddings"},
	{"types", "embeddings.token_type_embeddings"},
	{"position", "embeddings.position_embeddings"},
	{"norm", "embeddings.LayerNorm"},
	{"pooler", "pooler.dense"},
	{"masked.dense", "cls.predictions.transform.dense"},
	{"masked.norm", "cls.predictions.transform.LayerNorm"},
	{"masked", "cls.predictions"},
	{"masked", "cls.predictions.decoder"},
}

// layerLayouts are the same within a layer, "layers.N" and "encoder.layer.N". The
// last three are those of MosaicBERT.
var layerLayouts = [][2]string{
	{"attention.query", "attention.self.query"},
	{"attention.key", "attention.self.key"},
	{"attention.value", "attention.self.value"},
	{"attention.out", "attention.output.dense"},
	{"norm1", "attention.output.LayerNorm"},
	{"up", "intermediate.dense"},
	{"down", "output.dense"},
	{"norm2", "output.LayerNorm"},
	{"up", "mlp.gated_layers"},
	{"down", "mlp.wo"},
	{"norm2", "mlp.layernorm"},
}

// rename gives our names to the arrays that it knows, and cuts the product of
// queries, keys and values into its three parts.
func rename(arrays map[string]Array) (map[string]Array, error) {
	out := make(map[string]Array, len(arrays))
	from := make(map[string]string, len(arrays))
	put := func(ours, name string, a Array) error {
		if first, ok := from[ours]; ok && ours != "masked.bias" { // which MosaicBERT stores twice
			return fmt.Errorf("arrays %q and %q are the same part of the model", first, name)
		}
		from[ours], out[ours] = name, a
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		a := arrays[name]
		ours := ourName(name)
		stem, part, fused := strings.Cut(ours, ".attention.fused")
		if !fused {
			if err := put(ours, name, a); err != nil {
				return nil, err
			}
			continue
		}
		if len(a.Shape) == 0 || a.Shape[0]%3 != 0 {
			return nil, fmt.Errorf("array %q has shape %v, want a first axis of three equal parts", name, a.Shape)
		}
		for i, kind := range []string{"query", "key", "value"} {
			shape := slices.Clone(a.Shape)
			shape[0] /= 3
			n := tensor.Size(shape)
			third := Array{shape, func() ([]float32, error) {
				values, err := a.Values()
				if err != nil {
					return nil, err
				}
				return slices.Clone(values[i*n : (i+1)*n]), nil
			}}
			if err := put(stem+".attention."+kind+part, name, third); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// ourName returns the name that Visit gives to an array of a published file, or
// its own if it has no place in the model.
func ourName(name string) string {
	short := strings.TrimPrefix(name, "bert.")
	at := strings.LastIndexByte(short, '.')
	if at < 0 {
		return short
	}
	stem, part := short[:at], short[at:]
	switch part { // of the norms, in files of the first years
	case ".gamma":
		part = ".weight"
	case ".beta":
		part = ".bias"
	}
	if rest, ok := strings.CutPrefix(stem, "encoder.layer."); ok {
		number, rest, _ := strings.Cut(rest, ".")
		if rest == "attention.self.Wqkv" {
			return "layers." + number + ".attention.fused" + part
		}
		for _, l := range layerLayouts {
			if rest == l[1] {
				return "layers." + number + "." + l[0] + part
			}
		}
		return short
	}
	for _, l := range layouts {
		if stem == l[1] {
			return l[0] + part
		}
	}
	return short
}

// published adds the published name to ours, for messages; mosaic says that of the
// two names of a feed-forward layer it is that of MosaicBERT.
func published(name string, mosaic bool) string {
	at := strings.LastIndexByte(name, '.')
	stem, part := name[:at], name[at:]
	layer := ""
	if rest, ok := strings.CutPrefix(stem, "layers."); ok {
		number, rest, _ := strings.Cut(rest, ".")
		layer, stem = "encoder.layer."+number+".", rest
		for _, l := range layerLayouts {
			if stem == l[0] && (!mosaic || strings.HasPrefix(l[1], "mlp.") || !slices.Contains([]string{"up", "down", "norm2"}, stem)) {
				return fmt.Sprintf("%q (bert.%s)", name, layer+l[1]+part)
			}
		}
	}
	for _, l := range layouts {
		if layer == "" && stem == l[0] {
			prefix := "bert."
			if strings.HasPrefix(l[1], "cls.") {
				prefix = ""
			}
			return fmt.Sprintf("%q (%s)", name, prefix+l[1]+part)
		}
	}
	return fmt.Sprintf("%q", name)
}
