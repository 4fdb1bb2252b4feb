"""The commands that run whole experiments: the paper's tables, crossed recipes, equal tuning.

With `cli.py`, the composition root: it knows every room of the house.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from prunemark.cli.options import DataOption, Format, HomeOption, UriOption, console, use_data
from prunemark.setups.errors import WorkFailed


def print_standings(records: Path, track: str, setup: str, levels: list[str], format: str) -> None:
    """The ranked tables of a folder of records."""
    from prunemark.leaderboard.formats import tables
    from prunemark.leaderboard.standings import board
    from prunemark.records import load

    found = board.make_board(load.read_records(records, track), track=track, setup=setup, levels=levels)
    if format == "table":
        tables.print_board(found, console())
    else:
        sys.stdout.write(tables.render(found, format))


def reproduce(
    table: Annotated[str, typer.Argument(help="m1, m2, table4, table5 or table6")],
    track: Annotated[str, typer.Option(help="see `prunemark tracks`")] = "digits-resnet8",
    seeds: Annotated[str, typer.Option(help="how many (5), or which (0,1,7)")] = "5",
    workers: Annotated[int | None, typer.Option(help="processes [default: one per core]")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    output: Annotated[Path | None, typer.Option(help="also write the table and its packed records here")] = None,
    data: DataOption = None,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan and stop")] = False,
    format: Format = "table",
) -> None:
    """Run one of the founding paper's experiments and say which of its findings hold here."""
    from prunemark.benchmark.run import reproduce as grids
    from prunemark.benchmark.run import submit
    from prunemark.benchmark.run.executor import LocalProcesses
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.cli import requests
    from prunemark.leaderboard.standings import reproduction
    from prunemark.records.pack import pack_records
    from prunemark.setups.comparison import find_setup
    from prunemark.setups.paper_tables import find_grid
    from prunemark.setups.track_files import find_track

    use_data(data)
    grid, found = find_grid(table), find_track(track)
    place = open_home(home_at(home, f"reproductions/{grid.id}"))
    executor = LocalProcesses(requests.worker_count(workers, device))
    trials = grids.grid_trials(grid, found, requests.read_seeds(seeds), device, place, executor)
    if dry_run:
        requests.print_plan(trials, place, format, console())
        return
    request = submit.Request(found, find_setup("SX-A"), (), requests.read_seeds(seeds), device)
    records = requests.run(request, trials[0].competitor, trials, place, executor, tracking_uri, console(stderr=True))
    _stop_if_failed(records, place.records)
    text = reproduction.markdown(reproduction.reproduce(grid, records))
    sys.stdout.write(text)
    if output:
        from prunemark.benchmark.trial.store import write_atomically

        write_atomically(output / f"{grid.id}.md", text)
        pack_records(records, output / f"{grid.id}.jsonl.xz")


def cross_validate(
    a: Annotated[str, typer.Argument(help="path/to/file.py:Class, package.module:Class, or a name from `methods`")],
    b: Annotated[str, typer.Argument(help="the other method; each brings its own retraining recipe")],
    track: Annotated[str, typer.Option(help="see `prunemark tracks`")],
    seeds: Annotated[str, typer.Option(help="how many (5), or which (0,1,7)")] = "5",
    level: Annotated[list[str] | None, typer.Option(help="may be repeated [default: all levels of the track]")] = None,
    workers: Annotated[int | None, typer.Option(help="processes [default: one per core]")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
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
    from prunemark.cli import requests
    from prunemark.leaderboard.formats.crossing import cross_markdown

    use_data(data)
    request = requests.read(track, "S2", level, seeds, device, None)
    place = open_home(home_at(home, "cross-validation"))
    executor = LocalProcesses(requests.worker_count(workers, device))
    trials = crossing.cross_trials(a, b, request, place, executor)
    if dry_run:
        requests.print_plan(trials, place, format, console())
        return
    records = requests.run(request, trials[0].competitor, trials, place, executor, tracking_uri, console(stderr=True))
    _stop_if_failed(records, place.records)
    pairs = {trial.competitor.name: trial for trial in trials}
    names = tuple(name.partition(" + FT(")[0] for name in pairs)
    methods = (names[0], names[-1])
    recipes = {m: f"{(r := pairs[f'{m} + FT({m})'].recipe).epochs} epochs, {r.lr}" for m in methods}
    sys.stdout.write(cross_markdown(methods, recipes, records))


def tune(
    method: Annotated[str, typer.Argument(help="path/to/file.py:Class, package.module:Class, or a name")],
    track: Annotated[str, typer.Option(help="see `prunemark tracks`")],
    configurations: Annotated[int, typer.Option(help="LR configurations that every method may try")] = 5,
    seeds: Annotated[str, typer.Option(help="how many (5), or which (0,1,7)")] = "5",
    level: Annotated[list[str] | None, typer.Option(help="may be repeated [default: all levels of the track]")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="name=value of one of the method's settings")] = None,
    workers: Annotated[int | None, typer.Option(help="processes [default: one per core]")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    data: DataOption = None,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan and stop")] = False,
    format: Format = "table",
) -> None:
    """Give every method the same number of LR configurations, chosen only on the validation split, and rank."""
    from prunemark.benchmark.run import crossing
    from prunemark.benchmark.run.executor import LocalProcesses
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.cli import requests
    from prunemark.leaderboard.formats.crossing import tuning_markdown

    use_data(data)
    request = requests.read(track, "S3.1", level, seeds, device, None)
    place = open_home(home_at(home, "tuning"))
    executor = LocalProcesses(requests.worker_count(workers, device))
    settings = requests.read_settings(set_)
    submission, trials = crossing.tuning_trials(method, settings, request, configurations, place, executor)
    if dry_run:
        requests.print_plan(trials, place, format, console())
        return
    records = requests.run(request, submission, trials, place, executor, tracking_uri, console(stderr=True))
    print_standings(place.records, request.track.id, trials[0].setup.id, [each.name for each in request.levels], format)
    if format == "table":
        sys.stdout.write("\n" + tuning_markdown(records))
    _stop_if_failed(records, place.records)


def _stop_if_failed(records: Sequence[Any], place: Path) -> None:
    if failed := [record for record in records if record.outcome.status != "ok"]:
        first = failed[0].outcome
        why = first.failure.evidence if first.failure else first.status
        raise WorkFailed(f"{len(failed)} of {len(records)} trials failed ({why}); see {place}")
