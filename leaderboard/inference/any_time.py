"""Evidence that may be looked at after every seed: the t e-process, its confidence sequence, and e-Holm.

A living board gains seeds whenever somebody runs them, and a user stops when the answer is there. An e-process stays
valid under every such stopping rule: under the null hypothesis the chance that it ever reaches 1/alpha is at most
alpha (Ville's inequality), so its running maximum may be read at any time.

The effect is in units of the standard deviation of the per-seed differences, with a normal prior of precision g around
zero; the variance has the right-Haar prior, so nothing depends on its scale (Lindon, Ham, Tingley and Bojinov,
arXiv:2210.08589, section 3; Perez-Ortiz, Lardy, de Heide and Gruenwald, Annals of Statistics 2024). The mean of the
e-processes for g = 1 and g = 0.1 is one too: the first finds large effects early, the second small ones.

No table rests on it yet. Not covered: seeds that were chosen after their results were known. Seeds count in the order
of their number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from prunemark.leaderboard.inference.statistics import positive

Floats = NDArray[np.float64]

PRECISIONS = (1.0, 0.1)
"""Of the normal prior on the effect: a prior sd of 1 and of 3.2 standard deviations. Both weigh the same."""
LEAST_SEEDS = 3
"""With fewer seeds no verdict is given, whatever the evidence."""


@dataclass(frozen=True)
class Path:
    """Of the first n seeds, for n = 1 ... k: mean and standard deviation of the differences, in points, (k,) each.

    Several paths of as many seeds can be one, shape (paths, k): what is computed of it has that shape too.

    The standard deviation has the floor of `statistics.paired_t`: accuracy comes in steps, so that equal differences
    do not mean that there is no noise. With one seed it is infinite.
    """

    mean: Floats
    sd: Floats

    @property
    def seeds(self) -> int:
        """How many seeds there are in all."""
        return int(self.mean.shape[-1])


def path_of(differences_pp: Sequence[float] | Floats, *, quantum_percent: float) -> Path:
    """The path of per-seed differences in points, shape (seeds,) or (paths, seeds), in the order of their seeds.

    Raises ValueError for no seeds, values that are not finite, or a quantum that is not positive.
    """
    positive(quantum_percent, "the quantum of accuracy in percent")
    d = np.asarray(differences_pp, dtype=np.float64)
    if d.ndim not in (1, 2) or d.shape[-1] == 0 or not np.isfinite(d).all():
        raise ValueError("an e-process needs one finite difference a seed, shape (seeds,)")
    counts = np.arange(1, d.shape[-1] + 1)
    shifted = d - d[..., :1]  # sums of squares around a number near the mean lose no digits
    mean = np.cumsum(shifted, axis=-1) / counts
    squares = np.maximum(np.cumsum(shifted**2, axis=-1) - counts * mean**2, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(counts > 1, squares / (counts - 1), np.inf)
    return Path(mean + d[..., :1], np.sqrt(np.maximum(variance, quantum_percent**2 / 6)))


def log_e(path: Path, null_pp: float = 0.0) -> Floats:
    """log of the e-process against "the mean difference is `null_pp` points", after each seed; shape (seeds,)."""
    n, ratio = _seeds_and_ratio(path, null_pp)
    return _mixture([_log_bayes_factor(ratio, n, g) for g in PRECISIONS])


def log_e_below(path: Path, null_pp: float) -> Floats:
    """log of the e-process against "the mean difference is `null_pp` points or more", after each seed; (seeds,).

    As `log_e`, with the half of the prior that lies below: twice the two-sided e-value, times the posterior
    probability of a negative effect, which follows Student's t on n degrees of freedom.
    """
    return _log_e_below(*_seeds_and_ratio(path, null_pp))


def reaches_below(path: Path, null_pp: float, log_level: float) -> NDArray[np.bool_]:
    """Whether `log_e_below` is at this level, after each seed; the same as computing all of it, and sooner.

    It is at most the two-sided e-value twice over, which costs much less than Student's t.
    """
    n, ratio = _seeds_and_ratio(path, null_pp)
    reached = log_e(path, null_pp) + math.log(2) >= log_level - 1e-9
    reached[reached] = _log_e_below(np.broadcast_to(n, ratio.shape)[reached], ratio[reached]) >= log_level
    return reached


def _log_e_below(n: Floats, ratio: Floats) -> Floats:
    from scipy.special import stdtr

    halves = []
    for g in PRECISIONS:
        standardised = ratio * n / np.sqrt(n + g) / np.sqrt(1 + ratio**2 * g / (n + g))
        below = np.maximum(stdtr(n, -standardised), np.finfo(np.float64).tiny)
        halves.append(_log_bayes_factor(ratio, n, g) + np.log(2 * below))
    return _mixture(halves)


def log_e_equivalent(path: Path, margin_pp: float) -> Floats:
    """log of the evidence that the mean difference lies inside +-`margin_pp` points, after each seed; (seeds,).

    The smaller of two one-sided e-processes, against "the margin or more" and "minus the margin or less": both nulls
    have to be rejected, which needs no correction (Berger 1982). Raises ValueError for a margin that is not positive.
    """
    positive(margin_pp, "the margin in points")
    mirrored = Path(-path.mean, path.sd)
    above = np.maximum.accumulate(log_e_below(mirrored, margin_pp), axis=-1)
    return np.asarray(np.minimum(np.maximum.accumulate(log_e_below(path, margin_pp), axis=-1), above), dtype=np.float64)


def interval(path: Path, alpha: float = 0.05) -> tuple[float, float]:
    """The confidence sequence at the last seed, in points: all means that the e-process does not reject.

    It covers the true mean at every number of seeds at once with confidence 1 - alpha. Infinite where so few seeds
    reject no mean at all. Raises ValueError for an alpha outside (0, 1).
    """
    return _interval(path.seeds, float(path.mean[-1]), float(path.sd[-1]), alpha)


def interval_of(differences_pp: Sequence[float], *, quantum_percent: float, alpha: float = 0.05) -> tuple[float, float]:
    """`interval(path_of(...))` to the last bit, without arrays: for many comparisons of few seeds."""
    first, mean, total, squares = differences_pp[0], 0.0, 0.0, 0.0
    for count, each in enumerate(differences_pp, 1):
        shifted = each - first
        total, squares = total + shifted, squares + shifted * shifted
        mean = total / count
    n = len(differences_pp)
    variance = max(squares - n * (mean * mean), 0.0) / (n - 1) if n > 1 else math.inf
    return _interval(n, mean + first, math.sqrt(max(variance, quantum_percent**2 / 6)), alpha)


def _interval(n: int, mean: float, sd: float, alpha: float) -> tuple[float, float]:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    half = sd * half_width(n, alpha) if n > 1 else math.inf
    return mean - half, mean + half


def half_width(seeds: int, alpha: float = 0.05) -> float:
    """Half of the interval's width with so many seeds, in standard deviations of the differences."""
    return _half_width(seeds, alpha, PRECISIONS)


@cache
def _half_width(seeds: int, alpha: float, precisions: tuple[float, ...]) -> float:
    from scipy.optimize import brentq

    n = np.array([float(seeds)])

    def beyond(width: float) -> float:
        ratio = np.array([width * math.sqrt(seeds / (seeds - 1))])
        return float(_mixture([_log_bayes_factor(ratio, n, g) for g in precisions])[0]) + math.log(alpha)

    if beyond(1e9) < 0:
        return math.inf
    return float(brentq(beyond, 0.0, 1e9, xtol=1e-12))


def e_holm(log_e_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that hold at any time, in the order given, from each test's largest log e so far.

    min(1, (m - i + 1) / e) for the i-th largest of m, made monotone: Holm's step-down with e-values in place of
    1 / p (Vovk and Wang, Annals of Statistics 2021). Raises ValueError for a value that is not a number.
    """
    if any(math.isnan(value) for value in log_e_values):
        raise ValueError("an e-value must be a number")
    adjusted, largest = [0.0] * len(log_e_values), 0.0
    descending = sorted(range(len(log_e_values)), key=lambda index: -log_e_values[index])
    for rank, index in enumerate(descending):
        at_most_one = min(0.0, math.log(len(log_e_values) - rank) - log_e_values[index])
        largest = max(largest, math.exp(at_most_one))
        adjusted[index] = largest
    return adjusted


def _seeds_and_ratio(path: Path, null_pp: float) -> tuple[Floats, Floats]:
    """n = 1 ... k, and t over the root of its degrees of freedom for the null mean; 0 with one seed."""
    n = np.arange(1, path.seeds + 1, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (path.mean - null_pp) / path.sd * np.sqrt(n / (n - 1))
    return n, np.where(n > 1, ratio, 0.0)


def _log_bayes_factor(ratio: Floats, n: Floats, g: float) -> Floats:
    """log e for one precision g of the prior; `ratio` is t over the root of its degrees of freedom, (seeds,)."""
    shrunk = np.log1p(ratio**2 * g / (g + n))
    found = 0.5 * np.log(g / (g + n)) - n / 2 * (shrunk - np.log1p(ratio**2))
    return np.where(n > 1, found, 0.0)  # one seed says nothing where the variance is unknown


def _mixture(logs: Sequence[Floats]) -> Floats:
    """log of the mean of e-values, which is an e-value."""
    return np.asarray(np.logaddexp.reduce(logs, axis=0) - math.log(len(logs)), dtype=np.float64)
