package run

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"heed/format"
	"heed/format/tokenizer"
	"heed/internal/cli"
	"heed/model/bert"
	"heed/nn"
)

// A bertFolder is what lies beside the weights of a BERT.
type bertFolder struct {
	heads     int
	eps       float64
	tokenizer *bert.Tokenizer
	says      map[string]int // sizes by the names of config.json
}

// isBert reports whether the arrays have the names of a BERT.
func (p *published) isBert() bool {
	for _, name := range []string{"bert.embeddings.word_embeddings.weight", "embeddings.word_embeddings.weight", "bert.embeddings.LayerNorm.weight", "bert.embeddings.LayerNorm.gamma"} {
		if _, ok := p.arrays[name]; ok {
			return true
		}
	}
	return false
}

const bertHint = "give the folder as it was published, with config.json, and vocab.txt (k-mers) or tokenizer.json"

// openBert reads config.json and the tokenizer in the folder of the weights.
func (p *published) openBert(folder string) error {
	p.bert = &bertFolder{says: map[string]int{}}
	config := filepath.Join(folder, "config.json")
	if !isThere(config) {
		return cli.Hint(format.InvalidAt(p.files[0], 0, "no config.json beside it: the number of heads is not in the arrays"), bertHint)
	}
	if err := p.readBertConfig(config); err != nil {
		return err
	}
	vocab, bpe := filepath.Join(folder, "vocab.txt"), filepath.Join(folder, "tokenizer.json")
	var path string
	var v bert.Vocabulary
	var err error
	switch {
	case isThere(vocab):
		path = vocab
		v, err = readKMers(path)
	case isThere(bpe):
		path = bpe
		v, err = readBPE(path)
	default:
		return cli.Hint(format.InvalidAt(p.files[0], 0, "no vocab.txt and no tokenizer.json beside it"), bertHint)
	}
	if err != nil {
		return err
	}
	p.files = append(p.files, path)
	if p.bert.tokenizer, err = bert.NewTokenizer(v); err != nil {
		return format.InvalidAt(path, 0, "%w", err)
	}
	return nil
}

func readKMers(path string) (bert.Vocabulary, error) {
	f, err := format.Open(path)
	if err != nil {
		return bert.Vocabulary{}, err
	}
	defer f.Close()
	tokens, err := tokenizer.ReadVocab(path, f)
	if err != nil {
		return bert.Vocabulary{}, err
	}
	v, err := bert.KMers(tokens)
	if err != nil {
		return v, format.UnsupportedAt(path, 0, "%w", err)
	}
	return v, nil
}

func readBPE(path string) (bert.Vocabulary, error) {
	f, err := format.Open(path)
	if err != nil {
		return bert.Vocabulary{}, err
	}
	defer f.Close()
	b, err := tokenizer.ReadBPE(path, f)
	if err != nil {
		return bert.Vocabulary{}, err
	}
	if b.Unknown == "" {
		return bert.Vocabulary{}, format.UnsupportedAt(path, 0, "no unk_token: there is none for a letter such as N")
	}
	return bert.Vocabulary{Tokens: b.Tokens, Merges: b.Merges, Unknown: b.Unknown, FuseUnknown: b.FuseUnknown, Begin: b.Begin, End: b.End}, nil
}

// readSmall reads a file that is never large.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, format.PathError(path, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, format.PathError(path, err)
	}
	if len(text) > maxConfig {
		return nil, format.TooLargeAt(path, 0, "more than %d bytes", maxConfig)
	}
	return text, nil
}

func (p *published) readBertConfig(path string) error {
	text, err := readSmall(path)
	if err != nil {
		return err
	}
	c := struct {
		Type      string           `json:"model_type"`
		Act       string           `json:"hidden_act"`
		Position  string           `json:"position_embedding_type"`
		Eps       float64          `json:"layer_norm_eps"`
		Heads     int              `json:"num_attention_heads"`
		Layers    *int             `json:"num_hidden_layers"`
		Dim       *int             `json:"hidden_size"`
		FFN       *int             `json:"intermediate_size"`
		Vocab     *int             `json:"vocab_size"`
		Types     *int             `json:"type_vocab_size"`
		Positions *int             `json:"max_position_embeddings"`
		Decoder   bool             `json:"is_decoder"`
		Cross     bool             `json:"add_cross_attention"`
		Pruned    map[string][]int `json:"pruned_heads"`
	}{Act: "gelu", Position: "absolute", Eps: 1e-12}
	if err := json.Unmarshal(text, &c); err != nil {
		return format.InvalidAt(path, 0, "%v", err)
	}
	p.files = append(p.files, path)
	switch {
	case c.Type != "bert":
		return format.UnsupportedAt(path, 0, "model_type %q; esm and bert can be imported", c.Type)
	case c.Act != "gelu":
		return format.UnsupportedAt(path, 0, "hidden_act %q; gelu, the exact one, is supported", c.Act)
	case c.Position != "absolute":
		return format.UnsupportedAt(path, 0, "position_embedding_type %q; absolute, and ALiBi without it, are supported", c.Position)
	case c.Decoder:
		return format.UnsupportedAt(path, 0, "is_decoder: an encoder is wanted")
	case c.Cross:
		return format.UnsupportedAt(path, 0, "add_cross_attention")
	case len(c.Pruned) > 0:
		return format.UnsupportedAt(path, 0, "pruned_heads")
	case c.Heads < 1:
		return format.InvalidAt(path, 0, "num_attention_heads %d: want 1 or more", c.Heads)
	case !(c.Eps > 0 && c.Eps < 1):
		return format.InvalidAt(path, 0, "layer_norm_eps %v: want more than 0, less than 1", c.Eps)
	}
	p.bert.heads, p.bert.eps = c.Heads, c.Eps
	for name, v := range map[string]*int{"num_hidden_layers": c.Layers, "hidden_size": c.Dim, "intermediate_size": c.FFN,
		"vocab_size": c.Vocab, "type_vocab_size": c.Types, "max_position_embeddings": c.Positions} {
		if v != nil {
			p.bert.says[name] = *v
		}
	}
	return nil
}

// check compares what config.json says with what the arrays are.
func (b *bertFolder) check(c bert.Config) error {
	for _, x := range []struct {
		name string
		has  int
	}{{"num_hidden_layers", c.Layers}, {"hidden_size", c.Dim}, {"intermediate_size", c.FFN}, {"vocab_size", c.Vocab},
		{"type_vocab_size", c.Types}, {"max_position_embeddings", c.Positions}} {
		if x.name == "max_position_embeddings" && c.Positions == 0 {
			continue // there are none: what it says means nothing
		}
		if says, ok := b.says[x.name]; ok && says != x.has {
			return fmt.Errorf("config.json says %s %d, the arrays are of %d", x.name, says, x.has)
		}
	}
	return nil
}

func (i *Imported) loadBert(p *published) (nn.Module, error) {
	arrays := make(map[string]bert.Array, len(p.arrays))
	for name, a := range p.arrays {
		arrays[name] = bert.Array(a)
	}
	m, ignored, err := bert.Load(arrays, p.bert.heads, float32(p.bert.eps), p.bert.tokenizer)
	if err != nil {
		return nil, err
	}
	if err := p.bert.check(m.Config); err != nil {
		return nil, err
	}
	if i.tokenizer, err = json.Marshal(m.Tokenizer.Vocabulary); err != nil {
		return nil, err
	}
	c := m.Config
	i.Architecture, i.Config, i.Ignored, i.Parameters = bert.Architecture, c, ignored, nn.Count(m)
	positions, tokens := "ALiBi", "byte pairs"
	if c.Positions > 0 {
		positions = fmt.Sprintf("%d positions", c.Positions)
	}
	if k := m.Tokenizer.K; k > 0 {
		tokens = fmt.Sprintf("%d-mers", k)
	}
	i.about = fmt.Sprintf("%d layers of width %d, %d heads, %d parameters, %s, %d tokens of %s",
		c.Layers, c.Dim, c.Heads, i.Parameters, positions, len(m.Tokenizer.Tokens), tokens)
	return m, nil
}
