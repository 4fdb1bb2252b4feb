"""A or B: any two methods of a table head to head, at an address that stays; and why a verdict is what it is, in words.

The page is one. The pairs of a track and setup are a script, which is loaded when they are asked for.
"""

from __future__ import annotations

import math
import shlex
from itertools import combinations
from typing import Any

from prunemark.leaderboard.formats import labels
from prunemark.leaderboard.inference.any_time import interval_of
from prunemark.leaderboard.inference.multiplicity import interval_in_words, seeds_in_words
from prunemark.leaderboard.inference.statistics import paired_t
from prunemark.leaderboard.site import urls
from prunemark.leaderboard.site.context import SiteContext, page
from prunemark.leaderboard.site.rendering import script_json
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table
from prunemark.leaderboard.standings.training import more_in_words


def compare_page(context: SiteContext, track: str, setup: str) -> str:
    """The page as HTML; it opens with this track and setup."""
    return page(
        context,
        "compare",
        urls.COMPARE,
        index={
            "tracks": {
                each: {
                    id: {
                        "pairs": context.urls.pairs(each, id),
                        "page": context.urls.track(each, id),
                        "levels": [table.level for table in tables],
                    }
                    for id, tables in by_setup.items()
                }
                for each, by_setup in context.by_track.items()
            },
            "first": [track, setup],
        },
    )


def pairs_script(context: SiteContext, track: str, setup: str) -> str:
    """All pairs of all levels of a track under a setup."""
    found = {table.level: level_of_pairs(context, table) for table in context.by_track[track][setup]}
    return f"prunemarkPairs({script_json([track, setup])}, {script_json(found)});\n"


def level_of_pairs(context: SiteContext, table: Table) -> dict[str, Any]:
    """What the page shows of one level.

    `pairs` are [i, j, difference in points, its interval, seeds, how often i is ahead, how often j, p of "i is better",
    p of "j is better"], with numbers into `rows`; an interval that excludes nothing is null, and so is p where nothing
    is tested. `rows` are [name, page, accuracy, verdict, why, more epochs than the anchor].
    """
    rows = [_entrant(context, row, table) for row in table.ranked]
    return {
        "anchor": table.anchor,
        "margin": table.margin_pp,
        "judged": "one look" if table.planned else "any time",
        "command": command_of(table),
        "rows": rows,
        "unranked": {row.name: row.why for row in table.unranked},
        "pairs": [[i, j, *pair] for i, j in combinations(range(len(rows)), 2) if (pair := _pair(table, i, j))],
    }


def _entrant(context: SiteContext, row: Row, table: Table) -> list[str]:
    method, cells = context.method_of(row), labels.line(row, table).cells
    address = context.urls.method(method) if method else ""
    return [row.name, address, cells["accuracy"], cells["verdict"], why(row, table), more_in_words(row.more_epochs)]


def _pair(table: Table, i: int, j: int) -> list[Any] | None:
    one, other = table.ranked[i], table.ranked[j]
    ours, theirs = dict(zip(one.seeds, one.scores, strict=True)), dict(zip(other.seeds, other.scores, strict=True))
    for row, drawn, anchor in ((one, ours, theirs), (other, theirs, ours)):
        if row.drawn and table.anchor in (one.name, other.name):  # it is compared with the anchor on its own seeds
            anchor.clear()
            anchor.update(zip(drawn, row.anchor_scores, strict=False))
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        return None
    a, b = [ours[seed] for seed in seeds], [theirs[seed] for seed in seeds]
    differences = [float(x - y) for x, y in zip(a, b, strict=True)]
    low, high = _interval(table, a, b, differences)
    p = [table.pairs.get(pair) for pair in ((one.name, other.name), (other.name, one.name))]
    ends = [round(low, 5), round(high, 5)] if math.isfinite(low) else None
    mean = float(f"{math.fsum(differences) / len(seeds):.2f}")  # as the table prints it: 0.19499... is not 0.195
    return [mean, ends, len(seeds), sum(d > 0 for d in differences), sum(d < 0 for d in differences),
            *(x and float(f"{x:.3g}") for x in p)]  # fmt: skip


def _interval(table: Table, a: list[float], b: list[float], differences: list[float]) -> tuple[float, float]:
    if len(a) < 2 or not table.examples:
        return -math.inf, math.inf
    quantum = 100.0 / table.examples
    if table.planned is None:
        return interval_of(differences, quantum_percent=quantum)
    return paired_t(a, b, quantum_percent=quantum, prior=table.variance_prior).interval_pp


def command_of(table: Table) -> str:
    """What computes a table again from the records of a clone."""
    words = ["--track", table.track, "--setup", table.setup, "--level", table.level]
    return f"prunemark leaderboard --records leaderboard/board/records {shlex.join(words)}"


def why(row: Row, table: Table) -> str:
    """Why the verdict against the anchor is what it is, in words; "" for the anchor."""
    if row.verdict is None:
        return ""
    verdict, margin = row.verdict, f"±{table.margin_pp:g} pp"
    found = verdict.comparison
    side = "above" if found.difference_pp > 0 else "below"
    said = (
        f"On {seeds_in_words(found.seeds)} {row.name} is on average {abs(found.difference_pp):.2f} points {side} "
        f"{table.anchor}, 95 % interval {interval_in_words(found.interval_pp)}."
    )
    if verdict.p_holm is None or verdict.p_equivalence_holm is None:
        return f"{said} So few seeds allow no verdict: {labels.verdict_words(row, table)}."
    p, p_equal = labels.p_value(verdict.p_holm), labels.p_value(verdict.p_equivalence_holm)
    among = f"after correction for {verdict.family} comparisons"
    if verdict.word in ("better", "worse"):
        longer = f" But it pruned {more_in_words(row.more_epochs)}, so this is not about the criterion alone."
        small = f" It is also shown to be smaller than the margin of {margin}." if verdict.within_margin else ""
        return f"{said} A difference is shown: p {p} {among} is at most .05.{small}{longer if row.more_epochs else ''}"
    if verdict.word == "equivalent":
        return f"{said} It is shown to lie inside the margin of {margin}: p {p_equal} {among} is at most .05."
    more = (
        f" About {verdict.more_seeds} more seeds are expected to show one or the other." if verdict.more_seeds else ""
    )
    return (
        f"{said} No difference is shown: p {p} {among} is above .05. Nor is it shown to lie inside the margin of "
        f"{margin} (p {p_equal}).{more}"
    )
