"""What the evidence of one table says: verdicts against the anchor, rank intervals, and whether they generalise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from prunemark.leaderboard.inference.crossed import CrossedComparison, correctness_difference, crossed_t
from prunemark.leaderboard.inference.multiplicity import Verdict, against_anchor, holm, judge
from prunemark.leaderboard.inference.ranks import Pair, adjusted_pairs, places
from prunemark.leaderboard.inference.statistics import VariancePrior

Correctness = NDArray[np.bool_]
CROSSED_SEEDS = 5
"""Below so many seeds the crossed t has too few degrees of freedom to be shown."""


@dataclass(frozen=True)
class Standings:
    """By method, the anchor left out of `verdicts` and `generalises`: all of it holds for one release's field.

    `ranks` and `pairs`, the adjusted p of "the first is better" by ordered pair, are empty where no method is tested.
    """

    verdicts: Mapping[str, Verdict]
    ranks: Mapping[str, tuple[int, int]]
    generalises: Mapping[str, CrossedComparison]
    pairs: Mapping[Pair, float] = field(default_factory=dict)


@dataclass(frozen=True)
class AnchorApart:
    """The anchor on the seeds of a method that has seeds of its own: accuracies, and per-example correctness."""

    scores: Sequence[float]
    correct: Correctness


def stand(
    scores: Mapping[str, Sequence[float]],
    correct: Mapping[str, Correctness],
    anchor: str,
    *,
    quantum_percent: float,
    margin_pp: float,
    planned: int | None = None,
    prior: VariancePrior | None = None,
    apart: Mapping[str, AnchorApart] = MappingProxyType({}),
) -> Standings:
    """The standings of one field.

    `scores` are accuracies in percent, shape (seeds,), of every method, in order of the seeds, from the first on: a
    method may have fewer than the anchor. `correct` is shape (seeds, examples), of those with results on all their
    seeds. Judged at any time, or with `planned` in one look at exactly so many seeds. Methods in `apart` have seeds of
    their own, and are compared with the anchor on these. Raises ValueError for another one with more seeds than the
    anchor.
    """
    compared = {name: values for name, values in scores.items() if len(values) > 1 or name == anchor}
    if len(compared) < 2:
        return Standings({}, {}, {})
    theirs = {name: anchor_there.scores for name, anchor_there in apart.items()}
    comparisons = against_anchor(
        compared, anchor, quantum_percent=quantum_percent, margin_pp=margin_pp, planned=planned, prior=prior,
        apart=theirs,
    )  # fmt: skip
    verdicts = judge(comparisons, margin_pp=margin_pp)
    tested = {name for name, verdict in verdicts.items() if verdict.p_holm is not None}
    them = {name: values for name, values in scores.items() if name == anchor or name in tested} if tested else {}
    pairs = adjusted_pairs(them, quantum_percent, planned=planned, prior=prior, anchor=anchor, apart=theirs)
    crossed = generalising(correct, anchor, {name: there.correct for name, there in apart.items()})
    generalises = {name: _also_for_seeds(c, verdicts[name]) for name, c in crossed.items() if name in verdicts}
    return Standings(verdicts, places(list(them), pairs), generalises, pairs)


def _also_for_seeds(crossed: CrossedComparison, verdict: Verdict) -> CrossedComparison:
    """Whoever says that it holds for new seeds and new images says that it holds for new seeds: the larger p of both.

    By itself the crossed test can have the smaller one, because images give it more degrees of freedom than k - 1.
    """
    if crossed.p_holm is None or verdict.p_holm is None:
        return replace(crossed, p_holm=None)
    return replace(crossed, p_holm=max(crossed.p_holm, verdict.p_holm))


def generalising(
    correct: Mapping[str, Correctness], anchor: str, apart: Mapping[str, Correctness] = MappingProxyType({})
) -> dict[str, CrossedComparison]:
    """Every method against the anchor for new seeds and new images (E2), with Holm over this family.

    Each on the seeds that it has, or with the anchor's images `apart` on those, and valid at this number of seeds, not
    at every one. `p_holm` stays None with fewer than 5 seeds.
    """
    if anchor not in correct:
        return {}
    theirs = {name: apart.get(name, correct[anchor]) for name in correct if name != anchor}
    found = {
        name: crossed_t(correctness_difference(correct[name], anchors[: len(correct[name])]))
        for name, anchors in theirs.items()
        if 1 < len(correct[name]) <= len(anchors) and correct[name].shape[1:] == anchors.shape[1:] != (1,)
    }
    tested = [name for name, c in found.items() if c.seeds >= CROSSED_SEEDS]
    adjusted = dict(zip(tested, holm([found[name].p_two_sided for name in tested]), strict=True))
    return {name: replace(comparison, p_holm=adjusted.get(name)) for name, comparison in found.items()}
