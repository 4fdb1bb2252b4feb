"""What else differs between the two sides, and whom it favours."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from prunemark.audit.document.entry import DETAIL_CONFOUNDERS, FACTOR_CONFOUNDERS
from prunemark.audit.document.reported_values import bounds
from prunemark.audit.judgement.assessed_pair import AssessedPair
from prunemark.audit.judgement.entry_pipeline import counts_flops
from prunemark.audit.judgement.noise import selection_of
from prunemark.setups.factors import plain_name, show
from prunemark.setups.pipeline import Pipeline
from prunemark.setups.schedule import LRSchedule
from prunemark.setups.values import Conflict, Leaf, NotApplicable, State, compare, known

TOTALS = ("overall_lr", "total_epochs", "total_flops")
COSTS_OF_PRUNING = ("pruning_epochs", "pruning_lr")


@dataclass(frozen=True)
class Confounder:
    """One thing that differs, or of which it is not known whether it does; `favours` is an entry or None."""

    name: str
    state: Literal["differs", "unknown"]
    favours: str | None
    why: str


def confounders(pair: AssessedPair) -> list[Confounder]:
    """All of them, by name; what a method owns is none. The overall LR is one only over whole pipelines."""
    found = [_of_factor(pair, name) for name in FACTOR_CONFOUNDERS]
    found += [_of_detail(pair, name) for name in DETAIL_CONFOUNDERS]
    found += [_selection(pair), _quoted(pair), _convention(pair)]
    left_out = pair.winner.method_owned | pair.loser.method_owned
    left_out |= set() if pair.whole_pipelines else {"overall_lr"}
    return sorted((c for c in found if c and c.name not in left_out), key=lambda c: c.name)


def _of_factor(pair: AssessedPair, name: str) -> Confounder | None:
    finding = pair.findings[name]
    if finding.state is State.UNDECIDABLE:
        return Confounder(name, "unknown", None, finding.why)
    if finding.state is not State.REFUTED or _structural(pair, name):
        return None
    return Confounder(name, "differs", _whom(pair, name), finding.why)


def _structural(pair: AssessedPair, name: str) -> bool:
    """A stage that one side cannot have does not confound: such pairs are compared over whole pipelines."""
    if not pair.whole_pipelines or name not in ("retraining_epochs", "retraining_lr", "pruning_epochs", "pruning_lr"):
        return name == "pruning_lr" and any(isinstance(p.pruning.lr, NotApplicable) for p in (pair.left, pair.right))
    stage = name.partition("_")[0]
    stages = [getattr(pipeline, stage) for pipeline in (pair.left, pair.right)]
    return any(isinstance(value, NotApplicable) for training in stages for value in (training.epochs, training.lr))


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


def _of_detail(pair: AssessedPair, name: str) -> Confounder | None:
    a, b = getattr(pair.left.details, name), getattr(pair.right.details, name)
    state = compare(a, b, _equal)
    if state is State.HOLDS:
        return None
    if state is State.UNDECIDABLE:
        return Confounder(name, "unknown", None, f"{show(a)} against {show(b)}")
    return Confounder(name, "differs", _richer(pair, name, a, b), f"{show(a)} against {show(b)}")


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9)
    return _word(a) == _word(b)


def _word(value: Any) -> str:
    text = plain_name(str(value))
    return "none" if text in ("no", "none", "false", "0", "off", "without") else text


def _richer(pair: AssessedPair, name: str, a: Any, b: Any) -> str | None:
    """A teacher, label smoothing, or more augmentation than the plain one favours the side that has it.

    Of batch size and weight decay nobody knows.
    """
    if name == "label_smoothing" and 0 in (known(a), known(b)):
        return pair.loser.name if known(a) == 0 else pair.winner.name
    plain = {"distillation": ("none",), "augmentation": ("none", "standard")}.get(name)
    if plain is None or known(a) is None or known(b) is None:
        return None
    if (_word(a) in plain) != (_word(b) in plain):
        return pair.loser.name if _word(a) in plain else pair.winner.name
    if _word(a) in plain and _word(b) in plain:
        return pair.winner.name if _word(b) == "none" else pair.loser.name
    return None


def _selection(pair: AssessedPair) -> Confounder | None:
    a, b = (selection_of(p.result.selection) for p in (pair.left, pair.right))
    if a is None or b is None:
        return Confounder("selection", "unknown", None, f"{a or 'not reported'} against {b or 'not reported'}")
    if a == b:
        return None
    best = [side.name for side, word in ((pair.winner, a), (pair.loser, b)) if word.startswith("best")]
    return Confounder("selection", "differs", best[0] if len(best) == 1 else None, f"{a} against {b}")


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
