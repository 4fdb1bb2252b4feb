"""What a document knows and the rulebook does not, put into its findings factor by factor.

Names that are alike, dense costs that may be FLOPs, what a kind of method cannot have, LRs whose batch sizes nobody
states, and evidence that is only a default of published code.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from prunemark.audit.document.claims import Protocol
from prunemark.audit.document.entry import SPARSE_KINDS, Entry
from prunemark.audit.document.names import NameKind, compare_names
from prunemark.audit.judgement.compressed import compression_finding
from prunemark.audit.judgement.entry_pipeline import counts_flops
from prunemark.setups.factors import FACTORS, LR_TOLERANCE_LOG10, FactorFinding, show
from prunemark.setups.pipeline import Pipeline
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED, NotApplicable, State, compare, known

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
_STAGE_BY_STAGE = "not known as a number, but every stage is the same on both sides"
_TWICE = (1.94, 2.06)
_NAMES: dict[str, tuple[NameKind, str]] = {"dataset": ("datasets", "dataset"), "network": ("networks", "network.name")}
_LRS = {"retraining_lr": "retraining", "pruning_lr": "pruning"}
Findings = dict[str, FactorFinding]


@dataclass(frozen=True)
class Sides:
    """Both sides as read and as pipelines. `batch_known`: LRs can be compared, scaled or over equal batches."""

    winner: Entry
    loser: Entry
    left: Pipeline
    right: Pipeline
    same: frozenset[str]
    protocol: Protocol | None
    batch_known: bool = False

    @property
    def entries(self) -> tuple[Entry, Entry]:
        """The claimed winner and loser."""
        return self.winner, self.loser

    @property
    def pipelines(self) -> tuple[Pipeline, Pipeline]:
        """The same as pipelines."""
        return self.left, self.right


def revised(findings: Mapping[str, FactorFinding], sides: Sides) -> Findings:
    """The findings with what only a document knows, except for what the compression decides (`with_costs`)."""
    found = dict(findings)
    _names(found, sides)
    _network(found, sides)
    _base(found, sides)
    for factor, why in _structural(found, sides).items():
        found[factor] = replace(found[factor], state=State.REFUTED, why=why)
    _schedules(found, sides)
    for total in _equal_stage_by_stage(sides):
        if found[total].state is State.UNDECIDABLE:
            found[total] = replace(found[total], state=State.HOLDS, why=_STAGE_BY_STAGE)
    _unknown_batches(found, sides)
    for factor in VALUES_OF_FACTOR:
        _of_defaults(found, factor, sides)
    if found["final_lr"].state is State.REFUTED and found["total_epochs"].state is State.UNDECIDABLE:
        why = f"{found['final_lr'].why}; but Rule 1 is about whole pipelines, and not every stage is reported"
        found["final_lr"] = replace(found["final_lr"], state=State.UNDECIDABLE, why=why)
    return found


def with_costs(findings: Mapping[str, FactorFinding], sides: Sides) -> Findings:
    """The findings with the compression, and with the training FLOPs, which depend on it."""
    found = dict(findings)
    found["compression"] = compression_finding(sides.winner, sides.loser, sides.same)
    if all(side.training_flops == NOT_REPORTED for side in sides.pipelines) and not _one_length(found):
        return found  # as it stands: neither side says what it cost
    flops = FACTORS["total_flops"].compare(sides.left, sides.right)
    one_network = all(found[factor].state is State.HOLDS for factor in ("network", "compression"))
    if flops.state is State.UNDECIDABLE and one_network and "total_epochs" in _equal_stage_by_stage(sides):
        flops = replace(flops, state=State.HOLDS, why=_STAGE_BY_STAGE)
    if found["network"].state is State.UNDECIDABLE and flops.state in (State.HOLDS, State.REFUTED):
        why = "what an epoch costs depends on the network, and that is left open"
        flops = replace(flops, state=State.UNDECIDABLE, why=why)
    found["total_flops"] = flops
    _of_defaults(found, "total_flops", sides)
    return found


def _one_length(found: Findings) -> bool:
    return found["total_epochs"].state is State.HOLDS


def _of_defaults(found: Findings, factor: str, sides: Sides) -> None:
    """What only a default of published code says is named as the reason for leaving a factor open."""
    if found[factor].state is State.UNDECIDABLE and (side := _default_only(VALUES_OF_FACTOR[factor], sides)):
        why = f"{side} is known only from a default in published code, which need not be what was run"
        found[factor] = replace(found[factor], why=why)


def _names(found: Findings, sides: Sides) -> None:
    """Names as written; those that are alike are a question, and no answer."""
    for factor, (kind, field) in _NAMES.items():
        a, b = (entry[field].value for entry in sides.entries)
        finding = replace(found[factor], left=show(a), right=show(b))
        x, y = known(a), known(b)
        if x is not None and y is not None and compare_names(kind, str(x), str(y)) == "alike":
            question = f"is `{x}` the {y} of {sides.loser.name}?"
            finding = replace(finding, state=State.UNDECIDABLE, why=question)
        elif finding.state is State.HOLDS and x != y and x is not None:
            finding = replace(finding, why="two names of one thing")
        found[factor] = finding


def _network(found: Findings, sides: Sides) -> None:
    """Twice the dense cost may be FLOPs. A protocol, or one checkpoint, says that it is one network."""
    finding = found["network"]
    flops = finding.state is State.REFUTED and _may_be_flops(sides)
    ids = [known(entry["base.id"].value) for entry in sides.entries]
    if flops and ids[0] is not None and ids[0] == ids[1]:
        why = "one base model; its cost is counted in MACs by one side and in FLOPs by the other"
        finding = replace(finding, state=State.HOLDS, why=why)
    elif flops:
        why = "dense costs differ by a factor of two: one side may print FLOPs. State flops_convention"
        finding = replace(finding, state=State.UNDECIDABLE, why=why)
    if finding.state is State.UNDECIDABLE and sides.protocol and sides.protocol.declares("network"):
        why = f"one network by the shared protocol ({sides.protocol.locator})"
        finding = replace(finding, state=State.HOLDS, why=why)
    found["network"] = finding


def _base(found: Findings, sides: Sides) -> None:
    """A file with and without its folder, or a source of which one side only says more, is a question."""
    finding = found["base_model"]
    apart = found["base_accuracy"].state is State.REFUTED
    if finding.state is not State.REFUTED or apart:
        return
    for field in ("base.id", "base.source"):
        a, b = (known(entry[field].value) for entry in sides.entries)
        if a is None or b is None:
            continue
        if _may_be_one_base(str(a).lower(), str(b).lower()):
            why = f"is `{str(a)[:80]}` the {str(b)[:80]} of {sides.loser.name}?"
            found["base_model"] = replace(finding, state=State.UNDECIDABLE, why=why)
        return


def _may_be_one_base(a: str, b: str) -> bool:
    words = [set(re.findall(r"\w+", text)) for text in (a, b)]
    return a.rpartition("/")[2] == b.rpartition("/")[2] or words[0] < words[1] or words[1] < words[0]


def _may_be_flops(sides: Sides) -> bool:
    a, b = (known(side.dense_macs) for side in sides.pipelines)
    declared = [counts_flops(e["flops_convention"].value) is not None for e in sides.entries]
    if a is None or b is None or all(declared):
        return False
    names = (known(side.network) for side in sides.pipelines)
    return _TWICE[0] <= max(a, b) / min(a, b) <= _TWICE[1] and compare_names("networks", *map(str, names)) == "same"


def _structural(found: Findings, sides: Sides) -> dict[str, str]:
    """What silence cannot hide: a trained base is no random initialisation, sparse training has no retraining."""
    kinds = {side.kind for side in sides.pipelines}
    if "scratch" in kinds or len(kinds) == 1 or kinds <= set(SPARSE_KINDS):
        return {}
    why = ""
    factors: tuple[str, ...] = ()
    if "pruned_at_init" in kinds:
        why, factors = "structural: pruning at initialisation starts from random weights", ("base_model",)
    if kinds & set(SPARSE_KINDS):
        why = "structural: sparse training has neither a base model nor a retraining stage"
        factors = ("base_model", "retraining_epochs", "retraining_lr")
    return {factor: why for factor in factors if found[factor].state is State.UNDECIDABLE}


def _schedules(found: Findings, sides: Sides) -> None:
    """LRs that differ however long they last: by where they start, or by the epochs over which they last."""
    for factor, stage in _LRS.items():
        first = [
            written.first if (written := entry[f"{stage}.lr"]).provenance != "code_default" else None
            for entry in sides.entries
        ]
        if found[factor].state is State.UNDECIDABLE and _start_apart(*first) and _one_batch(sides):
            why = f"the LR starts from {first[0]:g} against {first[1]:g}, however many epochs there were"
            found[factor] = replace(found[factor], state=State.REFUTED, why=why)
    for lr, epochs in _LENGTHS.items():
        apart = found[lr].state is State.UNDECIDABLE and found[epochs].state is State.REFUTED
        if apart and all(_written(entry, lr) for entry in sides.entries):
            why = f"schedules over {found[epochs].left} and {found[epochs].right} epochs are not one"
            found[lr] = replace(found[lr], state=State.REFUTED, why=why)
    for factor in (*_LRS, "final_lr", "overall_lr"):  # as printed, not as scaled to one batch size
        if not _one_batch(sides):
            batches = " and ".join(f"{known(side.details.batch_size):g}" for side in sides.pipelines)
            why = f"{found[factor].why}; scaled to one batch size ({batches})"
            found[factor] = replace(found[factor], why=why)


def _one_batch(sides: Sides) -> bool:
    """Whether no LR had to be scaled: one batch size, or one that is not known."""
    a, b = (known(side.details.batch_size) for side in sides.pipelines)
    return a is None or b is None or a == b


def _unknown_batches(found: Findings, sides: Sides) -> None:
    """An overall LR that differs as printed may be one LR at two batch sizes; so may the one stage of some kinds."""
    if sides.batch_known:
        return
    kinds = [side.kind for side in sides.pipelines]
    factors = ["overall_lr"]
    factors += ["retraining_lr"] if "scratch" in kinds else []
    factors += ["pruning_lr"] if any(kind in SPARSE_KINDS for kind in kinds) else []
    for factor in factors:
        if found[factor].state is State.REFUTED and "structural" not in found[factor].why:
            why = f"{found[factor].why}, but without both batch sizes they cannot be compared"
            found[factor] = replace(found[factor], state=State.UNDECIDABLE, why=why)


def _equal_stage_by_stage(sides: Sides) -> list[str]:
    """The totals that are equal because every stage was declared to be, whatever it is."""
    left, right = sides.pipelines
    stages = list(zip(left.stages, right.stages, strict=True))
    if any(NOT_REPORTED in (a.epochs, b.epochs) for a, b in stages) or left.kind != right.kind:
        return []
    if any(compare(a.epochs, b.epochs, _same) is not State.HOLDS for a, b in stages):
        return []
    one_schedule = all(compare(a.lr, b.lr, _same) is State.HOLDS for a, b in stages)
    return ["total_epochs", *(["overall_lr"] if one_schedule else [])]


def _same(a: Any, b: Any) -> bool:
    return bool(a == b)


def _written(entry: Entry, factor: str) -> bool:
    """Whether the source gives every LR that the factor is about, where there is training."""
    stage = factor.removesuffix("_lr")
    stages = [stage] if stage != "overall" else ["pretraining", "pruning", "retraining"]
    epochs = {name: entry[f"{name}.epochs"].value for name in stages}
    trains = [name for name, n in epochs.items() if known(n) != 0 and not isinstance(n, NotApplicable)]
    written = [entry[f"{name}.lr"] for name in trains]
    return bool(written) and all(
        lr.provenance != "code_default" and (lr.first is not None or known(lr.value) is not None) for lr in written
    )


def _start_apart(a: float | None, b: float | None) -> bool:
    if a is None or b is None or a <= 0 or b <= 0:
        return False
    return abs(math.log10(a / b)) > LR_TOLERANCE_LOG10


def _default_only(names: tuple[str, ...], sides: Sides) -> str:
    """The side and value that rests on a code default, if one does."""
    for entry in sides.entries:
        for name in names:
            found = entry[name]
            if found.provenance == "code_default" and found.value not in (NOT_REPORTED, NOT_APPLICABLE):
                return f"{name} of {entry.name}"
    return ""
