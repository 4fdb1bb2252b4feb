"""The stages of one entry as pretraining, pruning and retraining.

Iterative pruning: every prune/retrain cycle but the last is pruning cost, the last retraining is the
retraining. Pruning at initialisation has no pretraining. Sparse training has no retraining: its training is
where it sparsifies, so it counts as the pruning stage. Of scratch training the training is the retraining.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from prunemark.audit.document.reported_values import Reported
from prunemark.setups.errors import InputError
from prunemark.setups.schedule import MAX_EPOCHS, LRSchedule, from_vector
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED, Between, Conflict, Leaf, NotApplicable, known

StageRole = Literal["pretraining", "training", "pruning", "retraining"]
ROLES: dict[str, StageRole] = {
    "pretraining": "pretraining",
    "training": "training",
    "pruning": "pruning",
    "retraining": "retraining",
    "finetuning": "retraining",
    "fine-tuning": "retraining",
    "fine_tuning": "retraining",
}
MAX_REPEAT = 10_000


@dataclass(frozen=True)
class ReportedStage:
    """One stage as listed, `repeat` times in a row (with its neighbours of the same `repeat`)."""

    role: StageRole
    epochs: Reported
    lr: Reported
    repeat: int = 1


@dataclass(frozen=True)
class Slot:
    """Epochs and LR of one of the three stages; `of_cycles` are the pruning epochs spent in earlier retraining."""

    epochs: Reported
    lr: Reported
    of_cycles: float = 0.0


def sorted_into_slots(stages: Sequence[ReportedStage], kind: str, entry: str, root: str) -> dict[str, Slot]:
    """The three slots of an entry of this kind. Nothing is made up: what is not listed is not reported.

    `root` names the list itself, so that what is not listed is the same for two entries that share one list.

    Raises InputError for stages that this kind of method cannot have.
    """
    if kind == "scratch":
        return _scratch(stages, entry, root)
    listed = [replace(s, role=_role_of_training(s, n, stages, kind)) for n, s in enumerate(stages)]
    cycles, retraining = _last_retraining(listed)
    pruning = [s for s in listed if s.role == "pruning"]
    slots = {
        "pretraining": _joined([s for s in listed if s.role == "pretraining"], f"{root}.pretraining#0"),
        "pruning": _pruning(pruning, cycles, f"{root}.pruning#0"),
        "retraining": _joined(retraining, f"{root}.retraining#0"),
    }
    if kind in ("pruned_at_init", "sparse_training"):
        slots["pretraining"] = slots["pretraining"] if _has(listed, "pretraining") else _none(f"{root}.pretraining#0")
    if kind == "dense" and not _has(listed, "pruning"):
        slots["pruning"] = _none(f"{root}.pruning#0")
    if kind in ("sparse_training", "dense") and not retraining:
        slots["retraining"] = _none(f"{root}.retraining#0")
    return slots


def _has(stages: Sequence[ReportedStage], role: str) -> bool:
    return any(stage.role == role for stage in stages)


def _none(root: str) -> Slot:
    return Slot(Reported(NOT_APPLICABLE, f"{root}.epochs"), Reported(NOT_APPLICABLE, f"{root}.lr"))


def _scratch(stages: Sequence[ReportedStage], entry: str, root: str) -> dict[str, Slot]:
    pruning = [s for s in stages if s.role == "pruning" and known(s.epochs.value) not in (0, None)]
    if pruning:
        raise InputError(
            f"{pruning[0].epochs.where or entry}: {entry} is trained from scratch and cannot have pruning epochs. "
            "Its kind may be pruned, pruned_at_init or sparse_training"
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
    if kind == "sparse_training":
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


def _joined(stages: Sequence[ReportedStage], root: str) -> Slot:
    """Stages in a row as one: the epochs add up, the LRs follow each other."""
    if not stages:  # named as the first such stage would be, so that another entry may declare the same
        return Slot(Reported(root=f"{root}.epochs"), Reported(root=f"{root}.lr"))
    if len(stages) == 1 and stages[0].repeat == 1:
        return Slot(stages[0].epochs, stages[0].lr)
    epochs, first = _sum([_times(s.epochs.value, s.repeat) for s in stages]), stages[0]
    return Slot(
        replace(first.epochs, value=epochs, root=f"{first.epochs.root}+{len(stages)}", evidence=_weakest(stages)),
        replace(
            first.lr, value=_laid_end_to_end(stages), root=f"{first.lr.root}+{len(stages)}", evidence=_weakest(stages)
        ),
    )


def _pruning(pruning: Sequence[ReportedStage], cycles: Sequence[ReportedStage], root: str) -> Slot:
    if not cycles:
        return _joined(pruning, root)
    joined = _joined([*pruning, *cycles], root)
    spent = _sum([_times(s.epochs.value, s.repeat) for s in cycles])
    # which LR came when, over cycles of which only the lengths are listed, is not known exactly
    lr = joined.lr if len(pruning) == len(cycles) == 1 and known(pruning[0].epochs.value) == 0 else _unknown(joined.lr)
    return Slot(joined.epochs, lr, of_cycles=known(spent) or 0.0)


def _unknown(lr: Reported) -> Reported:
    return replace(lr, value=NOT_REPORTED)


def _weakest(stages: Sequence[ReportedStage]) -> Any:
    grades = {grade for s in stages for grade in (s.epochs.evidence, s.lr.evidence)}
    return next((g for g in ("code_default", "inferred", "log") if g in grades), "stated")


def _times(epochs: Leaf[float], repeat: int) -> Leaf[float]:
    if isinstance(epochs, Between):
        return Between(epochs.low * repeat, epochs.high * repeat)
    if isinstance(epochs, Conflict):
        choices: tuple[Any, ...] = tuple(_times(choice, repeat) for choice in epochs.choices)
        return Conflict(choices)
    value = known(epochs)
    return epochs if value is None else value * repeat


def _sum(parts: Sequence[Leaf[float]]) -> Leaf[float]:
    """The sum of known numbers and ranges; not reported as soon as one part is."""
    low = high = 0.0
    for part in parts:
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
