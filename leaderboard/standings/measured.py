"""What running the final models takes: their size from the records, their times from quiet passes next to these.

Times that trials took of themselves while others ran are on older records; they are not shown, because one
architecture came out as anything from 0.11x to 3.85x of the dense network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import geometric_mean, median
from typing import TYPE_CHECKING

from prunemark.records.record import Record
from prunemark.records.speed import Ratio, Speed, pooled, speed_of
from prunemark.records.timing import Timing, architecture_of

if TYPE_CHECKING:
    from prunemark.leaderboard.standings.board import Board
    from prunemark.leaderboard.standings.table import Table


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


def with_timings(board: Board, timings: Sequence[Timing]) -> Board:
    """The board with what quiet passes say of its rows. Each table shows those of one kind of machine."""
    return replace(board, tables=tuple(_timed_table(table, timings) for table in board.tables)) if timings else board


def _timed_table(table: Table, timings: Sequence[Timing]) -> Table:
    wanted = {key for row in (*table.ranked, *table.unranked) for key in row.measured.architectures}
    about = [timing for timing in timings if timing.architecture.key in wanted]
    if not about:
        return table
    chosen = _most_rows([row.measured.architectures for row in (*table.ranked, *table.unranked)], about)
    speeds = {(t.architecture.key, t.backend, t.batch_size): speed_of(t.blocks) for t in chosen}
    large, words = max(t.batch_size for t in chosen), _in_words(chosen)
    ranked, unranked = (
        tuple(replace(row, measured=_timed(row.measured, speeds, large, words)) for row in rows)
        for rows in (table.ranked, table.unranked)
    )
    return replace(table, ranked=ranked, unranked=unranked)


def _most_rows(rows: Sequence[Sequence[str]], timings: Sequence[Timing]) -> list[Timing]:
    """The timings of one processor and one version of torch: those that say most of these rows, then the newest.

    A backend may add versions of its own packages.
    """
    places: dict[tuple[str, str, int, str], list[Timing]] = {}
    for timing in timings:
        on = timing.conditions
        versions = sorted((name, text) for name, text in on.versions.items() if name != "onnxruntime")
        places.setdefault((on.device, on.hardware, on.threads, repr(versions)), []).append(timing)

    def worth(found: Iterable[Timing]) -> tuple[int, str]:
        newest = {timing.architecture.key: timing.measured_at for timing in found}
        return sum(bool(row) and set(row) <= set(newest) for row in rows), max(newest.values())

    newest: dict[tuple[str, str, int], Timing] = {}
    for timing in sorted(max(places.values(), key=worth), key=lambda t: (t.measured_at, t.key)):
        newest[timing.architecture.key, timing.backend, timing.batch_size] = timing
    return list(newest.values())


def _in_words(timings: Sequence[Timing]) -> str:
    on = timings[0].conditions
    threads = f", {on.threads} thread{'s' * (on.threads > 1)}" if on.device == "cpu" else ""
    versions = {name: text for t in timings for name, text in t.conditions.versions.items()}
    named = [f"{name} {versions[name]}" for name in ("torch", "onnxruntime") if name in versions]
    return f"{on.hardware}{threads}, {', '.join(named)}, {max(t.batch_size for t in timings)} images"


def _timed(measured: Measured, speeds: Mapping[tuple[str, str, int], Speed], large: int, words: str) -> Measured:
    backends = dict.fromkeys(backend for _, backend, _ in speeds)
    timed = {backend: one for backend in backends if (one := _pooled(measured, speeds, backend, large))}
    return replace(measured, timed=timed, one_image=_pooled(measured, speeds, "eager", 1), conditions=words)


def _pooled(
    measured: Measured, speeds: Mapping[tuple[str, str, int], Speed], backend: str, batch_size: int
) -> Timed | None:
    """Over the records of one method, each with its architecture; None unless all of them are timed."""
    counts = Counter(measured.architectures)
    found = {key: speeds.get((key, backend, batch_size)) for key in counts}
    known = {key: speed for key, speed in found.items() if speed}
    if not known or len(known) < len(found):
        return None
    each = [known[key] for key in measured.architectures]
    return Timed(
        batch_size,
        each[0].pruned_ms if len(known) == 1 else geometric_mean(speed.pruned_ms for speed in each),
        pooled([speed.speedup for speed in each]),
        next((speed.withheld for speed in each if speed.withheld), ""),
    )
