"""From records to standings: a table for every track, setup and level, and what holds over tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from prunemark.leaderboard.standings.levels import levels_not_for_ranking
from prunemark.leaderboard.standings.overall import Overall, make_overall
from prunemark.leaderboard.standings.table import Table, make_table
from prunemark.records.admission import Refused, of_other_levels, track_name
from prunemark.records.fresh_seeds import needs_fresh_seeds
from prunemark.records.load import Contents, Loaded
from prunemark.records.record import Record
from prunemark.setups.comparison import HARNESS_SETUPS
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.track import DENSE_LEVEL


@dataclass(frozen=True)
class Board:
    """All tables, the standings over tracks, and the records that were left out or do not count.

    `invalid` are the reasons by record hash; `release` is the id of the release whose field this is. `other_versions`
    are those versions of tracks that are not ranked here, with their numbers of records, and `contents` what it is
    cited by.
    """

    tables: tuple[Table, ...]
    overall: tuple[Overall, ...]
    refused: tuple[Refused, ...]
    records: int
    invalid: Mapping[str, str]
    release: str | None
    other_versions: Mapping[str, int]
    contents: Contents


def make_board(
    loaded: Loaded,
    *,
    track: str | None = None,
    setup: str | None = None,
    levels: Sequence[str] | None = None,
    release: str | None = None,
) -> Board:
    """The standings of all records, or of one track, setup or some levels.

    `release` is the id of the release whose field this is. What holds over tracks
    is said of whole boards only, of all tracks and levels. Raises InputError when nothing fits, and for a level that no
    record is of.
    """
    chosen = [r for r in loaded.records if track in (None, r.outcome.track) and setup in (None, r.outcome.setup)]
    places: dict[tuple[str, str], list[Record]] = {}
    for record in chosen:
        places.setdefault((record.outcome.track, record.outcome.setup), []).append(record)
    there = dict.fromkeys(level for records in places.values() for level in _levels(records))
    for level in levels or ():
        if there and level not in there:
            raise unknown_name("level of these records", level, there)

    # a board's levels are not for contributed runs to decide on
    judging = [r for r in loaded.records if loaded.draws is None or not needs_fresh_seeds(r.outcome)]

    @cache
    def unfit(track: str) -> dict[str, str]:  # of all setups, also where one is chosen
        return levels_not_for_ranking([r for r in judging if r.outcome.track == track], loaded.invalid)

    tables = []
    for place in sorted(places, key=lambda p: (p[0], list(HARNESS_SETUPS).index(p[1]))):
        for level in _levels(places[place]):
            if levels is None or level in levels:
                inside = [r for r in places[place] if r.outcome.level in (level, DENSE_LEVEL.name)]
                why = unfit(place[0]).get(level, "")
                table = make_table(
                    inside, level,
                    invalid=loaded.invalid, release=release or "", not_for_ranking=why, draws=loaded.draws,
                )  # fmt: skip
                tables.append(table)
    if not loaded.records and loaded.refused:
        first = loaded.refused[0]
        raise InputError(f"none of {len(loaded.refused)} records can be used. The first, {first.name}, {first.why}")
    if not tables:
        others = [id for id in loaded.other_versions if track and track_name(id) == track_name(track)]
        there_are = f"; there are of {', '.join(others)}" if others else ""
        wanted = " ".join(filter(None, (track, setup, *(levels or ()))))
        raise InputError(f"no records of {wanted} to rank here{there_are}")
    overall = make_overall(tables) if track is None and levels is None else ()
    names = {table.track.rpartition("@")[0] for table in tables}
    versions = {id: count for id, count in loaded.other_versions.items() if not track or id.rpartition("@")[0] in names}
    strays = of_other_levels(chosen)
    refused = tuple(sorted((*loaded.refused, *strays), key=lambda each: each.name)) if strays else loaded.refused
    count = len(loaded.records) - len(strays)
    return Board(tuple(tables), overall, refused, count, loaded.invalid, release, versions, loaded.contents)


def _levels(records: Sequence[Record]) -> list[str]:
    """The levels that have records, in the order in which the track states them."""
    stated = [level["name"] for level in records[0].outcome.track_terms["levels"]]
    present = {record.outcome.level for record in records}
    return [name for name in stated if name in present]
