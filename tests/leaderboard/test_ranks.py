"""Rank intervals: clear orders, ties, all pairs as one by one, and that they cover the true ranks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from prunemark.leaderboard.inference.any_time import log_e_below, path_of
from prunemark.leaderboard.inference.multiplicity import holm
from prunemark.leaderboard.inference.ranks import rank_intervals
from prunemark.leaderboard.inference.statistics import VariancePrior, paired_t

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


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(2, 12), min_size=5, max_size=5))
@fixed
def test_ranks_are_those_of_the_e_processes_pair_by_pair(seed: int, counts: list[int]) -> None:
    """Each pair on the seeds that both have; the p of a pair is 1 over its largest e so far."""
    whole = field(np.random.default_rng(seed), [93, 93.1, 93.2, 93.5, 93.5], 12)
    scores = {name: values[:count] for (name, values), count in zip(whole.items(), counts, strict=True)}
    p_values = {}
    for a, b in permutations(scores, 2):
        shared = min(len(scores[a]), len(scores[b]))
        path = path_of(scores[b][:shared] - scores[a][:shared], quantum_percent=QUANTUM)
        p_values[a, b] = min(1.0, float(np.exp(-log_e_below(path, 0.0).max()))) if shared >= 3 else 1.0
    better = [pair for pair, p in zip(p_values, holm(list(p_values.values())), strict=True) if p <= 0.05]
    expected = {m: (1 + sum(loser == m for _, loser in better), 5 - sum(m == w for w, _ in better)) for m in scores}
    assert rank_intervals(scores, QUANTUM) == expected


@given(st.integers(0, 2**32 - 1), st.booleans())
@fixed
def test_planned_ranks_are_those_of_the_paired_t_pair_by_pair(seed: int, moderated: bool) -> None:
    prior = VariancePrior(4, 0.1) if moderated else None
    scores = field(np.random.default_rng(seed), [93, 93.1, 93.2, 93.5, 93.5], 9)
    p_values = {
        (a, b): paired_t(scores[a][:7], scores[b][:7], quantum_percent=QUANTUM, prior=prior).p_greater
        for a, b in permutations(scores, 2)
    }
    better = [pair for pair, p in zip(p_values, holm(list(p_values.values())), strict=True) if p <= 0.05]
    expected = {m: (1 + sum(loser == m for _, loser in better), 5 - sum(m == w for w, _ in better)) for m in scores}
    assert rank_intervals(scores, QUANTUM, planned=7, prior=prior) == expected


def test_before_a_planned_look_nothing_is_separated() -> None:
    scores = field(np.random.default_rng(1), [93, 91, 95], 8)
    assert rank_intervals(scores, QUANTUM, planned=8) == {"m0": (2, 2), "m1": (3, 3), "m2": (1, 1)}
    assert rank_intervals(scores, QUANTUM, planned=9) == dict.fromkeys(scores, (1, 3))


@given(st.integers(0, 2**32 - 1), st.permutations(range(3)))
@fixed
def test_the_order_of_methods_changes_no_rank(seed: int, methods: list[int]) -> None:
    scores = field(np.random.default_rng(seed), [93, 93.1, 93.3], 8)
    assert rank_intervals(scores, QUANTUM) == rank_intervals({f"m{i}": scores[f"m{i}"] for i in methods}, QUANTUM)


def test_a_prior_reaches_every_planned_pair() -> None:
    scores = field(np.random.default_rng(3), [93, 94], 5)
    vague = VariancePrior(df=100, sd_pp=50)
    assert rank_intervals(scores, QUANTUM, planned=5) == {"m0": (2, 2), "m1": (1, 1)}
    assert rank_intervals(scores, QUANTUM, planned=5, prior=vague) == {"m0": (1, 2), "m1": (1, 2)}


def test_ranks_pay_for_all_pairs_both_ways() -> None:
    """Two methods have two tests, three have six: what separates two alone does not among three."""
    differences = np.array([0.5, 0.2, 0.45, 0.15, 0.3, 0.35])
    low = np.full(6, 90.0)
    evidence = log_e_below(path_of(-differences, quantum_percent=QUANTUM), 0.0).max()
    assert np.log(2 / 0.05) < evidence < np.log(6 / 0.05)
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
        found = rank_intervals(field(generator, means, 12), QUANTUM)
        missed += any(found[name][0] > low or found[name][1] < high for name, (low, high) in true.items())
    assert missed / 400 <= 0.06
