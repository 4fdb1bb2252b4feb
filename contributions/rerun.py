"""Running a recorded trial again from the source on the board, and comparing it bit for bit.

The submitted code runs where it always does: in the child process of the pruning stage, in a new home of its own.
A difference is never smoothed over. It counts against the record when the machines are the same, and is left
undecided when processor or versions differ, because torch may then round differently.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from prunemark.benchmark.run import submit
from prunemark.benchmark.run.executor import Executor
from prunemark.benchmark.run.home import Home, home_at, open_home
from prunemark.benchmark.submission.method_files import write_source
from prunemark.benchmark.trial.plan import Entrant, Trial
from prunemark.contributions.contribute import decided_by
from prunemark.contributions.contribution import Contribution
from prunemark.records.controls import REFERENCES
from prunemark.records.difference import first_difference, other_machine
from prunemark.records.outcome import MACHINE_STATUSES
from prunemark.records.record import Record, canonical_json
from prunemark.records.source import MethodFiles
from prunemark.setups.budget import OWN_NOTHING, budget_for
from prunemark.setups.comparison import HARNESS_SETUPS, find_setup
from prunemark.setups.errors import InputError
from prunemark.setups.track import DENSE_LEVEL
from prunemark.setups.track_files import find_track

REPEATABLE = ("ok", "failed", "budget_exceeded", "noncompliant")
GIVEN = "given"  # the allocation of a decision whose counts are another's
LEADING = ("submission", "anchor")  # what a control can be matched to


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


@dataclass(frozen=True)
class Draw:
    """What of the new records is run again, and what cannot be, here or anywhere."""

    drawn: tuple[Record, ...]
    beyond: tuple[Record, ...]


def draw(
    new: Sequence[Record], everything: Sequence[Record], count: int, salt: str, accused: Sequence[Record] = ()
) -> Draw:
    """Up to `count` of the new records, in an order that the content decides; and those that nobody can draw.

    The order is that of hashes of all new records together with `salt`, so a change of any record deals anew. A
    contributor can still try out contents until the draw suits, unless the salt comes later and from somebody else.
    Of the `accused`, whose failure counts against somebody, one of each kind is drawn beyond the count: see `accused`.
    """
    names = sorted(record.record_sha256 for record in new)
    content = hashlib.sha256("\n".join(names).encode()).hexdigest()
    order = sorted(new, key=lambda r: hashlib.sha256(f"{content}/{salt}/{r.record_sha256}".encode()).hexdigest())
    possible = [record for record in order if can_run(record, everything)]
    can = {record.record_sha256 for record in possible}
    against = {record.record_sha256 for record in accused}
    first = {_kind(record): record for record in reversed(possible) if record.record_sha256 in against}
    drawn = {record.record_sha256: record for record in (*possible[:count], *first.values())}
    return Draw(tuple(drawn.values()), tuple(record for record in order if record.record_sha256 not in can))


def accused(new: Sequence[Record], held: Sequence[Record]) -> tuple[Record, ...]:
    """The new records by which a method that a board has already fails or breaks a rule.

    One such seed costs it its rank, so nobody may bring one that is made up.
    """
    known = {(r.outcome.method.name, r.outcome.method.source_sha256) for r in held}
    return tuple(
        record
        for record in new
        if record.outcome.status != "ok" and (record.outcome.method.name, record.outcome.method.source_sha256) in known
    )


def _kind(record: Record) -> str:
    o = record.outcome
    return canonical_json(
        [o.track, o.setup, o.level, o.method.name, o.method.source_sha256, o.method.settings, o.status]
    )


def can_run(record: Record, everything: Sequence[Record]) -> bool:
    """Whether a record is of a trial on a CPU that ends alike each time, and what it is matched to is there."""
    o = record.outcome
    setup = HARNESS_SETUPS.get(o.setup)  # a contribution may name one that nobody knows: `run_again` says so
    tuned = setup is not None and setup.tuned
    alike = o.status in REPEATABLE and not tuned and record.observed.device == "cpu"
    if not alike or not _is_matched(record):
        return alike
    return submission_of(record, everything) is not None or _of_a_failure(record, everything)


def _is_matched(record: Record) -> bool:
    method = record.outcome.method
    return method.kind == "scratch" or method.role == "control"


def submission_of(record: Record, everything: Sequence[Record]) -> Record | None:
    """The record whose layer ratios a control was given; any of those with the same counts will do."""
    counts = record.outcome.compression
    if counts is None or counts.allocation != GIVEN:
        return None
    named = record.outcome.method.matched_to
    for other in _leading(record, everything):
        method, its_counts = other.outcome.method, other.outcome.compression
        if its_counts is None or its_counts.kept != counts.kept:
            continue
        uniform = its_counts.allocation == "uniform"
        if not named if uniform else named and named.names(method.name, method.source_sha256, method.settings):
            return other
    return None


def _leading(record: Record, everything: Sequence[Record]) -> list[Record]:
    """What a control can be matched to: the methods on the same track, setup, level and seed."""
    o = record.outcome
    here = (o.track, o.setup, o.level, o.seed)
    return [
        other
        for other in everything
        if (p := other.outcome) and (p.track, p.setup, p.level, p.seed) == here
        if p.method.kind == "pruned" and p.method.role in LEADING
    ]


def _of_a_failure(record: Record, everything: Sequence[Record]) -> bool:
    """A control of a submission that decided nothing has the level's own ratio in every layer, so it can run alone."""
    if record.outcome.method.matched_to:
        return False
    return any(other.outcome.compression is None for other in _leading(record, everything))


def run_again(record: Record, board: Contribution, code: Code, executor: Executor) -> Rerun:
    """Runs one recorded trial, and what it depends on, in a new home; compares outcome and decision.

    Raises WorkFailed when this machine cannot run it.
    """
    with tempfile.TemporaryDirectory(prefix="prunemark-rerun-") as folder:
        home = open_home(home_at(Path(folder) / "home"))
        try:
            trial = _trial_of(record, board.records, code, Path(folder), home, executor)
        except InputError as problem:
            return Rerun(record, "undecided", f"cannot be run here: {problem}")
        needed = [trial.of(trial.beside), trial] if trial.beside else [trial]
        again = submit.execute(needed, home, executor, [])[trial]
        return compared(record, again, board.decisions.get(record.record_sha256), decided_by(trial, home.store))


def compared(record: Record, again: Record, decided: object, decided_again: object) -> Rerun:
    """The verdict. Equal bits need no machine to be equal; unequal ones are held against the record only if it is."""
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
        return Rerun(record, "same", f"same bits, outcome {record.outcome_sha256[:12]}")
    if machine := other_machine(record.observed, again.observed):
        words = f"{difference}. The machines differ ({machine}): they may round differently, so nothing is concluded"
        return Rerun(record, "undecided", words)
    build = record.outcome.trial_key != again.outcome.trial_key
    hint = ". Its trial key is another one too: it may come from another version of the harness" if build else ""
    failed = f" ({again.outcome.failure.evidence})" if again.outcome.failure else ""
    return Rerun(record, "differs", f"{difference}{failed}{hint}")


def _trial_of(
    record: Record, everything: Sequence[Record], code: Code,
    folder: Path, home: Home, executor: Executor,
) -> Trial:  # fmt: skip
    """The trial that a record says it is of. Raises InputError when its source cannot be used here."""
    o = record.outcome
    track, setup = find_track(o.track), find_setup(o.setup)
    level = DENSE_LEVEL if o.level == DENSE_LEVEL.name else track.level(o.level)
    other = submission_of(record, everything) if _is_matched(record) else None
    competitor, side = (
        _competitor(r, code, folder / part, home, executor) if r else None
        for r, part in ((record, "own"), (other, "beside"))
    )
    assert competitor is not None
    budget = budget_for(track, setup, level, competitor.kind, competitor.own)
    return Trial(track, level, setup, o.seed, competitor, budget, "cpu", track.pruning_seconds_limit, side)


def _competitor(record: Record, code: Code, folder: Path, home: Home, executor: Executor) -> Entrant:
    o, method = record.outcome, record.outcome.method
    granularity = str(o.track_terms["granularity"])
    if method.kind != "pruned":
        summary = REFERENCES[method.kind].summary
        return Entrant(
            method.name, method.kind, method.role, None, (), granularity, OWN_NOTHING, summary, _is_matched(record)
        )
    source = write_source(code.of(record), folder)
    what = submit.describe_methods({method.name: source}, home, executor)[method.name]
    settings = method.chosen
    if set(settings) != set(what.settings):
        raise InputError(f"its settings are {', '.join(settings) or 'none'}; the source's {', '.join(what.settings)}")
    if method.role != "submission" and settings != (defaults := what.with_settings({})):
        raise InputError(f"the {method.role} runs with its defaults, {defaults}; this one with {settings}")
    prune_at = o.base.pretraining.epochs if o.base and find_setup(o.setup).own_pruning_epoch else None
    ordered = tuple((name, settings[name]) for name in what.settings)  # controls spell them out in this order
    return Entrant(
        method.name, "pruned", method.role, source, ordered, granularity,
        replace(what.own, prune_at=prune_at), what.summary, _is_matched(record),
    )  # fmt: skip
