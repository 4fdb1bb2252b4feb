"""`submit --until decided`: seeds where a verdict of the submission is open, for it and for the anchor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from prunemark.cli.rounds import Limits, Rounds
from prunemark.setups.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from prunemark.benchmark.run.drive import Executor
    from prunemark.benchmark.run.home import Home
    from prunemark.benchmark.trial.plan import Request
    from prunemark.benchmark.trial.trial import Entrant, Trial
    from prunemark.leaderboard.standings.board import Board
    from prunemark.leaderboard.standings.plan import Plan, Prospect
    from prunemark.leaderboard.standings.rows import Row
    from prunemark.records.record import Record

DECIDED = "decided"
FIRST_SEEDS = 5
Run = Callable[[Sequence["Trial"]], "list[Record]"]


@dataclass(frozen=True)
class Ended:
    """What there is in the end: trials and their records; and if it was asked, whether all verdicts are there.

    It was `stopped` where the hours ended before all trials had run.
    """

    trials: tuple[Trial, ...]
    records: tuple[Record, ...]
    decided: bool | None = None
    stopped: bool = False


def check_words(until: str | None, seeds: object, max_seeds: int | None, hours: float | None) -> None:
    """Raises InputError for words that contradict each other."""
    if until is None:
        if max_seeds is not None:
            raise InputError("--max-seeds limits a run with --until decided")
        return
    if until != DECIDED:
        raise InputError(f"--until takes the word {DECIDED}; given {until!r}")
    if seeds is not None:
        raise InputError("--until decided chooses the seeds: leave --seeds out. --max-seeds and --hours limit it")


def first_seeds(limits: Limits | None) -> int:
    """How many seeds run with all controls, before anything more is expected: as many as without --until."""
    return FIRST_SEEDS if limits is None else min(FIRST_SEEDS, limits.max_seeds)


def carry_out(
    request: Request, submission: Entrant, trials: Sequence[Trial], home: Home, executor: Executor,
    uri: str | None, console: Console, limits: Limits | None,
) -> Ended:  # fmt: skip
    """Runs the trials; within limits, if there are some, goes on until the submission's verdicts are there."""
    from prunemark.cli import requests

    def run(trials: Sequence[Trial]) -> list[Record]:
        return requests.run(request, submission, trials, home, executor, uri, console)

    say = partial(console.print, soft_wrap=True, markup=False)
    if limits is None:
        records = run(trials)
        if missing := len(trials) - len(records):
            say(f"stopped after --hours with {missing} trials to run: the same command goes on from there")
        return Ended(tuple(trials), tuple(records), stopped=missing > 0)
    workers = executor.workers
    return until_decided(
        request, submission, trials, home, run, limits=limits, workers=workers, say=say, clock=time.monotonic
    )


def until_decided(
    request: Request, submission: Entrant, planned: Sequence[Trial], home: Home, run: Run, *,
    limits: Limits, workers: int, say: Callable[[str], None], clock: Callable[[], float],
) -> Ended:  # fmt: skip
    """Runs the first seeds with all controls, then rounds of the submission and the anchor where a verdict is open.

    `request.seeds` are the first ones, and `planned` their trials. Raises InputError for the anchor itself, and
    WorkFailed as `run` does.
    """
    from prunemark.benchmark.trial.plan import make_trials

    entrants = list(dict.fromkeys(trial.entrant for trial in planned if trial.entrant != submission))
    anchor = next((c for c in entrants if c.role == "anchor"), None)
    if anchor is None:
        raise InputError(f"{submission.name} is the anchor of {request.track.id}: no verdict is about it. Use --seeds")
    done: dict[Trial, Record] = {}
    began = clock()

    def keep(trials: Sequence[Trial]) -> None:
        done.update(zip(trials, run(trials), strict=True))

    def add(prospects: Sequence[Prospect]) -> None:
        trials: list[Trial] = []
        for p in prospects:
            level = request.track.level(p.open.table.level)
            trials += make_trials(replace(request, seeds=p.seeds, levels=[level]), submission, [anchor])
        keep(list(dict.fromkeys(trials)))

    for seeds in _in_parts(request.seeds, limits, began, clock):
        keep(make_trials(replace(request, seeds=seeds), submission, entrants))

    def look() -> Plan:
        return look_at(request, submission, home)[1]

    Rounds(look, add, say, clock, workers, limits, began).to_the_end()
    board, plan = look_at(request, submission, home)
    for level, why in without_verdict(board, submission):
        say(f"{submission.name} {level}: no verdict, {why}")
    return Ended(tuple(done), tuple(done.values()), plan.all_decided)


def _in_parts(
    seeds: Sequence[int], limits: Limits, began: float, clock: Callable[[], float]
) -> Iterator[Sequence[int]]:
    """All at once; under a limit of hours the first alone, and then as many as fit by the time that it took."""
    if limits.hours is None:
        yield seeds
        return
    yield seeds[:1]
    taken = max(clock() - began, 1e-3)
    fit = int(max(0.0, limits.hours * 3600 - taken) / taken)
    if more := seeds[1 : 1 + fit]:
        yield more


def look_at(request: Request, submission: Entrant, home: Home) -> tuple[Board, Plan]:
    """The tables of a request as they are now, and what is decided of the submission."""
    from prunemark.leaderboard.standings.board import make_board
    from prunemark.leaderboard.standings.plan import make_plan
    from prunemark.records.load import read_records

    loaded = read_records(home.records, request.track.id)
    levels = [level.name for level in request.levels]
    board = make_board(loaded, track=request.track.id, setup=request.setup.id, levels=levels)
    return board, make_plan(board.tables, loaded.records, lambda _, row: is_of(row, submission))


def is_of(row: Row, entrant: Entrant) -> bool:
    """Whether a row is the submission's: its name, code and settings."""
    code = entrant.source.sha256 if entrant.source else ""
    same = row.source_sha256 == code and dict(row.settings) == dict(entrant.settings)
    return same and row.name.partition(" (")[0] == entrant.name


def without_verdict(board: Board, submission: Entrant) -> list[tuple[str, str]]:
    """The levels at which no number of seeds gives the submission a verdict, and why."""
    return [
        (table.level, row.why or "it is not compared")
        for table in board.tables
        for row in (*table.ranked, *table.unranked)
        if is_of(row, submission) and row.verdict is None
    ]
