package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heed/checkpoint"
)

const berts = "../../model/bert/testdata/"

func TestImportBert(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.safetensors")
	for folder, want := range map[string]string{
		"dnabert": "bert: 2 layers of width 24, 12 heads, 11509 parameters, 60 positions, 69 tokens of 3-mers\n" +
			"from pytorch_model.bin, config.json, vocab.txt\nno use for classifier.bias, classifier.weight\n" +
			"weights sha256 2e4fb5009fafc07169e3a0632c92f70bdd5276fcec67418d9d83b9ccd84904b8\n",
		"dnabert2": "bert: 2 layers of width 24, 12 heads, 10489 parameters, ALiBi, 49 tokens of byte pairs\n" +
			"from model.safetensors, config.json, tokenizer.json\nno use for classifier.bias, classifier.weight\n" +
			"weights sha256 3b16ee1cc9ccbe6cabeaa6d39b38346809ab93c251650dd0eb0ac2dbb2a7e61a\n",
	} {
		got, err := heed("import", berts+folder, "-o", out, "--force")
		if err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%v, printed\n%swant\n%s", err, got, want)
		}
		f, err := checkpoint.Load(out)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := f.Info("bert"); err != nil || !strings.Contains(string(info.Tokenizer), `"unknown":"[UNK]"`) {
			t.Errorf("%v: tokenizer %s", err, info.Tokenizer)
		}
		got, err = heed("info", out)
		if err != nil || !strings.Contains(got, "bytes)") {
			t.Errorf("%v: %s", err, got)
		}
	}
}

func TestImportBertErrors(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.safetensors")
	for _, c := range []struct {
		folder, file, old, new string // of file, old becomes new; without old the file is removed
		want                   string // after the folder's path
	}{
		{"dnabert", "config.json", `"gelu"`, `"relu"`, `config.json: not supported: hidden_act "relu"; gelu, the exact one, is supported`},
		{"dnabert", "config.json", `"gelu"`, `"gelu_new"`, `config.json: not supported: hidden_act "gelu_new"; gelu, the exact one, is supported`},
		{"dnabert", "config.json", `"bert"`, `"roberta"`, `config.json: not supported: model_type "roberta"; esm and bert can be imported`},
		{"dnabert", "config.json", `"split": 10`, `"position_embedding_type": "relative_key"`, `config.json: not supported: position_embedding_type "relative_key"; absolute, and ALiBi without it, are supported`},
		{"dnabert", "config.json", `"split": 10`, `"is_decoder": true`, `config.json: not supported: is_decoder: an encoder is wanted`},
		{"dnabert", "config.json", `"split": 10`, `"pruned_heads": {"0": [1]}`, `config.json: not supported: pruned_heads`},
		{"dnabert", "config.json", `"num_attention_heads": 12`, `"num_attention_heads": 0`, `config.json: invalid: num_attention_heads 0: want 1 or more`},
		{"dnabert", "config.json", `"num_attention_heads": 12`, `"num_attention_heads": 7`, `pytorch_model.bin: invalid: heads 7: want a divisor of dim 24`},
		{"dnabert", "config.json", `"intermediate_size": 20`, `"intermediate_size": 21`, `pytorch_model.bin: invalid: config.json says intermediate_size 21, the arrays are of 20`},
		{"dnabert", "config.json", `"vocab_size": 69`, `"vocab_size": 4101`, `pytorch_model.bin: invalid: config.json says vocab_size 4101, the arrays are of 69`},
		{"dnabert", "config.json", `{`, `[`, `config.json: invalid: invalid character ':' after array element`},
		{"dnabert", "config.json", "", "", `pytorch_model.bin: invalid: no config.json beside it: the number of heads is not in the arrays`},
		{"dnabert", "vocab.txt", "", "", `pytorch_model.bin: invalid: no vocab.txt and no tokenizer.json beside it`},
		{"dnabert", "vocab.txt", "GGG", "the", `vocab.txt: not supported: token 68, "the", is no k-mer of 3 letters A, C, G, T`},
		{"dnabert", "vocab.txt", "[CLS]", "[BOS]", `vocab.txt: invalid: no token "[CLS]"`},
		{"dnabert2", "tokenizer.json", `"BPE"`, `"WordPiece"`, `tokenizer.json: not supported: tokenizer type "WordPiece"; BPE is supported`},
		{"dnabert2", "tokenizer.json", `"unk_token": "[UNK]"`, `"unk_token": null`, `tokenizer.json: not supported: no unk_token: there is none for a letter such as N`},
		{"dnabert2", "config.json", `"num_hidden_layers": 2`, `"num_hidden_layers": 3`, `model.safetensors: invalid: config.json says num_hidden_layers 3, the arrays are of 2`},
		{"dnabert2", "model.safetensors", `mlp.wo.bias`, `mlp.wo.bia5`, `model.safetensors: invalid: no array "layers.0.down.bias" (bert.encoder.layer.0.mlp.wo.bias)`},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(berts+c.folder)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, c.file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case c.old == "":
			err = os.Remove(path)
		case !strings.Contains(string(text), c.old):
			t.Fatalf("%s has no %s", c.file, c.old)
		default:
			err = os.WriteFile(path, []byte(strings.Replace(string(text), c.old, c.new, 1)), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = heed("import", dir, "-o", out)
		if want := filepath.Join(dir, c.want); err == nil || err.Error() != want {
			t.Errorf("got error\n%v, want\n%s", err, want)
		}
	}
	// Files that were cut short.
	for _, file := range []string{"dnabert/pytorch_model.bin", "dnabert2/model.safetensors", "dnabert2/tokenizer.json"} {
		dir := t.TempDir()
		folder, name := filepath.Split(file)
		if err := os.CopyFS(dir, os.DirFS(berts+folder)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text[:len(text)/2], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := heed("import", dir, "-o", out); err == nil || !strings.HasPrefix(err.Error(), path) || !strings.Contains(err.Error(), "invalid: ") {
			t.Errorf("%s cut: got error %v", file, err)
		} else {
			t.Log(err)
		}
	}
	if _, err := heed("import", berts+"dnabert", "-o", out, "--contacts", "x.pt"); err == nil || err.Error() != "--contacts: a BERT has no contact head" {
		t.Errorf("got error %v", err)
	}
	if isThere(out) {
		t.Error("a file was written")
	}
}
