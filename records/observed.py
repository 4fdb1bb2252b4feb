"""What the clock and the machine say about a trial. No two runs of one trial share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prunemark.records.part import RecordPart

INSTRUCTIONS = "cpu instructions"
"""Among the versions: what torch calls the processor's instruction set. Records before 2026-11-24 do not say."""
PROCESSOR_KIND = "cpu kind"
"""Among the versions: what tells apart processors of one name, which rented machines often have. Records before
2026-11-28 do not say."""
GPU_FLOAT32 = "gpu float32"
"""Among the versions: where a GPU computes float32 as TF32. Records before 2026-12 do not say; it was convolutions."""

Layout = Literal["contiguous", "channels_last"]


@dataclass(frozen=True)
class Latency(RecordPart):
    """Forward passes that a trial timed itself, in milliseconds per batch: median and quartiles.

    Only on records before 2026-12: other trials ran meanwhile, so no table shows them. `timing.py` has their successor.
    """

    LATER = ("layout",)

    batch_size: int
    repeats: int
    median_ms: float
    low_ms: float
    high_ms: float
    layout: Layout = "contiguous"


Lane = Literal["decision", "harness", "own"]
"""How much of a method's process is believed: what stays; that the harness trained; weights of its own."""


@dataclass(frozen=True)
class PruningProcess(RecordPart):
    """How the process was kept in which submitted code ran. Records before 2026-12 do not say.

    `cpu_seconds` are the kernel's, of the process with all its threads; `accounted_cpu_seconds` what its own reading
    costs on this machine, measured in the lane `own` alone. `files`: SHA-256 of every byte of the method's files.
    """

    isolation: str
    lane: Lane
    cpu_seconds: float
    accounted_cpu_seconds: float | None = None
    files: dict[str, str] | None = None


@dataclass(frozen=True)
class Observed(RecordPart):
    """What the clock and the machine say about the run.

    `latency`, `passes` and `dense_passes` are None or empty since trials take no times.
    `peak_memory_bytes` is the most that weights and activations held at once in a pass of the large batch;
    `model_bytes` the size of the final model's weights on disk. `processes` trained together, each on one device and on
    its share of the recipe's batches, with batch norm over whole batches and the recipe's LR.
    """

    LATER = ("passes", "dense_passes", "peak_memory_bytes", "model_bytes", "pruning_process", "processes")

    finished_at: str
    pruning_seconds: float
    retraining_seconds: float
    evaluation_seconds: float
    latency: Latency | None
    device: str
    hardware: str
    versions: dict[str, str]
    isolation: str
    passes: tuple[Latency, ...] = ()
    dense_passes: tuple[Latency, ...] = ()
    peak_memory_bytes: int | None = None
    model_bytes: int | None = None
    pruning_process: PruningProcess | None = None
    processes: int = 1
