"""What goes beyond one test set: new images (E2).

Evidence from the differences on single seeds is about one test set and new seeds (E1). To say that a difference
generalises takes a test that counts the images as a sample too: the crossed t.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prunemark.leaderboard.inference.statistics import student_interval, student_p


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


def _mean_squares(ss_rows: float, ss_columns: float, ss_residual: float, k: int, n: int) -> TwoWay:
    """From the sums of squares of a table of k rows and n columns, with rows and columns both random.

    V = max(MS_S + MS_I - MS_E, MS_S, MS_I) / (k N) with the degrees of freedom of Satterthwaite (Biometrics Bulletin
    1946). If all entries are equal, V is 0 and df is min(k, N) - 1; if only the residual varies, V and df are 0.
    """
    ms_rows, ms_columns, ms_residual = ss_rows / (k - 1), ss_columns / (n - 1), ss_residual / ((k - 1) * (n - 1))
    # a component of variance may be estimated below zero; the mean varies at least as with one factor fixed
    total = max(ms_rows + ms_columns - ms_residual, ms_rows, ms_columns)
    weights = ms_rows**2 / (k - 1) + ms_columns**2 / (n - 1) + ms_residual**2 / ((k - 1) * (n - 1))
    df = total**2 / weights if weights > 0 else float(min(k, n) - 1)
    return TwoWay(ms_rows, ms_columns, ms_residual, total / (k * n), df)


def _whole_numbers(table: NDArray[np.int8]) -> TwoWay:
    """Of a table of -1, 0 and 1: all sums are whole numbers, so that nothing is rounded before the end."""
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
    alone is. t = mean / sqrt(V), V and df as in `_mean_squares`; simulated type I error .03 to .07. As in
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
