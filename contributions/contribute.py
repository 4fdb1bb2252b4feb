"""What a finished submission gives to a board: its records, the sources that ran, what each pruning stage decided.

Read from the home's store and written into the board's folder: nothing runs here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from prunemark.benchmark.run.submit import stored_record
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.submission.method_files import read_source
from prunemark.benchmark.trial.keys import DECISION, resolved_keys
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.contributions.asked import asked_by
from prunemark.contributions.contribution import Contribution, counting_records, recorded_names
from prunemark.contributions.seed_policy import in_order, skipped, unconfirmed
from prunemark.records import board_terms
from prunemark.records.card import known_methods
from prunemark.records.decision import Decided, write_decisions
from prunemark.records.difference import first_difference
from prunemark.records.identity import identity
from prunemark.records.outcome import pack_correctness
from prunemark.records.pack import write_pack
from prunemark.records.record import Record
from prunemark.records.source import write_method
from prunemark.setups.errors import InputError

Say = Callable[[str], None]
MASKS = "masks.safetensors"


def check_before_running(submission: Entrant, folder: Path) -> None:
    """Raises InputError, before anything is run, when the results could not be added or accepted afterwards."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--contribute {folder} is a file. Give the folder of a board, such as leaderboard in a clone")
    if submission.source:
        read_source(submission.source)
        if submission.name in known_methods() and locate(submission.name)[1].sha256 != submission.source.sha256:
            raise InputError(f"{submission.name!r} is a method that ships with Prunemark. Give your class another name")


def contribute(trials: Sequence[Trial], store: Store, folder: Path, say: Say, *, drawn: bool = False) -> None:
    """Adds to a board's folder what it does not hold yet of these trials: sources, decisions, records.

    `drawn` says that the board drew the seeds: there is nothing to say of which count.
    """
    board_terms.make_board(folder)
    asked = asked_by(folder)
    done = {trial: record for trial in trials if (record := stored_record(trial, store)) is not None}
    held = counting_records(folder)
    fresh, differing = not_held(done, held)
    named = recorded_names(folder)
    withdrawn = [trial for trial, record in fresh.items() if record.record_sha256 in named]
    fresh = {trial: record for trial, record in fresh.items() if trial not in withdrawn}
    given = contribution_of(fresh, store)
    for method in given.sources.values():  # sources first: wherever it is cut off, no record is without its source
        write_method(method, folder / "methods")
    tracks = {record.record_sha256: record.outcome.track for record in given.records}
    write_decisions(((tracks[sha], sha, decided) for sha, decided in given.decisions.items()), folder / "decisions")
    write_pack(given.records, folder / "records")
    for text in () if drawn else (*skipped(in_order(given.records, asked), held), *unconfirmed(given.records, asked)):
        say(f"Note: {text}")
    _say_what_next(folder, len(fresh), len(done), differing, say)
    if withdrawn:
        say(f"{len(withdrawn)} of these very records do not count there: run the trials anew, in another --home")


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
    sources = {source.sha256: source for trial in records if (source := trial.entrant.source)}
    ok = {trial: record for trial, record in records.items() if record.outcome.status == "ok" and trial.entrant.source}
    decisions = {record.record_sha256: _kept_decision(trial, store) for trial, record in ok.items()}
    return Contribution(tuple(records.values()), {sha: read_source(s) for sha, s in sources.items()}, decisions)


def _kept_decision(trial: Trial, store: Store) -> Decided:
    if (decided := decided_by(trial, store)) is None:
        raise InputError(
            f"what {trial.label} decided is no longer in {store.root}.\nRun the same command again: it is made again"
        )
    return decided


def decided_by(trial: Trial, store: Store) -> Decided | None:
    """What the pruning stage of a trial decided; None for a reference, which has none, and where there is nothing."""
    keys = resolved_keys(trial, store)
    folder = store.read_part(keys.prune, DECISION, MASKS) if keys else None
    if folder is None:
        return None
    from prunemark.benchmark.trial.packing import read_masks

    masks = {
        layer: {"bits": pack_correctness(mask.reshape(-1)), "shape": list(mask.shape)}
        for layer, mask in read_masks(folder / MASKS).items()
    }
    return {"kept": json.loads((folder / DECISION).read_text())["kept"], "masks": masks}


def _say_what_next(folder: Path, fresh: int, trials: int, differing: Sequence[str], say: Say) -> None:
    say(f"\nBoard:   {folder}: {fresh} records added, {trials - fresh} of these trials were there already")
    if differing:
        say(f"{len(differing)} of those were there with another outcome, and are left as they are: {differing[0]}")
        say("On another kind of processor torch rounds differently; see docs/contributing.md on what happens then")
    if fresh:
        say("Next: make leaderboard, then git add, git commit and a pull request; see docs/contributing.md")
