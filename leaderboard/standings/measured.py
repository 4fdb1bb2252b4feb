"""What running the final models took on the machines of their trials: medians over the seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from prunemark.records.observed import Latency, Layout, Observed
from prunemark.records.record import Record


@dataclass(frozen=True)
class Measured:
    """Of one method; None where no record says. Throughput is of the largest batch that was measured.

    `speedup_measured` is the dense network's time over the final model's, for that batch, and `speedup_one_image` for
    a single image: both of one trial's process, where they ran in turns, and None where some trial did not time the
    dense network. Seconds of different machines are not told apart here: the hardware's name is on each record.
    """

    latency_ms: float | None = None
    latency_channels_last_ms: float | None = None
    images_per_second: float | None = None
    images_per_second_channels_last: float | None = None
    throughput_batch: int | None = None
    speedup_measured: float | None = None
    speedup_one_image: float | None = None
    peak_memory_bytes: int | None = None
    model_bytes: int | None = None


def measured_of(records: Sequence[Record]) -> Measured:
    """The medians over these records, each of one seed."""
    observed = [record.observed for record in records]
    timed = [each for each in observed if each.latency]
    batch = max((one.batch_size for each in observed for one in each.passes), default=None)
    return Measured(
        latency_ms=_median(each.latency.median_ms for each in observed if each.latency),
        latency_channels_last_ms=_median(one.median_ms for one in _passes(observed, 1, "channels_last")),
        images_per_second=_median(one.images_per_second for one in _passes(observed, batch, "contiguous")),
        images_per_second_channels_last=_median(
            one.images_per_second for one in _passes(observed, batch, "channels_last")
        ),
        throughput_batch=batch,
        speedup_measured=_of_all(each.measured_speedup(batch) for each in timed) if batch else None,
        speedup_one_image=_of_all(each.measured_speedup(1) for each in timed),
        peak_memory_bytes=_whole(each.peak_memory_bytes for each in observed),
        model_bytes=_whole(each.model_bytes for each in observed),
    )


def _passes(observed: Iterable[Observed], batch_size: int | None, layout: Layout) -> list[Latency]:
    passes = (one for each in observed for one in each.passes)
    return [one for one in passes if one.batch_size == batch_size and one.layout == layout]


def _median(values: Iterable[float]) -> float | None:
    known = list(values)
    return median(known) if known else None


def _of_all(values: Iterable[float | None]) -> float | None:
    """The median, unless one is missing: half of the seeds would pass for all."""
    found = list(values)
    return None if None in found else _known(found)


def _known(values: Iterable[float | None]) -> float | None:
    return _median(value for value in values if value is not None)


def _whole(values: Iterable[int | None]) -> int | None:
    middle = _known(values)
    return None if middle is None else round(middle)
