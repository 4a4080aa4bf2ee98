"""Writes comparison.json, the vectors that the tests of comparisons compare with.

    pip install scipy numpy
    python comparison.py

Nothing here follows the Go code: tests and their p values are scipy's own, the exact ones by its enumeration of all
arrangements, Fieller's bounds are found as roots of the t statistic and not by solving the quadratic, those of Hedges' g
as roots of scipy's noncentral t, and the numbers of runs by counting up from two.
Last run with scipy 1.17.1, numpy 2.
"""

import itertools
import json
import math

import numpy as np
from scipy import optimize, stats

NODES, WEIGHTS = np.polynomial.legendre.leggauss(120)


def t_test(r):
    ci95, ci90 = r.confidence_interval(0.95), r.confidence_interval(0.90)
    return {"t": r.statistic, "df": r.df, "p": r.pvalue, "low95": ci95.low, "high95": ci95.high,
            "low90": ci90.low, "high90": ci90.high}


def fieller(a, b):
    va, vb = np.var(a, ddof=1) / len(a), np.var(b, ddof=1) / len(b)
    r = np.mean(b) / np.mean(a)
    df = (vb + r * r * va) ** 2 / (vb**2 / (len(b) - 1) + (r * r * va) ** 2 / (len(a) - 1))
    t = stats.t.isf(0.025, df)
    f = lambda x: abs(np.mean(b) - x * np.mean(a)) / math.sqrt(vb + x * x * va) - t
    return {"ratio": r, "df": df, "low": optimize.brentq(f, 0, r, xtol=1e-15, rtol=1e-14),
            "high": optimize.brentq(f, r, 10 * r, xtol=1e-15, rtol=1e-14)}


def outward(f, start, step):
    """The root of f next to start in the direction of step; a wide bracket would meet NaN in scipy's nct."""
    end = start
    while f(end) * f(end + step) > 0:
        end += step
    return optimize.brentq(f, *sorted([end, end + step]), xtol=1e-14)


def hedges(a, b):
    df = len(a) + len(b) - 2
    pooled = math.sqrt(((len(a) - 1) * np.var(a, ddof=1) + (len(b) - 1) * np.var(b, ddof=1)) / df)
    root = math.sqrt(1 / len(a) + 1 / len(b))
    d = (np.mean(b) - np.mean(a)) / pooled
    j = math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)
    t = d / root
    low = outward(lambda c: stats.nct.sf(t, df, c) - 0.025, t, -0.5)
    high = outward(lambda c: stats.nct.cdf(t, df, c) - 0.025, t, 0.5)
    return {"g": j * d, "low": low * root, "high": high * root}


def mann_whitney(a, b):
    """All arrangements of the midranks."""
    ranks = 2 * stats.rankdata(np.concatenate([a, b]))
    centre = len(a) * (len(a) + len(b) + 1)
    seen = abs(sum(ranks[: len(a)]) - centre)
    sums = [abs(sum(c) - centre) for c in itertools.combinations(ranks, len(a))]
    return {"extreme": int(sum(s >= seen for s in sums)), "arrangements": len(sums)}


def sign_flip(d):
    """All signs; the differences have two decimals, so that hundredths are whole numbers and ties are exact."""
    whole = [round(100 * v) for v in d]
    sums = [abs(sum(s * v for s, v in zip(signs, whole))) for signs in itertools.product([1, -1], repeat=len(whole))]
    return {"extreme": int(sum(s >= abs(sum(whole)) for s in sums)), "arrangements": len(sums)}


def case(rng, na, nb, mean, sd_a, sd_b, digits):
    a = np.round(mean * np.exp(rng.normal(0, sd_a, na)), digits)
    b = np.round(mean * 1.03 * np.exp(rng.normal(0, sd_b, nb)), digits)
    c = {"a": a.tolist(), "b": b.tolist(),
         "welch": t_test(stats.ttest_ind(b, a, equal_var=False)),
         "welch_logs": t_test(stats.ttest_ind(np.log(b), np.log(a), equal_var=False)),
         "fieller": fieller(a, b), "hedges": hedges(a, b), "mann_whitney": mann_whitney(a, b)}
    if na == nb:
        c["paired"] = t_test(stats.ttest_rel(b, a))
        c["paired_logs"] = t_test(stats.ttest_rel(np.log(b), np.log(a)))
        c["sign_flip"] = sign_flip(b - a)
    return c


def over_spread(df, top, f):
    """The mean of f(s) over the s < top of an SD estimated on df degrees of freedom; scipy's nct fails where t is large."""
    low, high = max(0, 1 - 12 / math.sqrt(2 * df)), min(1 + 12 / math.sqrt(2 * df), top)
    if high <= low:
        return 0.0
    total = 0.0
    for x, y in itertools.pairwise(np.linspace(low, high, 17)):
        s = x + (y - x) * (NODES + 1) / 2
        total += (y - x) / 2 * np.sum(WEIGHTS * 2 * s * df * stats.chi2.pdf(df * s * s, df) * f(s))
    return total


def difference_power(n, effect, alpha, paired):
    df = n - 1 if paired else 2 * n - 2
    shift = effect * math.sqrt(n if paired else n / 2)
    t = stats.t.isf(alpha / 2, df)
    return over_spread(df, math.inf, lambda s: stats.norm.sf(t * s - shift) + stats.norm.cdf(-t * s - shift))


def equivalence_power(n, margin, alpha, paired):
    df = n - 1 if paired else 2 * n - 2
    error = math.sqrt((1 if paired else 2) / n)
    t = stats.t.isf(alpha, df)
    return over_spread(df, margin / error / t, lambda s: 2 * stats.norm.cdf(margin / error - t * s) - 1)


def power(n, effect, alpha, paired):
    root = outward(lambda d: difference_power(n, d, alpha, paired) - 0.8, 0, 0.25)
    return {"n": n, "effect": effect, "confidence": 1 - alpha, "paired": paired,
            "difference": difference_power(n, effect, alpha, paired),
            "equivalence": equivalence_power(n, effect, alpha, paired), "detectable": root}


def runs(sd, margin, paired):
    m = math.log1p(margin)
    n = 2
    while min(difference_power(n, m / sd, 0.05, paired), equivalence_power(n, m / sd, 0.05, paired)) < 0.8:
        n += 1
    return {"sd": sd, "margin": margin, "paired": paired, "runs": n}


def main():
    rng = np.random.default_rng(5)
    cases = []
    for na, nb in [(2, 2), (2, 5), (3, 3), (5, 5), (5, 3), (7, 7), (9, 4)]:
        for sd_a, sd_b in [(0.02, 0.02), (0.12, 0.12), (0.08, 0.02)]:
            cases.append(case(rng, na, nb, 1000, sd_a, sd_b, 2))
    for na, nb in [(4, 4), (6, 6), (5, 7)]:
        cases.append(case(rng, na, nb, 20, 0.1, 0.1, 0))  # whole numbers: ties
    powers = [power(n, effect, alpha, paired) for n in [2, 3, 5, 10, 40] for effect in [0.5, 1.0, 2.0, 4.0]
              for alpha in [0.05, 0.01] for paired in [False, True]]
    planned = [runs(sd, margin, paired) for sd in [0.005, 0.01, 0.02, 0.04, 0.08] for margin in [0.02, 0.05, 0.10]
               for paired in [False, True]]
    with open("comparison.json", "w") as f:
        f.write('{"cases": [\n' + ",\n".join(json.dumps(c, default=float) for c in cases)
                + '\n],\n"powers": [\n' + ",\n".join(json.dumps(c, default=float) for c in powers)
                + '\n],\n"runs": [\n' + ",\n".join(json.dumps(c) for c in planned) + "\n]}\n")


if __name__ == "__main__":
    main()
