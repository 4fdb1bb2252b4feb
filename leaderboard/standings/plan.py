"""What to run next: the comparisons that are open, what deciding each is expected to cost, and the best value first.

Value is expected decisions per hour of one core. Costs are the seconds that trials of the same kind took, as their
records say. The anchor's runs and base models serve several comparisons: each open one is charged its share.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count, islice
from statistics import median

from prunemark.leaderboard.inference.any_time import LEAST_SEEDS
from prunemark.leaderboard.inference.expected import MOST
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table
from prunemark.records.record import Record

COMPARED_SEEDS = 2
"""From so many seeds on a ranked row has a verdict, unless its level is not for ranking."""
LEAST_ROUND = 2
"""Seeds that one round adds at least, so that starting processes is paid for."""


@dataclass(frozen=True)
class Open:
    """A ranked method whose comparison with the anchor is undetermined, and the seeds more that it is expected to need.

    `has` and `anchor_has` are the seeds on which the method and the anchor were run, with or without a result.
    """

    table: Table
    row: Row
    further_seeds: int
    has: frozenset[int]
    anchor_has: frozenset[int]

    @property
    def place(self) -> tuple[str, str, str]:
        """Track, setup and level."""
        return self.table.track, self.table.setup, self.table.level

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Place and name of the row."""
        return *self.place, self.row.name

    @property
    def compared(self) -> int:
        """The number of seeds that the verdict rests on."""
        return len(self.row.seeds)

    def next_seeds(self, number: int) -> tuple[int, ...]:
        """The next seeds, in order from 0 without a gap, that one of the two has not run.

        Where each seed has a base of its own that is given, no more than there are bases.
        """
        both, most = self.has & self.anchor_has, self.table.most_seeds
        return tuple(islice((seed for seed in (count() if most is None else range(most)) if seed not in both), number))


@dataclass(frozen=True)
class Prospect:
    """An open comparison with what it is expected to cost: `core_seconds` for all `seeds` together, here on one core.

    `core_seconds` is None where nothing like it has been timed.
    """

    open: Open
    seeds: tuple[int, ...]
    core_seconds: float | None

    @property
    def decisions_per_hour(self) -> float | None:
        """Expected, of one core."""
        return 3600 / self.core_seconds if self.core_seconds else None

    def part(self) -> Prospect:
        """What one round adds: half of the expected rest, so that the next one is planned on what was seen."""
        return self.first(max(LEAST_ROUND, math.ceil(len(self.seeds) / 2)))

    def first(self, number: int) -> Prospect:
        """Its first so many seeds, from 1; of fewer than are expected, their share of the cost."""
        seeds = self.open.next_seeds(number)
        share = len(seeds) / len(self.seeds)
        return Prospect(self.open, seeds, None if self.core_seconds is None else self.core_seconds * share)


@dataclass(frozen=True)
class Plan:
    """The prospects of some tables, best value first, and the rows that are decided.

    `over` are those that no seed decides any more, because their one planned look left them undetermined, and those
    whose seeds only their board draws.
    """

    prospects: tuple[Prospect, ...]
    decided: tuple[tuple[Table, Row], ...]
    over: tuple[tuple[Table, Row], ...] = ()

    @property
    def comparisons(self) -> int:
        """All of them."""
        return len(self.prospects) + len(self.decided) + len(self.over)

    @property
    def all_decided(self) -> bool:
        """Whether there are some, and none of them is open."""
        return bool(self.decided) and len(self.decided) == self.comparisons

    @property
    def core_seconds(self) -> float | None:
        """Of all prospects; None where one of them was not timed."""
        known = [p.core_seconds for p in self.prospects if p.core_seconds is not None]
        return sum(known) if len(known) == len(self.prospects) else None


def make_plan(
    tables: Iterable[Table], records: Sequence[Record], only: Callable[[Table, Row], bool] = lambda table, row: True
) -> Plan:
    """Of all ranked methods, or of some rows. `records` are those of the tables: they say what trials cost."""
    found: list[Open] = []
    decided: list[tuple[Table, Row]] = []
    over: list[tuple[Table, Row]] = []
    for table in tables:
        anchor = next((row for row in table.ranked if row.name == table.anchor), None)
        if anchor is None:
            continue
        for row in table.ranked:
            if not only(table, row):
                continue
            each = Open(table, row, _further(table, row), _run_on(row), _run_on(anchor))
            if each.further_seeds and each.next_seeds(1):
                found.append(each)
            elif row.verdict:
                (decided if row.verdict.word != "undetermined" else over).append((table, row))
    costs = _Costs.of(records)
    there, on_track = Counter(o.place for o in found), Counter(o.table.track for o in found)
    prospects = [_prospect(o, costs, there[o.place], on_track[o.table.track]) for o in found]
    return Plan(tuple(sorted(prospects, key=_order)), tuple(decided), tuple(over))


def _order(p: Prospect) -> tuple[float, tuple[str, str, str, str]]:
    """Best value first; what was never timed after all others, fewest seeds first."""
    return (p.core_seconds if p.core_seconds is not None else 1e12 * len(p.seeds), p.open.key)


def _further(table: Table, row: Row) -> int:
    """The seeds more that a row of a table needs, as its verdict expects them; 0 where none would change it."""
    verdict = row.verdict
    if row.drawn or row.name == table.anchor or (verdict is None and len(row.seeds) >= COMPARED_SEEDS):
        return 0
    if verdict is None:
        return LEAST_SEEDS - len(row.seeds)
    if verdict.word != "undetermined":
        return 0
    return verdict.more_seeds or (MOST if table.planned is None else 0)


def _run_on(row: Row) -> frozenset[int]:
    return frozenset({*row.seeds, *(seed for seed, _ in row.uncounted)})


def _prospect(o: Open, costs: _Costs, there: int, on_track: int) -> Prospect:
    """`there` and `on_track` are the open comparisons that share the anchor's runs, and base models."""
    seeds = o.next_seeds(o.further_seeds)
    method, anchor = (costs.trial(o, name) for name in (o.row.name, o.table.anchor))
    if method is None or anchor is None:
        return Prospect(o, seeds, None)
    base = costs.base_seconds.get(o.table.track, 0.0)
    known = costs.seeds.get(o.table.track, frozenset())
    own = sum(method for seed in seeds if seed not in o.has)
    shared = sum(anchor / there for seed in seeds if seed not in o.anchor_has)
    bases = sum(base / on_track for seed in seeds if seed not in known)
    return Prospect(o, seeds, own + shared + bases)


@dataclass(frozen=True)
class _Costs:
    """Median seconds of trials by place and name, or by place; and of training a base model, by track."""

    by_name: dict[tuple[str, str, str, str], float]
    by_place: dict[tuple[str, str, str], float]
    base_seconds: dict[str, float]
    seeds: dict[str, frozenset[int]]

    @classmethod
    def of(cls, records: Sequence[Record]) -> _Costs:
        """Steps of the base model are taken to last as long as those of the dense network, or of what there is."""
        by_name: dict[tuple[str, str, str, str], list[float]] = {}
        by_place: dict[tuple[str, str, str], list[float]] = {}
        dense: dict[str, list[float]] = {}
        pruned: dict[str, list[float]] = {}
        seeds: dict[str, set[int]] = {}
        for record in records:
            o, seen = record.outcome, record.observed
            place = (o.track, o.setup, o.level)
            seconds = seen.pruning_seconds + seen.retraining_seconds + seen.evaluation_seconds
            by_name.setdefault((*place, o.method.name), []).append(seconds)
            by_place.setdefault(place, []).append(seconds)
            seeds.setdefault(o.track, set()).add(o.seed)
            if o.base and o.retraining and o.retraining.steps:
                base = seen.retraining_seconds / o.retraining.steps * o.base.pretraining.steps
                (dense if o.method.kind == "dense" else pruned).setdefault(o.track, []).append(base)
        return cls(
            {key: median(values) for key, values in by_name.items()},
            {key: median(values) for key, values in by_place.items()},
            {track: median(values) for track, values in (pruned | dense).items()},
            {track: frozenset(values) for track, values in seeds.items()},
        )

    def trial(self, o: Open, name: str) -> float | None:
        """Of one seed; None where nothing was timed there."""
        return self.by_name.get((*o.place, name.partition(" (")[0]), self.by_place.get(o.place))
