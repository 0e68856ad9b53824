"""Writes the goldens of package timeline: python3 gen.py (PyTorch 1.13)."""
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "..", "..", "nn", "testdata"))
from layers import case, encoder_shapes, linear, linear_shapes, norm, norm_shapes, packed, parameters, under  # first: it finds golden
import golden
import torch
import torch.nn.functional as F

D, FFN, HEADS, LAYERS, WAVES, HIDDEN, UNIT = 8, 12, 2, 2, 16, 5, 0.25
SPECIAL, CHANNELS = 17, 2
KNOTS = [[0, 1, 2, 4], [-1, 1], [10, 20, 30], []]  # of code 0, channels 0 and 1, then of code 1
MEAN, SD = [1, 0, 20, 0], [2, 1, 5, 1]
NAN = float("nan")
# Two patients: code, values, days before the prediction, visit.
EVENTS = [[(0, [0.5, NAN], 3, 1), (1, [25, NAN], 1, 2), (1, [NAN, NAN], 1, 2), (-1, [NAN, NAN], 0.5, 3)],
          [(0, [5, 0], 0.125, 0)]]
AGES = [61, 34]  # years


def rows(causal):
    """Code ids, values, days, visits and ages of all rows, [CLS] included."""
    out, lengths, cls = [], [], []
    for events, age in zip(EVENTS, AGES):
        seq = [(2 if c < 0 else SPECIAL + c, v, t, 1 + k % 2 if k else 0, (age - t / 365.25) / 10) for c, v, t, k in events]
        head = (0, [NAN] * CHANNELS, 0, 0, age / 10)
        cls.append(len(out) + (len(seq) if causal else 0))
        out += seq + [head] if causal else [head] + seq
        lengths.append(len(seq) + 1)
    return out, lengths, cls


def table(value):
    """The weight of every row of the table of values in every row of the batch."""
    def weights(pair, x):
        knots = KNOTS[pair]
        if value == "linear":
            return [max(-5, min(5, (x - MEAN[pair]) / SD[pair]))]
        w = [0.0] * len(knots)
        for i in range(len(knots)):
            if value == "bins":
                w[i] = float((i == 0 or x >= knots[i]) and (i == len(knots) - 1 or x < knots[i + 1]))
            elif x <= knots[0] or x >= knots[-1]:
                w[0 if x <= knots[0] else -1] = 1.0
            elif knots[i] <= x < knots[i + 1]:
                w[i + 1] = (x - knots[i]) / (knots[i + 1] - knots[i])
                w[i] = 1 - w[i + 1]
        return w

    widths = [1 if value == "linear" else len(k) for k in KNOTS]
    causal = value == "linear"
    out = []
    for code, v, _, _, _ in rows(causal)[0]:
        line = []
        for pair in range(len(KNOTS)):
            x = v[pair % CHANNELS]
            on = code - SPECIAL == pair // CHANNELS and x == x and widths[pair]
            line += weights(pair, x) if on else [0.0] * widths[pair]
        out.append(line)
    return out


def time2vec(p, t):
    a = t[:, None] * p["frequency"] + p["phase"]
    return linear(under(p, "out"), torch.cat([a[:, :1], a[:, 1:].sin()], 1))


def attention(p, x, times, slopes, causal):
    n, d = x.shape
    q, k, v = (linear(under(p, part), x).view(n, HEADS, -1).transpose(0, 1) for part in ("query", "key", "value"))
    s = q @ k.transpose(1, 2) * (d // HEADS) ** -0.5
    if slopes is not None:
        s = s - slopes[:, None, None] * torch.log1p((times[:, None] - times[None, :]).abs() / UNIT)
    if causal:
        s = s.masked_fill(torch.ones(n, n).triu(1) > 0, -float("inf"))
    return linear(under(p, "out"), (torch.softmax(s, 2) @ v).transpose(0, 1).reshape(n, d))


def model(name, value, time, age, visits, causal):
    shapes = {"embed.weight": (SPECIAL + 2, D)}
    if value == "projection":
        shapes.update(linear_shapes("values.hidden", HIDDEN, 2 * CHANNELS))
        shapes.update(linear_shapes("values.out", D, HIDDEN))
    else:
        shapes["values.weight"] = (len(table(value)[0]), D)
    for part, on in (("time", time in ("time2vec", "both")), ("age", age)):
        if on:
            shapes.update({part + ".frequency": (WAVES,), part + ".phase": (WAVES,)})
            shapes.update(linear_shapes(part + ".out", D, WAVES))
    if visits:
        shapes["visits.weight"] = (3, D)
    if time in ("bias", "both"):
        shapes["slopes"] = (HEADS,)
    for i in range(LAYERS):
        shapes.update({f"layers.{i}." + k: v for k, v in encoder_shapes(D, FFN).items()})
    shapes.update(norm_shapes("norm", D))
    for head, n in (("classifier", 2), ("masked", SPECIAL + 2), ("forecast", SPECIAL + 2)):
        shapes.update(linear_shapes(head, n, D))
    all_rows, lengths, cls = rows(causal)

    def fn(unused, **p):
        like = p["embed.weight"]
        x = like[torch.tensor([r[0] for r in all_rows])]
        if value == "projection":
            z = [[y for c, v in enumerate(r[1]) for y in
                  ([0.0, 0.0] if r[0] < SPECIAL or v != v else
                   [max(-5, min(5, (v - MEAN[(r[0] - SPECIAL) * CHANNELS + c]) / SD[(r[0] - SPECIAL) * CHANNELS + c])), 1.0])] for r in all_rows]
            x = x + linear(under(p, "values.out"), F.gelu(linear(under(p, "values.hidden"), like.new_tensor(z))))
        else:
            x = x + like.new_tensor(table(value)) @ p["values.weight"]
        times = like.new_tensor([r[2] for r in all_rows])
        if "time.phase" in p:
            x = x + time2vec(under(p, "time"), torch.log1p(24 * times))
        if age:
            x = x + time2vec(under(p, "age"), like.new_tensor([r[4] for r in all_rows]))
        if visits:
            x = x + p["visits.weight"][torch.tensor([r[3] for r in all_rows])]
        for i in range(LAYERS):
            q = under(p, f"layers.{i}")
            h = norm(under(q, "norm1"), x)
            x = x + torch.cat([attention(under(q, "attention"), h[s], times[s], p.get("slopes"), causal) for s in packed(lengths)])
            x = x + linear(under(q, "down"), F.gelu(linear(under(q, "up"), norm(under(q, "norm2"), x))))
        x = norm(under(p, "norm"), x)
        return {"logits": linear(under(p, "classifier"), x[cls]), "forecast": linear(under(p, "forecast"), x[cls]),
                "masked": linear(under(p, "masked"), x[[1, 3]])}

    golden.write(os.path.join(here, name.replace(" ", "_") + ".json"), [case(
        name, fn, lambda seed: parameters(seed, shapes), {"unused": 0})])


model("knots both", "knots", "both", False, False, False)
model("projection time2vec", "projection", "time2vec", True, True, False)
model("linear bias", "linear", "bias", False, False, True)
model("bins none", "bins", "none", True, False, False)
