"""Writes the samples of this folder. It needs Python's standard library alone:
PyTorch's file is a pickle that names functions of PyTorch, and those names can
be had from modules made up on the spot. Run it in this folder."""
import collections, io, pickle, struct, sys, types, zipfile

utils, torch = types.ModuleType("torch._utils"), types.ModuleType("torch")
argparse_like = types.ModuleType("fairseq.config")


class Namespace:
    pass


Namespace.__module__, Namespace.__qualname__ = "fairseq.config", "Namespace"
argparse_like.Namespace = Namespace


def _rebuild_tensor_v2(*args):
    raise NotImplementedError


_rebuild_tensor_v2.__module__ = "torch._utils"
utils._rebuild_tensor_v2 = _rebuild_tensor_v2
for name in "Float Half BFloat16 Double Long".split():
    cls = type(name + "Storage", (), {"__module__": "torch"})
    setattr(torch, name + "Storage", cls)
sys.modules.update({"torch": torch, "torch._utils": utils, "fairseq": argparse_like, "fairseq.config": argparse_like})


class Storage:
    def __init__(self, kind, key, raw, count):
        self.kind, self.key, self.raw, self.count = kind, key, raw, count


class Tensor:
    def __init__(self, storage, offset, shape, stride):
        self.args = (storage, offset, shape, stride, False, collections.OrderedDict())

    def __reduce__(self):
        return utils._rebuild_tensor_v2, self.args


def pickler(out, legacy):
    class P(pickle.Pickler):
        def persistent_id(self, obj):
            if isinstance(obj, Storage):
                storages[obj.key] = obj
                id = ("storage", getattr(torch, obj.kind + "Storage"), obj.key, "cpu", obj.count)
                return id + (None,) if legacy else id

    storages = {}
    return P(out, protocol=2), storages


def bf16(v):
    return struct.unpack("<I", struct.pack("<f", v))[0] >> 16


values = [float(i) / 4 - 1 for i in range(12)]
single = Storage("Float", "0", struct.pack("<12f", *values), 12)
half = Storage("Half", "1", struct.pack("<6e", *values[:6]), 6)
brain = Storage("BFloat16", "2", struct.pack("<6H", *map(bf16, values[:6])), 6)
double = Storage("Double", "3", struct.pack("<2d", 0.1, -1e300), 2)
whole = Storage("Long", "4", struct.pack("<2q", 7, -7), 2)

config = Namespace()
config.encoder_layers, config.rate, config.name, config.flag = 2, 0.5, "tiny", True
model = collections.OrderedDict()
model["whole"] = Tensor(single, 0, (3, 4), (4, 1))
model["transposed"] = Tensor(single, 0, (4, 3), (1, 4))
model["column"] = Tensor(single, 1, (3,), (4,))
model["scalar"] = Tensor(single, 5, (), ())
model["empty"] = Tensor(single, 12, (0, 4), (4, 1))
model["half"] = Tensor(half, 0, (2, 3), (3, 1))
model["brain"] = Tensor(brain, 0, (6,), (1,))
model["double"] = Tensor(double, 0, (2,), (1,))
model["long"] = Tensor(whole, 0, (2,), (1,))
model._metadata = collections.OrderedDict(version=1)
root = {"args": config, "model": model, "epoch": -3, "big": 1 << 40, "list": [1, (2.5, None)], "set": {"a"}}

out = io.BytesIO()
p, storages = pickler(out, False)
p.dump(root)
with zipfile.ZipFile("sample.pt", "w", zipfile.ZIP_STORED) as z:
    def add(name, data):
        z.writestr(zipfile.ZipInfo("sample/" + name), data)
    add("data.pkl", out.getvalue())
    add("byteorder", b"little")
    for key, s in storages.items():
        add("data/" + key, s.raw)
    add("version", b"3\n")

with open("legacy.pt", "wb") as f:
    pickle.dump(0x1950A86A20F9469CFC6C, f, protocol=2)
    pickle.dump(1001, f, protocol=2)
    pickle.dump({"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}, f, protocol=2)
    p, storages = pickler(f, True)
    p.dump(root)
    keys = sorted(storages)
    pickle.dump(keys, f, protocol=2)
    for key in keys:
        f.write(struct.pack("<q", storages[key].count) + storages[key].raw)
