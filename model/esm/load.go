package esm

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

// Load makes a model of the arrays of a published file. Their names are those of
// the authors' files (with or without "encoder.sentence_encoder."), of Hugging
// Face, or of [Model.Visit]. Sizes follow from the shapes; the number of heads
// from that of the rotary frequencies. The slices that Values returns become the
// model's. TokenDropout is set, as in all that was published.
//
// Load returns the names of arrays that it had no use for. A model without the
// two arrays of the contact head has none.
func Load(arrays map[string]Array) (*Model, []string, error) {
	arrays, err := rename(arrays, ourName)
	if err != nil {
		return nil, nil, err
	}
	c, err := configOf(arrays)
	if err != nil {
		return nil, nil, err
	}
	if err := check(arrays, func(param params) { build(c, param) }); err != nil {
		return nil, nil, err
	}
	var m *Model
	ignored, err := fill(arrays, func(param params) { m = build(c, param) })
	return m, ignored, err
}

// params makes the parameter of a name and a shape.
type params func(name string, shape ...int) *autograd.Var

// fill calls build with the values of the arrays, whose shapes have been checked,
// and returns the names of those that were not used. An output layer that is
// stored beside the embedding must be the same.
func fill(arrays map[string]Array, build func(params)) ([]string, error) {
	var failed error
	read := func(name string) []float32 {
		if failed != nil {
			return nil
		}
		var values []float32
		values, failed = arrays[name].Values()
		return values
	}
	used := map[string]bool{"head.weight": true}
	var embed []float32
	build(func(name string, shape ...int) *autograd.Var {
		used[name] = true
		values := read(name)
		if failed != nil {
			return &autograd.Var{}
		}
		if name == "embed.weight" {
			embed = values
		}
		return &autograd.Var{Tensor: *tensor.Of(values, shape...), Trainable: !strings.HasSuffix(name, ".rotary")}
	})
	if _, ok := arrays["head.weight"]; ok {
		if tied := read("head.weight"); failed == nil && !slices.Equal(tied, embed) {
			failed = fmt.Errorf("the output layer differs from the embedding: not ESM as published")
		}
	}
	if failed != nil {
		return nil, failed
	}
	var ignored []string
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		if !used[name] {
			ignored = append(ignored, name)
		}
	}
	return ignored, nil
}

// configOf reads the sizes off the shapes.
func configOf(arrays map[string]Array) (Config, error) {
	c := Config{TokenDropout: true}
	for name := range arrays {
		if strings.Contains(name, "row_self_attention.") {
			return c, fmt.Errorf("row attention: an encoder of alignments (ESM-MSA), not ESM-2")
		}
		if rest, ok := strings.CutPrefix(name, "layers."); ok {
			number, _, _ := strings.Cut(rest, ".")
			if i, err := strconv.Atoi(number); err == nil && i >= c.Layers && i < 2*maxDepth {
				c.Layers = i + 1
			}
		}
	}
	for _, name := range []string{"embed_positions.weight", "emb_layer_norm_before.weight", "esm.embeddings.layer_norm.weight"} {
		if _, ok := arrays[name]; ok {
			return c, fmt.Errorf("%q: learned positions or a norm of the embedding; ESM-1b and ESM-1v are not supported", name)
		}
	}
	embed, err := matrix(arrays, "embed.weight")
	if err != nil {
		return c, err
	}
	up, err := matrix(arrays, "layers.0.up.weight")
	if err != nil {
		return c, err
	}
	rotary, ok := arrays["layers.0.attention.rotary"]
	if !ok || len(rotary.Shape) != 1 || rotary.Shape[0] < 1 {
		return c, fmt.Errorf("no rotary frequencies in layer 0: not ESM-2")
	}
	c.Dim, c.FFN = embed[1], up[0]
	c.Heads = c.Dim / (2 * rotary.Shape[0])
	_, c.Contacts = arrays["contacts.weight"]
	return c, c.Validate()
}

func matrix(arrays map[string]Array, name string) ([]int, error) {
	a, ok := arrays[name]
	if !ok {
		return nil, fmt.Errorf("no array %s: not ESM-2", published(name))
	}
	if len(a.Shape) != 2 {
		return nil, fmt.Errorf("array %s has shape %v, want two axes", published(name), a.Shape)
	}
	return a.Shape, nil
}

// check compares all shapes before any values are read.
func check(arrays map[string]Array, build func(params)) error {
	var first error
	build(func(name string, shape ...int) *autograd.Var {
		a, ok := arrays[name]
		switch {
		case first != nil:
		case !ok:
			first = fmt.Errorf("no array %s", published(name))
		case !slices.Equal(a.Shape, shape):
			first = fmt.Errorf("array %s has shape %v, want %v", published(name), a.Shape, shape)
		}
		return &autograd.Var{}
	})
	return first
}

// layouts are the names of arrays, ours first, then the authors', then those of
// Hugging Face. What follows a name, such as ".weight", is the same in all.
var layouts = [][3]string{
	{"embed", "embed_tokens", "esm.embeddings.word_embeddings"},
	{"norm", "emb_layer_norm_after", "esm.encoder.emb_layer_norm_after"},
	{"head.dense", "lm_head.dense", "lm_head.dense"},
	{"head.norm", "lm_head.layer_norm", "lm_head.layer_norm"},
	{"head", "lm_head", "lm_head"},
	{"head", "lm_head", "lm_head.decoder"},
	{"contacts", "contact_head.regression", "esm.contact_head.regression"},
}

// layerLayouts are the same within a layer, whose own name is "layers.N",
// "layers.N" and "esm.encoder.layer.N".
var layerLayouts = [][3]string{
	{"norm1", "self_attn_layer_norm", "attention.LayerNorm"},
	{"attention.query", "self_attn.q_proj", "attention.self.query"},
	{"attention.key", "self_attn.k_proj", "attention.self.key"},
	{"attention.value", "self_attn.v_proj", "attention.self.value"},
	{"attention.out", "self_attn.out_proj", "attention.output.dense"},
	{"norm2", "final_layer_norm", "LayerNorm"},
	{"up", "fc1", "intermediate.dense"},
	{"down", "fc2", "output.dense"},
}

// rename gives our names to the arrays that it knows.
func rename(arrays map[string]Array, ourName func(string) string) (map[string]Array, error) {
	out := make(map[string]Array, len(arrays))
	from := make(map[string]string, len(arrays))
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		ours := ourName(name)
		if first, ok := from[ours]; ok {
			return nil, fmt.Errorf("arrays %q and %q are the same part of the model", first, name)
		}
		from[ours] = name
		out[ours] = arrays[name]
	}
	return out, nil
}

// ourName returns the name that Visit gives to an array of a published file, or
// its own if it has no place in the model.
func ourName(name string) string {
	short := strings.TrimPrefix(strings.TrimPrefix(name, "encoder."), "sentence_encoder.")
	at := strings.LastIndexByte(short, '.')
	if at < 0 {
		return short
	}
	stem, part := short[:at], short[at:]
	for _, prefix := range []string{"layers.", "esm.encoder.layer."} {
		rest, ok := strings.CutPrefix(short, prefix)
		if !ok {
			continue
		}
		number, rest, ok := strings.Cut(rest, ".")
		if !ok {
			return short
		}
		layer := "layers." + number + "."
		if rest == "self_attn.rot_emb.inv_freq" || rest == "attention.self.rotary_embeddings.inv_freq" {
			return layer + "attention.rotary"
		}
		rest = strings.TrimSuffix(rest, part)
		for _, l := range layerLayouts {
			if rest == l[1] || rest == l[2] {
				return layer + l[0] + part
			}
		}
		return short
	}
	for _, l := range layouts {
		if stem == l[1] || stem == l[2] {
			return l[0] + part
		}
	}
	return short
}

// published adds the authors' name to ours, for messages.
func published(name string) string {
	if strings.HasSuffix(name, ".attention.rotary") {
		return fmt.Sprintf("%q (%s)", name, strings.TrimSuffix(name, "attention.rotary")+"self_attn.rot_emb.inv_freq")
	}
	at := strings.LastIndexByte(name, '.')
	stem, part := name[:at], name[at:]
	layer := ""
	if strings.HasPrefix(stem, "layers.") {
		parts := strings.SplitN(stem, ".", 3)
		layer, stem = parts[0]+"."+parts[1]+".", parts[2]
	}
	for _, l := range append(slices.Clone(layerLayouts), layouts...) {
		if stem == l[0] {
			return fmt.Sprintf("%q (%s)", name, layer+l[1]+part)
		}
	}
	return fmt.Sprintf("%q", name)
}
