"""What MLflow shows of a submission next to its trials: seeds, verdicts and the tables as they are now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunemark.benchmark.run.mlflow_fields import Standing
from prunemark.setups.errors import InputError

if TYPE_CHECKING:
    from prunemark.leaderboard.standings.rows import Row


def standing_of(records: Path, track: str, setup: str, name: str, source: str, settings: Mapping[str, Any]) -> Standing:
    """The tables of a setup on a track, and in them the seeds and verdicts of one method, known by its code.

    Empty where no table can be made: every trial failed, or the records are of a setup that is not ranked.
    """
    from prunemark.leaderboard.formats import tables
    from prunemark.leaderboard.formats.labels import verdict_words
    from prunemark.leaderboard.standings.board import make_board
    from prunemark.records.load import read_records

    try:
        board = make_board(read_records(records, track), track=track, setup=setup)
    except InputError:
        return Standing()
    verdicts, seeds = dict[str, str](), set[int]()
    for table in board.tables:
        for row in (*table.ranked, *table.unranked):
            if _is(row, name, source, settings):
                seeds |= set(row.seeds)
                verdicts[table.level] = "anchor" if row.name == table.anchor else verdict_words(row, table)
    shown = ",".join(map(str, sorted(seeds)))
    return Standing(shown, verdicts, {f"tables.{end}": tables.render(board, form) for end, form in FILES.items()})


FILES = {"md": "markdown", "csv": "csv"}


def _is(row: Row, name: str, source: str, settings: Mapping[str, Any]) -> bool:
    return (row.source_sha256, dict(row.settings)) == (source, dict(settings)) and row.name.partition(" (")[0] == name
