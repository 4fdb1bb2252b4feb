"""Rank intervals: clear orders, ties, all pairs as one by one, and that they cover the true ranks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from prunemark.leaderboard.inference.interim import combine_interim
from prunemark.leaderboard.inference.multiplicity import holm
from prunemark.leaderboard.inference.ranks import rank_intervals
from prunemark.leaderboard.inference.statistics import VariancePrior, moments, paired_t

QUANTUM = 0.01
fixed = settings(derandomize=True, deadline=None, database=None)


def field(generator: np.random.Generator, means: Sequence[float], seeds: int) -> dict[str, NDArray[np.float64]]:
    """Accuracies in percent on 10,000 images; the seeds are shared, so that methods are paired."""
    base = generator.normal(0, 0.2, seeds)
    return {f"m{index}": np.round(mean + base + generator.normal(0, 0.1, seeds), 2) for index, mean in enumerate(means)}


def test_ranks_of_a_clear_order() -> None:
    scores = field(np.random.default_rng(1), [93, 91, 95, 92], 8)
    assert rank_intervals(scores, QUANTUM) == {"m0": (2, 2), "m1": (4, 4), "m2": (1, 1), "m3": (3, 3)}


def test_ranks_where_two_cannot_be_told_apart() -> None:
    scores = field(np.random.default_rng(2), [95, 95, 93, 93], 8)
    assert rank_intervals(scores, QUANTUM) == {"m0": (1, 2), "m1": (1, 2), "m2": (3, 4), "m3": (3, 4)}


def test_ranks_that_nothing_separates() -> None:
    assert rank_intervals({}, QUANTUM) == {}
    assert rank_intervals({"only": [93.0, 94.0]}, QUANTUM) == {"only": (1, 1)}
    equal = {name: [93.0, 93.5, 94.0] for name in "abc"}
    assert rank_intervals(equal, QUANTUM) == dict.fromkeys("abc", (1, 3))
    assert rank_intervals({"a": [99.0], "b": [1.0]}, QUANTUM) == {"a": (1, 2), "b": (1, 2)}


@given(st.integers(0, 2**32 - 1), st.sampled_from([5, 8, 10]), st.booleans())
@fixed
def test_ranks_are_those_of_the_paired_t_pair_by_pair(seed: int, seeds: int, moderated: bool) -> None:
    """All pairs are compared at once; to the last bit it is what one pair after the other gives."""
    prior, interim = VariancePrior(4, 0.1) if moderated else None, seeds == 10
    scores = field(np.random.default_rng(seed), [93, 93.1, 93.2, 93.5, 93.5], seeds)
    p_values = {}
    for a, b in permutations(scores, 2):
        last = paired_t(scores[a], scores[b], quantum_percent=QUANTUM, prior=prior)
        first = paired_t(scores[a][:5], scores[b][:5], quantum_percent=QUANTUM, prior=prior)
        p_values[a, b] = last.p_greater
        if interim:
            p_values[a, b] = combine_interim(first.p_greater, last.p_greater) if last.p_greater < 0.5 else 1.0
    better = [pair for pair, p in zip(p_values, holm(list(p_values.values())), strict=True) if p <= 0.05]
    expected = {m: (1 + sum(loser == m for _, loser in better), 5 - sum(m == w for w, _ in better)) for m in scores}
    assert rank_intervals(scores, QUANTUM, prior=prior, interim=interim) == expected
    differences = np.array([scores["m0"] - scores["m1"], scores["m2"] - scores["m3"]])
    batch = moments(differences, quantum_percent=QUANTUM, prior=prior)
    for row, (a, b) in enumerate([("m0", "m1"), ("m2", "m3")]):
        one = paired_t(scores[a], scores[b], quantum_percent=QUANTUM, prior=prior)
        assert (batch.mean[row], batch.sd[row], batch.df) == (one.difference_pp, one.sd_pp, one.df)
        assert [side[row] for side in batch.one_sided()] == [one.p_greater, one.p_less]


def test_a_method_whose_looks_are_not_paid_for_has_no_rank() -> None:
    scores = field(np.random.default_rng(1), [93, 91, 95], 8)
    assert rank_intervals(scores, QUANTUM, withheld={"m2"}) == {"m0": (1, 1), "m1": (2, 2)}
    assert rank_intervals(scores, QUANTUM, withheld={"m2", "m0"}) == {"m1": (1, 1)}


@given(st.integers(0, 2**32 - 1), st.permutations(range(8)), st.permutations(range(3)))
@fixed
def test_the_order_of_seeds_and_of_methods_changes_no_rank(seed: int, seeds: list[int], methods: list[int]) -> None:
    scores = field(np.random.default_rng(seed), [93, 93.1, 93.3], 8)
    shuffled = {f"m{index}": scores[f"m{index}"][seeds] for index in methods}
    assert rank_intervals(scores, QUANTUM) == rank_intervals(shuffled, QUANTUM)


def test_a_prior_reaches_every_pair() -> None:
    scores = field(np.random.default_rng(3), [93, 94], 5)
    vague = VariancePrior(df=100, sd_pp=50)
    assert rank_intervals(scores, QUANTUM) == {"m0": (2, 2), "m1": (1, 1)}
    assert rank_intervals(scores, QUANTUM, prior=vague) == {"m0": (1, 2), "m1": (1, 2)}


def test_ranks_over_two_looks_want_ten_seeds_and_the_same_for_all() -> None:
    scores = field(np.random.default_rng(1), [93, 91], 8)
    with pytest.raises(ValueError, match="two looks are at 5 and 10 seeds, not 8"):
        rank_intervals(scores, QUANTUM, interim=True)
    with pytest.raises(ValueError, match="m0 has 8 seeds and b has 3"):
        rank_intervals({**scores, "b": [1.0, 2.0, 3.0]}, QUANTUM)


def test_ranks_pay_for_all_pairs_both_ways() -> None:
    """One-sided p is .02 here: six tests want .05 / 6, so three methods are not separated and two are."""
    differences = np.array([0.55, 0.1, 0.5, 0.05, 0.3])
    low = np.full(5, 90.0)
    assert 0.05 / 6 < paired_t(differences, np.zeros(5), quantum_percent=QUANTUM).p_greater < 0.05 / 2
    assert rank_intervals({"a": low + differences, "b": low}, QUANTUM) == {"a": (1, 1), "b": (2, 2)}
    three = {"a": low + differences, "b": low, "c": low + differences / 2}
    assert rank_intervals(three, QUANTUM)["a"] == (1, 3)


@pytest.mark.parametrize("means", [[93.0] * 4, [93.0, 93.0, 93.2, 93.6]])
def test_rank_intervals_cover_the_true_ranks(means: list[float]) -> None:
    generator = np.random.default_rng(13)
    # of equal methods, any order is a true ranking: the interval must cover all of their ranks
    true = {f"m{i}": (1 + sum(o > mean for o in means), sum(o >= mean for o in means)) for i, mean in enumerate(means)}
    missed = 0
    for _ in range(400):
        found = rank_intervals(field(generator, means, 8), QUANTUM)
        missed += any(found[name][0] > low or found[name][1] < high for name, (low, high) in true.items())
    assert missed / 400 <= 0.06


def test_a_first_look_that_pointed_the_other_way_does_not_rank() -> None:
    """B was far below A on five seeds, and is above it on all ten: the first look may not say that A is better."""
    scores = {"A": [98.0] * 10, "B": [97.0, 97.2, 96.8, 97.0, 97.1, 99.8, 99.9, 99.85, 99.8, 99.9]}
    assert rank_intervals(scores, QUANTUM, interim=True) == {"A": (1, 2), "B": (1, 2)}
    early = {name: values[:5] for name, values in scores.items()}
    assert rank_intervals(early, QUANTUM) == {"A": (1, 1), "B": (2, 2)}
