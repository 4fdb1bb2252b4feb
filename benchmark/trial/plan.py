"""What is asked for, and the trials that it means. Reads no torch, so that a plan is shown in a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.setups.budget import budget_for
from prunemark.setups.comparison import ComparisonSetup
from prunemark.setups.errors import InputError
from prunemark.setups.execution import check_runs_on
from prunemark.setups.given_base import check_seeds
from prunemark.setups.own_parts import is_own_network
from prunemark.setups.track import DENSE_LEVEL, Level, Track


@dataclass(frozen=True)
class Request:
    """What a user asked for, checked: a setup on a track, at these levels, on these seeds.

    `pruning_seconds_limit` is that of the track where it is None; `prune_at` the epoch of the dense run at which the
    submission prunes, where the setup leaves that open. The others are as in `Trial`.
    """

    track: Track
    setup: ComparisonSetup
    levels: Sequence[Level]
    seeds: Sequence[int]
    device: str = "cpu"
    pruning_seconds_limit: float | None = None
    prune_at: int | None = None
    isolation: str = ""
    show_output: bool = False
    processes: int = 1


def make_trials(request: Request, submission: Entrant, controls: Sequence[Entrant] = ()) -> tuple[Trial, ...]:
    """All trials, seed by seed; dense once a seed. Raises InputError for what cannot be run.

    Every entrant is under the same setup on the same seeds: seed s gives base model s to all of them.
    """
    track, setup, limit = request.track, request.setup, request.pruning_seconds_limit
    check_granularity(track, submission.name, submission.granularity)
    check_seeds(track, request.seeds)
    check_runs_on(track, request.device)
    return tuple(
        Trial(
            track, level, setup, seed, entrant,
            budget_for(track, setup, level, entrant.kind, entrant.own), request.device,
            track.pruning_seconds_limit if limit is None else limit, submission if entrant.shares_ratios else None,
            isolation=request.isolation, show_output=request.show_output, processes=request.processes,
        )
        for seed in request.seeds
        for entrant in (submission, *controls)
        for level in ([DENSE_LEVEL] if entrant.kind == "dense" else request.levels)
    )  # fmt: skip


def check_processes(track: Track, processes: int) -> None:
    """Raises InputError unless so many processes can train this track together."""
    if processes == 1:
        return
    if is_own_network(track.network):
        raise InputError(
            f"track {track.id} has a network of its author's, whose workers have no network: processes that train it "
            "cannot find each other.\nLeave --devices-per-trial out"
        )
    if track.execution and track.execution.compiles:
        raise InputError(
            f"track {track.id} is compiled (its terms of execution), and processes that train together are not: their "
            "batch norm talks between them.\nLeave compile or --devices-per-trial out"
        )
    least = min(recipe.batch_size for recipe in (track.pretraining, track.pruning, track.retraining))
    if processes > least:
        raise InputError(
            f"--devices-per-trial {processes}, but track {track.id} trains in batches of {least}: the batch is shared "
            f"by the devices, so at most {least}"
        )


def check_granularity(track: Track, name: str, granularity: str) -> None:
    """Raises InputError unless a method of this granularity can run on the track."""
    if not runs_on(granularity, track):
        raise InputError(
            f"{name} {what_it_prunes(granularity)}, but track {track.id} {what_it_prunes(track.granularity)}.\n"
            f"See `prunemark tracks` for tracks of granularity {granularity}"
        )


def runs_on(granularity: str, track: Track) -> bool:
    """Whether a method of this granularity can run on the track.

    What prunes weights can follow a pattern too; what scores filters is taken at its word for all that has filters.
    """
    if granularity == "N:M":
        return track.pattern is not None
    return track.of_filters if granularity == "filter" else granularity == track.granularity


def what_it_prunes(granularity: str) -> str:
    """In words, after the name of a method or a track."""
    return "needs an N:M pattern" if granularity == "N:M" else f"prunes {granularity}s"
