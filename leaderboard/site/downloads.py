"""What other programs read: every table as a file, what their columns mean, Croissant metadata, and badges."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import escape

from prunemark.leaderboard.formats.found import STRICT, leading
from prunemark.leaderboard.formats.plain_columns import COLUMNS
from prunemark.leaderboard.formats.tables import render
from prunemark.leaderboard.site.context import SiteContext, stated_links
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table
from prunemark.setups.text import shown

BOARD = {"board.md": "markdown", "board.csv": "csv", "board.json": "json", "board.tex": "latex"}
CROISSANT, CSV = "croissant.json", "board.csv"
TYPES = {"text": "sc:Text", "number": "sc:Float", "count": "sc:Integer", "yes or no": "sc:Boolean"}
FORM = "http://mlcommons.org/croissant/1.0"
LICENCE = "https://spdx.org/licenses/MIT.html"
LETTER_PIXELS = 6.6
"""How wide a letter of a badge is about; the text is fitted to its place."""


def board_files(context: SiteContext, name: str, form: str) -> Iterator[tuple[str, str]]:
    """The whole board in one form, by name; the CSV with its metadata."""
    text = render(context.board, form, identifier=context.identifier)
    yield name, text
    if name == CSV:
        yield CROISSANT, croissant(context, text)


def table_files(context: SiteContext, tables: Iterable[Table]) -> Iterator[tuple[str, str]]:
    """Tables by themselves, by name."""
    for table in tables:
        alone = replace(context.board, tables=(table,), overall=(), refused=(), invalid={}, other_versions={})
        for form in ("csv", "json"):
            address = context.urls.table(table.track, table.setup, table.level, form)
            yield address, render(alone, form, identifier=context.identifier)


def badges(context: SiteContext) -> Iterator[tuple[str, str]]:
    """A badge for every method and track, by name."""
    for track in context.by_track:
        if (spoken_of := badge_table(context, track)) is not None:
            for row in spoken_of.ranked:
                if row.verdict and (method := context.method_of(row)):
                    yield context.urls.badge(method, track), badge(badge_text(context, row, spoken_of))


def badge_table(context: SiteContext, track: str) -> Table | None:
    """The table of a track that its badges speak of: under the strictest setup, where most is settled."""
    setup = next((setup for setup in STRICT if setup in context.by_track[track]), None)
    return leading(context.by_track[track][setup]) if setup else None


def badge_text(context: SiteContext, row: Row, table: Table) -> str:
    """equivalent to L1-norm under S4.2 on digits-resnet8@1, 50%, release 2026.3."""
    word = row.verdict.word if row.verdict else "undetermined"
    said = {"better": "better than", "worse": "worse than", "equivalent": "equivalent to"}.get(word, "undetermined, to")
    board = f"release {context.board.release}" if context.board.release else "not released"
    longer = ", with more epochs" if row.more_epochs and word != "undetermined" else ""
    return f"{said} {table.anchor} under {table.setup}{longer} on {table.track}, {table.level}, {board}"


def badge(text: str, label: str = "Prunemark") -> str:
    """A picture of a label and a text, as SVG."""
    text = shown(text, 200)
    left, right = (round(LETTER_PIXELS * len(part) + 12) for part in (label, text))
    words = [
        f'<text x="{x}" y="14" textLength="{width - 12}" lengthAdjust="spacingAndGlyphs">{escape(part)}</text>'
        for x, width, part in ((6, left, label), (left + 6, right, text))
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img">'
        f"<title>{escape(label)}: {escape(text)}</title>"
        f'<rect width="{left}" height="20" fill="#1b1e21"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="#0b5f7d"/>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{"".join(words)}</g></svg>\n'
    )


def croissant(context: SiteContext, csv: str) -> str:
    """Metadata of the board's CSV: Croissant 1.0 (mlcommons.org/croissant), with what each column means."""
    content, head = csv.encode(), csv.partition("\n")[0].split(",")
    repository = [address for address, text in stated_links() if text == "Repository"]
    found: dict[str, Any] = {
        "@context": {
            "@vocab": "https://schema.org/", "sc": "https://schema.org/", "cr": "http://mlcommons.org/croissant/",
            "dct": "http://purl.org/dc/terms/", "citeAs": "cr:citeAs", "conformsTo": "dct:conformsTo",
            "recordSet": "cr:recordSet", "field": "cr:field", "source": "cr:source", "extract": "cr:extract",
            "column": "cr:column", "fileObject": {"@id": "cr:fileObject", "@type": "@id"},
            "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        },
        "@type": "sc:Dataset",
        "conformsTo": FORM,
        "name": context.identifier or "prunemark-board",
        "description": "Standings of neural-network pruning methods under the comparison setups of arXiv:2301.05219.",
        "license": LICENCE,
        "version": context.board.release or "unreleased",
        "citeAs": context.citation,
        **({"url": repository[0]} if repository else {}),
        "distribution": [{
            "@type": "cr:FileObject", "@id": CSV, "name": CSV, "contentUrl": CSV, "encodingFormat": "text/csv",
            "contentSize": f"{len(content)} B", "sha256": hashlib.sha256(content).hexdigest(),
        }],
        "recordSet": [{
            "@type": "cr:RecordSet", "@id": "rows", "name": "rows",
            "field": [_field(name) for name in head if name in COLUMNS],
        }],
    }  # fmt: skip
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _field(name: str) -> dict[str, Any]:
    kind, meaning = COLUMNS[name]
    return {
        "@type": "cr:Field", "@id": f"rows/{name}", "name": name, "description": meaning, "dataType": TYPES[kind],
        "source": {"fileObject": {"@id": CSV}, "extract": {"column": name}},
    }  # fmt: skip
