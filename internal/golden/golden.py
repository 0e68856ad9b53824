"""Writes reference results for the tests of package autograd and others.

A generator script lives beside the goldens that it writes and looks like this:

    import os, sys
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.join(here, "..", "..", "internal", "golden"))
    import golden, torch.nn.functional as F

    golden.write(os.path.join(here, "linear.json"), [
        golden.case("linear/small", lambda x, w, b: F.linear(x, w, b),
                    {"x": golden.normal("x", 5, 7), "w": golden.normal("w", 3, 7), "b": golden.normal("b", 3)}),
    ])

For each case the function runs twice on the same float32 inputs: in float64,
which gives the reference, and in float32, which gives the error that float32
arithmetic may be allowed. Package golden (golden.go) reads the file and
compares. Tested with Python 3.11, PyTorch 1.13, NumPy 1.24.
"""
import base64
import json
import os
import zlib

import numpy as np
import torch

LIMIT = 100_000  # bytes in one golden file; keep the shapes little


def normal(seed, *shape, scale=1.0):
    """A float32 array of normal deviates, fixed by seed (any string)."""
    r = np.random.RandomState(zlib.crc32(seed.encode()))
    return (scale * r.standard_normal(shape)).astype(np.float32)


def case(name, fn, inputs, ints=None, consts=None):
    """Runs fn in float64 and float32 and returns the case as a dict for write.

    fn is called with keyword arguments: every entry of inputs, ints and consts
    by its name. It returns one tensor (stored as "out"), or a dict of tensors
    by name. It must not create float tensors of a fixed dtype: use
    x.new_zeros(...) and the like, or the float64 run loses its precision.

    inputs  name -> float array; the gradient of each is stored as "grad.NAME"
    ints    name -> int, list of ints, or integer array; an int is passed as it
            is, the others as a LongTensor
    consts  name -> float array without a gradient (masks, fixed weights)

    The gradients are those of sum over outputs of (cotangent * output), where
    the cotangents are normal deviates fixed by the names of case and output.
    """
    inputs = {k: _f32(v) for k, v in inputs.items()}
    consts = {k: _f32(v) for k, v in (consts or {}).items()}
    ints = dict(ints or {})
    ref, cot = _run(name, fn, inputs, ints, consts, torch.float64)
    low, _ = _run(name, fn, inputs, ints, consts, torch.float32)

    results = []
    for key, want in ref.items():
        got = low[key].astype(np.float64)
        if not (np.isfinite(want).all() and np.isfinite(got).all()):
            raise ValueError(f"{name}: {key} is not finite")
        err = float(np.max(np.abs(got - want))) if want.size else 0.0
        results.append({"name": key, "shape": list(want.shape), "f64": _pack(want, "<f8"), "err32": err})
    return {
        "name": name,
        "inputs": [_floats(k, v) for k, v in inputs.items()],
        "consts": [_floats(k, v) for k, v in consts.items()],
        "ints": [_ints(k, v) for k, v in ints.items()],
        "cotangents": [_floats(k, v) for k, v in cot.items()],
        "results": results,
    }


def write(path, cases):
    """Writes the cases to path, one to a line."""
    names = [c["name"] for c in cases]
    if len(set(names)) != len(names):
        raise ValueError(f"{path}: two cases have one name")
    head = json.dumps({"torch": torch.__version__, "numpy": np.__version__})
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    text = head[:-1] + ', "cases": [\n' + lines + "\n]}\n"
    if len(text) > LIMIT:
        raise ValueError(f"{path}: {len(text)} bytes, limit {LIMIT}: use smaller shapes or split the file")
    with open(path + ".tmp", "w") as f:
        f.write(text)
    os.replace(path + ".tmp", path)
    print(f"{os.path.basename(path)}: {len(cases)} cases, {len(text)} bytes")


def _run(name, fn, inputs, ints, consts, dtype):
    torch.set_num_threads(1)
    args = {k: torch.tensor(v, dtype=dtype, requires_grad=True) for k, v in inputs.items()}
    leaves = list(args.values())
    args.update({k: torch.tensor(v, dtype=dtype) for k, v in consts.items()})
    args.update({k: v if isinstance(v, int) else torch.tensor(np.asarray(v), dtype=torch.int64) for k, v in ints.items()})

    out = fn(**args)
    if not isinstance(out, dict):
        out = {"out": out}
    for key, v in out.items():
        if v.dtype != dtype:
            raise TypeError(f"{name}: {key} is {v.dtype} in the {dtype} run")
    cot = {key: normal(name + "\0" + key, *v.shape) for key, v in out.items()}
    loss = sum((v * torch.tensor(cot[key], dtype=dtype)).sum() for key, v in out.items())
    grads = torch.autograd.grad(loss, leaves, allow_unused=True) if leaves else []

    values = {key: v.detach().numpy() for key, v in out.items()}
    for key, leaf, g in zip(inputs, leaves, grads):
        values["grad." + key] = (torch.zeros_like(leaf) if g is None else g).detach().numpy()
    return values, cot


def _f32(v):
    if isinstance(v, torch.Tensor):
        v = v.detach().numpy()
    return np.asarray(v, dtype=np.float32)


def _pack(a, dtype):
    return base64.b64encode(np.ascontiguousarray(a).astype(dtype).tobytes()).decode()


def _floats(name, a):
    return {"name": name, "shape": list(a.shape), "f32": _pack(a, "<f4")}


def _ints(name, v):
    a = np.asarray(v, dtype=np.int64)
    return {"name": name, "shape": list(a.shape), "values": a.reshape(-1).tolist()}
