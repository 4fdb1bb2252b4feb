"""What the inputs of a trial determine: frozen, plain data, one class a part. `record.py` reads and writes it."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from prunemark.records.matched_to import RATIOS_OF, MatchedTo
from prunemark.records.part import RecordPart
from prunemark.setups.track import WORDS

MACS_CONVENTION = "one multiply-add is one MAC; convolutions, linear layers, attention; batch norm and bias not counted"
Status = Literal["ok", "failed", "timeout", "out_of_memory", "budget_exceeded", "noncompliant", "invalidated"]
MACHINE_STATUSES = ("timeout", "out_of_memory")
"""How a trial also ends where the machine is slow, small or busy: it says as much of the machine as of the method."""
Role = Literal["submission", "anchor", "control", "reference"]
TrialKind = Literal["pruned", "scratch", "dense"]


@dataclass(frozen=True)
class Method(RecordPart):
    """Who competes: the code by its hash, the settings by their values."""

    name: str
    kind: TrialKind
    role: Role
    source_sha256: str
    settings: dict[str, bool | int | float | str]
    summary: str = ""

    @property
    def chosen(self) -> dict[str, bool | int | float | str]:
        """The settings without `RATIOS_OF`, which is no setting of the code: it says what a control is matched to."""
        return {name: value for name, value in self.settings.items() if name != RATIOS_OF}

    @property
    def matched_to(self) -> MatchedTo | None:
        """Of a control, the submission whose own layer ratios it has; None where they are the level's."""
        return MatchedTo.among(self.settings)


@dataclass(frozen=True)
class MeteredStage(RecordPart):
    """One stage as executed and metered. `lr` is the LR of each epoch of training.

    `samples` were handed out; `forward_macs` and `backward_macs` were executed on them, the latter twice the former
    for every layer that a gradient goes through, and `train_flops` is two for each. `scoring_epochs` are passes
    over the training split in which no optimiser stepped.
    """

    epochs: int
    lr: tuple[float, ...]
    steps: int
    samples: int
    train_flops: int
    forward_macs: int = 0
    backward_macs: int = 0
    scoring_epochs: int = 0


@dataclass(frozen=True, slots=True)  # of which a board holds more than of anything else: a quarter of the memory
class EpochPoint(RecordPart):
    """One point of a training curve; a value that was not finite is None."""

    epoch: int
    lr: float
    train_loss: float | None
    validation_accuracy_percent: float


@dataclass(frozen=True)
class Compression(RecordPart):
    """What was asked for and what was reached. MACs are per example, in the convention of the record."""

    target_speedup: float | None
    target_sparsity: float | None
    speedup_macs: float
    sparsity: float
    dense_macs: int
    macs: int
    dense_params: int
    params: int
    allocation: str
    kept: dict[str, int]
    total: dict[str, int]


@dataclass(frozen=True)
class Accuracy(RecordPart):
    """Of the final model on the test split, last epoch, opened once. `correct` is one bit per example."""

    test_percent: float
    test_examples: int
    correct: str
    validation_last_percent: float
    validation_best_percent: float

    def correctness(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Per-example correctness; shape (test_examples,)."""
        bits = np.frombuffer(base64.b64decode(self.correct), dtype=np.uint8)
        return np.unpackbits(bits, count=self.test_examples).astype(bool)


def pack_correctness(correct: np.ndarray[Any, np.dtype[np.bool_]]) -> str:
    """The inverse of `Accuracy.correctness`."""
    return base64.b64encode(np.packbits(correct).tobytes()).decode("ascii")


@dataclass(frozen=True)
class Diagnostics(RecordPart):
    """How well the pruned network could be trained, from the validation curve of its retraining.

    `trainability_percent` is the mean accuracy over the first LR stage, of `first_stage_epochs`; `mean_jsv` the
    mean singular value of the input-output Jacobian right after pruning. `immature_decay` says that the curve
    was still rising, beyond noise (`slope_p` below .05), when the LR first dropped; None where that cannot be
    told. `best_minus_last_pp` is what picking the best epoch would have added.
    """

    trainability_percent: float | None
    first_stage_epochs: int
    mean_jsv: float | None
    immature_decay: bool | None
    slope_pp_per_epoch: float | None
    slope_p: float | None
    best_minus_last_pp: float | None


@dataclass(frozen=True)
class Tried(RecordPart):
    """One LR configuration of a tuned trial, and the validation accuracy at its last epoch."""

    lr: str
    validation_last_percent: float


@dataclass(frozen=True)
class BaseModel(RecordPart):
    """The checkpoint that was pruned: its content hash, how it was trained, its measured test accuracy.

    `given` says where it comes from if its track gives it, such as torchvision:IMAGENET1K_V1, and `file_sha256` is the
    hash of that file. Nothing was trained then, and how it had been is not on the record.
    """

    LATER = ("given", "file_sha256")

    sha256: str
    test_percent: float
    pretraining: MeteredStage
    given: str = ""
    file_sha256: str = ""


@dataclass(frozen=True)
class Failure(RecordPart):
    """Why there is no result: the rule that ended the trial, and the evidence."""

    rule: str
    evidence: str
    traceback: str = ""


@dataclass(frozen=True)
class Outcome(RecordPart):
    """What the inputs determine. `trial_key` is the hash of all of them."""

    trial_key: str
    track: str
    track_terms: dict[str, Any]
    setup: str
    level: str
    seed: int
    method: Method
    status: Status
    failure: Failure | None
    base: BaseModel | None
    pruning: MeteredStage | None
    retraining: MeteredStage | None
    retraining_recipe: dict[str, Any] | None
    compression: Compression | None
    curve: tuple[EpochPoint, ...]
    accuracy: Accuracy | None
    weights_sha256: str | None
    data_sha256: str
    diagnostics: Diagnostics | None = None
    tuning: tuple[Tried, ...] = ()
    macs_convention: str = MACS_CONVENTION

    @property
    def numbers(self) -> Outcome:
        """What two runs of one trial share, bit for bit.

        Without the key, which holds versions of stages and libraries too, and without words: about the method, which
        its identity leaves out; a track's title; how MACs are counted, since the counts are there; where a failed
        method lay.
        """
        return replace(
            self,
            trial_key="",
            macs_convention="",
            track_terms={name: value for name, value in self.track_terms.items() if name not in WORDS},
            method=replace(self.method, summary=""),
            failure=self.failure and replace(self.failure, traceback=""),
        )


def finite(value: float) -> float | None:
    """The value, or None for NaN and infinity, which JSON cannot hold."""
    return value if math.isfinite(value) else None
