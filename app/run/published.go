package run

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"heed/checkpoint"
	"heed/format"
	"heed/format/torch"
	"heed/internal/cli"
	"heed/model/esm"
)

// published is a set of weights as others wrote it, not yet read.
type published struct {
	files  []string // those that it came from
	arrays map[string]esm.Array
	says   claims
	bert   *bertFolder // what lies beside the weights of a BERT; nil for others
	close  []io.Closer
}

func (p *published) Close() {
	for _, c := range p.close {
		c.Close()
	}
}

// claims are sizes that a file states beside its arrays; -1 where it does not.
type claims struct {
	layers, dim, heads, ffn int
	tokenDropout            bool
}

// openPublished finds the files of a model. Path is a file of PyTorch or
// safetensors, or a folder of Hugging Face. The contact regression, a file of
// its own in the authors' layout, is looked for beside the weights unless it is
// given.
func openPublished(path, regression string) (*published, error) {
	p := &published{arrays: map[string]esm.Array{}, says: claims{-1, -1, -1, -1, true}}
	if err := p.open(path, regression); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *published) open(path, regression string) error {
	st, err := os.Stat(path)
	if err != nil {
		return format.PathError(path, err)
	}
	if st.IsDir() {
		if path, err = inFolder(path); err != nil {
			return err
		}
	}
	if err := p.add(path); err != nil {
		return err
	}
	if p.isBert() {
		if regression != "" {
			return cli.Usagef("--contacts: a BERT has no contact head")
		}
		return p.openBert(filepath.Dir(path))
	}
	if config := filepath.Join(filepath.Dir(path), "config.json"); isThere(config) && hasPrefix(p.arrays, "esm.") {
		if err := p.readConfig(config); err != nil {
			return err
		}
	}
	if regression == "" {
		beside := strings.TrimSuffix(path, filepath.Ext(path)) + "-contact-regression.pt"
		if _, inside := p.arrays["esm.contact_head.regression.weight"]; inside || hasPrefix(p.arrays, "contact_head.") || !isThere(beside) {
			return nil
		}
		regression = beside
	}
	return p.add(regression)
}

// inFolder returns the file of weights in a folder of Hugging Face.
func inFolder(folder string) (string, error) {
	for _, name := range []string{"model.safetensors", "pytorch_model.bin"} {
		if path := filepath.Join(folder, name); isThere(path) {
			return path, nil
		}
		if path := filepath.Join(folder, name+".index.json"); isThere(path) {
			return "", format.UnsupportedAt(path, 0, "weights in several files")
		}
	}
	return "", format.InvalidAt(folder, 0, "no model.safetensors and no pytorch_model.bin in this folder")
}

func hasPrefix(arrays map[string]esm.Array, prefix string) bool {
	for name := range arrays {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// isTorch reports whether a file begins as those of PyTorch do.
func isTorch(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, format.PathError(path, err)
	}
	defer f.Close()
	var b [4]byte
	if _, err := io.ReadFull(f, b[:]); err != nil {
		return false, nil
	}
	return string(b[:]) == "PK\x03\x04" || string(b[:]) == "\x80\x02\x8a\x0a", nil
}

// add takes up the arrays of a file.
func (p *published) add(path string) error {
	p.files = append(p.files, path)
	if is, err := isTorch(path); err != nil {
		return err
	} else if is {
		return p.addTorch(path)
	}
	f, err := checkpoint.Load(path)
	if err != nil {
		return cli.Hint(err, "published weights are a file of PyTorch (.pt) or safetensors, or a folder of Hugging Face")
	}
	if _, ok := f.Meta["heed"]; ok {
		return format.InvalidAt(path, 0, "a file of heed already: nothing to import")
	}
	for _, e := range f.Entries {
		if e.DType == checkpoint.F32 {
			if err := p.put(path, e.Name, esm.Array{Shape: e.Shape, Values: func() ([]float32, error) { return e.Float, nil }}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *published) put(path, name string, a esm.Array) error {
	if _, ok := p.arrays[name]; ok {
		return format.InvalidAt(path, 0, "array %q was in %s already", name, p.files[0])
	}
	p.arrays[name] = a
	return nil
}

func (p *published) addTorch(path string) error {
	f, err := torch.Open(path)
	if err != nil {
		return err
	}
	p.close = append(p.close, f)
	root, ok := f.Root.(*torch.Dict)
	if !ok {
		return format.UnsupportedAt(path, 0, "what was saved is no dictionary of arrays")
	}
	for _, key := range []string{"cfg", "args"} {
		p.says.readTorch(root.Get(key))
	}
	weights := root
	if d, ok := root.Get("model").(*torch.Dict); ok {
		weights = d
	}
	for i, v := range weights.Values {
		name, isName := weights.Keys[i].(string)
		x, isTensor := v.(*torch.Tensor)
		if !isName || !isTensor || !x.DType.Float() {
			continue
		}
		if err := p.put(path, name, esm.Array{Shape: x.Shape, Values: func() ([]float32, error) { return f.Floats(x) }}); err != nil {
			return err
		}
	}
	return nil
}

// readTorch reads what the training program knew of itself: a Namespace, or a
// dictionary that holds one as "model".
func (c *claims) readTorch(v any) {
	if d, ok := v.(*torch.Dict); ok {
		v = d.Get("model")
	}
	n, ok := v.(*torch.Object)
	if !ok {
		return
	}
	for key, dst := range map[string]*int{"encoder_layers": &c.layers, "encoder_embed_dim": &c.dim,
		"encoder_attention_heads": &c.heads, "encoder_ffn_embed_dim": &c.ffn} {
		if v, ok := n.Get(key).(int64); ok {
			*dst = int(v)
		}
	}
	if v, ok := n.Get("token_dropout").(bool); ok {
		c.tokenDropout = v
	}
}

// maxConfig is far above the size of any config.json.
const maxConfig = 1 << 20

func (p *published) readConfig(path string) error {
	text, err := readSmall(path)
	if err != nil {
		return err
	}
	c := struct {
		Type         *string  `json:"model_type"`
		Layers       *int     `json:"num_hidden_layers"`
		Dim          *int     `json:"hidden_size"`
		Heads        *int     `json:"num_attention_heads"`
		FFN          *int     `json:"intermediate_size"`
		Eps          *float64 `json:"layer_norm_eps"`
		Position     *string  `json:"position_embedding_type"`
		TokenDropout *bool    `json:"token_dropout"`
	}{Layers: &p.says.layers, Dim: &p.says.dim, Heads: &p.says.heads, FFN: &p.says.ffn, TokenDropout: &p.says.tokenDropout}
	if err := json.Unmarshal(text, &c); err != nil {
		return format.InvalidAt(path, 0, "%v", err)
	}
	p.files = append(p.files, path)
	switch {
	case c.Type != nil && *c.Type != "esm":
		return format.UnsupportedAt(path, 0, "model_type %q; esm can be imported", *c.Type)
	case c.Position != nil && *c.Position != "rotary":
		return format.UnsupportedAt(path, 0, "position_embedding_type %q: ESM-2 has rotary", *c.Position)
	case c.Eps != nil && *c.Eps != 1e-5:
		return format.UnsupportedAt(path, 0, "layer_norm_eps %v: ESM-2 has 1e-05", *c.Eps)
	}
	return nil
}

// check compares what the files say with what their arrays are.
func (c *claims) check(m esm.Config) error {
	for _, x := range []struct {
		name      string
		says, has int
	}{{"layers", c.layers, m.Layers}, {"width", c.dim, m.Dim}, {"heads", c.heads, m.Heads}, {"feed-forward width", c.ffn, m.FFN}} {
		if x.says >= 0 && x.says != x.has {
			return fmt.Errorf("the configuration says %s %d, the arrays are of %d", x.name, x.says, x.has)
		}
	}
	return nil
}
