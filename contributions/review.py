"""What new records have to stand before anything of them is run again: they fit the rules, the sources and the board.

Nothing here executes submitted code. Every finding is one line; all are reported, not only the first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from prunemark.contributions.asked import Asked
from prunemark.contributions.contribution import Contribution
from prunemark.contributions.seed_policy import in_order, skipped, unconfirmed
from prunemark.records.controls import RANDOM_CONTROL, REFERENCES
from prunemark.records.decision import disagreement
from prunemark.records.difference import first_difference, other_machine
from prunemark.records.identity import identity
from prunemark.records.names import PLAIN, imitated
from prunemark.records.outcome import MACS_CONVENTION, Method
from prunemark.records.record import Record, canonical_json
from prunemark.records.source import MethodFiles, check_files
from prunemark.setups.comparison import find_setup
from prunemark.setups.errors import InputError, RuleBroken
from prunemark.setups.text import LONGEST_NAME, as_given
from prunemark.setups.track import DENSE_LEVEL
from prunemark.setups.track_files import released_tracks


@dataclass(frozen=True)
class ReviewFinding:
    """What a contribution has: 'broken' by a rule, 'undecided' because the machines differ, or only to be 'noted'."""

    state: Literal["broken", "undecided", "noted"]
    text: str


def label(record: Record) -> str:
    """How a record is called in a finding."""
    o = record.outcome
    return f"{record.record_sha256[:12]} ({o.method.name} {o.level} seed {o.seed}, {o.track} {o.setup})"


def review(
    new: Contribution, held: Contribution, shipped: Mapping[str, str], asked: Asked | None = None
) -> list[ReviewFinding]:
    """All that is wrong with what is `new`, or to be noted of it, given what a board holds already.

    `shipped` gives the source hash of each method of this repository by its name; `asked` is what the board asks.
    Not covered: whether the numbers are true. That is what a re-run is for.
    """
    sources = {**dict.fromkeys(shipped.values()), **held.sources, **new.sources}
    known = {(r.outcome.method.name, r.outcome.method.source_sha256) for r in held.records}
    usual = _usual_settings([*held.records, *new.records])
    broken = [
        f"record {label(record)} {what}"
        for record in new.records
        for what in (
            *_against_rules(record), *_against_sources(record, sources, shipped, known), *_against_end(record),
            *_against_part(record, usual), *(asked.against(record) if asked else ()),
        )
    ]  # fmt: skip
    broken += [f"record {label(record)} {what}" for record in new.records if (what := _against_decision(record, new))]
    broken += list(_left_over(new, held))
    noted = [
        ReviewFinding("noted", text)
        for text in (*skipped(in_order(new.records, asked), held.records), *unconfirmed(new.records, asked))
    ]
    return [*(ReviewFinding("broken", text) for text in broken), *_repeats(new.records, held.records), *noted]


def _against_rules(record: Record) -> Iterator[str]:
    """The track, its terms, the setup and the level are those of this repository."""
    o = record.outcome
    track = released_tracks().get(o.track)
    if track is None:
        yield f"is of track {o.track!r}, which this version does not know. Known: {', '.join(released_tracks())}"
    elif o.track_terms != json.loads(canonical_json(track.as_dict())):
        yield f"was run under other terms than those of track {o.track}"
    elif o.macs_convention != MACS_CONVENTION:
        yield f"counts MACs by another convention ({o.macs_convention!r}). Update your clone and run again"
    elif o.level not in (DENSE_LEVEL.name, *(level.name for level in track.levels)):
        yield f"is of level {o.level!r}, which track {o.track} does not have"
    try:
        find_setup(o.setup)
    except InputError:
        yield f"is of setup {o.setup!r}, which this version does not know"


def _against_end(record: Record) -> Iterator[str]:
    """A trial that ended well has a result; one that did not has none, and says why."""
    o = record.outcome
    results = [o.accuracy is not None, o.weights_sha256 is not None]
    if o.status == "ok" and not (all(results) and o.failure is None):
        yield "ended well, it says, but lacks its accuracy or its weights, or says why it failed"
    if o.status != "ok" and (any(results) or o.failure is None):
        yield f"ended as {o.status}, but has an accuracy or weights, or does not say why"


def _against_sources(
    record: Record, sources: Mapping[str, MethodFiles | None], shipped: Mapping[str, str], known: set[tuple[str, str]]
) -> Iterator[str]:
    """The code is at hand, and nobody goes by the name, or takes the part, of a method that ships with Prunemark."""
    method = record.outcome.method
    if method.kind != "pruned":
        if method.source_sha256 or method.role != "reference":
            yield f"is a {method.kind} run that claims code or another part than that of a reference"
        return
    if method.source_sha256 not in sources:
        yield f"was run from source {method.source_sha256[:12]}, which is not in methods/ and does not ship here"
    yield from _against_imitation(method, shipped, known)
    text = sources.get(method.source_sha256)
    if method.name not in shipped and text and method.name not in text.classes:
        yield f"goes by a name that no class of its source has ({', '.join(sorted(text.classes)) or 'it has none'})"
    if (method.name in shipped or method.role != "submission") and (
        method.source_sha256 != shipped.get(method.name) and (method.name, method.source_sha256) not in known
    ):
        yield (
            f"goes by the name or the part of a method that ships with Prunemark, but has other code "
            f"({method.source_sha256[:12]}). Update your clone, or give your class another name"
        )


def _against_imitation(method: Method, shipped: Mapping[str, str], known: set[tuple[str, str]]) -> Iterator[str]:
    """Nobody is taken for another by a name that reads alike, and every letter of a name can be seen."""
    if not PLAIN.fullmatch(method.name) or len(method.name) > LONGEST_NAME:
        letters = "A to Z, digits, '_', '.', '+' and '-'"
        yield f"has a method's name that is too long, or has other letters than {letters}: {as_given(method.name)}"
    others = {name for name, sha256 in (*shipped.items(), *known) if sha256 != method.source_sha256} - {method.name}
    if (method.name, method.source_sha256) not in known and (other := imitated(method.name, sorted(others))):
        yield f"goes by a name that reads like {as_given(other)}, which has other code. Give your class another name"


def _against_part(record: Record, usual: Mapping[tuple[str, ...], Mapping[str, Any]]) -> Iterator[str]:
    """Anchor, controls and references are those that the harness adds by itself: all are compared with them."""
    method, track = record.outcome.method, released_tracks().get(record.outcome.track)
    if track is None or method.role == "submission":
        return
    names: dict[str, str] = {kind: reference.name for kind, reference in REFERENCES.items()}
    names["pruned"] = track.anchor if method.role == "anchor" else RANDOM_CONTROL[track.granularity]
    if method.name != names[method.kind]:
        yield f"takes the part of {method.role}, which is that of {names[method.kind]}"
    elif (stated := method.chosen) != (expected := usual.get(_part(record), {})):
        yield f"takes the part of {method.role} with settings {stated or 'none'}; it has {expected or 'none'}"


def _usual_settings(records: Sequence[Record]) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """The settings with which the harness runs its own parts: those that were there first, by `_part`."""
    found: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for record in records:
        if record.outcome.method.kind == "pruned":
            found.setdefault(_part(record), record.outcome.method.chosen)
    return found


def _part(record: Record) -> tuple[str, ...]:
    method = record.outcome.method
    return record.outcome.track, method.role, method.name, method.source_sha256


def _against_decision(record: Record, new: Contribution) -> str:
    """Whether the decision of a pruned trial is there and is that of the record; in words if it is not."""
    o = record.outcome
    if o.method.kind != "pruned" or o.compression is None:
        return ""
    if record.record_sha256 not in new.decisions:
        return "comes without its decision: write both with `prunemark submit --contribute`"
    why = disagreement(o.compression, new.decisions[record.record_sha256])
    return f"does not agree with its decision: {why}" if why else ""


def _left_over(new: Contribution, held: Contribution) -> Iterator[str]:
    """Sources and decisions that belong to no record, and sources that no harness would run."""
    records = {record.record_sha256: record for record in (*held.records, *new.records)}
    used = {record.outcome.method.source_sha256 for record in records.values()}
    for sha256, text in new.sources.items():
        try:
            check_files(text)
        except RuleBroken as problem:
            yield f"source {sha256[:12]}: {problem}"
        if sha256 not in used:
            yield f"source {sha256[:12]} is that of no record"
    for sha256 in new.decisions:
        if sha256 not in records:
            yield f"a decision is there for record {sha256[:12]}, which is not"
        if sha256 in held.decisions:
            yield f"a second decision is there for record {sha256[:12]}"


def _repeats(new: Sequence[Record], held: Sequence[Record]) -> Iterator[ReviewFinding]:
    """Trials that are there already: no record takes another's place, and two outcomes of one trial cannot both be."""
    first = {identity(record): record for record in held}
    for record in new:
        other = first.setdefault(identity(record), record)
        if other is record:
            continue
        difference = first_difference(other.outcome, record.outcome)
        machine = other_machine(other.observed, record.observed)
        there = f"record {label(record)}: the trial is there already, as {other.record_sha256[:12]}"
        if difference is None:
            yield ReviewFinding("broken", f"{there}, with the same outcome. Leave it out, as --contribute does")
            continue
        text = f"{there}, and {difference.field} is {difference.recorded} there, {difference.here} here"
        yield (
            ReviewFinding("undecided", f"{text}. The machines differ ({machine})")
            if machine
            else ReviewFinding("broken", text)
        )
