"""Writes the goldens of package sequence: python3 gen.py (PyTorch 1.13)."""
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "..", "..", "nn", "testdata"))
from layers import case, encoder_layer, encoder_shapes, linear, linear_shapes, norm, norm_shapes, packed, parameters, under  # first: it finds golden
import golden
import torch
import torch.nn.functional as F

VOCAB, D, FFN, HEADS, LAYERS, CLASSES, MAX = 8, 8, 12, 2, 2, 3, 7
CLS = 1
LENGTHS = [6, 1, 4]  # of the letters
IDS = [3, 6, 4, 7, 5, 3, 4, 6, 6, 2, 3]
LABELS = [2, 0, 1]
HIDDEN = [2, 8, 10, 11]  # rows for masked-token training
TRUTH = [4, 5, 3, 6]


def sinusoidal(length, like):
    i = torch.arange(D // 2, dtype=like.dtype)
    angle = torch.arange(length, dtype=like.dtype)[:, None] / 10000.0 ** (2 * i / D)
    return torch.stack([angle.sin(), angle.cos()], 2).reshape(length, D)


def convolve(p, x):
    k = p["weight"].shape[1]
    y = F.pad(x.T[None], ((k - 1) // 2, k - 1 - (k - 1) // 2))
    return F.conv1d(y, p["weight"].transpose(1, 2), p["bias"])[0].T


def encode(p, position, stem):
    tokens = torch.tensor(IDS)
    segments = packed(LENGTHS)
    table = p.get("position.weight")
    if position == "sinusoidal":
        table = sinusoidal(1 + MAX, p["embed.weight"])
    rows = []
    for s in segments:
        x = p["embed.weight"][torch.cat([torch.tensor([CLS]), tokens[s]])]
        if table is not None:
            x = x + table[:len(x)]
        for i in range(stem):  # [CLS] stays as it is
            y = x[1:] + F.gelu(convolve(under(p, f"stem.{i}"), x[1:]))
            x = torch.cat([x[:1], y])
        rows.append(x)
    x = torch.cat(rows)
    for i in range(LAYERS):
        x = encoder_layer(under(p, f"layers.{i}"), x, HEADS, [1 + n for n in LENGTHS], position == "rotary")
    return norm(under(p, "norm"), x)


def model(name, position, pooling, stem=()):
    shapes = {"embed.weight": (VOCAB, D)}
    if position == "learned":
        shapes["position.weight"] = (1 + MAX, D)
    for i, k in enumerate(stem):
        shapes.update({f"stem.{i}.weight": (D, k, D), f"stem.{i}.bias": (D,)})
    relative = (HEADS, 2 * MAX + 1) if position == "relative" else None
    for i in range(LAYERS):
        shapes.update({f"layers.{i}." + k: v for k, v in encoder_shapes(D, FFN, relative).items()})
    shapes.update(norm_shapes("norm", D))
    shapes.update(linear_shapes("classifier", CLASSES, D))
    shapes.update(linear_shapes("masked", VOCAB, D))

    def fn(ids, lengths, labels, hidden, truth, **p):
        x = encode(p, position, len(stem))
        segments = packed([1 + n for n in LENGTHS])
        if pooling == "masked":
            logits, labels = linear(under(p, "masked"), x[hidden]), truth
        elif pooling == "mean":
            logits = linear(under(p, "classifier"), torch.stack([x[s][1:].mean(0) for s in segments]))
        else:
            logits = linear(under(p, "classifier"), torch.stack([x[s.start] for s in segments]))
        # The loss alone is differentiated.
        return {"logits": logits.detach(), "loss": F.cross_entropy(logits, labels)}

    golden.write(os.path.join(here, name.replace(" ", "_") + ".json"), [case(
        name, fn, lambda seed: parameters(seed, shapes),
        {"ids": IDS, "lengths": LENGTHS, "labels": LABELS, "hidden": HIDDEN, "truth": TRUTH, "stem": list(stem)})])


model("learned cls", "learned", "cls", stem=[3, 4])
model("sinusoidal mean", "sinusoidal", "mean")
model("rotary cls", "rotary", "cls")
model("relative masked", "relative", "masked")
