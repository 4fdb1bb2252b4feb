"""How a method is drawn in every figure: the same colour, shape and line on all pages.

Colour is for submissions. The anchor is in the colour of the text, controls and references are grey, so that the
eye finds what was submitted. Shapes and dashes say the same as colours, for eyes and printers without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table

COLOURS = tuple(f"var(--hue-{number})" for number in range(1, 7))
DASHES = ((), (6, 3), (2, 2))
_CIRCLE = "M.9,0A.9,.9,0,1,1,-.9,0A.9,.9,0,1,1,.9,0Z"
SHAPES = {
    "square": "M-.8,-.8H.8V.8H-.8Z",
    "triangle": "M0,-1L1,.8H-1Z",
    "diamond": "M0,-1.1L1.1,0L0,1.1L-1.1,0Z",
    "inverted triangle": "M0,1L-1,-.8H1Z",
    "plus": "M-1,-.35H-.35V-1H.35V-.35H1V.35H.35V1H-.35V.35H-1Z",
}
"""Outlines in a box from -1 to 1, for charts and legends alike. The circle is the anchor's."""


@dataclass(frozen=True)
class Style:
    """A colour of the style sheet, the outline of a mark in a box from -1 to 1, and the dashes of a line."""

    id: str
    colour: str
    shape: str
    dash: tuple[int, ...] = ()


ANCHOR = Style("anchor", "var(--ink)", _CIRCLE)
CONTROL = Style("control", "var(--faint)", "M-.9,-.9L.9,.9M-.9,.9L.9,-.9", (4, 3))
REFERENCE = Style("reference", "var(--faint)", "M0,-1V1M-1,0H1", (1, 3))


def legend(rows: Iterable[Row], styles: Mapping[str, Style]) -> list[tuple[Style, str]]:
    """An entry for each name, in order."""
    return [(styles[name], name) for name in dict.fromkeys(row.name for row in rows)]


def assign(tables: Iterable[Table]) -> dict[str, Style]:
    """A style for the name of every row. Colours come round after six submissions, with other shapes and dashes."""
    rows = [(table, row) for table in tables for row in (*table.ranked, *table.unranked)]
    styles: dict[str, Style] = {}
    styles |= {row.name: CONTROL for _, row in rows if row.role == "control"}
    styles |= {row.name: REFERENCE for _, row in rows if row.kind != "pruned"}
    styles |= {row.name: ANCHOR for table, row in rows if row.name == table.anchor}
    submitted = sorted({row.name for _, row in rows} - set(styles))
    return styles | {name: _of_number(number) for number, name in enumerate(submitted)}


def _of_number(number: int) -> Style:
    turn = number // len(COLOURS)
    shapes = tuple(SHAPES.values())
    shape, dash = shapes[(number + turn) % len(shapes)], DASHES[turn % len(DASHES)]
    return Style(f"{number + 1}", COLOURS[number % len(COLOURS)], shape, dash)
