"""Matched controls: controls that ran with a method's layer ratios. Each is compared with its method only.

They come by themselves with every submission that ranks all layers together. Their question is whether the criterion
picks better than chance at the same ratios. In the families of the ranked they would double what every submission
costs the others, so they are not ranked, and their tests are corrected for each other alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prunemark.leaderboard.inference.interim import FINAL_SEEDS, INTERIM_SEEDS
from prunemark.leaderboard.inference.multiplicity import Verdict, judge
from prunemark.leaderboard.inference.statistics import PairedComparison, VariancePrior, paired_t
from prunemark.leaderboard.standings.field import compared_on, objection
from prunemark.leaderboard.standings.method_results import MethodResults


@dataclass(frozen=True)
class MatchedControl:
    """The method whose ratios a control has, and the verdict on the method (method minus control).

    `withheld` says why there is no verdict, where earlier releases showed the control with other numbers of seeds.
    `at_interim` says that the two have only the first five of the table's ten seeds so far.
    """

    method: str
    verdict: Verdict
    withheld: str = ""
    at_interim: bool = False


def judge_matched_controls(
    methods: Sequence[MethodResults],
    setup: str,
    *,
    margin_pp: float,
    prior: VariancePrior | None,
    quantum_percent: float,
    peeked: Callable[[MethodResults, int], str],
    anchor_seeds: Sequence[int],
) -> dict[str, MatchedControl]:
    """By the control's name. Left out is a control with which the setup does not hold, or that lacks seeds.

    Both are compared on the seeds of the table, `anchor_seeds`, as the ranked are: on all of them, or on the first five
    of ten where one of the two was run on just these, which is a first interim look and pays for it. On a seed on which
    the method failed it counts at chance; where that left no layer ratios, the control lacks the seed. `peeked` says of
    a control, and a number of seeds, why it may have no verdict with so many; "" if it may.
    """
    submissions = [c for c in methods if not c.matched_to]
    methods_of: dict[str, MethodResults] = {}
    comparisons: dict[str, PairedComparison] = {}
    first: dict[str, PairedComparison] = {}
    for control in methods:
        method = next((c for c in submissions if _is_of(control, c)), None)
        if method is None:
            continue
        seeds = min((compared_on(c, anchor_seeds) for c in (control, method)), key=len)
        both = [seed for seed in seeds if seed in control.counted and seed in method.counted]
        whole = [seed for seed in both if seed in control.ok and seed in method.ok]
        if len(both) < max(2, len(seeds)) or objection(method, control, setup, whole):
            continue
        a, b = method.scores(seeds), control.scores(seeds)
        comparisons[control.name] = paired_t(a, b, quantum_percent=quantum_percent, prior=prior)
        if len(seeds) == FINAL_SEEDS:
            early = slice(INTERIM_SEEDS)
            first[control.name] = paired_t(a[early], b[early], quantum_percent=quantum_percent, prior=prior)
        methods_of[control.name] = method
    by_name = {c.name: c for c in methods}
    withheld = {name: why for name, c in comparisons.items() if (why := peeked(by_name[name], c.seeds))}
    at_first = [name for name, c in comparisons.items() if c.seeds < len(anchor_seeds)]
    verdicts = judge(comparisons, margin_pp=margin_pp, interim=first, at_interim=at_first, withheld=withheld)
    return {
        n: MatchedControl(methods_of[n].name, verdict, withheld.get(n, ""), n in at_first)
        for n, verdict in verdicts.items()
    }


def matched_control_in_words(control: MatchedControl) -> str:
    """Why the control is not ranked, and what it shows."""
    verdict, comparison = control.verdict, control.verdict.comparison
    low, high = comparison.interval_pp
    difference = f"{comparison.difference_pp:+.2f} pp [{low:+.2f}, {high:+.2f}]"
    said = f"a matched control: {control.method}, with the same layer ratios, is at {difference}"
    if verdict.p_holm is None:
        return f"{said}; {control.withheld}" if control.withheld else said
    word = f"{verdict.word}, first look" if control.at_interim else verdict.word
    # a p for what is claimed: of equivalence it is that of the two one-sided tests
    p = verdict.p_equivalence_holm if verdict.word == "equivalent" else verdict.p_holm
    return f"{said}, {word} (p {p:.3g}, Holm over {verdict.family} such controls)"


def _is_of(control: MethodResults, c: MethodResults) -> bool:
    """Whether this control is matched to this method."""
    method = c.any.outcome.method
    named = control.matched_to
    return named is not None and named.names(method.name, method.source_sha256, method.settings)
