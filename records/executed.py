"""The pipeline that a record's trial executed, in the words of the setups: assessed as a published one is."""

from __future__ import annotations

from typing import Any

from prunemark.records.outcome import MeteredStage, Outcome
from prunemark.records.record import Record
from prunemark.setups.comparison import RECIPE
from prunemark.setups.execution import USUAL_EXECUTION, in_words
from prunemark.setups.extras import NONE
from prunemark.setups.pipeline import Base, Details, Executed, Pipeline, Result, Training
from prunemark.setups.recipe import USUAL
from prunemark.setups.schedule import from_vector
from prunemark.setups.track import OF_FILTERS
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED


def pipeline_of(record: Record) -> Pipeline:
    """The pipeline that was executed, for `setups.assess`: nothing in it is taken from what was planned."""
    outcome = record.outcome
    scratch = outcome.method.kind == "scratch"
    macs = outcome.compression
    terms = outcome.track_terms
    recipe = outcome.retraining_recipe or {}
    stages = (outcome.base.pretraining if outcome.base else None, outcome.pruning, outcome.retraining)
    given = outcome.base.given if outcome.base else ""
    base = Base(
        source=given or NOT_REPORTED,
        id=outcome.base.sha256 if outcome.base else (NOT_APPLICABLE if scratch else NOT_REPORTED),
        top1_percent=outcome.base.test_percent if outcome.base else NOT_REPORTED,
    )
    return Pipeline(
        name=f"{outcome.method.name}, seed {outcome.seed}",
        method=outcome.method.name,
        kind=outcome.method.kind,
        dataset=f"{terms['dataset']} {outcome.data_sha256}",
        network=str(terms["network"]),
        dense_macs=float(macs.dense_macs) if macs else NOT_REPORTED,
        granularity=str(terms["granularity"]),
        speedup=macs.speedup_macs if macs and terms["granularity"] in OF_FILTERS else NOT_REPORTED,
        sparsity=macs.sparsity if macs and terms["granularity"] == "weight" else NOT_REPORTED,
        base=base,
        pretraining=Training() if given else _training(stages[0], scratch),
        pruning=_training(stages[1], scratch),
        retraining=_training(stages[2], False),
        tuning_configurations=max(len(outcome.tuning), 1),
        training_flops=NOT_REPORTED if given else float(sum(stage.train_flops for stage in stages if stage)),
        details=Details(
            batch_size=recipe.get("batch_size", NOT_REPORTED),
            weight_decay=recipe.get("weight_decay", NOT_REPORTED),
            label_smoothing=recipe.get("label_smoothing", NOT_REPORTED),
            distillation=recipe.get("distillation", NONE),
            augmentation=recipe.get("augmentation", NOT_REPORTED),
        ),
        executed=_executed(outcome),
        result=Result(
            top1_percent=outcome.accuracy.test_percent if outcome.accuracy else NOT_REPORTED,
            runs=1,
            selection="last",
        ),
    )


def _executed(outcome: Outcome) -> Executed:
    """Nothing is filled in: what a record does not state is not reported.

    But what a recipe leaves out where it is usual: the optimiser SGD, no distillation, no regulariser. A base that was
    given had its training elsewhere.
    """
    stated = (outcome.retraining_recipe or {}).items()
    recipe: dict[str, Any] = {name: value for name, value in stated if isinstance(value, bool | int | float | str)}
    pretraining = outcome.base.pretraining if outcome.base else None
    stage = outcome.retraining
    epochs = stage.epochs if stage else 0
    return Executed(
        **{name: recipe.get(name, NOT_REPORTED) for name in RECIPE - USUAL.keys()},
        **{name: recipe.get(name, usual) if recipe else NOT_REPORTED for name, usual in USUAL.items()},
        steps_per_epoch=stage.steps / epochs if stage and epochs else NOT_REPORTED,
        samples_per_epoch=stage.samples / epochs if stage and epochs else NOT_REPORTED,
        pruning_steps=outcome.pruning.steps if outcome.pruning else NOT_REPORTED,
        base_training=NOT_APPLICABLE
        if outcome.base and outcome.base.given
        else (pretraining.epochs, pretraining.lr, pretraining.steps, pretraining.samples)
        if pretraining
        else NOT_REPORTED,
        retraining_flops=float(stage.train_flops) if stage else NOT_REPORTED,
        execution=in_words(outcome.track_terms) or USUAL_EXECUTION,
    )


def _training(stage: MeteredStage | None, scratch: bool) -> Training:
    if stage is None:
        return Training(NOT_APPLICABLE, NOT_APPLICABLE) if scratch else Training()
    return Training(float(stage.epochs), from_vector(stage.lr))
