"""`prunemark mlflow`: the mirror of a home's records in MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from prunemark.cli.options import HomeOption, UriOption, console
from prunemark.setups.errors import InputError, WorkFailed

if TYPE_CHECKING:
    from prunemark.benchmark.run.home import Home
    from prunemark.benchmark.run.mlflow_fields import Submission
    from prunemark.benchmark.run.tracking import Tracker
    from prunemark.records.record import Record

mirror = typer.Typer(help="The mirror of records in MLflow.", no_args_is_help=True, rich_markup_mode=None)
WEEK_SECONDS = 7 * 24 * 3600.0


@mirror.callback()
def _mirror() -> None:
    """Keeps `rebuild` a word of its own, as long as there is one verb."""


@mirror.command()
def rebuild(home: HomeOption = None, tracking_uri: UriOption = None) -> None:
    """Log again what the MLflow store lacks, from the records of a home: after a server was away, or to another store.

    A damaged database of the home is set aside first. What is there already is left as it is.
    """
    from functools import partial

    from prunemark.benchmark.run.home import home_at
    from prunemark.benchmark.run.mlflow_address import tracking_uri as address
    from prunemark.benchmark.run.tracking import Tracker
    from prunemark.setups.errors import need

    need("run", "logging to MLflow")
    place = home_at(home)
    groups = [each for folder in _folders(place) for each in _by_submission(folder)]
    if not groups:
        raise InputError(f"no records in {str(place.root)!r}. Run `prunemark submit` first, or say where with --home")
    say = partial(console(stderr=True).print, soft_wrap=True, markup=False)
    found = sum(len(records) for _, _, records in groups)
    with Tracker(address(tracking_uri, place), place, groups[0][1], say, WEEK_SECONDS) as tracker:
        for folder, submission, records in groups:
            _log(tracker, folder, submission, records, place)
    if tracker.lacking:
        raise WorkFailed(f"{tracker.lacking} of {found} trials could not be logged. Run it again when MLflow answers")
    console().print(f"{found} trials: {found - tracker.added} were in MLflow, {tracker.added} logged now")


def _folders(home: Home) -> list[Path]:
    """The records of a home and of its collections."""
    return sorted(path for path in (home.records, *home.root.glob("*/records")) if any(path.glob("*.json")))


def _by_submission(folder: Path) -> list[tuple[Path, Submission, list[Record]]]:
    """The sound records of a folder, under the submission that they ran with.

    A control runs once for all submissions of a setup: it goes under the one that it is matched to, or the first.
    """
    from prunemark.records.load import read_sound

    records = sorted(read_sound(folder, []), key=lambda record: record.observed.finished_at)
    submitted = [record for record in records if record.outcome.method.role == "submission"]
    anchors = [record for record in records if record.outcome.method.role == "anchor"]
    groups: dict[Submission, list[Record]] = {}
    for record in records:
        groups.setdefault(_submission(_ran_with(record, submitted, anchors)), []).append(record)
    return [(folder, submission, its) for submission, its in groups.items()]


def _ran_with(record: Record, submitted: Sequence[Record], anchors: Sequence[Record]) -> Record:
    o = record.outcome
    if o.method.role == "submission":
        return record
    here = [other for other in submitted if (other.outcome.track, other.outcome.setup) == (o.track, o.setup)]
    if matched := o.method.matched_to:
        theirs = [other.outcome.method for other in here]
        named = [m for m in theirs if matched.names(m.name, m.source_sha256, m.settings)]
        here = [other for other in here if other.outcome.method in named] or here
    there = [other for other in anchors if (other.outcome.track, other.outcome.setup) == (o.track, o.setup)]
    return next(iter([*here, *there]), record)


def _submission(record: Record) -> Submission:
    """The submission of a record, by the same key as when it ran."""
    from prunemark.benchmark.run.mlflow_fields import Submission, submission_key

    o = record.outcome
    key = submission_key(o.track, o.setup, o.method.name, o.method.source_sha256, o.method.settings)
    return Submission(o.track, o.setup, o.method.name, o.method.summary, key, tuple(sorted(o.method.settings.items())))


def _log(tracker: Tracker, folder: Path, submission: Submission, records: Sequence[Record], home: Home) -> None:
    from prunemark.benchmark.run.mlflow_fields import label_of
    from prunemark.benchmark.trial.keys import PREDICTIONS
    from prunemark.cli.mirrored import standing_of

    for record in records:
        path = home.store.path(record.outcome.trial_key) / PREDICTIONS
        files = {path.name: path} if path.is_file() else {}
        tracker.finish(record.record_sha256, label_of(record), record, files, submission)
    method = next((r.outcome.method for r in records if r.outcome.method.name == submission.name), None)
    if method:
        named = (method.name, method.source_sha256, method.settings)
        tracker.describe(standing_of(folder, submission.track, submission.setup, *named), submission)
