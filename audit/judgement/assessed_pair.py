"""Two entries as Pipelines, and what the rulebook (`setups.assess`) says of them.

The rules are those of `setups`. Added here is only what a document knows and a record does not: which side
claims to win, how good the evidence is, what was declared to be the same, and FLOPs printed for MACs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from prunemark.audit.document.entry import Entry
from prunemark.audit.document.reported_values import bounds
from prunemark.audit.judgement.entry_pipeline import counts_flops, pipeline_of_entry, states_macs
from prunemark.setups.assessment import Assessment, assess
from prunemark.setups.factors import LR_TOLERANCE_LOG10, FactorFinding
from prunemark.setups.pipeline import Pipeline
from prunemark.setups.values import (
    NOT_APPLICABLE,
    NOT_REPORTED,
    Conflict,
    Leaf,
    NotApplicable,
    NotReported,
    State,
    compare,
    known,
)

VALUES_OF_FACTOR: dict[str, tuple[str, ...]] = {
    "base_model": ("base.id", "base.source"),
    "retraining_epochs": ("retraining.epochs",),
    "retraining_lr": ("retraining.epochs", "retraining.lr"),
    "pruning_epochs": ("pruning.epochs",),
    "pruning_lr": ("pruning.epochs", "pruning.lr"),
    "total_epochs": ("pretraining.epochs", "pruning.epochs", "retraining.epochs"),
    "total_flops": ("pretraining.epochs", "pruning.epochs", "retraining.epochs"),
    "overall_lr": ("pretraining.lr", "pruning.lr", "retraining.lr"),
    "final_lr": ("retraining.lr",),
}
"""The values whose evidence decides how much a factor's finding is worth."""

_LENGTHS = {"retraining_lr": "retraining_epochs", "pruning_lr": "pruning_epochs", "overall_lr": "total_epochs"}
"""The epochs over which a schedule lasts: schedules of different length differ, whatever their length exactly is."""

_TWICE = (1.94, 2.06)


@dataclass(frozen=True)
class AssessedPair:
    """The claimed winner and the claimed loser, as the rulebook sees them."""

    winner: Entry
    loser: Entry
    left: Pipeline
    right: Pipeline
    assessment: Assessment
    findings: Mapping[str, FactorFinding]

    @property
    def whole_pipelines(self) -> bool:
        """Whether the two can be compared only over whole pipelines: scratch, sparse training, mixed kinds."""
        a, b = ("pruned" if side.kind == "dense" else side.kind for side in (self.left, self.right))
        return a != b or a in ("scratch", "sparse_training")


def assess_pair(winner: Entry, loser: Entry) -> AssessedPair:
    """Assesses the claimed winner (left) against the claimed loser (right)."""
    same = _declared_same(winner, loser) if _borrows(winner) or _borrows(loser) else frozenset()
    absolute = all(states_macs(e) for e in (winner, loser))
    left, right = (pipeline_of_entry(e, same, absolute) if same else _cached(e, absolute) for e in (winner, loser))
    found = assess([left, right], revise=lambda findings: _revised(findings, winner, loser, left, right))
    return AssessedPair(winner, loser, left, right, found, {f.factor: f for f in found.findings})


@lru_cache(maxsize=4096)
def _borrows(entry: Entry) -> bool:
    """Whether any value of an entry is declared to be the same as another entry's."""
    return any(value.root and not value.root.startswith(f"{entry.name}.") for value in entry.reported.values())


def _declared_same(winner: Entry, loser: Entry) -> frozenset[str]:
    """Values that `same_as` gives one root: what is not one known value becomes one token on both sides."""
    return frozenset(
        name
        for name, value in winner.reported.items()
        if value.root and value.root == loser[name].root
        and known(value.value) is None and not isinstance(value.value, NotApplicable)
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _cached(entry: Entry, absolute: bool) -> Pipeline:
    return pipeline_of_entry(entry, frozenset(), absolute)


def _revised(
    findings: dict[str, FactorFinding], winner: Entry, loser: Entry, left: Pipeline, right: Pipeline
) -> dict[str, FactorFinding]:
    found = dict(findings)
    if found["compression"].state is State.REFUTED and _more_compressed(left, right):
        why = f"{found['compression'].left} against {found['compression'].right}: the claimed winner is compressed more"
        found["compression"] = replace(found["compression"], state=State.HOLDS_A_FORTIORI, why=why)
    if found["network"].state is State.REFUTED and _may_be_flops(winner, loser, left, right):
        why = "dense costs differ by a factor of two: one side may print FLOPs. State flops_convention"
        found["network"] = replace(found["network"], state=State.UNDECIDABLE, why=why)
    found |= {f: replace(found[f], state=State.REFUTED, why=why) for f, why in _structural(found, left, right).items()}
    for stage in ("retraining", "pruning"):
        first = [entry[f"{stage}.lr"].first for entry in (winner, loser)]
        if found[f"{stage}_lr"].state is State.UNDECIDABLE and _start_apart(*first):
            why = f"the LR starts from {first[0]:g} against {first[1]:g}, however many epochs there were"
            found[f"{stage}_lr"] = replace(found[f"{stage}_lr"], state=State.REFUTED, why=why)
    for lr, epochs in _LENGTHS.items():
        apart = found[lr].state is State.UNDECIDABLE and found[epochs].state is State.REFUTED
        if apart and all(_written(entry, lr) for entry in (winner, loser)):
            why = f"schedules over {found[epochs].left} and {found[epochs].right} epochs are not one"
            found[lr] = replace(found[lr], state=State.REFUTED, why=why)
    for total in _equal_stage_by_stage(found, left, right):
        if found[total].state is State.UNDECIDABLE:
            why = "not known as a number, but every stage is the same on both sides"
            found[total] = replace(found[total], state=State.HOLDS, why=why)
    if found["network"].state is State.UNDECIDABLE and found["total_flops"].state in (State.HOLDS, State.REFUTED):
        why = "what an epoch costs depends on the network, and that is left open"
        found["total_flops"] = replace(found["total_flops"], state=State.UNDECIDABLE, why=why)
    for factor, names in VALUES_OF_FACTOR.items():
        decided = found[factor].state in (State.HOLDS, State.REFUTED)
        if decided and (side := _default_only(names, winner, loser)):
            why = f"{side} is known only from a default in published code, which need not be what was run"
            found[factor] = replace(found[factor], state=State.UNDECIDABLE, why=why)
    if found["final_lr"].state is State.REFUTED and found["total_epochs"].state is State.UNDECIDABLE:
        why = f"{found['final_lr'].why}; but Rule 1 is about whole pipelines, and not every stage is reported"
        found["final_lr"] = replace(found["final_lr"], state=State.UNDECIDABLE, why=why)
    return found


def _structural(found: Mapping[str, FactorFinding], left: Pipeline, right: Pipeline) -> dict[str, str]:
    """What silence cannot hide: a trained base is no random initialisation, sparse training has no retraining."""
    kinds = {left.kind, right.kind}
    if "scratch" in kinds or len(kinds) == 1:
        return {}
    why = ""
    factors: tuple[str, ...] = ()
    if "pruned_at_init" in kinds:
        why, factors = "structural: pruning at initialisation starts from random weights", ("base_model",)
    if "sparse_training" in kinds:
        why = "structural: sparse training has neither a base model nor a retraining stage"
        factors = ("base_model", "retraining_epochs", "retraining_lr")
    return {factor: why for factor in factors if found[factor].state is State.UNDECIDABLE}


def _equal_stage_by_stage(found: Mapping[str, FactorFinding], left: Pipeline, right: Pipeline) -> list[str]:
    """The totals that are equal because every stage was declared to be, whatever it is."""
    stages = list(zip(left.stages, right.stages, strict=True))
    if any(NOT_REPORTED in (a.epochs, b.epochs) for a, b in stages) or left.kind != right.kind:
        return []
    if any(compare(a.epochs, b.epochs, _same) is not State.HOLDS for a, b in stages):
        return []
    one_network = all(found[factor].state is State.HOLDS for factor in ("network", "compression"))
    one_schedule = all(compare(a.lr, b.lr, _same) is State.HOLDS for a, b in stages)
    return ["total_epochs", *(["total_flops"] if one_network else []), *(["overall_lr"] if one_schedule else [])]


def _same(a: object, b: object) -> bool:
    return a == b


def _written(entry: Entry, factor: str) -> bool:
    """Whether the source gives every LR that the factor is about, where there is training."""
    stage = factor.removesuffix("_lr")
    stages = [stage] if stage != "overall" else ["pretraining", "pruning", "retraining"]
    epochs = {name: entry[f"{name}.epochs"].value for name in stages}
    trains = [name for name, n in epochs.items() if known(n) != 0 and not isinstance(n, NotApplicable)]
    written = [entry[f"{name}.lr"] for name in trains]
    return bool(written) and all(lr.first is not None or known(lr.value) is not None for lr in written)


def _start_apart(a: float | None, b: float | None) -> bool:
    if a is None or b is None or a <= 0 or b <= 0:
        return False
    return abs(math.log10(a / b)) > LR_TOLERANCE_LOG10


def _more_compressed(left: Pipeline, right: Pipeline) -> bool:
    """By the quantity both state; a range counts by its worse end."""
    for a, b in ((left.speedup, right.speedup), (left.sparsity, right.sparsity)):
        if isinstance(a, NotReported) or isinstance(b, NotReported):
            continue
        lows, highs = _ends(a), _ends(b)
        return bool(lows and highs) and min(lows) > max(highs)
    return False


def _ends(value: Leaf[float]) -> list[float]:
    if isinstance(value, Conflict):
        return [end for choice in value.choices for end in (_ends(choice) or [float("nan")])]
    ends = bounds(value)
    return list(ends) if ends else []


def _may_be_flops(winner: Entry, loser: Entry, left: Pipeline, right: Pipeline) -> bool:
    a, b = known(left.dense_macs), known(right.dense_macs)
    declared = [counts_flops(e["flops_convention"].value) is not None for e in (winner, loser)]
    if a is None or b is None or all(declared):
        return False
    return _TWICE[0] <= max(a, b) / min(a, b) <= _TWICE[1]


def _default_only(names: tuple[str, ...], winner: Entry, loser: Entry) -> str:
    """The side and value that rests on a code default, if one does."""
    for entry in (winner, loser):
        for name in names:
            found = entry[name]
            if found.provenance == "code_default" and found.value not in (NOT_REPORTED, NOT_APPLICABLE):
                return f"{name} of {entry.name}"
    return ""
