"""`prunemark reproduce`: the founding paper's tables, run here."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
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


def reproduce(
    table: Annotated[str, typer.Argument(help="m1, m2, table1, table4, table5, table6 or table7")],
    track: Annotated[str, typer.Option(help="see `prunemark tracks`")] = "digits-resnet8",
    seeds: Annotated[str, typer.Option(help="how many (5), or which (0,1,7)")] = "5",
    workers: WorkersOption = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    executor: ExecutorOption = "local",
    address: AddressOption = "",
    gpus_per_trial: GpusOption = None,
    slurm: SlurmOption = None,
    output: Annotated[Path | None, typer.Option(help="also write the table and its packed records here")] = None,
    isolation: IsolationOption = "",
    data: DataOption = None,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan and stop")] = False,
    format: Format = "table",
) -> None:
    """Run one of the founding paper's experiments and say of every cell what is found here."""
    from prunemark.benchmark.run import reproduce as grids
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.benchmark.trial.plan import Request
    from prunemark.cli import plans, requests
    from prunemark.leaderboard.formats.reproduction import reproduction_markdown
    from prunemark.leaderboard.standings.reproduction import reproduce as reproduced
    from prunemark.records.pack import pack_records
    from prunemark.records.writer import check_ours, write_atomically
    from prunemark.setups.comparison import find_setup
    from prunemark.setups.paper_tables import find_grid
    from prunemark.setups.track_files import find_track

    use_data(data)
    kept = settled(isolation)
    engine = engine_of(executor, address, gpus_per_trial, slurm)
    grid, found = find_grid(table), find_track(track)
    if output:
        check_ours(output / f"{grid.id}.md", f"# {grid.title}\n", "--output")
    place = open_home(home_at(home, f"reproductions/{grid.id}"))
    running = executor_for(engine, place.root, workers, device)
    plan = grids.grid_trials(grid, found, requests.read_seeds(seeds), device, place, planner(engine, running))
    trials = [replace(trial, isolation=kept) for trial in plan]
    if dry_run:
        plans.print_plan(trials, place, format, console(), running, engine)
        return
    request = Request(found, find_setup("SX-A"), (), requests.read_seeds(seeds), device)
    records = requests.run(request, trials[0].entrant, trials, place, running, tracking_uri, console(stderr=True))
    requests.stop_if_failed(records, place.records)
    text = reproduction_markdown(reproduced(grid, records))
    sys.stdout.write(text)
    if output:
        write_atomically(output / f"{grid.id}.md", text)
        pack_records(records, output / f"{grid.id}.jsonl.xz")
