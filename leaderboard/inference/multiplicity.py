"""What depends on who else is in the field: Holm's correction and the verdicts against the anchor.

A family is the set of tests made together: here each method against the track's frozen anchor; of all pairs in
`ranks`. An adjusted p, a verdict and a rank interval hold for one release's field; estimates, intervals and raw
p-values (see `statistics`) do not change with the field.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from numpy.typing import ArrayLike

from prunemark.leaderboard.inference.interim import (
    FINAL_SEEDS,
    INTERIM_SEEDS,
    combine_interim,
    p_at_interim,
    p_equivalent_with_interim,
    p_with_interim,
)
from prunemark.leaderboard.inference.power import needed_seeds
from prunemark.leaderboard.inference.statistics import (
    Equivalence,
    PairedComparison,
    VariancePrior,
    paired_t,
    probability,
    tost,
)
from prunemark.setups.errors import unknown_name

EvidenceLevel = Literal["no test", "screening", "verdicts", "ranks"]
Word = Literal["better", "worse", "equivalent", "undetermined"]

SCREENING_SEEDS, VERDICT_SEEDS, RANK_SEEDS = 3, 5, 8


@dataclass(frozen=True)
class Verdict:
    """What may be said of one method against the anchor, in the family it was judged with.

    `p_holm` (two-sided, of a difference) and `p_equivalence_holm` are adjusted for `family` tests, and for
    two interim looks if there were two; both are None when the evidence admits no verdict. `within_margin` says
    that equivalence was shown, which can also be true of a method that is better or worse, by little.
    `needed_seeds` is the number that would find a difference as large as the margin with power .8 in this
    family, None if no reasonable number would. The interval of `equivalence` is not adjusted.
    """

    word: Word
    evidence: EvidenceLevel
    comparison: PairedComparison
    equivalence: Equivalence
    family: int
    p_holm: float | None
    p_equivalence_holm: float | None
    within_margin: bool
    needed_seeds: int | None


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


def evidence_level(seeds: int) -> EvidenceLevel:
    """What so many seeds admit: nothing (under 3), intervals only (3, 4), verdicts (5 on), ranks (8 on)."""
    if seeds >= RANK_SEEDS:
        return "ranks"
    if seeds >= VERDICT_SEEDS:
        return "verdicts"
    return "screening" if seeds >= SCREENING_SEEDS else "no test"


def seeds_in_words(seeds: int) -> str:
    """ "1 seed", "3 seeds"."""
    return f"{seeds} seed" + ("" if seeds == 1 else "s")


def against_anchor(
    scores: Mapping[str, ArrayLike],
    anchor: str,
    *,
    quantum_percent: float,
    prior: VariancePrior | None = None,
) -> dict[str, PairedComparison]:
    """Every other method minus the anchor, in the order of `scores`.

    `scores` gives each method's accuracies in percent, shape (seeds,), all on the same seeds in the same
    order. Raises InputError if the anchor is not among them, and ValueError as `paired_t` does.
    """
    if anchor not in scores:
        raise unknown_name("anchor", anchor, scores)
    return {name: _compare(scores, name, anchor, quantum_percent, prior) for name in scores if name != anchor}


def judge(
    comparisons: Mapping[str, PairedComparison],
    *,
    margin_pp: float,
    alpha: float = 0.05,
    interim: Mapping[str, PairedComparison] | None = None,
    at_interim: Collection[str] = (),
    withheld: Collection[str] = (),
) -> dict[str, Verdict]:
    """The verdict on each method, from its comparison with the anchor (method minus anchor).

    better / worse: the difference is significant after Holm over the family. equivalent: it is not, and
    both one-sided tests at the track's `margin_pp` (points) are, after Holm in their own family and on all seeds.
    undetermined: neither was shown, or there are fewer than 5 seeds. The families are the comparisons
    that have 5 seeds or more: the others are not tested, so they cost nobody anything.

    `interim` holds, for methods that went on from 5 seeds to 10, the comparison on those first 5: both
    looks then count, by `combine_interim`, in the direction of the estimate on all 10. Leave a method out that
    was planned with 10 seeds from the start. Methods `at_interim` have those 5 seeds and not yet the others; they
    are of the same family, and pay for that look alone. Methods that are `withheld` were looked at in other ways:
    they are screened, not tested (see `interim.withheld`).

    Raises ValueError for a first interim look at other numbers of seeds than 5 and 10, a first interim look at a
    method that is not in `comparisons`, or a margin that is not positive.
    """
    firsts = dict(interim or {})
    for name, first in firsts.items():
        _check_interim(name, first, comparisons)
    for name in at_interim:
        if name in firsts or comparisons[name].seeds != INTERIM_SEEDS:
            raise ValueError(f"{name} is not at the first of two looks: that is one of {INTERIM_SEEDS} seeds")
    tested = [name for name, c in comparisons.items() if c.seeds >= VERDICT_SEEDS and name not in withheld]
    equivalences = {name: tost(c, margin_pp, alpha=alpha) for name, c in comparisons.items()}

    def p_different(name: str) -> float:
        alone = name in at_interim
        return p_at_interim(comparisons[name]) if alone else p_with_interim(comparisons[name], firsts.get(name))

    def p_equivalent(name: str) -> float:
        if name in at_interim:
            return combine_interim(equivalences[name].p)
        first = firsts.get(name)
        return p_equivalent_with_interim(equivalences[name].p, tost(first, margin_pp).p if first else None)

    different = holm([p_different(name) for name in tested])
    equal = holm([p_equivalent(name) for name in tested])
    p_holm = dict(zip(tested, different, strict=True))
    p_equivalence_holm = dict(zip(tested, equal, strict=True))
    verdicts = {}
    for name, comparison in comparisons.items():
        p, p_equivalence = p_holm.get(name), p_equivalence_holm.get(name)
        # a method that is not tested would be one test more
        family = len(tested) + (name not in p_holm)
        within_margin = p_equivalence is not None and p_equivalence <= alpha
        verdicts[name] = Verdict(
            word=_word(comparison.difference_pp, p is not None and p <= alpha, within_margin),
            evidence="screening" if name in withheld else evidence_level(comparison.seeds),
            comparison=comparison,
            equivalence=equivalences[name],
            family=family,
            p_holm=p,
            p_equivalence_holm=p_equivalence,
            within_margin=within_margin,
            needed_seeds=needed_seeds(comparison.sd_pp, margin_pp, family, alpha=alpha),
        )
    return verdicts


def _compare(
    scores: Mapping[str, ArrayLike], a: str, b: str, quantum_percent: float, prior: VariancePrior | None
) -> PairedComparison:
    try:
        return paired_t(scores[a], scores[b], quantum_percent=quantum_percent, prior=prior)
    except ValueError as error:
        raise ValueError(f"{a} (A) against {b} (B): {error}") from error


def _check_interim(name: str, first: PairedComparison, comparisons: Mapping[str, PairedComparison]) -> None:
    if name not in comparisons:
        raise ValueError(f"{name} has a first look but no comparison; compared: {', '.join(comparisons)}")
    seeds = (first.seeds, comparisons[name].seeds)
    if seeds != (INTERIM_SEEDS, FINAL_SEEDS):
        raise ValueError(
            f"{name} was looked at with {seeds[0]} and {seeds[1]} seeds: there are exactly two looks, "
            f"at {INTERIM_SEEDS} and {FINAL_SEEDS}"
        )


def _word(difference_pp: float, significant: bool, within_margin: bool) -> Word:
    if significant:
        return "better" if difference_pp > 0 else "worse"
    return "equivalent" if within_margin else "undetermined"
