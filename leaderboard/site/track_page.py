"""The page of a track under one setup: for each level the ranked table, its figures, and what other setups change.

All setups of a track have such a page, and each leads to the others.
"""

from __future__ import annotations

from typing import Any

from prunemark.leaderboard.formats import captions, labels
from prunemark.leaderboard.site import charts, training_charts, urls
from prunemark.leaderboard.site.context import SiteContext, page
from prunemark.leaderboard.site.slope_chart import shown_in_slopes, slopes
from prunemark.leaderboard.site.style import legend
from prunemark.leaderboard.site.track_facts import (
    most_telling,
    not_run,
    same_runs,
    setup_effect_view,
    setup_view,
    some_of,
    terms_view,
)
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table
from prunemark.records.matched_to import RATIOS_OF
from prunemark.setups.comparison import HARNESS_SETUPS


def track_page(context: SiteContext, track: str, setup: str) -> str:
    """The page as HTML."""
    by_setup = context.by_track[track]
    tables = by_setup[setup]
    records_page = context.urls.records(track)
    drawn = [row for table in tables for row in table.ranked]
    return page(
        context,
        "track",
        context.urls.track(track, setup),
        track=track,
        title=tables[0].title,
        setup=HARNESS_SETUPS[setup],
        overview=urls.INDEX,
        setups=[setup_view(context, track, id) for id in by_setup],
        same=same_runs(context, track),
        not_run=not_run([table for tables in by_setup.values() for table in tables]),
        terms=terms_view(next(iter(context.records_by_track[track].values())).outcome.track_terms),
        records_page=records_page,
        levels=[level_view(context, table) for table in tables],
        **over_setups(context, track, setup),
        frontier=charts.frontier(tables, context.styles, records_page),
        frontier_legend=legend(drawn, context.styles),
        frontier_with_seeds=len({row.name for row in drawn}) <= charts.MOST_WITH_SEEDS,
        styles={row.name: context.styles[row.name] for table in tables for row in (*table.ranked, *table.unranked)},
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
    columns = labels.columns(table)
    return {
        "level": table.level,
        "setup_effect": setup_effect_view(context, table),
        "anchor_id": context.urls.level(table.level),
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
        "cells": {key: cell for key, cell in line.cells.items() if key != "method"},
        "interval": f"{low:.2f} to {min(high, 100.0):.2f}" if low is not None and high is not None else "",
        "sort": sort_keys(row) | ({"difference": 0.0} if row.name == table.anchor else {}),
        "top": line.top,
        "rank": row.rank,
        "word": charts.word(row) if row.verdict else "",
        "is_anchor": row.name == table.anchor,
    }


def unranked_view(context: SiteContext, row: Row, table: Table) -> dict[str, Any]:
    """A row that is not ranked, with its reason."""
    cells = {key: cell for key, cell in labels.unranked_line(row, table).items() if key not in ("method", "why")}
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
        "eager": row.measured.speedup("eager"),
        "difference": verdict.comparison.difference_pp if verdict else None,
        "p": verdict.p_holm if verdict else None,
        "rank": sum(row.rank) / 2 if row.rank else None,
    }
