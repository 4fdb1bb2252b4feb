"""Rank intervals: the places that the evidence leaves open, from all pairs of methods at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import ArrayLike

from prunemark.leaderboard.inference.interim import FINAL_SEEDS, INTERIM_SEEDS, combine_interim
from prunemark.leaderboard.inference.multiplicity import holm
from prunemark.leaderboard.inference.statistics import Floats, VariancePrior, accuracies, moments


def rank_intervals(
    scores: Mapping[str, ArrayLike],
    quantum_percent: float,
    alpha: float = 0.05,
    prior: VariancePrior | None = None,
    *,
    interim: bool = False,
    withheld: Collection[str] = (),
) -> dict[str, tuple[int, int]]:
    """The ranks (lowest, highest) that the evidence leaves open for each method; rank 1 is the best.

    `scores` as in `multiplicity.against_anchor`. Holm over the m (m - 1) one-sided paired tests; L = 1 + the number of
    methods significantly better, U = m - the number significantly worse, so that all intervals together
    cover the true ranks with confidence 1 - alpha (Mogstad et al., Review of Economic Studies 2024, with
    Holm for their step-down bootstrap). Methods with L = 1 are the top set. With one method, or one seed,
    nothing is separated. Fewer than 8 seeds are computed all the same: whether to show the result
    is for `multiplicity.evidence_level` to say.

    With `interim`, each one-sided p is that of two interim looks, at the first 5 seeds and at all 10, in the direction
    of the estimate on all 10: a first interim look that pointed the other way must not count. Methods that are
    `withheld` are compared with none and have no rank: the others are ranked among themselves. Raises ValueError as
    `paired_t` does, and for looks at other numbers of seeds.
    """
    names = [name for name in scores if name not in withheld]
    lowest, highest = dict.fromkeys(names, 1), dict.fromkeys(names, len(names))
    pairs = [(a, b) for a in range(len(names)) for b in range(a)]
    if not pairs:
        return {name: (1, 1) for name in names}
    table = _table({name: scores[name] for name in names})
    first, second = np.array(pairs).T
    differences = table[first] - table[second]  # (pairs, seeds)
    p_values = _one_sided(differences, quantum_percent, prior)
    if interim:
        if table.shape[1] != FINAL_SEEDS:
            raise ValueError(f"two looks are at {INTERIM_SEEDS} and {FINAL_SEEDS} seeds, not {table.shape[1]}")
        early = _one_sided(differences[:, :INTERIM_SEEDS], quantum_percent, prior)
        p_values = [
            combine_interim(first, last) if last < 0.5 else 1.0 for first, last in zip(early, p_values, strict=True)
        ]
    adjusted = holm(p_values)
    for (winner, loser), p in zip([*pairs, *((b, a) for a, b in pairs)], adjusted, strict=True):
        if p <= alpha:
            highest[names[winner]] -= 1
            lowest[names[loser]] += 1
    return {name: (lowest[name], highest[name]) for name in names}


def _one_sided(differences: Floats, quantum_percent: float, prior: VariancePrior | None) -> list[float]:
    """The p of "the first is better" for every pair, then that of "the second is better"."""
    better, worse = moments(differences, quantum_percent=quantum_percent, prior=prior).one_sided()
    return [*better.tolist(), *worse.tolist()]


def _table(scores: Mapping[str, ArrayLike]) -> Floats:  # (methods, seeds)
    """All accuracies, or a ValueError that names the two methods that do not fit."""
    rows = {name: accuracies(values, name) for name, values in scores.items()}
    (first, row), *others = rows.items()
    for name, other in others:
        if len(row) != len(other):
            raise ValueError(f"{first} has {len(row)} seeds and {name} has {len(other)}: give both on those they share")
    return np.array(list(rows.values()))
