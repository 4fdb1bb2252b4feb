"""A table as a rectangle of plain texts, whatever it was written in: merged cells are written out, headers joined."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from prunemark.setups.errors import InputError
from prunemark.setups.text import shown

MAX_ROWS, MAX_COLUMNS, MAX_TABLES = 2_000, 60, 200
MAX_CELLS = 40_000
LONGEST_CELL = 300  # characters
NUMBER = re.compile(r"[-+−–]?\s*(?:\d{1,3}(?:,\d{3})+|\d+)?(?:[.,]?\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_RESULT = re.compile(r"\d[.,]\d|\d\s*[%×x]|\d\s*[GMBK]\b|±", re.ASCII)


@dataclass(frozen=True)
class RawCell:
    """A cell as written: `columns` and `rows` are how many it covers, rows upwards where negative."""

    text: str
    columns: int = 1
    rows: int = 1


@dataclass(frozen=True)
class Row:
    """One row of the body. `line` is its place in the file; `section` is a text that stands across all columns."""

    line: int
    cells: tuple[str, ...]
    section: str = ""


@dataclass(frozen=True)
class Grid:
    """A table: what is written over it, the texts over its columns, and its rows."""

    caption: str
    line: int
    header: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class RawRow:
    """A row as written; `header` where the source says that it is one."""

    line: int
    cells: Sequence[RawCell]
    header: bool = False


def spread(rows: Sequence[RawRow], name: str, covered_are_written: bool) -> list[tuple[str, ...]]:
    """Rows of equal length, merged cells written out.

    `covered_are_written` says whether a row has cells where one from above reaches into it, as in LaTeX; in HTML it
    does not. Raises InputError for a table that is too large to be one.
    """
    if len(rows) > MAX_ROWS:
        raise InputError(f"{name}:{rows[0].line}: a table of {len(rows)} rows; at most {MAX_ROWS} are read. Split it")
    found: list[dict[int, str]] = [{} for _ in rows]
    widest = 0
    for number, row in enumerate(rows):
        place = 0
        for cell in row.cells:
            while not covered_are_written and place in found[number]:
                place += 1
            columns = max(1, cell.columns)
            if place + columns > MAX_COLUMNS:
                raise InputError(f"{name}:{row.line}: more than {MAX_COLUMNS} columns. Is it one table?")
            for column in range(place, place + columns):
                _put(found, number, column, cell)
            place += columns
        widest = max(widest, *(column + 1 for column in found[number]), 0)
    if widest * len(rows) > MAX_CELLS:
        raise InputError(f"{name}:{rows[0].line}: a table of more than {MAX_CELLS:,} cells. Split it")
    return [tuple(line.get(column, "") for column in range(widest)) for line in found]


def _put(found: list[dict[int, str]], number: int, column: int, cell: RawCell) -> None:
    text = shown(" ".join(cell.text.split()), LONGEST_CELL)
    if text or not found[number].get(column):
        found[number][column] = text
    reach = range(number + 1, number + cell.rows) if cell.rows > 0 else range(number + cell.rows + 1, number)
    for other in reach:
        if 0 <= other < len(found) and not found[other].get(column):
            found[other][column] = text


def make_grid(
    caption: str, rows: Sequence[RawRow], name: str, head: int | None = None, covered_are_written: bool = False
) -> Grid | None:
    """A grid of these rows, of which the first `head` are the header; None where nothing is left to compare.

    Where the source does not say how many, the header ends before the first row with a result in it.
    """
    rows = [row for row in rows if row.cells]
    if not rows:
        return None
    cells = spread(rows, name, covered_are_written)
    if head is None:
        head = next((n for n, line in enumerate(cells) if any(_RESULT.search(cell) for cell in line)), 0)
    body = [
        Row(row.line, line, _section(row, line))
        for row, line in zip(rows[head:], cells[head:], strict=True)
        if any(line)
    ]
    header = tuple(_joined([line[column] for line in cells[:head]]) for column in range(len(cells[0])))
    return Grid(shown(" ".join(caption.split())), rows[0].line, header, tuple(body)) if body else None


def _joined(texts: Sequence[str]) -> str:
    """The texts over one column, from the top: "ImageNet / Top-1"."""
    return shown(" / ".join(dict.fromkeys(text for text in texts if text)), LONGEST_CELL)


def _section(row: RawRow, line: Sequence[str]) -> str:
    """The text of a row that has only one, across the table or in its first cell."""
    texts = {cell for cell in line if cell}
    if len(texts) != 1 or len(line) < 3:
        return ""
    (text,) = texts
    across = len(row.cells) == 1 or line.count(text) > 1
    only_first = bool(line[0]) and not any(line[1:])
    return text if (across or only_first) and not _RESULT.fullmatch(text) else ""
