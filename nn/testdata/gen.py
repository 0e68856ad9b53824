"""Writes the goldens of package nn: python3 gen.py (PyTorch 1.13)."""
import os

from layers import attention, attention_shapes, axial_layer, axial_shapes, case, encoder_layer, encoder_shapes, parameters  # first: it finds golden
import golden

here = os.path.dirname(os.path.abspath(__file__))
D, FFN, HEADS, LENGTHS = 16, 24, 4, [7, 1, 4]


def layer(name, fn, shapes, rotary=0):
    def inputs(seed):
        return {"x": golden.normal(seed, sum(LENGTHS), D), **parameters(seed, shapes)}

    return case(name, lambda x, heads, lengths, rotary, **p: fn(p, x, heads, lengths, rotary),
                inputs, {"heads": HEADS, "lengths": LENGTHS, "rotary": rotary})


RELATIVE = (HEADS, 7)  # offsets beyond 3 share a bias
golden.write(os.path.join(here, "attention.json"), [
    layer("attention/plain", attention, attention_shapes(D)),
    layer("attention/rotary", attention, attention_shapes(D), rotary=1),
    layer("attention/relative", attention, attention_shapes(D, RELATIVE)),
])
golden.write(os.path.join(here, "encoder.json"), [
    layer("encoder/plain", encoder_layer, encoder_shapes(D, FFN)),
    layer("encoder/rotary", encoder_layer, encoder_shapes(D, FFN), rotary=1),
])


def axial(name, rows, columns, tied, pad=(0, 0), bias=None):
    def inputs(seed):
        return {"x": golden.normal(seed, rows * columns, 8), **parameters(seed, axial_shapes(8, 12, bias))}

    return case(name, lambda x, heads, rows, columns, tied, pad_rows, pad_columns, **p: axial_layer(p, x, heads, rows, columns, tied, pad_rows, pad_columns),
                inputs, {"heads": 2, "rows": rows, "columns": columns, "tied": tied, "pad_rows": pad[0], "pad_columns": pad[1]})


golden.write(os.path.join(here, "axial.json"), [
    axial("axial/untied", 3, 5, 0),
    axial("axial/tied", 4, 5, 1),
    axial("axial/tied padded bias", 4, 6, 1, (1, 2), (2, 6, 6)),
    axial("axial/untied padded bias", 3, 5, 0, (1, 1), (2, 5, 5)),
])
