"""`prunemark tracks check`: whether a track can be run at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from prunemark.cli.options import DataOption, Format, HomeOption, console, use_data

if TYPE_CHECKING:
    from prunemark.benchmark.run.executor import Event


def check_track(
    name: str,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    data: DataOption = None,
    home: HomeOption = None,
    format: Format = "table",
) -> None:
    """Check a track on its real network and images, in seconds. NAME may be file.toml; exits with 1 if it is broken."""
    from prunemark.benchmark.run.doctor import CheckResult
    from prunemark.benchmark.run.executor import LocalProcesses
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.benchmark.run.jobs import WORKER, Job, confined_for
    from prunemark.benchmark.run.own_parts import bound
    from prunemark.cli import requests, tables
    from prunemark.setups.errors import InputError
    from prunemark.setups.track_files import find_track

    use_data(data)
    requests.check_device(device)
    track, place = find_track(name), open_home(home_at(home))
    found: list[CheckResult] = []

    def listen(event: Event) -> None:
        if event.kind == "done":
            found.extend(event.value)

    executor = LocalProcesses(1)
    try:
        track = bound(track, place.store, executor, device)
    except InputError as problem:
        found.append(CheckResult("own parts", "broken", str(problem), "correct the file that is named"))
    else:
        confined = confined_for(track, "", device, place.store.root)
        job = Job("track", f"{WORKER}:check_track_job", (track, device, place.store.root), confined=confined)
        executor.run([job], listen)
    tables.print_rows([each.as_row() for each in found], format, console())
    if any(each.state == "broken" for each in found):
        raise typer.Exit(1)
