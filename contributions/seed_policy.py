"""Which seeds of a contribution count: those from 0 on, in the order of their numbers and without a gap.

Of a method that does not ship with Prunemark a board counts only the seeds that it drew itself (`fresh_seeds.py`).
Of others anybody may add any number of seeds at any time: evidence that holds at any time allows it. What it does not
allow is to choose seeds after their results are known. So a number that was skipped is named, and what comes after it
counts only when it is there.
"""

from __future__ import annotations

from collections.abc import Iterable

from prunemark.contributions.asked import Asked
from prunemark.records.card import known_methods
from prunemark.records.fresh_seeds import needs_fresh_seeds
from prunemark.records.identity import methods_of
from prunemark.records.record import Record

Place = tuple[str, str, str, str]  # track, setup, level, method


def in_order(records: Iterable[Record], asked: Asked | None) -> list[Record]:
    """Those that count in the order of their seeds, on a board that asks so."""
    return [record for record in records if asked is None or not needs_fresh_seeds(record.outcome)]


def unconfirmed(records: Iterable[Record], asked: Asked | None) -> list[str]:
    """Whose seeds the board has to draw before there is a verdict, in words: a line for each method."""
    methods = [record.outcome.method for record in records] if asked else []
    names = {method.name for method in methods if method.kind == "pruned" and method.name not in known_methods()}
    return [
        f"{name}: these seeds are its author's choice, so they give no verdict. `prunemark confirm` draws fresh ones"
        for name in sorted(names)
    ]


def skipped(new: Iterable[Record], held: Iterable[Record]) -> list[str]:
    """What a contribution brings beyond a seed that neither it nor the board has, in words: a line for each method.

    `held` are the records that the board holds and counts. A trial that failed is there: it counts at chance.
    """
    brought = list(new)
    tables = {(o.track, o.setup, o.level) for o in (record.outcome for record in brought)}
    records = [*brought, *(r for r in held if (r.outcome.track, r.outcome.setup, r.outcome.level) in tables)]
    there: dict[Place, set[int]] = {}
    fresh: dict[Place, list[int]] = {}
    names: dict[Place, str] = {}
    for index, (record, method) in enumerate(zip(records, methods_of(records), strict=True)):
        o = record.outcome
        place = (o.track, o.setup, o.level, method)
        there.setdefault(place, set()).add(o.seed)
        names[place] = o.method.name
        if index < len(brought):
            fresh.setdefault(place, []).append(o.seed)
    found = []
    for place, seeds in sorted(fresh.items()):
        missing = next(seed for seed in range(len(there[place]) + 1) if seed not in there[place])
        if later := sorted({seed for seed in seeds if seed > missing}):
            where = ", ".join((names[place], *place[:3]))
            found.append(f"{where}: seeds {', '.join(map(str, later))} do not count before seed {missing} is there")
    return found
