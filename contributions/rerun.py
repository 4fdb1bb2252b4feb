"""Running a recorded trial again from the source on the board, and comparing it bit for bit.

The submitted code runs where it always does: in the child process of the pruning stage, in a new home of its own.
A difference is never smoothed over. It counts against the record when the machines are the same, and is left
undecided when processor or versions differ, because torch may then round differently.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from prunemark.benchmark.run import submit
from prunemark.benchmark.run.drive import Executor
from prunemark.benchmark.run.entrants import describe_methods
from prunemark.benchmark.run.home import Home, home_at, open_home
from prunemark.benchmark.submission.method_files import write_source
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.contributions.contribute import decided_by
from prunemark.contributions.contribution import Contribution
from prunemark.contributions.draw import is_matched, submission_of
from prunemark.records.controls import REFERENCES
from prunemark.records.difference import first_difference, other_lane, other_machine
from prunemark.records.outcome import MACHINE_STATUSES
from prunemark.records.record import Record
from prunemark.records.source import MethodFiles
from prunemark.setups.budget import OWN_NOTHING, budget_for
from prunemark.setups.comparison import find_setup
from prunemark.setups.errors import InputError
from prunemark.setups.track import DENSE_LEVEL
from prunemark.setups.track_files import find_track


@dataclass(frozen=True)
class Code:
    """Every source at hand, by its hash, and the classes of the methods that ship here, by their names on a board."""

    sources: Mapping[str, MethodFiles]
    classes: Mapping[str, str]

    def of(self, record: Record) -> MethodFiles:
        """What a record was run from. A source may hold several classes: the record's name says which."""
        method = record.outcome.method
        return replace(self.sources[method.source_sha256], class_name=self.classes.get(method.name, method.name))


@dataclass(frozen=True)
class Rerun:
    """How a re-run ended: 'same' bits, 'differs', or 'undecided'; and in words, why."""

    record: Record
    state: Literal["same", "differs", "undecided"]
    words: str


def run_again(record: Record, board: Contribution, code: Code, executor: Executor) -> Rerun:
    """Runs one recorded trial, and what it depends on, in a new home; compares outcome and decision.

    Raises WorkFailed when this machine cannot run it.
    """
    with tempfile.TemporaryDirectory(prefix="prunemark-rerun-") as folder:
        home = open_home(home_at(Path(folder) / "home"))
        try:
            trial = trial_of(record, board.records, code, Path(folder), home, executor)
        except InputError as problem:
            return Rerun(record, "undecided", f"cannot be run here: {problem}")
        needed = [trial.of(trial.submission), trial] if trial.submission else [trial]
        again = submit.execute(needed, home, executor, [])[trial]
        found = compared(record, again, board.decisions.get(record.record_sha256), decided_by(trial, home.store))
        return replace(found, words=f"{found.words}; {isolations(record, again)}")


def isolations(record: Record, again: Record) -> str:
    """In which isolation each of the two ran, in words."""
    return f"isolation: recorded {record.observed.isolation}, here {again.observed.isolation}"


def compared(record: Record, again: Record, decided: object, decided_again: object) -> Rerun:
    """The verdict.

    Equal bits need no machine to be equal; unequal ones are held against the record only if it is. A record that says
    its lane has to come out in the same one: bits that the method's own process made are no bits of the harness's.
    """
    if again.outcome.status in MACHINE_STATUSES:
        return Rerun(record, "undecided", f"ended here as {again.outcome.status}, which says nothing about the record")
    difference = first_difference(record.outcome, again.outcome)
    if difference is None:
        if decided is not None and decided_again is None:
            return Rerun(
                record, "undecided", "same bits, but its decision is not found here: did the code change meanwhile?"
            )
        if decided is not None and decided != decided_again:
            return Rerun(record, "differs", "the outcome has the same bits, but the decision is another one")
        if lanes := other_lane(record.observed, again.observed):
            return Rerun(record, "differs", f"the outcome has the same bits, but {lanes}")
        return Rerun(record, "same", f"same bits, outcome {record.outcome_sha256[:12]}")
    if machine := other_machine(record.observed, again.observed):
        words = f"{difference}. The machines differ ({machine}): they may round differently, so nothing is concluded"
        return Rerun(record, "undecided", words)
    build = record.outcome.trial_key != again.outcome.trial_key
    hint = ". Its trial key is another one too: it may come from another version of the harness" if build else ""
    failed = f" ({again.outcome.failure.evidence})" if again.outcome.failure else ""
    return Rerun(record, "differs", f"{difference}{failed}{hint}")


def on_other_bases(known: Sequence[Record], made: Sequence[Record]) -> Record | None:
    """The first new record whose base model is another one than that of its seed among those known; None for none."""
    bases = {_base_of(record): base.sha256 for record in known if (base := record.outcome.base)}
    for record in made:
        base = record.outcome.base
        if base and bases.get(_base_of(record), base.sha256) != base.sha256:
            return record
    return None


def _base_of(record: Record) -> tuple[str, int, tuple[float, ...]]:
    """What determines a base model on one machine: setups that train it as long may do so at other LRs."""
    o = record.outcome
    return o.track, o.seed, o.base.pretraining.lr if o.base else ()


def trial_of(
    record: Record, everything: Sequence[Record], code: Code,
    folder: Path, home: Home, executor: Executor, isolation: str = "",
) -> Trial:  # fmt: skip
    """The trial that a record says it is of. Raises InputError when its source cannot be used here.

    Sources are written into `folder`, which has to be empty, and described in `home`.
    """
    o = record.outcome
    track, setup = find_track(o.track), find_setup(o.setup)
    level = DENSE_LEVEL if o.level == DENSE_LEVEL.name else track.level(o.level)
    other = submission_of(record, everything) if is_matched(record) else None
    entrant, submission = (
        _entrant(r, code, folder / part, home, executor, isolation) if r else None
        for r, part in ((record, "own"), (other, "submission"))
    )
    assert entrant is not None
    budget = budget_for(track, setup, level, entrant.kind, entrant.own)
    return Trial(
        track,
        level,
        setup,
        o.seed,
        entrant,
        budget,
        "cpu",
        track.pruning_seconds_limit,
        submission,
        isolation=isolation,
        processes=record.observed.processes,
    )


def _entrant(record: Record, code: Code, folder: Path, home: Home, executor: Executor, isolation: str) -> Entrant:
    o, method = record.outcome, record.outcome.method
    granularity = str(o.track_terms["granularity"])
    if method.kind != "pruned":
        summary = REFERENCES[method.kind].summary
        return Entrant(
            method.name, method.kind, method.role, None, (), granularity, OWN_NOTHING, summary, is_matched(record)
        )
    source = write_source(code.of(record), folder)
    what = describe_methods({method.name: source}, home, executor, isolation)[method.name]
    settings = method.chosen
    if set(settings) != set(what.settings):
        raise InputError(f"its settings are {', '.join(settings) or 'none'}; the source's {', '.join(what.settings)}")
    if method.role != "submission" and settings != (defaults := what.with_settings({})):
        raise InputError(f"the {method.role} runs with its defaults, {defaults}; this one with {settings}")
    prune_at = o.base.pretraining.epochs if o.base and find_setup(o.setup).own_pruning_epoch else None
    ordered = tuple((name, settings[name]) for name in what.settings)  # controls spell them out in this order
    return Entrant(
        method.name, "pruned", method.role, source, ordered, granularity,
        replace(what.own_on(str(o.track_terms["dataset"])), prune_at=prune_at), what.summary, is_matched(record),
    )  # fmt: skip
