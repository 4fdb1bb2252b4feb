"""How many seeds a table of a board may come to have: what one contribution brings must not unrank everybody else.

Methods are compared on the anchor's seeds, and each submission brings the anchor's runs with its own. Three seeds
more of the anchor would leave all who have five with "partial". So a table that is there keeps its seeds, or goes from
the seeds of the first look to those of the second, where those who have the first are still judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from prunemark.benchmark.trial.trial import Trial
from prunemark.records.record import Record

INTERIM_SEEDS, FINAL_SEEDS = 5, 10
LevelKey = tuple[str, str, str]  # track, setup, level
Seeds = Mapping[LevelKey, Set[int]]


def anchor_seeds(records: Iterable[Record]) -> dict[LevelKey, set[int]]:
    """The seeds on which the anchor of each table has a result."""
    found: dict[LevelKey, set[int]] = {}
    for record in records:
        o = record.outcome
        if o.status == "ok" and o.method.name == o.track_terms.get("anchor"):
            found.setdefault((o.track, o.setup, o.level), set()).add(o.seed)
    return found


def planned_seeds(trials: Iterable[Trial]) -> dict[LevelKey, set[int]]:
    """The seeds on which the anchor of each table is going to be run."""
    found: dict[LevelKey, set[int]] = {}
    for trial in trials:
        if trial.entrant.name == trial.track.anchor:
            found.setdefault((trial.track.id, trial.setup.id, trial.level.name), set()).add(trial.seed)
    return found


def outgrown(there: Seeds, brought: Seeds) -> list[str]:
    """The tables that would come to have other seeds than they may, in words: where, from how many, to how many."""
    found = []
    for place, before in there.items():
        after = before | brought.get(place, set())
        kept_first = len(before) == INTERIM_SEEDS and sorted(after)[:INTERIM_SEEDS] == sorted(before)
        if after != before and len(before) >= INTERIM_SEEDS and not (kept_first and len(after) == FINAL_SEEDS):
            found.append(
                f"{', '.join(place)}: the anchor has {len(before)} seeds there and would have {len(after)}, so a "
                f"method with those {len(before)} would not be ranked. A table grows from {INTERIM_SEEDS} seeds to "
                f"{FINAL_SEEDS} (0 to {FINAL_SEEDS - 1}) only"
            )
    return found
