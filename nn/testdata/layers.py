"""Layers in PyTorch over packed segments, for the goldens of nn and model/*.

Parameters come in a dict under the names that Visit gives them. Attention is
PyTorch's own multi_head_attention_forward, one segment at a time; only rotary
positions, which it lacks, are written out, as products of complex numbers.
"""
import base64
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "internal", "golden"))
import golden
import numpy as np
import torch
import torch.nn.functional as F
from golden import normal


def under(p, prefix):
    """The entries of p whose names begin with prefix and a dot, without it."""
    return {k[len(prefix) + 1:]: v for k, v in p.items() if k.startswith(prefix + ".")}


def packed(lengths):
    at, out = 0, []
    for n in lengths:
        out.append(slice(at, at + int(n)))
        at += int(n)
    return out


def linear(p, x):
    return F.linear(x, p["weight"], p["bias"])


def norm(p, x):
    return F.layer_norm(x, p["weight"].shape, p["weight"], p["bias"], 1e-5)


def turn(x, heads):
    """Rotary positions 0, 1, ... of one segment: coordinates i and i+d/2 of a
    head are the parts of a complex number, which a rotation multiplies."""
    half = x.shape[1] // heads // 2
    re, im = x.view(len(x), heads, 2, half).unbind(2)
    frequencies = 10000.0 ** (-torch.arange(half, dtype=x.dtype) / half)
    angle = torch.arange(len(x), dtype=x.dtype)[:, None, None] * frequencies
    y = torch.complex(re, im) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([y.real, y.imag], 2).reshape(x.shape)


def attention(p, x, heads, lengths, rotary=False):
    return torch.cat([_attend(p, x[s], heads, rotary) for s in packed(lengths) if s.stop > s.start])


def _attend(p, x, heads, rotary):
    n, d = x.shape
    if rotary:
        q, k, v = (linear(under(p, part), x) for part in ("query", "key", "value"))
        q, k, v = (y.view(n, heads, -1).transpose(0, 1) for y in (turn(q, heads), turn(k, heads), v))
        w = torch.softmax(q @ k.transpose(1, 2) * (d // heads) ** -0.5, 2)
        return linear(under(p, "out"), (w @ v).transpose(0, 1).reshape(n, d))
    bias = None
    if "relative" in p:
        r = p["relative"].shape[1] // 2
        i = torch.arange(n)
        bias = p["relative"][:, (i[None, :] - i[:, None]).clamp(-r, r) + r]
    x = x[:, None]
    y, _ = F.multi_head_attention_forward(
        x, x, x, d, heads,
        torch.cat([p[part + ".weight"] for part in ("query", "key", "value")]),
        torch.cat([p[part + ".bias"] for part in ("query", "key", "value")]),
        None, None, False, 0.0, p["out.weight"], p["out.bias"], training=False, attn_mask=bias)
    return y[:, 0]


def encoder_layer(p, x, heads, lengths, rotary=False):
    x = x + attention(under(p, "attention"), norm(under(p, "norm1"), x), heads, lengths, rotary)
    return x + linear(under(p, "down"), F.gelu(linear(under(p, "up"), norm(under(p, "norm2"), x))))


def parameters(seed, shapes):
    """Random parameters by name: scales of norms near 1, the rest so small that
    a layer keeps the size of its input."""
    out = {}
    for name, shape in shapes.items():
        v = normal(seed + name, *shape)
        if "norm" in name and name.endswith("weight"):
            out[name] = 1 + 0.2 * v
        elif name.endswith("bias"):
            out[name] = 0.3 * v
        elif name.startswith(("embed", "position")) or name.endswith("relative"):
            out[name] = 0.7 * v
        else:
            fan = 1
            for n in shape[1:]:
                fan *= n
            out[name] = fan ** -0.5 * v
    return out


def linear_shapes(name, out, inner):
    return {name + ".weight": (out, inner), name + ".bias": (out,)}


def norm_shapes(name, d):
    return {name + ".weight": (d,), name + ".bias": (d,)}


def attention_shapes(d, relative=None):
    s = {}
    for part in ("query", "key", "value"):
        s.update(linear_shapes(part, d, d))
    if relative:
        s["relative"] = relative
    s.update(linear_shapes("out", d, d))
    return s


def encoder_shapes(d, ffn, relative=None):
    s = norm_shapes("norm1", d)
    s.update({"attention." + k: v for k, v in attention_shapes(d, relative).items()})
    s.update(norm_shapes("norm2", d))
    s.update(linear_shapes("up", ffn, d))
    s.update(linear_shapes("down", d, ffn))
    return s


DRAWS = 12
FLOOR = 2e-6  # twice that of package golden, which is meant for one operation


def case(name, fn, inputs, ints):
    """golden.case for a function of many steps. Rounding in an early step moves
    all later values together, so a single float32 run is now and then exact by
    luck. The error that is allowed is therefore the largest of several draws of
    the inputs, relative to the root mean square of each result, and at least
    FLOOR. inputs is called with the seed of a draw."""

    def rms(r):
        v = np.frombuffer(base64.b64decode(r["f64"]), "<f8")
        return float(np.sqrt(np.mean(v * v))) if v.size else 0.0

    draws = [golden.case(name, fn, inputs(f"{name} {i}"), ints) for i in range(DRAWS)]
    for i, r in enumerate(draws[0]["results"]):
        same = [d["results"][i] for d in draws]
        r["err32"] = rms(r) * max([FLOOR] + [s["err32"] / rms(s) for s in same if rms(s) > 0])
    return draws[0]


def axial_shapes(d, ffn, bias=None):
    s = norm_shapes("norm_row", d)
    s.update({"row." + k: v for k, v in attention_shapes(d).items()})
    s.update(norm_shapes("norm_column", d))
    s.update({"column." + k: v for k, v in attention_shapes(d).items()})
    s.update(norm_shapes("norm", d))
    s.update(linear_shapes("up", ffn, d))
    s.update(linear_shapes("down", d, ffn))
    if bias:
        s["bias"] = bias
    return s


def axial_layer(p, x, heads, rows, columns, tied, pad_rows, pad_columns):
    """Row attention, column attention and feed-forward of x (rows·columns, d) as
    products of whole grids (Rao et al. 2021). The last pad_rows rows and pad_columns
    columns are padding: nobody attends to them, and zeros are returned for them."""
    n, l, d = rows - pad_rows, columns - pad_columns, x.shape[1]
    grid = x.view(rows, columns, d)[:n, :l]

    def split(q, y):
        return [linear(under(q, part), y).view(n, l, heads, -1) for part in ("query", "key", "value")]

    w = d // heads
    q, k, v = split(under(p, "row"), norm(under(p, "norm_row"), grid))
    bias = p["bias"][:, :l, :l] if "bias" in p else 0
    if tied:
        a = torch.softmax(torch.einsum("rihc,rjhc->hij", q, k) * (w * n) ** -0.5 + bias, 2)
        o = torch.einsum("hij,rjhc->rihc", a, v)
    else:
        a = torch.softmax(torch.einsum("rihc,rjhc->rhij", q, k) * w ** -0.5 + bias, 3)
        o = torch.einsum("rhij,rjhc->rihc", a, v)
    grid = grid + linear(under(p, "row.out"), o.reshape(n, l, d))
    q, k, v = split(under(p, "column"), norm(under(p, "norm_column"), grid))
    a = torch.softmax(torch.einsum("rihc,sihc->ihrs", q, k) * w ** -0.5, 3)
    grid = grid + linear(under(p, "column.out"), torch.einsum("ihrs,sihc->rihc", a, v).reshape(n, l, d))
    grid = grid + linear(under(p, "down"), F.gelu(linear(under(p, "up"), norm(under(p, "norm"), grid))))
    return F.pad(grid, (0, 0, 0, pad_columns, 0, pad_rows)).reshape(rows * columns, d)
