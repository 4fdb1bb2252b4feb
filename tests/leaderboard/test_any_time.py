"""Evidence at any time: known answers, the integral computed by itself, and error rates when one stops at will."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from prunemark.leaderboard.inference import any_time
from prunemark.leaderboard.inference.any_time import (
    Path,
    e_holm,
    half_width,
    interval,
    log_e,
    log_e_below,
    log_e_equivalent,
    path_of,
)

KNOWN = [(4.952389, 5, 9.538299), (-4.062128, 10, 25.475148), (2.0, 20, 1.334477), (0.3, 50, 0.146470)]


def at(t, seeds, sd=1.0):
    """A path of which only the last number of seeds is looked at: with this t there."""
    mean = np.zeros(seeds)
    mean[-1] = t * sd / math.sqrt(seeds)
    return Path(mean, np.full(seeds, sd))


def by_quadrature(t, n, g, sides=(-1, 1)):
    """The mixed noncentral t density over the central one, effect by effect."""

    def weighed(effect):
        return stats.nct.pdf(t, n - 1, effect * math.sqrt(n)) * stats.norm.pdf(effect, scale=1 / math.sqrt(g))

    reach = 12 / math.sqrt(g)
    halves = {-1: (-reach, 0), 1: (0, reach)}
    centre = t / math.sqrt(n)
    parts = [
        quad(weighed, *halves[side], points=[centre] if halves[side][0] < centre < halves[side][1] else None, limit=500)
        for side in sides
    ]
    return sum(part[0] for part in parts) * 2 / len(sides) / stats.t.pdf(t, n - 1)


@pytest.mark.parametrize(("t", "n", "e"), KNOWN)
def test_the_published_values_come_out(t, n, e, monkeypatch):
    monkeypatch.setattr(any_time, "PRECISIONS", (1.0,))
    assert math.exp(log_e(at(t, n))[-1]) == pytest.approx(e, abs=5e-7)


@pytest.mark.parametrize(("t", "n"), [(4.95, 5), (-2.1, 8), (0.4, 12), (-3.0, 30)])
def test_both_processes_are_the_integrals_that_they_stand_for(t, n):
    whole = np.mean([by_quadrature(t, n, g) for g in any_time.PRECISIONS])
    below = np.mean([by_quadrature(t, n, g, sides=(-1,)) for g in any_time.PRECISIONS])
    assert math.exp(log_e(at(t, n))[-1]) == pytest.approx(whole, rel=1e-6)
    assert math.exp(log_e_below(at(t, n), 0.0)[-1]) == pytest.approx(below, rel=1e-6)


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=12), st.floats(0.01, 100))
def test_nothing_depends_on_the_unit(steps, unit):
    d = np.array(steps, dtype=float)
    one = log_e(path_of(d, quantum_percent=1e-3))
    other = log_e(path_of(d * unit, quantum_percent=1e-3 * unit))
    assert np.allclose(one, other, atol=1e-6)


def test_the_interval_has_the_widths_of_the_sequence(monkeypatch):
    assert interval(path_of([1.0, 2.0, 1.5], quantum_percent=0.1)) == (-math.inf, math.inf)
    assert half_width(4) < math.inf
    monkeypatch.setattr(any_time, "PRECISIONS", (1.0,))
    known = {5: 3.78, 6: 2.22, 8: 1.50, 10: 1.22, 15: 0.91, 20: 0.77, 30: 0.61, 40: 0.53, 60: 0.43, 100: 0.33}
    assert {n: round(half_width(n), 2) for n in known} == known
    assert half_width(4) == math.inf


@given(st.lists(st.floats(-5, 5), min_size=5, max_size=30))
def test_the_interval_is_what_the_process_does_not_reject(d):
    path = path_of(d, quantum_percent=0.1)
    low, high = interval(path)
    for bound in (low, high):
        assert math.exp(log_e(path, bound)[-1]) == pytest.approx(20, rel=1e-6)


def test_equal_differences_are_not_infinitely_sure():
    path = path_of([0.1] * 8, quantum_percent=0.1)
    assert np.isfinite(log_e(path)).all() and path.sd[-1] == pytest.approx(0.1 / math.sqrt(6))


def test_adjusted_p_by_hand():
    e = [100.0, 10.0, 30.0]  # 3/100, 2/30, 1/10
    assert e_holm(np.log(e).tolist()) == pytest.approx([0.03, 0.1, 2 / 30])
    assert e_holm([0.0, -3.0]) == [1.0, 1.0] and e_holm([]) == []
    with pytest.raises(ValueError, match="number"):
        e_holm([math.nan])


def ever(draw, evidence, paths=2000, seeds=40, level=20.0):
    """The share of paths on which the evidence ever reached the level, looked at after every seed from the third."""
    generator = np.random.default_rng(7)
    hits = 0
    for _ in range(paths):
        found = evidence(path_of(draw(generator, seeds), quantum_percent=0.01))
        hits += bool((found[any_time.LEAST_SEEDS - 1 :] >= math.log(level)).any())
    return hits / paths


def normal(mean):
    return lambda generator, seeds: generator.normal(mean, 1.0, seeds)


def heavy(generator, seeds):
    return generator.standard_t(3, seeds)


def rounded(generator, seeds):
    return np.round(generator.normal(0, 0.02, seeds), 2)


@pytest.mark.parametrize("draw", [normal(0.0), heavy, rounded])
def test_a_difference_that_is_none_is_seldom_found_however_long_one_waits(draw):
    assert ever(draw, log_e) <= 0.05


def test_equivalence_at_the_margin_is_seldom_found_however_long_one_waits():
    assert ever(normal(0.8), lambda path: log_e_equivalent(path, 0.8)) <= 0.05
    assert ever(normal(1.0), lambda path: log_e_equivalent(path, 0.8)) <= 0.05


def test_what_is_there_is_found():
    assert ever(normal(1.5), log_e, paths=300) > 0.95
    assert ever(normal(0.0), lambda path: log_e_equivalent(path, 1.5), paths=300) > 0.95


def test_what_is_refused():
    for values, quantum in ([[], 0.1], [[math.nan], 0.1], [[1.0], 0.0]):
        with pytest.raises(ValueError):
            path_of(values, quantum_percent=quantum)
    with pytest.raises(ValueError, match="alpha"):
        interval(path_of([1.0, 2.0], quantum_percent=0.1), alpha=0.0)
