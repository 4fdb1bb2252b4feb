"""One board in many forms: terminal, Markdown, CSV, JSON, LaTeX. The numbers are the same in all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from prunemark.leaderboard import words
from prunemark.leaderboard.board import Board
from prunemark.leaderboard.table import Table
from prunemark.setups.errors import unknown_name

if TYPE_CHECKING:
    from rich.console import Console

HEADING = "# Leaderboard\n\nGenerated from {records} records by `prunemark leaderboard`; never edited by hand.\n"


def render(board: Board, format: str) -> str:
    """The board as text of one format. Raises InputError with the valid formats."""
    if format not in FORMATS:
        raise unknown_name("format", format, ["table", *FORMATS])
    return FORMATS[format](board)


def as_csv(board: Board) -> str:
    """One line a row, with real numbers."""
    rows = words.plain_rows(board.tables)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_json(board: Board) -> str:
    """Rows with real numbers, captions, and what was refused."""
    data = {
        "rows": words.plain_rows(board.tables),
        "captions": [words.caption(table) for table in board.tables],
        "refused": [{"name": refused.name, "why": refused.why} for refused in board.refused],
    }
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_markdown(board: Board) -> str:
    """Tables for a repository page."""
    parts = [HEADING.format(records=board.records)]
    for table in board.tables:
        parts.append(f"## {table.track}, {table.level}, {table.setup}\n")
        body = [words.line(row, table) for row in table.ranked]
        if body:
            parts.append(_markdown_table(list(words.COLUMNS.values()), [_markdown_cells(line) for line in body]))
        if table.unranked:
            head = ["Not ranked", *list(words.COLUMNS.values())[1:5], "Why"]
            cells = [[_pipe(cell) for cell in words.unranked_line(row).values()] for row in table.unranked]
            parts.append(_markdown_table(head, cells))
        parts.append(f"{_pipe(words.caption(table))}\n")
        if flags := words.flag_lines(table):
            parts.append("\n".join(f"- {_pipe(flag)}" for flag in flags) + "\n")
    if board.refused:
        parts.append("## Left out\n")
        parts.append("\n".join(f"- `{refused.name}`: {_pipe(refused.why)}" for refused in board.refused) + "\n")
    return "\n".join(parts)


def _markdown_table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _markdown_cells(line: words.Line) -> list[str]:
    cells = [_pipe(cell) for cell in line.cells.values()]
    return [f"**{cells[0]}**", *cells[1:]] if line.top else cells


def _pipe(text: str) -> str:
    """Text that Markdown takes as it is."""
    for character in "\\`*_|<>[]":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")


def as_latex(board: Board) -> str:
    """booktabs tables, with the caption that the statistics demand."""
    return "\n".join(_latex_table(table) for table in board.tables if table.ranked)


def _latex_table(table: Table) -> str:
    head = " & ".join(_tex(name) for name in words.COLUMNS.values())
    rows = []
    for row in table.ranked:
        line = words.line(row, table)
        cells = [_tex(cell) for cell in line.cells.values()]
        rows.append(" & ".join([rf"\textbf{{{cells[0]}}}" if line.top else cells[0], *cells[1:]]) + r" \\")
    body = "\n".join(rows)
    return (
        "\\begin{table}\n"
        f"\\caption{{{_tex(words.caption(table))}}}\n"
        f"\\begin{{tabular}}{{l{'r' * 4}lrrll}}\n\\toprule\n{head} \\\\\n\\midrule\n{body}\n\\bottomrule\n"
        "\\end{tabular}\n\\end{table}\n"
    )


_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "<": r"$<$", ">": r"$>$", "\n": " ",
}  # fmt: skip


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in text)


FORMATS: dict[str, Callable[[Board], str]] = {
    "markdown": as_markdown,
    "csv": as_csv,
    "json": as_json,
    "latex": as_latex,
}


def print_board(board: Board, console: Console) -> None:
    """The board on a terminal."""
    from rich.padding import Padding
    from rich.table import Table as Grid
    from rich.text import Text

    for table in board.tables:
        console.print(f"\n[bold]{table.track}[/bold]  level {table.level}  setup {table.setup}")
        grid = Grid(box=None, padding=(0, 2, 0, 0), show_edge=False)
        for key, name in words.COLUMNS.items():
            grid.add_column(
                name, justify="left" if key in ("method", "verdict", "difference", "new_images") else "right"
            )
        for row in table.ranked:
            line = words.line(row, table)
            style = "bold" if line.top else ""
            grid.add_row(*(Text(cell, style=style) for cell in line.cells.values()))
        for row in table.unranked:
            cells = list(words.unranked_line(row).values())[:-1]
            grid.add_row(*(Text(cell, style="dim") for cell in cells), Text("not ranked", style="dim"), "", "", "", "")
        console.print(grid)
        for flag in words.flag_lines(table):
            console.print(Padding(Text(flag, style="dim"), (0, 0, 0, 2)))
        for row in table.unranked:
            console.print(Padding(Text(f"{row.name}: {row.why}", style="dim"), (0, 0, 0, 2)))
        console.print(Text(words.caption(table), style="italic"))
    for refused in board.refused:
        if not refused.why.startswith("superseded"):
            console.print(Text(f"left out: {refused.name} {refused.why}", style="red"))
