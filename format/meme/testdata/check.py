#!/usr/bin/python3
"""Reads a file written by format/meme with Biopython's parser of the minimal format.

Needs Debian's python3-biopython. Run

    HEED_MEME_OUT=/tmp/out.meme go test -run TestPeer ./format/meme
    format/meme/testdata/check.py /tmp/out.meme
"""
import sys

from Bio import motifs

with open(sys.argv[1]) as f:
    record = motifs.parse(f, "minimal")
assert record.version == "5" and record.alphabet == "ACGT", (record.version, record.alphabet)
one, two = record
assert (one.name, one.length, one.num_occurrences, two.name, two.length) == ("one", 3, 20, "two", 1), (one, two)
assert one.evalue == 4.1e-9 and one.consensus[1] == "G" and two.consensus == "A", (one.evalue, one.consensus)
for letter, want in zip("ACGT", (.3, .2, .2, .3)):
    assert abs(one.background[letter] - want) < 1e-6, one.background
# Biopython turns probabilities into counts of so many sites.
for letter, row in zip("ACGT", ([.1, 0, 1 / 3], [.2, 0, 1 / 3], [.3, 1, 1 / 3], [.4, 0, 0])):
    for got, want in zip(one.pwm[letter], row):
        assert abs(got - want) < .5 / 20 + 1e-6, (letter, list(one.pwm[letter]), row)
print("Biopython reads the same")
