"""A record as a pipeline: what was executed, as the rulebook compares it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from support.record_by_hand import BASE, FAILED, MINE, OUTCOME, RECORD, WEIGHTS, with_outcome

from prunemark.records.executed import pipeline_of
from prunemark.records.outcome import MeteredStage
from prunemark.setups.assessment import assess
from prunemark.setups.schedule import parse_schedule


def test_the_pipeline_is_what_was_executed() -> None:
    pipeline = pipeline_of(RECORD)
    assert (pipeline.method, pipeline.kind, pipeline.name) == ("L1-norm", "pruned", "L1-norm, seed 3")
    assert pipeline.dataset == "digits " + "e" * 64 and pipeline.network == "resnet8"
    assert (pipeline.speedup, str(pipeline.sparsity)) == (1.9105, "not reported")
    assert (pipeline.base.id, pipeline.base.top1_percent) == ("b" * 64, 97.2)
    assert pipeline.retraining.lr == parse_schedule("0:1e-1,2:1e-2", 3) and pipeline.total_epochs == 5
    assert pipeline.training_flops == 3e9 and pipeline.dense_macs == 193_344
    assert (pipeline.details.batch_size, pipeline.details.augmentation) == (128, "shift1")
    assert (pipeline.result.top1_percent, pipeline.result.runs, pipeline.result.selection) == (96.0, 1, "last")
    assert (
        assess([pipeline, pipeline_of(with_outcome(method=dataclasses.replace(MINE, name="B")))]).established == "S4.2"
    )


@pytest.mark.parametrize(
    ("change", "highest"),
    [
        ({"data_sha256": "f" * 64}, None),
        ({"base": dataclasses.replace(BASE, sha256="f" * 64)}, "S1"),
        ({"retraining": MeteredStage(4, (0.1,) * 4, 36, 4388, 2 * 10**9)}, "S2"),
        ({"retraining": MeteredStage(3, (0.1, 0.01, 0.01), 27, 3291, 2 * 10**9)}, "S3.1"),
        ({"pruning": MeteredStage(1, (0.01,), 9, 1097, 10**8)}, "S3.2"),
        ({"seed": 4}, "S4.2"),
    ],
)
def test_a_setup_holds_between_records_as_far_as_what_was_executed_allows(change: dict[str, Any], highest: str) -> None:
    found = assess([pipeline_of(RECORD), pipeline_of(with_outcome(**change))])
    assert found.established == found.ceiling == highest


def test_weights_are_compared_by_sparsity_and_scratch_by_its_totals() -> None:
    assert OUTCOME.compression is not None
    sparse = with_outcome(
        track_terms=WEIGHTS.as_dict(),
        compression=dataclasses.replace(OUTCOME.compression, sparsity=0.95, speedup_macs=1.0),
    )
    assert (str(pipeline_of(sparse).speedup), pipeline_of(sparse).sparsity) == ("not reported", 0.95)
    scratch = with_outcome(
        method=dataclasses.replace(MINE, kind="scratch"), base=None, pruning=None,
        retraining=MeteredStage(5, (0.1, 0.1, 0.1, 0.01, 0.01), 45, 5485, 3 * 10**9),
    )  # fmt: skip
    found = assess([pipeline_of(RECORD), pipeline_of(scratch)])
    assert found.setups["SX-A"] == found.setups["SX-B"] == "holds" and found.setups["S2"] == "not_applicable"


def test_a_failed_record_is_a_pipeline_without_a_result() -> None:
    pipeline = pipeline_of(dataclasses.replace(RECORD, outcome=FAILED))
    assert {str(leaf) for leaf in (pipeline.result.top1_percent, pipeline.base.id, pipeline.speedup)} == {
        "not reported"
    }
    assert pipeline.training_flops == 0


def test_a_method_that_only_looks_at_data_has_a_pipeline() -> None:
    assert pipeline_of(with_outcome(pruning=MeteredStage(1, (0.0,), 0, 1097, 10**8))).pruning.epochs == 1
