"""Which numbers can be printed at all: accuracies and their scatter on a grid, as GRIM and GRIMMER ask of means.

An accuracy over N images is a multiple of 100/N, a mean of k runs one of 100/(kN) (Brown and Heathers 2017, GRIM); the
sum of squares behind a standard deviation is a whole number of the parity of the sum (Anaya 2016, GRIMMER). A number
counts as reachable if rounding or cutting off leads to it, and an sd if it is one of a sample, a population or a mean.
So what k runs on N images really gave is always reachable. Not covered: weighted means, and averages over batches.
"""

from __future__ import annotations

import math
from fractions import Fraction

MOST_TRIED, MOST_SUMS = 4_000, 300
"""Candidates that are looked at one by one; where there are more, one of them fits."""


def printed_as(value: float, decimals: int) -> tuple[Fraction, Fraction]:
    """The lowest number that prints so, by rounding or by cutting off digits, and the first above that does not."""
    unit = Fraction(1, 10**decimals)
    exact = Fraction(round(value * 10**decimals), 10**decimals)
    return exact - unit / 2, exact + unit


def reachable_mean(value: float, decimals: int, images: int, runs: int) -> bool:
    """Whether a mean of so many runs over so many images can be printed as this percentage.

    Raises ValueError for fewer than one image or run.
    """
    return bool(_sums(value, decimals, images, runs))


def _sums(value: float, decimals: int, images: int, runs: int) -> range:
    """How many right answers over all runs would print so."""
    if images < 1 or runs < 1:
        raise ValueError(f"a mean needs images and runs; given {images} and {runs}")
    low, high = printed_as(value, decimals)
    per_answer = Fraction(100, images * runs)
    return range(max(0, math.ceil(low / per_answer)), min(images * runs + 1, math.ceil(high / per_answer)))


def reachable_sd(value: float, decimals: int, sd: float, sd_decimals: int, images: int, runs: int) -> bool:
    """Whether runs with this printed mean can have this printed sd, read as that of a sample, population or mean.

    With fewer than two runs there is no sd, and nothing is said. Raises ValueError for fewer than one image.
    """
    sums = _sums(value, decimals, images, runs)
    if runs < 2 or not sums or len(sums) > MOST_SUMS:
        return True
    low, high = (max(Fraction(0), end) * images / 100 for end in printed_as(sd, sd_decimals))
    # the scatter times the number of runs: runs * sum of squares - square of the sum
    for times in (runs * (runs - 1), runs * runs, runs * runs * (runs - 1)):
        if any(_has_scatter(total, low * low * times, high * high * times, images, runs) for total in sums):
            return True
    return False


def _has_scatter(total: int, low: Fraction, high: Fraction, images: int, runs: int) -> bool:
    """Whether whole numbers with this sum can have a scatter, times the number of runs, from `low` to below `high`."""
    rest = total % runs
    least = max(math.ceil(low), rest * (runs - rest))
    step = 2 * runs
    start = next(
        (w for w in range(least, least + step) if (w + total * total) % runs == 0 and _even(w, total, runs)), None
    )
    full, left = divmod(total, images)
    widest = runs * (full * images * images + left * left) - total * total  # as far apart as they can be
    last = min(math.ceil(high), widest + 1)
    if start is None or start >= last:
        return False
    if (last - start) // step > MOST_TRIED:
        return True
    return any(_representable(scatter, total, runs) for scatter in range(start, last, step))


def _even(scatter: int, total: int, runs: int) -> bool:
    """A sum of squares is even where the sum is."""
    return ((scatter + total * total) // runs - total) % 2 == 0


def _representable(scatter: int, total: int, runs: int) -> bool:
    """Whether so few runs can differ so: for two the scatter is a square, for three twice a^2 + ab + b^2."""
    if runs == 2:
        return math.isqrt(scatter) ** 2 == scatter and (math.isqrt(scatter) - total) % 2 == 0
    return runs != 3 or (scatter % 2 == 0 and _of_two_differences(scatter // 2))


def _of_two_differences(number: int) -> bool:
    """Whether a number is a^2 + ab + b^2."""
    if number > MOST_TRIED**2:  # too many ways to try; nothing is said against it
        return True
    for a in range(math.isqrt(4 * number // 3) + 1):
        rest = 4 * number - 3 * a * a
        root = math.isqrt(rest)
        if root * root == rest and (root - a) % 2 == 0:
            return True
    return False
