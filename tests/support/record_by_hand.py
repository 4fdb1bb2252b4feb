"""A record in which every part is written out, for tests of what becomes of records."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np

from prunemark.records.observed import Latency, Observed
from prunemark.records.outcome import (
    Accuracy,
    BaseModel,
    Compression,
    EpochPoint,
    Failure,
    MeteredStage,
    Method,
    Outcome,
    pack_correctness,
)
from prunemark.records.record import SCHEMA, Record
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import find_track

CORRECT = np.arange(500) % 25 > 0  # 480 of 500
RESNET = find_track("digits-resnet8")
WEIGHTS = find_track("digits-resnet8-weights")
BASE = BaseModel("b" * 64, 97.2, MeteredStage(2, (0.1, 0.01), 18, 2194, 10**9))
MINE = Method("L1-norm", "pruned", "anchor", "c" * 64, {"allocation": "uniform", "power": 2.0, "n": 1, "on": True})
OUTCOME = Outcome(
    trial_key="a" * 64, track=RESNET.id, track_terms=json.loads(json.dumps(RESNET.as_dict())), setup="S3.2",
    level="50%", seed=3, method=MINE, status="ok", failure=None, base=BASE, pruning=MeteredStage(0, (), 0, 0, 0),
    retraining=MeteredStage(3, (0.1, 0.1, 0.01), 27, 3291, 2 * 10**9),
    retraining_recipe=Recipe(parse_schedule("0:1e-1,2:1e-2", 3), augmentation="shift1").as_dict(),
    compression=Compression(1.911, None, 1.9105, 0.0, 193_344, 101_184, 19_818, 10_000, "uniform", {"a": 4}, {"a": 8}),
    curve=(EpochPoint(0, 0.1, 0.5, 90.0), EpochPoint(1, 0.1, None, 91.0)),
    accuracy=Accuracy(96.0, 500, pack_correctness(CORRECT), 91.0, 91.0), weights_sha256="d" * 64, data_sha256="e" * 64,
)  # fmt: skip
OBSERVED = Observed(
    "2026-01-01T00:00:00Z", 1.5, 2.5, 0.5, Latency(1, 60, 1.0, 0.9, 1.1), "cpu", "x86_64", {"torch": "2.14"}, "none"
)
RECORD = Record(SCHEMA, OUTCOME, OBSERVED)
FAILED = dataclasses.replace(
    OUTCOME, status="failed", failure=Failure("exception", "the Hessian is singular", "Traceback ..."), base=None,
    pruning=None, retraining=None, retraining_recipe=None, compression=None, curve=(), accuracy=None,
    weights_sha256=None,
)  # fmt: skip


def with_outcome(**leaves: Any) -> Record:
    return dataclasses.replace(RECORD, outcome=dataclasses.replace(OUTCOME, **leaves))
