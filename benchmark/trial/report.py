"""Writing the record of a trial from what its stages left."""

from __future__ import annotations

import datetime
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from prunemark.benchmark.sandbox.child import ChildFailed
from prunemark.benchmark.sandbox.confinement import isolation_of
from prunemark.benchmark.trial.environment import package_versions
from prunemark.benchmark.trial.trial import Trial
from prunemark.records.matched_to import RATIOS_OF, MatchedTo
from prunemark.records.observed import GPU_FLOAT32, INSTRUCTIONS, PROCESSOR_KIND, Observed, PruningProcess
from prunemark.records.outcome import (
    Accuracy,
    BaseModel,
    Compression,
    Diagnostics,
    EpochPoint,
    Failure,
    MeteredStage,
    Method,
    Outcome,
    Tried,
)
from prunemark.records.record import SCHEMA, Record
from prunemark.setups.recipe import Recipe

CPUINFO = Path("/proc/cpuinfo")
KIND = ("vendor_id", "cpu family", "model", "stepping", "CPU implementer", "CPU variant", "CPU part", "CPU revision")
"""How Linux names what a processor is: the first four on x86, the others on ARM."""
VERSIONED = ("prunemark", "torch", "torchvision", "timm", "torch-pruning", "numpy", "scikit-learn", "mlflow")


@dataclass(frozen=True)
class Provenance:
    """What a record says that it is of; of a control, whose layer ratios it has, where they are not the level's."""

    trial: Trial
    trial_key: str
    data_sha256: str
    matched_to: MatchedTo | None
    process: PruningProcess | None = None


@dataclass(frozen=True)
class Finished:
    """What the stages of a trial that reached its end have left, in their order, and what was measured on it."""

    base: BaseModel | None
    pruning: MeteredStage | None
    compression: Compression
    recipe: Recipe
    tuning: tuple[Tried, ...]
    retraining: MeteredStage
    curve: tuple[EpochPoint, ...]
    weights_sha256: str
    model_bytes: int
    accuracy: Accuracy
    diagnostics: Diagnostics
    peak_memory_bytes: int


def ok_record(of: Provenance, finished: Finished, seconds: dict[str, float]) -> Record:
    """The record of a trial that reached its end."""
    outcome = Outcome(
        **_stated(of), status="ok", failure=None, base=finished.base, pruning=finished.pruning,
        retraining=finished.retraining, retraining_recipe=finished.recipe.as_dict(), compression=finished.compression,
        curve=finished.curve, accuracy=finished.accuracy, weights_sha256=finished.weights_sha256,
        diagnostics=finished.diagnostics, tuning=finished.tuning,
    )  # fmt: skip
    return Record(SCHEMA, outcome, _observed(of, seconds, finished.peak_memory_bytes, finished.model_bytes))


def failed_record(of: Provenance, failure: ChildFailed, seconds: dict[str, float]) -> Record:
    """The record of a trial that a rule or the method's own error ended; kept and shown like any other."""
    outcome = Outcome(
        **_stated(of), status=failure.status, failure=Failure(failure.rule, failure.evidence, failure.trace),
        base=None, pruning=None, retraining=None, retraining_recipe=None, compression=None, curve=(),
        accuracy=None, weights_sha256=None,
    )  # fmt: skip
    return Record(SCHEMA, outcome, _observed(of, seconds))


def _stated(of: Provenance) -> dict[str, Any]:
    trial, entrant = of.trial, of.trial.entrant
    method = Method(
        name=entrant.name, kind=entrant.kind, role=entrant.role,
        source_sha256=entrant.source.sha256 if entrant.source else "",
        settings=dict(entrant.settings) | ({RATIOS_OF: of.matched_to.text} if of.matched_to else {}),
        summary=entrant.summary,
    )  # fmt: skip
    return {
        "trial_key": of.trial_key, "track": trial.track.id, "track_terms": _plain(trial.track.as_dict()),
        "setup": trial.setup.id, "level": trial.level.name, "seed": trial.seed, "method": method,
        "data_sha256": of.data_sha256,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON reads them back: a record equals itself after a round trip."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _observed(
    of: Provenance, seconds: dict[str, float], peak_memory_bytes: int | None = None, model_bytes: int | None = None
) -> Observed:
    trial = of.trial
    return Observed(
        finished_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        pruning_seconds=seconds["pruning"],
        retraining_seconds=seconds["retraining"],
        evaluation_seconds=seconds["evaluation"],
        latency=None,
        device=trial.device,
        hardware=hardware(trial.device),
        versions=versions(trial.device),
        isolation=isolation_of(trial.isolation),
        peak_memory_bytes=peak_memory_bytes,
        model_bytes=model_bytes,
        pruning_process=of.process,
        processes=trial.processes,
    )


def versions(device: str) -> dict[str, str]:
    """Of everything that numbers may depend on; of a CPU also its kind, and by which instructions torch computes.

    Of a GPU also where float32 is computed as TF32: torch does so in convolutions unless it is told not to.
    """
    found = {"python": platform.python_version()} | package_versions(VERSIONED)
    if device != "cpu":
        allowed = {
            "products": torch.backends.cuda.matmul.allow_tf32,
            "convolutions": torch.backends.cudnn.allow_tf32,
        }
        words = " and ".join(name for name, tf32 in allowed.items() if tf32)
        return found | {GPU_FLOAT32: f"TF32 in {words}" if words else "no TF32"}
    about = _about_processor()
    kind = ", ".join(f"{name} {about[name]}" for name in KIND if name in about)
    return found | {INSTRUCTIONS: torch.backends.cpu.get_cpu_capability()} | ({PROCESSOR_KIND: kind} if kind else {})


def hardware(device: str) -> str:
    """The name of the processor, or of the GPU, that did the work."""
    if device != "cpu":
        return torch.cuda.get_device_name(torch.device(device))
    return _about_processor().get("model name") or platform.machine()


def _about_processor() -> dict[str, str]:
    """What Linux says of the first processor; nothing where there is no Linux."""
    try:
        first = CPUINFO.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
