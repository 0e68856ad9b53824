"""Writes cnn.json: the CNN baseline, forward and backward, as PyTorch has it.

    python3 gen.py
"""
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "..", "..", "internal", "golden"))
import golden
import numpy as np
import torch
import torch.nn.functional as F


def network(x, conv_w, conv_b, hidden_w, hidden_b, out_w, out_b, lengths, pool):
    """x is (T, 4), sequences end to end; conv_w is (F, K, 4) as in Heed."""
    k = conv_w.shape[1]
    rows, at = [], 0
    for n in lengths.tolist():
        s = x[at:at + n].t().unsqueeze(0)
        at += n
        s = F.pad(s, ((k - 1) // 2, k - 1 - (k - 1) // 2))
        y = F.relu(F.conv1d(s, conv_w.permute(0, 2, 1), conv_b))
        y = F.max_pool1d(y, pool if pool > 0 else n, ceil_mode=True)
        rows.append(y[0].t().reshape(-1))
    y = F.relu(F.linear(torch.stack(rows), hidden_w, hidden_b))
    return F.linear(y, out_w, out_b)


def case(name, lengths, filters, kernel, pool, dense, classes):
    r = np.random.RandomState(len(name))
    n = sum(lengths)
    features = filters if pool == 0 else -(-lengths[0] // pool) * filters
    one_hot = np.eye(4, dtype=np.float32)[r.randint(0, 4, n)]
    one_hot[r.randint(0, n, 2)] = 0  # unknown letters
    return golden.case(name, network, {
        "conv_w": golden.normal(name + "cw", filters, kernel, 4),
        "conv_b": golden.normal(name + "cb", filters, scale=0.1),
        "hidden_w": golden.normal(name + "hw", dense, features, scale=0.2),
        "hidden_b": golden.normal(name + "hb", dense, scale=0.1),
        "out_w": golden.normal(name + "ow", classes, dense, scale=0.3),
        "out_b": golden.normal(name + "ob", classes, scale=0.1),
    }, ints={"lengths": lengths, "pool": pool}, consts={"x": one_hot})


golden.write(os.path.join(here, "cnn.json"), [
    case("cnn/odd", [17, 17, 17], 6, 7, 2, 9, 2),
    case("cnn/even", [12, 12], 5, 4, 3, 8, 3),
    case("cnn/any length", [9, 21, 5, 14], 7, 5, 0, 8, 2),
])
