"""What is said of a track over its setups: what each holds equal and settles, what changes between them, its terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prunemark.leaderboard.site import charts, setup_effect
from prunemark.leaderboard.site.context import SiteContext
from prunemark.leaderboard.standings import given
from prunemark.leaderboard.standings.table import Table
from prunemark.setups import execution


def most_telling(tables: Sequence[Table], levels: Sequence[str]) -> str:
    """The level at which a verdict changes most between setups; the first one where none does."""
    moved = {
        level: max((c.size_pp for c in setup_effect.changes([t for t in tables if t.level == level])), default=0.0)
        for level in levels
    }
    return max(levels, key=lambda level: moved[level])


def setup_effect_view(context: SiteContext, table: Table) -> dict[str, list[str]]:
    """What changes at one level between the setups, in sentences.

    At most three methods, and what these were retrained with.
    """
    by_setup = context.by_track[table.track]
    tables = [each for tables in by_setup.values() for each in tables if each.level == table.level]
    found = setup_effect.changes(tables)
    more = [f"{len(found) - 3} more methods get another verdict as well."] if len(found) > 3 else []
    if found:
        told = [change.sentence for change in found[:3]] + more
        return {"told": told, "recipes": setup_effect.recipes(found[:3], tables, context.records)}
    if len(tables) < 2:
        return {"told": [f"Run under {tables[0].setup} only, so far: no other setup to compare with."], "recipes": []}
    nothing = "No verdict against the anchor turns from or into better or worse between the setups at this level."
    return {"told": [nothing], "recipes": []}


def some_of(names: Sequence[str]) -> str:
    """The names as a list, cut after four of more than five; "" for none."""
    cut = [*names[:4], f"{len(names) - 4} more"] if len(names) > 5 else names
    return ", ".join(cut)


def tally(tables: Sequence[Table]) -> dict[str, int]:
    """How many comparisons with the anchor ended with which verdict."""
    found = dict.fromkeys(charts.VERDICT_STYLES, 0)
    for table in tables:
        for row in table.ranked:
            if row.verdict:
                found[charts.word(row)] += 1
    return found


def tally_words(counts: dict[str, int]) -> str:
    """2 better, 1 equivalent, 3 undetermined."""
    return ", ".join(f"{number} {word}" for word, number in counts.items() if number) or "nothing compared"


def not_for_ranking(tables: Sequence[Table]) -> list[str]:
    """The levels of one track that are not for ranking, each with the reason."""
    found: dict[str, str] = {}
    for table in tables:
        if table.not_for_ranking:
            found.setdefault(table.level, table.not_for_ranking)
    return [f"{level} ({why})" for level, why in found.items()]


def not_run(tables: Sequence[Table]) -> str:
    """The levels of the track of which there is no table under some setup that was run, in words; "" if there are all.

    `tables` are of one track.
    """
    by_setup: dict[str, set[str]] = {}
    for table in tables:
        by_setup.setdefault(table.setup, set()).add(table.level)
    lacking: dict[str, list[str]] = {}
    for setup, levels in by_setup.items():
        if missing := ", ".join(level for level in tables[0].levels if level not in levels):
            lacking.setdefault(missing, []).append(setup)
    return "; ".join(f"{missing} under {', '.join(setups)}" for missing, setups in lacking.items())


def terms_view(terms: dict[str, Any]) -> list[tuple[str, str]]:
    """What the track fixes, as its records say: pairs of a name and a text."""
    levels = [f"{level['name']} ({_target(level)})" for level in terms["levels"]]
    recipes = [(stage, terms[stage]) for stage in ("pretraining", "pruning", "retraining") if stage in terms]
    return [
        ("Data", str(terms["dataset"])), ("Network", str(terms["network"])), ("Pruned are", f"{terms['granularity']}s"),
        *(("Base model", words) for words in given.notes(terms)),
        *([("Execution", words)] if (words := execution.in_words(terms)) else ()),
        ("Levels", ", ".join(levels)), ("Anchor", str(terms["anchor"])), ("Margin", f"{terms['margin_pp']:g} pp"),
        *((stage.capitalize(), f"{recipe['epochs']} epochs, LR {recipe['lr']}") for stage, recipe in recipes),
    ]  # fmt: skip


def _target(level: dict[str, Any]) -> str:
    return f"{level['speedup']:g}x" if level.get("speedup") else f"{100 * level['ratio']:g} % zero"
