#!/usr/bin/python3
"""Writes golden.json: metrics of random data with ties, by scikit-learn and SciPy.

    /usr/bin/python3 gen.py > golden.json
"""
import json
import sys

import numpy as np
import scipy.stats
import sklearn
from sklearn import metrics

rng = np.random.default_rng(20240607)


def ece(y, s, bins=15):
    k = np.minimum((s * bins).astype(int), bins - 1)
    return float(sum((k == b).sum() * abs(s[k == b].mean() - y[k == b].mean())
                     for b in range(bins) if (k == b).any()) / len(s))


def binary(n, prevalence, decimals, shift):
    y = (rng.random(n) < prevalence).astype(int)
    y[0], y[1] = 0, 1
    s = 1 / (1 + np.exp(-(rng.normal(size=n) + shift * (2 * y - 1))))
    s = np.round(s, decimals)
    call = (s >= 0.5).astype(int)
    tn, fp, fn, tp = metrics.confusion_matrix(y, call, labels=[0, 1]).ravel()
    fpr, tpr, thr = metrics.roc_curve(y, s, drop_intermediate=False)
    # sklearn orders recall downwards and appends recall 0 with precision 1.
    prec, rec, pthr = metrics.precision_recall_curve(y, s)
    best = max(((metrics.matthews_corrcoef(y, (s >= t).astype(int)), t) for t in np.unique(s)))
    return {
        "scores": s.tolist(), "labels": y.tolist(),
        "confusion": [int(tp), int(fp), int(tn), int(fn)],
        "sn": metrics.recall_score(y, call), "sp": metrics.recall_score(1 - y, 1 - call),
        "precision": metrics.precision_score(y, call), "accuracy": metrics.accuracy_score(y, call),
        "f1": metrics.f1_score(y, call), "mcc": metrics.matthews_corrcoef(y, call),
        "auroc": metrics.roc_auc_score(y, s), "auprc": metrics.average_precision_score(y, s),
        "brier": metrics.brier_score_loss(y, s), "ece": ece(y, s),
        "roc_fpr": fpr.tolist(), "roc_tpr": tpr.tolist(), "roc_thr": thr.tolist()[1:],
        "pr_recall": rec.tolist()[:-1][::-1], "pr_precision": prec.tolist()[:-1][::-1], "pr_thr": pthr.tolist()[::-1],
        "sn_at_sp90": max(t for f, t in zip(fpr, tpr) if 1 - f >= 0.9 - 1e-12),
        "best_mcc": best[0],
    }


def multi(n, classes):
    t = rng.integers(0, classes, n)
    p = np.where(rng.random(n) < 0.6, t, rng.integers(0, classes, n))
    m = metrics.confusion_matrix(t, p, labels=range(classes))
    return {
        "truth": t.tolist(), "predicted": p.tolist(), "classes": classes, "matrix": m.tolist(),
        "accuracy": metrics.accuracy_score(t, p), "macro_f1": metrics.f1_score(t, p, average="macro"),
        "mcc": metrics.matthews_corrcoef(t, p),
        "recall": metrics.recall_score(t, p, average=None).tolist(),
        "precision": metrics.precision_score(t, p, average=None).tolist(),
        "f1": metrics.f1_score(t, p, average=None).tolist(),
    }


def pairs(n, decimals):
    x = np.round(rng.normal(size=n), decimals)
    y = np.round(x + rng.normal(size=n), decimals)
    return {"x": x.tolist(), "y": y.tolist(), "pearson": scipy.stats.pearsonr(x, y)[0],
            "spearman": scipy.stats.spearmanr(x, y)[0]}


def wilson(k, n):
    i = scipy.stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    return {"k": k, "n": n, "low": i.low, "high": i.high}


json.dump({
    "versions": {"sklearn": sklearn.__version__, "numpy": np.__version__, "scipy": scipy.__version__},
    "binary": [binary(200, 0.5, 2, 0.7), binary(150, 0.1, 1, 0.5), binary(60, 0.3, 6, 0.0), binary(40, 0.5, 1, -0.8)],
    "multi": [multi(300, 3), multi(120, 5), multi(80, 2)],
    "pairs": [pairs(50, 1), pairs(80, 6)],
    "wilson": [wilson(0, 10), wilson(10, 10), wilson(4, 106), wilson(102, 106), wilson(500, 1000)],
}, sys.stdout, indent=0)
sys.stdout.write("\n")
