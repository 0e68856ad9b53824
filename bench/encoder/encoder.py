"""The PyTorch side of bench/encoder: ESM-2 written from its paper, over the weights
that main.go wrote. Each line of the standard input is answered by the seconds of
one forward pass. It writes the logits to a file, and the graph for ONNX Runtime if
a name for it is given."""
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

weights, layers, dim, heads, ids, threads, out, graph = sys.argv[1:9]
LAYERS, D, H = int(layers), int(dim), int(heads)
torch.set_num_threads(int(threads))
values = np.fromfile(weights, dtype="<f4")
at = 0


def take(*shape):
    global at
    n = int(np.prod(shape))
    x = torch.from_numpy(values[at:at + n].reshape(shape).copy())
    at += n
    return x


def linear(i, o):
    m = nn.Linear(i, o)
    m.weight.data, m.bias.data = take(o, i), take(o)
    return m


def norm():
    m = nn.LayerNorm(D, eps=1e-5)
    m.weight.data, m.bias.data = take(D), take(D)
    return m


class Layer(nn.Module):
    def __init__(self, length):
        super().__init__()
        self.norm1 = norm()
        q, k, v = linear(D, D), linear(D, D), linear(D, D)
        self.qkv = nn.Linear(D, 3 * D)  # one product, which is the faster way
        self.qkv.weight.data = torch.cat([q.weight.data, k.weight.data, v.weight.data])
        self.qkv.bias.data = torch.cat([q.bias.data, k.bias.data, v.bias.data])
        angle = torch.arange(length)[:, None] * take(D // H // 2)[None]
        self.register_buffer("cos", torch.cat([angle, angle], -1).cos())
        self.register_buffer("sin", torch.cat([angle, angle], -1).sin())
        self.out = linear(D, D)
        self.norm2 = norm()
        self.up, self.down = linear(D, 4 * D), linear(4 * D, D)

    def turn(self, x):
        a, b = x.chunk(2, -1)
        return x * self.cos + torch.cat([-b, a], -1) * self.sin

    def forward(self, x):
        n = x.shape[0]
        q, k, v = self.qkv(self.norm1(x)).view(n, 3, H, D // H).permute(1, 2, 0, 3).unbind(0)
        q, k = self.turn(q * (D // H) ** -0.5), self.turn(k)
        p = torch.softmax(q @ k.transpose(1, 2), -1)
        x = x + self.out((p @ v).transpose(0, 1).reshape(n, D))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Encoder(nn.Module):
    def __init__(self, length):
        super().__init__()
        self.embed = nn.Parameter(take(33, D))
        self.layers = nn.ModuleList(Layer(length) for _ in range(LAYERS))
        self.norm = norm()
        self.dense, self.dense_norm = linear(D, D), norm()
        self.bias = nn.Parameter(take(33))

    def forward(self, tokens):
        x = F.embedding(tokens, self.embed) * 0.88  # there are no masks
        for layer in self.layers:
            x = layer(x)
        x = self.dense_norm(F.gelu(self.dense(self.norm(x))))
        return F.linear(x, self.embed, self.bias)


tokens = torch.tensor([int(i) for i in ids.split(",")])
model = Encoder(len(tokens)).eval()
assert at == len(values)
if graph:
    torch.onnx.export(model, (tokens,), graph, opset_version=17, do_constant_folding=True, input_names=["tokens"], output_names=["logits"])
with torch.inference_mode():
    model(tokens).numpy().astype("<f4").tofile(out)
    for _ in sys.stdin:
        begin = time.perf_counter()
        model(tokens)
        print(time.perf_counter() - begin, flush=True)
