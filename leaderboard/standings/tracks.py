"""Over tracks: which methods are complete on them, and how far each is from the anchor, over all levels.

A method is complete on a track when it is ranked at every level that is for ranking; it counts there on the seeds of
all of these.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from prunemark.leaderboard.inference.statistics import Floats
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table


@dataclass(frozen=True)
class TrackTables:
    """One track under one setup: its tables, a level each, and the seeds that all of them have.

    `others` are the tables of levels that are not for ranking: they count for nothing here.
    """

    tables: tuple[Table, ...]
    seeds: tuple[int, ...]
    others: tuple[Table, ...] = ()

    @property
    def id(self) -> str:
        """Of the track."""
        return self._any.track

    @property
    def anchor(self) -> str:
        """Of the track, as its tables name it."""
        return self._any.anchor

    @property
    def complete(self) -> bool:
        """Whether a level is for ranking, and the anchor has all that are, on two seeds or more."""
        there = {table.level for table in (*self.tables, *self.others)}
        return bool(self.tables) and there == set(self._any.levels) and len(self.seeds) > 1

    @property
    def not_for_ranking(self) -> str:
        """The levels that are not, in words; "" for none."""
        return f"{self.id} {', '.join(table.level for table in self.others)}" if self.others else ""

    @property
    def _any(self) -> Table:
        return (*self.tables, *self.others)[0]

    @property
    def margin_pp(self) -> float:
        """The track's frozen margin, the unit of differences over tracks."""
        return self.tables[0].margin_pp

    @property
    def planned(self) -> int | None:
        """The seeds of its one look; None where it is judged at any time."""
        return self.tables[0].planned

    @property
    def family(self) -> str:
        """The track's dataset x network family; "" if its records do not state it."""
        return self.tables[0].family

    @property
    def quantum_percent(self) -> float:
        """The step of accuracy whose rounding error is that of a mean over the levels."""
        return 100.0 / self.tables[0].examples / math.sqrt(len(self.tables))

    def seeds_of(self, rows: Collection[Row]) -> tuple[int, ...]:
        """The seeds that a method has at every level: the track's in their order, or those that were drawn for it."""
        if any(row.drawn for row in rows):
            shared = set.intersection(*(set(row.seeds) for row in rows))
            return tuple(seed for seed in next(iter(rows)).seeds if seed in shared)
        return self.seeds[: min(len(self.seeds), *(len(row.seeds) for row in rows))]

    def shared(self, rows: Collection[Row]) -> int:
        """How many seeds a method has at every level."""
        return len(self.seeds_of(rows))

    def differences(self, rows: Collection[Row]) -> Floats:  # (seeds,)
        """A method, by its rows at every level, minus the anchor: in points, seed by seed."""
        anchors = [next(row for row in table.ranked if row.name == table.anchor) for table in self.tables]
        seeds = self.seeds_of(rows)
        ours = [dict(zip(row.seeds, row.scores, strict=True)) for row in rows]
        theirs = [dict(zip(row.seeds, row.anchor_scores, strict=True)) for row in rows if row.drawn] or [
            dict(zip(row.seeds, row.scores, strict=True)) for row in anchors
        ]
        return _means(ours, seeds) - _means(theirs, seeds)


def _means(by_seed: Sequence[Mapping[int, float]], seeds: Sequence[int]) -> Floats:  # (seeds,)
    """Means over the levels, seed by seed."""
    return np.array([fmean(scores[seed] for scores in by_seed) for seed in seeds])


@dataclass(frozen=True)
class MethodOverTracks:
    """One method: its rows that are ranked, by track and level."""

    name: str
    rows: Mapping[str, Mapping[str, Row]]

    def lacking(self, track: TrackTables) -> str:
        """What it lacks of a track, in words; "" if nothing."""
        present = self.rows.get(track.id, {})
        missing = [table.level for table in track.tables if table.level not in present]
        levels = f"level {', '.join(missing)} of " if present else ""
        return f"{levels}{track.id}" if missing else ""

    @property
    def more_epochs(self) -> bool:
        """Whether it pruned for more epochs than the anchor somewhere."""
        return any(row.more_epochs for levels in self.rows.values() for row in levels.values())

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of all its rows."""
        return tuple(
            f"{track}, {level}: {flag}"
            for track, levels in self.rows.items()
            for level, row in levels.items()
            for flag in row.flags
        )


def track_tables(tables: Sequence[Table]) -> TrackTables:
    """The tables of one track under one setup, with the seeds that all levels for ranking share."""
    ranking = tuple(table for table in tables if not table.not_for_ranking)
    others = tuple(table for table in tables if table.not_for_ranking)
    shared = set.intersection(*(set(table.seeds) for table in ranking)) if ranking else set()
    return TrackTables(ranking, tuple(sorted(shared)), others)


def methods_over_tracks(tracks: Sequence[TrackTables]) -> list[MethodOverTracks]:
    """Methods are the same when code and settings are; rows that these do not tell apart keep their names."""
    tables = [table for track in tracks for table in track.tables]
    entries = [(table, row) for table in tables for row in table.ranked if row.name != table.anchor]
    seen = Counter((table.track, table.level, _code(row)) for table, row in entries)
    ambiguous = {code for (*_, code), count in seen.items() if count > 1}
    rows: dict[object, dict[str, dict[str, Row]]] = {}
    names: dict[object, str] = {}
    for table, row in entries:
        key = (_code(row), row.name if _code(row) in ambiguous else "")
        rows.setdefault(key, {}).setdefault(table.track, {})[table.level] = row
        names[key] = max(names.get(key, ""), row.name, key=len)
    taken = Counter(names.values())
    return [
        MethodOverTracks(
            name if taken[name] == 1 else f"{name} (on {', '.join(rows[key])})",
            rows[key],
        )
        for key, name in names.items()
    ]


def _code(row: Row) -> tuple[object, ...]:
    return row.kind, row.source_sha256, row.settings
