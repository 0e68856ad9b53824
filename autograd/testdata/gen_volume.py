"""Writes the goldens of the operations on volumes: python3 gen_volume.py
(PyTorch 1.13). Volumes are (B, D, H, W, C), PyTorch's are (B, C, D, H, W)."""
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "..", "internal", "golden"))
import golden
import torch.nn.functional as F
from golden import case, normal


def first(x):
    return x.permute(0, 4, 1, 2, 3)


def last(x):
    return x.permute(0, 2, 3, 4, 1)


def conv3d(x, w, stride, pad, b=None):
    """w is (KD, KH, KW, C, O)."""
    return last(F.conv3d(first(x), w.permute(4, 3, 0, 1, 2), b, [int(s) for s in stride], [int(p) for p in pad]))


def group_norm(x, gamma, beta, groups):
    return last(F.group_norm(first(x), int(groups), gamma, beta, 1e-5))


def ints(v):
    return [int(i) for i in v]


def avg_pool(x, window, stride, pad):
    return last(F.avg_pool3d(first(x), ints(window), ints(stride), ints(pad), count_include_pad=False))


def max_pool(x, window, stride, pad):
    return last(F.max_pool3d(first(x), ints(window), ints(stride), ints(pad)))


def norm(name, shape, groups, shift=0.0):
    c = shape[-1]
    return case("groupnorm/" + name, group_norm, {"x": normal(name + "x", *shape) + shift, "gamma": normal(name + "g", c), "beta": normal(name + "b", c)},
                {"groups": groups})


def conv(name, x, w, stride, pad, bias=True):
    inputs = {"x": normal(name + "x", *x), "w": normal(name + "w", *w)}
    if bias:
        inputs["b"] = normal(name + "b", w[-1])
    return case("conv3d/" + name, conv3d, inputs, {"stride": stride, "pad": pad})


golden.write(os.path.join(here, "volume.json"), [
    conv("cube", (2, 4, 3, 5, 3), (3, 3, 3, 3, 4), [1, 1, 1], [1, 1, 1]),
    conv("down", (2, 5, 4, 5, 2), (3, 3, 3, 2, 3), [2, 2, 2], [1, 1, 1]),
    conv("one channel", (1, 6, 5, 7, 1), (5, 5, 5, 1, 3), [2, 2, 2], [2, 2, 2]),
    conv("uneven", (1, 3, 4, 6, 2), (1, 2, 3, 2, 2), [1, 2, 3], [0, 1, 2], bias=False),
    conv("wide padding", (1, 2, 2, 2, 2), (2, 2, 2, 2, 2), [1, 1, 1], [3, 2, 2]),
    conv("point", (2, 2, 2, 3, 4), (1, 1, 1, 4, 3), [1, 1, 1], [0, 0, 0]),
    norm("two groups", (2, 3, 2, 2, 8), 2),
    norm("far from zero", (2, 2, 3, 3, 6), 3, shift=30.0),
    norm("one group", (1, 2, 2, 2, 5), 1),
    case("avgpool3d/padded", avg_pool, {"x": normal("ap", 2, 5, 4, 3, 3)}, {"window": [3, 3, 3], "stride": [2, 1, 2], "pad": [1, 1, 0]}),
    case("maxpool3d/padded", max_pool, {"x": normal("mp", 2, 5, 4, 5, 3)}, {"window": [3, 2, 3], "stride": [2, 2, 1], "pad": [1, 1, 1]}),
])
