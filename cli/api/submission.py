"""`prunemark.submit`: a method and its controls run under one budget, from a script or a notebook."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from prunemark.benchmark.method import PruningMethod
    from prunemark.records.record import Record

WIDTH = 160  # columns of the text


@dataclass(frozen=True, repr=False)
class Submission:
    """What was run. `records` has one record a trial, of the controls and of failed trials too.

    `table` are the rows of the leaderboard for this track, setup and levels in the home: units are in the names of its
    columns. `text` is the same as `prunemark submit` prints it.
    """

    records: tuple[Record, ...]
    table: pd.DataFrame
    text: str
    home: Path
    written: Path | None = field(default=None)
    """The file that was written for a class of a notebook or script."""
    decided: bool | None = None
    """With `until="decided"`: whether every verdict of the method was there in the end. None without it."""

    @property
    def failed(self) -> tuple[Record, ...]:
        """The records of trials that ended without a result; each says why in `outcome.failure`."""
        return tuple(record for record in self.records if record.outcome.status != "ok")

    def __repr__(self) -> str:
        return self.text


def submit(
    method: type[PruningMethod] | str,
    track: str,
    setup: str = "S3.2",
    *,
    seeds: int | Sequence[int] | None = None,
    until: str | None = None,
    max_seeds: int | None = None,
    hours: float | None = None,
    levels: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    home: Path | str | None = None,
    workers: int | str | None = None,
    device: str = "cpu",
    execution: Sequence[str] | None = None,
    devices_per_trial: int = 1,
    pruning_seconds: float | None = None,
    prune_at: int | None = None,
    isolation: str = "",
    data: Path | str | None = None,
    tracking_uri: str | None = None,
    time: bool = True,
) -> Submission:
    """Runs a method and its controls under exactly the same budget, and ranks it. As `prunemark submit` does.

    `method` is a class, or a text as on the command line: `path/to/file.py:Class`, `package.module:Class`, or a name
    from `prunemark methods`. The class runs in other processes: they get its file. For a class of a notebook or of the
    script that is running, a file with the class is written into `home`, and this is said.

    `seeds` is how many, or which [5]. In their place `until="decided"` adds seeds where a verdict of the method is
    open, up to `max_seeds` [60] and `hours` [no limit]; `decided` of the result says how it ended. Without it `hours`
    end the run, and the same call goes on from there.
    `levels` are names such as "90%" [all of the track]; `settings` the method's own; `home` the folder of results
    [$PRUNEMARK_HOME, or ./prunemark-home]; `workers` processes, or "auto" for as many as fit on
    the GPUs [one per core or GPU];
    `devices_per_trial` train one trial together, on shares of its batches;
    `execution` are terms of execution, such as ["bf16", "compile"]: trials are then of a track of their own;
    `isolation` of submitted code, "process", "landlock" or "container" [landlock where it is there].
    What has run already is not run again. With `time`, the networks are timed afterwards, for 10 seconds at most.

    Raises InputError when something is wrong in what was given, WorkFailed when the work could not be done. A trial
    that fails is no error: it is among the records.
    """
    from rich.console import Console

    from prunemark.setups.errors import need

    need("run", "prunemark.submit")
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.cli import boards, engines, requests, rounds
    from prunemark.cli import until as deciding
    from prunemark.cli.api.class_files import spec_of
    from prunemark.cli.isolation import settled
    from prunemark.cli.options import use_data
    from prunemark.cli.time import after_submit

    console = Console(stderr=True, highlight=False, force_jupyter=False, force_terminal=sys.stderr.isatty())
    use_data(Path(data) if data else None)
    deciding.check_words(until, seeds, max_seeds, hours)
    stop_at = engines.stop_after(None if until else hours)
    limits = rounds.read_limits(max_seeds, hours) if until else None
    if seeds is None:
        seeds = deciding.first_seeds(limits)
    words = str(seeds) if isinstance(seeds, int | str) else "".join(f"{seed}," for seed in seeds)
    kept = settled(isolation)
    engine = engines.Engine(devices=devices_per_trial)
    request = requests.read(
        track, setup, levels, words, device, pruning_seconds, prune_at, kept,
        execution=execution, processes=engine.devices,
    )  # fmt: skip
    place = home_at(Path(home) if home else None)
    spec, written = spec_of(method, place.root / "submitted")
    if written:
        console.print(f"{method.__name__} is submitted from this file: {written}", soft_wrap=True)  # type: ignore[union-attr]
    open_home(place)
    executor = engines.executor_for(engine, place.root, workers, device)
    request = requests.bound(request, place, executor)
    given = {name: str(value) for name, value in (settings or {}).items()}
    submission, trials = requests.plan(spec, given, request, place, executor)
    executor.stop_at = stop_at
    ended = deciding.carry_out(request, submission, trials, place, executor, tracking_uri, console, limits)
    if time:
        after_submit(ended.records, place, device, engines.local(1, device), console)
    boards.write_page(place)
    names = [level.name for level in request.levels]
    found = boards.standings(place.records, request.track.id, request.setup.id, names)
    text = boards.as_text(found, WIDTH)
    return Submission(ended.records, boards.frame(found), text, place.root, written, ended.decided)
