"""What goes beyond one test set: new images (E2), the tracks of the benchmark (E3), ranks over data sets.

The paired t of `statistics` is about one test set and new seeds (E1). To say that a difference generalises
takes a test that counts the images as a sample too: the crossed t. Over tracks, each track's difference is
measured in units of its own margin. McNemar's and Friedman's tests are here because readers ask for them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prunemark.leaderboard.inference.statistics import PairedComparison, positive, student_interval, student_p


@dataclass(frozen=True)
class TwoWay:
    """Mean squares of a two-way table without replication, and the variance of its grand mean.

    `variance` is that of the mean when rows (seeds) and columns (examples) are both samples, on `df`
    Satterthwaite degrees of freedom. All in squared units of the table.
    """

    ms_rows: float
    ms_columns: float
    ms_residual: float
    variance: float
    df: float


@dataclass(frozen=True)
class CrossedComparison:
    """Method A minus method B for new seeds and new images (E2), in points: positive is in favour of A.

    `interval_pp` is the 95 % interval; the p-values are as in `PairedComparison`. `p_holm` is the two-sided p adjusted
    for its family, and at least that of the same difference for new seeds alone; None until there is one (see
    `standings.stand`).
    """

    seeds: int
    examples: int
    difference_pp: float
    standard_error_pp: float
    df: float
    t: float
    p_two_sided: float
    p_greater: float
    p_less: float
    interval_pp: tuple[float, float]
    p_holm: float | None = None

    @property
    def generalises(self) -> bool:
        """Whether the difference is shown to hold for new seeds and new images."""
        return self.p_holm is not None and self.p_holm <= 0.05


@dataclass(frozen=True)
class AcrossTracks:
    """The mean over tracks of difference / margin (E3): 1 is an advantage as large as the margin.

    `standard_error` and the 95 % `interval` are in margins too. The p-values are about these tracks and new
    seeds; they say nothing of other data sets or networks. `p_equivalent` is that of the two one-sided tests that
    the mean lies within one margin.
    """

    tracks: int
    mean_margins: float
    standard_error: float
    df: float
    t: float
    p_two_sided: float
    p_greater: float
    p_less: float
    p_equivalent: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class McNemar:
    """Images that one model alone gets right, of one pair of models: chi-square (1 df) and exact p."""

    only_a: int
    only_b: int
    statistic: float
    p_exact: float


@dataclass(frozen=True)
class Friedman:
    """Whether mean ranks over data sets differ: chi-square and its p, Iman and Davenport's F and its p."""

    chi_square: float
    p_chi_square: float
    f: float
    p_f: float


def two_way(table: ArrayLike) -> TwoWay:
    """Mean squares of a (rows, columns) table of numbers, and the variance of its mean with both random.

    V = max(MS_S + MS_I - MS_E, MS_S, MS_I) / (k N) with the degrees of freedom of Satterthwaite
    (Biometrics Bulletin 1946). If all entries are equal, V is 0 and df is min(k, N) - 1; if only
    the residual varies, V and df are 0.
    Raises ValueError unless there are at least two rows and two columns of finite numbers.
    """
    values = np.asarray(table, dtype=np.float64)
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError(f"needs at least 2 rows (seeds) and 2 columns (examples), not shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("the table has entries that are not finite numbers")
    k, n = values.shape
    mean, rows, columns = values.mean(), values.mean(axis=1), values.mean(axis=0)
    residual = values - rows[:, None] - columns + mean
    return _mean_squares(
        n * float(((rows - mean) ** 2).sum()),
        k * float(((columns - mean) ** 2).sum()),
        float((residual**2).sum()),
        k,
        n,
    )


def _mean_squares(ss_rows: float, ss_columns: float, ss_residual: float, k: int, n: int) -> TwoWay:
    """From the sums of squares of a table of k rows and n columns."""
    ms_rows, ms_columns, ms_residual = ss_rows / (k - 1), ss_columns / (n - 1), ss_residual / ((k - 1) * (n - 1))
    # a component of variance may be estimated below zero; the mean varies at least as with one factor fixed
    total = max(ms_rows + ms_columns - ms_residual, ms_rows, ms_columns)
    weights = ms_rows**2 / (k - 1) + ms_columns**2 / (n - 1) + ms_residual**2 / ((k - 1) * (n - 1))
    df = total**2 / weights if weights > 0 else float(min(k, n) - 1)
    return TwoWay(ms_rows, ms_columns, ms_residual, total / (k * n), df)


def _whole_numbers(table: NDArray[np.int8]) -> TwoWay:
    """`two_way` of a table of -1, 0 and 1: all sums are whole numbers, so that nothing is rounded but at the end."""
    k, n = table.shape
    rows, columns = table.sum(axis=1, dtype=np.int64), table.sum(axis=0, dtype=np.int64)
    whole = int(rows.sum())
    # each times k n
    ss_rows = k * int((rows * rows).sum()) - whole**2
    ss_columns = n * int((columns * columns).sum()) - whole**2
    ss_residual = k * n * int(np.count_nonzero(table)) - whole**2 - ss_rows - ss_columns
    return _mean_squares(ss_rows / (k * n), ss_columns / (k * n), ss_residual / (k * n), k, n)


def correctness_difference(a_correct: ArrayLike, b_correct: ArrayLike) -> NDArray[np.int8]:
    """A minus B, in {-1, 0, 1}, from two (seeds, examples) tables of booleans (or 0 and 1).

    Raises ValueError if their shapes differ or an entry is anything else.
    """
    a, b = np.asarray(a_correct), np.asarray(b_correct)
    if a.shape != b.shape:
        raise ValueError(f"A has shape {a.shape} and B {b.shape}: give both on the same seeds and examples")
    if not all(each.dtype == bool or np.isin(each, (0, 1)).all() for each in (a, b)):
        raise ValueError("correctness must be booleans, or 0 and 1")
    return a.astype(np.int8) - b.astype(np.int8)


def crossed_t(differences: ArrayLike) -> CrossedComparison:
    """The t-test of A against B for new seeds and new images at once (E2).

    `differences` has shape (seeds, examples) and entries in {-1, 0, 1}: 1 where A alone is right, -1 where B
    alone is. t = mean / sqrt(V), V and df by `two_way`; simulated type I error .03 to .07. As in
    `paired_t`, the variance has a floor, quantum^2 / (6 k) with the quantum 1 / N, so that two models
    that agree everywhere give t = 0 and p = 1.
    Raises ValueError for other entries, and unless there are two seeds and two examples.
    """
    table = np.asarray(differences)
    if table.ndim != 2 or min(table.shape) < 2:
        raise ValueError(f"needs at least 2 rows (seeds) and 2 columns (examples), not shape {table.shape}")
    if not ((table == 0) | (abs(table) == 1)).all():
        raise ValueError("differences must be -1, 0 or 1, as correctness_difference gives them")
    parts = _whole_numbers(table.astype(np.int8))
    seeds, examples = table.shape
    variance = max(parts.variance, 1 / (6 * seeds * examples**2))
    # the sum of integers is exact, so that neither the order of seeds nor of examples matters
    difference_pp = 100 * int(table.sum(dtype=np.int64)) / (seeds * examples)
    standard_error = 100 * math.sqrt(variance)
    t = difference_pp / standard_error
    return CrossedComparison(
        seeds,
        examples,
        difference_pp,
        standard_error,
        parts.df,
        t,
        *student_p(t, parts.df),
        interval_pp=student_interval(difference_pp, standard_error, parts.df, 0.95),
    )


def across_tracks(comparisons: Mapping[str, PairedComparison], margins_pp: Mapping[str, float]) -> AcrossTracks:
    """The mean over tracks of one method's difference to the anchor, in units of the track's margin (E3).

    Both mappings are keyed by track; margins are in points and frozen by the track. SE^2 = T^-2 times the
    sum of s_t^2 / (k_t u_t^2), with Satterthwaite degrees of freedom.
    Raises ValueError for no tracks, tracks that do not match, a margin that is not positive, or a track
    whose variance is unknown (one seed, no prior): nothing is imputed.
    """
    if not comparisons or set(comparisons) != set(margins_pp):
        raise ValueError(f"compared on {sorted(comparisons)}, but margins are for {sorted(margins_pp)}")
    unknown = [track for track, c in comparisons.items() if math.isinf(c.standard_error_pp)]
    if unknown:
        raise ValueError(f"no variance is known on {', '.join(unknown)}: it takes 2 seeds on every track")
    tracks = len(comparisons)
    units = {track: positive(margins_pp[track], f"the margin of {track} in points") for track in comparisons}
    mean = math.fsum(c.difference_pp / units[track] for track, c in comparisons.items()) / tracks
    variances = {track: (c.standard_error_pp / units[track]) ** 2 for track, c in comparisons.items()}
    total = math.fsum(variances.values())
    df = total**2 / math.fsum(variances[track] ** 2 / c.df for track, c in comparisons.items())
    standard_error = math.sqrt(total) / tracks
    t = mean / standard_error
    equivalent = max(student_p(t + 1 / standard_error, df)[1], student_p(t - 1 / standard_error, df)[2])
    interval = student_interval(mean, standard_error, df, 0.95)
    return AcrossTracks(tracks, mean, standard_error, df, t, *student_p(t, df), equivalent, interval)


def mcnemar(only_a: int, only_b: int) -> McNemar:
    """McNemar's test (Psychometrika 1947) of one pair of trained models, without continuity correction.

    `only_a` and `only_b` count the images that A alone, or B alone, gets right. It is about these two models:
    pooled over seeds its type I error is .13 to .41, so use `crossed_t` there.
    Raises ValueError for negative counts.
    """
    from scipy.stats import binomtest

    if only_a < 0 or only_b < 0:
        raise ValueError(f"counts of images cannot be negative: {only_a}, {only_b}")
    discordant = only_a + only_b
    if discordant == 0:
        return McNemar(only_a, only_b, 0.0, 1.0)
    p = float(binomtest(only_a, discordant, 0.5).pvalue)
    return McNemar(only_a, only_b, (only_a - only_b) ** 2 / discordant, p)


def friedman(mean_ranks: ArrayLike, blocks: int) -> Friedman:
    """Friedman's test from mean ranks, shape (methods,), over `blocks` data sets (Demsar, JMLR 2006).

    Section 3.2.2 there, without correction for ties. If all blocks agree, F is infinite.
    Raises ValueError for fewer than two methods or blocks, or ranks whose mean is not (m + 1) / 2.
    """
    from scipy.special import chdtrc, fdtrc

    ranks = np.asarray(mean_ranks, dtype=np.float64)
    m = len(ranks)
    if m < 2 or blocks < 2:
        raise ValueError(f"needs at least 2 methods and 2 blocks, not {m} and {blocks}")
    if not math.isclose(ranks.mean(), (m + 1) / 2, rel_tol=1e-3):
        raise ValueError(f"mean ranks of {m} methods average {(m + 1) / 2}, not {ranks.mean():.4g}")
    chi_square = 12 * blocks / (m * (m + 1)) * float((ranks**2).sum() - m * (m + 1) ** 2 / 4)
    rest = blocks * (m - 1) - chi_square
    f = (blocks - 1) * chi_square / rest if rest > 1e-9 * blocks else math.inf
    p_f = float(fdtrc(m - 1, (m - 1) * (blocks - 1), f)) if math.isfinite(f) else 0.0
    return Friedman(chi_square, float(chdtrc(m - 1, chi_square)), f, p_f)


def critical_difference(methods: int, blocks: int, alpha: float = 0.05) -> float:
    """Nemenyi's critical difference of mean ranks, q_alpha sqrt(m (m + 1) / (6 N)) (Demsar 2006, 3.2.2).

    Raises ValueError for fewer than two methods or blocks, or alpha outside (0, 1).
    """
    from scipy.stats import studentized_range

    if methods < 2 or blocks < 2 or not 0 < alpha < 1:
        raise ValueError(f"needs 2 methods, 2 blocks and alpha in (0, 1), not {methods}, {blocks}, {alpha}")
    q = float(studentized_range.ppf(1 - alpha, methods, math.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * blocks))
