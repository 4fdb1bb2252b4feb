"""Rank intervals: the places that the evidence leaves open, from all pairs of methods at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from prunemark.leaderboard.inference.any_time import LEAST_SEEDS, Path, e_holm, log_e_below, path_of
from prunemark.leaderboard.inference.multiplicity import holm
from prunemark.leaderboard.inference.statistics import Floats, VariancePrior, accuracies, paired_t

Pair = tuple[str, str]


def rank_intervals(
    scores: Mapping[str, ArrayLike],
    quantum_percent: float,
    alpha: float = 0.05,
    *,
    planned: int | None = None,
    prior: VariancePrior | None = None,
    anchor: str = "",
    apart: Mapping[str, ArrayLike] = MappingProxyType({}),
) -> dict[str, tuple[int, int]]:
    """The ranks (lowest, highest) that the evidence leaves open for each method; rank 1 is the best.

    By `adjusted_pairs`, which has the arguments: L = 1 + the number of methods shown better, U = m - the number shown
    worse, so that all intervals together cover the true ranks with confidence 1 - alpha (Mogstad et al., Review of
    Economic Studies 2024, with Holm for their step-down bootstrap). Methods with L = 1 are the top set. Raises
    ValueError for accuracies that are not numbers.
    """
    pairs = adjusted_pairs(scores, quantum_percent, planned=planned, prior=prior, anchor=anchor, apart=apart)
    return places(list(scores), pairs, alpha)


def places(names: Sequence[str], pairs: Mapping[Pair, float], alpha: float = 0.05) -> dict[str, tuple[int, int]]:
    """The rank intervals of these methods from the adjusted p of their ordered pairs."""
    lowest, highest = dict.fromkeys(names, 1), dict.fromkeys(names, len(names))
    for (winner, loser), p in pairs.items():
        if p <= alpha:
            highest[winner] -= 1
            lowest[loser] += 1
    return {name: (lowest[name], highest[name]) for name in names}


def adjusted_pairs(
    scores: Mapping[str, ArrayLike],
    quantum_percent: float,
    *,
    planned: int | None = None,
    prior: VariancePrior | None = None,
    anchor: str = "",
    apart: Mapping[str, ArrayLike] = MappingProxyType({}),
) -> dict[Pair, float]:
    """For each ordered pair (A, B) the adjusted p of "A is better than B".

    `scores` as in `multiplicity.against_anchor`; each pair is compared on the seeds that both have. All m (m - 1)
    ordered pairs are tested, at any time by one-sided e-processes with e-Holm, or with `planned` by one-sided paired t
    with Holm on exactly so many seeds. Pairs with fewer than 3 seeds in common separate nothing. A method in `apart`
    has seeds of its own, on which that gives the accuracies of the `anchor`: against others it is shown better where it
    is better than the anchor, and the anchor better than they, which costs no test: the larger p of both.
    """
    rows = {name: _accuracies(values, name) for name, values in scores.items()}
    there = {name: accuracies(values, anchor) for name, values in apart.items() if name in rows}
    of_pairs = {(a, b): shared((a, b), rows, anchor, there) for a in rows for b in rows if a != b}
    if planned is None:
        adjusted = e_holm(_logs(of_pairs, quantum_percent))
    else:
        adjusted = holm([_planned_p(a, b, planned, quantum_percent, prior) for a, b in of_pairs.values()])
    found = dict(zip(of_pairs, adjusted, strict=True))
    if there:
        for a, b in found:
            if {a, b} & there.keys() and anchor not in (a, b):
                found[a, b] = max(found[a, anchor], found[anchor, b])
    return found


def _accuracies(values: ArrayLike, name: str) -> Floats:
    """Those of an anchor can be all on seeds of others."""
    return accuracies(values, name) if np.size(values) else np.zeros(0)


def shared(pair: Pair, rows: Mapping[str, Floats], anchor: str, apart: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """The accuracies of two methods on the seeds that both have: of one apart, with the anchor only."""
    a, b = pair
    if not {a, b} & apart.keys():
        seeds = min(len(rows[a]), len(rows[b]))
        return rows[a][:seeds], rows[b][:seeds]
    if anchor not in pair:
        return rows[a][:0], rows[b][:0]
    return (rows[a], apart[a]) if b == anchor else (apart[b], rows[b])


def _logs(of_pairs: Mapping[Pair, tuple[Floats, Floats]], quantum_percent: float) -> list[float]:
    """For every ordered pair, the largest log e so far of "the first is better"; pairs of as many seeds at once."""
    found = dict.fromkeys(of_pairs, 0.0)
    by_seeds: dict[int, list[Pair]] = {}
    for (a, b), (ours, _) in of_pairs.items():
        alike = by_seeds.setdefault(len(ours), [])
        if a < b:
            alike.append((a, b))
    for seeds, pairs in by_seeds.items():
        if seeds >= LEAST_SEEDS:
            differences = np.stack([of_pairs[pair][1] - of_pairs[pair][0] for pair in pairs])
            path = path_of(differences, quantum_percent=quantum_percent)
            better, worse = (log_e_below(Path(m, path.sd), 0.0).max(axis=-1).tolist() for m in (path.mean, -path.mean))
            for (a, b), first, second in zip(pairs, better, worse, strict=True):
                found[a, b], found[b, a] = first, second
    return list(found.values())


def _planned_p(a: Floats, b: Floats, planned: int, quantum_percent: float, prior: VariancePrior | None) -> float:
    """One-sided p of "A is better" on the planned seeds; 1 while they are not all there."""
    if min(len(a), len(b)) < planned:
        return 1.0
    return paired_t(a[:planned], b[:planned], quantum_percent=quantum_percent, prior=prior).p_greater
