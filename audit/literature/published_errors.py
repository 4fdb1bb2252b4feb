"""The published records that contradict themselves, among the results and on the leaderboard that ship."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from importlib.resources import files
from statistics import median

from prunemark.audit.judgement.contradictions import contradictions
from prunemark.audit.literature.results import published

BOARD = "pruningbench.csv"
DELTA_UNIT, PARAMS_UNIT = 0.01, 0.01
TOTAL_TOLERANCE = 0.015  # relative, on the dense total that kept parameters and their percentage imply


@dataclass(frozen=True)
class PublishedError:
    """One contradiction: where it is printed, of which method, and the numbers."""

    where: str
    method: str
    what: str


def published_errors() -> list[PublishedError]:
    """All of them, the results first."""
    found = [
        PublishedError(f"{row.id}: {row.row['source_key']}, {row.row['locator']}", row.entry.method,
                    fault.removeprefix(f"{row.id}: "))
        for row in published() for fault in contradictions(row.entry)
    ]  # fmt: skip
    return found + board_errors()


def board_errors() -> list[PublishedError]:
    """On the leaderboard: changes that are not pruned minus base, and parameters kept against their percentage."""
    text = (files("prunemark.audit.literature") / "published" / BOARD).read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    by_board: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        by_board[row["board"]].append(_total(row))
    found = []
    for row in rows:
        for what in (_delta(row), _params(row, median(by_board[row["board"]]))):
            if what:
                place = f"PruningBench README, line {row['line']}: {row['board']}, {row['target_speedup']}"
                found.append(PublishedError(place, row["importance"], what))
    return found


def _delta(row: dict[str, str]) -> str:
    base, pruned, printed = (float(row[key]) for key in ("base", "pruned", "delta_printed"))
    unit = max(DELTA_UNIT if len(row[key].partition(".")[2]) < 3 else 0.001 for key in ("base", "pruned"))
    if abs(pruned - base - printed) <= unit + 1e-9:
        return ""
    return f"prints a change of {printed:+g}, but {pruned:g} - {base:g} = {pruned - base:+.4g}"


def _total(row: dict[str, str]) -> float:
    """The dense network's parameters in millions, as one row implies them."""
    return float(row["params_kept_printed_M"]) / float(row["params_kept_pct"]) * 100


def _params(row: dict[str, str], total: float) -> str:
    kept, percent = float(row["params_kept_printed_M"]), float(row["params_kept_pct"])
    rounding = PARAMS_UNIT / 2 / kept
    if abs(_total(row) / total - 1) <= TOTAL_TOLERANCE + rounding:
        return ""
    return f"prints {kept:g} M parameters kept as {percent:g} %, but {kept:g} of {total:.2f} M is {kept / total:.2%}"
