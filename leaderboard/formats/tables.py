"""One board in many forms: Markdown, CSV, JSON, LaTeX; `terminal.py` has another. The numbers are the same in all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence

from prunemark.leaderboard.formats import captions, labels
from prunemark.leaderboard.formats.found import found_in_words
from prunemark.leaderboard.formats.latex import latex
from prunemark.leaderboard.formats.markdown import HEADING, markdown_table, pipe
from prunemark.leaderboard.formats.plain import plain_overall_rows, plain_rows
from prunemark.leaderboard.formats.refusals import LeftOut, in_brief
from prunemark.leaderboard.standings.board import Board
from prunemark.setups.errors import unknown_name
from prunemark.setups.text import escaped_json, shown, shown_cell

SCHEMA = "prunemark-board/1"


def render(board: Board, format: str, *, identifier: str = "", columns: Sequence[str] = ()) -> str:
    """The board as text of one format. `identifier` names this state of the board where the format has a place for it.

    `columns` are for LaTeX. Raises InputError with the valid formats or columns.
    """
    if format == "latex":
        return latex(board, identifier, columns)
    if format not in FORMATS:
        raise unknown_name("format", format, ["table", *FORMATS, "bibtex"])
    return FORMATS[format](board, identifier)


def as_csv(board: Board, identifier: str = "") -> str:
    """One line a row, with real numbers; `scope` tells rows of a track from rows over tracks. It has no identifier."""
    rows = [*plain_rows(board.tables), *plain_overall_rows(board.overall)]
    for row in rows:
        if differences := row.get("differences_pp"):
            row["differences_pp"] = "; ".join(f"{track}={value!r}" for track, value in differences.items())
        if "seed_list" in row:
            row["seed_list"] = " ".join(map(str, row["seed_list"]))
    text = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([shown_cell(row.get(name, "")) for name in names] for row in rows)
    return text.getvalue()


def as_json(board: Board, identifier: str = "") -> str:
    """Rows with real numbers, captions, and what was refused or does not count; `plain_columns` says what rows have."""
    data = {
        "schema": SCHEMA,
        "identifier": identifier or None,
        "release": board.release,
        "rows": plain_rows(board.tables),
        "captions": [captions.caption(table) for table in board.tables],
        "overall": plain_overall_rows(board.overall),
        "overall_captions": [captions.overall_caption(overall) for overall in board.overall],
        "refused": [{"name": refused.name, "why": refused.why} for refused in board.refused],
        "invalidated": dict(board.invalid),
        "other_versions": dict(board.other_versions),
    }
    return escaped_json(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)) + "\n"


def as_markdown(board: Board, identifier: str = "") -> str:
    """Tables for a repository page."""
    parts = [HEADING.format(records=board.records)]
    if identifier:
        parts.append(f"Identifier: `{identifier}`\n")
    if found := found_in_words(board.tables):
        parts.append(f"{pipe(found)}\n")
    for table in board.tables:
        parts.append(f"## {pipe(table.track)}, {pipe(table.level)}, {table.setup}\n")
        body = [labels.line(row, table) for row in table.ranked]
        if body:
            parts.append(markdown_table(list(labels.columns(table).values()), [_markdown_cells(line) for line in body]))
        if table.unranked:
            cells = [[pipe(cell) for cell in labels.unranked_line(row, table).values()] for row in table.unranked]
            parts.append(markdown_table(labels.unranked_head(table), cells))
        parts.append(f"{pipe(captions.caption(table))}\n")
        parts += _markdown_list(labels.flag_lines((*table.ranked, *table.unranked)))
    if board.overall:
        parts.append("## Over tracks\n")
    for overall in board.overall:
        if overall.rows:
            cells = [[pipe(cell) for cell in labels.overall_line(row, overall)] for row in overall.rows]
            parts.append(markdown_table([pipe(name) for name in labels.overall_head(overall)], cells))
        parts.append(f"{pipe(captions.overall_caption(overall))}\n")
        parts += _markdown_list(labels.flag_lines(overall.rows))
    left_out = [labels.other_version(*each) for each in board.other_versions.items()]
    left_out += [_left_out(left) for left in in_brief(board.refused)]
    if left_out:
        parts.append("## Left out\n")
        parts.append("".join(f"- {line}\n" for line in left_out))
    return "\n".join(parts)


def _left_out(left: LeftOut) -> str:
    many = f"{left.count}, " if left.count > 1 else ""
    names = (shown(name).replace("`", "'") for name in left.names)
    return f"{many}{', '.join(f'`{name}`' for name in names)}{left.words}: {pipe(left.why)}"


def _markdown_list(lines: list[str]) -> list[str]:
    return ["\n".join(f"- {pipe(line)}" for line in lines) + "\n"] if lines else []


def _markdown_cells(line: labels.Line) -> list[str]:
    cells = [pipe(cell) for cell in line.cells.values()]
    return [f"**{cells[0]}**", *cells[1:]] if line.top else cells


FORMATS: dict[str, Callable[[Board, str], str]] = {
    "markdown": as_markdown,
    "csv": as_csv,
    "json": as_json,
    "latex": latex,
}
