package tokenizer

import (
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"heed/format"
)

const good = `{"version": "1.0", "truncation": null, "padding": null,
"added_tokens": [{"id": 0, "special": true, "content": "[UNK]"}, {"id": 1, "content": "[CLS]"}, {"id": 2, "content": "[SEP]"}],
"normalizer": null, "pre_tokenizer": {"type": "Whitespace"},
"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]},
"decoder": null,
"model": {"type": "BPE", "dropout": null, "unk_token": "[UNK]", "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
"vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "A": 3, "C": 4, "AC": 5, "ACC": 6},
"merges": ["A C", "AC C"]}}`

func TestReadBPE(t *testing.T) {
	want := &BPE{Tokens: []string{"[UNK]", "[CLS]", "[SEP]", "A", "C", "AC", "ACC"},
		Merges: [][2]string{{"A", "C"}, {"AC", "C"}}, Unknown: "[UNK]", Begin: "[CLS]", End: "[SEP]"}
	pairs := strings.Replace(good, `["A C", "AC C"]`, `[["A", "C"], ["AC", "C"]]`, 1)
	from := strings.Index(good, `"post_processor"`)
	to := strings.Index(good, `"decoder"`)
	bert := good[:from] + `"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}, ` + good[to:]
	none := good[:from] + good[to:]
	for _, text := range []string{good, pairs, bert, none} {
		got, err := ReadBPE("t", strings.NewReader(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got %+v, want %+v", err, got, want)
		}
	}
}

func TestReadBPEErrors(t *testing.T) {
	for _, c := range []struct {
		old, new string
		kind     error
		want     string
	}{
		{`"BPE"`, `"WordPiece"`, format.ErrUnsupported, `tokenizer.json: not supported: tokenizer type "WordPiece"; BPE is supported`},
		{`"type": "BPE", `, ``, format.ErrUnsupported, `tokenizer.json: not supported: the tokenizer has no type; BPE is supported`},
		{`"normalizer": null`, `"normalizer": {"type": "Lowercase"}`, format.ErrUnsupported, `tokenizer.json: not supported: normalizer "Lowercase"`},
		{`"Whitespace"`, `"ByteLevel"`, format.ErrUnsupported, `tokenizer.json: not supported: pre_tokenizer "ByteLevel"; Whitespace and WhitespaceSplit are supported`},
		{`"dropout": null`, `"dropout": 0.1`, format.ErrUnsupported, `tokenizer.json: not supported: dropout 0.1 of merges`},
		{`prefix": null`, `prefix": "##"`, format.ErrUnsupported, `tokenizer.json: not supported: continuing_subword_prefix "##"`},
		{`suffix": null`, `suffix": "</w>"`, format.ErrUnsupported, `tokenizer.json: not supported: end_of_word_suffix "</w>"`},
		{`"fuse_unk": false`, `"byte_fallback": true`, format.ErrUnsupported, `tokenizer.json: not supported: byte_fallback`},
		{`"fuse_unk": false`, `"ignore_merges": true`, format.ErrUnsupported, `tokenizer.json: not supported: ignore_merges`},
		{`TemplateProcessing`, `ByteLevel`, format.ErrUnsupported, `tokenizer.json: not supported: post_processor "ByteLevel"; TemplateProcessing and BertProcessing are supported`},
		{`, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}`, ``, format.ErrUnsupported, `tokenizer.json: not supported: a post_processor that does not put one token before a sequence and one after it`},
		{`{"id": "[SEP]"`, `{"id": "[EOS]"`, format.ErrInvalid, `tokenizer.json: invalid: no token "[EOS]"`},
		{`"unk_token": "[UNK]"`, `"unk_token": "<unk>"`, format.ErrInvalid, `tokenizer.json: invalid: unk_token "<unk>" is no token`},
		{`"C": 4`, `"C": 3`, format.ErrInvalid, `tokenizer.json: invalid: tokens "A" and "C" have both the id 3`},
		{`"C": 4`, `"C": 9`, format.ErrInvalid, `tokenizer.json: invalid: token "C" has the id 9 of 7 tokens`},
		{`{"id": 1, "content"`, `{"id": 5, "content"`, format.ErrInvalid, `tokenizer.json: invalid: token "[CLS]" has the ids 1 and 5`},
		{`"AC C"`, `"C A"`, format.ErrInvalid, `tokenizer.json: invalid: merge 1, "C" and "A": no token "CA"`},
		{`"AC C"`, `"ACC"`, format.ErrInvalid, `tokenizer.json: invalid: merge 1 has 1 parts, want 2`},
		{`"AC C"`, `7`, format.ErrInvalid, `tokenizer.json: invalid: merge 1 is no pair of tokens`},
		{`"id": 0`, `"id": "0"`, format.ErrInvalid, `tokenizer.json:2: invalid: added_tokens.id is a string`},
		{`"merges": ["A C", "AC C"]}}`, `"merges": ["A C"`, format.ErrInvalid, `tokenizer.json:8: invalid: unexpected end of JSON input`},
		{`"model"`, `"mode"`, format.ErrInvalid, `tokenizer.json: invalid: no model: not a tokenizer.json`},
	} {
		if !strings.Contains(good, c.old) {
			t.Fatalf("%s is not in the sample", c.old)
		}
		_, err := ReadBPE("tokenizer.json", strings.NewReader(strings.Replace(good, c.old, c.new, 1)))
		if err == nil || err.Error() != c.want || !errors.Is(err, c.kind) {
			t.Errorf("got error\n%v, want\n%s", err, c.want)
		}
	}
}

func TestReadVocab(t *testing.T) {
	got, err := ReadVocab("v", strings.NewReader("[PAD]\n[UNK]\r\nAA\nAT"))
	if want := []string{"[PAD]", "[UNK]", "AA", "AT"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %q", err, got)
	}
	for text, want := range map[string]string{
		"":                                "vocab.txt: invalid: no tokens",
		"A\n\nB\n":                        "vocab.txt:2: invalid: an empty line: ids are counted by lines",
		"A\nB\nA\n":                       "vocab.txt:3: invalid: token \"A\" is in line 1 already",
		"A\n" + strings.Repeat("C", 2000): "vocab.txt:2: too large: token of 2000 bytes, limit 1024",
		strings.Repeat("C", 100000):       "vocab.txt:1: too large: token of more than 65536 bytes, limit 1024",
	} {
		if _, err := ReadVocab("vocab.txt", strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("got error\n%v, want\n%s", err, want)
		}
	}
}

// FuzzReadBPE reads any bytes. It must not panic, what it accepts must be whole,
// and memory is bounded by the input.
func FuzzReadBPE(f *testing.F) {
	f.Add(good)
	f.Add(strings.Replace(good, `["A C", "AC C"]`, `[["A", "C"], []]`, 1))
	f.Add(`{"model": {"type": "BPE", "vocab": {"[CLS]": 0, "[SEP]": 1}}}`)
	f.Add(`{"model": {"type": "BPE", "vocab": {"a": -1, "a": 1e9}}, "post_processor": {"type": "BertProcessing", "cls": [1, 2]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b, err := ReadBPE("t", strings.NewReader(text))
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 2000*uint64(len(text))+1<<20 {
			t.Errorf("%d bytes of input took %d bytes of memory", len(text), got)
		}
		if err != nil {
			return
		}
		known := map[string]bool{}
		for _, token := range b.Tokens {
			known[token] = true
		}
		if len(known) != len(b.Tokens) || !known[b.Begin] || !known[b.End] || b.Unknown != "" && !known[b.Unknown] {
			t.Errorf("%+v", b)
		}
		for _, m := range b.Merges {
			if !known[m[0]] || !known[m[1]] || !known[m[0]+m[1]] {
				t.Errorf("merge %q", m)
			}
		}
	})
}
