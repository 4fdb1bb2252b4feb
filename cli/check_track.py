"""`prunemark tracks check`: whether a track can be run at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from prunemark.cli.options import DataOption, Format, HomeOption, console, use_data
from prunemark.setups.errors import InputError

if TYPE_CHECKING:
    from prunemark.benchmark.run.doctor import CheckResult
    from prunemark.benchmark.run.drive import Event
    from prunemark.benchmark.run.home import Home
    from prunemark.setups.track import Track


def check_track(
    name: str,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    data: DataOption = None,
    home: HomeOption = None,
    format: Format = "table",
) -> None:
    """Check a track on its real network and images, in seconds. NAME may be file.toml; exits with 1 if it is broken."""
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.cli import requests, tables
    from prunemark.setups.track_files import find_track

    use_data(data)
    requests.check_device(device)
    found = findings(find_track(name), device, open_home(home_at(home)))
    tables.print_rows([each.as_row() for each in found], format, console())
    if any(each.state == "broken" for each in found):
        raise typer.Exit(1)


def findings(track: Track, device: str, place: Home) -> list[CheckResult]:
    """What `run/check_track.py` finds, in a process that has torch."""
    from prunemark.benchmark.run.doctor import CheckResult
    from prunemark.benchmark.run.executor import LocalProcesses
    from prunemark.benchmark.run.jobs import WORKER, Job, confined_for
    from prunemark.benchmark.run.own_parts import bound

    found: list[CheckResult] = []

    def listen(event: Event) -> None:
        if event.kind == "done":
            found.extend(event.value)

    executor = LocalProcesses(1)
    try:
        track = bound(track, place.store, executor, device)
    except InputError as problem:
        return [CheckResult("own parts", "broken", str(problem), "correct the file that is named")]
    confined = confined_for(track, "", device, place.store.root)
    job = Job("track", f"{WORKER}:check_track_job", (track, device, place.store.root), confined=confined)
    executor.run([job], listen)
    return found


def check_before_planning(track: Track, device: str, place: Home) -> None:
    """For --dry-run. Raises InputError for what a run would be refused for."""
    for each in findings(track, device, place):
        if each.state == "broken":
            raise InputError(f"{each.found}\nNothing would run: {each.advice}")
