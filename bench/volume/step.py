"""The peer of main.go: python3 step.py THREADS EDGE BATCH. Answers each line of
its input by the seconds of one training step."""
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

threads, edge, batch = (int(a) for a in sys.argv[1:4])
torch.set_num_threads(threads)
torch.manual_seed(1)
dim, heads, ffn, stem = 48, 4, 96, [16, 48]


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.n1, self.c1 = nn.GroupNorm(4, c), nn.Conv3d(c, c, 3, padding=1)
        self.n2, self.c2 = nn.GroupNorm(4, c), nn.Conv3d(c, c, 3, padding=1)

    def forward(self, x):
        return x + self.c2(F.gelu(self.n2(self.c1(F.gelu(self.n1(x))))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        stages, c = [], 1
        for o in stem:
            stages.append(nn.Sequential(nn.Conv3d(c, o, 3, 2, 1), nn.GroupNorm(4, o), Block(o), nn.GELU()))
            c = o
        self.stem = nn.Sequential(*stages)
        n = (edge // 4) ** 3
        self.register_buffer("pos", torch.randn(1, n, dim))
        self.cls = nn.Parameter(torch.randn(1, 1, dim))
        layer = nn.TransformerEncoderLayer(dim, heads, ffn, 0.1, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2)
        self.norm, self.out, self.drop = nn.LayerNorm(dim), nn.Linear(dim, 2), nn.Dropout(0.1)

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2) + self.pos
        x = self.drop(torch.cat([self.cls.expand(len(x), -1, -1), x], 1))
        return self.out(self.drop(self.norm(self.layers(x))[:, 0]))


net = Net()
opt = torch.optim.AdamW(net.parameters(), 1e-4, weight_decay=0.01)
x, y = torch.randn(batch, 1, edge, edge, edge), torch.zeros(batch, dtype=torch.long)


def step():
    opt.zero_grad(set_to_none=True)
    F.cross_entropy(net(x), y).backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1)
    opt.step()


print(sum(p.numel() for p in net.parameters()), flush=True)
for _ in sys.stdin:
    begin = time.perf_counter()
    step()
    print(time.perf_counter() - begin, flush=True)
