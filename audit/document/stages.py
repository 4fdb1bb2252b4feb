"""The stages of one entry as pretraining, pruning and retraining.

Iterative pruning: every prune/retrain cycle but the last is pruning cost, the last retraining is the
retraining. Pruning at initialisation has no pretraining. Sparse training, and training from dense to sparse, have no
retraining: their training is where they sparsify, so it counts as the pruning stage. Of scratch training the training
is the retraining.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from prunemark.audit.document.reported_values import ReportedValue
from prunemark.setups.errors import InputError
from prunemark.setups.schedule import MAX_EPOCHS, LRSchedule, from_vector
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED, Between, Conflict, Leaf, NotApplicable, known

StageRole = Literal["pretraining", "training", "pruning", "retraining"]
STAGE_ROLES: dict[str, StageRole] = {
    "pretraining": "pretraining",
    "training": "training",
    "pruning": "pruning",
    "retraining": "retraining",
    "finetuning": "retraining",
    "fine-tuning": "retraining",
    "fine_tuning": "retraining",
}
STAGES_WITHOUT = {
    "pruned_at_init": ("pretraining",),
    "sparse_training": ("pretraining", "retraining"),
    "dense_to_sparse": ("pretraining", "retraining"),
    "dense": ("pruning", "retraining"),
}
"""The stages that a kind of pipeline does not have, unless the source lists one."""

MAX_REPEAT = 10_000


@dataclass(frozen=True)
class ReportedStage:
    """One stage as listed, `repeat` times in a row (with its neighbours of the same `repeat`)."""

    role: StageRole
    epochs: ReportedValue
    lr: ReportedValue
    repeat: int = 1


@dataclass(frozen=True)
class JoinedStage:
    """Epochs and LR of one of the three stages; `cycle_epochs` are those spent in the retraining of earlier cycles."""

    epochs: ReportedValue
    lr: ReportedValue
    cycle_epochs: float = 0.0


def joined_by_role(stages: Sequence[ReportedStage], kind: str, entry: str, root: str) -> dict[str, JoinedStage]:
    """Pretraining, pruning and retraining of an entry of this kind; what is not listed is not reported.

    `root` names the list itself, so that what is not listed is the same for two entries that share one list.

    Raises InputError for stages that this kind of method cannot have.
    """
    if kind == "scratch":
        return _scratch(stages, entry, root)
    listed = [replace(s, role=_role_of_training(s, n, stages, kind)) for n, s in enumerate(stages)]
    cycles, retraining = _last_retraining(listed)
    pretraining, pruning = ([s for s in listed if s.role == role] for role in ("pretraining", "pruning"))
    joined = {
        "pretraining": _joined(pretraining, f"{root}.pretraining#0"),
        "pruning": _pruning(pruning, cycles, f"{root}.pruning#0"),
        "retraining": _joined(retraining, f"{root}.retraining#0"),
    }
    given = {"pretraining": pretraining, "pruning": pruning, "retraining": retraining}
    return joined | {role: _none(f"{root}.{role}#0") for role in STAGES_WITHOUT.get(kind, ()) if not given[role]}


def _none(root: str) -> JoinedStage:
    return JoinedStage(ReportedValue(NOT_APPLICABLE, f"{root}.epochs"), ReportedValue(NOT_APPLICABLE, f"{root}.lr"))


def _scratch(stages: Sequence[ReportedStage], entry: str, root: str) -> dict[str, JoinedStage]:
    pruning = [s for s in stages if s.role == "pruning" and known(s.epochs.value) not in (0, None)]
    if pruning:
        raise InputError(
            f"{pruning[0].epochs.where or entry}: {entry} is trained from scratch and cannot have pruning epochs. "
            "Its kind may be pruned, pruned_at_init, sparse_training or dense_to_sparse"
        )
    training = [s for s in stages if s.role != "pruning"]
    return {
        "pretraining": _none(f"{root}.pretraining#0"),
        "pruning": _none(f"{root}.pruning#0"),
        "retraining": _joined(training, f"{root}.retraining#0"),
    }


def _role_of_training(stage: ReportedStage, place: int, stages: Sequence[ReportedStage], kind: str) -> StageRole:
    """A stage called `training`: before the sparsifying action it is pretraining, after it retraining."""
    if stage.role != "training":
        return stage.role
    if kind in ("sparse_training", "dense_to_sparse"):
        return "pruning"
    if kind == "pruned_at_init":
        return "retraining"
    after = any(other.role == "pruning" for other in stages[:place])
    return "retraining" if after else "pretraining"


def _last_retraining(stages: Sequence[ReportedStage]) -> tuple[list[ReportedStage], list[ReportedStage]]:
    """(retraining stages of earlier cycles, those after the last sparsifying action)."""
    last_pruning = max((n for n, s in enumerate(stages) if s.role == "pruning"), default=-1)
    earlier = [s for n, s in enumerate(stages) if s.role == "retraining" and n < last_pruning]
    final = [s for n, s in enumerate(stages) if s.role == "retraining" and n > last_pruning]
    if not final and earlier and last_pruning == len(stages) - 1:
        return earlier, []
    repeated = [replace(s, repeat=s.repeat - 1) for s in final if s.repeat > 1]
    return earlier + repeated, [replace(s, repeat=1) for s in final]


def _joined(stages: Sequence[ReportedStage], root: str) -> JoinedStage:
    """Stages in a row as one: the epochs add up, the LRs follow each other."""
    if not stages:  # named as the first such stage would be, so that another entry may declare the same
        return JoinedStage(ReportedValue(root=f"{root}.epochs"), ReportedValue(root=f"{root}.lr"))
    if len(stages) == 1 and stages[0].repeat == 1:
        return JoinedStage(stages[0].epochs, stages[0].lr)
    epochs, lr, grade = _epochs(stages), _laid_end_to_end(stages), _weakest(stages)
    return JoinedStage(
        replace(stages[0].epochs, value=epochs, root=f"{stages[0].epochs.root}+{len(stages)}", provenance=grade),
        replace(stages[0].lr, value=lr, root=f"{stages[0].lr.root}+{len(stages)}", provenance=grade),
    )


def _pruning(pruning: Sequence[ReportedStage], cycles: Sequence[ReportedStage], root: str) -> JoinedStage:
    if not cycles:
        return _joined(pruning, root)
    joined = _joined([*pruning, *cycles], root)
    # which LR came when, over cycles of which only the lengths are listed, is not known exactly
    exact = len(pruning) == len(cycles) == 1 and known(pruning[0].epochs.value) == 0
    lr = joined.lr if exact else replace(joined.lr, value=NOT_REPORTED)
    return JoinedStage(joined.epochs, lr, cycle_epochs=known(_epochs(cycles)) or 0.0)


def _weakest(stages: Sequence[ReportedStage]) -> Any:
    grades = {grade for s in stages for grade in (s.epochs.provenance, s.lr.provenance)}
    return next((g for g in ("code_default", "inferred", "log") if g in grades), "stated")


def _times(epochs: Leaf[float], repeat: int) -> Leaf[float]:
    if isinstance(epochs, Between):
        return Between(epochs.low * repeat, epochs.high * repeat)
    if isinstance(epochs, Conflict):
        choices: tuple[Any, ...] = tuple(_times(choice, repeat) for choice in epochs.choices)
        return Conflict(choices)
    value = known(epochs)
    return epochs if value is None else value * repeat


def _epochs(stages: Sequence[ReportedStage]) -> Leaf[float]:
    """The sum of known numbers and ranges, repeats counted; not reported as soon as one part is."""
    low = high = 0.0
    for part in (_times(stage.epochs.value, stage.repeat) for stage in stages):
        if isinstance(part, NotApplicable):
            continue
        if isinstance(part, Between):
            low, high = low + part.low, high + part.high
        elif (value := known(part)) is not None:
            low, high = low + value, high + value
        else:
            return NOT_REPORTED
    return low if low == high else Between(low, high)


def _laid_end_to_end(stages: Sequence[ReportedStage]) -> Leaf[LRSchedule]:
    vector: list[float] = []
    for stage in stages:
        if known(stage.epochs.value) == 0 or isinstance(stage.epochs.value, NotApplicable):
            continue
        lr = known(stage.lr.value)
        if lr is None or len(vector) + lr.epochs * stage.repeat > MAX_EPOCHS:
            return NOT_REPORTED
        vector += list(lr.vector) * stage.repeat
    return from_vector(tuple(vector)) if vector else NOT_APPLICABLE
