#!/usr/bin/python3
"""Checks format/npy against NumPy (Debian's python3-numpy), both ways.

    format/npy/testdata/check.py make             writes the samples beside this script
    HEED_NPY_OUT=/tmp/npy go test -run TestPeer ./format/npy
    format/npy/testdata/check.py /tmp/npy         compares what Go wrote with what it should have
"""
import io
import os
import sys

import numpy as np

TYPES = "f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1".split()
SHAPES = [(), (0,), (5,), (2, 3), (3, 0, 2), (2, 3, 4), (2, 1, 3, 2)]


def values(dtype, shape):
    """The rule that Go's test follows too: 7k-20, as the type takes it."""
    n = int(np.prod(shape))
    v = np.arange(n) * 7 - 20
    if dtype == "b1":
        v = v % 2
    if dtype[0] == "f":
        return (v / 8).astype(dtype).reshape(shape)
    return v.astype(np.int64).astype(dtype).reshape(shape)


def make():
    here = os.path.dirname(os.path.abspath(__file__))
    arrays = {}
    for t in TYPES + ["f2"]:
        for i, shape in enumerate(SHAPES):
            v = values(t, shape)
            arrays[f"{t}_{i}"] = v
            arrays[f"{t}_{i}_fortran"] = np.asfortranarray(v) if v.ndim else v
            arrays[f"{t}_{i}_big"] = v.astype(">" + t)
    np.savez_compressed(os.path.join(here, "numpy.npz"), **arrays)
    np.savez(os.path.join(here, "stored.npz"), x=values("f4", (2, 3)), y=values("i8", (5,)))
    for version in (1, 0), (2, 0), (3, 0):
        with open(os.path.join(here, f"version{version[0]}.npy"), "wb") as f:
            np.lib.format.write_array(f, values("f8", (2, 3)), version=version)
    refused = {
        "objects": np.array([{}, None], dtype=object),
        "complex": np.zeros(2, "c8"),
        "text": np.array(["a"]),
        "bytes": np.array([b"a"]),
        "records": np.zeros(2, [("a", "f4"), ("b", "i2")]),
        "dates": np.zeros(2, "M8[s]"),
    }
    np.savez_compressed(os.path.join(here, "refused.npz"), **refused)


def check(folder):
    names = 0
    for file in "stored.npz", "deflated.npz":
        z = np.load(os.path.join(folder, file), allow_pickle=False)
        for t in TYPES:
            for i, shape in enumerate(SHAPES):
                got, want = z[f"{t}_{i}"], values(t, shape)
                assert got.dtype == want.dtype and got.shape == want.shape and (got == want).all(), (t, shape, got, want)
                names += 1
        assert len(z.files) == len(TYPES) * len(SHAPES)
    a = np.load(os.path.join(folder, "one.npy"), allow_pickle=False)
    assert a.dtype == np.float32 and (a == values("f4", (2, 3))).all(), a
    m = np.load(os.path.join(folder, "one.npy"), mmap_mode="r")
    assert (np.asarray(m) == a).all()
    print(f"{names} arrays of two archives and one file: same")


if sys.argv[1] == "make":
    make()
else:
    check(sys.argv[1])
