"""Writes the goldens of package explain: python3 gen.py (PyTorch 1.13).

A pre-norm encoder of two layers, three classes, the score of class 1 less the
mean of the others. Everything is written from the formulas of the papers, with
PyTorch's autograd for gradients and one number or vector at a time elsewhere.
"""
import base64
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "..", "nn", "testdata"))
from layers import encoder_shapes, linear, linear_shapes, norm, norm_shapes, parameters, under  # first: it finds golden
import golden
import numpy as np
import torch
import torch.nn.functional as F

L, D, FFN, HEADS, LAYERS, CLASSES = 6, 8, 12, 2, 2, 3
CONTRAST = [-0.5, 1.0, -0.5]
NODES = 16
SIZE = D // HEADS


def attention_weights(p, x):
    q, k = (linear(under(p, part), x).view(len(x), HEADS, SIZE) for part in ("query", "key"))
    return torch.softmax(torch.einsum("ihd,jhd->hij", q, k) / SIZE ** 0.5, 2)


def run(p, x, readout):
    """The score, and of each layer its input, weights, middle and output."""
    seen = []
    for i in range(LAYERS):
        l = under(p, f"layers.{i}")
        h = norm(under(l, "norm1"), x)
        w = attention_weights(under(l, "attention"), h)
        if w.requires_grad:
            w.retain_grad()
        v = linear(under(l, "attention.value"), h).view(len(x), HEADS, SIZE)
        o = torch.einsum("hij,jhd->ihd", w, v)
        middle = x + linear(under(l, "attention.out"), o.reshape(len(x), D))
        y = middle + linear(under(l, "down"), F.gelu(linear(under(l, "up"), norm(under(l, "norm2"), middle))))
        seen.append((l, x, w, o, middle, y))
        x = y
    pooled = readout @ norm(under(p, "norm"), x)
    return linear(under(p, "classifier"), pooled) @ x.new_tensor(CONTRAST), seen


def gradient(p, x, readout):
    x = x.detach().requires_grad_(True)
    y, seen = run(p, x, readout)
    y.backward()
    return y.detach(), x.grad, [(w.detach(), w.grad) for _, _, w, _, _, _ in seen]


def relevance(weights, readout, part):
    n = len(readout)
    r = torch.eye(n, dtype=readout.dtype)
    for a, g in weights:
        cam = part(a * g).mean(0)
        r = r + cam @ r
    return readout @ (r - torch.eye(n, dtype=readout.dtype))


def integrated(p, x, base, readout):
    at, weight = np.polynomial.legendre.leggauss(NODES)
    total = torch.zeros_like(x)
    for a, w in zip((at + 1) / 2, weight / 2):
        total = total + w * gradient(p, base + float(a) * (x - base), readout)[1]
    return (x - base) * total


def frozen(n, x, v, bias):
    """The norm of v with the variance of x."""
    s = (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    return n["weight"] * (v - v.mean(1, keepdim=True)) / s + bias * n["bias"]


def decomposition(p, x, readout):
    """The share of every row, and of biases in the end."""
    _, seen = run(p, x, readout)
    shares = []
    for k in range(len(x) + 1):
        bias = float(k == len(x))
        a = torch.zeros_like(x)
        if not bias:
            a[k] = x[k]
        for l, before, w, _, middle, _ in seen:
            v = frozen(under(l, "norm1"), before, a, bias) @ l["attention.value.weight"].T + bias * l["attention.value.bias"]
            o = torch.cat([w[h] @ v[:, h * SIZE:(h + 1) * SIZE] for h in range(HEADS)], 1)
            a = a + o @ l["attention.out.weight"].T + bias * l["attention.out.bias"]
            z = linear(under(l, "up"), norm(under(l, "norm2"), middle))
            u = frozen(under(l, "norm2"), middle, a, bias) @ l["up.weight"].T + bias * l["up.bias"]
            a = a + (u * F.gelu(z) / z) @ l["down.weight"].T + bias * l["down.bias"]
        a = readout @ frozen(under(p, "norm"), seen[-1][5], a, bias)
        logits = p["classifier.weight"] @ a + bias * p["classifier.bias"]
        shares.append(logits @ logits.new_tensor(CONTRAST))
    return torch.stack(shares)


def direct(p, x, readout):
    """Heads (layers, heads) and feed-forward layers, read by the last norm."""
    _, seen = run(p, x, readout)
    last = seen[-1][5]

    def read(part):
        pooled = readout @ frozen(under(p, "norm"), last, part, 0.0)
        return p["classifier.weight"] @ pooled @ x.new_tensor(CONTRAST)

    heads, feed = [], []
    for l, _, _, o, middle, y in seen:
        out = l["attention.out.weight"]
        heads += [read(o[:, h] @ out[:, h * SIZE:(h + 1) * SIZE].T) for h in range(HEADS)]
        feed.append(read(y - middle - l["down.bias"]))
    return torch.stack(heads), torch.stack(feed)


def explain(x, base, readout, **p):
    score, g, weights = gradient(p, x, readout)
    heads, feed = direct(p, x, readout)
    results = {
        "score": score,
        "gradient": g,
        "gradient_input": (x * g).sum(1),
        "positive": relevance(weights, readout, lambda a: a.clamp(min=0)),
        "negative": relevance(weights, readout, lambda a: (-a).clamp(min=0)),
        "signed": relevance(weights, readout, lambda a: a),
        "integrated": integrated(p, x, base, readout),
        "shares": decomposition(p, x, readout),
        "heads": heads,
        "feed_forward": feed,
    }
    return {k: v.detach() for k, v in results.items()}


def case(name, readout):
    """golden.case of constants; what float32 may err is the most of some draws
    of the parameters, and never more than 1e-4."""
    shapes = {"x": (L, D), "base": (L, D)}
    for i in range(LAYERS):
        shapes.update({f"layers.{i}." + k: v for k, v in encoder_shapes(D, FFN).items()})
    shapes.update(norm_shapes("norm", D))
    shapes.update(linear_shapes("classifier", CLASSES, D))

    def rms(r):
        return float(np.sqrt(np.mean(np.frombuffer(base64.b64decode(r["f64"]), "<f8") ** 2)))

    draws = [golden.case(name, explain, {}, consts={**parameters(f"{name} {i}", shapes), "readout": readout}) for i in range(8)]
    for i, r in enumerate(draws[0]["results"]):
        r["err32"] = max([2e-6 * rms(r)] + [d["results"][i]["err32"] for d in draws])
        assert 2 * r["err32"] < 1e-4 * max(1, rms(r)), (name, r["name"], r["err32"])
    return draws[0]


golden.write(os.path.join(here, "encoder.json"), [
    case("row", [1, 0, 0, 0, 0, 0]),
    case("mean", [0, 0.2, 0.2, 0.2, 0.2, 0.2]),
])
