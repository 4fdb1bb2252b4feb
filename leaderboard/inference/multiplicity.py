"""What depends on who else is in the field: Holm's correction and the verdicts against the anchor.

A family is the set of tests made together: here each method against the track's frozen anchor; of all pairs in
`ranks`. An adjusted p, a verdict and a rank interval hold for one release's field; estimates, intervals and raw
p-values (see `statistics`) do not change with the field.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from numpy.typing import ArrayLike

from prunemark.leaderboard.inference.any_time import LEAST_SEEDS, e_holm
from prunemark.leaderboard.inference.evidence import Evidence, evidence
from prunemark.leaderboard.inference.expected import MOST, further_seeds
from prunemark.leaderboard.inference.statistics import PairedComparison, VariancePrior, accuracies, probability
from prunemark.setups.errors import unknown_name

EvidenceLevel = Literal["no test", "waiting", "verdicts"]
Word = Literal["better", "worse", "equivalent", "undetermined"]

ALPHA = 0.05


@dataclass(frozen=True)
class Verdict:
    """What may be said of one method against the anchor, in the family it was judged with.

    `p_holm` (two-sided, of a difference) and `p_equivalence_holm` are adjusted for `family` tests; both are None when
    the evidence admits no verdict. On a track judged at any time they hold at any number of seeds (e-Holm), and so does
    the interval of `comparison`. `within_margin` says that equivalence was shown, which can also be true of a method
    that is better or worse, by little. `more_seeds` is how many more seeds an open verdict is expected to need; None
    where it is decided or nothing is expected, and on planned tracks how many of the planned seeds are not there yet.
    """

    word: Word
    evidence: EvidenceLevel
    comparison: PairedComparison
    family: int
    p_holm: float | None
    p_equivalence_holm: float | None
    within_margin: bool
    more_seeds: int | None


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given (Holm, Scandinavian Journal of Statistics 1979).

    Comparing them with alpha keeps the chance of any false rejection in the family at alpha, whatever the
    dependence between the tests. Raises ValueError for a p outside [0, 1].
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    ascending = sorted(range(len(p_values)), key=lambda index: probability(p_values[index]))
    for rank, index in enumerate(ascending):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def evidence_level(seeds: int, planned: int | None = None) -> EvidenceLevel:
    """What so many seeds admit: nothing (under 3, or before all planned ones are there), or verdicts."""
    if planned is not None and seeds < planned:
        return "waiting"
    return "verdicts" if seeds >= LEAST_SEEDS else "no test"


def seeds_in_words(seeds: int) -> str:
    """ "1 seed", "3 seeds"."""
    return f"{seeds} seed" + ("" if seeds == 1 else "s")


def interval_in_words(interval: tuple[float, float]) -> str:
    """ "[-0.20, +1.10]"; of so few seeds that they exclude no difference, "[any]"."""
    if any(map(math.isinf, interval)):
        return "[any]"
    return f"[{', '.join(f'{end:+.2f}'.replace('-0.00', '+0.00') for end in interval)}]"


def against_anchor(
    scores: Mapping[str, ArrayLike],
    anchor: str,
    *,
    quantum_percent: float,
    margin_pp: float,
    planned: int | None = None,
    prior: VariancePrior | None = None,
    apart: Mapping[str, ArrayLike] = MappingProxyType({}),
) -> dict[str, Evidence]:
    """Every other method minus the anchor, in the order of `scores`, each on the seeds that it has.

    `scores` gives each method's accuracies in percent, shape (seeds,), in the same order of seeds, each from the
    first on: a method may have fewer than the anchor. Of a method with seeds of its own, `apart` gives the anchor's
    accuracies on those. Raises InputError if the anchor is not among them, and ValueError for a method with more seeds
    than the anchor, and as `paired_t` does.
    """
    if anchor not in scores:
        raise unknown_name("anchor", anchor, scores)
    found = {}
    for name, values in scores.items():
        if name != anchor:
            ours = accuracies(values, name)
            theirs = accuracies(apart.get(name, scores[anchor]), anchor)
            if len(ours) > len(theirs):
                raise ValueError(f"{name} has {len(ours)} seeds and the anchor {anchor} {len(theirs)}")
            found[name] = evidence(
                ours, theirs[: len(ours)], quantum_percent=quantum_percent, margin_pp=margin_pp,
                planned=planned, prior=prior,
            )  # fmt: skip
    return found


def judge(comparisons: Mapping[str, Evidence], *, margin_pp: float, alpha: float = ALPHA) -> dict[str, Verdict]:
    """The verdict on each method, from the evidence of its comparison with the anchor (method minus anchor).

    better / worse: the difference is shown after Holm over the family. equivalent: it is not, and equivalence within
    the track's `margin_pp` (points) is, after Holm in its own family. undetermined: neither was shown, or nothing is
    tested yet. The families are the comparisons that are tested: the others cost nobody anything. Raises ValueError for
    a margin that is not positive.
    """
    tested = [name for name, found in comparisons.items() if found.tested]
    p_different = _adjusted([comparisons[name].log_different for name in tested], comparisons.values())
    p_equal = _adjusted([comparisons[name].log_equivalent for name in tested], comparisons.values())
    p_holm = dict(zip(tested, p_different, strict=True))
    p_equivalence_holm = dict(zip(tested, p_equal, strict=True))
    verdicts = {}
    for name, found in comparisons.items():
        p, p_equivalence = p_holm.get(name), p_equivalence_holm.get(name)
        # a method that is not tested would be one test more
        family = len(tested) + (name not in p_holm)
        within_margin = p_equivalence is not None and p_equivalence <= alpha
        word = _word(found.comparison, p is not None and p <= alpha, within_margin)
        verdicts[name] = Verdict(
            word=word,
            evidence=evidence_level(found.comparison.seeds, found.planned),
            comparison=found.comparison,
            family=family,
            p_holm=p,
            p_equivalence_holm=p_equivalence,
            within_margin=within_margin,
            more_seeds=_more_seeds(found, margin_pp, math.log(family / alpha)) if word == "undetermined" else None,
        )
    return verdicts


def _adjusted(logs: Sequence[float], whole: Collection[Evidence]) -> list[float]:
    """e-Holm of e-values; Holm of p-values, which planned evidence holds as 1 / p: the arithmetic is the same."""
    planned = {found.planned for found in whole}
    if len(planned) > 1:
        raise ValueError(f"no table mixes evidence at any time and planned evidence: {sorted(map(str, planned))}")
    return e_holm(logs)


def _more_seeds(found: Evidence, margin_pp: float, level: float) -> int | None:
    """How many more seeds an open verdict is expected to need, at the first Holm level of its family."""
    if found.planned is not None:
        return found.planned - found.comparison.seeds or None
    if not found.tested:
        return LEAST_SEEDS - found.comparison.seeds
    expected = further_seeds(found.path, margin_pp, log_different=level, log_equivalent=level)
    return None if expected >= MOST else math.ceil(expected)


def _word(comparison: PairedComparison, significant: bool, within_margin: bool) -> Word:
    if significant:
        # the side on which the evidence was found: at any time, later seeds can have left it
        return "better" if comparison.p_greater < comparison.p_less else "worse"
    return "equivalent" if within_margin else "undetermined"
