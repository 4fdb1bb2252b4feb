"""How many seeds it takes: known answers, and the smallest number that suffices."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from prunemark.leaderboard.inference.power import needed_seeds, paired_power

fixed = settings(derandomize=True, deadline=None, database=None)


def test_power_known_answer() -> None:
    exact = optimize.brentq(lambda n: paired_power(n, 0.5) - 0.8, 20, 50)
    assert exact == pytest.approx(33.3671, abs=5e-5)
    assert needed_seeds(sd_pp=0.6, margin_pp=0.3, tests=1) == 34
    assert paired_power(33.3671, -0.5) == paired_power(33.3671, 0.5)


@pytest.mark.parametrize(
    ("seeds", "tests", "sds"),
    [
        *[(3, 1, 3.3), (3, 7, 8.7), (3, 28, 17)],
        *[(5, 1, 1.7), (5, 7, 2.9), (5, 28, 4.1)],
        *[(10, 1, 1.0), (10, 7, 1.4), (10, 28, 1.7)],
    ],
)
def test_detectable_differences_are_as_docs_statistics_prints_them(seeds: int, tests: int, sds: float) -> None:
    found = optimize.brentq(lambda effect: paired_power(seeds, effect, 0.05 / tests) - 0.8, 0.0, 64.0)
    assert float(f"{found:.2g}") == sds


def test_needed_seeds_is_the_smallest_that_suffices() -> None:
    for sd, tests in [(0.1, 1), (0.2, 7), (0.5, 28), (3.0, 3)]:
        needed = needed_seeds(sd, 0.3, tests)
        assert needed is not None
        assert paired_power(needed, 0.3 / sd, 0.05 / tests) >= 0.8
        assert needed == 2 or paired_power(needed - 1, 0.3 / sd, 0.05 / tests) < 0.8
    assert needed_seeds(1e-4, 0.3, 1) == 2


def test_needed_seeds_gives_up_where_no_reasonable_number_would_do() -> None:
    assert needed_seeds(30, 0.3, tests=1, max_seeds=1000) is None
    assert needed_seeds(math.inf, 0.3, tests=1) is None
    assert needed_seeds(0.6, 0.3, tests=1, max_seeds=33) is None
    assert needed_seeds(0.6, 0.3, tests=1, max_seeds=34) == 34


@pytest.mark.parametrize("seeds", [2, 3, 10, 1000])
@pytest.mark.parametrize("effect", [0.0, 0.1, 3.0, 300.0, 1e6])
def test_power_is_a_probability_however_far_out(seeds: int, effect: float) -> None:
    assert 0 <= paired_power(seeds, effect, 0.05 / 870) <= 1


@pytest.mark.parametrize(("seeds", "effect", "tests"), [(7, 3.0, 14), (36, 0.8793496937395473, 248), (59, 5.76, 300)])
def test_power_is_right_where_scipys_cdf_is_not_a_number(seeds: int, effect: float, tests: int) -> None:
    assert paired_power(seeds, effect, 0.05 / tests) == pytest.approx(
        by_definition(seeds, effect, 0.05 / tests), abs=1e-7
    )


@pytest.mark.parametrize("effect", [1.0, 1.5, 1.9, 2.0])
def test_power_counts_significance_in_the_wrong_direction(effect: float) -> None:
    """Left out only where it is less than 1e-9."""
    right, wrong = by_definition(9, effect, 0.99), by_definition(9, -effect, 0.99)
    assert wrong > 1e-10
    assert paired_power(9, effect, 0.99) == pytest.approx(right + wrong, abs=3e-9)


def by_definition(seeds: int, effect: float, alpha: float) -> float:
    """The chance that z + shift exceeds the critical value times the root of chi^2 / df."""
    df, shift = seeds - 1, effect * math.sqrt(seeds)
    critical = stats.t.ppf(1 - alpha / 2, df)

    def beyond(square: float) -> float:
        return float(stats.chi2.pdf(square, df) * stats.norm.cdf(shift - critical * math.sqrt(square / df)))

    return float(integrate.quad(beyond, 0, df)[0] + integrate.quad(beyond, df, math.inf)[0])


@fixed
@given(
    st.floats(0.01, 30), st.floats(0.05, 5), st.integers(1, 400), st.floats(0.06, 0.99), st.sampled_from([2, 50, 1000])
)
def test_the_quick_search_finds_what_trying_all_numbers_finds(
    sd: float, margin: float, tests: int, power: float, most: int
) -> None:
    """Power grows with the number of seeds: halving the whole range is the plain way."""
    low, high = 1, most
    if paired_power(most, margin / sd, 0.05 / tests) < power:
        assert needed_seeds(sd, margin, tests, power=power, max_seeds=most) is None
        return
    while high - low > 1:
        middle = (low + high) // 2
        enough = paired_power(middle, margin / sd, 0.05 / tests) >= power
        low, high = (low, middle) if enough else (middle, high)
    assert needed_seeds(sd, margin, tests, power=power, max_seeds=most) == high


def test_wrong_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 seeds"):
        paired_power(1, 1.0)
    with pytest.raises(ValueError, match="alpha must lie"):
        paired_power(5, 1.0, alpha=1)
    with pytest.raises(ValueError, match="at least 1 test"):
        needed_seeds(0.2, 0.3, tests=0)
    with pytest.raises(ValueError, match="standard deviation in points"):
        needed_seeds(0, 0.3, tests=1)
    with pytest.raises(ValueError, match="power must lie"):
        needed_seeds(0.2, 0.3, tests=1, power=0.01)
