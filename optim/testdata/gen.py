"""Writes the goldens of package optim: python3 gen.py (PyTorch 1.13)."""
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "..", "internal", "golden"))
import golden
import torch
from golden import normal

STEPS = 5


def adamw(name, decay=0.0, limit=0.0, **options):
    """A matrix, which decays, and a vector, which does not, under AdamW. Out of
    it come both after every step, the moments, and the gradient's norm."""

    def fn(**c):
        w, b = (torch.nn.Parameter(c[k].clone()) for k in ("w", "b"))
        opt = torch.optim.AdamW([{"params": [w], "weight_decay": decay}, {"params": [b], "weight_decay": 0.0}], **options)
        out = {}
        for i in range(STEPS):
            w.grad, b.grad = c[f"gw.{i}"].clone(), c[f"gb.{i}"].clone()
            if limit:
                out[f"norm.{i}"] = torch.nn.utils.clip_grad_norm_([w, b], limit)
            for group in opt.param_groups:
                group["lr"] = float(c["rates"][i])
            opt.step()
            out[f"w.{i}"], out[f"b.{i}"] = w.detach().clone(), b.detach().clone()
        out["m.w"], out["v.w"] = opt.state[w]["exp_avg"], opt.state[w]["exp_avg_sq"]
        out["m.b"], out["v.b"] = opt.state[b]["exp_avg"], opt.state[b]["exp_avg_sq"]
        return out

    consts = {"w": normal(name + "w", 5, 7), "b": normal(name + "b", 9), "rates": [0.01, 0.02, 0.03, 0.02, 0.005]}
    for i in range(STEPS):
        # Large, so that the 1e-6 that PyTorch adds to the norm is below the rounding.
        consts[f"gw.{i}"], consts[f"gb.{i}"] = normal(f"{name}gw{i}", 5, 7, scale=8), normal(f"{name}gb{i}", 9, scale=8)
    return golden.case(name, fn, {}, None, consts)


golden.write(os.path.join(here, "adamw.json"), [
    adamw("defaults"),
    adamw("decay", decay=0.1),
    adamw("clipped", decay=0.01, limit=1.5),
    adamw("other moments", decay=0.01, betas=(0.8, 0.95), eps=1e-3),
])
