"""The factors that only records can show: what the harness imposes, and nobody has to publish.

The paper's setups do not name them, so a published comparison is not asked for them. Between records they are verified
(`ComparisonSetup.verified`): with smaller batches or another optimiser, equal epochs are not equal training.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prunemark.setups.factors import FACTORS, Factor, StateWithReason, plain_factor, same, show
from prunemark.setups.pipeline import Executed, Pipeline
from prunemark.setups.values import NOT_APPLICABLE, Leaf, State, compare, known

STAGE_FLOPS_TOLERANCE = 0.05  # of the retraining stage


def _of_executed(read: Callable[[Executed], Leaf[Any]]) -> Callable[[Pipeline], Leaf[Any]]:
    """Reads what was executed; it does not apply to a pipeline that is known from a publication."""
    return lambda p: NOT_APPLICABLE if p.executed is None else read(p.executed)


def _executed(id: str, title: str, read: Callable[[Executed], Leaf[Any]], of_the_pruned: bool = False) -> Factor:
    return plain_factor(id, title, "this project", _of_executed(read), same, "the same", of_the_pruned)


_BASE_TRAINING = _of_executed(lambda e: e.base_training)


def _base_training(left: Pipeline, right: Pipeline) -> StateWithReason:
    """One base model has one training. Whether it is one says another factor."""
    if left.base.id != right.base.id:
        return State.HOLDS, "two base models"
    state = compare(_BASE_TRAINING(left), _BASE_TRAINING(right), same)
    return state, {
        State.REFUTED: "one base model, and two trainings of it are on the records",
        State.UNDECIDABLE: "its training is not on both records",
    }.get(state, "equal (one training)")


def _epochs_of_all_stages(pipeline: Pipeline) -> Leaf[float]:
    return NOT_APPLICABLE if pipeline.executed is None else pipeline.total_epochs


def _flops_of_all_stages(pipeline: Pipeline) -> Leaf[float]:
    return NOT_APPLICABLE if pipeline.executed is None else pipeline.training_flops


def _stage_flops(left: Pipeline, right: Pipeline) -> StateWithReason:
    """Sums that differ by no more than 5 % of a retraining stage, or than rounding both to whole epochs explains.

    Of a total, 5 % would hide half as many retraining epochs again where the pruned network is ten times cheaper.
    """
    if left.executed is None or right.executed is None:
        state = compare(_flops_of_all_stages(left), _flops_of_all_stages(right), same)
        return state, "both are n/a: holds vacuously" if state is State.HOLDS else "not both are records"
    leaves = [(p.training_flops, p.executed.retraining_flops, p.retraining.epochs) for p in (left, right) if p.executed]
    numbers = [known(leaf) for side in leaves for leaf in side]
    if None in numbers:
        return State.UNDECIDABLE, "not every stage is on both records"
    a, a_stage, a_epochs, b, b_stage, b_epochs = (float(number or 0.0) for number in numbers)
    rounding = (a_stage / max(a_epochs, 1) + b_stage / max(b_epochs, 1)) / 2
    allowed = max(STAGE_FLOPS_TOLERANCE * max(a_stage, b_stage), rounding)
    rule = "the difference is within 5 % of the retraining stage, or half an epoch of each"
    if abs(a - b) <= allowed:
        return State.HOLDS, f"equal ({rule})"
    over = f"{abs(a - b) / max(min(a_stage, b_stage), 1):.0%} of the retraining stage apart"
    return State.REFUTED, f"{show(a)} against {show(b)}, {over} (needed: {rule})"


_TUNING = plain_factor("tuning_configurations", "LR configurations tried", "this project",
                       lambda p: p.tuning_configurations, same, "same number", True)  # fmt: skip
_IMPOSED = (
    _executed("batch_size", "batch size of retraining", lambda e: e.batch_size),
    _executed("momentum", "momentum of retraining", lambda e: e.momentum),
    _executed("nesterov", "whether retraining uses Nesterov's momentum", lambda e: e.nesterov),
    _executed("weight_decay", "weight decay of retraining", lambda e: e.weight_decay),
    _executed("augmentation", "augmentation in retraining", lambda e: e.augmentation),
    _executed("label_smoothing", "label smoothing in retraining", lambda e: e.label_smoothing),
    _executed("optimiser", "optimiser of retraining", lambda e: e.optimiser),
    _executed("distillation", "distillation in retraining", lambda e: e.distillation),
    _executed("regulariser", "regulariser in retraining", lambda e: e.regulariser),
    _executed("execution", "precision, layout, compiler and determinism of training", lambda e: e.execution),
    _executed("steps_per_epoch", "optimiser steps in an epoch of retraining", lambda e: e.steps_per_epoch),
    _executed("samples_per_epoch", "images in an epoch of retraining", lambda e: e.samples_per_epoch),
    _executed("pruning_steps", "optimiser steps of the pruning stage", lambda e: e.pruning_steps, True),
    Factor("base_training", "epochs, LRs, steps and images of the base model's training", "this project",
           _BASE_TRAINING, _base_training, True, reads=lambda p: (p.base.id, p.executed and p.executed.base_training)),
    plain_factor("epochs_of_all_stages", "epochs of all stages, to the epoch", "this project",
                 _epochs_of_all_stages, same, "same number"),
    Factor("flops_of_all_stages", "training FLOPs of all stages, measured by the retraining stage", "this project",
           _flops_of_all_stages, _stage_flops,
           reads=lambda p: (p.training_flops, p.retraining.epochs, p.executed and p.executed.retraining_flops)),
)  # fmt: skip
HARNESS_FACTORS: dict[str, Factor] = FACTORS | {factor.id: factor for factor in (_TUNING, *_IMPOSED)}
"""The factors of the paper's setups, and those that only a harness can grant or see."""
