"""What all Markdown texts share: the head of a board, a table, text that is safe there, a difference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from prunemark.setups.text import MOST_OF_A_TEXT, shown

TITLE = "# Leaderboard\n\nGenerated from"
HEADING = TITLE + " {records:,} records by `prunemark leaderboard`; never edited by hand.\n"


class Difference(Protocol):
    """A difference in points with its 95 % interval: of two methods, or of a claim."""

    @property
    def difference_pp(self) -> float: ...

    @property
    def interval_pp(self) -> tuple[float, float]: ...


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def interval(difference: Difference) -> str:
    """+0.42 [-0.10, +0.94], in points."""
    low, high = difference.interval_pp
    return f"{difference.difference_pp:+.2f} [{low:+.2f}, {high:+.2f}]"


def pipe(text: str) -> str:
    """Text that Markdown takes as it is, on one line."""
    text = shown(text, MOST_OF_A_TEXT)
    for character in "\\`*_|<>[]":
        text = text.replace(character, f"\\{character}")
    return text
