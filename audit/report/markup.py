"""The report as Markdown (for a job summary) and as one HTML page without scripts. Everything is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.report.answer import LEGEND, Answer, answer
from prunemark.setups.text import MOST_OF_A_TEXT
from prunemark.setups.text import shown as clean


def as_markdown(audits: list[Audit]) -> str:
    """A section a claim."""
    return "\n".join(_markdown(answer(audit)) for audit in audits)


def _markdown(found: Answer) -> str:
    lines = [f"## {markdown_text(found.word)}", "", f"**{markdown_text(found.sentence)}**", ""]
    lines += [f"Claim: {markdown_text(found.whole_claim)}.", ""]
    lines += [f"{number}. {markdown_text(reason)}" for number, reason in enumerate(found.reasons, 1)]
    for title, parts in _parts(found):
        lines += ["", f"**{title}**", "", *[f"- {markdown_text(part)}" for part in parts]]
    lines += ["", f"Fairness: {markdown_text(found.interval)}.  ", f"`{_code(found.setups)}`  ", LEGEND, ""]
    rows = [(f"{line.mark} {line.name}", line.words) for line in found.factors]
    lines += [markdown_table(("factor", "what was found"), rows).rstrip("\n")]
    lines += ["", *[f"- note: {markdown_text(note)}" for note in found.notes]] if found.notes else []
    return "\n".join(lines) + "\n"


def _parts(found: Answer) -> list[tuple[str, tuple[str, ...]]]:
    """The lists of an answer that are not empty, with their titles."""
    parts = [
        ("Ask the authors for", found.ask),
        ("The smallest experiment that settles it", found.experiment[:1]),
        ("After that", found.experiment[1:]),
        ("Numbers that look odd", found.remarks),
    ]
    return [(title, part) for title, part in parts if part]


def markdown_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table of plain cells."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(c if c == '---' else markdown_text(c) for c in line)} |" for line in lines) + "\n"


_MENTION = re.compile(r"(?<![\w.])@(?=\w)")


def markdown_text(text: str) -> str:
    """Text that Markdown takes as it is, on one line; on GitHub it calls nobody and links to nothing."""
    text = clean(text, MOST_OF_A_TEXT)
    for character in "\\`*_|<>[]#~":
        text = text.replace(character, f"\\{character}")
    text = _MENTION.sub("@<!-- -->", text).replace("://", ":<!-- -->//")
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
    return page("Audit", "".join(_section(answer(audit)) for audit in audits))


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


def _section(found: Answer) -> str:
    rows = tuple((f"{line.mark} {line.name}", line.words, line.state.replace("_", " ")) for line in found.factors)
    parts = [
        f"<h2>{escape(found.word)}</h2>\n<p><strong>{escape(found.sentence)}</strong></p>",
        f"<p>Claim: {escape(found.whole_claim)}.</p>",
        _list(found.reasons, "ol"),
        *(f"<h3>{escape(title)}</h3>\n{_list(part)}" for title, part in _parts(found)),
        f'<h3>Fairness</h3>\n<p>{escape(found.interval)}.</p>\n<p class="chain">{escape(found.setups)}<br>{LEGEND}</p>',
        table(("factor", "what was found", "state"), rows),
        _list(found.notes) if found.notes else "",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _list(lines: tuple[str, ...], kind: str = "ul") -> str:
    return f"<{kind}>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + f"</{kind}>" if lines else ""
