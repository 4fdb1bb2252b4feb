"""`prunemark confirm`: draw fresh seeds for the contributed methods of a board, and run them on these."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prunemark.cli.isolation import IsolationOption, settled
from prunemark.cli.options import DataOption, HomeOption, UriOption, console, use_data
from prunemark.setups.errors import InputError, RuleBroken, WorkFailed

if TYPE_CHECKING:
    from prunemark.benchmark.run.executor import LocalProcesses
    from prunemark.benchmark.run.home import Home
    from prunemark.benchmark.trial.trial import Trial
    from prunemark.contributions.confirm import Contributed
    from prunemark.records.board_terms import BoardTerms
    from prunemark.records.fresh_seeds import FreshSeeds
    from prunemark.records.record import Record

UNDECIDED = 4


def confirm(
    board: Annotated[Path, typer.Argument(help="the folder of a board that you keep")],
    method: Annotated[
        list[str] | None, typer.Option(help="only this one, by its name or the start of its source's hash")
    ] = None,
    track: Annotated[str | None, typer.Option(help="only this track")] = None,
    setup: Annotated[str | None, typer.Option(help="only this setup")] = None,
    seeds: Annotated[int | None, typer.Option(help="fresh seeds of a row in all [default: 5, or as planned]")] = None,
    draw_only: Annotated[bool, typer.Option("--draw-only", help="write the seeds down, and run nothing yet")] = False,
    workers: Annotated[int | None, typer.Option(help="processes [default: one per core]")] = None,
    isolation: IsolationOption = "",
    data: DataOption = None,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
) -> None:
    """Draw fresh seeds for contributed methods, run them and the anchor on these, and add the results to the board.

    Verdicts about these methods count no other seeds. Exit code 4 says that a method could not be run here.
    """
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.cli import boards, engines, recorded, requests
    from prunemark.contributions import confirm as confirming
    from prunemark.contributions.contribution import counting_records
    from prunemark.records.board_terms import read_terms
    from prunemark.records.folders import board_folder
    from prunemark.records.fresh_seeds import MOST

    use_data(data)
    kept = settled(isolation)
    if seeds is not None and not 1 <= seeds <= MOST:
        raise InputError(f"--seeds is a number of fresh seeds from 1 to {MOST}; given {seeds}")
    folder, only = board_folder(board), boards.only(track, setup)
    if (terms := read_terms(folder)) is None:
        raise InputError(f"{str(folder)!r} has no board.toml, so it is not a board: all seeds count there")
    records = counting_records(folder)
    rows = confirming.contributed(records, method or (), only.track, only.setup)
    place = open_home(home_at(home))
    printed = partial(console(stderr=True).print, soft_wrap=True, markup=False)

    def say(text: str) -> None:  # it may hold a stranger's text, which must not steer a terminal
        printed("".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text))

    with tempfile.TemporaryDirectory(prefix="prunemark-confirm-") as scratch:
        code = recorded.code_at_hand((), [folder / requests.METHODS])
        found = confirming.Confirmation(tuple(records), code, Path(scratch), place, kept)
        why = [found.why_not(row) for row in rows]
        for row, words in zip(rows, why, strict=True):
            if words:
                say(f"{row.label} is left out: {words}")
        possible = [row for row, words in zip(rows, why, strict=True) if not words]
        draws = draw(folder, possible, records, seeds, random.SystemRandom(), say)
        if not draw_only:
            executor = engines.local(workers, "cpu")
            trials = {row: list(dict.fromkeys(found.trials(row, draws, executor))) for row in possible}
            Runs(folder, terms, place, executor, tracking_uri, records).add(trials, say)
    if any(why):
        raise typer.Exit(UNDECIDED)


def draw(
    folder: Path, rows: Sequence[Contributed], records: Sequence[Record], number: int | None,
    randomness: random.Random, say: Callable[[str], None],
) -> Sequence[FreshSeeds]:  # fmt: skip
    """Writes down what has to be drawn for these rows, before anything runs on it; returns all draws of the board.

    Raises RuleBroken where a line of them was tampered with.
    """
    from prunemark.contributions.confirm import draws_needed
    from prunemark.records.fresh_seeds import FILE, add_draw, read_draws

    known, wrong = read_draws(folder / "records")
    if wrong:
        raise RuleBroken(f"{wrong[0][0]} {wrong[0][1]}, so that no draw can follow it")
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    new = draws_needed(rows, known, records, number, max([now, *(each.at for each in known)]), randomness)
    for each in new:
        add_draw(folder / "records", each)
        levels = ", ".join(each.levels)
        say(f"{each.method} on {each.track}, {each.setup}, {levels}: drew seeds {', '.join(map(str, each.seeds))}")
    if new:
        say(f"They are written to {folder / 'records' / FILE}, and stay")
    return (*known, *new)


@dataclass(frozen=True)
class Runs:
    """Running what is missing into a home, and adding it to the board. `records` are those that the board counts."""

    folder: Path
    terms: BoardTerms
    home: Home
    executor: LocalProcesses
    uri: str | None
    records: Sequence[Record]

    def add(self, trials: dict[Contributed, list[Trial]], say: Callable[[str], None]) -> None:
        """Raises WorkFailed as `submit` does, and where a base model is another one than the board's; RuleBroken where
        this machine isolates less than the board asks.
        """
        from prunemark.contributions.contribute import contribute
        from prunemark.contributions.rerun import on_other_bases

        todo = {row: list(mine) for row, mine in trials.items() if mine}
        if not todo:
            say("nothing to run: every fresh seed has its results")
            return
        made = {trial: record for row, mine in todo.items() for trial, record in self._run(row, mine).items()}
        for trial, record in made.items():
            isolation = record.observed.isolation
            if trial.entrant.role == "submission" and not self.terms.admits(isolation):
                raise RuleBroken(
                    f"{trial.label} ran with isolation {isolation!r}, and this board asks for "
                    f"{' or '.join(self.terms.accepted)}.\nThe seeds are kept: run this again, in another --home, "
                    "where that is to be had; see `prunemark doctor`"
                )
        if other := on_other_bases(self.records, list(made.values())):
            raise WorkFailed(
                f"the base model of seed {other.outcome.seed} of {other.outcome.track} is not the one on the board: "
                "this machine rounds differently.\nRun confirm where the board's other results on fresh seeds were made"
            )
        contribute(list(made), self.home.store, self.folder, say, drawn=True)

    def _run(self, row: Contributed, trials: list[Trial]) -> dict[Trial, Record]:
        from prunemark.benchmark.trial.plan import Request
        from prunemark.cli import requests

        submission = next((t.entrant for t in trials if t.entrant.role == "submission"), trials[0].entrant)
        request = Request(trials[0].track, trials[0].setup, (), ())
        records = requests.run(request, submission, trials, self.home, self.executor, self.uri, console(stderr=True))
        return dict(zip(trials, records, strict=True))
