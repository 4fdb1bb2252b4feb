"""The commands about results that are there: the leaderboard, whether they are sound, what no longer counts.

With `cli.py`, the composition root: it knows every room of the house.
"""

from __future__ import annotations

import gc
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from prunemark.cli.options import DataOption, Format, HomeOption, UriOption, console, use_data
from prunemark.contributions import examine
from prunemark.setups.errors import InputError, RuleBroken

if TYPE_CHECKING:
    from prunemark.benchmark.run.home import Home
    from prunemark.leaderboard.standings.board import Board
    from prunemark.leaderboard.standings.release import Release
    from prunemark.records.load import Loaded

MOST_NAMED = 20
RecordsOption = Annotated[Path | None, typer.Option("--records", help="a folder of records [default: that of --home]")]


class Only(NamedTuple):
    """What a board is asked for; None is everything."""

    track: str | None = None
    setup: str | None = None
    levels: list[str] | None = None


EVERYTHING = Only()


def leaderboard(
    records: Annotated[Path | None, typer.Option(help="a folder of records, instead of MLflow")] = None,
    track: Annotated[str | None, typer.Option(help="only this track")] = None,
    setup: Annotated[str | None, typer.Option(help="only this setup")] = None,
    level: Annotated[list[str] | None, typer.Option(help="only this level; may be given several times")] = None,
    format: Annotated[str, typer.Option(help="table, markdown, csv, json, latex or bibtex")] = "table",
    output: Annotated[Path | None, typer.Option(help="also write the site into this folder")] = None,
    board: Annotated[Path | None, typer.Option(help="also write the Markdown tables to this file")] = None,
    release: Annotated[str | None, typer.Option(help="exactly the records of this release, such as 2026.1")] = None,
    freeze: Annotated[bool, typer.Option("--freeze", help="make --release of the records that count now")] = False,
    date: Annotated[str | None, typer.Option(help="of the release that is frozen [default: today]")] = None,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
) -> None:
    """Regenerate the leaderboard: only what the evidence can separate."""
    from prunemark.benchmark.run.home import home_at
    from prunemark.benchmark.trial.store import write_atomically
    from prunemark.leaderboard.formats import citation, tables
    from prunemark.leaderboard.standings.release import FOLDER, find_release
    from prunemark.setups.comparison import find_setup
    from prunemark.setups.track_files import find_track

    only = Only(find_track(track).id if track else None, find_setup(setup).id if setup else None, level or None)
    if freeze:
        _freeze(_of_a_board(records), release, date, only)
    frozen = find_release(release, _of_a_board(records).parent / FOLDER) if release else None
    loaded = None
    if records and only == EVERYTHING and not (frozen or output):
        found = _tables_alone(records)
    else:
        loaded = _load(records, home_at(home), tracking_uri, only.track, frozen)
        gc.freeze()  # what was read stays to the end: looking for garbage in it takes longer than making the tables
        found = _board(loaded, records, only, frozen)
    name = (frozen, citation.digest_of(found.contents))
    entry, identifier = citation.bibtex(*name, found.contents.as_of), citation.identifier(*name)
    if board:
        write_atomically(board, tables.render(found, "markdown", identifier=identifier))
    if output and loaded:
        write_site(found, loaded, output, records, entry, identifier)
    if format == "table":
        tables.print_board(found, console())
    else:
        sys.stdout.write(entry if format == "bibtex" else tables.render(found, format, identifier=identifier))
    if output:
        typer.echo(f"Site: {(output / 'index.html').absolute().as_uri()}", err=True)


def _load(records: Path | None, home: Home, uri: str | None, track: str | None, frozen: Release | None) -> Loaded:
    from prunemark.benchmark.run.mlflow_store import read_runs, tracking_uri
    from prunemark.leaderboard.standings.release import read_frozen
    from prunemark.records import load
    from prunemark.records.invalidations import read_invalidations

    entries = read_invalidations(records or home.records)[0]
    if records and frozen:
        for entry in (entry for entry in entries if entry.record_sha256 in frozen.records):
            words = f"counts in release {frozen.id}; invalidated since: {entry.reason}"
            typer.echo(f"note: record {entry.record_sha256[:12]} {words}", err=True)
        return read_frozen(frozen, records)
    if records:
        return load.read_records(records, track)
    invalid = {entry.record_sha256: entry.reason for entry in entries}
    return load.read_texts(read_runs(tracking_uri(uri, home), home, track), invalid, track)


def _tables_alone(records: Path) -> Board:
    """The board as it is now, for those who need none of its records: on all cores."""
    from prunemark.leaderboard.standings import release as releases
    from prunemark.leaderboard.standings.parallel import board_of

    known, wrong = releases.read_releases(records.absolute().parent / releases.FOLDER)
    found = board_of(records, releases.earlier(known))
    return replace(found, refused=(*found.refused, *wrong))


def _board(loaded: Loaded, records: Path | None, only: Only, frozen: Release | None) -> Board:
    """The board, in the field of the release if there is one, which has to be the field that was frozen."""
    from prunemark.leaderboard.standings import release as releases
    from prunemark.leaderboard.standings.board import make_board

    known, wrong = releases.read_releases(records.absolute().parent / releases.FOLDER) if records else ([], [])
    id = frozen.id if frozen else None
    loaded = replace(loaded, refused=(*loaded.refused, *wrong))
    shown = releases.earlier(releases.before(id, known))
    if frozen:
        whole = make_board(loaded, earlier=shown, release=id)
        releases.check_field(whole, frozen)
        if only == EVERYTHING:
            return whole
    return make_board(loaded, track=only.track, setup=only.setup, levels=only.levels, earlier=shown, release=id)


def _freeze(records: Path, id: str | None, date: str | None, only: Only) -> None:
    """Writes a release of everything that counts now."""
    from datetime import UTC, datetime

    from prunemark.leaderboard.standings import release as releases
    from prunemark.records.load import read_records

    if id is None or only != EVERYTHING:
        raise InputError("--freeze makes a --release, and that is of the whole board: no --track, --setup or --level")
    folder = records.parent / releases.FOLDER
    releases.check_new(releases.check_id(id), folder)
    known, wrong = releases.read_releases(folder)
    if wrong:
        raise RuleBroken(f"{wrong[0].name} {wrong[0].why}, so that no release can follow it")
    loaded = read_records(records)
    today = datetime.now(UTC).date().isoformat()
    made = releases.freeze(loaded, id, date or today, known)
    path = releases.write_release(made, folder)
    console(stderr=True).print(
        f"{path}: frozen, {len(made.records)} records, {len(made.fields)} tables", soft_wrap=True
    )


def _of_a_board(records: Path | None) -> Path:
    """The records of a board's folder, which its releases lie beside."""
    if records is None:
        raise InputError(
            "a release is of a board's folder: give its records, as in --records leaderboard/board/records"
        )
    return records.absolute()


def write_site(
    board: Board, loaded: Loaded, folder: Path, records: Path | None, citation: str = "", identifier: str = ""
) -> None:
    """The site of a board, with the sources and releases beside its records. Broken sources are left out by name."""
    from prunemark.leaderboard.site.build import build_site
    from prunemark.leaderboard.standings.release import FOLDER, read_releases
    from prunemark.records.load import Refused
    from prunemark.records.source import examine_methods

    releases = read_releases(records.absolute().parent / FOLDER)[0] if records else []
    methods, wrong = examine_methods(records.absolute().parent / "methods") if records else ({}, ())
    refused = (*board.refused, *(Refused(name, why) for name, why in wrong))
    build_site(
        replace(board, refused=refused), loaded, folder,
        methods=methods, citation=citation, identifier=identifier, releases=releases,
    )  # fmt: skip


def verify(
    path: Annotated[Path, typer.Argument(help="a record's JSON file, a pack, or the folder of a board")],
    against: Annotated[Path | None, typer.Option(help="the board's folder as it was: examine what is new")] = None,
    rerun: Annotated[int, typer.Option(help="how many of the new trials to run again")] = 0,
    salt: Annotated[str, typer.Option(help="any text: it decides, with the new records, which are run again")] = "",
    data: DataOption = None,
    format: Format = "table",
) -> None:
    """Check that results are whole and have the content their names promise: one record, a pack, or a whole board."""
    from prunemark.records.pack import PACKED

    use_data(data)
    if (rerun or salt) and not against:
        raise InputError("--rerun and --salt are about new trials: say with --against what was there before")
    if against:
        examine.examine(path, against, rerun, salt, typer.echo)
    elif path.is_dir():
        _verify_board(path, format)
    elif not path.is_file():
        raise InputError(f"no file {str(path)!r}. Records lie in the folder `records` of --home")
    elif path.name.endswith(PACKED):
        _verify_pack(path)
    else:
        _verify_record(path)


def _verify_record(path: Path) -> None:
    from prunemark.records.record import load_file

    found = load_file(path).outcome
    typer.echo(f"{path.name}: sound. {found.method.name} on {found.track}, {found.setup}, seed {found.seed}")


def _verify_pack(path: Path) -> None:
    from prunemark.contributions.verify import examine_pack

    examined = examine_pack(path)
    _complain_about(examined.findings, path)
    typer.echo(f"{path.name}: sound, {examined.sound} records")


def _verify_board(folder: Path, format: str) -> None:
    from prunemark.cli.tables import print_rows
    from prunemark.contributions.verify import examine_board

    parts = examine_board(folder)
    rows = [{"part": part.part, "sound": part.sound, "not_sound": len(part.findings)} for part in parts]
    print_rows(rows, format, console())
    _complain_about([finding for part in parts for finding in part.findings], folder)


def _complain_about(findings: list[Any], where: Path) -> None:
    """Names what is not sound. Raises RuleBroken where something was tampered with, InputError for the rest."""
    for finding in findings[:MOST_NAMED]:
        typer.echo(f"not sound: {finding.name} {finding.why}", err=True)
    if len(findings) > MOST_NAMED:
        typer.echo(f"and {len(findings) - MOST_NAMED} more", err=True)
    if any(finding.tampered for finding in findings):
        raise RuleBroken(f"{where} is not what it was: {sum(f.tampered for f in findings)} things were tampered with")
    if findings:
        raise InputError(f"{where} is not whole: {len(findings)} things are missing or cannot be read")


def invalidate(
    record: Annotated[str, typer.Argument(help="the record's hash, or the beginning of it, or its file")],
    reason: Annotated[str, typer.Option(help="why it does not count, in one line")],
    records: RecordsOption = None,
    home: HomeOption = None,
) -> None:
    """Make a record count no longer, with the reason. Nothing is deleted: it stays visible."""
    from datetime import UTC, datetime

    from prunemark.benchmark.run.home import home_at
    from prunemark.records.invalidations import invalidate as append
    from prunemark.records.load import record_names

    folder = records or home_at(home).records
    if not folder.is_dir():
        raise InputError(f"no folder {str(folder)!r}. Records lie in the folder `records` of --home")
    known = record_names(folder)
    sha256 = _named(record, known)
    entry = append(folder, sha256, reason, datetime.now(UTC).isoformat(timespec="seconds"), known)
    typer.echo(f"{sha256[:12]} does not count from now on: {entry.reason}")


def _named(given: str, known: set[str]) -> str:
    """The hash that is meant: whole, its first 8 characters or more, or the name of its file."""
    start = Path(given).name.removesuffix(".json")
    found = sorted(sha256 for sha256 in known if sha256.startswith(start)) if len(start) >= 8 else []
    if len(found) > 1:
        raise InputError(f"{given!r} is the beginning of {len(found)} records: {', '.join(f[:16] for f in found[:3])}")
    return found[0] if found else start
