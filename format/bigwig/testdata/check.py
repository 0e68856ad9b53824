#!/usr/bin/python3
"""Compares files written by format/bigwig with what pyBigWig reads from them.

Needs Debian's python3-pybigwig (libBigWig). The test TestPyBigWig, run with
HEED_BIGWIG_OUT=folder, leaves pairs of files in the folder: NAME.bw and
NAME.txt, which lists the chromosomes ("chrom size"), then the intervals
("chrom start end value") in plain text. Run

    HEED_BIGWIG_OUT=/tmp/bw go test -run TestPyBigWig ./format/bigwig
    format/bigwig/testdata/check.py /tmp/bw
    format/bigwig/testdata/check.py make     writes pybigwig.bw beside this script
"""
import glob
import math
import os
import struct
import sys

import numpy as np
import pyBigWig


def load(path):
    chroms, items = {}, {}
    for line in open(path):
        f = line.split()
        if len(f) == 2:
            chroms[f[0]] = int(f[1])
        else:
            items.setdefault(f[0], []).append((int(f[1]), int(f[2]), float(np.float32(f[3]))))
    return chroms, items


def check(path):
    chroms, items = load(path[:-3] + ".txt")
    bw = pyBigWig.open(path)
    assert bw.isBigWig() and bw.chroms() == chroms, bw.chroms()
    n = levels = stats = 0
    bases = total = 0.0
    for c, size in chroms.items():
        want = items.get(c)
        if want is None:
            continue
        got = bw.intervals(c)
        # pyBigWig shows positions as signed numbers of 32 bits.
        got = [(s % 2**32, e % 2**32, v) for s, e, v in got or ()]
        assert got == want, (c, got[:3], want[:3])
        n += len(want)
        bases += sum(e - s for s, e, _ in want)
        total += sum((e - s) * v for s, e, v in want)
        if size > 10_000_000:
            continue
        dense = np.full(size, np.nan)
        for s, e, v in want:
            dense[s:e] = v
        # Zoom levels answer these, by libBigWig's choice of level; exact ones do not use them.
        lo, hi = want[0][0], want[-1][1]
        exact = bw.stats(c, lo, hi, type="mean", exact=True)[0]
        near = bw.stats(c, lo, hi, type="mean")[0]
        truth = np.nanmean(dense[lo:hi])
        scale = np.nanmean(np.abs(dense[lo:hi])) + 1e-30
        assert abs(exact - truth) < 1e-5 * scale and abs(near - truth) < 1e-5 * scale, (c, exact, near, truth)
        # Bins of 16384 bp are whole records of every level that libBigWig takes for them.
        if size >= 16384 * 2:
            bins = size // 16384
            for kind, f in ("mean", np.nanmean), ("min", np.nanmin), ("max", np.nanmax):
                for i, v in enumerate(bw.stats(c, 0, bins * 16384, type=kind, nBins=bins)):
                    part = dense[i * 16384:(i + 1) * 16384]
                    if np.all(np.isnan(part)):
                        assert v is None, (c, kind, i, v)
                        continue
                    assert abs(v - f(part)) < 1e-5 * max(scale, abs(f(part))), (c, kind, i, v, f(part))
                    stats += 1
    head = bw.header()
    levels = head["nLevels"]
    assert head["version"] == 4 and head["nBasesCovered"] == int(bases), head
    # pyBigWig shows the sum as an integer.
    if abs(total) < 2**62:
        assert abs(head["sumData"] - total) <= 1 + 1e-6 * abs(total), (head, total)
    print(f"{os.path.basename(path)}: {len(chroms)} chromosomes, {n} intervals, {levels} zoom levels, {stats} binned statistics: same")


def make():
    """A file by libBigWig with all three kinds of sections and zoom levels."""
    rng = np.random.default_rng(7)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pybigwig")
    bw = pyBigWig.open(path + ".bw", "w")
    bw.addHeader([("chr2", 100000), ("chr1", 50000), ("chrM", 16569)], maxZooms=3)
    values = lambda n: [float(v) for v in np.round(rng.normal(size=n), 3)]
    bw.addEntries("chr2", 1000, values=values(300), span=20, step=25)
    starts = np.cumsum(rng.integers(10, 60, 200)) + 10000
    bw.addEntries("chr2", [int(s) for s in starts], values=values(200), span=10)
    starts = np.cumsum(rng.integers(0, 2, 300) * 40 + 30)
    ends = starts + rng.integers(1, 31, 300)
    bw.addEntries(["chr1"] * 300, [int(s) for s in starts], ends=[int(e) for e in ends], values=values(300))
    bw.close()
    bw = pyBigWig.open(path + ".bw")
    with open(path + ".txt", "w") as out:
        for c, size in bw.chroms().items():
            print(c, size, file=out)
        for c in bw.chroms():
            for s, e, v in bw.intervals(c) or ():
                print(c, s, e, np.format_float_positional(np.float32(v), unique=True, trim="-"), file=out)
        h = bw.header()
        print(h)


if sys.argv[1:] == ["make"]:
    make()
else:
    files = sorted(glob.glob(os.path.join(sys.argv[1], "*.bw")))
    assert files, "no .bw files in " + sys.argv[1]
    for path in files:
        check(path)
