"""What the evidence of one table says: verdicts against the anchor, rank intervals, and whether they generalise."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from prunemark.leaderboard.inference.crossed import CrossedComparison, correctness_difference, crossed_t
from prunemark.leaderboard.inference.interim import FINAL_SEEDS, INTERIM_SEEDS, p_at_interim, p_with_interim
from prunemark.leaderboard.inference.multiplicity import RANK_SEEDS, VERDICT_SEEDS, Verdict, against_anchor, holm, judge
from prunemark.leaderboard.inference.ranks import rank_intervals
from prunemark.leaderboard.inference.statistics import VariancePrior

Correctness = NDArray[np.bool_]


@dataclass(frozen=True)
class Standings:
    """By method, the anchor left out of `verdicts` and `generalises`: all of it holds for one release's field.

    `ranks` is empty with fewer than 8 seeds.
    """

    verdicts: Mapping[str, Verdict]
    ranks: Mapping[str, tuple[int, int]]
    generalises: Mapping[str, CrossedComparison]


def stand(
    scores: Mapping[str, Sequence[float]],
    correct: Mapping[str, Correctness],
    anchor: str,
    *,
    quantum_percent: float,
    margin_pp: float,
    prior: VariancePrior | None = None,
    withheld: Collection[str] = (),
) -> Standings:
    """The standings of one field.

    `scores` are accuracies in percent, shape (seeds,), of every method, in order of the seeds; `correct` is shape
    (seeds, examples), of those with results on all their seeds. With exactly ten seeds both interim looks are charged
    for: the first five seeds and all ten. A method may then have the first five alone: it is judged at that look, and
    not ranked. Methods that are `withheld` get no verdict, no rank and cost nobody anything.

    Raises ValueError for any other number of seeds.
    """
    seeds = len(scores[anchor])
    interim = seeds == FINAL_SEEDS
    if seeds < 2 or len(scores) < 2:
        return Standings({}, {}, {})
    allowed = {seeds, INTERIM_SEEDS} if interim else {seeds}
    if odd := [name for name, values in scores.items() if len(values) not in allowed]:
        raise ValueError(f"{odd[0]} has {len(scores[odd[0]])} seeds, and the anchor {seeds}")
    whole = {name: values for name, values in scores.items() if len(values) == seeds}
    comparisons = against_anchor(whole, anchor, quantum_percent=quantum_percent, prior=prior)
    first = None
    if interim:
        early = {name: values[:INTERIM_SEEDS] for name, values in scores.items()}
        first = against_anchor(early, anchor, quantum_percent=quantum_percent, prior=prior)
        comparisons |= {name: found for name, found in first.items() if name not in whole}
    verdicts = judge(
        comparisons,
        margin_pp=margin_pp,
        interim={name: found for name, found in first.items() if name in whole} if first else None,
        at_interim=scores.keys() - whole,
        withheld=withheld,
    )
    ranks: dict[str, tuple[int, int]] = {}
    if seeds >= RANK_SEEDS and len(whole.keys() - set(withheld)) > 1:
        ranks = rank_intervals(whole, quantum_percent, prior=prior, interim=interim, withheld=withheld)
    crossed = generalising(correct, anchor, interim=interim, withheld=withheld)
    return Standings(verdicts, ranks, {name: _also_for_seeds(c, verdicts[name]) for name, c in crossed.items()})


def _also_for_seeds(crossed: CrossedComparison, verdict: Verdict) -> CrossedComparison:
    """Whoever says that it holds for new seeds and new images says that it holds for new seeds: the larger p of both.

    By itself the crossed test can have the smaller one, because images give it more degrees of freedom than k - 1.
    """
    if crossed.p_holm is None or verdict.p_holm is None:
        return replace(crossed, p_holm=None)
    return replace(crossed, p_holm=max(crossed.p_holm, verdict.p_holm))


def generalising(
    correct: Mapping[str, Correctness], anchor: str, *, interim: bool = False, withheld: Collection[str] = ()
) -> dict[str, CrossedComparison]:
    """Every method against the anchor for new seeds and new images (E2), with Holm over this family.

    `p_holm` stays None with fewer than 5 seeds and for methods that are `withheld`. With `interim`, both interim looks
    are charged for, in the direction of the estimate on all seeds; of a method with the first five seeds, that look
    alone.
    """
    if anchor not in correct or min(correct[anchor].shape) < 2:
        return {}
    seeds, examples = correct[anchor].shape
    allowed = {(seeds, examples), (INTERIM_SEEDS, examples)} if interim else {(seeds, examples)}
    found = {
        name: crossed_t(correctness_difference(values, correct[anchor][: len(values)]))
        for name, values in correct.items()
        if name != anchor and values.shape in allowed
    }

    def p(name: str) -> float:
        if len(correct[name]) < seeds:
            return p_at_interim(found[name])
        return p_with_interim(found[name], _first(correct[name], correct[anchor]) if interim else None)

    tested = [name for name, c in found.items() if c.seeds >= VERDICT_SEEDS and name not in withheld]
    raw = [p(name) for name in tested]
    adjusted = dict(zip(tested, holm(raw), strict=True))
    return {name: replace(comparison, p_holm=adjusted.get(name)) for name, comparison in found.items()}


def _first(values: Correctness, anchor: Correctness) -> CrossedComparison:
    return crossed_t(correctness_difference(values[:INTERIM_SEEDS], anchor[:INTERIM_SEEDS]))
