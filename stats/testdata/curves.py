"""Writes curves.json: fits of the USL and of the six shapes that the tests of package stats compare with.

    pip install scipy numpy
    python curves.py

Nothing here follows the Go code: everything is scipy's least_squares from a dense grid of starts, and the shapes have a
parameter for each run's own speed, where the Go code takes the speeds out first. Last run with scipy 1.17.1.
"""

import itertools
import json
import math

import numpy as np
from scipy.optimize import least_squares

knee = [
    [200, 840, 1405, 1760, 1835, 1790],
    [188, 880, 1330, 1850, 1760, 1835],
    [205, 815, 1440, 1705, 1810, 1745],
    [195, 905, 1365, 1800, 1870, 1815],
    [191, 850, 1420, 1835, 1785, 1850],
]
data = {
    "specsdm91": ([1, 18, 36, 72, 108, 144, 216], [[64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2]]),
    "knee": ([10, 50, 100, 200, 400, 800], knee),
    "knee, two runs": ([10, 50, 100, 200, 400, 800], knee[:2]),
}


def usl(p, x):
    return p[0] * x / (1 + p[1] * (x - 1) + p[2] * x * (x - 1))


def best(residuals, starts, bounds=(-np.inf, np.inf)):
    fits = []
    for s in starts:
        try:
            fits.append(least_squares(residuals, s, bounds=bounds, x_scale="jac", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=5000))
        except ValueError:
            pass
    return min(fits, key=lambda f: f.cost)


out = {"USL": [], "Shapes": []}
for name, (levels, runs) in data.items():
    x, y = np.array(levels, float), np.array(runs, float)
    starts = [[y[0, 0] / x[0], s, k] for s in (0.001, 0.01, 0.1) for k in (1e-6, 1e-5, 1e-4)]
    f = best(lambda p: (y - usl(p, x)).ravel(), starts, ([0, 0, 0], [np.inf, np.inf, np.inf]))
    out["USL"].append({"Name": name, "Levels": levels, "Runs": runs, "Gamma": f.x[0], "Sigma": f.x[1], "Kappa": f.x[2], "RSS": 2 * f.cost})

    z, lx = np.log(y), np.log(x)
    top, low = z.mean(axis=0).max(), z.mean(axis=0)[0] - lx[0]
    grid = list(np.linspace(lx[0] - 1, lx[-1] + 1, 12))
    shapes = {
        "flat": (lambda p: p[0] + 0 * lx, [[top]], 1),
        "linear": (lambda p: p[0] + lx, [[low]], 1),
        "hockey-stick": (lambda p: np.minimum(p[0] + lx, p[1]), [[top - g, top - d] for g in grid for d in (0, 0.02, 0.1)], 2),
        "hyperbola": (lambda p: p[0] + lx - np.logaddexp(lx, p[1]), [[top, g] for g in grid], 2),
        "hyperbola-with-cap": (
            lambda p: np.minimum(p[0] + lx - np.logaddexp(lx, p[1]), p[2]),
            [[top + c, g, top - d] for g in grid for c in (0, 0.1, 0.3, 0.6, 1, 2) for d in (0, 0.02, 0.05)], 3),
        "usl": (lambda p: np.log(usl(np.exp(p), x)), [[low, math.log(s), math.log(k)] for s in (0.001, 0.01, 0.1) for k in (1e-6, 1e-5, 1e-4)], 3),
    }
    fits = []
    for shape, (curve, starts, count) in shapes.items():
        m = len(runs) - 1  # own speeds, relative to the first run's
        def residuals(p):
            speeds = np.concatenate([[0], p[count:]])
            return (z - speeds[:, None] - curve(p[:count])[None, :]).ravel()
        f = best(residuals, [list(s) + [0] * m for s in starts])
        n, k, rss = z.size, count + 1 + m, 2 * f.cost
        if n - k - 1 < 1:
            continue
        fits.append({"name": shape, "rss": rss, "aicc": n * math.log(rss / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1)})
    fits.sort(key=lambda f: f["aicc"])
    out["Shapes"].append({"Name": name, "Levels": levels, "Runs": runs, "Fits": fits})

with open("curves.json", "w") as f:
    json.dump(out, f, indent=1)
    f.write("\n")
