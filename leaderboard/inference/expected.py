"""How many seeds more until the evidence at any time decides: expected from the differences seen so far.

An approximation, for planning only: no verdict rests on it. The true mean difference is taken from seven equally
likely values, the quantiles of Student's t around the mean so far. For each, the path is continued with that mean and
the sd so far, without noise, until one of the two e-processes reaches its level; the expectation is the geometric mean
of the seven. Simulated over differences of 0 to 3 margins, with 4 to 15 seeds seen: on average .9 to 1.25 times the
number that was then needed; a single expectation is off by a factor of 2, either way, in a third of the cases.
"""

from __future__ import annotations

import math

import numpy as np

from prunemark.leaderboard.inference.any_time import LEAST_SEEDS, Floats, Path, log_e, reaches_below
from prunemark.leaderboard.inference.statistics import positive

MOST = 400
"""Further seeds beyond which nobody waits: larger expectations are cut here."""
LOOKED_AT = (12, 60, MOST)
VALUES = 7


def further_seeds(path: Path, margin_pp: float, *, log_different: float, log_equivalent: float) -> float:
    """The expected number of seeds more until a verdict, from 1 to `MOST`.

    `log_different` and `log_equivalent` are the log e-values at which a difference, or equivalence within `margin_pp`
    points, is shown: log(m / alpha) for the first of m tests. Raises ValueError for fewer than 3 seeds or a margin
    that is not positive.
    """
    from scipy.special import stdtrit

    positive(margin_pp, "the margin in points")
    if path.seeds < LEAST_SEEDS:
        raise ValueError(f"nothing is expected from {path.seeds} seeds: at least {LEAST_SEEDS} are needed")
    middles = (np.arange(VALUES) + 0.5) / VALUES
    error = float(path.sd[-1]) / math.sqrt(path.seeds)
    means = float(path.mean[-1]) + error * np.asarray(stdtrit(path.seeds - 1, middles), dtype=np.float64)
    further = _further(path, means, margin_pp, log_different, log_equivalent)
    return float(np.exp(np.mean(np.log(further))))


def _further(path: Path, means_pp: Floats, margin_pp: float, log_different: float, log_equivalent: float) -> list[int]:
    """Of paths that go on without noise around each of these means, shape (means,).

    Around a mean beyond the margin there is never evidence of equivalence: each e-value against it is at most 1.
    """
    found = [MOST] * len(means_pp)
    open_ones = list(range(len(means_pp)))
    for most in LOOKED_AT:  # most are decided soon, and nothing beyond that has to be computed
        if open_ones:
            first = _first_decided(path, means_pp[open_ones], margin_pp, log_different, log_equivalent, most)
            for index, further in zip(open_ones, first, strict=True):
                found[index] = further or MOST
            open_ones = [index for index, further in zip(open_ones, first, strict=True) if not further]
    return found


def _first_decided(
    path: Path, means_pp: Floats, margin_pp: float, log_different: float, log_equivalent: float, most: int
) -> list[int]:
    """The first of `most` further seeds at which each of the paths is decided; 0 where none is."""
    count = path.seeds + most
    steady = Path(np.repeat(means_pp[:, None], count, axis=1), np.full((len(means_pp), count), float(path.sd[-1])))
    decided = log_e(steady) >= log_different
    inside = np.abs(means_pp) < margin_pp if log_equivalent > 0 else np.full(len(means_pp), True)
    if inside.any():
        nearer = Path(np.abs(steady.mean[inside]), steady.sd[inside])  # the margin that is nearer is the harder one
        decided[inside] |= np.logical_or.accumulate(reaches_below(nearer, margin_pp, log_equivalent), axis=-1)
    later = decided[:, path.seeds :]
    return [int(row.argmax()) + 1 if row.any() else 0 for row in later]
