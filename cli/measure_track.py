"""`prunemark tracks measure`: whether a track can tell methods apart, measured here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from prunemark.cli.options import DataOption, Format, HomeOption, console, use_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prunemark.benchmark.trial.trial import Trial
    from prunemark.leaderboard.standings.conditions import Condition
    from prunemark.records.record import Record
    from prunemark.setups.track import Track


def measure_track(
    name: str,
    seeds: Annotated[str, typer.Option(help="how many, at least 3")] = "8",
    workers: Annotated[int | None, typer.Option(help="processes [default: one per core]")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    data: DataOption = None,
    home: HomeOption = None,
    format: Format = "table",
) -> None:
    """Measure whether a track can tell methods apart. NAME may be file.toml; exits with 4 where a condition fails."""
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.benchmark.run.largest_first import BAD
    from prunemark.cli import engines, requests, tables
    from prunemark.leaderboard.standings.conditions import LEAST_SEEDS, conditions
    from prunemark.records.controls import RANDOM_CONTROL
    from prunemark.setups.errors import InputError

    use_data(data)
    request = requests.read(name, "S3.2", None, seeds, device, None)
    if len(request.seeds) < LEAST_SEEDS:
        raise InputError(f"conditions are measured on {LEAST_SEEDS} seeds or more; given --seeds {seeds}")
    track = request.track
    place = open_home(home_at(home))
    executor = engines.local(workers, device)
    request = requests.bound(request, place, executor)
    bad = BAD[track.granularity]
    submission, planned = requests.plan(f"prunemark.benchmark.run.largest_first:{bad}", {}, request, place, executor)
    needed = _needed(planned, track, bad)
    records = requests.run(request, submission, needed, place, executor, None, console(stderr=True))
    requests.stop_if_failed(records, place.records)
    found = conditions(records, anchor=track.anchor, random=RANDOM_CONTROL[track.granularity], bad=bad)
    found = [_no_download(track), _same_bytes(records), *found]
    rows = [{"condition": c.condition, "needed": c.needed, "measured": c.measured,
             "holds": "yes" if c.holds else "no"} for c in found]  # fmt: skip
    tables.print_rows(rows, format, console())
    if not all(condition.holds for condition in found):
        raise typer.Exit(4)


def _needed(trials: Sequence[Trial], track: Track, bad: str) -> tuple[Trial, ...]:
    """The anchor at every level and the dense network; random and bad pruning at the highest level only."""
    from prunemark.records.controls import RANDOM_CONTROL

    highest = max(track.levels, key=lambda level: level.ratio)
    compared = (bad, RANDOM_CONTROL[track.granularity])
    return tuple(
        trial
        for trial in trials
        if trial.entrant.kind == "dense"
        or trial.entrant.name == track.anchor
        or (trial.entrant.name in compared and trial.level == highest)
    )


def _no_download(track: Track) -> Condition:
    from prunemark.benchmark.images.sources import INSTALLED
    from prunemark.leaderboard.standings.conditions import Condition

    installed = track.dataset in INSTALLED
    found = "they do" if installed else "the track's own" if track.own else "a folder"
    return Condition("no download", "the images come with Prunemark", found, installed)


def _same_bytes(records: Sequence[Record]) -> Condition:
    """The hash of the images, to compare with another machine's."""
    from prunemark.leaderboard.standings.conditions import Condition

    hashes = sorted({record.outcome.data_sha256 for record in records})
    return Condition("the same images", "one hash", ", ".join(sha256[:16] for sha256 in hashes), len(hashes) == 1)
