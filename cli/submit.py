"""`prunemark submit`: run a method and its controls under one budget, and rank it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from prunemark.cli.engines import (
    AddressOption,
    DevicesOption,
    ExecutorOption,
    GpusOption,
    SlurmOption,
    WorkersOption,
    engine_of,
    executor_for,
    local,
    planner,
    stop_after,
)
from prunemark.cli.isolation import IsolationOption, settled
from prunemark.cli.options import (
    DataOption,
    ExecutionOption,
    Format,
    HomeOption,
    ReadersOption,
    UriOption,
    console,
    use_data,
    use_readers,
)

UNDECIDED = 4  # the code of a run that spent its budget while a verdict was open


def submit(
    method: Annotated[
        str, typer.Argument(help="path/to/file.py:Class, package.module:Class, or a name from `methods`")
    ],
    track: Annotated[str, typer.Option(help="see `prunemark tracks`")],
    setup: Annotated[str, typer.Option(help="see `prunemark setups`")] = "S3.2",
    seeds: Annotated[str | None, typer.Option(help="how many, or which (0,1,7) [default: 5]")] = None,
    until: Annotated[str | None, typer.Option(help="decided: add seeds where a verdict of the method is open")] = None,
    max_seeds: Annotated[int | None, typer.Option(help="with --until: seeds at most [default: 60]")] = None,
    hours: Annotated[
        float | None, typer.Option(help="stop after these, and go on another time [default: no limit]")
    ] = None,
    level: Annotated[list[str] | None, typer.Option(help="may be repeated [default: all levels of the track]")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="name=value of one of the method's settings")] = None,
    workers: WorkersOption = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    execution: ExecutionOption = None,
    devices_per_trial: DevicesOption = 1,
    executor: ExecutorOption = "local",
    address: AddressOption = "",
    gpus_per_trial: GpusOption = None,
    slurm: SlurmOption = None,
    pruning_seconds: Annotated[float | None, typer.Option(help="stop a method's pruning stage after this")] = None,
    prune_at: Annotated[int | None, typer.Option(help="epoch of the dense run to prune at (see `setups`)")] = None,
    isolation: IsolationOption = "",
    data: DataOption = None,
    readers: ReadersOption = None,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    show_output: Annotated[
        bool, typer.Option("--show-output", help="what a method prints, also if it ends well")
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="run failed trials again")] = False,
    contribute: Annotated[Path | None, typer.Option(help="also add the results to this board's folder")] = None,
    no_time: Annotated[bool, typer.Option("--no-time", help="do not time the networks afterwards")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan and stop")] = False,
    format: Format = "table",
) -> None:
    """Run a pruning method and its controls under exactly the same budget, and rank it.

    Exit code 4 says that --hours ended it, or with --until decided that a verdict is still open.
    """
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.benchmark.run.submit import submission_key
    from prunemark.cli import boards, plans, requests, rounds, time
    from prunemark.cli import until as deciding
    from prunemark.contributions import contribute as giving
    from prunemark.records.folders import board_folder

    use_data(data)
    use_readers(readers)
    deciding.check_words(until, seeds, max_seeds, hours)
    stop_at = stop_after(None if until else hours)
    limits = rounds.read_limits(max_seeds, hours) if until else None
    seeds = seeds or str(deciding.first_seeds(limits))
    engine = engine_of(executor, address, gpus_per_trial, slurm, devices_per_trial)
    kept = settled(isolation)
    request = requests.read(
        track, setup, level, seeds, device, pruning_seconds, prune_at, kept, engine.elsewhere, execution, engine.devices
    )
    request = replace(request, show_output=show_output)
    place = open_home(home_at(home))
    running = executor_for(engine, place.root, workers, device)
    request = requests.bound(request, place, running)
    submission, trials = requests.plan(method, requests.read_settings(set_), request, place, planner(engine, running))
    if dry_run:
        plans.print_plan(trials, place, format, console(), running, engine)
        return
    if contribute:
        giving.check_before_running(submission, board_folder(contribute))
    if retry_failed:
        requests.forget_failed(trials, place, console(stderr=True))
    running.stop_at = stop_at  # from here on: what was looked at before takes seconds
    ended = deciding.carry_out(request, submission, trials, place, running, tracking_uri, console(stderr=True), limits)
    if not ended.records:
        raise typer.Exit(UNDECIDED)
    if not no_time and not engine.elsewhere:  # which of a cluster's machines is quiet is not known here
        time.after_submit(ended.records, place, device, local(1, device), console(stderr=True))
    boards.print_standings(place.records, request.track.id, request.setup.id, [t.name for t in request.levels], format)
    boards.write_page(place)
    plans.say_where(place, tracking_uri, console(stderr=True), request.track.id, submission_key(trials, submission))
    if contribute and not ended.stopped:
        say = partial(console(stderr=True).print, soft_wrap=True)
        giving.contribute(ended.trials, place.store, board_folder(contribute), say)
    if any(record.outcome.status != "ok" for record in ended.records):
        raise typer.Exit(1)
    if ended.decided is False or ended.stopped:
        raise typer.Exit(UNDECIDED)
