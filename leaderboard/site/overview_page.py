"""The first page: what is settled, who leads, the counts of all tracks, why setups matter, and the releases."""

from __future__ import annotations

from typing import Any

from prunemark.leaderboard.formats import captions, labels
from prunemark.leaderboard.formats.citation import bibtex
from prunemark.leaderboard.site import left_out, setup_effect, urls
from prunemark.leaderboard.site.context import FIRST_SHOWN, SiteContext, page
from prunemark.leaderboard.site.leaders import first_shown, panel_view, settled_in_words
from prunemark.leaderboard.site.release_changes import changes
from prunemark.leaderboard.site.slope_chart import slopes
from prunemark.leaderboard.site.track_facts import not_for_ranking, not_run, tally, tally_words
from prunemark.leaderboard.standings.overall import Overall, OverallRow
from prunemark.leaderboard.standings.release import Release
from prunemark.leaderboard.standings.table import Table
from prunemark.setups.comparison import HARNESS_SETUPS

MOST_LEFT_OUT = 50
"""So many of the refused records stand on the page; all of them are in left-out.txt."""


def overview_page(context: SiteContext) -> str:
    """The page as HTML."""
    board = context.board
    changed = changes(board, context.releases)
    return page(
        context,
        "overview",
        urls.INDEX,
        matrix=[track_view(context, track) for track in context.by_track],
        setups=[HARNESS_SETUPS[setup] for setup in context.setups],
        telling=telling_view(context),
        overall=over_tracks(context),
        alone=[each for each in board.overall if not each.rows],
        pruned=captions.what_is_pruned,
        refused=board.refused[:MOST_LEFT_OUT],
        refused_count=len(board.refused),
        other_versions=left_out.other_versions(board),
        invalid=[
            (sha256, why, record and context.urls.records(record.outcome.track, sha256))
            for sha256, why in sorted(board.invalid.items())
            for record in (context.records.get(sha256),)
        ],
        settled=settled_in_words(board.tables),
        panel=panel_view(context, *first_shown(context)),
        standing=context.standing,
        since=changed.get("", ""),
        releases=[release_view(each, changed.get(each.id, "")) for each in reversed(context.releases)],
    )


def release_view(release: Release, changed: str) -> dict[str, str]:
    """A release as it is listed, with what changed since the one before and the entry that cites it."""
    return {
        "id": release.id,
        "date": release.date,
        "records": f"{release.size:,}",
        "changed": changed,
        "citation": bibtex(release, release.digest),
    }


def track_view(context: SiteContext, track: str) -> dict[str, Any]:
    """One row of the matrix: for each setup what is settled, None where nothing was run."""
    by_setup = context.by_track[track]
    return {
        "track": track,
        "page": context.urls.track(track),
        "title": next(iter(by_setup.values()))[0].title,
        "same": context.same_runs[track],
        "unfit": not_for_ranking([table for tables in by_setup.values() for table in tables]),
        "not_run": not_run([table for tables in by_setup.values() for table in tables]),
        "cells": [cell_view(context, by_setup.get(setup)) for setup in context.setups],
    }


def cell_view(context: SiteContext, tables: list[Table] | None) -> dict[str, Any] | None:
    """Counts of verdicts against the anchor over the levels of one track and setup."""
    if not tables:
        return None
    counts = tally(tables)
    return {
        "page": context.urls.track(tables[0].track, tables[0].setup),
        "counts": counts,
        "words": tally_words(counts),
    }


def telling_view(context: SiteContext) -> dict[str, Any] | None:
    """The track and level where a verdict depends most on the setup; None where no setup changes one."""
    best: tuple[float, str, str, list[setup_effect.Change]] | None = None
    for track, by_setup in context.by_track.items():
        tables = [table for tables in by_setup.values() for table in tables]
        for level in dict.fromkeys(table.level for table in tables):
            found = setup_effect.changes([table for table in tables if table.level == level])
            if found and (best is None or found[0].size_pp > best[0]):
                best = (found[0].size_pp, track, level, found)
    if best is None:
        return None
    _, track, level, found = best
    tables = [table for tables in context.by_track[track].values() for table in tables if table.level == level]
    return {
        "track": track,
        "level": level,
        "page": context.urls.track(track, found[0].stricter.setup, level),
        "sentence": found[0].sentence,
        "recipes": setup_effect.recipes(found[:1], tables, context.records),
        "others": len(found) - 1,
        "anchor": tables[0].anchor,
        "slopes": slopes(tables, context.styles, found[0].stricter.setup),
    }


def over_tracks(context: SiteContext) -> list[tuple[str, list[dict[str, Any]]]]:
    """The standings over tracks by setup; first those of the setup that pages open with."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in sorted(context.board.overall, key=lambda each: each.setup != FIRST_SHOWN[0]):
        if each.rows:
            found.setdefault(each.setup, []).append(overall_view(context, each))
    return list(found.items())


def overall_view(context: SiteContext, overall: Overall) -> dict[str, Any]:
    """The standings of one setup over tracks, as texts."""
    return {
        "setup": overall.setup,
        "pruned": captions.what_is_pruned(overall),
        "anchor": overall.anchor,
        "tracks": [(track, context.urls.track(track)) for track in overall.tracks],
        "statement": overall.statement,
        "e4": overall.e4,
        "rows": [_overall_row(row, overall) for row in overall.rows],
    }


def _overall_row(row: OverallRow, overall: Overall) -> dict[str, Any]:
    low, high = row.interval or (None, None)
    return {
        "name": row.name,
        "mean": "" if row.mean_margins is None else f"{row.mean_margins:+.2f}",
        "interval": "" if low is None or high is None else f"[{low:+.2f}, {high:+.2f}]",
        "p": "" if row.p_holm is None else labels.p_value(row.p_holm),
        "verdict": row.verdict,
        "present": row.present,
        "why": row.why,
        "per_track": [
            "" if row.per_track.get(track) is None else f"{row.per_track[track]:+.2f}" for track in overall.tracks
        ],
    }
