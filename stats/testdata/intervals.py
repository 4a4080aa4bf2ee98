"""Writes intervals.json, the intervals that the tests of package stats compare with.

    pip install scipy numpy
    python intervals.py

Nothing here follows the Go code: bounds are scipy's own where it has them, ranks come from its binomial distribution, and
the bootstrap goes through all n^n ordered resamples, in integers.
Last run with scipy 1.17.1, numpy 2.4.6.
"""

import itertools
import json
import math

import numpy as np
from scipy import stats


def bootstrap(x, tail):
    """Of samples that are whole thousandths: sums are exact, so equal means are equal."""
    n = len(x)
    whole = [round(1000 * v) for v in x]
    sums = sorted(map(sum, itertools.product(whole, repeat=n)))
    i = math.ceil(tail * len(sums)) - 1
    return [sums[i] / 1000 / n, sums[-1 - i] / 1000 / n]


def spread(x, tail):
    nu = len(x) - 1
    s = np.std(x, ddof=1)
    return [s, s * math.sqrt(nu / stats.chi2.isf(tail, nu)), s * math.sqrt(nu / stats.chi2.ppf(tail, nu))]


def write_sample(x, confidence):
    n, tail, logs = len(x), (1 - confidence) / 2, np.log(x)
    low, high = stats.t.interval(confidence, n - 1, loc=np.mean(logs), scale=stats.sem(logs))
    case = {"x": x, "confidence": confidence,
            "log_mean": [stats.gmean(x), math.exp(low), math.exp(high)],
            "sd": spread(x, tail), "log_sd": spread(logs, tail)}
    if n <= 6:
        case["bootstrap"] = bootstrap(x, tail)
    return case


def ranks(n, p, confidence):
    """The innermost ranks with at most half of 1 - confidence beyond on either side; null where there is none."""
    tail, b = (1 - confidence) / 2, stats.binom(n, p)
    low = max((r for r in range(1, n + 1) if b.cdf(r - 1) <= tail), default=None)
    high = min((r for r in range(1, n + 1) if b.sf(r - 1) <= tail), default=None)
    coverage = 0 if low is None and high is None else (
        1 - (0 if low is None else b.cdf(low - 1)) - (0 if high is None else b.sf(high - 1)))
    return {"n": n, "p": p, "confidence": confidence, "low": low, "high": high, "coverage": coverage}


def proportion(k, n, confidence):
    test, tail = stats.binomtest(k, n), (1 - confidence) / 2
    # By beta, because binomtest's own exact interval is solved to 2e-12 only; they agree to that.
    exact = [stats.beta.ppf(tail, k, n - k + 1) if k > 0 else 0, stats.beta.isf(tail, k + 1, n - k) if k < n else 1]
    assert np.allclose(exact, test.proportion_ci(confidence, "exact"), rtol=0, atol=1e-11)
    return {"successes": k, "trials": n, "confidence": confidence,
            "clopper_pearson": exact,
            "wilson": list(test.proportion_ci(confidence, "wilson"))}


def main():
    rng = np.random.default_rng(3)
    cases = {"samples": [], "ranks": [], "proportions": []}
    for n in [2, 3, 4, 5, 6, 10, 100]:
        x = np.round(np.exp(rng.normal(3, 0.4, n)), 3).tolist()
        if n == 6:
            x[2:4] = [x[2], x[2]]  # a tie
        for confidence in [0.9, 0.95, 0.99]:
            cases["samples"].append(write_sample(x, confidence))
    for n in [1, 2, 5, 6, 10, 11, 64, 100, 368, 1000, 3000]:
        for p in [0.01, 0.25, 0.5, 0.9, 0.99, 0.999]:
            for confidence in [0.9, 0.95, 0.99]:
                cases["ranks"].append(ranks(n, p, confidence))
    for k, n in [(0, 1), (1, 1), (0, 10), (1, 10), (5, 10), (10, 10), (97, 100), (1, 1000), (999, 1000), (1000, 1000),
                 (99_990, 100_000), (999_999, 1_000_000)]:
        for confidence in [0.9, 0.95, 0.99]:
            cases["proportions"].append(proportion(k, n, confidence))
    lines = (f'"{name}": [\n' + ",\n".join(json.dumps(c) for c in rows) + "\n]" for name, rows in cases.items())
    with open("intervals.json", "w") as f:
        f.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
