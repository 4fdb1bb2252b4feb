"""Two methods on the same seeds: difference, interval, test, equivalence.

Accuracies are in percent, differences in percentage points (pp). A p-value here is about this test set and
new seeds (E1), and about one base model if all seeds share one. Nothing here depends on which other
methods are in the field; what does is in `multiplicity`, what goes beyond the test set is in `crossed`.

Not used: Wilcoxon and sign-flip tests (with 5 seeds their smallest two-sided p is .0625), the percentile
bootstrap (type I error .17 with 5 seeds), and Welch's test (it throws the pairing by seed away).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class VariancePrior:
    """What a track has frozen about the variance between seeds, for tracks where a run costs days.

    `df` is its weight, in degrees of freedom (d0); `sd_pp` is the standard deviation it expects of the
    difference between two methods on one seed, in points (s0). Raises ValueError unless both are positive
    and finite.
    """

    df: float
    sd_pp: float

    def __post_init__(self) -> None:
        positive(self.df, "the prior's degrees of freedom")
        positive(self.sd_pp, "the prior's standard deviation in points")


@dataclass(frozen=True)
class PairedComparison:
    """Method A minus method B over the seeds they share, in points: positive is in favour of A.

    `sd_pp` is the standard deviation the test used: of the per-seed differences, after the variance floor
    (`floored` says whether it was binding) and after the prior, if there was one. `interval_pp` is the 95 %
    interval, without correction for other methods. `p_greater` is the one-sided p for "A is
    better", `p_less` for "A is worse". `wins` counts the seeds on which A is ahead, `ties` those on which
    the two are less than half a quantum apart. `effect` is `difference_pp / sd_pp`.
    """

    seeds: int
    difference_pp: float
    sd_pp: float
    standard_error_pp: float
    df: float
    t: float
    p_two_sided: float
    p_greater: float
    p_less: float
    interval_pp: tuple[float, float]
    wins: int
    ties: int
    effect: float
    floored: bool

    def interval(self, confidence: float) -> tuple[float, float]:
        """The interval in points at this confidence, in (0, 1); infinite if the variance is unknown."""
        return student_interval(self.difference_pp, self.standard_error_pp, self.df, confidence)


@dataclass(frozen=True)
class Equivalence:
    """Whether a difference is shown to lie inside +-`margin_pp`: p of the two one-sided tests.

    `interval_pp` is the 1 - 2 alpha interval (90 % at alpha .05), which lies strictly inside the margin
    exactly when `p` is below alpha.
    """

    margin_pp: float
    p: float
    interval_pp: tuple[float, float]


def paired_t(
    a_percent: ArrayLike,
    b_percent: ArrayLike,
    *,
    quantum_percent: float,
    prior: VariancePrior | None = None,
) -> PairedComparison:
    """Student's paired t-test of A against B, or the moderated t where the track has a prior.

    `a_percent` and `b_percent` have shape (seeds,), in the same order of seeds. `quantum_percent` is the
    step in which accuracy comes, 100 / (number of test images). The variance of the differences is at
    least quantum^2 / 6, the rounding error of a difference: k equal accuracies happen, and do not mean
    that there is no noise. With a prior, v = (d0 s0^2 + (k-1) s_d^2) / (d0 + k - 1) on d0 + k - 1 degrees
    of freedom (Smyth, SAGMB 2004, section 3; there with d0 and s0 estimated, here frozen).

    One seed without a prior still has an estimate: its sd and interval are infinite and every p is 1.
    Whether a test may be shown with so few seeds is for `multiplicity.evidence_level` to say.

    Raises ValueError for no seeds, unequal lengths, numbers that are not finite, or a quantum that is
    not positive.
    """
    positive(quantum_percent, "the quantum of accuracy in percent")
    differences = _differences(a_percent, b_percent)
    # fsum rounds once, so that the order of the seeds cannot matter, not even in the last bit
    mean = math.fsum(differences.tolist()) / len(differences)
    sd, df, floored = _spread(differences, mean, quantum_percent, prior)
    standard_error = sd / math.sqrt(len(differences))
    t = mean / standard_error
    two_sided, greater, less = student_p(t, df)
    ahead = np.abs(differences) >= quantum_percent / 2
    return PairedComparison(
        seeds=len(differences),
        difference_pp=mean,
        sd_pp=sd,
        standard_error_pp=standard_error,
        df=df,
        t=t,
        p_two_sided=two_sided,
        p_greater=greater,
        p_less=less,
        interval_pp=student_interval(mean, standard_error, df, 0.95),
        wins=int(np.sum(ahead & (differences > 0))),
        ties=int(np.sum(~ahead)),
        effect=mean / sd,
        floored=floored,
    )


def _spread(
    differences: Floats, mean: float, quantum_percent: float, prior: VariancePrior | None
) -> tuple[float, float, bool]:
    """Standard deviation in points, degrees of freedom, and whether the floor was binding. See `paired_t`."""
    seeds = len(differences)
    found = math.fsum((d - mean) ** 2 for d in differences.tolist()) / (seeds - 1) if seeds > 1 else math.inf
    floor = quantum_percent**2 / 6
    variance, df = max(found, floor), float(seeds - 1)
    if prior is not None:
        from_seeds = (seeds - 1) * variance if seeds > 1 else 0.0
        df = prior.df + seeds - 1
        variance = (prior.df * prior.sd_pp**2 + from_seeds) / df
    return math.sqrt(variance), df, found < floor


def tost(comparison: PairedComparison, margin_pp: float, *, alpha: float = 0.05) -> Equivalence:
    """Two one-sided tests that the difference lies inside +-`margin_pp` (Schuirmann 1987).

    `margin_pp` is the track's frozen margin in points; alpha only sets the confidence of the interval.
    A p above alpha means "not shown to be equivalent", and says nothing of a difference.
    Raises ValueError for a margin that is not positive, or an alpha outside (0, .5).
    """
    positive(margin_pp, "the margin in points")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, not {alpha}")
    scale = comparison.standard_error_pp
    above_lower = student_p((comparison.difference_pp + margin_pp) / scale, comparison.df)[1]
    below_upper = student_p((comparison.difference_pp - margin_pp) / scale, comparison.df)[2]
    return Equivalence(margin_pp, max(above_lower, below_upper), comparison.interval(1 - 2 * alpha))


def student_p(t: float, df: float) -> tuple[float, float, float]:
    """Two-sided p of t, and one-sided p of "greater" and "less"; all 1 if df is 0 (variance unknown)."""
    from scipy.special import stdtr

    if df == 0:
        return 1.0, 1.0, 1.0
    greater, less = float(stdtr(df, -t)), float(stdtr(df, t))
    return min(1.0, 2 * min(greater, less)), greater, less


def student_interval(centre: float, error: float, df: float, confidence: float) -> tuple[float, float]:
    """centre +- the t quantile times the error, in their unit; infinite if the error is, or df is 0.

    Raises ValueError for a confidence outside (0, 1).
    """
    from scipy.special import stdtrit

    if not 0 < confidence < 1:
        raise ValueError(f"a confidence must lie between 0 and 1, not {confidence}")
    if math.isinf(error) or df == 0:
        return -math.inf, math.inf
    half = float(stdtrit(df, (1 + confidence) / 2)) * error
    return centre - half, centre + half


def positive(value: float, what: str) -> float:
    """The value, or a ValueError that names it, unless it is positive and finite."""
    if not 0 < value < math.inf:
        raise ValueError(f"{what} must be positive and finite, not {value}")
    return value


def probability(value: float) -> float:
    """The value, or a ValueError unless it lies in [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"a p-value must lie between 0 and 1, not {value}")
    return value


def _differences(a_percent: ArrayLike, b_percent: ArrayLike) -> Floats:  # (seeds,)
    a, b = accuracies(a_percent, "A"), accuracies(b_percent, "B")
    if len(a) != len(b):
        raise ValueError(f"A has {len(a)} seeds and B has {len(b)}: give both on the seeds they share")
    return a - b


def accuracies(values: ArrayLike, name: str) -> Floats:
    """The accuracies as an array, or a ValueError that names whose they are: one finite number a seed."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) == 0:
        raise ValueError(f"{name} needs one accuracy a seed, shape (seeds,), not shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has an accuracy that is not a finite number: {array.tolist()}")
    return array
