"""The paired test, its interval, equivalence and power: known answers, peers, properties, error rates."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prunemark.leaderboard.inference.statistics import (
    PairedComparison,
    VariancePrior,
    paired_t,
    student_interval,
    student_p,
    tost,
)

A = [93.82, 93.71, 93.95, 93.60, 93.88]
B = [93.51, 93.55, 93.62, 93.49, 93.50]
QUANTUM = 0.01  # 10,000 test images

# Student (Biometrika 1908): hours of sleep gained with two drugs, ten patients
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

fixed = settings(derandomize=True, deadline=None, database=None)
images_right = st.integers(0, 10_000).map(lambda count: count / 100)
pairs = st.lists(st.tuples(images_right, images_right), min_size=2, max_size=12)


def compare(a: object, b: object, prior: VariancePrior | None = None) -> PairedComparison:
    return paired_t(np.asarray(a), np.asarray(b), quantum_percent=QUANTUM, prior=prior)


def test_five_seeds_known_answer() -> None:
    result = compare(A, B)
    assert result.seeds == 5 and result.df == 4
    assert result.t == pytest.approx(4.952389, abs=5e-7)
    assert result.p_two_sided == pytest.approx(0.007748, abs=5e-7)
    assert result.interval_pp == pytest.approx((0.113358, 0.402642), abs=5e-7)
    assert result.difference_pp == pytest.approx(0.258)
    assert result.effect == pytest.approx(4.952389 / math.sqrt(5), abs=5e-7)
    assert (result.wins, result.ties, result.floored) == (5, 0, False)


def test_sleep_known_answer() -> None:
    result = compare(SLEEP_1, SLEEP_2)
    assert result.t == pytest.approx(-4.062128, abs=5e-7)
    assert result.p_two_sided == pytest.approx(0.00283289, abs=5e-9)
    assert result.interval_pp == pytest.approx((-2.459886, -0.700114), abs=5e-7)
    assert (result.wins, result.ties) == (0, 1)


def test_moderated_known_answer() -> None:
    result = compare(A, B, VariancePrior(df=4, sd_pp=0.2))
    assert result.df == 8
    assert result.t == pytest.approx(3.524998, abs=5e-7)
    assert result.p_two_sided == pytest.approx(0.0077888, abs=5e-8)


@pytest.mark.parametrize(("margin_pp", "p"), [(2, 0.154157), (3, 0.00265557)])
def test_tost_known_answer(margin_pp: float, p: float) -> None:
    assert tost(compare(SLEEP_1, SLEEP_2), margin_pp).p == pytest.approx(p, rel=3e-6)


@given(pairs)
@fixed
def test_agrees_with_scipy(scores: list[tuple[float, float]]) -> None:
    a, b = np.array(scores).T
    ours = compare(a, b)
    if ours.floored:
        return
    peer = stats.ttest_rel(a, b)
    assert ours.t == pytest.approx(peer.statistic, rel=1e-6, abs=1e-9)
    assert ours.p_two_sided == pytest.approx(peer.pvalue, rel=1e-5, abs=1e-12)
    interval = peer.confidence_interval(0.95)
    assert ours.interval_pp == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-9)
    assert ours.p_greater == pytest.approx(stats.ttest_rel(a, b, alternative="greater").pvalue, rel=1e-5)
    assert ours.p_less == pytest.approx(stats.ttest_rel(a, b, alternative="less").pvalue, rel=1e-5)


@given(pairs)
@fixed
def test_antisymmetry(scores: list[tuple[float, float]]) -> None:
    a, b = np.array(scores).T
    forth, back = compare(a, b), compare(b, a)
    assert forth.difference_pp == -back.difference_pp
    assert forth.t == -back.t and forth.effect == -back.effect
    assert (forth.p_greater, forth.p_less) == (back.p_less, back.p_greater)
    assert forth.p_two_sided == back.p_two_sided
    assert forth.interval_pp == pytest.approx((-back.interval_pp[1], -back.interval_pp[0]))
    assert forth.wins + back.wins + forth.ties == len(a)
    assert tost(forth, 0.3).p == tost(back, 0.3).p


@given(st.permutations(range(10)))
@fixed
def test_the_order_of_the_seeds_changes_nothing_at_all(order: list[int]) -> None:
    a, b = np.array(SLEEP_1) / 3, np.array(SLEEP_2) / 7
    assert astuple(compare(a[order], b[order])) == astuple(compare(a, b))


@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_equivalence_is_the_interval_inside_the_margin(alpha: float) -> None:
    differences = np.random.default_rng(9).normal(0, 0.3, (500, 5))
    results = [tost(compare(d, np.zeros(5)), 0.3, alpha=alpha) for d in differences]
    inside = [r.interval_pp[0] > -0.3 and r.interval_pp[1] < 0.3 for r in results]
    assert inside == [r.p < alpha for r in results]
    assert any(inside) and not all(inside)


def test_equal_accuracies_on_every_seed_rest_on_the_variance_floor() -> None:
    result = compare([79.70] * 3, [79.70] * 3)
    assert result.floored and result.sd_pp == pytest.approx(QUANTUM / math.sqrt(6))
    assert (result.t, result.p_two_sided, result.wins, result.ties) == (0, 1, 0, 3)
    assert tost(result, 0.3).p < 1e-3
    low, high = result.interval_pp
    assert -0.3 < low < 0 < high < 0.3
    assert all(math.isfinite(number) for number in astuple(result) if isinstance(number, float))


def test_the_floor_depends_on_the_size_of_the_test_set() -> None:
    """A constant lead of one image in 100 and of one in 10,000 has the same t, and not more."""
    coarse = paired_t([51.0] * 5, [50.0] * 5, quantum_percent=1)
    fine = paired_t([50.01] * 5, [50.0] * 5, quantum_percent=0.01)
    assert coarse.t == pytest.approx(fine.t) == pytest.approx(math.sqrt(30))
    assert coarse.floored and fine.floored


def test_a_spread_below_the_floor_is_raised_to_it() -> None:
    """Nine leads of one image and one of two: their variance is q^2 / 10, less than rounding alone gives."""
    result = paired_t([51.0] * 9 + [52.0], [50.0] * 10, quantum_percent=1)
    assert result.floored and result.sd_pp == pytest.approx(math.sqrt(1 / 6))
    above = paired_t([51.0] * 8 + [52.0] * 2, [50.0] * 10, quantum_percent=1)
    assert not above.floored and above.sd_pp == pytest.approx(math.sqrt(8 / 45))


def test_a_tie_is_less_than_half_an_image_apart() -> None:
    result = paired_t([50.0 + 1e-13, 51.0, 49.0], [50.0, 50.0, 50.0], quantum_percent=1)
    assert (result.wins, result.ties) == (1, 1)


def test_one_seed_has_an_estimate_and_no_evidence() -> None:
    result = compare([93.8], [93.5])
    assert result.difference_pp == pytest.approx(0.3)
    assert (result.p_two_sided, result.p_greater, result.p_less) == (1, 1, 1)
    assert result.interval_pp == (-math.inf, math.inf) == tost(result, 0.3).interval_pp
    assert tost(result, 0.3).p == 1 and result.effect == 0
    assert not any(math.isnan(number) for number in astuple(result) if isinstance(number, float))


def test_one_seed_with_a_prior_has_the_priors_variance() -> None:
    result = compare([93.8], [93.5], VariancePrior(df=4, sd_pp=0.2))
    assert (result.df, result.sd_pp) == (4, 0.2)
    assert result.t == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("a", "b", "quantum", "message"),
    [
        ([1.0, 2.0], [1.0], 0.01, "A has 2 seeds and B has 1"),
        ([], [], 0.01, "one accuracy a seed"),
        ([[1.0]], [[1.0]], 0.01, r"not shape \(1, 1\)"),
        ([1.0, math.nan], [1.0, 2.0], 0.01, "A has an accuracy that is not a finite number"),
        ([1.0, 2.0], [1.0, 2.0], 0.0, "quantum of accuracy in percent must be positive"),
        ([1.0, 2.0], [1.0, 2.0], math.nan, "quantum of accuracy in percent must be positive"),
    ],
)
def test_wrong_accuracies_are_refused(a: object, b: object, quantum: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        paired_t(np.array(a), np.array(b), quantum_percent=quantum)


def test_other_wrong_inputs_are_refused() -> None:
    result = compare(A, B)
    with pytest.raises(ValueError, match="margin in points"):
        tost(result, 0)
    with pytest.raises(ValueError, match="alpha must lie"):
        tost(result, 0.3, alpha=0.5)
    with pytest.raises(ValueError, match="degrees of freedom"):
        VariancePrior(df=0, sd_pp=0.2)
    with pytest.raises(ValueError, match="standard deviation"):
        VariancePrior(df=4, sd_pp=math.inf)
    with pytest.raises(ValueError, match="a confidence must lie"):
        result.interval(95)


def test_the_t_distribution_agrees_with_scipy_stats() -> None:
    for df in (1, 2.7, 4, 4.8366, 9, 1e4):
        for t in (-300.0, -4.0, -0.5, 0.0, 2.0, 50.0):
            two_sided, greater, less = student_p(t, df)
            assert greater == pytest.approx(stats.t.sf(t, df), rel=1e-8)
            assert less == pytest.approx(stats.t.cdf(t, df), rel=1e-8)
            assert two_sided == pytest.approx(2 * stats.t.sf(abs(t), df), rel=1e-8)
        expected = stats.t.interval(0.9, df, loc=1, scale=2)
        assert student_interval(1, 2, df, 0.9) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_type_one_error_and_coverage_under_the_null(seeds: int) -> None:
    """2,000 pairs of equal methods on 10,000 images: error .05 up to 3 standard errors of the simulation."""
    generator = np.random.default_rng(20230105)
    base = generator.normal(93.5, 0.2, (2000, 1, seeds))
    accuracies = np.round(base + generator.normal(0, 0.1, (2000, 2, seeds)), 2)
    results = [compare(a, b) for a, b in accuracies]
    tolerance = 3 * math.sqrt(0.05 * 0.95 / 2000)
    assert np.mean([r.p_two_sided <= 0.05 for r in results]) == pytest.approx(0.05, abs=tolerance)
    assert np.mean([r.p_greater <= 0.05 for r in results]) == pytest.approx(0.05, abs=tolerance)
    missed = [not r.interval_pp[0] <= 0 <= r.interval_pp[1] for r in results]
    assert np.mean(missed) == pytest.approx(0.05, abs=tolerance)
