"""What quiet passes say of the rows of a board: each table shows those of one kind of machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import geometric_mean

from prunemark.leaderboard.standings.board import Board
from prunemark.leaderboard.standings.measured import Measured, Timed
from prunemark.leaderboard.standings.table import Table
from prunemark.records.speed import Speed, pooled, speed_of
from prunemark.records.timing import Timing


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
