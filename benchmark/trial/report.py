"""Writing the record of a trial from what its stages left."""

from __future__ import annotations

import datetime
import platform
from pathlib import Path
from typing import Any

import torch

from prunemark.benchmark.metering.footprint import Footprint
from prunemark.benchmark.sandbox.child import ISOLATION, ChildFailed
from prunemark.benchmark.trial.environment import package_versions
from prunemark.benchmark.trial.keys import Keys
from prunemark.benchmark.trial.plan import Trial
from prunemark.records.matched_to import RATIOS_OF
from prunemark.records.observed import INSTRUCTIONS, PROCESSOR_KIND, Observed
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


def ok_record(
    trial: Trial, keys: Keys, seconds: dict[str, float], data_sha256: str, ratios_of: str, *,
    base: BaseModel | None, pruning: MeteredStage | None, retraining: MeteredStage, compression: Compression,
    curve: tuple[EpochPoint, ...], accuracy: Accuracy, footprint: Footprint, weights_sha256: str, recipe: Recipe,
    diagnostics: Diagnostics, tuning: tuple[Tried, ...], model_bytes: int,
) -> Record:  # fmt: skip
    """The record of a trial that reached its end."""
    outcome = Outcome(
        **_identity(trial, keys, data_sha256, ratios_of), status="ok", failure=None, base=base, pruning=pruning,
        retraining=retraining, retraining_recipe=recipe.as_dict(), compression=compression, curve=curve,
        accuracy=accuracy, weights_sha256=weights_sha256, diagnostics=diagnostics, tuning=tuning,
    )  # fmt: skip
    return Record(SCHEMA, outcome, _observed(trial, seconds, footprint, model_bytes))


def failed_record(
    trial: Trial, keys: Keys, failure: ChildFailed, seconds: dict[str, float], data_sha256: str, ratios_of: str
) -> Record:
    """The record of a trial that a rule or the method's own error ended; kept and shown like any other."""
    outcome = Outcome(
        **_identity(trial, keys, data_sha256, ratios_of), status=failure.status,
        failure=Failure(failure.rule, failure.evidence, failure.trace),
        base=None, pruning=None, retraining=None, retraining_recipe=None, compression=None, curve=(),
        accuracy=None, weights_sha256=None,
    )  # fmt: skip
    return Record(SCHEMA, outcome, _observed(trial, seconds))


def _identity(trial: Trial, keys: Keys, data_sha256: str, ratios_of: str) -> dict[str, Any]:
    competitor = trial.competitor
    method = Method(
        name=competitor.name, kind=competitor.kind, role=competitor.role,
        source_sha256=competitor.source.sha256 if competitor.source else "",
        settings=dict(competitor.settings) | ({RATIOS_OF: ratios_of} if ratios_of else {}), summary=competitor.summary,
    )  # fmt: skip
    return {
        "trial_key": keys.evaluate, "track": trial.track.id, "track_terms": _plain(trial.track.as_dict()),
        "setup": trial.setup.id, "level": trial.level.name, "seed": trial.seed, "method": method,
        "data_sha256": data_sha256,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON reads them back: a record equals itself after a round trip."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _observed(
    trial: Trial, seconds: dict[str, float], footprint: Footprint | None = None, model_bytes: int | None = None
) -> Observed:
    return Observed(
        finished_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        pruning_seconds=seconds["pruning"],
        retraining_seconds=seconds["retraining"],
        evaluation_seconds=seconds["evaluation"],
        latency=footprint.latency if footprint else None,
        device=trial.device,
        hardware=hardware(trial.device),
        versions=versions(trial.device),
        isolation=ISOLATION,
        passes=footprint.passes if footprint else (),
        dense_passes=footprint.dense_passes if footprint else (),
        peak_memory_bytes=footprint.peak_memory_bytes if footprint else None,
        model_bytes=model_bytes,
    )


def versions(device: str) -> dict[str, str]:
    """Of everything that numbers may depend on; of a CPU also its kind, and by which instructions torch computes."""
    found = {"python": platform.python_version()} | package_versions(VERSIONED)
    if device != "cpu":
        return found
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
