"""From a comparison to a verdict: the record, the factors, the setups, the noise, the confounders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prunemark.audit.document.comparison import Claim, Comparison
from prunemark.audit.document.entry import Entry
from prunemark.audit.judgement.assessed_pair import AssessedPair, assess_pair
from prunemark.audit.judgement.confounders import Confounder, confounders
from prunemark.audit.judgement.contradictions import contradicted_drop, contradictions
from prunemark.audit.judgement.crossed_recipes import judge_crossed
from prunemark.audit.judgement.next_experiment import next_experiments
from prunemark.audit.judgement.noise import Arm, Gap, OwnRepeats, gap, make_arm
from prunemark.audit.judgement.verdict import AuditVerdict, ClaimEvidence, decide
from prunemark.setups.comparison import SETUPS
from prunemark.setups.values import NOT_REPORTED, State, known


@dataclass(frozen=True)
class Audit:
    """Everything that is found about one claim."""

    evidence: ClaimEvidence
    verdict: AuditVerdict
    missing: tuple[str, ...]
    comparison: Comparison | None = None

    @property
    def claim(self) -> Claim:
        """Who is said to beat whom."""
        return self.evidence.claim

    @property
    def pair(self) -> AssessedPair:
        """Both sides, and what the rulebook says of them."""
        return self.evidence.pair

    @property
    def gap(self) -> Gap:
        """Winner minus loser, against noise."""
        return self.evidence.gap

    @property
    def confounders(self) -> Sequence[Confounder]:
        """What differs, and of what nobody can say."""
        return self.evidence.confounders

    @property
    def next_experiments(self) -> tuple[str, ...]:
        """The smallest experiments that would settle the claim."""
        return tuple(next_experiments(self.evidence))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should see together with the verdict."""
        return _notes(self.pair, self.comparison)

    @property
    def differing(self) -> tuple[Confounder, ...]:
        """The confounders that are known to differ."""
        return tuple(c for c in self.confounders if c.state == "differs")

    @property
    def undisclosed(self) -> tuple[Confounder, ...]:
        """The confounders of which nobody can say whether they differ."""
        return tuple(c for c in self.confounders if c.state == "unknown")


def audit_comparison(comparison: Comparison, own: OwnRepeats | None = None) -> Audit:
    """Audits the claim of a document. `own` are this project's repeats: sd by (dataset, network)."""
    entries, claim = comparison.entries, comparison.claim
    return audit_entries(entries[claim.winner], entries[claim.loser], claim, comparison, own)


def audit_entries(
    winner: Entry, loser: Entry, claim: Claim, comparison: Comparison | None = None, own: OwnRepeats | None = None
) -> Audit:
    """Audits one claim between two entries."""
    pair = assess_pair(winner, loser)
    arms = (_arm(winner, own), _arm(loser, own))
    bases = pair.findings["base_model"].state
    by_drop = bases in (State.REFUTED, State.UNDECIDABLE) and not pair.whole_pipelines
    cross = None
    wrong = [*contradictions(winner), *contradictions(loser)]
    if comparison is not None and comparison.cross:
        cross = judge_crossed(comparison, pair, arms, own)
        for crossed in comparison.cross:
            base = comparison.entries[crossed.method]["base.top1"]
            wrong += contradicted_drop(f"{crossed.method} retrained as {crossed.retraining}", crossed.result, base)
    evidence = ClaimEvidence(claim, pair, wrong, gap(*arms, by_drop=by_drop), cross, confounders(pair))
    return Audit(evidence, decide(evidence), _missing(pair, arms), comparison)


def _arm(entry: Entry, own: OwnRepeats | None) -> Arm:
    return make_arm(entry.reported, entry["base.top1"], entry["dataset"].value, entry["network.name"].value, own)


def _missing(pair: AssessedPair, arms: tuple[Arm, Arm]) -> tuple[str, ...]:
    """The smallest set of fields whose disclosure would close [established, ceiling], and the noise.

    Along the chain: what is undecidable in the ceiling (what only a refuted setup needs would change nothing).
    Over whole pipelines: what keeps overall LR and SX-A open. Runs, an accuracy or a standard deviation
    count where they are missing.
    """
    ceiling = pair.assessment.ceiling
    factors = set(SETUPS[ceiling or "S1"].factors)
    states = {factor: finding.state for factor, finding in pair.findings.items()}
    if pair.whole_pipelines and states["total_epochs"] is not State.REFUTED and states["final_lr"] is not State.REFUTED:
        factors |= {"total_epochs", "final_lr", "overall_lr"}
    missing = {factor for factor in factors if states[factor] is State.UNDECIDABLE}
    if any(arm.top1 is None for arm in arms):
        missing.add("top1")
    if not all(arm.runs_reported for arm in arms):
        missing.add("runs")
    elif any(arm.sd is None for arm in arms):
        missing.add("top1_sd")
    return tuple(sorted(missing))


def _notes(pair: AssessedPair, comparison: Comparison | None) -> tuple[str, ...]:
    """What a reader should see together with the verdict: ownership, tuning, grades of evidence, unread fields."""
    found = []
    for entry in (pair.winner, pair.loser):
        if entry.method_owned:
            found.append(f"{entry.name} declares as part of its method: {', '.join(sorted(entry.method_owned))}")
        if entry.tuning:
            found.append(f"{entry.name}, tuning: {entry.tuning}")
        graded = _graded(entry)
        if graded:
            found.append(f"{entry.name}, not stated by the source itself: {graded}")
        if entry.ignored:
            found.append(f"{entry.name}, not read: {', '.join(field[:40] for field in entry.ignored)}")
    if known(pair.left.result.top1_percent) is None or known(pair.right.result.top1_percent) is None:
        found.append("an accuracy is not reported as one number")
    vacuous = [f.factor for f in pair.findings.values() if f.state is State.HOLDS and "vacuously" in f.why]
    if vacuous:
        found.append(f"vacuous, because it applies to neither side: {', '.join(vacuous)}")
    if comparison is not None and comparison.ignored:
        found.append(f"not read: {', '.join(comparison.ignored)}")
    return tuple(found)


def _graded(entry: Entry) -> str:
    return ", ".join(
        f"{name} ({found.provenance})"
        for name, found in entry.reported.items()
        if found.provenance != "stated" and found.value != NOT_REPORTED
    )
