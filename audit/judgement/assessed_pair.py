"""Two entries as Pipelines, and what the rulebook (`setups.assess`) says of them.

The rules are those of `setups`. Added here is only what a document knows and a record does not: which side
claims to win, in which metric, what was declared to be the same, and what a printed number leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from prunemark.audit.document.claims import Claim, Protocol
from prunemark.audit.document.entry import SPARSE_KINDS, Entry
from prunemark.audit.document.metrics import METRICS, Metric
from prunemark.audit.judgement.alike import LOSER, WINNER, filled_detail, filled_finding, setting
from prunemark.audit.judgement.compressed import measures
from prunemark.audit.judgement.details import Detail, details, measured_fields
from prunemark.audit.judgement.entry_pipeline import Units, pipeline_of_entry, states_macs
from prunemark.audit.judgement.revised import Sides, revised, with_costs
from prunemark.setups.assessment import Assessment, assessed
from prunemark.setups.factors import FACTORS, FactorFinding
from prunemark.setups.pipeline import Pipeline, Training
from prunemark.setups.schedule import LRSchedule
from prunemark.setups.values import NOT_REPORTED, NotApplicable, State, known, mapped


@dataclass(frozen=True)
class AssessedPair:
    """The claimed winner and the claimed loser, as the rulebook sees them.

    `metric` is None where the two sides report no metric in common; `details` and `measured` are what no setup
    holds equal, by name.
    """

    winner: Entry
    loser: Entry
    left: Pipeline
    right: Pipeline
    assessment: Assessment
    findings: Mapping[str, FactorFinding]
    details: Mapping[str, Detail]
    measured: Mapping[str, Detail]
    metric: Metric | None
    protocol: Protocol | None = None

    @property
    def whole_pipelines(self) -> bool:
        """Whether the two can be compared only over whole pipelines: scratch, sparse kinds, kinds that differ.

        Two dense networks too: neither was pruned or retrained.
        """
        a, b = self.left.kind, self.right.kind
        return a != b or a in ("scratch", "dense", *SPARSE_KINDS)

    @property
    def network_by_name(self) -> bool:
        """Whether one name is all that says that it is one network: parameters do not tell two VGG-19 apart."""
        if self.findings["network"].state is not State.HOLDS or (self.protocol and self.protocol.declares("network")):
            return False
        ids = [
            known(entry["base.id"].value) if entry["base.id"].stated else None for entry in (self.winner, self.loser)
        ]
        counted = all(entry["network.dense_macs_millions"].stated for entry in (self.winner, self.loser))
        one_base = ids[0] is not None and ids[0] == ids[1] and self.left.kind != "pruned_at_init"
        return not (counted or one_base or _one_root(self.winner, self.loser, "network.dense_macs_millions"))


def _one_root(winner: Entry, loser: Entry, name: str) -> bool:
    """Whether one side declares its value to be the other's, whatever it is."""
    return winner[name].root == loser[name].root


@dataclass(frozen=True)
class _Compared:
    """What two settings have in common, whatever their compression; `named` are the findings that name a side."""

    findings: Mapping[str, FactorFinding]
    details: Mapping[str, Detail]
    measured: Mapping[str, Detail]
    batch_known: bool
    named: tuple[str, ...] = ()


def assess_pair(
    winner: Entry, loser: Entry, claim: Claim | None = None, protocol: Protocol | None = None
) -> AssessedPair:
    """Assesses the claimed winner (left) against the claimed loser (right)."""
    same = _declared_same(winner, loser) if _borrows(winner) or _borrows(loser) else frozenset()
    metric = metric_of(winner, loser, claim)
    meant = metric or METRICS["top1"]
    base = _base_of(winner, loser, meant.name)
    units = Units(
        base, states_macs(winner) and states_macs(loser) and not _one_base(winner, loser), _by_macs(winner, loser)
    )
    left, right = _pipelines(winner, loser, same, units)
    if same or protocol is not None:
        found = _compared(Sides(winner, loser, left, right, same, protocol), meant)
    else:
        alike = _of_settings(setting(winner, WINNER), setting(loser, LOSER), meant, base)
        found = _filled(alike, winner.name, loser.name)
    sides = Sides(winner, loser, left, right, same, protocol, found.batch_known)
    findings = with_costs(found.findings, sides)
    how = found.measured if metric else {}
    assessment = assessed(findings)
    return AssessedPair(winner, loser, left, right, assessment, findings, found.details, how, metric, protocol)


def _pipelines(winner: Entry, loser: Entry, same: frozenset[str], units: Units) -> tuple[Pipeline, Pipeline]:
    """Both sides as pipelines; the right one's LRs are scaled to the batch size of the left one."""
    left, right = (pipeline_of_entry(e, same, units) if same else _cached(e, units) for e in (winner, loser))
    a, b = known(left.details.batch_size), known(right.details.batch_size)
    if a is None or b is None or a == b:
        return left, right
    factor = float(a) / float(b)
    return left, _scaled(right, factor) if same else _cached_scaled(loser, units, factor)


def _compared(sides: Sides, metric: Metric) -> _Compared:
    """Everything but what the compression decides."""
    has = details(sides.winner, sides.loser, sides.same, sides.protocol, metric)
    batches = [known(side.details.batch_size) for side in sides.pipelines]
    batch_known = None not in batches or has["batch_size"].state is State.HOLDS
    findings = {id: factor.compare(sides.left, sides.right) for id, factor in FACTORS.items()}
    how = measured_fields(sides.winner, sides.loser, sides.same, sides.protocol, metric)
    return _Compared(revised(findings, replace(sides, batch_known=batch_known)), has, how, batch_known)


@lru_cache(maxsize=2**16)
def _of_settings(winner: Entry, loser: Entry, metric: Metric, base: str) -> _Compared:
    """The same of two settings, once for all rows that have them."""
    left, right = _pipelines(winner, loser, frozenset(), Units(base))
    found = _compared(Sides(winner, loser, left, right, frozenset(), None), metric)
    return replace(found, named=tuple(id for id, f in found.findings.items() if WINNER in f.why or LOSER in f.why))


def _filled(found: _Compared, winner: str, loser: str) -> _Compared:
    details, measured = (
        {name: filled_detail(d, winner, loser) if d.silent or d.favours else d for name, d in part.items()}
        for part in (found.details, found.measured)
    )
    findings = found.findings
    if found.named:
        findings = {**findings, **{id: filled_finding(findings[id], winner, loser) for id in found.named}}
    return _Compared(findings, details, measured, found.batch_known)


def metric_of(winner: Entry, loser: Entry, claim: Claim | None) -> Metric | None:
    """The metric of a claim: as it says, else the first that both report; None where both report, but nothing common.

    A side that reports nothing at all leaves it open: then it is the metric of the other side, or top1.
    """
    if claim is not None and claim.metric is not None:
        return METRICS[claim.metric]
    reported = [_reported_metrics(entry) for entry in (winner, loser)]
    both = [name for name in reported[0] if name in reported[1]]
    if not both and all(reported):
        return None
    return METRICS[next(iter(both or reported[0] or reported[1]), "top1")]


@lru_cache(maxsize=4096)
def _reported_metrics(entry: Entry) -> tuple[str, ...]:
    return tuple(
        name for name in METRICS if any(entry[f"result.{name}{tail}"].stated for tail in ("", "_drop_printed"))
    )


def _base_of(winner: Entry, loser: Entry, metric: str) -> str:
    """By which metric two bases are as good: the claim's, unless it is a speed, or not both bases are known in it."""
    both = all(entry[f"base.{metric}"].stated for entry in (winner, loser))
    return metric if both and not METRICS[metric].speed else "top1"


def _one_base(winner: Entry, loser: Entry) -> bool:
    """One checkpoint is one network, in whatever its cost is counted: costs are compared in dense networks."""
    a, b = (known(entry["base.id"].value) for entry in (winner, loser))
    return a is not None and a == b


def _by_macs(winner: Entry, loser: Entry) -> bool:
    ratios = [measures(entry) for entry in (winner, loser)]
    return all(one["MACs"].ratio != NOT_REPORTED for one in ratios) or any(
        one["weights"].ratio == NOT_REPORTED for one in ratios
    )


def _scaled(pipeline: Pipeline, factor: float) -> Pipeline:
    """Linear scaling: with a batch twice as large an LR twice as large does the same (Goyal et al. 2017)."""

    def scaled(lr: LRSchedule) -> LRSchedule:
        return replace(lr, points=tuple((epoch, rate * factor) for epoch, rate in lr.points))

    def stage(training: Training) -> Training:
        return replace(training, lr=mapped(training.lr, scaled))

    return replace(
        pipeline,
        pretraining=stage(pipeline.pretraining),
        pruning=stage(pipeline.pruning),
        retraining=stage(pipeline.retraining),
    )


@lru_cache(maxsize=4096)
def _borrows(entry: Entry) -> bool:
    """Whether any value of an entry is declared to be the same as another entry's."""
    return any(value.root and not value.root.startswith(f"{entry.name}.") for value in entry.reported.values())


def _declared_same(winner: Entry, loser: Entry) -> frozenset[str]:
    """Values that `same_as` gives one root: what is not one known value becomes one token on both sides."""
    return frozenset(
        name
        for name in (*winner.reported, *loser.reported)
        if winner[name].root and winner[name].root == loser[name].root
        and known(winner[name].value) is None and not isinstance(winner[name].value, NotApplicable)
    )  # fmt: skip


@lru_cache(maxsize=16384)
def _cached(entry: Entry, units: Units) -> Pipeline:
    return pipeline_of_entry(entry, frozenset(), units)


@lru_cache(maxsize=2**16)
def _cached_scaled(entry: Entry, units: Units, factor: float) -> Pipeline:
    return _scaled(_cached(entry, units), factor)
