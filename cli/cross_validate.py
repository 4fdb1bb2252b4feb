"""`prunemark cross-validate`: two methods, each with both recipes."""

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


def cross_validate(
    a: Annotated[str, typer.Argument(help="path/to/file.py:Class, package.module:Class, or a name from `methods`")],
    b: Annotated[str, typer.Argument(help="the other method; each brings its own retraining recipe")],
    track: Annotated[str, typer.Option(help="see `prunemark tracks`")],
    seeds: Annotated[str, typer.Option(help="how many (5), or which (0,1,7)")] = "5",
    level: Annotated[list[str] | None, typer.Option(help="may be repeated [default: all levels of the track]")] = None,
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
    """Retrain two methods by both their recipes: is one better, or do pruning and recipe interact?"""
    from prunemark.benchmark.run import crossing
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.cli import plans, requests
    from prunemark.leaderboard.formats.crossing import cross_markdown

    use_data(data)
    engine = engine_of(executor, address, gpus_per_trial, slurm)
    request = requests.read(track, "S2", level, seeds, device, None, None, settled(isolation), engine.elsewhere)
    place = open_home(home_at(home, "cross-validation"))
    running = executor_for(engine, place.root, workers, device)
    request = requests.bound(request, place, running)
    trials = crossing.cross_trials(a, b, request, place, planner(engine, running))
    if dry_run:
        plans.print_plan(trials, place, format, console(), running, engine)
        return
    records = requests.run(request, trials[0].entrant, trials, place, running, tracking_uri, console(stderr=True))
    requests.stop_if_failed(records, place.records)
    pairs = {trial.entrant.name: trial for trial in trials}
    names = tuple(name.partition(" + FT(")[0] for name in pairs)
    methods = (names[0], names[-1])
    recipes = {m: f"{(r := pairs[f'{m} + FT({m})'].recipe).epochs} epochs, {r.lr}" for m in methods}
    sys.stdout.write(cross_markdown(methods, recipes, records))
