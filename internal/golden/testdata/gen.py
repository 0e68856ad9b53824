"""Writes small.json, the golden file that the tests of package golden read."""
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, ".."))
import golden
import torch


def pair(x, rows, n, scale):
    y = x[rows] * scale
    return {"picked": y, "power": torch.exp(x) * n}


golden.write(os.path.join(here, "small.json"), [
    golden.case("matmul", lambda a, b: a @ b,
                {"a": golden.normal("a", 4, 33), "b": golden.normal("b", 33, 3)}),
    golden.case("gather/exp", pair, {"x": golden.normal("x", 5, 2)},
                ints={"rows": [4, 0, 4], "n": 3}, consts={"scale": [0.5, 2]}),
    golden.case("unused", lambda x, y: 2 * x, {"x": [1.0, 2.0], "y": [[3.0]]}),
])
