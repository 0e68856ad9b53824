"""Writes the goldens of the alternatives to attention: python3 gen_recurrent.py
(PyTorch 1.13). LSTM and GRU are PyTorch's own, over packed sequences."""
import os

from layers import case, linear, packed, under  # first: it finds golden
import golden
import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

here = os.path.dirname(os.path.abspath(__file__))
IN, H, LENGTHS = 5, 4, [3, 7, 1, 5]


def run(kind, p, x, lengths, reverse=False, bidirectional=False):
    """PyTorch's module with the parameters p, over sequences packed end to end.
    One that reads backwards alone is the second half of a bidirectional one."""
    sides = [("", "")] if not bidirectional else [("ahead.", ""), ("back.", "_reverse")]
    if reverse:
        sides = [("", ""), ("", "_reverse")]
    h = next(v for k, v in p.items() if k.endswith("hidden.weight")).shape[1]
    m = getattr(torch.nn, kind)(x.shape[1], h, bidirectional=len(sides) == 2, batch_first=True).to(x.dtype)
    for prefix, suffix in sides:
        for ours, theirs in (("input.weight", "weight_ih_l0"), ("hidden.weight", "weight_hh_l0"), ("input.bias", "bias_ih_l0"), ("hidden.bias", "bias_hh_l0")):
            delattr(m, theirs + suffix)
            setattr(m, theirs + suffix, p[prefix + ours])
    m._flat_weights = [getattr(m, n) for n in m._flat_weights_names]
    rows = [x[s] for s in packed(lengths)]
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    y, _ = m(pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False))
    y, _ = pad_packed_sequence(y, batch_first=True)
    if reverse:
        y = y[:, :, h:]
    return torch.cat([y[i, :n] for i, n in enumerate(lengths)])


def gate_shapes(gates, inputs, h, prefix=""):
    return {prefix + "input.weight": (gates * h, inputs), prefix + "input.bias": (gates * h,),
            prefix + "hidden.weight": (gates * h, h), prefix + "hidden.bias": (gates * h,)}


def parameters(seed, shapes):
    out = {}
    for name, shape in shapes.items():
        fan = 1
        for n in shape[1:]:
            fan *= n
        out[name] = golden.normal(seed + name, *shape, scale=0.4 if len(shape) == 1 else fan ** -0.5)
    return out


def recurrent(name, kind, shapes, lengths=LENGTHS, **how):
    def inputs(seed):
        return {"x": golden.normal(seed, sum(lengths), IN), **parameters(seed, shapes)}

    def fn(x, lengths, **p):
        return run(kind, p, x, lengths, **how)

    return case(name, fn, inputs, {"lengths": lengths})


def both(gates):
    return {**gate_shapes(gates, IN, H, "ahead."), **gate_shapes(gates, IN, H, "back.")}


golden.write(os.path.join(here, "recurrent.json"), [
    recurrent("lstm", "LSTM", gate_shapes(4, IN, H)),
    recurrent("lstm/reverse", "LSTM", gate_shapes(4, IN, H), reverse=True),
    recurrent("bilstm", "LSTM", both(4), bidirectional=True),
    recurrent("gru", "GRU", gate_shapes(3, IN, H)),
    recurrent("gru/reverse", "GRU", gate_shapes(3, IN, H), reverse=True),
    recurrent("bigru", "GRU", both(3), bidirectional=True),
])
golden.write(os.path.join(here, "recurrent_long.json"), [
    recurrent("lstm/long", "LSTM", gate_shapes(4, IN, H), lengths=[60, 2]),
    recurrent("gru/long", "GRU", gate_shapes(3, IN, H), lengths=[60, 2]),
])

V = 3  # variables of GRU-D


def grud(x, mask, gaps, lengths, **p):
    """One row after the other, as the paper writes it, with the cell of PyTorch."""
    gaps = gaps * torch.ones_like(x)
    out = []
    for s in packed(lengths):
        last, h = p["mean"], x.new_zeros(1, p["hidden.weight"].shape[1])
        for t in range(s.start, s.stop):
            m = mask[t]
            last = m * x[t] + (1 - m) * last
            fade = torch.exp(-torch.relu(p["fade.weight"] * gaps[t] + p["fade.bias"]))
            seen = m * x[t] + (1 - m) * (fade * last + (1 - fade) * p["mean"])
            h = h * torch.exp(-torch.relu(linear(under(p, "decay"), gaps[t])))
            h = torch.gru_cell(torch.cat([seen, m])[None], h, p["input.weight"], p["hidden.weight"], p["input.bias"], p["hidden.bias"])
            out.append(h)
    return torch.cat(out)


def grud_case():
    shapes = {"fade.weight": (V,), "fade.bias": (V,), "mean": (V,), "decay.weight": (H, V), "decay.bias": (H,), **gate_shapes(3, 2 * V, H)}
    n = sum(LENGTHS)
    observed = (golden.normal("observed", n, V) > 0).astype("f4")
    waited = abs(golden.normal("waited", n, V))

    def inputs(seed):
        return {"x": golden.normal(seed, n, V), **parameters(seed, shapes)}

    # The mask and the gaps are the same for every draw.
    def fn(x, lengths, observed, waited, **p):
        return grud(x, observed.view(n, V).to(x.dtype), waited.view(n, V).to(x.dtype) / 1024, lengths, **p)

    return case("grud", fn, inputs, {"lengths": LENGTHS, "observed": observed.astype("i8"), "waited": (waited * 1024).astype("i8")})


golden.write(os.path.join(here, "grud.json"), [grud_case()])

D, W = 6, 3


def conv(p, x, s, dilation=1):
    k = p["weight"].shape[1]
    y = F.conv1d(x[s].T[None], p["weight"].transpose(1, 2), p["bias"], padding=(k - 1) // 2 * dilation, dilation=dilation)
    return y[0].T


def inception(x, lengths, **p):
    out = []
    for s in packed(lengths):
        everything = slice(None)
        three = conv(under(p, "three"), conv(under(p, "into3"), x, s).relu(), everything)
        five = conv(under(p, "five"), conv(under(p, "into5"), x, s).relu(), everything)
        pool = F.max_pool1d(x[s].T[None], 3, stride=1, padding=1)[0].T
        out.append(torch.cat([conv(under(p, "one"), x, s), three, five, conv(under(p, "pooled"), pool, everything)], 1))
    return linear(under(p, "out"), torch.cat(out).relu())


def dilated(x, lengths, **p):
    y = linear(under(p, "in"), x)
    for i, d in enumerate([1, 2, 4, 8]):
        y = y + torch.cat([conv(under(p, f"convs.{i}"), y, s, d).relu() for s in packed(lengths)])
    return linear(under(p, "out"), y)


def conv_shapes(name, o, k, c):
    return {name + ".weight": (o, k, c), name + ".bias": (o,)}


def mixer(name, fn, shapes):
    def inputs(seed):
        return {"x": golden.normal(seed, sum(LENGTHS), D), **parameters(seed, shapes)}

    return case(name, lambda x, lengths, **p: fn(x, lengths, **p), inputs, {"lengths": LENGTHS})


golden.write(os.path.join(here, "convolution.json"), [
    mixer("inception", inception, {
        **conv_shapes("one", W, 1, D), **conv_shapes("into3", W, 1, D), **conv_shapes("three", W, 3, W), **conv_shapes("into5", W, 1, D),
        **conv_shapes("five", W, 5, W), **conv_shapes("pooled", W, 1, D), "out.weight": (D, 4 * W), "out.bias": (D,)}),
    mixer("dilated", dilated, {
        "in.weight": (W, D), "in.bias": (W,), **{k: v for i in range(4) for k, v in conv_shapes(f"convs.{i}", W, 3, W).items()},
        "out.weight": (D, W), "out.bias": (D,)}),
])
