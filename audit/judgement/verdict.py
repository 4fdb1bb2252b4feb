"""The verdict on a claim: the first that fits, in the order of the decision procedure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prunemark.audit.document.claims import Claim
from prunemark.audit.document.fields import DETAILS
from prunemark.audit.judgement.assessed_pair import AssessedPair
from prunemark.audit.judgement.confounders import COSTS_OF_PRUNING, Confounder
from prunemark.audit.judgement.crossed_recipes import CrossFinding
from prunemark.audit.judgement.noise import Gap, Position
from prunemark.audit.judgement.presumed import Presumed, by_source, compression_presumed, in_words, silent_of
from prunemark.audit.judgement.reasons import (
    at_equal_cost,
    basis,
    interval,
    listed,
    reading_name,
    span,
    unit_of,
    why_undecided,
)
from prunemark.setups.assessment import combine
from prunemark.setups.comparison import S1, S3_2
from prunemark.setups.factors import plain_name
from prunemark.setups.values import State

VERDICTS: dict[str, str] = {
    "inconsistent-record": "a number of the record contradicts another one, so nothing can rest on it",
    "not-comparable": "dataset, network or metric differ",
    "supported": "shown to be at least as good within the margin, under a fair setup",
    "supported-presumed": "at least as good within the margin, if what is not stated were equal",
    "supported-not-attributable": "at least as good within the margin, but not shown to be so because of the pruning",
    "attributable-cross-validated": "the winner wins under both retraining recipes",
    "attributable-presumed": "the gap exceeds noise and all that is stated is equal, but not all is stated",
    "claim-contradicted": "the numbers say the opposite, beyond noise, in a fair comparison",
    "retraining-dependent": "who wins depends on the retraining recipe",
    "within-noise": "the gap is no larger than run-to-run noise",
    "not-a-pruning-effect": "the same method stands on both sides, so the gap is not one between methods",
    "compression-mismatch": "the claimed winner is compressed less",
    "attributable": "the gap exceeds noise and what else could explain it was held equal",
    "confounded": "something else differs that may explain the gap",
    "a-fortiori": "everything that differs favours the loser, and the winner still wins",
    "undecided": "what is reported does not decide it",
}
"""Every verdict and what it means, roughly in the order in which they are tried."""

EXIT_CODES: dict[str, int] = {word: 3 for word in VERDICTS} | {
    "attributable": 0,
    "attributable-cross-validated": 0,
    "supported": 0,
    "attributable-presumed": 4,
    "supported-presumed": 4,
    "undecided": 4,
    "within-noise": 4,
}

NEEDED: dict[str, frozenset[str]] = {
    "pruning": S3_2,
    "retraining": S1 | {"base_model", "pruning_epochs", "pruning_lr"},
    "base": (S3_2 | {"pruning_epochs", "pruning_lr"}) - {"base_model"},
    "pipeline": S1,
}
"""What has to be equal for a gap to be credited to one part of the pipeline: everything except that part.

For pruning that is S3.2, the least the founding paper recommends; the cost of pruning itself may differ."""
THROUGH_SX = frozenset({"overall_lr", "total_epochs", "final_lr"})
FREE = frozenset({*COSTS_OF_PRUNING, "total_epochs", "total_flops"})
"""The cost of pruning, which S3.2, or overall LR and SX-A, leave free where a claim is supported."""
CROSSED = ("base_model", "granularity", "network", "noise", "selection")
"""What crossed recipes leave to be presumed: the rest of a recipe is crossed with it."""


@dataclass(frozen=True)
class AuditVerdict:
    """A word of `VERDICTS`, the reason for a reader, and what it rests on without it being stated, by name."""

    word: str
    why: str
    presumed: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 for what supports the claim, 4 for what leaves it open, 3 for the rest."""
        return EXIT_CODES[self.word]


@dataclass(frozen=True)
class ClaimEvidence:
    """Everything a verdict rests on. `presumed` is what could favour the winner and is not stated as equal, by name."""

    claim: Claim
    pair: AssessedPair
    contradictions: Sequence[str]
    gap: Gap
    cross: CrossFinding | None
    confounders: Sequence[Confounder]
    presumed: Presumed

    @property
    def threshold(self) -> float:
        """What the difference has to exceed, in units of the metric: 0, or minus the margin."""
        return -(self.claim.margin or 0.0) if self.claim.kind == "at_least_as_good" else 0.0

    @property
    def position(self) -> Position:
        """Where the gap lies from what the claim needs."""
        return self.gap.position(self.threshold)


Swapped = Callable[[], ClaimEvidence]
"""The same evidence for the opposite claim, which few verdicts ask for."""


def decide(e: ClaimEvidence, swapped: Swapped) -> AuditVerdict:
    """The first verdict that fits. Never raises."""
    for rule in (_inconsistent, _not_comparable, _at_least_as_good):
        if (found := rule(e)) is not None:
            return found
    if (found := _crossed(e, swapped)) is not None:
        return found
    for rule in (_within_noise, _same_method):
        if (found := rule(e)) is not None:
            return found
    if e.position == "below":
        return _below(e, swapped)
    for rule in (_mismatch, _attributable, _confounded, _a_fortiori):
        if (found := rule(e)) is not None:
            return found
    return AuditVerdict("undecided", why_undecided(e.pair, e.gap, e.position))


def _inconsistent(e: ClaimEvidence) -> AuditVerdict | None:
    return AuditVerdict("inconsistent-record", "; ".join(e.contradictions)) if e.contradictions else None


def _not_comparable(e: ClaimEvidence) -> AuditVerdict | None:
    findings = [e.pair.findings[f] for f in ("dataset", "network")]
    why = [f"{f.factor}: {f.why}" for f in findings if f.state is State.REFUTED]
    why += ["metric: no metric is reported by both"] if e.pair.metric is None else []
    why += [f"{d.name}, measured: {d.why}" for d in e.pair.measured.values() if d.state is State.REFUTED]
    return AuditVerdict("not-comparable", "; ".join(why)) if why else None


def _at_least_as_good(e: ClaimEvidence) -> AuditVerdict | None:
    if e.claim.kind != "at_least_as_good" or e.position != "above":
        return None
    why = f"{interval(e.gap, e.pair.metric)} lies above -{e.claim.margin:g}"
    against = _against(e, FREE)
    if not established(e):
        return AuditVerdict("supported-not-attributable", f"{why}, but not established: {', '.join(_missing(e))}")
    if against:
        return AuditVerdict("supported-not-attributable", f"{why}, but {listed(against)}")
    if e.presumed:
        return AuditVerdict("supported-presumed", f"{why}; {_if_equal(e, 'supported', e.presumed)}", tuple(e.presumed))
    return AuditVerdict("supported", f"{why}, and {_basis(e)}")


def _crossed(e: ClaimEvidence, swapped: Swapped) -> AuditVerdict | None:
    if e.cross is None:
        return None
    if e.cross.outcome == "depends":
        why = f"no consistent winner beyond noise: {e.cross.why}. {e.cross.highest}"
        return AuditVerdict("retraining-dependent", why)
    if e.cross.outcome == "wins":
        return _fair_crossed(e, e.cross)
    other = swapped()
    if other.cross is not None and other.cross.outcome == "wins" and _fair_crossed(other, other.cross):
        return AuditVerdict("claim-contradicted", f"{e.pair.winner.name} loses under both recipes: {e.cross.why}")
    return None


def _fair_crossed(e: ClaimEvidence, cross: CrossFinding) -> AuditVerdict | None:
    """Above under both recipes: attributable where S1, the base, selection and granularity allow it."""
    needed = combine(e.pair.findings[factor].state for factor in S1 | {"base_model"})
    against = [c.name for c in _against(e, frozenset()) if c.name in ("selection", "granularity")]
    if not needed.satisfied or against:
        return None
    found = {name: silent for name, silent in e.presumed.items() if name in CROSSED}
    if by_source(e.pair):
        found["base_model"] = silent_of(e.pair, "base.id")
    if not all(arm.stated_sd for arm in cross.arms):
        found["noise"] = found.get("noise", ())
    found = dict(sorted(found.items())) or compression_presumed(e.pair)
    why = f"{e.pair.winner.name} wins under both recipes: {cross.why}"
    if found:
        return AuditVerdict("attributable-presumed", f"{why}; {_if_equal(e, 'attributable', found)}", tuple(found))
    return AuditVerdict("attributable-cross-validated", f"{why}{at_equal_cost(e.pair)}")


def _within_noise(e: ClaimEvidence) -> AuditVerdict | None:
    if e.position != "within":
        return None
    inside = next(r for r in e.gap.readings if r.decisive and r.low <= e.threshold <= r.high)
    gap = f"{inside.points:+.2f} {unit_of(e.pair.metric)}, {span(inside.low, inside.high)}"
    return AuditVerdict("within-noise", f"{reading_name(inside.name, e.pair.metric)}: {gap}")


def _same_method(e: ClaimEvidence) -> AuditVerdict | None:
    same = plain_name(e.pair.winner.method) == plain_name(e.pair.loser.method)
    if not same or e.claim.credited_to != "pruning":
        return None
    differing = [c.name for c in e.confounders if c.state == "differs"]
    what = f"; what differs is {', '.join(differing)}" if differing else ""
    return AuditVerdict("not-a-pruning-effect", f"{e.pair.winner.method} stands on both sides{what}")


def _below(e: ClaimEvidence, swapped: Swapped) -> AuditVerdict:
    """Contradicting a claim is a claim too: it needs the fairness that supporting it needs."""
    other = swapped()
    if other.position == "above" and (_mismatch(other) is None) and (_attributable(other) or _a_fortiori(other)):
        return AuditVerdict("claim-contradicted", f"{interval(e.gap, e.pair.metric)} lies below the claim")
    unequal = _against(other, frozenset())
    missing = [] if established(other) else _missing(other)
    parts = [listed(unequal)] if unequal else []
    parts += [f"not established: {', '.join(missing)}"] if missing else []
    gap = interval(e.gap, e.pair.metric)
    why = f"the numbers point the other way, in an unequal comparison: {gap} but {'; '.join(parts)}"
    return AuditVerdict("undecided", why)


def _mismatch(e: ClaimEvidence) -> AuditVerdict | None:
    finding = e.pair.findings["compression"]
    return AuditVerdict("compression-mismatch", finding.why) if finding.state is State.REFUTED else None


def _attributable(e: ClaimEvidence) -> AuditVerdict | None:
    if e.position != "above" or not established(e) or _against(e, FREE):
        return None
    if e.presumed:
        why = f"{interval(e.gap, e.pair.metric)} excludes 0; {_if_equal(e, 'attributable', e.presumed)}"
        return AuditVerdict("attributable-presumed", why, tuple(e.presumed))
    return AuditVerdict(
        "attributable", f"{interval(e.gap, e.pair.metric)} excludes 0, and {_basis(e)}{at_equal_cost(e.pair)}"
    )


def _confounded(e: ClaimEvidence) -> AuditVerdict | None:
    against = _against(e, frozenset())
    return AuditVerdict("confounded", listed(against)) if against else None


def _a_fortiori(e: ClaimEvidence) -> AuditVerdict | None:
    """The winner wins in spite of all that differs; silence about what the claim needs might hide the opposite."""
    differing = [c for c in e.confounders if c.state == "differs" and c.name != "quoted"]
    needed = THROUGH_SX if e.pair.whole_pipelines else NEEDED[e.claim.credited_to]
    silent = any(e.pair.findings[factor].state is State.UNDECIDABLE for factor in needed)
    if e.position != "above" or not e.pair.assessment.setups["S1"].satisfied or not differing or silent:
        return None
    if _against(e, frozenset()):
        return None
    details = {name: who for name, who in e.presumed.items() if name in DETAILS and name in e.pair.details}
    unsaid = f"; not stated: {in_words(details, e.pair)}" if details else ""
    why = f"{interval(e.gap, e.pair.metric)} excludes 0, against the odds: {listed(differing)}{unsaid}"
    return AuditVerdict("a-fortiori", why, tuple(details))


def established(e: ClaimEvidence) -> bool:
    """Whether what has to be equal is: S3.2 for pruning; over whole pipelines overall LR and SX-A."""
    return not _missing(e)


def _missing(e: ClaimEvidence) -> list[str]:
    if e.pair.whole_pipelines and e.claim.credited_to != "pipeline":
        states = {"overall_lr": e.pair.findings["overall_lr"].state, "SX-A": e.pair.assessment.setups["SX-A"]}
    else:
        states = {factor: e.pair.findings[factor].state for factor in sorted(NEEDED[e.claim.credited_to])}
    return [name for name, state in states.items() if not state.satisfied]


def _against(e: ClaimEvidence, free: frozenset[str]) -> list[Confounder]:
    """What differs and does not favour the loser. Who ran the loser (`quoted`) by itself explains no gap."""
    exempt = free | {"quoted"}
    differing = (c for c in e.confounders if c.state == "differs" and c.name not in exempt)
    return [c for c in differing if c.favours != e.pair.loser.name]


def _basis(e: ClaimEvidence) -> str:
    return basis(e.pair, e.claim.credited_to, NEEDED[e.claim.credited_to])


def _if_equal(e: ClaimEvidence, word: str, found: Presumed) -> str:
    return f"{word} if {in_words(found, e.pair)}, were equal"
