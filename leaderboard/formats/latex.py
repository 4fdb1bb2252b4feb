"""The tables as LaTeX, ready to be pasted into a paper: booktabs, a label, and the caption that they may not lose."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prunemark.leaderboard.formats import captions, labels, times
from prunemark.leaderboard.standings.board import Board
from prunemark.leaderboard.standings.overall import Overall
from prunemark.leaderboard.standings.table import Table
from prunemark.setups.text import MOST_OF_A_TEXT, shown

NOTE = "% Needs \\usepackage{booktabs,graphicx}. The caption says what the numbers rest on: keep it.\n"
READING = (
    "Mean and standard deviation over the seeds; in brackets the 95 % interval of the paired difference to the anchor. "
    "Bold: no method is shown to be better."
)
OVERALL_READING = "In brackets the 95 % interval; differences are in points, means over the levels."

LEFT_OUT = ("drop", *times.COLUMNS)
"""Columns that a printed page has no room for: the other forms have them."""
FIT = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%"
"""Scales what follows, to the closing brace, down to the width of the text where it is wider, and never up."""
LEFT = ("method", "lane", "difference", "verdict", "new_images")


def latex(board: Board, identifier: str = "") -> str:
    """All tables that rank something, and the standings over tracks. `identifier` names this state of the board."""
    head = (f"% {_one_line(identifier)}\n" if identifier else "") + NOTE
    tables = [_table(table) for table in board.tables if table.ranked]
    unfit = [
        f"% {_one_line(f'{t.track}, level {t.level}, {t.setup}: not for ranking, because {t.not_for_ranking}')}\n"
        for t in board.tables
        if t.not_for_ranking
    ]
    return "\n".join([head, *unfit, *tables, *(_overall(overall) for overall in board.overall if overall.rows)])


def _table(table: Table) -> str:
    heads = {key: head for key, head in labels.columns(table).items() if key not in LEFT_OUT}
    rows = []
    for row in table.ranked:
        line = labels.line(row, table)
        cells = [_tex(cell) for key, cell in line.cells.items() if key in heads]
        rows.append([rf"\textbf{{{cells[0]}}}" if line.top else cells[0], *cells[1:]])
    reasons: dict[str, list[str]] = {}
    for row in table.unranked:
        reasons.setdefault(row.why, []).append(row.name)
    notes = [f"{', '.join(names)}: not ranked; {why}" for why, names in reasons.items()]
    notes = [*labels.flag_lines((*table.ranked, *table.unranked)), *notes]
    return _environment(
        f"{captions.caption(table, timed=False)} {READING}",
        f"tab:{table.track}-{table.setup}-{table.level}",
        "".join("l" if key in LEFT else "r" for key in heads),
        list(heads.values()),
        rows,
        notes,
    )


def _overall(overall: Overall) -> str:
    rows = [[_tex(cell) for cell in labels.overall_line(row, overall)] for row in overall.rows]
    return _environment(
        f"{captions.overall_caption(overall)} {OVERALL_READING}", f"tab:over-tracks-{overall.setup}-{overall.kind}",
        "lrlrl" + "r" * len(overall.tracks), labels.overall_head(overall), rows, labels.flag_lines(overall.rows),
    )  # fmt: skip


def _environment(
    caption: str, label: str, columns: str, head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]
) -> str:
    body = "\n".join(f"{' & '.join(cells)} \\\\" for cells in rows)
    below = "".join(f"\\par\\smallskip\\footnotesize {_tex(note)}\n" for note in notes)
    return (
        "\\begin{table}\n\\centering\n"
        f"\\caption{{{_tex(caption)}}}\n\\label{{{re.sub('[^A-Za-z0-9:.]+', '-', label).strip('-')}}}\n"
        f"\\smallskip\\footnotesize\\setlength{{\\tabcolsep}}{{4pt}}\n{FIT}\n"
        f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{' & '.join(map(_tex, head))} \\\\\n\\midrule\n{body}\n"
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
