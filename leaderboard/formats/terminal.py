"""A board on a terminal of any width: who, how accurate, how far from the anchor and what is shown; then the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from prunemark.leaderboard.formats import captions, labels
from prunemark.leaderboard.formats.folded import CAPTION, folded, short_finding, short_name
from prunemark.leaderboard.formats.refusals import in_brief
from prunemark.leaderboard.standings.board import Board
from prunemark.leaderboard.standings.levels import NOT_RANKED
from prunemark.setups.errors import unknown_name
from prunemark.setups.text import MOST_OF_A_TEXT, shown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table as Grid
    from rich.text import Text

    from prunemark.leaderboard.standings.overall import Overall
    from prunemark.leaderboard.standings.rows import Row
    from prunemark.leaderboard.standings.table import Table

LEFT, WRAPPED = ("method", "lane", "verdict", "difference", "new_images"), ("verdict", "new_images")
FIRST = ("method", "accuracy", "difference", "verdict")
"""The columns that a terminal of 80 characters has room for; the others are in --wide."""
LONGEST_NAME, SHORTEST_NAME, LONGEST_WORD = 24, 12, 12
"""Characters of a name that stay on one line, also on a narrow terminal, and of a verdict's first word."""
BARE_HEADS = {"accuracy": "Acc.", "difference": "Diff.", "verdict": "Verdict"}
WIDE, NARROW = 140, 72
"""Characters from which on every column fits, and below which numbers go without their spread and intervals."""
NARROWER = "Shown without {columns}: --wide has them, and so has a terminal of {wide} characters."


@dataclass(frozen=True)
class Shape:
    """How tables are printed: which columns, or all that there are, and whether numbers stand by themselves."""

    columns: tuple[str, ...] | None
    bare: bool


def print_board(board: Board, console: Console, *, wide: bool = False, columns: Sequence[str] = ()) -> None:
    """The board; every column if `wide`, or where the terminal has room for them, or the `columns` asked for.

    What several tables say alike stands once, behind the last of them. Raises InputError for an unknown column.
    """
    for name in columns:
        if name not in labels.COLUMNS:
            raise unknown_name("column", name, labels.COLUMNS)
    wide = wide or console.width >= WIDE
    chosen = ("method", *(name for name in columns if name != "method")) if columns else None if wide else FIRST
    shape = Shape(chosen, bare=console.width < NARROW and not wide)
    _print_tables(board.tables, console, shape, wide)
    for overall in (each for each in board.overall if each.rows):
        _print_overall(overall, console, wide)
    for id, count in board.other_versions.items():
        console.print(_text(labels.other_version(id, count), "dim"))
    for left in in_brief([each for each in board.refused if not each.newer]):
        many = f"{left.count} of them: " if left.count > 1 else ""
        console.print(_text(f"left out: {many}{', '.join(left.names)}{left.words} {left.why}", "red"))


def _print_tables(tables: Sequence[Table], console: Console, shape: Shape, wide: bool) -> None:
    """Tables of one track and setup stand together, with what is true of all of them said once."""
    captioned = [captions.parts_of(table) for table in tables]
    ranking = [parts for table, parts in zip(tables, captioned, strict=True) if not table.not_for_ranking]
    everywhere = captions.shared(ranking) if len(ranking) > 1 else []
    said: set[str] = set()
    for _, levels in groupby(zip(tables, captioned, strict=True), lambda pair: (pair[0].track, pair[0].setup)):
        group = list(levels)
        here = [part for part in captions.shared([parts for _, parts in group]) if part not in everywhere]
        for table, parts in group:
            _print_table(table, console, shape, said, wide)
            if own := [part for part in parts if part not in here and part not in everywhere]:
                console.print(_text(" ".join(own), "italic"))
        if here:
            console.print(_text(" ".join(here), "italic"))
    if everywhere:
        of_all = "All tables" if len(ranking) == len(tables) else "All tables for ranking"
        console.print(_text(f"{of_all}: {' '.join(everywhere)}", "italic", "\n"))
    if any(row.why.startswith("a matched control") for table in tables for row in table.unranked):
        console.print(_text(CAPTION, "dim"))
    left_out = {
        n: None for t in tables for key, n in labels.columns(t).items() if shape.columns and key not in shape.columns
    }
    if left_out and shape.columns == FIRST:
        console.print(_text(NARROWER.format(columns=", ".join(left_out), wide=WIDE), "dim"))


def _print_table(table: Table, console: Console, shape: Shape, said: set[str], wide: bool) -> None:
    console.print(_text(table.track, "bold", "\n") + _text(f"  level {table.level}  setup {table.setup}"))
    heads = {key: name for key, name in labels.columns(table).items() if shape.columns is None or key in shape.columns}
    ranked, others = folded(table)
    lines = [line for row, controls in (*ranked, *others) for line in _lines(row, controls, table, shape)]
    keys = [key for key in heads if any(cells.get(key) for cells, _ in lines)]  # a column that nobody has is left out
    _print_grid(_grid(keys, heads | BARE_HEADS if shape.bare else heads, lines, shape.bare), console, wide)
    notes = labels.flag_lines((*table.ranked, *table.unranked))
    notes += [f"{row.name}: {row.why}" for row, _ in others if row.why != NOT_RANKED]  # that the caption says once
    for note in (note for note in notes if note not in said):
        said.add(note)
        console.print(_indented(note))


def _lines(row: Row, controls: Sequence[Row], table: Table, shape: Shape) -> Iterator[tuple[dict[str, str], str]]:
    """The cells of a row and of the controls under it, each with its style."""
    if row in table.ranked:
        line = labels.line(row, table)
        yield _bare(line.cells) if shape.bare else line.cells, "bold" if line.top else ""
    else:
        cells = labels.unranked_line(row, table) | {"difference": labels.unranked_word(row)}
        yield _bare(cells) if shape.bare else cells, "dim"
    for control in controls:
        found = {"method": short_name(control), "verdict": short_finding(control)}
        cells = labels.unranked_line(control, table) | found
        yield _bare(cells) if shape.bare else cells, "dim"


def _bare(cells: Mapping[str, str]) -> dict[str, str]:
    """Numbers without what stands behind them, and the first words of a verdict."""
    if not cells.get("verdict"):
        cells = {**cells, "difference": "", "verdict": cells.get("difference", "")}
    ends = {"accuracy": " ±", "difference": " [", "verdict": " ("}
    return {key: cell.partition(ends[key])[0] if key in ends else cell for key, cell in cells.items()}


def _grid(
    keys: Sequence[str], heads: Mapping[str, str], lines: Sequence[tuple[dict[str, str], str]], bare: bool
) -> Grid:
    from rich.table import Table as Grid

    grid = Grid(box=None, padding=(0, 1 if bare else 2, 0, 0), show_edge=False)
    most = SHORTEST_NAME if bare else LONGEST_NAME
    for key in keys:
        justify: Literal["left", "right"] = "left" if key in LEFT else "right"
        if key == "method":
            longest = max((len(cells["method"]) for cells, _ in lines), default=0)
            grid.add_column(heads[key], overflow="fold", min_width=min(longest, most))
        else:
            least = LONGEST_WORD if key == "verdict" else None
            grid.add_column(heads[key], justify=justify, no_wrap=key not in WRAPPED, min_width=least)
    for cells, style in lines:
        grid.add_row(*(_text(cells.get(key, ""), style) for key in keys))
    return grid


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
