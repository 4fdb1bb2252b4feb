"""From records to a board and its site: what the command line and the Python API share."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prunemark.setups.errors import InputError
from prunemark.setups.text import shown

if TYPE_CHECKING:
    import pandas as pd

    from prunemark.benchmark.run.home import Home
    from prunemark.leaderboard.standings.board import Board
    from prunemark.leaderboard.standings.release import Release
    from prunemark.records.load import Loaded


class Only(NamedTuple):
    """What a board is asked for; None is everything."""

    track: str | None = None
    setup: str | None = None
    levels: list[str] | None = None


EVERYTHING = Only()
OFFICIAL = "PRUNEMARK_BOARD"
"""The environment variable with the address of the official board's site."""
ENDLESS = 100_000
"""Characters of a line in a pipe: nothing is wrapped there."""


def only(track: str | None, setup: str | None, levels: list[str] | None = None) -> Only:
    """The names, looked up. Raises InputError with the valid ones."""
    from prunemark.setups.comparison import find_setup
    from prunemark.setups.track_files import find_track

    return Only(find_track(track).id if track else None, find_setup(setup).id if setup else None, levels or None)


def load_version(load: Callable[[str | None], Loaded], only: Only, named: str | None) -> tuple[Loaded, Only]:
    """The records that `load` gives of a track, and what is asked for; of a track that is named without its version the
    newest version that has records, which is said where it is not the newest that there is.
    """
    from prunemark.records.admission import track_name

    loaded = load(only.track)
    if (
        only.track is None
        or named is None
        or "@" in named
        or any(r.outcome.track == only.track for r in loaded.records)
    ):
        return loaded, only
    versions = [id for id in loaded.other_versions if track_name(id) == track_name(only.track)]
    if not versions:
        return loaded, only
    found = max(versions, key=lambda id: int(id.rpartition("@")[2]))
    print(shown(f"note: there are no records of {only.track}; shown is {found}"), file=sys.stderr)
    return load(found), only._replace(track=found)


def load_board(records: Path | None, home: Home, uri: str | None, track: str | None, frozen: Release | None) -> Loaded:
    """The records of a folder, of a release of it, of an MLflow store, or else of a home.

    Of a home the records count and nothing else: a mirror that is damaged, locked or away never costs a board.
    """
    from prunemark.leaderboard.standings.frozen_records import read_frozen, records_of
    from prunemark.records import load
    from prunemark.records.invalidations import read_invalidations

    entries = read_invalidations(records or home.records)[0]
    if records and frozen:
        counted = records_of(frozen, records) if entries else frozenset()
        for entry in (entry for entry in entries if entry.record_sha256 in counted):
            words = f"counts in release {frozen.id}; invalidated since: {entry.reason}"
            print(shown(f"note: record {entry.record_sha256[:12]} {words}"), file=sys.stderr)
        return read_frozen(frozen, records, track)
    if records:
        return load.read_records(records, track)
    if uri is None:
        if not home.records.is_dir():
            raise InputError(
                f"no results in {str(home.root)!r}. Run `prunemark submit` first, or say where with --home"
            )
        return load.read_records(home.records, track)
    from prunemark.benchmark.run.mlflow_store import read_runs

    invalid = {entry.record_sha256: entry.reason for entry in entries}
    texts, lost = read_runs(uri, home, track)
    loaded = load.read_texts(texts, invalid, track)
    return replace(loaded, refused=(*loaded.refused, *lost))


def records_at(given: str | None, official: bool) -> Path | None:
    """The folder of the records that are asked for; those of a published board are fetched first. None of a home's.

    Raises InputError for both, and as `published.fetch` does.
    """
    from prunemark.records.folders import records_folder
    from prunemark.records.published import is_address

    if given and official:
        raise InputError("--official is one board and --records another. Give one of them")
    if official or (given and is_address(given)):
        return read_published(given or official_address())
    return records_folder(Path(given)) if given else None


def official_address() -> str:
    """Where the official board is published: what the environment, or else the package, states.

    Raises InputError where neither states it.
    """
    from importlib.metadata import metadata

    stated = dict(each.split(", ", 1) for each in metadata("prunemark").get_all("Project-URL") or [])
    address = os.environ.get(OFFICIAL) or stated.get("Homepage")
    if not address:
        raise InputError(
            f"this build does not state where the official board is published.\nSet {OFFICIAL}, or give --records the "
            "address of a site, as in --records https://example.org/board/"
        )
    return address


def read_published(address: str) -> Path:
    """The records of a published board, fetched into the user's cache as far as they are not there yet."""
    from prunemark.records.published import cache_folder, fetch, is_address

    if not is_address(address) and Path(address).is_dir():
        address = Path(address).absolute().as_uri()
    folder = cache_folder(address)
    identifier, fetched = fetch(address, folder)
    print(f"{identifier}, from {shown(address)}: {fetched} files fetched", file=sys.stderr)
    return folder / "records"


def tables_only(records: Path) -> Board:
    """The board as it is now, for those who need none of its records: on all cores."""
    from prunemark.leaderboard.standings import release as releases
    from prunemark.leaderboard.standings.parallel import board_of

    wrong = releases.read_releases(records.absolute().parent / releases.FOLDER)[1]
    found = board_of(records)
    return timed(replace(found, refused=(*found.refused, *wrong)), records)


def timed(board: Board, records: Path) -> Board:
    """The board with the timings next to its records; what is not a timing there is left out by name."""
    from prunemark.leaderboard.standings.timed import with_timings
    from prunemark.records.timing import read_timings, timings_folder

    timings, wrong = read_timings(timings_folder(records))
    return with_timings(replace(board, refused=(*board.refused, *wrong)), timings)


def ranked(loaded: Loaded, records: Path | None, only: Only, frozen: Release | None) -> Board:
    """The board, in the field of the release if there is one, which has to be the field that was frozen."""
    from prunemark.leaderboard.standings import release as releases
    from prunemark.leaderboard.standings.board import make_board
    from prunemark.leaderboard.standings.parallel import board_of_loaded

    wrong = releases.read_releases(records.absolute().parent / releases.FOLDER)[1] if records else []
    id = frozen.id if frozen else None
    loaded = replace(loaded, refused=(*loaded.refused, *wrong))
    if not frozen and only == EVERYTHING:
        found = board_of_loaded(loaded)
    else:
        levels = None if frozen else only.levels
        found = make_board(loaded, track=only.track, setup=only.setup, levels=levels, release=id)
    if frozen:
        releases.check_field(found, frozen, only.track, only.setup)
        if only.levels:
            found = make_board(loaded, track=only.track, setup=only.setup, levels=only.levels, release=id)
        found = replace(found, records=frozen.size)  # also where those of other tracks were not read
    return timed(found, records) if records else found


def write_site(
    board: Board,
    loaded: Loaded,
    folder: Path,
    records: Path | None,
    citation: str = "",
    identifier: str = "",
    further: Iterable[tuple[str, str | bytes]] = (),
    documents: bool = False,
) -> None:
    """The site of a board, with the sources and releases beside its records. Broken sources are left out by name.

    `further` are the files of the form of the audit and of the literature, for a site that has them.
    `documents` says that the documents will lie in its folder `docs`.
    """
    from prunemark.leaderboard.site.build import build_site
    from prunemark.leaderboard.site.reproduction_pages import FOLDER as FOLDER_OF_TABLES
    from prunemark.leaderboard.site.reproduction_pages import read_reproductions
    from prunemark.leaderboard.standings.release import FOLDER, read_releases
    from prunemark.records.admission import Refused
    from prunemark.records.board_terms import is_board
    from prunemark.records.published import files_of
    from prunemark.records.source import examine_methods

    releases = read_releases(records.absolute().parent / FOLDER)[0] if records else []
    methods, wrong = examine_methods(records.absolute().parent / "methods") if records else ({}, ())
    refused = (*board.refused, *(Refused(name, why) for name, why in wrong))
    build_site(
        replace(board, refused=refused), loaded, folder,
        methods=methods, citation=citation, identifier=identifier, releases=releases, further=further,
        published=files_of(records.parent) if records and is_board(records) else None, packs=records,
        reproductions=read_reproductions(records.parent / FOLDER_OF_TABLES) if records else {}, documents=documents,
    )  # fmt: skip


def standings(records: Path, track: str, setup: str, levels: list[str]) -> Board:
    """The ranked tables of a folder of records."""
    from prunemark.leaderboard.standings import board
    from prunemark.records import load

    found = board.make_board(load.read_records(records, track), track=track, setup=setup, levels=levels)
    return timed(found, records)


def print_standings(records: Path, track: str, setup: str, levels: list[str], format: str) -> None:
    """The same, printed."""
    from prunemark.leaderboard.formats import tables

    found = standings(records, track, setup, levels)
    if format == "table":
        print_tables(found)
    else:
        sys.stdout.write(tables.render(found, format))


def print_tables(board: Board, *, wide: bool = False, columns: Sequence[str] = ()) -> None:
    """On a terminal as wide as it is; into a pipe or a file every row on one line, without spaces behind it."""
    from prunemark.cli import options
    from prunemark.leaderboard.formats import terminal

    console = options.console()
    if console.is_terminal:
        terminal.print_board(board, console, wide=wide, columns=columns)
    else:
        console.file.write(as_text(board, ENDLESS, columns))


def as_text(board: Board, width: int, columns: Sequence[str] = ()) -> str:
    """The tables as a terminal of so many columns shows them, or with the `columns` asked for."""
    from rich.console import Console

    from prunemark.leaderboard.formats import terminal

    into = io.StringIO()
    terminal.print_board(
        board,
        Console(file=into, width=width, highlight=False, force_jupyter=False, force_terminal=False),
        columns=columns,
    )
    return "\n".join(line.rstrip() for line in into.getvalue().splitlines()) + "\n"


def frame(board: Board) -> pd.DataFrame:
    """The rows of all tables, with real numbers; None where there is no number."""
    import pandas as pd

    from prunemark.leaderboard.formats.plain import plain_rows

    return pd.DataFrame(plain_rows(board.tables)).drop(columns="scope", errors="ignore")


def write_page(home: Home) -> None:
    """The leaderboard page of a home."""
    from prunemark.leaderboard.standings import board
    from prunemark.records import load

    loaded = load.read_records(home.records)
    write_site(timed(board.make_board(loaded), home.records), loaded, home.page.parent, home.records)
