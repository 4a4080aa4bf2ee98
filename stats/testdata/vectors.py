"""Writes the vectors that the tests of package stats compare with.

    pip install mpmath scipy numpy
    python vectors.py

Nothing here follows the Go code: t quantiles are solved in 60-digit arithmetic and agree with scipy's, quantiles and
intervals are numpy's and scipy's own, and the knee is a second implementation of the rule, from its definition.
Last run with mpmath 1.4.1, scipy 1.17.1.
"""

import csv
import json
import math

import mpmath as mp
import numpy as np
from scipy import stats

mp.mp.dps = 60


def upper(t, df):
    return mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2


def t_quantile(tail, df):
    """Bisection to get near, then Newton; the argument is the float64 itself, not the decimal it was written as."""
    tail, df = mp.mpf(tail), mp.mpf(df)
    low, high = mp.mpf(0), mp.mpf(1)
    while upper(high, df) > tail:
        low, high = high, 2 * high
    for _ in range(14):
        middle = (low + high) / 2
        if upper(middle, df) > tail:
            low = middle
        else:
            high = middle
    t = (low + high) / 2
    for _ in range(12):
        log_density = (mp.loggamma((df + 1) / 2) - mp.loggamma(df / 2) - mp.log(df * mp.pi) / 2
                       - (df + 1) / 2 * mp.log1p(t * t / df))
        t += (upper(t, df) - tail) / mp.exp(log_density)
    assert abs(upper(t, df) / tail - 1) < mp.mpf(10) ** -30
    return t


def write_student():
    dfs = [1, 1.5, 2, 2.7, 3, 4, 5, 7.87191211498876, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 1e5, 1e6]
    tails = [0.4999, 0.49, 0.4, 0.25, 0.1, 0.05, 0.025, 0.02, 0.005, 0.001, 1e-4, 1e-6, 1e-8, 1e-10, 1e-15]
    with open("student_t.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["df", "tail", "t"])
        for df in dfs:
            for tail in tails:
                t = t_quantile(tail, df)
                if 1e-10 <= tail <= 0.4:  # the range in which scipy is good enough to vouch for this
                    assert abs(stats.t.isf(tail, df) / float(t) - 1) < 1e-9, (df, tail)
                out.writerow([repr(float(df)), repr(tail), mp.nstr(t, 20)])


def write_samples(rng):
    """Samples with numpy's type 7 quantiles and scipy's t interval."""
    ps = [0, 0.01, 0.1, 0.25, 1 / 3, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1]
    cases = []
    for n in [2, 3, 4, 5, 10, 11, 100]:
        x = np.round(np.exp(rng.normal(4, 0.5, n)), 3)
        if n == 10:
            x[3:7] = x[3]  # ties
        for confidence in [0.9, 0.95, 0.99]:
            low, high = stats.t.interval(confidence, n - 1, loc=np.mean(x), scale=stats.sem(x))
            cases.append({"x": x.tolist(), "p": ps, "quantiles": np.quantile(x, ps).tolist(),
                          "confidence": confidence, "low": float(low), "high": float(high)})
    with open("samples.json", "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


def t_statistic(d):
    n = len(d)
    return np.mean(d) * math.sqrt(n) / np.std(d, ddof=1)


def knee(levels, runs):
    z = np.log(np.array(runs))
    n, m = z.shape
    share = math.log(0.95)
    peaks = [int(np.argmax(np.delete(z, i, 0).mean(0))) for i in range(n)]
    lower = [t_statistic([z[i, j] - z[i, peaks[i]] - share for i in range(n)])
             if any(p != j for p in peaks) else math.inf for j in range(m)]
    upper_end = [min((t_statistic(z[:, j] - z[:, k] - share) for k in range(j + 1, m)), default=math.inf) for j in range(m)]
    a = -1
    while a + 1 < m and lower[a + 1] < -stats.t.isf(0.02, n - 1):
        a += 1
    b = next(j for j in range(m) if upper_end[j] > stats.t.isf(0.05, n - 1))
    a = min(a, b - 1)
    worse = stats.t.isf(0.05 / (m - 1), n - 1)
    peak = [levels[j] for j in range(m)
            if not any(k != j and t_statistic(z[:, k] - z[:, j]) > worse for k in range(m))]
    if a >= 0 and b < m - 1:
        answer = f"({levels[a]}, {levels[b]}]"
    elif a >= 0:
        answer = f"> {levels[a]}, saturation not shown"
    elif b < m - 1:
        answer = f"≤ {levels[b]}"
    else:
        answer = "not resolved"
    finite = lambda ts: [t if math.isfinite(t) else "Infinity" for t in map(float, ts)]
    return {"levels": levels, "runs": runs, "answer": answer, "peak": peak, "below": finite(lower), "reaches": finite(upper_end)}


def write_knee(rng):
    """Tables of several shapes and noises, each with the answer of the rule."""
    shapes = {
        "cap": lambda c: np.minimum(c, 200) * 9,
        "hyperbola": lambda c: 2000 * c / (c + 60),
        "linear": lambda c: c * 5,
        "flat": lambda c: 0 * c + 1500,
        "retrograde": lambda c: 20 * c / (1 + 0.004 * c + 0.00001 * c * c),
    }
    cases = []
    for name, shape in shapes.items():
        for cov in [0.005, 0.02, 0.08]:
            for n in [3, 5]:
                levels = [10, 50, 100, 200, 400, 800][: 6 if n == 5 else 4]
                y = shape(np.array(levels, float)) * np.exp(rng.normal(0, cov, (n, len(levels)))
                                                            + rng.normal(0, cov, (n, 1)))
                runs = np.round(y, 2).tolist()
                cases.append({"shape": name, **knee(levels, runs)})
    with open("knee.json", "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]\n")


if __name__ == "__main__":
    write_student()
    write_samples(np.random.default_rng(1))
    write_knee(np.random.default_rng(2))
