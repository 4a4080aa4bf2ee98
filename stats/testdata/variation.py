"""Writes variation.json: vectors for variance components, Stein's n, MSER-5, ramps, batch means, drift and trends.

    pip install scipy numpy
    python variation.py

Regressions, t quantiles and the exact Kendall test without ties are scipy's; with ties every order is enumerated. Variances are
numpy's. Nothing here follows the Go code. Last run with scipy 1.17.1.
"""

import itertools
import json
import math

import numpy as np
from scipy import stats


def t975(df):
    return stats.t.isf(0.025, df)


def interval(estimate, half):
    return [float(estimate), float(estimate - half), float(estimate + half)]


def components(rng, shape):
    x = rng.normal(100, 5, shape[:1] + (1,) * (len(shape) - 1)) + rng.normal(0, 2, shape[:-1] + (1,)) + rng.normal(0, 4, shape)
    x = np.round(x, 3)
    s2, means = [], x
    while means.ndim:
        s2.insert(0, float(np.mean(np.var(means, axis=-1, ddof=1))))
        means = means.mean(axis=-1)
    outer = x.reshape(shape[0], -1).mean(axis=1)
    half = t975(shape[0] - 1) * outer.std(ddof=1) / math.sqrt(shape[0])
    return {"x": x.tolist(), "s2": s2, "mean": interval(outer.mean(), half)}


def stein(rng, n, half):
    x = np.round(rng.normal(100, 8, n), 2)
    return {"x": x.tolist(), "half_width": half, "exact": float((t975(n - 1) * x.std(ddof=1) / half) ** 2)}


def mser(rng, k, warmup):
    x = np.round(rng.normal(10, 1, 5 * k) + 6 * np.exp(-np.arange(5 * k) / warmup), 3)
    z = x.reshape(k, 5).mean(axis=1)
    scores = [float(np.sum((z[d:] - z[d:].mean()) ** 2) / (k - d) ** 2) for d in range(k // 2 + 1)]
    return {"x": x.tolist(), "cut": int(np.argmin(scores))}


def ramp(rng, n, rise):
    x = np.round(rng.normal(10, 1, n) + rise * np.arange(n) / n, 3)
    fit = stats.linregress(np.arange(10), x.reshape(10, -1).mean(axis=1))
    return {"x": x.tolist(), "ramp": interval(10 * fit.slope, 10 * fit.stderr * t975(8))}


def batches(rng, concurrency, b, size):
    waves = np.repeat(rng.normal(0, 1, b * size // concurrency + 1), concurrency)[: b * size]
    x = np.round(10 + waves + rng.normal(0, 0.5, b * size), 3)
    means = x.reshape(b, size).mean(axis=1)
    half = t975(b - 1) * means.std(ddof=1) / math.sqrt(b)
    ess = min(len(x), x.var(ddof=1) / (means.var(ddof=1) / b))
    return {"x": x.tolist(), "concurrency": concurrency, "batches": b, "mean": interval(x.mean(), half), "ess": float(ess)}


def drift(rng, n):
    y = np.round(np.exp(rng.normal(7, 0.03, (n, 4)) + np.array([0, 0.5, 1, 1.2])), 1)
    fit = stats.linregress(np.arange(n), np.log(y).mean(axis=1))
    return {"y": y.tolist(), "total": interval(fit.slope * (n - 1), fit.stderr * (n - 1) * t975(n - 2))}


def score(x):
    return int(sum(np.sign(b - a) for a, b in itertools.combinations(x, 2)))


def kendall(x):
    s = score(x)
    if len(set(x)) == len(x):
        p = float(stats.kendalltau(range(len(x)), x, method="exact").pvalue)
    else:  # every order, distinct or not, is as likely
        all_orders = [abs(score(order)) for order in itertools.permutations(x)]
        p = sum(v >= abs(s) for v in all_orders) / len(all_orders)
    return {"x": [float(v) for v in x], "s": s, "p": p}


def kendall_normal(x):
    n, (_, ties) = len(x), np.unique(x, return_counts=True)
    variance = float(n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    s = score(x)
    z = (s - np.sign(s)) / math.sqrt(variance)
    return {"x": [float(v) for v in x], "s": s, "p": float(2 * stats.norm.sf(abs(z)))}


if __name__ == "__main__":
    rng = np.random.default_rng(5)
    out = {
        "components": [components(rng, shape) for shape in [(3, 2, 2), (5, 3, 4), (2, 4, 3)]],
        "components_two": [components(rng, shape) for shape in [(2, 2), (6, 3)]],
        "stein": [stein(rng, n, half) for n, half in [(2, 40.0), (5, 4.0), (10, 1.5)]],
        "mser": [mser(rng, k, warmup) for k, warmup in [(10, 4.0), (21, 12.0), (40, 2.0), (40, 60.0)]],
        "ramp": [ramp(rng, n, rise) for n, rise in [(10, 0.0), (50, 0.0), (100, 2.0)]],
        "batches": [batches(rng, *c) for c in [(1, 10, 6), (4, 5, 8), (8, 10, 20), (3, 7, 6)]],
        "drift": [drift(rng, n) for n in [3, 4, 5, 10]],
        "kendall": [kendall(x) for x in [
            [1, 2, 3, 4, 5], [5, 3, 4, 2, 1], [2, 1, 2, 3, 3], [1, 1, 1, 1, 2], [4, 1, 1, 3, 2, 4, 5], [1, 2, 2, 2, 3, 5, 4, 5],
            rng.permutation(9).tolist(), rng.permutation(20).tolist(), (np.arange(20) + rng.normal(0, 6, 20)).round(2).tolist()]],
        "kendall_normal": [kendall_normal(x) for x in [
            (np.arange(21) + rng.normal(0, 9, 21)).round(1).tolist(), rng.integers(0, 6, 40).tolist()]],
    }
    with open("variation.json", "w") as f:
        f.write("{\n" + ",\n".join(f'"{name}": [\n' + ",\n".join(map(json.dumps, cases)) + "\n]" for name, cases in out.items()) + "\n}\n")
