"""Writes the goldens of package autograd: python3 gen.py (PyTorch 1.13)."""
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "..", "internal", "golden"))
import golden
import numpy as np
import torch
import torch.nn.functional as F
from golden import case, normal


def write(name, cases):
    golden.write(os.path.join(here, name + ".json"), cases)


def packed(lengths):
    at, out = 0, []
    for n in lengths:
        out.append(slice(at, at + int(n)))
        at += int(n)
    return out


def attention(q, k, v, heads, queries, keys=None, tied=1, causal=0, scale=None, mask=None, bias=None, relative=None):
    """Attention over packed segments, one matrix of weights for each head and
    group of tied segments. mask is 1 where a key takes part."""
    queries = packed(queries)
    keys = packed(keys) if keys is not None else queries
    d = q.shape[1] // heads
    per_key = heads // (k.shape[1] // d)
    scale = float(scale) if scale is not None else (d * tied) ** -0.5
    out = []
    for g in range(0, len(queries), tied):
        rows = [[] for _ in range(tied)]
        for h in range(heads):
            a, b = h * d, h // per_key * d
            s = sum(q[queries[g + n], a:a + d] @ k[keys[g + n], b:b + d].T for n in range(tied)) * scale
            i, j = torch.arange(s.shape[0])[:, None], torch.arange(s.shape[1])[None, :]
            if bias is not None:
                s = s + (bias[g // tied, h] if bias.dim() == 4 else bias[h])[:s.shape[0], :s.shape[1]]
            if relative is not None:
                r = relative.shape[1] // 2
                s = s + relative[h][(j - i).clamp(-r, r) + r]
            see = torch.ones(s.shape, dtype=torch.bool)
            if causal:
                see &= j <= i
            if mask is not None:
                see &= (mask[keys[g]] > 0)[None, :]
            empty = ~see.any(1, keepdim=True)
            p = torch.softmax(s.masked_fill(~see & ~empty, -float("inf")), 1).masked_fill(empty, 0)
            for n in range(tied):
                rows[n].append(p @ v[keys[g + n], b:b + d])
        out += [torch.cat(r, 1) for r in rows]
    return torch.cat(out, 0)


def attend(name, heads, queries, keys=None, width=16, key_width=None, sharp=1.0, bias=None, relative=None, mask=None, **ints):
    """A case of attention. sharp multiplies the queries, so that the scores
    grow and the weights become peaked."""
    name = "attention/" + name
    tq, tk = sum(queries), sum(keys or queries)
    inputs = {"q": normal(name + "q", tq, width, scale=sharp), "k": normal(name + "k", tk, key_width or width), "v": normal(name + "v", tk, key_width or width)}
    if bias:
        inputs["bias"] = normal(name + "bias", *bias)
    if relative:
        inputs["relative"] = normal(name + "relative", *relative)
    ints = {"heads": heads, "queries": queries, "keys": keys or queries, "tied": 1, "causal": 0, **ints}
    consts = {"mask": mask if mask is not None else np.ones(tk, np.float32)}

    def fn(q, k, v, heads, queries, **rest):
        return attention(q, k, v, heads, queries, **rest)

    return case(name, fn, inputs, ints, consts)


def mask(n, *off):
    m = np.ones(n, np.float32)
    m[list(off)] = 0
    return m


write("attention", [
    attend("packed", 2, [7, 0, 1, 9]),
    attend("causal", 2, [13], causal=1),
    attend("cross", 2, [5, 9], keys=[12, 3]),
    attend("masked", 2, [7, 3, 6], mask=mask(16, 0, 3, 7, 8, 9, 15)),
    attend("grouped", 4, [6, 9], key_width=8),
    attend("tied", 2, [5, 5, 5, 5], tied=2),
])
write("attention_bias", [
    attend("bias", 2, [6, 9], bias=[2, 9, 9]),
    attend("bias per segment", 2, [6, 9], bias=[2, 2, 9, 9]),
    attend("relative", 2, [6, 12], relative=[2, 9]),
    attend("relative causal", 2, [12], relative=[2, 5], causal=1),
])
write("attention_all", [
    attend("everything", 4, [6, 9], keys=[8, 5], key_width=8, bias=[4, 9, 9], relative=[4, 5], mask=mask(13, 1, 5, 6), causal=1),
    attend("everything tied", 2, [7, 7, 7, 7], tied=2, bias=[2, 2, 7, 7], relative=[2, 3], mask=mask(28, 2, 15)),
])
write("attention_long", [
    attend("long", 1, [6], keys=[700], width=2),
    attend("long masked", 1, [6], keys=[560], width=2, mask=mask(560, *range(520))),
])
write("attention_sharp", [
    attend("sharp", 2, [24], width=16, sharp=12.0),
    attend("wide", 1, [8], keys=[12], width=64, sharp=3.0),
])


def rotary(x, heads, positions, frequencies):
    d = x.shape[1] // heads
    angle = positions[:, None].to(x.dtype) * frequencies[None, :]
    cos, sin = angle.cos()[:, None, :], angle.sin()[:, None, :]
    a, b = x.view(-1, heads, d).chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1).reshape(x.shape)


def conv(x, w, lengths, b=None):
    """w is (O, K, C); zeros are added so that each segment keeps its length."""
    k = w.shape[1]
    out = []
    for s in packed(lengths):
        if s.stop > s.start:
            y = F.pad(x[s].T[None], ((k - 1) // 2, k - 1 - (k - 1) // 2))
            out.append(F.conv1d(y, w.transpose(1, 2), b)[0].T)
    return torch.cat(out)


def max_pool(x, lengths, size):
    return torch.cat([F.max_pool1d(x[s].T[None], size, ceil_mode=True)[0].T for s in packed(lengths) if s.stop > s.start])


def mean_pool(x, lengths):
    return torch.stack([x[s].mean(0) if s.stop > s.start else x.new_zeros(x.shape[1]) for s in packed(lengths)])


def layer_norm(x, gamma, beta):
    return F.layer_norm(x, gamma.shape, gamma, beta, 1e-5)


def cross_entropy(x, targets):
    return F.cross_entropy(x, targets, ignore_index=-1)


def bce(x, targets):
    return F.binary_cross_entropy_with_logits(x, targets, reduction="sum") / 4


norm_inputs = {"x": normal("ln.x", 9, 48), "gamma": normal("ln.g", 48), "beta": normal("ln.b", 48)}
far_inputs = {"x": normal("ln.y", 9, 33) + 30, "gamma": normal("ln.h", 33), "beta": normal("ln.c", 33)}

write("dense", [
    case("linear/small", F.linear, {"input": normal("l.x", 5, 7), "weight": normal("l.w", 3, 7), "bias": normal("l.b", 3)}),
    case("linear/deep", F.linear, {"input": normal("m.x", 9, 130), "weight": normal("m.w", 6, 130), "bias": normal("m.b", 6)}),
    case("linear/many rows", F.linear, {"input": normal("n.x", 300, 2), "weight": normal("n.w", 3, 2), "bias": normal("n.b", 3)}),
    case("matmul/small", lambda a, b: a @ b, {"a": normal("mm.a", 6, 33), "b": normal("mm.b", 33, 5)}),
    case("layernorm/normal", layer_norm, norm_inputs),
    case("layernorm/far from zero", layer_norm, far_inputs),
])
write("rows", [
    case("addrow/small", lambda x, row: x + row, {"x": normal("ar.x", 40, 3), "row": normal("ar.r", 3)}),
    case("mul/small", lambda a, b: a * b, {"a": normal("mul.a", 4, 5), "b": normal("mul.b", 4, 5)}),
    case("sum/small", lambda x: x.sum(), {"x": normal("sum", 40, 3)}),
    case("gelu/normal", F.gelu, {"input": normal("gelu", 20, 10)}),
    case("gelu/tails", F.gelu, {"input": np.linspace(-6, 6, 97, dtype=np.float32)}),
    case("relu/normal", F.relu, {"input": normal("relu", 8, 10)}),
    case("concat/three", lambda a, b, c: torch.cat([a, b, c], 1), {"a": normal("c.a", 4, 2), "b": normal("c.b", 4, 1), "c": normal("c.c", 4, 3)}),
    case("embedding/repeated", lambda table, ids: F.embedding(ids, table), {"table": normal("emb", 7, 5)}, {"ids": [3, 0, 3, 6, 1, 3, 3, 0]}),
    case("meanpool/ragged", mean_pool, {"x": normal("mean", 31, 4)}, {"lengths": [5, 0, 1, 25]}),
    case("rotary/two heads", rotary, {"x": normal("rot", 7, 16)}, {"heads": 2, "positions": [0, 1, 2, 3, 50, 511, 1023]},
         {"frequencies": 10000.0 ** (-np.arange(4) / 4)}),
    case("maxpool/ragged", max_pool, {"x": normal("max", 19, 3)}, {"lengths": [7, 0, 1, 11], "size": 3}),
    case("conv/ragged", conv, {"x": normal("conv.x", 19, 5), "w": normal("conv.w", 4, 7, 5), "b": normal("conv.b", 4)}, {"lengths": [7, 0, 1, 11]}),
    case("conv/even", conv, {"x": normal("conw.x", 12, 5), "w": normal("conw.w", 4, 4, 5)}, {"lengths": [12]}),
    case("crossentropy/normal", cross_entropy, {"x": normal("ce", 12, 7)}, {"targets": [0, 6, 3, -1, 2, 2, 5, -1, 1, 4, 0, 3]}),
    case("crossentropy/sure", cross_entropy, {"x": normal("cf", 12, 4, scale=20)}, {"targets": [0, 3, 3, -1, 2, 2, 1, -1, 1, 2, 0, 3]}),
    case("crossentropy/many classes", cross_entropy, {"x": normal("cg", 3, 200)}, {"targets": [0, 199, 77]}),
    case("bce/normal", bce, {"x": normal("bce", 12)}, None, {"targets": np.array([0, 1, .5, 1, 0, 0, 1, 1, 0, .25, 1, 0])}),
    case("bce/sure", bce, {"x": normal("bcf", 12, scale=20)}, None, {"targets": np.array([0, 1, .5, 1, 0, 0, 1, 1, 0, .25, 1, 0])}),
])


def geglu(input):
    a, b = input.chunk(2, -1)
    return F.gelu(a) * b


write("gated", [
    case("tanh/normal", torch.tanh, {"input": normal("tanh", 20, 10)}),
    case("tanh/tails", torch.tanh, {"input": np.linspace(-9, 9, 97, dtype=np.float32)}),
    case("geglu/normal", geglu, {"input": normal("geglu", 20, 22)}),
    case("geglu/one row", geglu, {"input": normal("gegly", 1, 34, scale=4)}),
])
