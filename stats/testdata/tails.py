"""Writes the quantiles of χ², F and beta, and the tails of the noncentral t, that the tests of package stats compare with.

    pip install mpmath scipy
    python tails.py

Quantiles are solved in 60-digit arithmetic, the arguments being the float64s themselves and not the decimals they were
written as. scipy has to agree with each to the digits it has. Last run with mpmath 1.4.1, scipy 1.17.1.
"""

import csv

import mpmath as mp
from scipy import special, stats

mp.mp.dps = 60

TAILS = [0.49, 0.25, 0.1, 0.05, 0.025, 0.005, 1e-4, 1e-6, 1e-8, 1e-10]


def log_density_integral(exponent, width):
    """The tail beyond a point over the density there, by mpmath's own quadrature, in pieces."""
    points = [0] + [width * 2 ** k for k in range(-2, 12)]
    total = mp.mpf(0)
    for low, high in zip(points, points[1:]):
        piece = mp.quad(lambda h: mp.exp(exponent(h)), [low, high])
        total += piece
        if piece < total * mp.mpf(10) ** -45:
            return total
    raise ValueError("the tail does not end")


def gamma_side(x, a, side):
    """(tail, density per unit of ln x) of a gamma variable; side +1 above x, -1 below."""
    density = mp.exp(a * mp.log(x) - x - mp.loggamma(a))
    slope = side * (x - a)
    width = 2 / (max(slope, 0) + mp.sqrt(max(slope, 0) ** 2 + 2 * x))
    return density * log_density_integral(lambda h: side * a * h - x * mp.expm1(side * h), width), density


def beta_side(odds, a, b, side):
    """(tail, density per unit of ln odds) of the odds of a beta variable."""
    x, y = odds / (1 + odds), 1 / (1 + odds)
    density = mp.exp(a * mp.log(x) + b * mp.log(y) - mp.loggamma(a) - mp.loggamma(b) + mp.loggamma(a + b))
    slope = side * (b * x - a * y)
    width = 2 / (max(slope, 0) + mp.sqrt(max(slope, 0) ** 2 + 2 * (a + b) * x * y))
    return density * log_density_integral(lambda h: side * a * h - (a + b) * mp.log1p(x * mp.expm1(side * h)), width), density


def solve(start, tail, side, at):
    """Newton on the log of the tail against the log of the point, from scipy's answer or near it."""
    point = mp.mpf(start)
    for _ in range(40):
        got, density = at(point)
        step = side * mp.log(got / tail) * got / density
        point *= mp.exp(step)
        if abs(step) < mp.mpf(10) ** -22:
            return point
    raise ValueError("no convergence")


def agree(mine, theirs, what):
    """scipy's functions are good to some ten digits over the range, a few to fewer."""
    difference = abs(float(theirs) / float(mine) - 1)
    if not difference < 1e-9:
        print("scipy differs by", difference, what)


def write(name, header, rows):
    with open(name, "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(header)
        out.writerows(rows)


def write_chi_square():
    rows = []
    for df in [1, 2, 3, 4.5, 10, 30, 100, 1000, 1e4, 1e5, 1e6]:
        for tail in TAILS:
            for side, start, name in [(1, stats.chi2.isf(tail, df), "upper"), (-1, stats.chi2.ppf(tail, df), "lower")]:
                a = mp.mpf(df) / 2
                x = 2 * solve(start / 2, mp.mpf(tail), side, lambda x: gamma_side(x, a, side))
                agree(x, start, (name, df, tail))
                rows.append([name, repr(float(df)), repr(tail), mp.nstr(x, 20)])
    write("chisquare.csv", ["side", "df", "tail", "x"], rows)


def write_f():
    """The lower tail is the upper one with the degrees of freedom exchanged, of 1/f."""
    rows = []
    for df1 in [1, 2, 5, 10, 100, 1e4, 1e6]:
        for df2 in [1, 2, 4, 20, 300, 1e4, 1e6]:
            for tail in [0.49, 0.1, 0.025, 1e-6, 1e-10]:
                a, b = mp.mpf(df1) / 2, mp.mpf(df2) / 2
                start = 1 / stats.f.ppf(tail, df2, df1)  # isf goes through 1 - tail
                f = solve(start * df1 / df2, mp.mpf(tail), 1, lambda o: beta_side(o, a, b, 1)) * b / a
                agree(f, start, ("f", df1, df2, tail))
                rows.append([repr(float(df1)), repr(float(df2)), repr(tail), mp.nstr(f, 20)])
    write("f.csv", ["df1", "df2", "tail", "f"], rows)


def write_beta():
    rows = []
    for a, b in [(1, 1), (1, 100), (100, 1), (97, 4), (98, 3), (3, 98), (0.5, 0.5), (5000, 2), (2, 1e6), (50000, 50001)]:
        for tail in [0.49, 0.1, 0.025, 1e-6, 1e-10]:
            for side, start, name in [(1, special.betainccinv(a, b, tail), "upper"), (-1, special.betaincinv(a, b, tail), "lower")]:
                odds = solve(min(start, 1 - 1e-15) / max(1 - start, 1e-15), mp.mpf(tail), side,
                             lambda o: beta_side(o, mp.mpf(a), mp.mpf(b), side))
                x = odds / (1 + odds)
                agree(x, start, (name, a, b, tail))
                rows.append([name, repr(float(a)), repr(float(b)), repr(tail), mp.nstr(x, 20)])
    write("beta.csv", ["side", "a", "b", "tail", "x"], rows)


def noncentral_tail(t, df, delta):
    """P(T > t), T = (Z + delta)/sqrt(V/df), integrated over V on the log scale in pieces around its mode."""
    t, a, delta = mp.mpf(t), mp.mpf(df) / 2, mp.mpf(delta)
    constant = a * mp.log(a) - mp.loggamma(a)

    def f(s):  # e^s is V/df
        return mp.exp(constant + a * (s - mp.exp(s))) * mp.erfc((t * mp.exp(s / 2) - delta) / mp.sqrt(2)) / 2

    sd = 1 / mp.sqrt(a)
    points = [-60 * sd - 60 / a, -30 * sd - 20 / a, -20 * sd, -12 * sd, -8 * sd, -5 * sd, -3 * sd, -2 * sd, -sd, 0, sd, 2 * sd, 3 * sd,
              5 * sd, min(8 * sd, sd + 6), min(13 * sd, sd + 9)]
    return mp.quad(f, sorted(set(points)))


def write_noncentral():
    rows = []
    mp.mp.dps = 40  # enough, and faster
    for df in [1, 2, 4, 7.5, 8, 18, 60, 500, 1e4]:
        for delta in [-2.0, 0.0, 0.5, 1.7893, 3.1622776601683795, 6.0]:
            for t in [-2.0, 0.0, 0.5, 1.9821955718376, 2.306004135204166, 4.302652729911275, 9.0]:
                p = noncentral_tail(t, df, delta)
                theirs = stats.nct.sf(t, df, delta)
                if abs(float(p) - theirs) > 1e-8:
                    print("scipy differs:", df, delta, t, float(p), theirs)
                rows.append([repr(t), repr(float(df)), repr(delta), mp.nstr(p, 18)])
    write("noncentral_t.csv", ["t", "df", "delta", "tail"], rows)


if __name__ == "__main__":
    write_chi_square()
    write_f()
    write_beta()
    write_noncentral()
