"""Releases: a field of methods, frozen. Holm's correction and ranks depend on who else is there; this says who was.

`releases/<id>.json` names the packs whose records counted, and the field of every table with its verdicts. It is
written once. A board that is built from a release rests on exactly these records, whatever was added since. Releases
of the first two schemas name every record by itself, 67 bytes a record, and no verdict.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from prunemark.leaderboard.standings.board import Board, make_board
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table
from prunemark.records.admission import Refused
from prunemark.records.load import Loaded
from prunemark.records.record import canonical_json
from prunemark.records.writer import write_once
from prunemark.setups.bounded_files import read_bounded
from prunemark.setups.errors import InputError, RuleBroken

SCHEMA = "prunemark-release/3"
FIRST_SCHEMA, SECOND_SCHEMA = "prunemark-release/1", "prunemark-release/2"
SINCE_THIRD = ("packs", "without", "count", "contents")
RULES, FIRST_RULES = "any-time", "two-looks"
"""How tables are judged: in releases of the first schema by looks at 5 and 10 seeds, not computed any more."""
FOLDER = "releases"
LARGEST = 2**24  # bytes of a release that are read: ten times those of the largest
AS_RELEASED = "leaderboard/releases"
"""Where this repository keeps the tables of releases that it cannot compute again."""
ID = re.compile(r"[0-9]{4}\.[1-9][0-9]{0,3}")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Strict:
    """What a release does not know is refused when it is read."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "allow_inf_nan": False}


@dataclass(frozen=True)
class FrozenRow(Strict):
    """One method of a table, with the number of seeds it was shown with and the hash of its source.

    `verdict` is the word of its comparison with the anchor, "" where there was none; None in the first two schemas.
    """

    name: str
    ranked: bool
    seeds: int
    settings: dict[str, bool | int | float | str]
    source_sha256: str
    verdict: str | None = None


@dataclass(frozen=True)
class FrozenTable(Strict):
    """Who was compared in one table: the methods, and the sizes of the two families of tests."""

    track: str
    setup: str
    level: str
    anchor: str
    anchor_family: int
    rank_family: int
    entrants: tuple[FrozenRow, ...]


@dataclass(frozen=True)
class Release(Strict):
    """A frozen board. What counts are the records of `packs`, by name, but for those `without`, and `records`.

    These are hashes; `records` lie in no pack. `count` is how many records count in all, and `contents` their digest.
    Releases of the first two schemas list all in `records` and have none of the others. `tracks` has the hash of each
    track's terms, `date` is ISO, `previous` the id of the release before, `rules` by what its tables are judged,
    `digest` the SHA-256 of everything else. `draws` is how many draws of fresh seeds the board had; None where all
    seeds counted.
    """

    schema: str
    id: str
    date: str
    previous: str | None
    records: tuple[str, ...]
    tracks: dict[str, str]
    fields: tuple[FrozenTable, ...]
    digest: str
    rules: str = FIRST_RULES
    draws: int | None = None
    packs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    count: int | None = None
    contents: str | None = None

    @property
    def size(self) -> int:
        """How many records count."""
        return len(self.records) if self.count is None else self.count


def check_id(id: str) -> str:
    """The id of a release. Raises InputError for one that is not like 2026.1."""
    if not ID.fullmatch(id):
        raise InputError(f"a release is called like 2026.1: the year and a number; given {id!r}")
    return id


def freeze(
    loaded: Loaded,
    id: str,
    date: str,
    known: Sequence[Release] = (),
    packs: Mapping[str, Collection[str]] | None = None,
) -> Release:
    """The release of everything that counts now, `known` being the releases that there are, from first to last.

    `packs` has the hashes of the records in each pack, by its name: what lies in none is listed by itself. The field is
    that of the counting records alone, as it is when a board is built from the release: what was invalidated before
    plays no part in it. Raises InputError for an id that is not like 2026.1 or does not come after the last one, or a
    date that is not ISO.
    """
    previous = known[-1].id if known else None
    if previous and _order(check_id(id)) <= _order(previous):
        raise InputError(f"release {id} does not come after {previous}, the last one. Take a later --release")
    if not DATE.fullmatch(date):
        raise InputError(f"--date is written like 2026-03-31; given {date!r}")
    counting = tuple(record for record in loaded.records if record.record_sha256 not in loaded.invalid)
    board = make_board(Loaded(counting, draws=loaded.draws), release=id)
    terms: dict[str, Mapping[str, Any]] = {}
    for record in counting:  # of records that state more or less of their track, those that state most
        terms[record.outcome.track] = max(terms.get(record.outcome.track, {}), record.outcome.track_terms, key=len)
    names = {record.record_sha256 for record in counting}
    of_packs = {name: hashes for name, hashes in (packs or {}).items() if not names.isdisjoint(hashes)}
    packed = {sha256 for hashes in of_packs.values() for sha256 in hashes}
    found = Release(
        SCHEMA, id, date, previous, tuple(sorted(names - packed)),
        {track: _sha256(terms[track]) for track in sorted(terms)}, frozen_tables(board), "", RULES,
        None if loaded.draws is None else len(loaded.draws),
        tuple(sorted(of_packs)), tuple(sorted(packed - names)), len(names), loaded.contents.digest,
    )  # fmt: skip
    return _with_digest(found)


def frozen_tables(board: Board) -> tuple[FrozenTable, ...]:
    """The field of every table."""
    return tuple(_frozen_table(table) for table in board.tables)


def _frozen_table(table: Table) -> FrozenTable:
    entrants = [_frozen_row(row, True) for row in table.ranked] + [_frozen_row(row, False) for row in table.unranked]
    return FrozenTable(
        table.track, table.setup, table.level, table.anchor, table.tested, table.placed * (table.placed - 1),
        tuple(sorted(entrants, key=lambda entrant: (not entrant.ranked, entrant.name))),
    )  # fmt: skip


def _frozen_row(row: Row, ranked: bool) -> FrozenRow:
    word = row.verdict.word if row.verdict else ""
    return FrozenRow(row.name, ranked, len(row.seeds), dict(row.settings), row.source_sha256, word)


def _sha256(data: object) -> str:
    return hashlib.sha256(canonical_json(data).encode()).hexdigest()


def _plain(release: Release) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(canonical_json(release))
    if release.schema == FIRST_SCHEMA:
        del plain["rules"]  # it did not state them
    for name in () if release.schema == SCHEMA else SINCE_THIRD:
        del plain[name]
    for entrant in (each for field in plain["fields"] for each in field["entrants"]):
        if entrant["verdict"] is None:
            del entrant["verdict"]
    if release.draws is None:
        del plain["draws"]
    return plain


def _with_digest(release: Release) -> Release:
    plain = _plain(release)
    del plain["digest"]
    return replace(release, digest=_sha256(plain))


def check_new(id: str, folder: Path) -> None:
    """Raises RuleBroken when a board's `releases` folder has a release of this id."""
    if (folder / f"{id}.json").exists():
        raise RuleBroken(f"release {id} is frozen already, and a release never changes. Take another --release")


def write_release(release: Release, folder: Path) -> Path:
    """Writes a release into a board's `releases` folder. Raises RuleBroken when there is one of this id."""
    check_new(release.id, folder)
    return write_once(folder / f"{release.id}.json", f"{canonical_json(_plain(release))}\n".encode())


def read_release(path: Path) -> Release:
    """Raises InputError when the file is no release, RuleBroken when it is not as it was frozen."""
    try:
        release: Release = _adapter().validate_json(content := read_bounded(path, LARGEST), strict=True)
        canonical = f"{canonical_json(_plain(release))}\n".encode()
    except (InputError, ValueError, RecursionError):
        raise InputError(f"{path.name} is not a release that this version reads ({SCHEMA})") from None
    if release.schema not in (SCHEMA, SECOND_SCHEMA, FIRST_SCHEMA) or (release.schema == FIRST_SCHEMA) != (
        release.rules == FIRST_RULES
    ):
        raise InputError(f"{path.name} has schema {release.schema[:60]!r}; this version reads {SCHEMA!r}")
    if release != _with_digest(release) or release.id != path.stem or canonical != content:
        raise RuleBroken(f"{path.name} is not as it was frozen: its digest does not fit its content")
    return release


@cache
def _adapter() -> Any:
    import pydantic

    return pydantic.TypeAdapter(Release)


def read_releases(folder: Path) -> tuple[list[Release], list[Refused]]:
    """The sound releases of a board, from the first to the last, and the files that are none, with why."""
    found: list[Release] = []
    refused: list[Refused] = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(read_release(path))
        except (InputError, RuleBroken) as problem:
            refused.append(Refused(path.name, str(problem).removeprefix(f"{path.name} ")))
    return sorted(found, key=lambda release: _order(release.id)), refused


def _order(id: str) -> tuple[int, int]:
    year, _, number = id.partition(".")
    return int(year), int(number)


def find_release(id: str, folder: Path) -> Release:
    """The release of this id. Raises InputError with those that there are."""
    path = folder / f"{check_id(id)}.json"
    if not path.is_file():
        there = ", ".join(sorted(path.stem for path in folder.glob("*.json"))) or "none yet"
        raise InputError(f"there is no release {id!r}. To make it, add --freeze.\nThere are: {there}")
    return read_release(path)


def check_field(board: Board, release: Release, track: str | None = None, setup: str | None = None) -> None:
    """Raises RuleBroken when the records of a release give another field than was frozen.

    `track` and `setup` are those that the board is of, where it is not the whole. Raises InputError for a release that
    was judged by rules which this version does not compute any more.
    """
    if release.rules != RULES:
        raise InputError(
            f"release {release.id} was judged at two looks, 5 and 10 seeds, by Prunemark 0.2.0; this version judges at "
            f"any time.\nIts tables, as they were released, are in {AS_RELEASED}/{release.id}.md"
        )
    fields = [then for then in release.fields if track in (None, then.track) and setup in (None, then.setup)]
    found = frozen_tables(board) if release.schema == SCHEMA else map(_without_verdicts, frozen_tables(board))
    for now, then in zip(found, fields, strict=False):
        if now != then:
            raise RuleBroken(
                f"release {release.id}: {then.track}, {then.setup}, {then.level} has another field than was frozen.\n"
                "Build it with the version of Prunemark that froze it"
            )
    if len(board.tables) != len(fields):
        raise RuleBroken(f"release {release.id} froze {len(fields)} tables; now there are {len(board.tables)}")


def _without_verdicts(table: FrozenTable) -> FrozenTable:
    return replace(table, entrants=tuple(replace(each, verdict=None) for each in table.entrants))


def before(id: str | None, releases: Sequence[Release]) -> list[Release]:
    """The releases before that of this id; all of them for a board that is no release."""
    return [release for release in releases if id is None or _order(release.id) < _order(id)]
