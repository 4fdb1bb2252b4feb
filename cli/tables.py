"""Listings on the terminal, as JSON and as CSV, from one table of plain rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from prunemark.setups.errors import unknown_name
from prunemark.setups.text import MOST_OF_A_TEXT, escaped_json, shown, shown_cell

FORMATS = ("table", "json", "csv")
ENDLESS = 100_000
"""Characters of a line in a pipe: nothing is wrapped there."""
Row = Mapping[str, Any]


def print_rows(rows: Sequence[Row], format: str, console: Console) -> None:
    """Prints rows of equal columns. Raises InputError for an unknown format."""
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    if format == "json":
        console.file.write(escaped_json(json.dumps(list(rows), indent=2, ensure_ascii=False)) + "\n")
    elif format == "csv":
        console.file.write(as_csv(rows))
    else:
        _print_table(rows, console)


def as_csv(rows: Sequence[Row]) -> str:
    """RFC 4180, with a header. No text of a stranger is a formula there."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: shown_cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _print_table(rows: Sequence[Row], console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in rows[0] if rows else ():
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(value, MOST_OF_A_TEXT)) for value in row.values()))
    if console.is_terminal:
        console.print(table)
        return
    text = io.StringIO()
    into = Console(file=text, width=ENDLESS, highlight=False, force_jupyter=False, force_terminal=False)
    into.print(table)  # in a pipe or a file, a row is a line, without spaces behind it
    console.file.write("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))


def print_facts(facts: Row, format: str, console: Console) -> None:
    """Prints one thing: a line a fact, or the JSON object; `csv` is one row."""
    if format == "json":
        console.file.write(escaped_json(json.dumps(facts, indent=2, ensure_ascii=False)) + "\n")
    elif format == "csv":
        console.file.write(as_csv([facts]))
    elif format == "table":
        _print_table([{"": name, " ": value} for name, value in facts.items()], console)
    else:
        raise unknown_name("format", format, FORMATS)
