"""Parts of the pages of the literature, in the classes of the site's style sheet. Every text is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from prunemark.setups.text import MOST_OF_A_TEXT, shown

SHORT = 34  # letters of the longest cell of a narrow column
_NUMBER = re.compile(r"[+–-]?[\d,.]*\d(?: ?%|x)?(?: ±[\d.]+)?|")


@dataclass(frozen=True)
class Link:
    """A text that leads somewhere; a text by itself where `address` is empty."""

    text: str
    address: str


@dataclass(frozen=True)
class Named:
    """Cells of one place in a table: what to link to it by, and what it holds."""

    anchor: str
    parts: tuple[Cell, ...]


Cell = str | Link | Named


def cell_html(cell: Cell) -> str:
    """A cell's content."""
    if isinstance(cell, Named):
        return f'<a id="{escape(cell.anchor)}"></a>' + " ".join(map(cell_html, cell.parts))
    if isinstance(cell, Link):
        text = clean(cell.text)
        return f'<a href="{escape(cell.address)}">{text}</a>' if cell.address else text
    return clean(cell)


def clean(text: str) -> str:
    """A text of strangers, as a page can hold it."""
    return escape(shown(text, MOST_OF_A_TEXT))


def listing(label: str, head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A table that scrolls where it is too wide; nothing for no rows. Columns of numbers stand to the right."""
    if not rows:
        return ""
    kinds = [_kind([row[n] for row in rows]) for n in range(len(head))]
    heads = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(head, kinds, strict=True))
    lines = [
        "<tr>" + "".join(
            f'<td{kinds[n]}>{cell_html(cell)}</td>' if n else f'<th scope="row">{cell_html(cell)}</th>'
            for n, cell in enumerate(row)
        ) + "</tr>"
        for row in rows
    ]  # fmt: skip
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">\n'
        '<table class="plain sortable cards">'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody></table></div>\n"
    )


def _kind(cells: Sequence[Cell]) -> str:
    """The class of a column: numbers to the right, words to the left, and only long words in a wide column."""
    if all(isinstance(cell, str) and _NUMBER.fullmatch(cell) for cell in cells):
        return ""
    return ' class="words"' if max(map(_length, cells)) > SHORT else ' class="words short"'


def _length(cell: Cell) -> int:
    if isinstance(cell, Named):
        return sum(map(_length, cell.parts))
    return len(cell.text if isinstance(cell, Link) else cell)


def section(id: str, title: str, *parts: str) -> str:
    """A part of a page under a heading; nothing where it would be empty."""
    body = "\n".join(part for part in parts if part)
    return f'<section aria-labelledby="{id}">\n<h2 id="{id}">{clean(title)}</h2>\n{body}\n</section>\n' if body else ""


def paragraph(text: str) -> str:
    """A paragraph."""
    return f"<p>{clean(text)}</p>"


def items(texts: Sequence[Cell]) -> str:
    """A list; nothing for no texts."""
    return "<ul>" + "".join(f"<li>{cell_html(text)}</li>" for text in texts) + "</ul>" if texts else ""
