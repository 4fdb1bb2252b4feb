"""The comparisons of a table, one a row: verdict, gap, and what is missing; as text and for pages and papers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from prunemark.audit.report import checklist, latex, markup, review
from prunemark.audit.report.answer import answer
from prunemark.audit.report.content import as_dict
from prunemark.audit.report.factor_words import label, listed
from prunemark.audit.report.headline import metric_of
from prunemark.audit.report.layout import WIDTH, wrapped
from prunemark.audit.table.claims import Judged, TableAudit
from prunemark.audit.table.columns import ROLES, Columns, as_option
from prunemark.audit.table.grid import Grid
from prunemark.audit.table.rows import TableRow
from prunemark.setups.text import shown

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {0: "green", 3: "red", 4: "yellow"}
HEAD = ("comparison", "verdict", "gap", "missing")
_WIDTHS = (25, 20, 15, 17)


def row(one: Judged, found: TableAudit) -> tuple[str, str, str, str]:
    """The cells of one comparison."""
    main, points = one.audit.gap.main, one.audit.gap.points
    gap = "?" if points is None else f"{points:+.2f}"
    if main is not None:
        gap += f" ±{(main.high - main.low) / 2:.2f}"
    names = " > ".join(_name(side, found) for side in (one.winner, one.loser))
    missing = ", ".join(map(label, _unsaid(one))) or "-"
    return shown(names), one.audit.verdict.word, gap, missing


def _unsaid(one: Judged) -> tuple[str, ...]:
    """What the verdict rests on without its being stated, and what would close it."""
    return tuple(dict.fromkeys((*one.audit.presumed, *one.audit.missing)))


def _name(side: TableRow, found: TableAudit) -> str:
    """A method; with its line in the file where its group has several rows of it."""
    rows = {id(r): r for one in found.judged for r in (one.winner, one.loser)}.values()
    alike = sum(r.method == side.method and r.group == side.group for r in rows)
    return f"{side.method} (line {side.line})" if alike > 1 else side.method


def print_table(found: TableAudit, console: Console) -> None:
    """A line a comparison at 80 columns, by group; then what stands behind all of them."""
    from rich.text import Text

    if found.caption:
        console.print(Text(shown(found.caption, WIDTH), style="bold"), soft_wrap=True)
    group: tuple[str, str] = ("", "")
    console.print(Text(_line(HEAD)[0], style="bold"), soft_wrap=True)
    for one in found.judged:
        if one.winner.group != group:
            group = one.winner.group
            name = " on ".join(part for part in (one.winner.network, one.winner.dataset) if part)
            console.print(Text(shown(name, WIDTH) or "network not stated", style="bold"), soft_wrap=True)
        cells = row(one, found)
        for number, line in enumerate(_line((*cells[:3], _few(cells[3])))):
            console.print(Text(line, style=STYLES[one.audit.verdict.exit_code] if number == 0 else ""), soft_wrap=True)
    for line in _below(found):
        for part in wrapped(line, WIDTH, "  "):
            console.print(Text(part), soft_wrap=True)


def _few(missing: str) -> str:
    """What fits beside the rest: the first, and how many more."""
    first, *others = missing.split(", ")
    return f"{first} +{len(others)}" if others else first


def _line(cells: Sequence[str]) -> list[str]:
    """The cells in columns; a long one goes on below."""
    columns = [wrapped(cell, width) for cell, width in zip(cells, _WIDTHS, strict=True)]
    height = max(map(len, columns))
    lines = []
    for number in range(height):
        parts = [column[number] if number < len(column) else "" for column in columns]
        lines.append(" ".join(f"{part:<{width}}" for part, width in zip(parts, _WIDTHS, strict=True)).rstrip())
    return lines


def _below(found: TableAudit) -> list[str]:
    """Counts, what is missing everywhere, and what could not be read."""
    counted = Counter(one.audit.verdict.word for one in found.judged)
    lines = ["", f"{len(found.judged)} comparisons: " + ", ".join(f"{word} {n}" for word, n in counted.most_common())]
    everywhere = set.intersection(*(set(_unsaid(one)) for one in found.judged)) if found.judged else set()
    if everywhere:
        lines.append(f"Missing everywhere, so state it once in --common: {', '.join(map(label, sorted(everywhere)))}")
    if units := [unit for one in found.judged if (unit := metric_of(one.audit).unit) != "points"]:
        lines.append(f"Gaps are in {listed(tuple(dict.fromkeys(units)))}; a positive one is in favour of yours")
    if found.more:
        lines.append(f"Of several rows of yours the nearest in compression was taken. {found.more} more: --every")
    odd = dict.fromkeys(remark for one in found.judged for remark in answer(one.audit).remarks)
    lines += [f"Looks odd: {remark}" for remark in odd]
    contradictions = dict.fromkeys(fault for one in found.judged for fault in one.audit.evidence.contradictions)
    lines += [f"Contradicts itself: {shown(fault, 300)}" for fault in contradictions]
    lines += [f"Note: {note}" for note in found.notes]
    return lines + [f"Not read: {shown(problem, 300)}" for problem in found.problems]


def _rows(found: TableAudit) -> list[tuple[str, ...]]:
    return [
        (one.winner.network, one.winner.dataset, *row(one, found), answer(one.audit).sentence) for one in found.judged
    ]  # fmt: skip


_HEAD = ("network", "dataset", *HEAD, "in words")


def as_markdown(found: TableAudit) -> str:
    """One table, and under it what could not be read."""
    below = "\n".join(f"- {markup.markdown_text(line)}" for line in _below(found) if line)
    title = markup.markdown_text(found.caption or found.name)
    return f"## {title}\n\n{markup.markdown_table(_HEAD, _rows(found))}\n{below}\n"


def as_html(found: TableAudit) -> str:
    """One page."""
    below = "".join(f"<p>{escape(line)}</p>\n" for line in _below(found) if line)
    return markup.page("Audit", markup.table(_HEAD, _rows(found)) + below)


def as_latex(found: TableAudit) -> str:
    """One tabular."""
    body = latex.table(HEAD, [row(one, found) for one in found.judged], "lllp{0.4\\linewidth}")
    return f"% prunemark audit: {latex.escaped(found.name)}\n{body}\n"


def as_json(found: TableAudit) -> str:
    """The comparisons, each as a document's report has it, with its rows."""
    data: dict[str, Any] = {
        "table": found.name,
        "comparisons": [
            {"winner_line": one.winner.line, "loser_line": one.loser.line, "network": one.winner.network,
             "dataset": one.winner.dataset, **as_dict(one.audit)}
            for one in found.judged
        ],
        "not_read": list(found.problems),
        "pairs_left_out": found.more,
        "notes": list(found.notes),
    }  # fmt: skip
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


RENDERERS: dict[str, Callable[[TableAudit], str]] = {
    "json": as_json,
    "markdown": as_markdown,
    "html": as_html,
    "latex": as_latex,
    "review": lambda found: review.as_review(found.audits),
    "checklist": lambda found: checklist.as_checklist(found.audits),
}


def proposal(grid: Grid, columns: Columns, name: str, command: str) -> list[str]:
    """The columns of a table with what they seem to be, and the command to paste."""
    roles = {column.index: role for role, column in columns.items()}
    lines = [*wrapped(f"{shown(name)}, line {grid.line}: {shown(grid.caption) or 'a table'}", WIDTH), ""]
    for index, header in enumerate(grid.header):
        cells = [line.cells[index] for line in grid.rows if not line.section][:3]
        role = roles.get(index)
        meaning = f"{role}: {ROLES[role].meaning}" if role else "not used"
        text = (
            f"{index + 1:>3}  {shown(header, 40) or '(no header)'}  ({', '.join(shown(c, 16) or '-' for c in cells)})"
        )
        lines += wrapped(text, WIDTH, "     ") + wrapped(f"     -> {meaning}", WIDTH, "        ")
    lines += ["", "Correct it where it is wrong, and audit with:", "", f"{command} {as_option(columns)}"]
    return lines
