"""The t distribution without scipy, whose import would take most of the time that one document may take.

The distribution by the continued fraction of the incomplete beta function (Lentz's method; DLMF 8.17.22),
the quantile by Newton's steps on it. The tests compare both with scipy.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

AS_NORMAL = 1e7
"""Degrees of freedom from which on the normal distribution is as near as this arithmetic comes."""
_NORMAL = NormalDist()
_TINY, _CLOSE_ENOUGH, _MOST_TERMS = 1e-300, 1e-15, 500


def two_sided_p(t: float, df: float) -> float:
    """The chance of |T| >= |t| under no difference; `df` may be infinite (the normal distribution)."""
    if math.isnan(t) or df <= 0:
        return 1.0
    if df > AS_NORMAL:
        return math.erfc(abs(t) / math.sqrt(2))
    return _incomplete_beta(df / (df + t * t), df / 2, 0.5)


@lru_cache(maxsize=4096)
def quantile(confidence: float, df: float) -> float:
    """The t that a two-sided interval of this confidence, in (0, 1), reaches to; infinite for df = 0.

    Raises ValueError for a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence must lie between 0 and 1, not {confidence}")
    normal = _NORMAL.inv_cdf((1 + confidence) / 2)
    if df <= 0:
        return math.inf
    if df > AS_NORMAL:
        return normal
    # the tail is convex and falls: Newton's steps from below never pass the root
    t, target = normal, 1 - confidence
    for _ in range(200):
        step = (two_sided_p(t, df) - target) / (2 * _density(t, df))
        t += step
        if step <= 1e-13 * t:
            break
    return t


def _density(t: float, df: float) -> float:
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    return float(scale * (1 + t * t / df) ** (-(df + 1) / 2))


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )  # fmt: skip
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, _MOST_TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + term * d
            d = 1 / (d if abs(d) > _TINY else _TINY)
            c = 1 + term / c
            c = c if abs(c) > _TINY else _TINY
            value *= c * d
        if abs(c * d - 1) < _CLOSE_ENOUGH:
            break
    return value
