"""Which of the new records are run again: by lot, and which can be at all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from prunemark.records.record import Record, canonical_json
from prunemark.setups.comparison import HARNESS_SETUPS

REPEATABLE = ("ok", "failed", "budget_exceeded", "noncompliant")
GIVEN = "given"  # the allocation of a decision whose counts are another's
LEADING = ("submission", "anchor")  # what a control can be matched to


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

    One such seed costs it its rank, so nobody must bring one that is made up.
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
    if not alike or not is_matched(record):
        return alike
    return submission_of(record, everything) is not None or _of_a_failure(record, everything)


def is_matched(record: Record) -> bool:
    """Whether it is of a trial that takes the layer ratios of another: a control, or scratch training."""
    method = record.outcome.method
    return method.kind == "scratch" or method.role == "control"


def submission_of(record: Record, everything: Sequence[Record]) -> Record | None:
    """The record whose layer ratios a control has; any of those with the same counts will do."""
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
    """What is matched to a submission that decided nothing has the level's own ratios, so it can run by itself."""
    if record.outcome.method.matched_to:
        return False
    return any(other.outcome.compression is None for other in _leading(record, everything))
