"""The record: everything that is known about one trial, frozen and content-addressed.

`outcome` is what the inputs determine: on a CPU the same inputs give the same bytes, and `outcome_sha256`
names them. `observed` is what the clock and the machine say: seconds, latency, versions. `record_sha256`
covers both, so an edited record no longer answers to its name. Records are written once and never changed.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from prunemark.setups.errors import InputError, RuleBroken
from prunemark.setups.pipeline import Base, Details, Pipeline, Result, Training
from prunemark.setups.schedule import from_vector
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED

SCHEMA = "prunemark-record/1"
MACS_CONVENTION = (
    "one multiply-add is one MAC; convolutions and linear layers; batch norm and bias not counted"
)
Status = Literal["ok", "failed", "timeout", "out_of_memory", "budget_exceeded", "noncompliant", "invalidated"]
Role = Literal["submission", "anchor", "control", "reference"]
Kind = Literal["pruned", "scratch", "dense"]


@dataclass(frozen=True)
class Method:
    """Who competes: the code by its hash, the settings by their values."""

    name: str
    kind: Kind
    role: Role
    source_sha256: str
    settings: dict[str, bool | int | float | str]
    summary: str = ""


@dataclass(frozen=True)
class Stage:
    """One stage as executed and metered. `lr` is the LR of each epoch; FLOPs are 2 x MACs x 3 per sample."""

    epochs: int
    lr: tuple[float, ...]
    steps: int
    samples: int
    train_flops: int


@dataclass(frozen=True)
class EpochPoint:
    """One point of a training curve; a value that was not finite is None."""

    epoch: int
    lr: float
    train_loss: float | None
    validation_accuracy_percent: float


@dataclass(frozen=True)
class Compression:
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
class Accuracy:
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
class BaseModel:
    """The checkpoint that was pruned: its content hash, how it was trained, its measured test accuracy."""

    sha256: str
    test_percent: float
    pretraining: Stage


@dataclass(frozen=True)
class Failure:
    """Why there is no result: the rule that ended the trial, and the evidence."""

    rule: str
    evidence: str
    traceback: str = ""


@dataclass(frozen=True)
class Outcome:
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
    pruning: Stage | None
    retraining: Stage | None
    retraining_recipe: dict[str, Any] | None
    compression: Compression | None
    curve: tuple[EpochPoint, ...]
    accuracy: Accuracy | None
    weights_sha256: str | None
    data_sha256: str
    macs_convention: str = MACS_CONVENTION


@dataclass(frozen=True)
class Latency:
    """Measured forward passes of the final model, in milliseconds per batch: median and quartiles."""

    batch_size: int
    repeats: int
    median_ms: float
    low_ms: float
    high_ms: float


@dataclass(frozen=True)
class Observed:
    """What the clock and the machine say about the run."""

    finished_at: str
    pruning_seconds: float
    retraining_seconds: float
    evaluation_seconds: float
    latency: Latency | None
    device: str
    hardware: str
    versions: dict[str, str]
    isolation: str


@dataclass(frozen=True)
class Record:
    """One trial, whole."""

    schema: str
    outcome: Outcome
    observed: Observed

    @property
    def outcome_sha256(self) -> str:
        """The name of everything that is reproducible in this record."""
        return hashlib.sha256(canonical_json(dataclasses.asdict(self.outcome)).encode()).hexdigest()

    @property
    def record_sha256(self) -> str:
        """The name of the record: its file is called so, and its MLflow run carries it as a tag."""
        return hashlib.sha256(dump(self).encode()).hexdigest()


def canonical_json(data: object) -> str:
    """Sorted keys, no spaces, no NaN: one text for one value. Raises ValueError on NaN and infinity."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def dump(record: Record) -> str:
    """The record as canonical JSON."""
    return canonical_json(dataclasses.asdict(record))


def load(text: str | bytes, where: str = "record") -> Record:
    """Reads a record strictly. Raises InputError when it is not one: wrong schema, field or type."""
    import pydantic

    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{where} is not JSON: it is truncated or was not written by Prunemark") from None
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        raise InputError(f"{where} has schema {schema!r}; this version reads {SCHEMA!r}")
    try:
        record: Record = _adapter().validate_python(data)
    except pydantic.ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{where} is not a valid record: {place}: {first['msg']}") from None
    if dump(record) != canonical_json(data):
        raise InputError(
            f"{where} is not a valid record: it has fields or values that {SCHEMA} does not know"
        )
    return record


_ADAPTERS: list[Any] = []


def _adapter() -> Any:
    """Built on first use: building it takes longer than reading a thousand records."""
    if not _ADAPTERS:
        import pydantic

        _ADAPTERS.append(pydantic.TypeAdapter(Record))
    return _ADAPTERS[0]


def load_file(path: Path) -> Record:
    """Reads `<sha256>.json` and checks the content against the name. Raises RuleBroken if they differ."""
    record = load(path.read_bytes(), path.name)
    if record.record_sha256 != path.stem:
        raise RuleBroken(
            f"{path.name} does not have the content its name promises: it was edited.\n"
            "Delete it and run the trial again"
        )
    return record


def finite(value: float) -> float | None:
    """The value, or None for NaN and infinity, which JSON cannot hold."""
    return value if math.isfinite(value) else None


def pipeline_of(record: Record) -> Pipeline:
    """The pipeline that was executed, for `setups.assess`: nothing in it is taken from what was planned."""
    outcome = record.outcome
    scratch = outcome.method.kind == "scratch"
    macs = outcome.compression
    terms = outcome.track_terms
    recipe = outcome.retraining_recipe or {}
    stages = (outcome.base.pretraining if outcome.base else None, outcome.pruning, outcome.retraining)
    base = Base(
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
        speedup=macs.speedup_macs if macs and terms["granularity"] == "filter" else NOT_REPORTED,
        sparsity=macs.sparsity if macs and terms["granularity"] == "weight" else NOT_REPORTED,
        base=base,
        pretraining=_training(stages[0], scratch),
        pruning=_training(stages[1], scratch),
        retraining=_training(stages[2], False),
        training_flops=float(sum(stage.train_flops for stage in stages if stage)),
        details=Details(
            batch_size=recipe.get("batch_size", NOT_REPORTED),
            weight_decay=recipe.get("weight_decay", NOT_REPORTED),
            label_smoothing=recipe.get("label_smoothing", NOT_REPORTED),
            distillation="none",
            augmentation=recipe.get("augmentation", NOT_REPORTED),
        ),
        result=Result(
            top1_percent=outcome.accuracy.test_percent if outcome.accuracy else NOT_REPORTED,
            runs=1,
            selection="last",
        ),
    )


def _training(stage: Stage | None, scratch: bool) -> Training:
    if stage is None:
        return Training(NOT_APPLICABLE, NOT_APPLICABLE) if scratch else Training()
    return Training(float(stage.epochs), from_vector(stage.lr))
