"""What the site has no pages of: records that were refused, and versions of tracks that are not ranked here."""

from __future__ import annotations

import shlex

from prunemark.leaderboard.formats import labels
from prunemark.leaderboard.standings.board import Board
from prunemark.setups.text import shown


def other_versions(board: Board) -> list[tuple[str, str]]:
    """For each version of a track that is not ranked: how many records it has, and the command that makes its pages.

    In the command RECORDS is the folder with the records and FOLDER a new one: a site is the same bytes wherever its
    records lie, so it does not name that place.
    """
    return [
        (
            labels.other_version(id, count),
            f"prunemark leaderboard --records RECORDS --track {shlex.quote(id)} --output FOLDER",
        )
        for id, count in board.other_versions.items()
    ]


def as_text(board: Board) -> str:
    """The whole list as a file, a line each: what it is, a tab, and why it is not shown."""
    versions = zip(board.other_versions, other_versions(board), strict=True)
    lines = [f"{id}\t{why}. Its pages: {command}" for id, (why, command) in versions]
    lines += [f"{shown(refused.name)}\t{shown(refused.why)}" for refused in board.refused]
    return "".join(f"{line}\n" for line in lines or ["nothing"])
