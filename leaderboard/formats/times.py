"""What tables say of measured times, in words: columns, cells, and where and how they were taken."""

from __future__ import annotations

from prunemark.leaderboard.standings.measured import Measured, Timed
from prunemark.leaderboard.standings.table import Table
from prunemark.records.speed import as_text
from prunemark.records.timing import BACKENDS

COLUMNS = {"latency": "Latency ms"} | BACKENDS | {"eager": "Timed speed-up"}
MEANINGS = {
    "Latency ms": "time of one forward pass of one image, median of a quiet pass of its own; nothing else of ours ran",
    "Timed speed-up": "the time of the dense network over that of the final model, in turns in one process with a "
    "large batch, and the 95 % interval of its median over blocks; withheld if the pass was not quiet",
    "torch.compile": "the same with both networks compiled by torch.compile",
    "ONNX Runtime": "the same with both networks run by ONNX Runtime",
    "2:4 kernels": "the same in half precision on a GPU, where 2:4 kernels run the final model",
}


def _rows(table: Table) -> list[Measured]:
    return [row.measured for row in (*table.ranked, *table.unranked)]


def unknown(table: Table) -> list[str]:
    """The keys of columns that no row has a time for, not even one that is withheld."""
    rows = _rows(table)
    there = {backend for row in rows for backend in row.timed or ()}
    latency = [] if any(row.one_image for row in rows) else ["latency"]
    return latency + [backend for backend in BACKENDS if backend not in there]


def cells(row: Measured) -> dict[str, str]:
    """The cells of one row."""
    one, timed = row.one_image, row.timed or {}
    speedups = {key: _said(timed.get(key), as_text(timed[key].speedup) if key in timed else "") for key in BACKENDS}
    return {"latency": _said(one, f"{one.latency_ms:.2f}" if one else "")} | speedups


def _said(timed: Timed | None, number: str) -> str:
    """The number, or that there is none."""
    return "not timed" if timed is None else "withheld" if timed.withheld else number


def readings(table: Table) -> list[str]:
    """Where the times of a table were taken, and why some are withheld, for its caption."""
    rows = _rows(table)
    conditions = next((row.conditions for row in rows if row.conditions), "")
    if not conditions:
        return ["Not timed."] if any(row.architectures for row in rows) else []
    withheld = next((row.withheld for row in rows if row.withheld), "")
    return [f"Timed in a quiet pass: {conditions}."] + ([f"Withheld: {withheld}."] if withheld else [])
