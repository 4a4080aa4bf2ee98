"""Writes quantiles of types 1, 7 and 8 by numpy, which the tests of package stats compare with.

    pip install numpy
    python quantiles.py

Last run with numpy 2.4.6; its methods are called inverted_cdf, linear and median_unbiased.
"""

import json

import numpy as np

rng = np.random.default_rng(3)
# No p·n is a whole number but for those that are exact in binary: there numpy's rounding, not the definition, picks the rank.
ps = [0, 0.013, 0.125, 0.25, 0.37, 0.5, 0.75, 0.917, 0.9531, 0.9873, 0.9991, 1]
cases = []
for n in [1, 2, 3, 4, 5, 8, 16, 100]:
    x = np.round(np.exp(rng.normal(4, 0.5, n)), 3)
    if n == 16:
        x[3:9] = x[3]  # ties
    cases.append({"x": x.tolist(), "p": ps, **{name: np.quantile(x, ps, method=method).tolist() for name, method in
                 [("type1", "inverted_cdf"), ("type7", "linear"), ("type8", "median_unbiased")]}})
with open("quantile_types.json", "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
