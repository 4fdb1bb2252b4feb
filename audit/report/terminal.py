"""The report on a terminal: one claim fills one screen of 80 columns, several are a table with a line each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.judgement.verdict import EXIT_CODES
from prunemark.audit.report.answer import MARKS, answer
from prunemark.audit.report.factor_words import listed
from prunemark.audit.report.layout import lines
from prunemark.setups.text import shown as clean

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {0: "bold green", 3: "bold red", 4: "bold yellow"}
MOST_LINES = 200
NARROWEST = 8  # characters of a column of a listing
_COLOURS = {MARKS["refuted"]: "red", MARKS["undecidable"]: "yellow"}
_TITLES = frozenset({
    "Why", "Ask the authors for", "The smallest experiment that settles it", "After that", "Numbers that look odd",
})  # fmt: skip


def print_audit(audit: Audit, console: Console) -> None:
    """One claim, whole."""
    from rich.text import Text

    found = answer(audit)
    for number, line in enumerate(lines(found, console.width)):
        style = STYLES[found.exit_code] if number == 0 else "bold" if line in _TITLES else _COLOURS.get(line[:1], "")
        console.print(Text(line, style=style), soft_wrap=True)


def print_many(audits: list[Audit], console: Console) -> None:
    """A line a claim, and the count of every verdict."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("winner", "loser", "gap", "95 %", "setups", "verdict"):
        table.add_column(title, overflow="fold")
    for audit in audits[:MOST_LINES]:
        main, found = audit.gap.main, audit.pair.assessment
        points = f"{audit.gap.points:+.2f}" if audit.gap.points is not None else "?"
        span = f"{main.low:+.2f} to {main.high:+.2f}" if main else "unknown"
        style = STYLES[EXIT_CODES[audit.verdict.word]]
        table.add_row(
            Text(_name(audit.pair.winner.name, audit.pair.winner.method)),
            Text(_name(audit.pair.loser.name, audit.pair.loser.method)),
            points, span, f"{found.established or '-'}..{found.ceiling or '-'}", Text(audit.verdict.word, style=style),
        )  # fmt: skip
    console.print(table)
    if len(audits) > MOST_LINES:
        console.print(f"... and {len(audits) - MOST_LINES} more; --format json has them all")
    console.print("setups: from the highest that is known to hold to the highest that can hold")
    counted = Counter(audit.verdict.word for audit in audits)
    console.print(Text(f"{len(audits)} pairs: " + ", ".join(f"{word} {n}" for word, n in counted.most_common())))


def print_listing(rows: list[dict[str, object]], console: Console) -> None:
    """A line a row; the widest columns are cut, and the last ones left off where there is no room."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    shown = [column for column in (rows[0] if rows else ()) if column not in ("kind", "runs")]
    widths = {
        column: max(cell_len(text) for text in (column, *(clean(row[column]) for row in rows))) for column in shown
    }
    while sum(widths.values()) + len(widths) > console.width and len(widths) > 1:
        widest = max(widths, key=widths.__getitem__)
        if widths[widest] > NARROWEST:
            widths[widest] -= 1
        else:  # rich would cut every column alike, and the narrow ones, such as the ids, away
            widths.popitem()
    left_off = shown[len(widths) :]
    shown = list(widths)
    table = Table(box=None, padding=(0, 1, 0, 0))
    for column in shown:
        table.add_column(column, overflow="ellipsis", no_wrap=True, width=widths[column])
    for row in rows:
        table.add_row(*(Text(clean(row[column])) for column in shown))
    console.print(table)
    console.print(f"{len(rows)} lines" + (f", without {listed(left_off)}: --format json" if left_off else ""))


def _name(name: str, method: str) -> str:
    return clean(f"{name} {method}" if name != method else name)
