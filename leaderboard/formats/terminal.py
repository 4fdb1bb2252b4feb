"""A board on a terminal of any width: who, how accurate, how far from the anchor and what is shown; then the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from prunemark.leaderboard.formats import captions, labels
from prunemark.leaderboard.formats.refusals import in_brief
from prunemark.leaderboard.standings.board import Board
from prunemark.leaderboard.standings.levels import NOT_RANKED
from prunemark.setups.text import MOST_OF_A_TEXT, shown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table as Grid
    from rich.text import Text

    from prunemark.leaderboard.standings.overall import Overall
    from prunemark.leaderboard.standings.table import Table

LEFT, WRAPPED = ("method", "lane", "verdict", "difference", "new_images"), ("verdict", "new_images")
FIRST = ("method", "accuracy", "difference", "verdict")
"""The columns that a terminal of 80 characters has room for; the others are in --wide."""
LONGEST_NAME, LONGEST_WORD = 24, 12
"""Characters of a name that stay on one line, and of a verdict's first word."""
WIDE = 140
"""Characters from which on every column fits."""
NARROWER = "Shown without {columns}: --wide has them, and so has a terminal of {wide} characters."


def print_board(board: Board, console: Console, *, wide: bool = False) -> None:
    """The board; every column if `wide`, or where the terminal has room for them."""
    wide = wide or console.width >= WIDE
    for table in board.tables:
        _print_table(table, console, wide)
    for overall in (each for each in board.overall if each.rows):
        _print_overall(overall, console, wide)
    for id, count in board.other_versions.items():
        console.print(_text(labels.other_version(id, count), "dim"))
    for left in in_brief([each for each in board.refused if not each.newer]):
        many = f"{left.count} of them: " if left.count > 1 else ""
        console.print(_text(f"left out: {many}{', '.join(left.names)}{left.words} {left.why}", "red"))


def _print_table(table: Table, console: Console, wide: bool) -> None:
    from rich.table import Table as Grid

    console.print(_text(table.track, "bold", "\n") + _text(f"  level {table.level}  setup {table.setup}"))
    heads = labels.columns(table)
    shown_heads = {key: name for key, name in heads.items() if wide or key in FIRST}
    grid = Grid(box=None, padding=(0, 2, 0, 0), show_edge=False)
    for key, name in shown_heads.items():
        justify: Literal["left", "right"] = "left" if key in LEFT else "right"
        if key == "method":
            names = [len(row.name) for row in (*table.ranked, *table.unranked)]
            grid.add_column(name, overflow="fold", min_width=min(max(names, default=0), LONGEST_NAME))
        else:
            least = LONGEST_WORD if key == "verdict" else None
            grid.add_column(name, justify=justify, no_wrap=key not in WRAPPED, min_width=least)
    for row in table.ranked:
        line = labels.line(row, table)
        grid.add_row(*(_text(line.cells[key], "bold" if line.top else "") for key in shown_heads))
    for row in table.unranked:
        cells = labels.unranked_line(row, table) | {"difference": labels.unranked_word(row)}
        grid.add_row(*(_text(cells.get(key, ""), "dim") for key in shown_heads))
    _print_grid(grid, console, wide)
    for flag in labels.flag_lines((*table.ranked, *table.unranked)):
        console.print(_indented(flag))
    for row in (row for row in table.unranked if row.why != NOT_RANKED):  # that the caption says once
        console.print(_indented(f"{row.name}: {row.why}"))
    console.print(_text(captions.caption(table), "italic"))
    if not wide:
        left_out = ", ".join(name for key, name in heads.items() if key not in FIRST)
        console.print(_text(NARROWER.format(columns=left_out, wide=WIDE), "dim"))


def _print_overall(overall: Overall, console: Console, wide: bool) -> None:
    from rich.table import Table as Grid

    console.print(
        _text("over tracks", "bold", "\n") + _text(f"  setup {overall.setup}  {captions.what_is_pruned(overall)}")
    )
    heads = labels.overall_head(overall)
    count = len(heads) if wide else len(labels.OVERALL_COLUMNS)
    grid = Grid(*heads[:count], box=None, padding=(0, 2, 0, 0), show_edge=False)
    for method in overall.rows:
        style = "dim" if method.why else ""
        grid.add_row(*(_text(cell, style) for cell in labels.overall_line(method, overall)[:count]))
    _print_grid(grid, console, wide)
    console.print(_text(captions.overall_caption(overall), "italic"))


def _print_grid(grid: Grid, console: Console, wide: bool) -> None:
    """Wider than the terminal where every column was asked for: a line that goes on is better than a column of two."""
    before = console.width
    if wide and before < WIDE:
        console.width = WIDE
    console.print(grid)
    console.width = before


def _indented(words: str) -> Padding:
    from rich.padding import Padding

    return Padding(_text(words, "dim"), (0, 0, 0, 2))


def _text(words: str, style: str = "", before: str = "") -> Text:
    """What a terminal prints, and nothing that it would do."""
    from rich.text import Text

    return Text(before).append(shown(words, MOST_OF_A_TEXT), style=style)
