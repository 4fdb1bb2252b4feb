"""`prunemark fill`: run what decides most an hour of a whole board, until the hours are spent."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prunemark.cli.engines import (
    AddressOption,
    ExecutorOption,
    GpusOption,
    SlurmOption,
    engine_of,
    executor_for,
)
from prunemark.cli.isolation import IsolationOption, settled
from prunemark.cli.options import DataOption, HomeOption, UriOption, console, use_data
from prunemark.cli.rounds import Rounds, read_limits

if TYPE_CHECKING:
    from prunemark.leaderboard.standings.plan import Prospect

UNDECIDED = 4


def fill(
    hours: Annotated[float, typer.Option(help="hours at most")],
    records: Annotated[
        Path | None, typer.Option(help="a board's records, planned on together with those of --home")
    ] = None,
    track: Annotated[str | None, typer.Option(help="only this track")] = None,
    setup: Annotated[str | None, typer.Option(help="only this setup")] = None,
    level: Annotated[list[str] | None, typer.Option(help="only this level; may be given several times")] = None,
    max_seeds: Annotated[int | None, typer.Option(help="seeds of a comparison at most [default: 60]")] = None,
    method: Annotated[
        list[str] | None, typer.Option(help="path/to/file.py:Class of a method whose source is not recorded")
    ] = None,
    contribute: Annotated[
        Path | None, typer.Option(help="also add what --home has of it to this board's folder")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="processes [default: one per core]")] = None,
    executor: ExecutorOption = "local",
    address: AddressOption = "",
    gpus_per_trial: GpusOption = None,
    slurm: SlurmOption = None,
    isolation: IsolationOption = "",
    data: DataOption = None,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
) -> None:
    """Run the seeds that decide most an hour, best value first; `leaderboard --plan` shows them.

    New records go to --home. Exit code 4 says that comparisons are still open.
    """
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.cli import boards, plans, recorded, requests
    from prunemark.contributions import contribute as giving
    from prunemark.records.folders import board_folder, records_folder

    use_data(data)
    kept = settled(isolation)
    limits = read_limits(max_seeds, hours)
    only = boards.only(track, setup, level)
    folder = records_folder(records) if records else None
    place = open_home(home_at(home))
    running = executor_for(engine_of(executor, address, gpus_per_trial, slurm), place.root, workers, "cpu")
    say = partial(console(stderr=True).print, soft_wrap=True, markup=False)
    with tempfile.TemporaryDirectory(prefix="prunemark-fill-") as scratch:
        folders = [f.absolute().parent / requests.METHODS for f in (place.records, folder) if f]
        found = recorded.Recorded(place, folder, recorded.code_at_hand(method or (), folders), Path(scratch), kept)

        def run(prospects: Sequence[Prospect]) -> None:
            found.run(prospects, running, tracking_uri, console(stderr=True))

        began = time.monotonic()
        rounds = Rounds(partial(found.plan, only), run, say, time.monotonic, running.workers, limits, began)
        plan = rounds.to_the_end()
        if contribute:
            giving.contribute(found.trials_of_home(running), place.store, board_folder(contribute), say)
    for why in found.left_out.values():
        say(why)
    if any(place.records.iterdir()):
        boards.write_page(place)
    plans.say_where(place, tracking_uri, console(stderr=True))
    if not plan.all_decided:
        raise typer.Exit(UNDECIDED)
