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

Layout = Literal["contiguous", "channels_last"]


@dataclass(frozen=True)
class Latency(RecordPart):
    """Measured forward passes of the final model, in milliseconds per batch: median and quartiles."""

    LATER = ("layout",)

    batch_size: int
    repeats: int
    median_ms: float
    low_ms: float
    high_ms: float
    layout: Layout = "contiguous"

    @property
    def images_per_second(self) -> float:
        """The throughput at this batch size."""
        return 1000 * self.batch_size / self.median_ms


@dataclass(frozen=True)
class Observed(RecordPart):
    """What the clock and the machine say about the run.

    `latency` is of one image; `passes` are the same model with a large batch and in the other memory layout;
    `dense_passes` all four of the unpruned network, taken in turns with those of the final model.
    `peak_memory_bytes` is the most that weights and activations held at once in a pass of the large batch;
    `model_bytes` the size of the final model's weights on disk.
    """

    LATER = ("passes", "dense_passes", "peak_memory_bytes", "model_bytes")

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

    def measured_speedup(self, batch_size: int) -> float | None:
        """The dense network's median time over the final model's, contiguous; None where they did not run in turns."""
        ours, dense = (
            next((one for one in passes if one and (one.batch_size, one.layout) == (batch_size, "contiguous")), None)
            for passes in ((self.latency, *self.passes), self.dense_passes)
        )
        return dense.median_ms / ours.median_ms if ours and dense else None
