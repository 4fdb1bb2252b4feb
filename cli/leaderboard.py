"""`prunemark leaderboard`: the tables and the site of what has been recorded."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prunemark.cli.boards import EVERYTHING, Only
from prunemark.cli.options import HomeOption, ParquetOption, console
from prunemark.setups.errors import InputError, RuleBroken, unknown_name

if TYPE_CHECKING:
    from prunemark.benchmark.run.home import Home


def leaderboard(
    records: Annotated[str | None, typer.Option(help="a folder of records, or the address of a board's site")] = None,
    official: Annotated[bool, typer.Option("--official", help="the official board [env: PRUNEMARK_BOARD]")] = False,
    track: Annotated[str | None, typer.Option(help="only this track")] = None,
    setup: Annotated[str | None, typer.Option(help="only this setup")] = None,
    level: Annotated[list[str] | None, typer.Option(help="only this level; may be given several times")] = None,
    format: Annotated[str, typer.Option(help="table, markdown, csv, json, latex or bibtex")] = "table",
    output: Annotated[Path | None, typer.Option(help="also write the site into this folder")] = None,
    literature: Annotated[bool, typer.Option("--literature", help="the site has the published literature too")] = False,
    documents: Annotated[bool, typer.Option("--documents", help="the site links docs/ (`make docs`)")] = False,
    parquet: ParquetOption = False,
    board: Annotated[Path | None, typer.Option(help="also write an overview to this file")] = None,
    release: Annotated[str | None, typer.Option(help="exactly the records of this release, such as 2026.1")] = None,
    freeze: Annotated[bool, typer.Option("--freeze", help="make --release of the records that count now")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="what to run next instead: what decides most an hour")] = False,
    columns: Annotated[str | None, typer.Option(help="which columns of a table or of latex, with commas")] = None,
    wide: Annotated[bool, typer.Option("--wide", help="every column, on a narrow terminal too")] = False,
    date: Annotated[str | None, typer.Option(help="of the release that is frozen [default: today]")] = None,
    home: HomeOption = None,
    tracking_uri: Annotated[str | None, typer.Option(help="the runs of this MLflow store, instead of records")] = None,
) -> None:
    """Regenerate the leaderboard: only what the evidence can separate."""
    from prunemark.benchmark.run.home import home_at
    from prunemark.cli import boards
    from prunemark.cli.literature import further_pages
    from prunemark.cli.parquet import as_parquet
    from prunemark.leaderboard.formats import citation, markdown, overview, tables
    from prunemark.leaderboard.site.urls import PARQUET
    from prunemark.leaderboard.standings.release import FOLDER, find_release
    from prunemark.records.writer import check_ours, write_atomically

    only = boards.only(track, setup, level)
    shown = tuple(name.strip() for name in columns.split(",")) if columns else ()
    if shown and format not in ("table", "latex"):
        raise InputError(f"--columns is for --format table and latex; csv and json have every column. Given {format!r}")
    if board:
        check_ours(board, markdown.TITLE, "--board")
    of = boards.records_at(records, official)
    if plan:
        _print_plan(of, home_at(home), tracking_uri, only, format)
        return
    if freeze:
        _freeze(_of_a_board(of), release, date, only)
    frozen = find_release(release, _of_a_board(of).parent / FOLDER) if release else None
    if frozen and format == "bibtex" and not (output or board):
        sys.stdout.write(citation.bibtex(frozen, ""))
        return
    loaded = None
    if of and only == EVERYTHING and not (frozen or output):
        found = boards.tables_only(of)
    else:
        loaded, only = boards.load_version(
            # a site has pages of every record of a release
            lambda of_track: boards.load_board(
                of, home_at(home), tracking_uri, None if frozen and output else of_track, frozen
            ),
            only,
            track,
        )
        gc.freeze()  # what was read stays to the end: looking for garbage in it takes longer than making the tables
        found = boards.ranked(loaded, of, only, frozen)
        found = found if of else boards.timed(found, home_at(home).records)
    name = (frozen, found.contents.digest)
    entry, identifier = citation.bibtex(*name, found.contents.as_of), citation.identifier(*name)
    if board:
        write_atomically(board, overview.as_overview(found, identifier))
    if output and loaded:
        further: list[tuple[str, str | bytes]] = [*further_pages(of, literature, documents)]
        further += [(PARQUET, as_parquet(found, identifier))] if parquet else []
        boards.write_site(found, loaded, output, of, entry, identifier, further, documents)
    if format == "table":
        boards.print_tables(found, wide=wide, columns=shown)
    else:
        sys.stdout.write(
            entry if format == "bibtex" else tables.render(found, format, identifier=identifier, columns=shown)
        )
    if output:
        typer.echo(f"Site: {(output / 'index.html').absolute().as_uri()}", err=True)


def _print_plan(records: Path | None, home: Home, uri: str | None, only: Only, format: str) -> None:
    """The open comparisons, best value first."""
    from prunemark.cli import boards, planned
    from prunemark.cli.tables import FORMATS, print_rows
    from prunemark.leaderboard.standings.plan import make_plan

    if format not in FORMATS:
        raise unknown_name("format of a plan", format, FORMATS)
    loaded = boards.load_board(records, home, uri, only.track, None)
    found = make_plan(boards.ranked(loaded, records, only, None).tables, loaded.records)
    print_rows(planned.rows_of(found), format, console())
    if format == "table":
        console().print(f"\n{planned.summary(found)}", soft_wrap=True)


def _freeze(records: Path, id: str | None, date: str | None, only: Only) -> None:
    """Writes a release of everything that counts now."""
    from datetime import UTC, datetime

    from prunemark.leaderboard.standings import release as releases
    from prunemark.leaderboard.standings.frozen_records import packs_held
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
    made = releases.freeze(loaded, id, date or today, known, packs_held(records))
    path = releases.write_release(made, folder)
    console(stderr=True).print(f"{path}: frozen, {made.size} records, {len(made.fields)} tables", soft_wrap=True)


def _of_a_board(records: Path | None) -> Path:
    """The records of a board's folder, which its releases lie beside."""
    if records is None:
        raise InputError(
            "a release is of a board's folder: give its records, as in --records leaderboard/board/records"
        )
    return records.absolute()
