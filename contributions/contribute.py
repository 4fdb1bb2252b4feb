"""What a finished submission gives to a board: its records, the sources that ran, what each pruning stage decided.

Plain data, read from the home's store: nothing runs here. `cli_contribution` writes it into a board's folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prunemark.benchmark.submission.method_files import read_source
from prunemark.benchmark.trial.keys import DECISION, resolved_keys
from prunemark.benchmark.trial.plan import Trial
from prunemark.benchmark.trial.store import Store
from prunemark.records.decision import Decided
from prunemark.records.difference import first_difference
from prunemark.records.identity import identity
from prunemark.records.outcome import pack_correctness
from prunemark.records.record import Record
from prunemark.records.source import MethodFiles

MASKS = "masks.safetensors"


@dataclass(frozen=True)
class Contribution:
    """Records with what belongs to them: sources by their own hash, decisions by the record's."""

    records: tuple[Record, ...]
    sources: Mapping[str, MethodFiles]
    decisions: Mapping[str, Decided]


def gather(trials: Sequence[Trial], store: Store) -> dict[Trial, Record]:
    """The records of those trials that have one."""
    from prunemark.benchmark.run.submit import stored_record

    return {trial: record for trial in trials if (record := stored_record(trial, store)) is not None}


def not_held(records: Mapping[Trial, Record], held: Sequence[Record]) -> tuple[dict[Trial, Record], tuple[str, ...]]:
    """The trials that a board does not hold yet, and in words those that it holds with another outcome.

    A trial that is there is not written again, so that no record silently takes another's place.
    """
    there = {identity(record): record for record in held}
    fresh = {trial: record for trial, record in records.items() if identity(record) not in there}
    differing = [
        f"{trial.label}: {difference}"
        for trial, record in records.items()
        if trial not in fresh and (difference := first_difference(there[identity(record)].outcome, record.outcome))
    ]
    return fresh, tuple(differing)


def contribution_of(records: Mapping[Trial, Record], store: Store) -> Contribution:
    """Everything that belongs to these records, from the store in which they were made.

    Raises WorkFailed when a method's file has changed since, InputError when it cannot be carried.
    """
    sources = {source.sha256: source for trial in records if (source := trial.competitor.source)}
    decisions = {
        record.record_sha256: decided
        for trial, record in records.items()
        if record.outcome.status == "ok" and (decided := decided_by(trial, store)) is not None
    }
    return Contribution(tuple(records.values()), {sha: read_source(s) for sha, s in sources.items()}, decisions)


def decided_by(trial: Trial, store: Store) -> Decided | None:
    """What the pruning stage of a trial decided; None for a reference, which has none, and where there is nothing."""
    keys = resolved_keys(trial, store)
    folder = store.read(keys.prune) if keys else None
    if folder is None:
        return None
    from safetensors.numpy import load_file

    masks = {
        layer: {"bits": pack_correctness(mask.astype(bool).reshape(-1)), "shape": list(mask.shape)}
        for layer, mask in load_file(folder / MASKS).items()
    }
    return {"kept": json.loads((folder / DECISION).read_text())["kept"], "masks": masks}
