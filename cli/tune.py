"""`prunemark tune`: the same number of LR configurations for every method."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from prunemark.cli.engines import (
    AddressOption,
    ExecutorOption,
    GpusOption,
    SlurmOption,
    WorkersOption,
    engine_of,
    executor_for,
    planner,
)
from prunemark.cli.isolation import IsolationOption, settled
from prunemark.cli.options import DataOption, Format, HomeOption, UriOption, console, use_data


def tune(
    method: Annotated[str, typer.Argument(help="path/to/file.py:Class, package.module:Class, or a name")],
    track: Annotated[str, typer.Option(help="see `prunemark tracks`")],
    configurations: Annotated[int, typer.Option(help="LR configurations that every method may try")] = 5,
    seeds: Annotated[str, typer.Option(help="how many (5), or which (0,1,7)")] = "5",
    level: Annotated[list[str] | None, typer.Option(help="may be repeated [default: all levels of the track]")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="name=value of one of the method's settings")] = None,
    workers: WorkersOption = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    executor: ExecutorOption = "local",
    address: AddressOption = "",
    gpus_per_trial: GpusOption = None,
    slurm: SlurmOption = None,
    isolation: IsolationOption = "",
    data: DataOption = None,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan and stop")] = False,
    format: Format = "table",
) -> None:
    """Give every method the same number of LR configurations, chosen only on the validation split, and rank."""
    from prunemark.benchmark.run import crossing
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.cli import boards, plans, requests
    from prunemark.leaderboard.formats.crossing import tuning_markdown

    use_data(data)
    engine = engine_of(executor, address, gpus_per_trial, slurm)
    request = requests.read(track, "S3.1", level, seeds, device, None, None, settled(isolation), engine.elsewhere)
    place = open_home(home_at(home, "tuning"))
    running = executor_for(engine, place.root, workers, device)
    request = requests.bound(request, place, running)
    settings = requests.read_settings(set_)
    submission, trials = crossing.tuning_trials(
        method, settings, request, configurations, place, planner(engine, running)
    )
    if dry_run:
        plans.print_plan(trials, place, format, console(), running, engine)
        return
    records = requests.run(request, submission, trials, place, running, tracking_uri, console(stderr=True))
    boards.print_standings(
        place.records, request.track.id, trials[0].setup.id, [each.name for each in request.levels], format
    )
    if format == "table":
        sys.stdout.write("\n" + tuning_markdown(records))
    requests.stop_if_failed(records, place.records)
