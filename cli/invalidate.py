"""`prunemark invalidate`: a record does not count any more, and stays visible."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prunemark.cli.options import HomeOption
from prunemark.setups.errors import InputError

RecordsOption = Annotated[Path | None, typer.Option("--records", help="a folder of records [default: that of --home]")]


def invalidate(
    record: Annotated[str, typer.Argument(help="the record's hash, or the beginning of it, or its file")],
    reason: Annotated[str, typer.Option(help="why it does not count, in one line")],
    records: RecordsOption = None,
    home: HomeOption = None,
) -> None:
    """Make a record count no longer, with the reason. Nothing is deleted: it stays visible."""
    from datetime import UTC, datetime

    from prunemark.benchmark.run.home import home_at
    from prunemark.records.folders import records_folder
    from prunemark.records.invalidations import invalidate as append
    from prunemark.records.load import record_names

    folder = records_folder(records) if records else home_at(home).records
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
