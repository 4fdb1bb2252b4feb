"""New images: known answers, peers, degenerate tables. Type I errors: `test_simulations.py`."""

from __future__ import annotations

import math
from dataclasses import astuple
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from prunemark.leaderboard.inference.crossed import (
    CrossedComparison,
    TwoWay,
    _mean_squares,
    correctness_difference,
    crossed_t,
)
from prunemark.leaderboard.inference.statistics import paired_t

# Shrout and Fleiss (Psychological Bulletin 1979), table 2: six targets, four judges
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]

fixed = settings(derandomize=True, deadline=None, database=None)


def table(generator: np.random.Generator, seeds: int, examples: int) -> NDArray[np.int8]:
    return generator.integers(-1, 2, (seeds, examples)).astype(np.int8)


def two_way(table: ArrayLike) -> TwoWay:
    """Of any table of numbers, by the definition."""
    values = np.asarray(table, dtype=np.float64)
    k, n = values.shape
    mean, rows, columns = values.mean(), values.mean(axis=1), values.mean(axis=0)
    squares = (n * (rows - mean) ** 2, k * (columns - mean) ** 2, (values - rows[:, None] - columns + mean) ** 2)
    return _mean_squares(*(float(each.sum()) for each in squares), k, n)


def flat(result: CrossedComparison) -> NDArray[np.float64]:
    return np.hstack([value for value in astuple(result) if value is not None])


def test_mean_squares_known_answer() -> None:
    parts = two_way(SHROUT_FLEISS)
    assert parts.ms_rows == pytest.approx(11.2417, abs=5e-5)
    assert parts.ms_columns == pytest.approx(32.4861, abs=5e-5)
    assert parts.ms_residual == pytest.approx(1.01944, abs=5e-6)
    assert parts.variance == pytest.approx(1.779514, abs=5e-7)
    assert parts.df == pytest.approx(4.8366, abs=5e-5)


def test_crossed_t_by_hand() -> None:
    """Rows (1, 0), (1, 1), (0, 1): MS_S 1/6, MS_I 0, MS_E 1/2, so that MS_S alone makes V."""
    result = crossed_t([[1, 0], [1, 1], [0, 1]])
    assert result.difference_pp == pytest.approx(100 * 2 / 3)
    assert result.standard_error_pp == pytest.approx(100 * math.sqrt(1 / 36))
    assert result.t == pytest.approx(4)
    assert result.df == pytest.approx((1 / 36) / (1 / 72 + 1 / 8))
    assert result.p_two_sided == pytest.approx(2 * stats.t.sf(4, result.df))


def test_the_same_difference_on_every_seed_is_a_t_test_over_images() -> None:
    images = np.random.default_rng(0).integers(-1, 2, 200)
    result, peer = crossed_t(np.tile(images, (5, 1))), stats.ttest_1samp(images, 0)
    assert (result.t, result.df) == pytest.approx((peer.statistic, 199))
    assert result.p_two_sided == pytest.approx(peer.pvalue)


def test_the_same_difference_on_every_image_is_a_t_test_over_seeds() -> None:
    seeds = np.array([1, 1, 0, 1, -1])
    result, peer = crossed_t(np.tile(seeds[:, None], (1, 50))), stats.ttest_1samp(seeds, 0)
    assert (result.t, result.df) == pytest.approx((peer.statistic, 4))
    interval = peer.confidence_interval(0.95)
    assert result.interval_pp == pytest.approx((100 * interval.low, 100 * interval.high))


@given(st.integers(0, 2**32 - 1))
@fixed
def test_mean_squares_add_up_and_order_does_not_matter(seed: int) -> None:
    generator = np.random.default_rng(seed)
    k, n = generator.integers(2, 12, 2)
    d = table(generator, k, n)
    parts = two_way(d)
    total = (k - 1) * parts.ms_rows + (n - 1) * parts.ms_columns + (k - 1) * (n - 1) * parts.ms_residual
    assert total == pytest.approx(((d - d.mean()) ** 2).sum())
    assert two_way(d.T).variance == pytest.approx(parts.variance)
    shuffled = d[generator.permutation(k)][:, generator.permutation(n)]
    assert flat(crossed_t(shuffled)) == pytest.approx(flat(crossed_t(d)))


@given(st.integers(0, 2**32 - 1))
@fixed
def test_crossed_t_is_antisymmetric_and_wider_than_seeds_alone(seed: int) -> None:
    generator = np.random.default_rng(seed)
    d = table(generator, 5, 40)
    forth, back = crossed_t(d), crossed_t(-d)
    assert (forth.t, forth.p_greater, forth.p_less) == (-back.t, back.p_less, back.p_greater)
    seeds_only = paired_t(100 * d.mean(axis=1), np.zeros(5), quantum_percent=1e-6)
    assert forth.difference_pp == pytest.approx(seeds_only.difference_pp)
    assert forth.standard_error_pp >= seeds_only.standard_error_pp * (1 - 1e-9)


@given(st.integers(0, 2**32 - 1))
@fixed
def test_whole_numbers_give_the_mean_squares_of_the_table(seed: int) -> None:
    generator = np.random.default_rng(seed)
    d = table(generator, *generator.integers(2, 12, 2))
    plain, ours = two_way(d), crossed_t(d)
    scale = d.size * max(plain.variance, 1 / (6 * d.shape[0] * d.shape[1] ** 2))
    assert (ours.standard_error_pp / 100) ** 2 * d.size == pytest.approx(scale)
    assert ours.df == pytest.approx(plain.df)


def test_models_that_agree_everywhere_are_not_told_apart() -> None:
    result = crossed_t(np.zeros((5, 100), dtype=np.int8))
    assert (result.t, result.p_two_sided, result.df) == (0, 1, 4)
    # rounding in steps of one image in 100: sqrt(1 / 6) points, over the root of five seeds
    assert result.standard_error_pp == pytest.approx(math.sqrt(1 / 30))
    low, high = result.interval_pp
    assert -1 < low < 0 < high < 1


def test_a_constant_difference_is_finite() -> None:
    result = crossed_t(np.ones((5, 100), dtype=np.int8))
    assert result.difference_pp == 100 and 0 <= result.p_two_sided < 1e-6
    assert np.isfinite(flat(result)).all()


@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (3, 2)])
def test_no_table_gives_nan(shape: tuple[int, int]) -> None:
    for entries in product((-1, 0, 1), repeat=shape[0] * shape[1]):
        result = crossed_t(np.reshape(entries, shape))
        assert not np.isnan(flat(result)).any()
        assert 0 <= result.p_two_sided <= 1


def test_a_table_whose_rows_and_columns_are_balanced_proves_nothing() -> None:
    result = crossed_t([[1, 0], [0, 1]])
    assert (result.df, result.p_two_sided, result.p_greater) == (0, 1, 1)
    assert result.interval_pp == (-math.inf, math.inf)


def test_correctness_difference() -> None:
    d = correctness_difference([[True, False], [True, True]], [[True, True], [False, True]])
    assert d.tolist() == [[0, -1], [1, 0]]
    with pytest.raises(ValueError, match=r"A has shape \(1, 2\) and B \(2, 1\)"):
        correctness_difference([[1, 0]], [[1], [0]])
    with pytest.raises(ValueError, match="booleans"):
        correctness_difference([[0.5, 1]], [[1, 0]])


def test_wrong_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="differences must be -1, 0 or 1"):
        crossed_t([[2, 0], [0, 1]])
    with pytest.raises(ValueError, match=r"at least 2 rows \(seeds\) and 2 columns"):
        crossed_t([[1, 0, 1]])
    with pytest.raises(ValueError, match="at least 2 rows"):
        crossed_t([1, 0, 1])
