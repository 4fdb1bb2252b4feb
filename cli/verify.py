"""`prunemark verify`: are results whole, and may new ones go onto a board?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from prunemark.cli.options import DataOption, Format, console, use_data
from prunemark.setups.errors import InputError, RuleBroken, need
from prunemark.setups.text import shown

MOST_NAMED = 20
UNDECIDED = 4


def verify(
    path: Annotated[Path, typer.Argument(help="a record's JSON file, a pack, or the folder of a board")],
    against: Annotated[Path | None, typer.Option(help="the board's folder as it was: examine what is new")] = None,
    rerun: Annotated[int, typer.Option(help="how many of the new trials, or of the board's, to run again")] = 0,
    salt: Annotated[str, typer.Option(help="any text: it decides, with the records, which are run again")] = "",
    data: DataOption = None,
    format: Format = "table",
) -> None:
    """Check that results are whole and have the content their names promise: one record, a pack, or a whole board."""
    from prunemark.contributions.examine import examine, run_board_again
    from prunemark.records.folders import board_folder
    from prunemark.records.pack import PACKED

    use_data(data)
    if (rerun or salt) and not path.is_dir():
        raise InputError("--rerun and --salt are about the trials of a board: give its folder")
    if rerun:
        need("run", "running trials again")
    if against:
        if examine(path, against, rerun, salt, typer.echo):
            raise typer.Exit(UNDECIDED)
    elif path.is_dir():
        _verify_board(board_folder(path), format)
        if rerun and run_board_again(path, rerun, salt, typer.echo):
            raise typer.Exit(UNDECIDED)
    elif not path.is_file():
        raise InputError(f"no file {str(path)!r}. Records lie in the folder `records` of --home")
    elif path.name.endswith(PACKED):
        _verify_pack(path)
    else:
        _verify_record(path)


def _verify_record(path: Path) -> None:
    from prunemark.records.imposed import contradiction
    from prunemark.records.record import load_file

    found = load_file(path).outcome
    if why := contradiction(found):
        raise RuleBroken(f"{path.name} {why}")
    typer.echo(shown(f"{path.name}: sound. {found.method.name} on {found.track}, {found.setup}, seed {found.seed}"))


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
        typer.echo(shown(f"not sound: {finding.name} {finding.why}"), err=True)
    if len(findings) > MOST_NAMED:
        typer.echo(f"and {len(findings) - MOST_NAMED} more", err=True)
    if any(finding.tampered for finding in findings):
        raise RuleBroken(f"{where} is not what it was: {sum(f.tampered for f in findings)} things were tampered with")
    if findings:
        raise InputError(f"{where} is not whole: {len(findings)} things are missing or cannot be read")
