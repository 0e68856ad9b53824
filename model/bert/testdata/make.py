"""Writes dnabert/ and dnabert2/, tiny models of random weights as Hugging Face
publishes DNABERT and DNABERT-2, and golden.json, what they compute in double
precision. The modules are plain PyTorch, written from the papers and with the
published names. python3 make.py (PyTorch 1.13)."""
import json
import math
import os
import struct

import torch
import torch.nn as nn
import torch.nn.functional as F

here = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(5)
LAYERS, D, H, FFN = 2, 24, 12, 20
EPS = 1e-12


class Names(nn.Module):
    """A module whose children carry the names that are given."""

    def __init__(this, /, **children):  # one of the names is self
        nn.Module.__init__(this)
        for name, child in children.items():
            setattr(this, name, child)


def dense(i, o, bias=True):
    return nn.Linear(i, o, bias)


def norm():
    return nn.LayerNorm(D, eps=EPS)


def attend(q, k, v, bias):
    n = q.shape[0]
    q, k, v = (x.view(n, H, D // H).transpose(0, 1) for x in (q, k, v))
    p = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(D // H) + bias, -1)
    return (p @ v).transpose(0, 1).reshape(n, D), p


class BertLayer(Names):
    def __init__(self):
        super().__init__(
            attention=Names(self=Names(query=dense(D, D), key=dense(D, D), value=dense(D, D)),
                            output=Names(dense=dense(D, D), LayerNorm=norm())),
            intermediate=Names(dense=dense(D, FFN)),
            output=Names(dense=dense(FFN, D), LayerNorm=norm()))

    def forward(self, x, bias):
        s = getattr(self.attention, "self")
        o, p = attend(s.query(x), s.key(x), s.value(x), bias)
        x = self.attention.output.LayerNorm(x + self.attention.output.dense(o))
        return self.output.LayerNorm(x + self.output.dense(F.gelu(self.intermediate.dense(x)))), p


class MosaicLayer(Names):
    def __init__(self):
        super().__init__(
            attention=Names(self=Names(Wqkv=dense(D, 3 * D)), output=Names(dense=dense(D, D), LayerNorm=norm())),
            mlp=Names(gated_layers=dense(D, 2 * FFN, bias=False), wo=dense(FFN, D), layernorm=norm()))

    def forward(self, x, bias):
        q, k, v = getattr(self.attention, "self").Wqkv(x).chunk(3, -1)
        o, p = attend(q, k, v, bias)
        x = self.attention.output.LayerNorm(x + self.attention.output.dense(o))
        a, b = self.mlp.gated_layers(x).chunk(2, -1)
        return self.mlp.layernorm(x + self.mlp.wo(F.gelu(a) * b)), p


def slopes(n):
    if math.log2(n).is_integer():
        return [2 ** (-8 * (i + 1) / n) for i in range(n)]
    m = 2 ** int(math.log2(n))
    return slopes(m) + slopes(2 * m)[0::2][:n - m]


class Model(Names):
    def __init__(self, vocab, layer, positions):
        e = Names(word_embeddings=nn.Embedding(vocab, D), token_type_embeddings=nn.Embedding(2, D), LayerNorm=norm())
        if positions:
            e.position_embeddings = nn.Embedding(positions, D)
            e.register_buffer("position_ids", torch.arange(positions)[None])
        decoder = dense(D, vocab, bias=False)
        decoder.weight = e.word_embeddings.weight
        predictions = Names(transform=Names(dense=dense(D, D), LayerNorm=norm()), decoder=decoder)
        predictions.bias = nn.Parameter(torch.zeros(vocab))
        super().__init__(
            bert=Names(embeddings=e, encoder=Names(layer=nn.ModuleList(layer() for _ in range(LAYERS))), pooler=Names(dense=dense(D, D))),
            cls=Names(predictions=predictions), classifier=dense(D, 2))
        self.positions = positions
        for name, p in self.named_parameters():
            nn.init.normal_(p, 1.0 if "norm.weight" in name.lower() else 0.0, 0.2 if "norm" in name.lower() or "bias" in name else 0.5)

    def forward(self, ids):
        e, n = self.bert.embeddings, len(ids)
        x = e.word_embeddings(ids) + e.token_type_embeddings.weight[0]
        bias = 0
        if self.positions:
            x = x + e.position_embeddings.weight[:n]
        else:
            far = (torch.arange(n)[:, None] - torch.arange(n)[None]).abs()
            bias = -torch.tensor(slopes(H), dtype=x.dtype)[:, None, None] * far
        x = e.LayerNorm(x)
        hidden, attention = [x], []
        for layer in self.bert.encoder.layer:
            x, p = layer(x, bias)
            hidden.append(x)
            attention.append(p)
        c = self.cls.predictions
        logits = c.decoder(c.transform.LayerNorm(F.gelu(c.transform.dense(x)))) + c.bias
        return hidden, attention, logits, torch.tanh(self.bert.pooler.dense(x[0]))


def kmers(k):
    """The order of the published vocab.txt."""
    out = [""]
    for _ in range(k):
        out = [a + b for a in out for b in "ATCG"]
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + out


def encode_kmers(seq, tokens, k):
    ids = {t: i for i, t in enumerate(tokens)}
    return [2] + [ids.get(seq[i:i + k], 1) for i in range(len(seq) - k + 1)] + [3]


def train_bpe(texts, merges):
    """Byte-pair encoding by its definition: the most frequent pair is joined."""
    words, done = [list(t) for t in texts], []
    for _ in range(merges):
        count = {}
        for w in words:
            for p in zip(w, w[1:]):
                count[p] = count.get(p, 0) + 1
        best = max(sorted(count), key=count.get)
        done.append(best)
        words = [merge(w, best) for w in words]
    return done


def merge(word, pair):
    out, i = [], 0
    while i < len(word):
        joined = tuple(word[i:i + 2]) == pair
        out.append("".join(pair) if joined else word[i])
        i += 2 if joined else 1
    return out


def encode_bpe(seq, tokens, merges):
    """The pair of the first merge, the leftmost, one at a time."""
    ids = {t: i for i, t in enumerate(tokens)}
    rank = {m: i for i, m in enumerate(merges)}
    word = [c if c in ids else "[UNK]" for c in seq]
    while True:
        pairs = [(rank.get(p, len(merges)), i) for i, p in enumerate(zip(word, word[1:]))]
        if not pairs or min(pairs)[0] == len(merges):
            return [1] + [ids[c] for c in word] + [2]
        i = min(pairs)[1]
        word[i:i + 2] = [word[i] + word[i + 1]]


def run(model, ids):
    with torch.no_grad():
        hidden, attention, logits, pooled = model.double()(torch.tensor(ids))
    r = lambda x: [round(v, 7) for v in x.flatten().tolist()]
    return {"hidden": [r(h) for h in hidden], "attention": [r(p) for p in attention], "logits": r(logits), "pooled": r(pooled)}


def write_safetensors(path, state):
    header, blob = {}, b""
    for name, x in state.items():
        raw = x.contiguous().numpy().tobytes()
        header[name] = {"dtype": {torch.float32: "F32", torch.int64: "I64"}[x.dtype], "shape": list(x.shape), "data_offsets": [len(blob), len(blob) + len(raw)]}
        blob += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + blob)


def write(path, text):
    with open(os.path.join(here, path), "w") as f:
        f.write(text)


for d in ("dnabert", "dnabert2"):
    os.makedirs(os.path.join(here, d), exist_ok=True)
common = {"model_type": "bert", "hidden_act": "gelu", "hidden_size": D, "intermediate_size": FFN, "num_hidden_layers": LAYERS,
          "num_attention_heads": H, "layer_norm_eps": EPS, "type_vocab_size": 2, "hidden_dropout_prob": 0.1, "initializer_range": 0.02}
seqs = ["ACGTACGGTACCATTAGC", "TTTNACGATACGNNATT", "GGC", "GATTACATATAATGCCGTATAATC"]
golden = {}

K, POSITIONS = 3, 60
tokens = kmers(K)
model = Model(len(tokens), BertLayer, POSITIONS)
torch.save(model.state_dict(), os.path.join(here, "dnabert", "pytorch_model.bin"))
write("dnabert/config.json", json.dumps({**common, "architectures": ["BertForMaskedLM"], "attention_probs_dropout_prob": 0.1, "max_position_embeddings": POSITIONS,
                                         "vocab_size": len(tokens), "num_rnn_layer": 1, "split": 10}, indent=1) + "\n")
write("dnabert/vocab.txt", "\n".join(tokens) + "\n")
golden["dnabert"] = [{"seq": s, "ids": encode_kmers(s, tokens, K), **run(model, encode_kmers(s, tokens, K))} for s in seqs]

texts = ["".join("ACGT"[int(i)] for i in torch.randint(0, 4, (60,))) + "TATAAT" * 3 for _ in range(40)]
merges = train_bpe(texts, 40)
tokens = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "A", "C", "G", "T"] + [a + b for a, b in merges]
model = Model(len(tokens), MosaicLayer, 0)
write_safetensors(os.path.join(here, "dnabert2", "model.safetensors"), model.state_dict())
write("dnabert2/config.json", json.dumps({**common, "architectures": ["BertForMaskedLM"], "attention_probs_dropout_prob": 0.0, "alibi_starting_size": 512,
                                          "max_position_embeddings": 512, "vocab_size": len(tokens), "torch_dtype": "float32"}, indent=1) + "\n")
special = lambda s: {"SpecialToken": {"id": s, "type_id": 0}}
write("dnabert2/tokenizer.json", json.dumps({
    "version": "1.0", "truncation": None, "padding": None,
    "added_tokens": [{"id": i, "special": True, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False} for i, t in enumerate(tokens[:5])],
    "normalizer": None, "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": {"type": "TemplateProcessing", "single": [special("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}, special("[SEP]")], "pair": [],
                       "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for i, t in ((1, "[CLS]"), (2, "[SEP]"))}},
    "decoder": None,
    "model": {"type": "BPE", "dropout": None, "unk_token": "[UNK]", "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
              "vocab": {t: i for i, t in enumerate(tokens)}, "merges": [a + " " + b for a, b in merges]}}, indent=1) + "\n")
golden["dnabert2"] = [{"seq": s, "ids": encode_bpe(s, tokens, merges), **run(model, encode_bpe(s, tokens, merges))} for s in seqs]
# Ids alone, of more and longer sequences.
golden["bpe"] = [{"seq": s, "ids": encode_bpe(s, tokens, merges)} for s in texts[:12] + ["A" * 33, "TATAATATAATATATAAT", "N", "ANNA", ""]]
write("golden.json", json.dumps(golden) + "\n")
