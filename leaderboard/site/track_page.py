"""The page of a track under one setup: for each level the ranked table, its figures, and what other setups change.

All setups of a track have such a page, and each leads to the others.
"""

from __future__ import annotations

from typing import Any

from prunemark.leaderboard.formats import captions, labels, times
from prunemark.leaderboard.site import charts, training_charts, urls
from prunemark.leaderboard.site.context import SiteContext, page
from prunemark.leaderboard.site.leaders import compare_address, panel_view
from prunemark.leaderboard.site.method_pages import facets
from prunemark.leaderboard.site.slope_chart import shown_in_slopes, slopes
from prunemark.leaderboard.site.style import legend
from prunemark.leaderboard.site.track_facts import (
    most_telling,
    not_run,
    setup_effect_view,
    some_of,
    terms_view,
)
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table
from prunemark.records.matched_to import RATIOS_OF
from prunemark.setups.comparison import HARNESS_SETUPS

INSIDE = ("lane", "new_images", *times.COLUMNS)
"""What stands in another column: the lane under epochs, new images under the verdict, times under what was saved."""


def track_page(context: SiteContext, track: str, setup: str) -> str:
    """The page as HTML."""
    by_setup = context.by_track[track]
    tables = by_setup[setup]
    records_page = context.urls.records(track)
    return page(
        context,
        "track",
        context.urls.track(track, setup),
        track=track,
        title=tables[0].title,
        setup=HARNESS_SETUPS[setup],
        overview=urls.INDEX,
        setups=list(by_setup),
        panel=panel_view(context, track, setup),
        same=context.same_runs[track],
        not_run=not_run([table for tables in by_setup.values() for table in tables]),
        terms=terms_view(next(iter(context.records_by_track[track].values())).outcome.track_terms),
        records_page=records_page,
        levels=[level_view(context, table) for table in tables],
        **over_setups(context, track, setup),
        anchor=tables[0].anchor,
        margin_pp=tables[0].margin_pp,
        one_lr="retraining_lr" in HARNESS_SETUPS[setup].factors,
    )


def over_setups(context: SiteContext, track: str, setup: str) -> dict[str, Any]:
    """The differences setup by setup as a figure, at the level at which a verdict changes most between setups.

    One level, because a page has to stay small; the words of each level say what changes there.
    """
    tables = [table for tables in context.by_track[track].values() for table in tables]
    level = most_telling(tables, [table.level for table in context.by_track[track][setup]])
    shown = [table for table in tables if table.level == level]
    ranked = {row.name for table in shown for row in table.ranked}
    return {
        "telling": level,
        "slopes": slopes(shown, context.styles, setup) if len(shown) > 1 else None,
        "undrawn": some_of(sorted(ranked - set(shown_in_slopes(shown)))),
    }


def level_view(context: SiteContext, table: Table) -> dict[str, Any]:
    """One level as its template needs it."""
    page = context.urls.records(table.track)
    columns = {key: head for key, head in labels.columns(table).items() if key not in INSIDE}
    return {
        "level": table.level,
        "setup_effect": setup_effect_view(context, table),
        "anchor_id": context.urls.level(table.level),
        "files": [
            (form.upper(), context.urls.table(table.track, table.setup, table.level, form)) for form in ("csv", "json")
        ],
        "columns": columns,
        "unranked_columns": {key: columns[key] for key in labels.NUMBERS if key in columns},
        "rows": [row_view(context, row, table) for row in table.ranked],
        "unranked": [unranked_view(context, row, table) for row in table.unranked if not repeats(row)],
        "folds": folds(context, table),
        "caption": captions.caption(table),
        "field": table.placed,
        "forest": charts.forest(table),
        "curves": training_charts.curves(table, context.styles, context.records),
        "trainability": training_charts.trainability(table, context.styles, context.records, page),
        "curves_of": training_charts.choice_in_words(table),
        "with_seeds": len(table.ranked) <= charts.MOST_WITH_SEEDS,
        "legend": legend(table.ranked, context.styles),
        "anchor": table.anchor,
        "margin_pp": table.margin_pp,
    }


def row_view(context: SiteContext, row: Row, table: Table) -> dict[str, Any]:
    """A ranked row: its texts, what its columns are sorted by, and where its links lead."""
    line = labels.line(row, table)
    low, high = row.interval_percent or (None, None)
    return common_view(context, row, table) | {
        "cells": {key: cell for key, cell in line.cells.items() if key != "method" and key not in INSIDE},
        "new_images": line.cells.get("new_images", ""),
        "compare": compare_address(table, row.name, table.anchor) if row.verdict else "",
        "interval": f"{low:.2f} to {min(high, 100.0):.2f}" if low is not None and high is not None else "",
        "sort": sort_keys(row) | ({"difference": 0.0} if row.name == table.anchor else {}),
        "top": line.top,
        "rank": row.rank,
        "word": charts.word(row) if row.verdict else "",
        "is_anchor": row.name == table.anchor,
    }


def unranked_view(context: SiteContext, row: Row, table: Table) -> dict[str, Any]:
    """A row that is not ranked, with its reason."""
    line = labels.unranked_line(row, table)
    cells = {key: cell for key, cell in line.items() if key not in ("method", "why") and key not in INSIDE}
    return common_view(context, row, table) | {"cells": cells, "sort": sort_keys(row), "why": row.why}


def repeats(row: Row) -> str:
    """In which fold a row that says nothing of its own is: "" for one that stands by itself."""
    if row.why.startswith("the same networks as "):
        return "that are the same networks as another one here"
    matched = row.kind == "scratch" and RATIOS_OF in dict(row.settings)
    return "of scratch training, with the layer ratios of a method" if matched else ""


def folds(context: SiteContext, table: Table) -> list[dict[str, Any]]:
    """The rows that repeat others, by what they have in common; for each fold how many, and its rows."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in table.unranked:
        if kind := repeats(row):
            found.setdefault(kind, []).append(unranked_view(context, row, table))
    return [
        {"what": f"{len(rows)} more row{'s' * (len(rows) > 1)} {kind}", "rows": rows}
        for kind, rows in sorted(found.items())
    ]


def common_view(context: SiteContext, row: Row, table: Table) -> dict[str, Any]:
    """Name, page, flags and the records of a row."""
    method = context.method_of(row)
    return {
        "name": row.name,
        "page": context.urls.method(method) if method else None,
        "flags": row.flags,
        "role": {"control": "control", "reference": "reference"}.get(row.role, ""),
        "style": context.styles[row.name],
        "facets": facets(method, (context.records[h] for h in row.records if h in context.records)),
        "lane": row.lane.lane if labels.says_lanes(table) else "",
        "times": [(times.COLUMNS[key], cell) for key, cell in times.cells(row.measured).items() if cell != "not timed"],
        "records": [
            (seed, context.urls.records(table.track, sha256))
            for seed, sha256 in sorted([*zip(row.seeds, row.records, strict=True), *row.uncounted])
        ],
    }


def sort_keys(row: Row) -> dict[str, float | None]:
    """The numbers behind texts that are more than a number, by column; None where there is none."""
    verdict = row.verdict
    return {
        "accuracy": row.accuracy_percent,
        "compression": row.sparsity or row.speedup_macs,
        "difference": verdict.comparison.difference_pp if verdict else None,
        "p": verdict.p_holm if verdict else None,
        "rank": sum(row.rank) / 2 if row.rank else None,
    }
