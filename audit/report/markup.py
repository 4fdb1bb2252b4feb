"""The report as Markdown (for a job summary) and as one HTML page without scripts. Everything is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.report.content import LEGEND, ReportContent, content
from prunemark.setups.text import MOST_OF_A_TEXT
from prunemark.setups.text import shown as clean


def as_markdown(audits: list[Audit]) -> str:
    """A section a claim."""
    return "\n".join(_markdown(content(audit)) for audit in audits)


def _markdown(shown: ReportContent) -> str:
    lines = [f"## {_pipe(shown.word)}", "", _pipe(shown.sentence), "", f"`{_code(shown.interval)}`  "]
    lines += [f"`{_code(shown.setups)}`  ", LEGEND, ""]
    lines += [f"| factor | {_pipe(shown.names[0])} | {_pipe(shown.names[1])} | state | why |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(_pipe(cell) for cell in row) + " |" for row in shown.factors]
    lines += ["", "**The gap**", "", *[f"- {_pipe(line)}" for line in shown.gap], "", "**Confounders**", ""]
    lines += [f"- {name} differs, favours {_pipe(favours)}: {_pipe(why)}" for name, favours, why in shown.confounders]
    lines += [] if shown.confounders else ["- none is known to differ"]
    lines += [f"- unknown whether they differ: {shown.undisclosed}"] if shown.undisclosed else []
    lines += ["", f"**Missing, and would close the interval:** {shown.missing or 'nothing'}", ""]
    lines += ["**To settle it**", "", *[f"{n}. {_pipe(step)}" for n, step in enumerate(shown.next_experiments, 1)]]
    lines += [] if shown.next_experiments else ["Nothing is left to settle."]
    lines += ["", *[f"- note: {_pipe(note)}" for note in shown.notes]] if shown.notes else []
    return "\n".join(lines) + "\n"


def markdown_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table of plain cells."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(c if c == '---' else _pipe(c) for c in line)} |" for line in lines) + "\n"


def _pipe(text: str) -> str:
    """Text that Markdown takes as it is, on one line."""
    text = clean(text, MOST_OF_A_TEXT)
    for character in "\\`*_|<>[]#":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def _code(text: str) -> str:
    return text.replace("`", "'")


STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .2rem .7rem; text-align: left;
border-bottom: 1px solid #ddd; vertical-align: top; } .refuted { color: #a11; } .undecidable { color: #850; }
.holds { color: #161; } h2 { margin-top: 2.5rem; } .chain { font-family: monospace; } .note { color: #666; }
svg text { font: 12px system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd; } td, th { border-color: #444; }
.refuted { color: #f77; } .undecidable { color: #fc6; } .holds { color: #7d7; } svg { background: #ddd; } }
"""


def as_html(audits: list[Audit]) -> str:
    """One page, a section a claim."""
    return page("Audit", "".join(_section(content(audit)) for audit in audits))


def page(title: str, body: str) -> str:
    """A whole page around a body that is HTML already."""
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n{body}</body>\n"
        "</html>\n"
    )


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table; a cell whose text is a state is coloured so."""
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f'<td class="{_class(cell)}">{escape(cell)}</td>' for cell in row) + "</tr>\n" for row in rows
    )
    return f"<table><thead><tr>{cells}</tr></thead>\n<tbody>{body}</tbody></table>\n"


def _class(cell: str) -> str:
    return cell.split(maxsplit=1)[0] if cell in ("refuted", "undecidable", "holds", "holds a fortiori") else ""


def _section(shown: ReportContent) -> str:
    parts = [
        f"<h2>{escape(shown.word)}</h2><p>{escape(shown.sentence)}</p>",
        f'<p class="chain">{escape(shown.interval)}<br>{escape(shown.setups)}<br>{LEGEND}</p>',
        table(("factor", *shown.names, "state", "why"), shown.factors),
        "<h3>The gap</h3>" + _list(shown.gap),
        "<h3>Confounders</h3>",
        table(("what differs", "favours", "why"), shown.confounders)
        if shown.confounders
        else "<p>None is known to differ.</p>",
        f'<p class="note">Unknown whether they differ: {escape(shown.undisclosed)}</p>' if shown.undisclosed else "",
        f"<p>Missing, and would close the interval: {escape(shown.missing or 'nothing')}</p>",
        "<h3>To settle it</h3>" + _list(shown.next_experiments) if shown.next_experiments else "",
        _list(shown.notes) if shown.notes else "",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _list(lines: tuple[str, ...]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"
