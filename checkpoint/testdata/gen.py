"""Writes types.safetensors from the description of the format alone, with
struct and json: every type that package checkpoint reads, tensors named in
another order than that of their values, a header that ends in spaces."""
import json
import os
import struct

arrays = [  # name, dtype, shape, bytes
    ("f64", "F64", [2], struct.pack("<2d", 0.1, -1e300)),
    ("f32", "F32", [2, 2], struct.pack("<4f", 1.5, -0.0, 3e38, 1e-45)),
    ("f16", "F16", [4], struct.pack("<4e", 1.5, -2.0**-24, 65504, float("inf"))),
    ("bf16", "BF16", [2], b"".join(struct.pack("<f", v)[2:] for v in (1.5, -2.0**100))),
    ("i64", "I64", [2], struct.pack("<2q", -(2**63), 2**63 - 1)),
    ("u64", "U64", [2], struct.pack("<2Q", 0, 2**64 - 1)),
    ("i32", "I32", [1], struct.pack("<i", -5)),
    ("u32", "U32", [1], struct.pack("<I", 2**32 - 1)),
    ("i16", "I16", [1], struct.pack("<h", -6)),
    ("u16", "U16", [1], struct.pack("<H", 2**16 - 1)),
    ("i8", "I8", [1], struct.pack("<b", -7)),
    ("u8", "U8", [3], b"\x00\x7f\xff"),
    ("bool", "BOOL", [], b"\x01"),
    ("none", "F32", [3, 0], b""),
]
header, values = {}, b""
for name, dtype, shape, data in arrays:
    header[name] = {"shape": shape, "data_offsets": [len(values), len(values) + len(data)], "dtype": dtype}
    values += data
header = dict(sorted(header.items()))
header["__metadata__"] = {"by": "gen.py"}
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "types.safetensors"), "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + values)
