"""How much of a method's own process a row rests on: its lane, and where that is `own`, what the process spent.

Records before 2026-12 do not say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from prunemark.records.record import Record

WIDER = ("decision", "harness", "own")
"""From the least that is believed to the most."""

IN_WORDS = (
    "Lane: what the harness took from a method's process. decision: only what stays; harness: that it asked for "
    "training, which the harness carried out; own: weights that the method's own code made."
)


@dataclass(frozen=True)
class LaneOfRow:
    """The widest lane of the seeds, "" where no record says it.

    Of the lane `own` also the seconds of a processor that the process took, and those that its reading accounts for:
    means over the seeds where both were measured, None where nowhere.
    """

    lane: str = ""
    cpu_seconds: float | None = None
    accounted_cpu_seconds: float | None = None

    @property
    def words(self) -> str:
        """own: 2.6 s of CPU where its reading costs 2.5 s; "" for other lanes, and where it was not measured."""
        if self.cpu_seconds is None or self.accounted_cpu_seconds is None:
            return ""
        return f"own: {self.cpu_seconds:.1f} s of CPU where its reading costs {self.accounted_cpu_seconds:.1f} s"


NOT_SAID = LaneOfRow()


def lane_of(records: Iterable[Record]) -> LaneOfRow:
    """The lane of the trials of one method."""
    said = [process for record in records if (process := record.observed.pruning_process)]
    lane = max((process.lane for process in said), key=WIDER.index, default="")
    measured = [
        (process.cpu_seconds, process.accounted_cpu_seconds)
        for process in said
        if process.accounted_cpu_seconds is not None
    ]
    if lane != "own" or not measured:
        return LaneOfRow(lane)
    used, accounted = (fmean(values) for values in zip(*measured, strict=True))
    return LaneOfRow(lane, used, accounted)
