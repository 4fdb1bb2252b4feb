"""`prunemark cross-validate`: two methods, each with both recipes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from prunemark.cli.isolation import IsolationOption, settled
from prunemark.cli.options import DataOption, Format, HomeOption, UriOption, console, use_data


def cross_validate(
    a: Annotated[str, typer.Argument(help="path/to/file.py:Class, package.module:Class, or a name from `methods`")],
    b: Annotated[str, typer.Argument(help="the other method; each brings its own retraining recipe")],
    track: Annotated[str, typer.Option(help="see `prunemark tracks`")],
    seeds: Annotated[str, typer.Option(help="how many (5), or which (0,1,7)")] = "5",
    level: Annotated[list[str] | None, typer.Option(help="may be repeated [default: all levels of the track]")] = None,
    workers: Annotated[int | None, typer.Option(help="processes [default: one per core]")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    isolation: IsolationOption = "",
    data: DataOption = None,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan and stop")] = False,
    format: Format = "table",
) -> None:
    """Retrain two methods by both their recipes: is one better, or do pruning and recipe interact?"""
    from prunemark.benchmark.run import crossing
    from prunemark.benchmark.run.executor import LocalProcesses
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.cli import plans, requests
    from prunemark.leaderboard.formats.crossing import cross_markdown

    use_data(data)
    request = requests.read(track, "S2", level, seeds, device, None, isolation=settled(isolation))
    place = open_home(home_at(home, "cross-validation"))
    executor = LocalProcesses(requests.worker_count(workers, device))
    request = requests.bound(request, place, executor)
    trials = crossing.cross_trials(a, b, request, place, executor)
    if dry_run:
        plans.print_plan(trials, place, format, console())
        return
    records = requests.run(request, trials[0].entrant, trials, place, executor, tracking_uri, console(stderr=True))
    requests.stop_if_failed(records, place.records)
    pairs = {trial.entrant.name: trial for trial in trials}
    names = tuple(name.partition(" + FT(")[0] for name in pairs)
    methods = (names[0], names[-1])
    recipes = {m: f"{(r := pairs[f'{m} + FT({m})'].recipe).epochs} epochs, {r.lr}" for m in methods}
    sys.stdout.write(cross_markdown(methods, recipes, records))
