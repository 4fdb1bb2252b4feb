"""A file of tables, read by what its name ends with; and which of its tables is meant."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from prunemark.audit.document.yaml_nodes import decoded, read_file
from prunemark.audit.table.grid import Grid, RawCell, RawRow, make_grid
from prunemark.audit.table.html_table import read_html
from prunemark.audit.table.latex_table import read_latex
from prunemark.audit.table.markdown_table import read_markdown
from prunemark.setups.errors import InputError
from prunemark.setups.text import as_given, shown


def read_csv(text: str, name: str) -> list[Grid]:
    """The one table of a CSV file; its cells stand between the commonest of , ; and tab in the first line.

    Raises InputError, with the line, for what is not one.
    """
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(RawRow(reader.line_num, [RawCell(cell[:2_000]) for cell in cells]))
    except csv.Error as problem:
        raise InputError(f"{name}:{reader.line_num}: not a CSV: {problem}") from None
    grid = make_grid("", rows, name, 1 if len(rows) > 1 else 0)
    return [grid] if grid else []


READERS: dict[str, Callable[[str, str], list[Grid]]] = {
    ".tex": read_latex,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".html": read_html,
    ".htm": read_html,
}


def read_tables(data: bytes, name: str) -> list[Grid]:
    """All tables of a file. Raises InputError for a kind of file that is not read, and where there is no table."""
    suffix = Path(name).suffix.lower()
    if suffix not in READERS:
        raise InputError(f"{shown(name)}: tables are read from {', '.join(READERS)} files; this is {as_given(suffix)}")
    grids = READERS[suffix](decoded(data, name), name)
    if not grids:
        raise InputError(f"{shown(name)}: no table with rows in it was found")
    return grids


def load_tables(path: Path) -> list[Grid]:
    """The tables of a file on disk. Raises InputError."""
    return read_tables(read_file(path), str(path))


def choose(grids: list[Grid], number: int | None, name: str) -> Grid:
    """The table of this number, counted from 1; of a single one none is needed. Raises InputError with the list."""
    if number is None and len(grids) == 1:
        return grids[0]
    if number is not None and 1 <= number <= len(grids):
        return grids[number - 1]
    listed = [
        f"{n} (line {grid.line}, {len(grid.rows)} rows{': ' + shown(grid.caption, 50) if grid.caption else ''})"
        for n, grid in enumerate(grids[:30], 1)
    ]
    problem = f"{shown(name)} has {len(grids)} tables" if number is None else f"{shown(name)} has no table {number}"
    raise InputError(f"{problem}. Choose one with --table N\nTables: {'; '.join(listed)}")
