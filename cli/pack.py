"""`prunemark pack`: from a home's loose records to a board's folder, packed, with the sources of their methods."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prunemark.cli.options import HomeOption
from prunemark.setups.errors import InputError

if TYPE_CHECKING:
    from prunemark.records.record import Record
    from prunemark.records.source import MethodFiles


def pack(
    board: Annotated[Path, typer.Argument(help="the folder of a board, such as leaderboard in a clone")],
    records: Annotated[Path | None, typer.Option(help="a folder of records [default: that of --home]")] = None,
    method: Annotated[
        list[str] | None, typer.Option(help="path/to/file.py:Class of a method that does not ship; may be repeated")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Add the records of a home that count to a board's folder: one pack a track, and the sources that ran.

    What the pruning stages decided is not in the records: `submit --contribute` adds that too.
    """
    from prunemark.benchmark.run.home import home_at
    from prunemark.records.folders import board_folder
    from prunemark.records.load import read_records
    from prunemark.records.pack import write_pack
    from prunemark.records.source import write_method

    board = board_folder(board)
    loaded = read_records(records or home_at(home).records)
    counting = [record for record in loaded.records if record.record_sha256 not in loaded.invalid]
    for source in _sources(counting, method or ()):  # sources first: cut off anywhere, no record is without its own
        write_method(source, board / "methods")
    written = write_pack(counting, board / "records")
    for path in written:
        typer.echo(str(path))
    left = f"; {len(loaded.refused) + len(loaded.invalid)} do not count" if loaded.refused or loaded.invalid else ""
    typer.echo(f"{board}: {len(written)} packs written of {len(counting)} records that count{left}")


def _sources(records: Sequence[Record], given: Sequence[str]) -> list[MethodFiles]:
    """The source of every method that ran. Raises InputError when one is neither given nor ships as it ran."""
    from prunemark.benchmark.submission.locate import locate
    from prunemark.benchmark.submission.method_files import read_source
    from prunemark.records.card import known_methods

    sources = [read_source(locate(spec)[1]) for spec in (*known_methods(), *given)]
    known = {source.source_sha256: source for source in sources}
    ran = {r.outcome.method.source_sha256: r.outcome.method.name for r in records if r.outcome.method.source_sha256}
    if missing := sorted(f"{name} ({sha256[:12]})" for sha256, name in ran.items() if sha256 not in known):
        raise InputError(
            f"no source of {', '.join(missing)} is at hand as it ran.\nGive it, as in --method path/to/file.py:Class"
        )
    return [known[sha256] for sha256 in sorted(ran)]
