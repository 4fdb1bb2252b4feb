"""The tables as LaTeX, ready to be pasted into a paper: booktabs, a label, and the caption that they may not lose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, groupby

from prunemark.leaderboard.formats import captions, labels
from prunemark.leaderboard.standings.board import Board
from prunemark.leaderboard.standings.overall import Overall
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table
from prunemark.setups.errors import unknown_name
from prunemark.setups.text import MOST_OF_A_TEXT, shown

NOTE = "% Needs \\usepackage{booktabs,graphicx}. The caption says what the numbers rest on: keep it.\n"
READING = (
    "Mean and standard deviation over the seeds; drop is the base model's accuracy minus that of the pruned one. "
    "Bold: no method is shown to be better."
)
OVERALL_READING = "In brackets the 95 % interval; differences are in points, means over the levels."
FIT = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%"
"""Scales what follows, to the closing brace, down to the width of the text where it is wider, and never up."""
LEFT = ("lane", "difference", "verdict", "new_images")
OWN = {"base": "Base %", "params": "Params", "macs": "MACs"}
"""The columns that only a printed table has; the others are those of `labels.COLUMNS`."""
USUAL = ("base", "accuracy", "drop", "params", "macs")
"""What papers print of each method, at each level."""


def latex(board: Board, identifier: str = "", columns: Sequence[str] = ()) -> str:
    """Methods by levels, a table for each track and setup that ranks something, and the standings over tracks.

    `identifier` names this state of the board, `columns` what is printed of each method at each level [`USUAL`]; a
    column that no method has is left out. Raises InputError for an unknown one.
    """
    known = [*OWN, *(name for name in labels.COLUMNS if name != "method")]
    for name in columns:
        if name not in (*known, "method"):
            raise unknown_name("column", name, known)
    chosen = tuple(name for name in columns if name != "method")
    head = (f"% {_one_line(identifier)}\n" if identifier else "") + NOTE
    ranked = [table for table in board.tables if table.ranked]
    grouped = [list(group) for _, group in groupby(ranked, lambda table: (table.track, table.setup))]
    tables = [_table(group, chosen or USUAL) for group in grouped]
    unfit = [
        f"% {_one_line(f'{t.track}, level {t.level}, {t.setup}: not for ranking, because {t.not_for_ranking}')}\n"
        for t in board.tables
        if t.not_for_ranking
    ]
    return "\n".join([head, *unfit, *tables, *(_overall(overall) for overall in board.overall if overall.rows)])


def _table(levels: Sequence[Table], chosen: Sequence[str]) -> str:
    """One track under one setup: a row a method, the chosen columns of each level next to each other."""
    cells = [{row.name: _cells(row, table) for row in table.ranked} for table in levels]
    once = [key for key in chosen if key == "base" and any(row[key] for found in cells for row in found.values())]
    keys_of = [[key for key in chosen if key != "base" and any(r.get(key) for r in found.values())] for found in cells]
    rows = []
    for name in dict.fromkeys(name for found in cells for name in found):
        base = next((found[name]["base"] for found in cells if name in found and found[name]["base"]), "")
        row = [_tex(name), *(_tex(base) for _ in once)]
        at_levels = ([found.get(name, {}).get(k, "") for k in keys] for found, keys in zip(cells, keys_of, strict=True))
        rows.append([*row, *chain.from_iterable(at_levels)])
    heads = [labels.columns(table) | OWN for table in levels]
    head = ["Method", *(OWN[key] for key in once)]
    head += [heads[number][key] for number, keys in enumerate(keys_of) for key in keys]
    aligned = "l" + "r" * len(once) + "".join("l" if key in LEFT else "r" for keys in keys_of for key in keys)
    parts = dict.fromkeys(part for table in levels for part in captions.parts_of(table, timed=False))
    level = f"-{levels[0].level}" if len(levels) == 1 else ""
    over = _level_heads(levels, keys_of, 1 + len(once)) if len(levels) > 1 else ""
    label = f"tab:{levels[0].track}-{levels[0].setup}{level}"
    return _environment(f"{' '.join(parts)} {READING}", label, aligned, head, rows, _notes(levels), over)


def _level_heads(levels: Sequence[Table], keys_of: Sequence[Sequence[str]], before: int) -> str:
    """The line above the heads: each level over its columns, with a rule below it."""
    spans, rules, at = [""] * before, "", before + 1
    for table, keys in zip(levels, keys_of, strict=True):
        if keys:
            spans.append(f"\\multicolumn{{{len(keys)}}}{{c}}{{{_tex(table.level)}}}")
            rules += f"\\cmidrule(lr){{{at}-{at + len(keys) - 1}}}"
            at += len(keys)
    return f"{' & '.join(spans)} \\\\\n{rules}\n"


def _cells(row: Row, table: Table) -> dict[str, str]:
    """Everything that can be printed of a method at a level, ready for LaTeX, and `base` as plain text."""
    line = labels.line(row, table)
    found = {key: _tex(cell) for key, cell in line.cells.items()}
    if line.top:
        found["accuracy"] = rf"\textbf{{{found['accuracy']}}}"
    known = row.accuracy_percent is not None and row.drop_pp is not None
    base = row.accuracy_percent + row.drop_pp if known else None  # type: ignore[operator]
    return found | {"base": labels.number(base, 2), "params": _count(row.params), "macs": _count(row.macs)}


def _count(number: int | None) -> str:
    """3,412 as 3.41k, and so on."""
    if number is None:
        return ""
    for size, sign in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.3g}{sign}"
    return str(number)


def _notes(levels: Sequence[Table]) -> list[str]:
    """What a reader must know of single rows; the same of several levels once."""
    found: dict[str, list[str]] = {}
    for table in levels:
        reasons: dict[str, list[str]] = {}
        for row in table.unranked:
            reasons.setdefault(row.why, []).append(row.name)
        notes = [*_unequal_epochs(table), *labels.flag_lines((*table.ranked, *table.unranked))]
        for note in (*notes, *(f"{', '.join(names)}: not ranked; {why}" for why, names in reasons.items())):
            found.setdefault(note, []).append(table.level)
    return [note if len(at) == len(levels) else f"{note} ({', '.join(at)})" for note, at in found.items()]


def _unequal_epochs(table: Table) -> list[str]:
    """What no number may hide: methods that trained for other numbers of epochs than the anchor, and their verdicts."""
    cells = {row.name: labels.line(row, table).cells for row in table.ranked}
    usual = cells.get(table.anchor, {}).get("epochs")
    said: dict[str, list[str]] = {}
    for name, found in cells.items():
        if found["epochs"] != usual:
            said.setdefault(f"epochs of pruning and retraining {found['epochs']}; {found['verdict']}", []).append(name)
    return [f"{', '.join(names)}: {words}" for words, names in said.items()]


def _overall(overall: Overall) -> str:
    rows = [[_tex(cell) for cell in labels.overall_line(row, overall)] for row in overall.rows]
    return _environment(
        f"{captions.overall_caption(overall)} {OVERALL_READING}", f"tab:over-tracks-{overall.setup}-{overall.kind}",
        "lrlrl" + "r" * len(overall.tracks), labels.overall_head(overall), rows, labels.flag_lines(overall.rows),
    )  # fmt: skip


def _environment(
    caption: str, label: str, columns: str, head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str],
    over: str = "",
) -> str:  # fmt: skip
    body = "\n".join(f"{' & '.join(cells)} \\\\" for cells in rows)
    below = "".join(f"\\par\\smallskip\\footnotesize {_tex(note)}\n" for note in notes)
    return (
        "\\begin{table}\n\\centering\n"
        f"\\caption{{{_tex(caption)}}}\n\\label{{{re.sub('[^A-Za-z0-9:.]+', '-', label).strip('-')}}}\n"
        f"\\smallskip\\footnotesize\\setlength{{\\tabcolsep}}{{4pt}}\n{FIT}\n"
        f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{over}{' & '.join(map(_tex, head))} \\\\\n\\midrule\n{body}\n"
        f"\\bottomrule\n\\end{{tabular}}%\n}}\n{below}\\end{{table}}\n"
    )


# a cell that begins with [ or * would be taken for an argument of the line break before it
_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "<": r"$<$", ">": r"$>$", "|": r"\textbar{}",
    "[": "{[}", "]": "{]}", "*": "{*}", "≥": r"$\geq$",
}  # fmt: skip


def _tex(text: str) -> str:
    """Text that LaTeX prints as it is, in one line; a minus before a number is a minus."""
    escaped = "".join(_TEX.get(character, character) for character in _one_line(text).replace(">=", "≥"))
    return re.sub(r"(?<![\w.-])-(?=\d)", "$-$", escaped)


def _one_line(text: str) -> str:
    return shown(" ".join(text[:MOST_OF_A_TEXT].split()), MOST_OF_A_TEXT)
