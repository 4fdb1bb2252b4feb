"""From a comparison to a verdict: the record, the factors, the setups, the noise, the confounders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from prunemark.audit.document.claims import Claim
from prunemark.audit.document.comparison import Comparison
from prunemark.audit.document.entry import Entry
from prunemark.audit.document.metrics import METRICS, Metric
from prunemark.audit.judgement.assessed_pair import AssessedPair, assess_pair
from prunemark.audit.judgement.confounders import Confounder, confounders
from prunemark.audit.judgement.contradictions import contradicted_drop, contradictions, pair_contradictions
from prunemark.audit.judgement.crossed_recipes import judge_crossed
from prunemark.audit.judgement.next_experiment import next_experiments
from prunemark.audit.judgement.noise import Arm, Gap, OwnRepeats, gap, make_arm
from prunemark.audit.judgement.presumed import presumed
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
    def presumed(self) -> tuple[str, ...]:
        """What the verdict rests on without its being stated, by name; empty for a verdict that does not."""
        return self.verdict.presumed

    @property
    def next_experiments(self) -> tuple[str, ...]:
        """What to ask the authors for, and the smallest experiments that would settle the claim."""
        return tuple(next_experiments(self.evidence, self.verdict))

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
    """Audits the first claim of a document. `own` are this project's repeats: sd by (dataset, network)."""
    entries, claim = comparison.entries, comparison.claim
    return audit_entries(entries[claim.winner], entries[claim.loser], claim, comparison, own)


def audit_claims(comparison: Comparison, own: OwnRepeats | None = None) -> list[Audit]:
    """Audits every claim of a document."""
    return [audit_comparison(one, own) for one in comparison.each()]


def audit_entries(
    winner: Entry, loser: Entry, claim: Claim, comparison: Comparison | None = None, own: OwnRepeats | None = None
) -> Audit:
    """Audits one claim between two entries."""
    evidence = _evidence(winner, loser, claim, comparison, own)
    opposite = replace(claim, winner=claim.loser, loser=claim.winner, kind="better", margin=None)
    verdict = decide(evidence, lambda: _evidence(loser, winner, opposite, comparison, own))
    return Audit(evidence, verdict, _missing(evidence), comparison)


def _evidence(
    winner: Entry, loser: Entry, claim: Claim, comparison: Comparison | None, own: OwnRepeats | None
) -> ClaimEvidence:
    pair = assess_pair(winner, loser, claim, comparison.protocol if comparison else None)
    metric = pair.metric or METRICS["top1"]
    arms = (_arm(winner, metric, own), _arm(loser, metric, own))
    bases = pair.findings["base_model"].state
    by_drop = bases in (State.REFUTED, State.UNDECIDABLE) and not pair.whole_pipelines and not metric.speed
    found = gap(*arms, by_drop=by_drop)
    cross = None
    wrong = [*contradictions(winner), *contradictions(loser), *pair_contradictions(pair)]
    if comparison is not None and comparison.cross:
        least = -(claim.margin or 0.0) if claim.kind == "at_least_as_good" else 0.0
        cross = judge_crossed(comparison, pair, arms, own, least)
        for crossed in comparison.cross:
            base = comparison.entries[crossed.method][f"base.{metric.name}"]
            name = f"{crossed.method} retrained as {crossed.retraining}"
            wrong += contradicted_drop(name, crossed.result, base, metric)
    credit = claim.credited_to
    return ClaimEvidence(
        claim, pair, wrong, found, cross, confounders(pair, credit), presumed(pair, found, arms, credit)
    )


def _arm(entry: Entry, metric: Metric, own: OwnRepeats | None) -> Arm:
    return _arm_without_repeats(entry, metric) if own is None else _made_arm(entry, metric, own)


@lru_cache(maxsize=4096)
def _arm_without_repeats(entry: Entry, metric: Metric) -> Arm:
    return _made_arm(entry, metric, None)


def _made_arm(entry: Entry, metric: Metric, own: OwnRepeats | None) -> Arm:
    base, dataset, network = (entry[name] for name in (f"base.{metric.name}", "dataset", "network.name"))
    return make_arm(entry.reported, base, dataset.value, network.value, own, metric)


def _missing(e: ClaimEvidence) -> tuple[str, ...]:
    """The smallest set of fields whose disclosure would close [established, ceiling], and the noise.

    Along the chain: what is undecidable in the ceiling (what only a refuted setup needs would change nothing).
    Over whole pipelines: what keeps overall LR and SX-A open. Runs, an accuracy or a standard deviation
    count where they are missing.
    """
    pair = e.pair
    ceiling = pair.assessment.ceiling
    factors = set(SETUPS[ceiling or "S1"].factors)
    states = {factor: finding.state for factor, finding in pair.findings.items()}
    if pair.whole_pipelines and states["total_epochs"] is not State.REFUTED and states["final_lr"] is not State.REFUTED:
        factors |= {"total_epochs", "final_lr", "overall_lr"}
    missing = {factor for factor in factors if states[factor] is State.UNDECIDABLE}
    metric = pair.metric.name if pair.metric else "top1"
    if e.gap.points is None:
        missing.add(metric)
    if not all(entry["result.runs"].stated for entry in (pair.winner, pair.loser)):
        missing.add("runs")
    elif e.gap.sd_source == "unknown":
        missing.add(f"{metric}_sd")
    return tuple(sorted(missing))


def _notes(pair: AssessedPair, comparison: Comparison | None) -> tuple[str, ...]:
    """What a reader should see together with the verdict: ownership, tuning, grades of evidence, a shared protocol."""
    found = [*_notes_of(pair.winner), *_notes_of(pair.loser)]
    metric = pair.metric.name if pair.metric else "top1"
    if any(known(entry[f"result.{metric}"].value) is None for entry in (pair.winner, pair.loser)):
        found.append(f"{'an accuracy' if metric == 'top1' else metric} is not reported as one number")
    vacuous = [f.factor for f in pair.findings.values() if f.state is State.HOLDS and "vacuously" in f.why]
    if vacuous:
        found.append(f"vacuous, because it applies to neither side: {', '.join(vacuous)}")
    if comparison is not None and comparison.protocol is not None:
        found.append(f"one shared protocol for both is declared: {comparison.protocol.locator}")
    return tuple(found)


@lru_cache(maxsize=4096)
def _notes_of(entry: Entry) -> tuple[str, ...]:
    found = []
    if entry.method_owned:
        found.append(f"{entry.name} declares as part of its method: {', '.join(sorted(entry.method_owned))}")
    if entry.tuning:
        found.append(f"{entry.name}, tuning: {entry.tuning}")
    graded = _graded(entry)
    if graded:
        found.append(f"{entry.name}, not stated by the source itself: {graded}")
    return tuple(found)


def _graded(entry: Entry) -> str:
    return ", ".join(
        f"{name} ({found.provenance})"
        for name, found in entry.reported.items()
        if found.provenance != "stated" and found.value != NOT_REPORTED
    )
