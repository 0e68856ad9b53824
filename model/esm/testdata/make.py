"""Writes tiny.safetensors, an ESM-2 of random weights under the names of Hugging
Face, and tiny.json, what it computes for three sequences, in plain Python (double
precision) from the definition. It needs the standard library alone."""
import json, math, random, struct

L, D, H, F, V = 2, 8, 2, 12, 33
d = D // H
rng = random.Random(7)


def f32(v):
    return struct.unpack("<f", struct.pack("<f", v))[0]


def f16(v):
    return struct.unpack("<e", struct.pack("<e", v))[0]


tensors = {}


def new(name, *shape, scale=0.5, mean=0.0):
    n = math.prod(shape)
    values = [f16(mean + scale * rng.gauss(0, 1)) for _ in range(n)]
    tensors[name] = (shape, values)


new("esm.embeddings.word_embeddings.weight", V, D, scale=1)
new("esm.embeddings.position_embeddings.weight", 4, D)  # unused, and in published files
for i in range(L):
    p = f"esm.encoder.layer.{i}."
    for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
        new(p + name + ".weight", D, D)
        new(p + name + ".bias", D)
    tensors[p + "attention.self.rotary_embeddings.inv_freq"] = ((d // 2,), [f16(0.9 * 10000 ** (-2 * k / d)) for k in range(d // 2)])
    for name in ("attention.LayerNorm", "LayerNorm"):
        new(p + name + ".weight", D, scale=0.2, mean=1)
        new(p + name + ".bias", D, scale=0.2)
    new(p + "intermediate.dense.weight", F, D)
    new(p + "intermediate.dense.bias", F)
    new(p + "output.dense.weight", D, F)
    new(p + "output.dense.bias", D)
for name in ("esm.encoder.emb_layer_norm_after", "lm_head.layer_norm"):
    new(name + ".weight", D, scale=0.2, mean=1)
    new(name + ".bias", D, scale=0.2)
new("lm_head.dense.weight", D, D)
new("lm_head.dense.bias", D)
new("lm_head.bias", V)
new("esm.contact_head.regression.weight", 1, L * H, scale=3)
new("esm.contact_head.regression.bias", 1)


def get(name):
    shape, values = tensors[name]
    return values if len(shape) == 1 else [values[i * shape[1]:(i + 1) * shape[1]] for i in range(shape[0])]


def linear(x, name):
    w, b = get(name + ".weight"), get(name + ".bias")
    return [[sum(a * c for a, c in zip(row, wr)) + bb for wr, bb in zip(w, b)] for row in x]


def norm(x, name):
    w, b = get(name + ".weight"), get(name + ".bias")
    out = []
    for row in x:
        m = sum(row) / D
        s = math.sqrt(sum((v - m) ** 2 for v in row) / D + 1e-5)
        out.append([(v - m) / s * g + c for v, g, c in zip(row, w, b)])
    return out


def gelu(x):
    return [[v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in row] for row in x]


def add(x, y):
    return [[a + b for a, b in zip(p, q)] for p, q in zip(x, y)]


def turn(x, freq):
    out = []
    for pos, row in enumerate(x):
        new_row = list(row)
        for h in range(H):
            for k in range(d // 2):
                i, j = h * d + k, h * d + k + d // 2
                c, s = math.cos(pos * freq[k]), math.sin(pos * freq[k])
                new_row[i], new_row[j] = row[i] * c - row[j] * s, row[j] * c + row[i] * s
        out.append(new_row)
    return out


def forward(ids):
    n = len(ids)
    scale = (1 - 0.15 * 0.8) / (1 - ids.count(32) / n)
    table = get("esm.embeddings.word_embeddings.weight")
    x = [[0.0] * D if t == 32 else [v * scale for v in table[t]] for t in ids]
    reps, maps = [x], []
    for i in range(L):
        p = f"esm.encoder.layer.{i}."
        y = norm(x, p + "attention.LayerNorm")
        freq = get(p + "attention.self.rotary_embeddings.inv_freq")
        q = turn([[v / math.sqrt(d) for v in row] for row in linear(y, p + "attention.self.query")], freq)
        k = turn(linear(y, p + "attention.self.key"), freq)
        v = linear(y, p + "attention.self.value")
        o, heads = [[0.0] * D for _ in ids], []
        for h in range(H):
            cut = slice(h * d, (h + 1) * d)
            a = []
            for r in range(n):
                s = [math.exp(sum(e * f for e, f in zip(q[r][cut], k[c][cut]))) for c in range(n)]
                a.append([e / sum(s) for e in s])
                for e in range(d):
                    o[r][h * d + e] = sum(a[r][c] * v[c][h * d + e] for c in range(n))
            heads.append(a)
        maps.append(heads)
        x = add(x, linear(o, p + "attention.output.dense"))
        y = gelu(linear(norm(x, p + "LayerNorm"), p + "intermediate.dense"))
        x = add(x, linear(y, p + "output.dense"))
        if i == L - 1:
            x = norm(x, "esm.encoder.emb_layer_norm_after")
        reps.append(x)
    y = norm(gelu(linear(x, "lm_head.dense")), "lm_head.layer_norm")
    bias = get("lm_head.bias")
    logits = [[sum(a * b for a, b in zip(row, table[t])) + bias[t] for t in range(V)] for row in y]
    w = get("esm.contact_head.regression.weight")[0]
    m = n - 2
    z = [[get("esm.contact_head.regression.bias")[0]] * m for _ in range(m)]
    for c, a in enumerate(a for heads in maps for a in heads):
        s = [[a[i + 1][j + 1] + a[j + 1][i + 1] for j in range(m)] for i in range(m)]
        r = [sum(row) for row in s]
        for i in range(m):
            for j in range(m):
                z[i][j] += w[c] * (s[i][j] - r[i] * r[j] / sum(r))
    return logits, reps, maps, [[1 / (1 + math.exp(-v)) for v in row] for row in z]


seqs = [("a", "MKTV<mask>QW", [20, 15, 11, 7, 32, 16, 22]), ("b", "LAX", [4, 5, 24]), ("c", "GU-.Z", [6, 26, 30, 29, 27])]
out = {"seqs": [s[:2] for s in seqs], "tokens": [[0] + s[2] + [2] for s in seqs]}
results = [forward(t) for t in out["tokens"]]


def short(v):
    return [short(x) for x in v] if isinstance(v, list) else round(v, 7)


out["logits"] = [short(r[0]) for r in results]
out["repr"] = {str(i): [short(r[1][i]) for r in results] for i in range(L + 1)}
out["attentions"] = [short(r[2]) for r in results]
out["contacts"] = [short(r[3]) for r in results]
with open("tiny.json", "w") as f:
    json.dump(out, f, separators=(",", ":"))
    f.write("\n")

header, data = {}, b""
for name, (shape, values) in tensors.items():
    raw = struct.pack(f"<{len(values)}e", *values)
    header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
    data += raw
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open("tiny.safetensors", "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + data)
