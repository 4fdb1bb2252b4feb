"""Matched controls: controls that ran with a method's layer ratios. Each is compared with its method only.

They come by themselves with every submission that ranks all layers together. Their question is whether the criterion
picks better than chance at the same ratios. In the families of the ranked they would double what every submission
costs the others, so they are not ranked, and their tests are corrected for each other alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prunemark.leaderboard.inference.evidence import Evidence, evidence
from prunemark.leaderboard.inference.multiplicity import Verdict, interval_in_words, judge
from prunemark.leaderboard.inference.statistics import VariancePrior
from prunemark.leaderboard.standings.field import compared_on, objection
from prunemark.leaderboard.standings.method_results import MethodResults


@dataclass(frozen=True)
class MatchedControl:
    """The method whose ratios a control has, and the verdict on the method (method minus control)."""

    method: str
    verdict: Verdict


def judge_matched_controls(
    methods: Sequence[MethodResults],
    setup: str,
    *,
    margin_pp: float,
    prior: VariancePrior | None,
    quantum_percent: float,
    seeds_of: Mapping[str, Sequence[int]],
    planned: int | None = None,
) -> dict[str, MatchedControl]:
    """By the control's name. Left out is a control with which the setup does not hold, or that lacks seeds.

    Both are compared on the method's seeds, by name in `seeds_of`, up to the first that one of them lacks. On a seed on
    which the method failed it counts at chance; where that left no layer ratios, the control lacks the seed.
    """
    submissions = [c for c in methods if not c.matched_to]
    methods_of: dict[str, MethodResults] = {}
    comparisons: dict[str, Evidence] = {}
    for control in methods:
        method = next((c for c in submissions if _is_of(control, c)), None)
        if method is None:
            continue
        seeds = min((compared_on(c, seeds_of[method.name]) for c in (control, method)), key=len)
        whole = [seed for seed in seeds if seed in control.ok and seed in method.ok]
        if len(seeds) < 2 or objection(method, control, setup, whole):
            continue
        comparisons[control.name] = evidence(
            method.scores(seeds), control.scores(seeds), quantum_percent=quantum_percent, margin_pp=margin_pp,
            planned=planned, prior=prior,
        )  # fmt: skip
        methods_of[control.name] = method
    verdicts = judge(comparisons, margin_pp=margin_pp)
    return {name: MatchedControl(methods_of[name].name, verdict) for name, verdict in verdicts.items()}


def matched_control_in_words(control: MatchedControl) -> str:
    """Why the control is not ranked, and what it shows."""
    verdict, comparison = control.verdict, control.verdict.comparison
    difference = f"{comparison.difference_pp:+.2f} pp {interval_in_words(comparison.interval_pp)}"
    said = f"a matched control: {control.method}, with the same layer ratios, is at {difference}"
    if verdict.p_holm is None:
        return said
    # a p for what is claimed: of equivalence it is that of the two one-sided tests
    p = verdict.p_equivalence_holm if verdict.word == "equivalent" else verdict.p_holm
    return f"{said}, {verdict.word} (p {p:.3g}, Holm over {verdict.family} such controls)"


def _is_of(control: MethodResults, c: MethodResults) -> bool:
    """Whether this control is matched to this method."""
    method = c.any.outcome.method
    named = control.matched_to
    return named is not None and named.names(method.name, method.source_sha256, method.settings)
