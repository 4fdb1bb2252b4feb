"""The report on a terminal: one claim fills one screen, several are a table with a line each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.judgement.verdict import EXIT_CODES
from prunemark.audit.report.content import LEGEND, ReportContent, content
from prunemark.setups.text import shown as clean

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {0: "bold green", 3: "bold red", 4: "bold yellow"}
MOST_LINES = 200
NARROW = 110


def print_audit(audit: Audit, console: Console) -> None:
    """One claim, whole."""
    from rich.text import Text

    shown = content(audit)
    console.print(Text(shown.word, style=STYLES[EXIT_CODES[shown.word]]) + Text(f"  {shown.sentence}", style="bold"))
    console.print(Text(f"\n{shown.interval}\n{shown.setups}\n{LEGEND}"))
    _factors(shown, console)
    for line in shown.gap:
        console.print(Text(line))
    _confounders(shown, console)
    if shown.missing:
        console.print(Text(f"Missing, and would close it: {shown.missing}", style="yellow"))
    if shown.undisclosed:
        console.print(Text(f"Unknown whether they differ: {shown.undisclosed}", style="dim"))
    for number, step in enumerate(shown.next_experiments, 1):
        console.print(Text(f"{'To settle it:' if number == 1 else ' ' * 13} {number}. {step}"))
    for note in shown.notes:
        console.print(Text(f"Note: {note}", style="dim"))


def _factors(shown: ReportContent, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    widths = _widths(console)
    for title, width in zip(("factor", *shown.names, "state", "why"), widths, strict=False):
        table.add_column(title[:width], overflow="ellipsis", no_wrap=True, width=width)
    for row in shown.factors:
        style = {"refuted": "red", "undecidable": "yellow"}.get(row[3], "")
        cells = [Text(cell, style=style if n == 3 else "") for n, cell in enumerate(row)]
        table.add_row(*cells[: len(widths)])
    console.print(table)


def _widths(console: Console) -> tuple[int, ...]:
    """Of the columns, in characters. On a narrow terminal the reasons are left to the other formats."""
    factor, state, gaps = 17, 16, 8
    rest = console.width - factor - state - gaps
    if console.width < NARROW:
        return factor, max(10, rest // 2), max(10, rest // 2), state
    side = min(32, rest // 3)
    return factor, side, side, state, rest - 2 * side - 2


def _confounders(shown: ReportContent, console: Console) -> None:
    from rich.text import Text

    if not shown.confounders:
        console.print(Text("Confounders: none is known to differ."))
    for name, favours, why in shown.confounders:
        console.print(Text(f"Confounder: {name} differs, favours {favours}: {why}"))


def print_many(audits: list[Audit], console: Console) -> None:
    """A line a claim, and the count of every verdict."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("winner", "loser", "points", "95 %", "setups", "verdict"):
        table.add_column(title, overflow="fold")
    for audit in audits[:MOST_LINES]:
        main, found = audit.gap.main, audit.pair.assessment
        points = f"{audit.gap.points:+.2f}" if audit.gap.points is not None else "?"
        span = f"{main.low:+.2f} to {main.high:+.2f}" if main else "unknown"
        style = STYLES[audit.verdict.exit_code]
        table.add_row(
            Text(_name(audit.pair.winner.name, audit.pair.winner.method)),
            Text(_name(audit.pair.loser.name, audit.pair.loser.method)),
            points, span, f"{found.established or '-'}..{found.ceiling or '-'}", Text(audit.verdict.word, style=style),
        )  # fmt: skip
    console.print(table)
    if len(audits) > MOST_LINES:
        console.print(f"... and {len(audits) - MOST_LINES} more; --format json has them all")
    counted = Counter(audit.verdict.word for audit in audits)
    console.print(Text(f"{len(audits)} pairs: " + ", ".join(f"{word} {n}" for word, n in counted.most_common())))


def print_listing(rows: list[dict[str, object]], console: Console) -> None:
    """A line a row; the widest columns are cut."""
    from rich.table import Table
    from rich.text import Text

    shown = [column for column in (rows[0] if rows else ()) if column not in ("kind", "runs")]
    table = Table(box=None, padding=(0, 1, 0, 0))
    for column in shown:
        table.add_column(column, overflow="ellipsis", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(clean(row[column])) for column in shown))
    console.print(table)
    console.print(f"{len(rows)} lines")


def _name(name: str, method: str) -> str:
    return clean(f"{name} {method}" if name != method else name)
