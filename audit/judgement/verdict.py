"""The verdict on a claim: the first that fits, in the order of the decision procedure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prunemark.audit.document.comparison import Claim
from prunemark.audit.document.entry import DETAIL_CONFOUNDERS
from prunemark.audit.judgement.assessed_pair import AssessedPair
from prunemark.audit.judgement.confounders import COSTS_OF_PRUNING, TOTALS, Confounder
from prunemark.audit.judgement.crossed_recipes import CrossFinding
from prunemark.audit.judgement.noise import Gap, Position
from prunemark.setups.assessment import combine
from prunemark.setups.comparison import S1, S3_2
from prunemark.setups.factors import plain_name
from prunemark.setups.values import State

VERDICTS: dict[str, str] = {
    "inconsistent-record": "a number of the record contradicts another one, so nothing can rest on it",
    "not-comparable": "dataset or network differ",
    "supported": "shown to be at least as good within the margin, under a fair setup",
    "supported-not-attributable": "at least as good within the margin, but not shown to be so because of the pruning",
    "attributable-cross-validated": "the winner wins under both retraining recipes",
    "claim-contradicted": "the numbers say the opposite, beyond noise",
    "retraining-dependent": "who wins depends on the retraining recipe",
    "within-noise": "the gap is no larger than run-to-run noise",
    "not-a-pruning-effect": "the same method stands on both sides, so the gap is not one between methods",
    "compression-mismatch": "the claimed winner is compressed less",
    "attributable": "the gap exceeds noise and what else could explain it was held equal",
    "confounded": "something else differs that may explain the gap",
    "a-fortiori": "everything that differs favours the loser, and the winner still wins",
    "undecided": "what is reported does not decide it",
}
"""Every verdict and what it means, in the order in which they are tried."""

EXIT_CODES: dict[str, int] = {word: 3 for word in VERDICTS} | {
    "attributable": 0,
    "attributable-cross-validated": 0,
    "supported": 0,
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


@dataclass(frozen=True)
class AuditVerdict:
    """A word of `VERDICTS` and the reason, for a reader."""

    word: str
    why: str

    @property
    def exit_code(self) -> int:
        """0 for what supports the claim, 4 for what leaves it open, 3 for the rest."""
        return EXIT_CODES[self.word]


@dataclass(frozen=True)
class ClaimEvidence:
    """Everything a verdict rests on."""

    claim: Claim
    pair: AssessedPair
    contradictions: Sequence[str]
    gap: Gap
    cross: CrossFinding | None
    confounders: Sequence[Confounder]


def decide(evidence: ClaimEvidence) -> AuditVerdict:
    """The first verdict that fits. Never raises."""
    for rule in _RULES:
        found = rule(evidence)
        if found is not None:
            return found
    return AuditVerdict("undecided", _why_undecided(evidence))


def _inconsistent(e: ClaimEvidence) -> AuditVerdict | None:
    return AuditVerdict("inconsistent-record", "; ".join(e.contradictions)) if e.contradictions else None


def _not_comparable(e: ClaimEvidence) -> AuditVerdict | None:
    differing = [e.pair.findings[f] for f in ("dataset", "network") if e.pair.findings[f].state is State.REFUTED]
    return AuditVerdict("not-comparable", "; ".join(f"{f.factor}: {f.why}" for f in differing)) if differing else None


def _at_least_as_good(e: ClaimEvidence) -> AuditVerdict | None:
    if e.claim.kind != "at_least_as_good" or e.gap.position(threshold(e.claim)) != "above":
        return None
    why = f"{_interval(e.gap)} lies above -{e.claim.margin_pp:g}"
    if established(e):
        return AuditVerdict("supported", f"{why}, and {_basis(e)}")
    return AuditVerdict("supported-not-attributable", f"{why}, but {_missing(e)}")


def _crossed(e: ClaimEvidence) -> AuditVerdict | None:
    if e.cross is None:
        return None
    if e.cross.outcome == "wins":
        return AuditVerdict("attributable-cross-validated", f"{e.cross.why}{_at_equal_cost(e)}")
    if e.cross.outcome == "loses":
        return AuditVerdict("claim-contradicted", e.cross.why)
    return AuditVerdict("retraining-dependent", e.cross.why)


def _within_noise(e: ClaimEvidence) -> AuditVerdict | None:
    if position(e) != "within":
        return None
    inside = next(r for r in e.gap.readings if r.decisive and r.low <= threshold(e.claim) <= r.high)
    return AuditVerdict("within-noise", f"{inside.name}: {inside.points:+.2f} points, {_span(inside.low, inside.high)}")


def _contradicted(e: ClaimEvidence) -> AuditVerdict | None:
    below = position(e) == "below"
    return AuditVerdict("claim-contradicted", f"{_interval(e.gap)} lies below the claim") if below else None


def _same_method(e: ClaimEvidence) -> AuditVerdict | None:
    same = plain_name(e.pair.winner.method) == plain_name(e.pair.loser.method)
    if not same or e.claim.credited_to != "pruning":
        return None
    differing = [c.name for c in e.confounders if c.state == "differs"]
    what = f"; what differs is {', '.join(differing)}" if differing else ""
    return AuditVerdict("not-a-pruning-effect", f"{e.pair.winner.method} stands on both sides{what}")


def _mismatch(e: ClaimEvidence) -> AuditVerdict | None:
    finding = e.pair.findings["compression"]
    return AuditVerdict("compression-mismatch", finding.why) if finding.state is State.REFUTED else None


def _attributable(e: ClaimEvidence) -> AuditVerdict | None:
    if position(e) != "above" or not established(e) or _blocking(e):
        return None
    return AuditVerdict("attributable", f"{_interval(e.gap)} excludes 0, and {_basis(e)}{_at_equal_cost(e)}")


def _confounded(e: ClaimEvidence) -> AuditVerdict | None:
    """Something may favour the winner. Who ran the loser (`quoted`) is shown, but by itself explains no gap."""
    against = [c for c in _differing(e) if c.favours != e.pair.loser.name and c.name != "quoted"]
    return AuditVerdict("confounded", _list(against)) if against else None


def _a_fortiori(e: ClaimEvidence) -> AuditVerdict | None:
    """The winner wins in spite of all that differs; silence about what the claim needs might hide the opposite."""
    differing = [c for c in _differing(e) if c.name != "quoted"]
    needed = ("overall_lr", "total_epochs", "final_lr") if e.pair.whole_pipelines else NEEDED[e.claim.credited_to]
    silent = any(e.pair.findings[factor].state is State.UNDECIDABLE for factor in needed)
    if position(e) != "above" or not differing or silent:
        return None
    return AuditVerdict("a-fortiori", f"{_interval(e.gap)} excludes 0, against the odds: {_list(differing)}")


_RULES = (
    _inconsistent, _not_comparable, _at_least_as_good, _crossed, _within_noise, _contradicted, _same_method,
    _mismatch, _attributable, _confounded, _a_fortiori,
)  # fmt: skip


def threshold(claim: Claim) -> float:
    """What the difference has to exceed, in points: 0, or minus the margin for `at_least_as_good`."""
    return -(claim.margin_pp or 0.0) if claim.kind == "at_least_as_good" else 0.0


def position(e: ClaimEvidence) -> Position:
    """Where the gap lies from what the claim needs."""
    return e.gap.position(threshold(e.claim))


def established(e: ClaimEvidence) -> bool:
    """Whether what has to be equal is: S3.2 for pruning; over whole pipelines overall LR and SX-A."""
    needed = NEEDED[e.claim.credited_to]
    if e.pair.whole_pipelines and e.claim.credited_to != "pipeline":
        states = [e.pair.findings["overall_lr"].state, e.pair.assessment.setups["SX-A"]]
        return all(state.satisfied for state in states)
    return combine(e.pair.findings[factor].state for factor in needed).satisfied


def _credited(e: ClaimEvidence) -> set[str]:
    """Confounders that are the very thing the claim credits, or the cost of pruning, which S3.2 leaves free."""
    if e.pair.whole_pipelines:
        return {*TOTALS, *COSTS_OF_PRUNING, "base_model", "retraining_epochs", "retraining_lr"}
    retraining = {"retraining_epochs", "retraining_lr", *DETAIL_CONFOUNDERS}
    return {
        "pruning": {*COSTS_OF_PRUNING, *TOTALS},
        "retraining": {*retraining, *TOTALS},
        "base": {"base_model", *TOTALS},
        "pipeline": {"base_model", *retraining, *COSTS_OF_PRUNING, *TOTALS},
    }[e.claim.credited_to]


def _blocking(e: ClaimEvidence) -> list[Confounder]:
    """What differs, may favour the winner, and should have been held equal.

    Not among them: who ran the loser (`quoted`), which no setup holds equal, and selection, which the gap
    has to survive as a reading of its own.
    """
    exempt = _credited(e) | {"quoted", "selection"}
    return [c for c in _differing(e) if c.name not in exempt and c.favours != e.pair.loser.name]


def _differing(e: ClaimEvidence) -> list[Confounder]:
    owned_by_claim = _credited(e) if e.claim.credited_to != "pruning" and not e.pair.whole_pipelines else set()
    return [c for c in e.confounders if c.state == "differs" and c.name not in owned_by_claim]


def _at_equal_cost(e: ClaimEvidence) -> str:
    if e.pair.whole_pipelines:
        equal = e.pair.assessment.setups["SX-B"].satisfied
        return ", at equal compute (SX-B)" if equal else ", at equal epochs; not shown at equal compute (SX-B)"
    cost = e.pair.findings["pruning_epochs"].state
    if cost.satisfied:
        return ", at equal pruning cost" if e.pair.assessment.setups["S4.1"].satisfied else ""
    differs = "differs" if cost is State.REFUTED else "is not reported"
    return f"; what pruning cost {differs} (S4.1). Methods whose point is longer pruning: see SX-A and SX-B"


def _basis(e: ClaimEvidence) -> str:
    if e.pair.whole_pipelines and e.claim.credited_to != "pipeline":
        return "overall LR and SX-A hold"
    if e.claim.credited_to != "pruning":
        return f"what else could explain it is equal ({', '.join(sorted(NEEDED[e.claim.credited_to]))})"
    return f"{e.pair.assessment.established} holds"


def _missing(e: ClaimEvidence) -> str:
    needed = sorted(f for f in NEEDED[e.claim.credited_to] if not e.pair.findings[f].state.satisfied)
    return f"not established: {', '.join(['overall_lr', 'SX-A'] if e.pair.whole_pipelines else needed)}"


def _why_undecided(e: ClaimEvidence) -> str:
    parts = []
    if e.gap.points is None:
        parts.append("an accuracy is not reported")
    elif position(e) == "unknown":
        parts.append("the run-to-run noise is unknown")
    elif position(e) == "mixed":
        parts.append("accuracy and drop point in opposite directions")
    unknown = [f.factor for f in e.pair.findings.values() if f.state is State.UNDECIDABLE]
    if unknown:
        parts.append(f"not reported or left open: {', '.join(unknown)}")
    return "; ".join(parts) or "nothing differs, but what the claim needs is not established"


def _interval(gap: Gap) -> str:
    main = gap.main
    return f"{main.points:+.2f} points, {_span(main.low, main.high)}," if main else "the gap"


def _span(low: float, high: float) -> str:
    return f"95 % interval {low:+.2f} to {high:+.2f}"


def _list(found: Sequence[Confounder]) -> str:
    return "; ".join(f"{c.name} ({c.why}; favours {c.favours or 'not known'})" for c in found)
