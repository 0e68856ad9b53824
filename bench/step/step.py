"""The peer of bench/step: one training step of the same network in PyTorch.

Reads a line, makes a step, writes its seconds. Tested with PyTorch 1.13.
"""
import sys
import time

import torch
from torch import nn

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(1)
S, L, D, H, F, V = 64, 252, 128, 4, 512, 8


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(V, D)
        self.position = nn.Parameter(torch.randn(L, D) * 0.1)
        layer = nn.TransformerEncoderLayer(D, H, F, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(D)
        self.classifier = nn.Linear(D, 2)

    def forward(self, tokens):
        x = self.layers(self.embed(tokens) + self.position)
        return self.classifier(self.norm(x[:, 0]))


model = Encoder()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
tokens = torch.randint(3, 7, (S, L))
tokens[:, 0] = 1
targets = torch.randint(0, 2, (S,))
for _ in sys.stdin:
    begin = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    nn.functional.cross_entropy(model(tokens), targets).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    print(time.perf_counter() - begin, flush=True)
