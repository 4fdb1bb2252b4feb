"""Pipelines: what is derived from the stages, and that nothing is made up where a stage is silent."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.setups.pipeline import Base, Details, Executed, Pipeline, Result, Training
from prunemark.setups.schedule import from_vector, parse_schedule
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED, Between, Conflict

fixed = settings(derandomize=True, deadline=None, database=None)
PRETRAINING = Training(30.0, parse_schedule("0:1e-1", 30))
RETRAINING = Training(90.0, parse_schedule("0:1e-2,30:1e-3,60:1e-4,75:1e-5", 90))
NONE = Training(0.0)
P30F90 = Pipeline("P30F90, 1e-2", "L1-norm", pretraining=PRETRAINING, pruning=NONE, retraining=RETRAINING)


def test_nothing_is_reported_until_it_is() -> None:
    empty = Pipeline("A", "L1-norm")
    assert empty.executed is None
    for part in (empty, Base(), Training(), Details(), Executed(), Result()):
        leaves = [f.name for f in dataclasses.fields(part) if f.name not in ("name", "method", "kind", "executed")]
        values = [getattr(part, name) for name in leaves]
        assert all(
            value == NOT_REPORTED for value in values if not dataclasses.is_dataclass(value) or value == NOT_REPORTED
        )
    assert empty.total_epochs == empty.overall_lr == NOT_REPORTED


def test_one_shot_pruning_laid_end_to_end_is_the_scratch_schedule() -> None:
    """The S4.2 rows of Table 4: the method chooses only when to prune."""
    assert P30F90.total_epochs == 120
    assert P30F90.overall_lr == parse_schedule("0:0.1,30:0.01,60:0.001,90:1e-4,105:1e-5", 120)
    assert P30F90.stages == (PRETRAINING, NONE, RETRAINING)


def test_scratch_training_has_one_stage() -> None:
    na = Training(NOT_APPLICABLE, NOT_APPLICABLE)
    scratch = Pipeline("S", "scratch", "scratch", pretraining=na, pruning=na, retraining=RETRAINING)
    assert scratch.total_epochs == 90 and scratch.overall_lr == RETRAINING.lr


@pytest.mark.parametrize("stage", ["pretraining", "pruning", "retraining"])
@pytest.mark.parametrize("leaf", [NOT_REPORTED, Between(1), Conflict((30.0, 60.0))])
def test_totals_are_not_reported_where_one_stage_is_not_known(stage: str, leaf: Any) -> None:
    assert replace(P30F90, **{stage: Training(leaf, PRETRAINING.lr)}).total_epochs == NOT_REPORTED
    assert replace(P30F90, **{stage: Training(5.0, leaf)}).overall_lr == NOT_REPORTED


@fixed
@given(st.lists(st.lists(st.floats(1e-6, 1), max_size=5), min_size=3, max_size=3))
def test_the_overall_schedule_is_every_epoch_in_order(vectors: list[list[float]]) -> None:
    stages = [Training(float(len(vector)), from_vector(tuple(vector))) for vector in vectors]
    pipeline = Pipeline("A", "m", pretraining=stages[0], pruning=stages[1], retraining=stages[2])
    overall = pipeline.overall_lr
    assert pipeline.total_epochs == sum(map(len, vectors))
    assert getattr(overall, "vector", None) == tuple(lr for vector in vectors for lr in vector)


def test_very_long_stages_can_be_laid_end_to_end() -> None:
    long = Training(60_000.0, parse_schedule("1e-2", 60_000))
    replace(P30F90, pretraining=long, retraining=long).overall_lr  # noqa: B018 - it must not raise
