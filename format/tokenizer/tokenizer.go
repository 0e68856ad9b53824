// Package tokenizer reads the files by which published encoders say how text
// becomes token ids: tokenizer.json of Hugging Face, of which byte-pair encoding
// is supported, and vocab.txt, one token to a line.
//
// Into it flow files; out of it flow plain lists of tokens and merges. It applies
// none of them: package model/bert does.
//
// Whatever in a tokenizer.json would change ids in a way that is not supported is
// an error that names it. What cannot matter for a sequence of letters, such as
// how text is split at blanks, is passed over.
package tokenizer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"heed/format"
)

// Limits, far above what is published: DNABERT-2 has 4,096 tokens in 170 kB.
const (
	MaxFile   = 64 << 20 // bytes
	MaxTokens = 1 << 20
	MaxToken  = 1 << 10 // bytes of one token
)

// A BPE is byte-pair encoding (Sennrich et al. 2016): letters are joined pair by
// pair, the pair that comes first in Merges first.
type BPE struct {
	Tokens      []string    // by id, without a gap
	Merges      [][2]string // both parts and what they make are tokens
	Unknown     string      // the token of a letter that is none; "" if there is none
	FuseUnknown bool        // unknown letters in a row are one token
	Begin, End  string      // tokens around a sequence, such as [CLS] and [SEP]
}

type bpeFile struct {
	Added []struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
	} `json:"added_tokens"`
	Normalizer    *typed          `json:"normalizer"`
	PreTokenizer  *typed          `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Model         *struct {
		Type         *string           `json:"type"`
		Dropout      *float64          `json:"dropout"`
		Unknown      *string           `json:"unk_token"`
		Prefix       *string           `json:"continuing_subword_prefix"`
		Suffix       *string           `json:"end_of_word_suffix"`
		Fuse         bool              `json:"fuse_unk"`
		ByteFallback bool              `json:"byte_fallback"`
		IgnoreMerges bool              `json:"ignore_merges"`
		Vocab        json.RawMessage   `json:"vocab"`
		Merges       []json.RawMessage `json:"merges"`
	} `json:"model"`
}

type typed struct {
	Type string `json:"type"`
}

// ReadBPE reads a tokenizer.json. Name is what errors call it.
func ReadBPE(name string, r io.Reader) (*BPE, error) {
	text, err := readAll(name, r)
	if err != nil {
		return nil, err
	}
	var f bpeFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, jsonError(name, text, err)
	}
	m := f.Model
	switch {
	case m == nil:
		return nil, format.InvalidAt(name, 0, "no model: not a tokenizer.json")
	case m.Type == nil:
		return nil, format.UnsupportedAt(name, 0, "the tokenizer has no type; BPE is supported")
	case *m.Type != "BPE":
		return nil, format.UnsupportedAt(name, 0, "tokenizer type %q; BPE is supported", *m.Type)
	case f.Normalizer != nil:
		return nil, format.UnsupportedAt(name, 0, "normalizer %q", f.Normalizer.Type)
	case f.PreTokenizer != nil && f.PreTokenizer.Type != "Whitespace" && f.PreTokenizer.Type != "WhitespaceSplit":
		return nil, format.UnsupportedAt(name, 0, "pre_tokenizer %q; Whitespace and WhitespaceSplit are supported", f.PreTokenizer.Type)
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, format.UnsupportedAt(name, 0, "dropout %v of merges", *m.Dropout)
	case m.Prefix != nil && *m.Prefix != "":
		return nil, format.UnsupportedAt(name, 0, "continuing_subword_prefix %q", *m.Prefix)
	case m.Suffix != nil && *m.Suffix != "":
		return nil, format.UnsupportedAt(name, 0, "end_of_word_suffix %q", *m.Suffix)
	case m.ByteFallback:
		return nil, format.UnsupportedAt(name, 0, "byte_fallback")
	case m.IgnoreMerges:
		return nil, format.UnsupportedAt(name, 0, "ignore_merges")
	}
	b := &BPE{FuseUnknown: m.Fuse}
	ids := map[string]int{}
	if err := json.Unmarshal(m.Vocab, &ids); err != nil {
		return nil, format.InvalidAt(name, 0, "vocab: %v", err)
	}
	for _, a := range f.Added {
		if id, ok := ids[a.Content]; ok && id != a.ID {
			return nil, format.InvalidAt(name, 0, "token %q has the ids %d and %d", a.Content, id, a.ID)
		}
		ids[a.Content] = a.ID
	}
	if b.Tokens, err = byID(name, ids); err != nil {
		return nil, err
	}
	if b.Merges, err = merges(name, m.Merges, ids); err != nil {
		return nil, err
	}
	if m.Unknown != nil {
		if _, ok := ids[*m.Unknown]; !ok {
			return nil, format.InvalidAt(name, 0, "unk_token %q is no token", *m.Unknown)
		}
		b.Unknown = *m.Unknown
	}
	if b.Begin, b.End, err = around(name, f.PostProcessor); err != nil {
		return nil, err
	}
	for _, s := range []string{b.Begin, b.End} {
		if _, ok := ids[s]; !ok {
			return nil, format.InvalidAt(name, 0, "no token %q", s)
		}
	}
	return b, nil
}

func readAll(name string, r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, format.ReadError(name, 0, err)
	}
	if len(text) > MaxFile {
		return nil, format.TooLargeAt(name, 0, "more than %d bytes", MaxFile)
	}
	return text, nil
}

// jsonError says where text is no JSON of the form that is wanted.
func jsonError(name string, text []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		line := 1 + bytes.Count(text[:min(int(syntax.Offset), len(text))], []byte("\n"))
		return format.Invalidf(name, line, "%v", err)
	case errors.As(err, &kind):
		line := 1 + bytes.Count(text[:min(int(kind.Offset), len(text))], []byte("\n"))
		return format.Invalidf(name, line, "%s is a %s", kind.Field, kind.Value)
	}
	return format.InvalidAt(name, 0, "%v", err)
}

// byID orders tokens by their ids, which are 0 to n-1.
func byID(name string, ids map[string]int) ([]string, error) {
	if len(ids) > MaxTokens {
		return nil, format.TooLargeAt(name, 0, "%d tokens, limit %d", len(ids), MaxTokens)
	}
	tokens := make([]string, len(ids))
	given := make([]bool, len(ids))
	for token, id := range ids {
		switch {
		case id < 0 || id >= len(ids):
			return nil, format.InvalidAt(name, 0, "token %q has the id %d of %d tokens", token, id, len(ids))
		case given[id]:
			a, b := min(token, tokens[id]), max(token, tokens[id])
			return nil, format.InvalidAt(name, 0, "tokens %q and %q have both the id %d", a, b, id)
		case len(token) > MaxToken:
			return nil, format.TooLargeAt(name, 0, "token %d of %d bytes, limit %d", id, len(token), MaxToken)
		}
		tokens[id], given[id] = token, true
	}
	return tokens, nil
}

// merges reads "A T", the form of older files, or ["A", "T"].
func merges(name string, list []json.RawMessage, ids map[string]int) ([][2]string, error) {
	out := make([][2]string, 0, len(list))
	for i, raw := range list {
		var pair []string
		var text string
		if err := json.Unmarshal(raw, &text); err == nil {
			pair = strings.Split(text, " ")
		} else if err := json.Unmarshal(raw, &pair); err != nil {
			return nil, format.InvalidAt(name, 0, "merge %d is no pair of tokens", i)
		}
		if len(pair) != 2 {
			return nil, format.InvalidAt(name, 0, "merge %d has %d parts, want 2", i, len(pair))
		}
		for _, token := range []string{pair[0], pair[1], pair[0] + pair[1]} {
			if _, ok := ids[token]; !ok {
				return nil, format.InvalidAt(name, 0, "merge %d, %q and %q: no token %q", i, pair[0], pair[1], token)
			}
		}
		out = append(out, [2]string{pair[0], pair[1]})
	}
	return out, nil
}

// around returns the tokens that the post-processor puts around a sequence.
func around(name string, raw json.RawMessage) (begin, end string, err error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "[CLS]", "[SEP]", nil
	}
	var p struct {
		Type   string `json:"type"`
		Single []struct {
			Special *struct {
				ID string `json:"id"`
			} `json:"SpecialToken"`
			Sequence *struct{} `json:"Sequence"`
		} `json:"single"`
		Cls []any `json:"cls"`
		Sep []any `json:"sep"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return "", "", format.InvalidAt(name, 0, "post_processor: %v", err)
	}
	switch s := p.Single; p.Type {
	case "TemplateProcessing":
		if len(s) == 3 && s[0].Special != nil && s[1].Sequence != nil && s[2].Special != nil {
			return s[0].Special.ID, s[2].Special.ID, nil
		}
		return "", "", format.UnsupportedAt(name, 0, "a post_processor that does not put one token before a sequence and one after it")
	case "BertProcessing":
		if len(p.Cls) == 2 && len(p.Sep) == 2 {
			return fmt.Sprint(p.Cls[0]), fmt.Sprint(p.Sep[0]), nil
		}
		return "", "", format.InvalidAt(name, 0, "post_processor: cls and sep are pairs of a token and its id")
	}
	return "", "", format.UnsupportedAt(name, 0, "post_processor %q; TemplateProcessing and BertProcessing are supported", p.Type)
}

// ReadVocab reads a vocab.txt: the tokens by id, one to a line.
func ReadVocab(name string, r io.Reader) ([]string, error) {
	text, err := readAll(name, r)
	if err != nil {
		return nil, err
	}
	var tokens []string
	line := map[string]int{}
	s := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; s.Scan(); n++ {
		token := s.Text() // without \r
		switch first, ok := line[token]; {
		case token == "":
			return nil, format.Invalidf(name, n, "an empty line: ids are counted by lines")
		case ok:
			return nil, format.Invalidf(name, n, "token %q is in line %d already", token, first)
		case len(token) > MaxToken:
			return nil, format.TooLargef(name, n, "token of %d bytes, limit %d", len(token), MaxToken)
		case len(tokens) == MaxTokens:
			return nil, format.TooLargef(name, n, "more than %d tokens", MaxTokens)
		}
		line[token] = n
		tokens = append(tokens, token)
	}
	if err := s.Err(); err != nil {
		return nil, format.TooLargef(name, 1+len(tokens), "token of more than %d bytes, limit %d", bufio.MaxScanTokenSize, MaxToken)
	}
	if len(tokens) == 0 {
		return nil, format.InvalidAt(name, 0, "no tokens")
	}
	return tokens, nil
}
