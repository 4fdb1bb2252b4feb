"""What running the final models takes: their size from the records, their times from quiet passes next to these.

Times that trials took of themselves while others ran are on older records; they are not shown, because one
architecture came out as anything from 0.11x to 3.85x of the dense network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from prunemark.records.record import Record
from prunemark.records.speed import Ratio
from prunemark.records.timing import architecture_of


@dataclass(frozen=True)
class Timed:
    """A method on one backend with one size of batch; `withheld` says why there is no number, "" where there is one.

    Milliseconds are of one pass of one batch. A method whose seeds have different architectures has geometric means.
    """

    batch_size: int
    latency_ms: float
    speedup: Ratio
    withheld: str = ""


@dataclass(frozen=True)
class Measured:
    """Of one method; None where no record says. `architectures` has the key of each record that has a final model.

    `timed` is by backend, of a large batch; `one_image` is of PyTorch itself; `conditions` says where they ran.
    """

    peak_memory_bytes: int | None = None
    model_bytes: int | None = None
    architectures: tuple[str, ...] = ()
    timed: Mapping[str, Timed] | None = None
    one_image: Timed | None = None
    conditions: str = ""

    def speedup(self, backend: str) -> float | None:
        """The number of this backend, where there is one that is not withheld."""
        found = (self.timed or {}).get(backend)
        return found.speedup.median if found and not found.withheld else None

    @property
    def withheld(self) -> str:
        """Why some number is withheld, in words; "" if none is."""
        each = (*(self.timed or {}).values(), *([self.one_image] if self.one_image else []))
        return next((one.withheld for one in each if one.withheld), "")


def measured_of(records: Sequence[Record]) -> Measured:
    """Medians over these records, each of one seed, and their architectures."""
    found = [architecture_of(record.outcome) for record in records if record.outcome.status == "ok"]
    return Measured(
        peak_memory_bytes=_median(record.observed.peak_memory_bytes for record in records),
        model_bytes=_median(record.observed.model_bytes for record in records),
        architectures=tuple(each.key for each in found if each),
    )


def _median(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return round(median(known)) if known else None
