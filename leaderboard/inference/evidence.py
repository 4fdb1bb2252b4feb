"""One comparison and the evidence that it holds: at any number of seeds, or in one planned look.

Evidence at any time comes from e-processes (`any_time`): whoever adds seeds, and stops when the answer is there, errs
no more often than alpha. Planned evidence is that of fixed-sample tests, and exists only when all planned seeds do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from numpy.typing import ArrayLike

from prunemark.leaderboard.inference import any_time
from prunemark.leaderboard.inference.any_time import LEAST_SEEDS, Path
from prunemark.leaderboard.inference.statistics import PairedComparison, VariancePrior, accuracies, paired_t, tost


@dataclass(frozen=True)
class Evidence:
    """Of one comparison: its numbers, and how strong the evidence is.

    `log_different` and `log_equivalent` are logs of e-values, the largest so far, for a difference and for equivalence
    within the margin; with `planned` they are logs of 1 / p of the fixed-sample tests. Both are 0 where nothing is
    tested yet: `tested` says so. The interval and the two-sided p of `comparison` are those of the same rule.
    """

    comparison: PairedComparison
    path: Path
    log_different: float
    log_equivalent: float
    tested: bool
    planned: int | None = None


def evidence(
    a_percent: ArrayLike,
    b_percent: ArrayLike,
    *,
    quantum_percent: float,
    margin_pp: float,
    planned: int | None = None,
    prior: VariancePrior | None = None,
) -> Evidence:
    """A minus B on the seeds they share, in the order of their seeds; accuracies in percent, shape (seeds,).

    With `planned`, the tests are made on exactly the first so many seeds: none before they are there, none added
    after. The `prior` counts for planned evidence only. Raises ValueError as `paired_t` and `path_of` do.
    """
    a, b = accuracies(a_percent, "A")[:planned], accuracies(b_percent, "B")[:planned]
    fixed = paired_t(a, b, quantum_percent=quantum_percent, prior=prior if planned else None)
    path = any_time.path_of(a - b, quantum_percent=quantum_percent)
    if planned is not None:
        there = fixed.seeds == planned
        different, equal = (-_log(fixed.p_two_sided), -_log(tost(fixed, margin_pp).p)) if there else (0.0, 0.0)
        return Evidence(fixed, path, different, equal, there, planned)
    different = float(any_time.log_e(path).max())
    equal = float(any_time.log_e_equivalent(path, margin_pp)[-1])
    ever = replace(
        fixed, interval_pp=any_time.interval(path), p_two_sided=min(1.0, math.exp(-different)),
        p_greater=_one_sided(path, greater=True), p_less=_one_sided(path, greater=False),
    )  # fmt: skip
    return Evidence(ever, path, different, equal, fixed.seeds >= LEAST_SEEDS)


def _log(p: float) -> float:
    return math.log(max(p, 1e-300))


def _one_sided(path: Path, *, greater: bool) -> float:
    """The p, at any time, of "A is better" or of "A is worse"."""
    mirrored = Path(-path.mean, path.sd) if greater else path
    return min(1.0, math.exp(-float(any_time.log_e_below(mirrored, 0.0).max())))
