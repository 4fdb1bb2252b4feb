"""One record a trial: of several that say what one trial gave, which of them stands for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prunemark.records.admission import Refused
from prunemark.records.identity import methods_of, trial_of
from prunemark.records.record import Record


def one_a_trial(records: Sequence[Record], refused: list[Refused], invalid: Mapping[str, str]) -> list[Record]:
    """The records that stand, sorted by content; the others of their trials are refused, with what stands for them."""
    trials: dict[str, list[Record]] = {}
    for record, who in zip(records, methods_of(records), strict=True):
        trials.setdefault(trial_of(record, who), []).append(record)
    found = [_standing(group, invalid) for group in trials.values()]
    for group, stands in zip(trials.values(), found, strict=True):
        refused += [_in_place_of(record, stands, invalid) for record in group if record is not stands]
    return sorted(found, key=lambda r: r.record_sha256)


def _standing(group: Sequence[Record], invalid: Mapping[str, str]) -> Record:
    """Of several records of one trial, as after a change of the harness, the one that finished last counts.

    Where it only obtained again what an older one has, the older stands: it is the one that has been cited. One that
    was invalidated counts only where there is no other.
    """
    if len(group) == 1:
        return group[0]
    valid = [record for record in group if record.record_sha256 not in invalid] or group
    by_time = sorted(valid, key=lambda r: (r.observed.finished_at, r.record_sha256))
    numbers = by_time[-1].outcome.numbers
    return next(record for record in by_time if record.outcome.numbers == numbers)


def _in_place_of(record: Record, stands: Record, invalid: Mapping[str, str]) -> Refused:
    if why := invalid.get(record.record_sha256):
        return Refused.record(record, f"does not count: {why}")
    newer = stands.record_sha256
    same = record.outcome.numbers == stands.outcome.numbers
    return Refused.record(record, f"{'has the same bits as' if same else 'superseded by'} {newer[:12]}", newer)
