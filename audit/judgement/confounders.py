"""What else differs between the two sides, and whom it favours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from prunemark.audit.document.claims import Credit
from prunemark.audit.document.fields import FACTOR_CONFOUNDERS, RECIPE_DETAILS
from prunemark.audit.document.reported_values import bounds
from prunemark.audit.judgement.assessed_pair import AssessedPair
from prunemark.audit.judgement.details import Detail
from prunemark.audit.judgement.entry_pipeline import counts_flops
from prunemark.setups.pipeline import Pipeline
from prunemark.setups.schedule import LRSchedule
from prunemark.setups.values import Conflict, Leaf, NotApplicable, State

TOTALS = ("overall_lr", "total_epochs", "total_flops")
COSTS_OF_PRUNING = ("pruning_epochs", "pruning_lr")
_RETRAINING = ("retraining_epochs", "retraining_lr", *RECIPE_DETAILS)
CREDITED: dict[str, frozenset[str]] = {
    "pruning": frozenset(),
    "retraining": frozenset({*_RETRAINING, *TOTALS}),
    "base": frozenset({"base_model", *TOTALS}),
    "pipeline": frozenset({"base_model", *_RETRAINING, *COSTS_OF_PRUNING, *TOTALS}),
}
"""What a claim credits is no confounder of it; the totals follow from what is credited."""


@dataclass(frozen=True)
class Confounder:
    """One thing that differs, or of which it is not known whether it does; `favours` is an entry or None."""

    name: str
    state: Literal["differs", "unknown"]
    favours: str | None
    why: str


def confounders(pair: AssessedPair, credited_to: Credit = "pruning") -> list[Confounder]:
    """All of them, by name; not what a method owns or the claim credits. The overall LR only over whole pipelines."""
    left_out = pair.winner.method_owned | pair.loser.method_owned | CREDITED[credited_to]
    left_out |= set() if pair.whole_pipelines else {"overall_lr"}
    found = [_of_factor(pair, name) for name in FACTOR_CONFOUNDERS]
    found += [_of_detail(detail) for detail in pair.details.values()]
    found += [_quoted(pair), _convention(pair)]
    return sorted((c for c in found if c and c.name not in left_out), key=lambda c: c.name)


def _of_factor(pair: AssessedPair, name: str) -> Confounder | None:
    finding = pair.findings[name]
    if finding.state is State.UNDECIDABLE:
        return Confounder(name, "unknown", None, finding.why)
    if finding.state is not State.REFUTED or _structural(pair, name):
        return None
    return Confounder(name, "differs", _whom(pair, name), finding.why)


def _structural(pair: AssessedPair, name: str) -> bool:
    """What one side cannot have does not confound: such pairs are compared over whole pipelines."""
    if name == "base_model":  # what trained it is part of the totals, but random weights are no trained ones
        kinds = {pair.left.kind, pair.right.kind}
        no_base = any(isinstance(side.base.id, NotApplicable) for side in (pair.left, pair.right))
        return pair.whole_pipelines and (no_base or "pruned_at_init" not in kinds)
    stage, _, what = name.partition("_")
    if name not in ("retraining_epochs", "retraining_lr", "pruning_epochs", "pruning_lr"):
        return False
    if not pair.whole_pipelines and name != "pruning_lr":
        return False
    stages = [getattr(side, stage) for side in (pair.left, pair.right)]
    # a stage of 0 epochs is a stage: its epochs are compared, only its LR does not apply
    return any(
        isinstance(leaf, NotApplicable)
        for training in stages
        for leaf in ((training.epochs, training.lr) if what == "lr" else (training.epochs,))
    )


_SIZES: dict[str, Callable[[Pipeline], Any]] = {
    "base_model": lambda p: p.base.top1_percent,
    "retraining_epochs": lambda p: _length(p.retraining.epochs),
    "retraining_lr": lambda p: _strength(p.retraining.lr),
    "pruning_epochs": lambda p: _length(p.pruning.epochs),
    "pruning_lr": lambda p: _strength(p.pruning.lr),
    "overall_lr": lambda p: _strength(p.overall_lr),
    "total_epochs": lambda p: p.total_epochs,
    "total_flops": lambda p: p.training_flops,
}
"""Of which there is more on the favoured side: a better base, longer training, a larger LR (mystery 1)."""


def _length(epochs: Leaf[float]) -> Any:
    """A stage that there is not lasts no epochs."""
    return 0.0 if isinstance(epochs, NotApplicable) else epochs


def _strength(lr: Leaf[LRSchedule]) -> Any:
    """The LR summed over the epochs; for a conflict, the range of its choices; without training 0."""
    if isinstance(lr, NotApplicable):
        return 0.0
    choices = lr.choices if isinstance(lr, Conflict) else (lr,)
    sums = [sum(choice.vector) for choice in choices if isinstance(choice, LRSchedule)]
    return Conflict(tuple(sums)) if len(sums) == len(choices) and sums else None


def _whom(pair: AssessedPair, name: str) -> str | None:
    size = _SIZES.get(name)
    if size is None:
        return None
    a, b = bounds(size(pair.left)), bounds(size(pair.right))
    if name in ("retraining_lr", "pruning_lr") and (a is None or b is None):
        a, b = (bounds(entry[name.replace("_", ".")].first) for entry in (pair.winner, pair.loser))
        if a is not None and a == b:  # they start alike: the longer one has more of it
            stage = name.partition("_")[0]
            a, b = (bounds(getattr(side, stage).epochs) for side in (pair.left, pair.right))
    if a is None or b is None:
        return None
    if a[0] > b[1]:
        return pair.winner.name
    return pair.loser.name if b[0] > a[1] else None


def _of_detail(detail: Detail) -> Confounder | None:
    if detail.state is State.HOLDS:
        return None
    differs = detail.state is State.REFUTED
    return Confounder(detail.name, "differs" if differs else "unknown", detail.favours, detail.why)


def _quoted(pair: AssessedPair) -> Confounder | None:
    if pair.winner.quoted == pair.loser.quoted:
        return None
    copied, run = (pair.winner, pair.loser) if pair.winner.quoted else (pair.loser, pair.winner)
    why = f"{copied.name} is copied from another paper and was not run again with {run.name}"
    return Confounder("quoted", "differs", run.name, why)


def _convention(pair: AssessedPair) -> Confounder | None:
    counted = [counts_flops(entry["flops_convention"].value) for entry in (pair.winner, pair.loser)]
    finding = pair.findings["network"]
    if finding.state is State.UNDECIDABLE and "flops_convention" in finding.why:
        return Confounder("flops_convention", "differs", None, finding.why)
    if None in counted:
        return Confounder("flops_convention", "unknown", None, "not reported on both sides")
    return None  # both declared: costs were converted to MACs before anything was compared
