"""Rows in the order in which a reader compares them: each method, and under it the controls that are matched to it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table
from prunemark.records.matched_to import MatchedTo

MATCHED = re.compile(r" \(layer ratios of .*\)$")
FOUND = re.compile(r"^a matched control: .* is at (\S+) pp \[[^]]*\](?:, ([a-z]+))?")
CAPTION = (
    "Indented: a control with the layer ratios of the method above it; the verdict is about that method against it."
)


def folded(table: Table) -> tuple[list[tuple[Row, list[Row]]], list[tuple[Row, list[Row]]]]:
    """The ranked rows and the others, each with its matched controls; a control without its method stands by itself."""
    rows = [*table.ranked, *table.unranked]
    under: dict[int, list[Row]] = {}
    taken = set()
    for row in table.unranked:
        if (owner := _method_of(row, rows)) is not None:
            under.setdefault(id(owner), []).append(row)
            taken.add(id(row))

    def with_controls(group: Sequence[Row]) -> list[tuple[Row, list[Row]]]:
        return [(row, under.get(id(row), [])) for row in group if id(row) not in taken]

    return with_controls(table.ranked), with_controls(table.unranked)


def _method_of(row: Row, rows: Sequence[Row]) -> Row | None:
    named = MatchedTo.among(dict(row.settings))
    if named is None:
        return None
    methods = (other for other in rows if other is not row and MatchedTo.among(dict(other.settings)) is None)
    name = named.name
    return next(
        (
            m
            for m in methods
            if named.names(m.name.partition(" (")[0], m.source_sha256, dict(m.settings)) or m.name == name
        ),
        None,
    )


def short_name(control: Row) -> str:
    """The name of a control under its method."""
    return f"  {MATCHED.sub('', control.name)}"


def short_finding(control: Row) -> str:
    """What its method is against the control, in a word and a number."""
    found = FOUND.match(control.why)
    if found is None:
        return "not ranked"
    return f"{found[2] or 'no test'} ({found[1]})"
