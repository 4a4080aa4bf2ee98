"""Writes noncentral_large.csv: upper tails of noncentral t where delta is large, by mpmath's quadrature over Z.

python3 -m venv VENV && VENV/bin/pip install mpmath && VENV/bin/python noncentral_large.py > noncentral_large.csv
"""

import mpmath as mp

mp.mp.dps = 30


def below(x, df):  # P(V/df < x^2), V chi-square
    return mp.gammainc(mp.mpf(df) / 2, 0, mp.mpf(df) / 2 * x * x, regularized=True)


def tail(t, df, delta):
    t, delta = mp.mpf(t), mp.mpf(delta)

    def f(z):
        p = below((abs(delta) + z) / abs(t), df)
        return mp.npdf(z) * (p if t > 0 else 1 - p)

    return mp.quad(f, [-14, -7, -3, -1, 0, 1, 3, 7, 14])


print("t,df,delta,tail")
for t, df, delta in [
    (50, 2, 45), (50, 2, 60), (100, 2, 41), (999, 2, 200), (999, 2, 999), (999, 2, 1900), (999, 4, 400), (999, 4, 1700),
    (1000, 18, 600), (1000, 18, 1400), (300, 200, 280), (300, 200, 330), (9500, 3, 9500), (1e6, 2, 1.5e6), (1e7, 8, 9e6),
    (-50, 2, -60), (-999, 2, -1900), (-999, 4, -400), (-300, 200, -330), (-1e6, 2, -1.5e6),
]:
    print(f"{t!r},{df},{delta!r},{mp.nstr(tail(t, df, delta), 17)}")
