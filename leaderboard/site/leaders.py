"""What the first screen of a track and of the whole site says: what is settled, who leads, and where else to look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prunemark.leaderboard.formats import labels
from prunemark.leaderboard.formats.found import DECIDED, STRICT, counts_of, decided, found_in_words, leading
from prunemark.leaderboard.site import charts, urls
from prunemark.leaderboard.site.context import SiteContext
from prunemark.leaderboard.site.style import legend
from prunemark.leaderboard.site.track_facts import some_of
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table

MOST_LEADERS = 7


def settled_in_words(tables: Sequence[Table]) -> str:
    """What is settled under S4.2 and S3.2 on the tracks that count, in one sentence; of all setups where neither ran.

    A track counts where one of its levels is for ranking and something is compared there.
    """
    said = [words for setup in STRICT if (words := _under([table for table in tables if table.setup == setup]))]
    return f"{'; '.join(said)}." if said else found_in_words(tables)


def _under(tables: Sequence[Table]) -> str:
    counts = counts_of(tables)
    if not (compared := sum(counts.values())):
        return ""
    tracks = len({table.track for table in tables if table.tested})
    best = [(row.name, table.track) for table in tables for row in table.ranked if _better(row)]
    who = some_of([f"{name} on {track}" for name, track in dict.fromkeys(best)])
    longer = f"; {counts['longer']:,} better or worse after longer pruning" if counts["longer"] else ""
    return (
        f"under {tables[0].setup}, on {tracks} track{'s' * (tracks > 1)}, {sum(counts[word] for word in DECIDED):,} of "
        f"{compared:,} comparisons with an anchor are settled: {counts['better'] or 'none'} better"
        f"{who and f' ({who})'}, {counts['worse']:,} worse, {counts['equivalent']:,} equivalent{longer}"
    )


def _better(row: Row) -> bool:
    return bool(row.verdict and row.verdict.word == "better" and not row.more_epochs)


def first_shown(context: SiteContext) -> tuple[str, str]:
    """The track and setup that the site opens with: under the strictest setup there is, where most is settled."""
    for setup in STRICT:
        there = [track for track, by_setup in context.by_track.items() if setup in by_setup]
        if there:
            return max(there, key=lambda track: decided(context.by_track[track][setup])), setup
    track = next(iter(context.by_track))
    return track, context.urls.opening[track]


def panel_view(context: SiteContext, track: str, setup: str) -> dict[str, Any]:
    """Who leads at the most telling level, the figures of accuracy against what was saved, and the choosers."""
    tables = context.by_track[track][setup]
    table, page = leading(tables), context.urls.records(track)
    drawn = [row for each in tables for row in each.ranked]
    return {
        "track": track,
        "setup": setup,
        "page": context.urls.track(track, setup),
        "level": table.level,
        "levels": [(each.level, context.urls.track(track, setup, each.level)) for each in tables],
        "choosers": choosers(context, track, setup),
        "rows": [leader_view(context, row, table) for row in leaders(table)[:MOST_LEADERS]],
        "others": max(0, len(leaders(table)) - MOST_LEADERS),
        "said": said_of(table),
        "anchor": table.anchor,
        "margin_pp": table.margin_pp,
        "macs": charts.frontier(tables, context.styles, page),
        "time": charts.frontier(tables, context.styles, page, timed=True),
        "weights": table.granularity == "weight",
        "styles": {row.name: context.styles[row.name] for each in tables for row in (*each.ranked, *each.unranked)},
        "legend": legend(drawn, context.styles),
        "with_seeds": len({row.name for row in drawn}) <= charts.MOST_WITH_SEEDS,
    }


def leaders(table: Table) -> list[Row]:
    """The rows that no other is shown to beat, and the anchor; all where nothing has a rank. Best first."""
    return [
        row for row in table.ranked if not table.placed or labels.in_top_set(row, table) or row.name == table.anchor
    ]


def said_of(table: Table) -> str:
    """How sure it is who leads, in a sentence or two."""
    if not table.ranked:
        return f"Nothing is ranked at level {table.level}: {table.not_for_ranking or 'no result that counts'}."
    if not table.tested:
        return f"Nothing is tested yet at level {table.level}: there are too few seeds. Rows are in order of accuracy."
    counts = counts_of([table])
    ended = [f"{counts[word]} {word}" for word in DECIDED if counts[word]]
    ended += [f"{counts['longer']} shown after longer pruning"] if counts["longer"] else []
    ended += [f"{counts['undetermined']} open"] if counts["undetermined"] else []
    best = [row.name for row in table.ranked if _better(row)]
    lead = f"{some_of(best)} {'is' if len(best) == 1 else 'are'}" if best else "No method is"
    compared = f"Of {table.tested} compared: {', '.join(ended)}."
    return f"{lead} shown to be better than {table.anchor} at level {table.level}. {compared}"


def leader_view(context: SiteContext, row: Row, table: Table) -> dict[str, Any]:
    """One of the leaders as texts, with the links to its method and to why."""
    method, line = context.method_of(row), labels.line(row, table).cells
    low, high = row.interval_percent or (None, None)
    return {
        "name": row.name,
        "page": context.urls.method(method) if method else "",
        "style": context.styles[row.name],
        "accuracy": labels.number(row.accuracy_percent, 2),
        "interval": f"{low:.2f} to {min(high, 100.0):.2f}" if low is not None and high is not None else "",
        "difference": line["difference"],
        "word": charts.word(row) if row.verdict else "",
        "verdict": line["verdict"],
        "why": compare_address(table, row.name, table.anchor) if row.verdict else "",
    }


def compare_address(table: Table, one: str, other: str) -> str:
    """The permanent address of a comparison of two methods."""
    return urls.compare(track=table.track, setup=table.setup, level=table.level, a=one, b=other)


def choosers(context: SiteContext, track: str, setup: str) -> list[tuple[str, list[tuple[str, str, bool]]]]:
    """Task, what is pruned, and setup: for each its name and its choices, (text, page, whether this is it).

    Another task keeps what is pruned and the setup, as far as it was run.
    """
    of_task: dict[str, list[str]] = {}
    for each in context.by_track:
        of_task.setdefault(_task(context, each), []).append(each)
    task, pruned = _task(context, track), {each: _pruned(context, each) for each in context.by_track}

    def page(to: str) -> str:
        return context.urls.track(to, setup if setup in context.by_track[to] else None)

    def like(tracks: Sequence[str]) -> str:
        return next((each for each in tracks if pruned[each] == pruned[track]), tracks[0])

    texts = _told_apart({each: pruned[each] for each in of_task[task]})
    return [
        ("Task", [(name, page(like(tracks)), name == task) for name, tracks in of_task.items()]),
        ("Pruned", [(texts[each], page(each), each == track) for each in of_task[task]]),
        ("Setup", [(id, context.urls.track(track, id), id == setup) for id in context.by_track[track]]),
    ]


def _told_apart(texts: Mapping[str, str]) -> dict[str, str]:
    """The texts by key; a text that several have is told apart by its key."""
    all_of_them = list(texts.values())
    return {key: text if all_of_them.count(text) == 1 else f"{text}, {key}" for key, text in texts.items()}


def _task(context: SiteContext, track: str) -> str:
    terms = next(iter(context.records_by_track[track].values())).outcome.track_terms
    return f"{terms['dataset']}, {terms['network']}"


def _pruned(context: SiteContext, track: str) -> str:
    table = next(iter(context.by_track[track].values()))[0]
    return f"{table.granularity}s{f' by {table.pattern}' if table.pattern else ''}"
