"""`prunemark tracks new`: a track file for a network and images of one's own."""

from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prunemark.cli.options import HomeOption, console, use_data

if TYPE_CHECKING:
    from prunemark.benchmark.run.doctor import CheckResult
    from prunemark.benchmark.run.drive import Event
    from prunemark.benchmark.trial.store import Store
    from prunemark.setups.track import Track


def new_track(
    name: Annotated[str, typer.Argument(help="the track's name; its file is NAME.toml in this folder")],
    network: Annotated[str, typer.Option(help="resnet56, timm:NAME, torchvision:NAME, ...")],
    data: Annotated[str, typer.Option(help="a folder of images, or a dataset by name")],
    size: Annotated[
        int | None, typer.Option(help="pixels of a side, for a folder [default: as the images are]")
    ] = None,
    granularity: Annotated[str, typer.Option(help="filter, stream, head, block, weight or 2:4")] = "filter",
    pattern: Annotated[str | None, typer.Option(help="N:M, for weights, such as 2:4")] = None,
    streams: Annotated[bool, typer.Option("--streams", help="also prune residual sums, one layer for each")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    home: HomeOption = None,
) -> None:
    """Write a track file for your network and images, with layers, speed-ups, a recipe and a margin to start from.

    It is checked as by `tracks check`. Nothing is trained.
    """
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.cli import requests, tables
    from prunemark.setups.errors import InputError
    from prunemark.setups.track_files import track_from_dict

    requests.check_device(device)
    path = Path(f"{name}.toml")
    if path.exists():
        raise InputError(f"{path} is there already, and is not written over. Take another name, or remove it")
    begun, folder = _begun(name, network, data, size, granularity, pattern)
    use_data(folder)
    text, findings = _filled_in(begun, device, open_home(home_at(home)).store, streams)
    track = track_from_dict(tomllib.loads(text), folder=str(Path.cwd()))  # code of a track's author had a part in it
    path.write_text(text, encoding="utf-8")
    tables.print_rows([each.as_row() for each in findings], "table", console())
    _say_next(path, track, folder)
    if any(each.state == "broken" for each in findings):
        raise typer.Exit(1)


def _begun(
    name: str, network: str, data: str, size: int | None, granularity: str, pattern: str | None
) -> tuple[Track, Path | None]:
    """The draft, checked word by word, and the folder of its images. Raises InputError."""
    from prunemark.benchmark.images.sources import dataset_in
    from prunemark.benchmark.run.new_track import draft
    from prunemark.setups.errors import InputError
    from prunemark.setups.track import as_pattern
    from prunemark.setups.track_checks import check_track
    from prunemark.setups.track_files import released_tracks

    if name in {track.name for track in released_tracks().values()}:
        raise InputError(f"a track named {name!r} ships with Prunemark. Take another name")
    dataset, folder = dataset_in(data, size)
    if (wanted := as_pattern(granularity)) is not None:
        if pattern not in (None, wanted):
            raise InputError(f"--granularity {granularity} is a pattern, and --pattern is {pattern}: give one")
        granularity, pattern = "weight", wanted
    begun = draft(name, network, dataset, granularity, pattern, str(Path.cwd()))
    check_track(replace(begun, classes=2))
    return begun, folder


def _filled_in(begun: Track, device: str, store: Store, streams: bool) -> tuple[str, list[CheckResult]]:
    """The text of the track's file, and what a check of it found."""
    from prunemark.benchmark.run.executor import LocalProcesses
    from prunemark.benchmark.run.jobs import WORKER, Job, confined_for
    from prunemark.benchmark.run.own_parts import bound

    made: list[tuple[str, list[CheckResult]]] = []

    def listen(event: Event) -> None:
        if event.kind == "done":
            made.append(event.value)

    executor = LocalProcesses(1)
    complete = bound(begun, store, executor, device, tried=False)
    names = (begun.network, begun.dataset)
    confined = confined_for(complete, "", device, store.root)
    job = Job("track", f"{WORKER}:new_track_job", (complete, names, device, store.root, streams), confined=confined)
    executor.run([job], listen)
    return made[0]


def _say_next(path: Path, track: Track, folder: Path | None) -> None:
    out = console(stderr=True)
    more = f" --data {os.path.relpath(folder)}" if folder else ""
    method = "FPGM" if track.of_filters else "LAMP"
    out.print(f"\n{path} is written. Look at its recipe and its margin, then:", markup=False)
    for command in (f"tracks check {path}{more}", f"submit {method} --track {path}{more}", "leaderboard"):
        out.print(f"  prunemark {command}", markup=False, soft_wrap=True)
    out.print(f"In place of {method}: your own file.py:Class, or a name from `prunemark methods`.", markup=False)
