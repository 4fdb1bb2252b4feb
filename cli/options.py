"""Options that several commands share, and the terminal that they print to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 160


def _known_format(format: str) -> str:
    """Before anything runs: a wrong word must not cost the results of an hour their table."""
    from prunemark.cli.tables import FORMATS
    from prunemark.setups.errors import unknown_name

    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    return format


Format = Annotated[str, typer.Option("--format", help="table, json or csv", callback=_known_format)]


def _needs_pyarrow(wanted: bool) -> bool:
    """Before anything is computed."""
    from prunemark.setups.errors import need

    if wanted:
        need("parquet", "--parquet")
    return wanted


ParquetOption = Annotated[
    bool, typer.Option("--parquet", help="the site has board.parquet too", callback=_needs_pyarrow)
]
HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", help="folder of results, or s3:// or gs:// [env: PRUNEMARK_HOME; default: ./prunemark-home]"
    ),
]
UriOption = Annotated[
    str | None,
    typer.Option("--tracking-uri", help="MLflow [env: MLFLOW_TRACKING_URI; default: SQLite in --home]"),
]

DataOption = Annotated[
    Path | None, typer.Option("--data", help="folder that holds the images of the track [env: PRUNEMARK_DATA]")
]

ReadersOption = Annotated[
    int | None,
    typer.Option("--readers", help="processes that read a trial's images [env: PRUNEMARK_READERS; default: cores - 1]"),
]
ExecutionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--execution",
        help="bf16, tf32, float32, contiguous, compile, reduce-overhead, deterministic, any-order; with commas. Trials "
        "are then of a track of their own, NAME+bf16 [default: as the track states]",
    ),
]


def use_data(folder: Path | None) -> None:
    """Makes --data what PRUNEMARK_DATA is, for this process and those that it starts."""
    from prunemark.benchmark.images.sources import VARIABLE

    if folder is not None:
        os.environ[VARIABLE] = str(folder.absolute())


def use_readers(count: int | None) -> None:
    """Makes --readers what PRUNEMARK_READERS is, for this process and those that it starts. Raises InputError."""
    from prunemark.benchmark.images.sources import READERS, readers

    if count is not None:
        os.environ[READERS] = str(count)
    readers()


def console(stderr: bool = False) -> Console:
    """A terminal, wide enough for a table of the leaderboard when nobody is looking."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False)
    return made if made.is_terminal else Console(stderr=stderr, highlight=False, width=max(made.width, WIDTH))
