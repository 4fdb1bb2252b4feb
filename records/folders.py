"""Which folder is meant: a board's may be given as that of its repository, whose `leaderboard/` has it in `board/`."""

from __future__ import annotations

from pathlib import Path

BOARD, RECORDS = "board", "records"


def board_folder(given: Path) -> Path:
    """The folder of a board: the one that is given, or `board/` in it where only that holds records."""
    inside = given / BOARD
    return inside if (inside / RECORDS).is_dir() and not (given / RECORDS).is_dir() else given


def records_folder(given: Path) -> Path:
    """The records of a home, of a board, of a repository's `leaderboard/`; or the folder itself, of loose records.

    `leaderboard/records`, where a repository had them until 0.2.0, is still understood.
    """
    moved = given.name == RECORDS and not given.exists()
    inside = board_folder(given.parent if moved else given) / RECORDS
    return inside if inside.is_dir() else given
