"""Runs in an MLflow store, each step so that it can be repeated: an answer that was lost must not log anything twice.

A trial's run carries a token, by which it is found again; every value has the time of its epoch and not of its logging;
and after a failure the store is asked what has arrived before anything is sent again.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prunemark.benchmark.run import mlflow_fields as fields
from prunemark.benchmark.run import mlflow_view as view
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.mlflow_database import turn
from prunemark.benchmark.run.mlflow_fields import KEY_TAG, SETUP_TAG, Standing, Submission
from prunemark.benchmark.run.mlflow_store import KIND_TAG, SHA_TAG, local_artifacts
from prunemark.benchmark.run.mlflow_view import SUBMISSIONS_TAG, short_key
from prunemark.records.outcome import EpochPoint
from prunemark.records.record import Record, dump

PROCESS_TAG, TOKEN_TAG, PARENT_TAG = "prunemark.process", "prunemark.token", "prunemark.submission_key"
MOST_METRICS = 800
"""Values in one request. MLflow takes 1,000 values, parameters and tags together."""

PARENT_SECONDS = 10.0
"""How long another process may take to make the run of a submission; after that there may be two of it."""
TAKEN = re.compile("duplicate|unique", re.IGNORECASE)
"""What databases say of a row that another process has brought meanwhile."""


@dataclass
class Wanted:
    """A trial as MLflow should have it, and what of it is known to be there.

    `sent` are (name of a metric, step). `unsure`: an answer was lost, so what is there has to be asked for.
    """

    label: str
    parent: Submission
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    points: dict[tuple[str, int], tuple[EpochPoint, int]] = field(default_factory=dict)
    record: Record | None = None
    files: dict[str, Path] = field(default_factory=dict)
    run: str = ""
    sent: set[tuple[str, int]] = field(default_factory=set)
    unsure: bool = False
    failures: int = 0
    done: bool = False

    @property
    def has_news(self) -> bool:
        """Whether something has not been sent yet."""
        if self.record:
            return not self.done
        return any((name, at[1]) not in self.sent for at, (p, _) in self.points.items()
                   for name in fields.epoch_metrics(at[0], p))  # fmt: skip

    def forget_run(self) -> None:
        """Everything has to be sent into a new run."""
        self.run, self.token, self.sent = "", uuid.uuid4().hex, set()


@dataclass
class Runs:
    """The runs of one store. What was looked up is remembered; a new one is made when the store was lost."""

    client: Any
    uri: str
    home: Home
    _experiments: dict[str, str] = field(default_factory=dict)
    _known: dict[tuple[str, str], dict[str, tuple[str, str]]] = field(default_factory=dict)
    _parents: dict[str, str] = field(default_factory=dict)
    _brought: set[tuple[str, str]] = field(default_factory=set)
    _serves: dict[str, str] = field(default_factory=dict)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def prepare(self, submission: Submission) -> str:
        """The run of a submission, with its experiment: made where they are not there."""
        self.known(submission.track, submission.setup)
        if submission.key not in self._parents:
            with turn(self.home.root / "mlflow.db", PARENT_SECONDS):  # another command may log the same submission
                self._parents[submission.key] = self._parent(submission)
        return self._parents[submission.key]

    def known(self, track: str, setup: str) -> dict[str, tuple[str, str]]:
        """trial key -> (run id, record hash) of the finished runs of a setup."""
        if (track, setup) not in self._known:
            found: dict[str, tuple[str, str]] = {}
            for run in self._search(track, f"tags.`{SETUP_TAG}` = '{setup}'"):
                if sha := run.data.tags.get(SHA_TAG):
                    found[run.data.tags[KEY_TAG]] = (run.info.run_id, sha)
                    self._serves[run.info.run_id] = run.data.tags.get(SUBMISSIONS_TAG, "")
            self._known[track, setup] = found
        return self._known[track, setup]

    def has(self, record: Record) -> bool:
        """Whether a finished run carries this record."""
        o = record.outcome
        return self.known(o.track, o.setup).get(o.trial_key, ("", ""))[1] == record.record_sha256

    def send(self, wanted: Wanted) -> None:
        """Logs what is not there yet of a trial; all of it, and `done`, once it has its record."""
        record = wanted.record
        if record and not wanted.run and self.has(record):
            self._serve(record, wanted.parent)
            wanted.done = True
            return
        if wanted.unsure:
            self._look(wanted)
        if record and self._is_of_another_try(wanted, record):
            self.client.set_terminated(wanted.run, "KILLED")
            wanted.forget_run()
            wanted.points = {}
        if not wanted.run:
            tags = {"mlflow.parentRunId": self.prepare(wanted.parent), KIND_TAG: "trial"}
            tags |= {PROCESS_TAG: this_process(), TOKEN_TAG: wanted.token}
            tags[SUBMISSIONS_TAG] = short_key(wanted.parent.key)
            run = self.client.create_run(self.experiment(wanted.parent.track), run_name=wanted.label, tags=tags)
            wanted.run = run.info.run_id
        if record is None:
            self._metrics(wanted, fields.curve(wanted.points))
        else:
            self._finish(wanted, record)

    def _serve(self, record: Record, submission: Submission) -> None:
        """A run that is there already also belongs to this submission."""
        run, _ = self.known(record.outcome.track, record.outcome.setup)[record.outcome.trial_key]
        theirs, ours = self._serves.get(run, "").split(), short_key(submission.key)
        if ours not in theirs:
            self._serves[run] = " ".join([*theirs, ours])
            self.client.set_tag(run, SUBMISSIONS_TAG, self._serves[run])

    def describe(self, submission: Submission, standing: Standing) -> None:
        """What the parent run says of its submission, in place of what it said before."""
        from mlflow.entities import RunTag

        run = self.prepare(submission)
        tags = fields.standing_tags(submission, standing)
        self.client.log_batch(run, tags=[RunTag(name, value) for name, value in tags.items()])
        for name, text in standing.tables.items():
            self.client.log_text(run, text, name)

    def close(self, unfinished: Iterable[Wanted]) -> None:
        """Ends what is still open: trials that did not finish, and the submissions' own runs."""
        for wanted in unfinished:
            if wanted.run and not wanted.done:
                self.client.set_terminated(wanted.run, "KILLED")
        for run in self._parents.values():
            self.client.set_terminated(run, "FINISHED")

    def experiment(self, track: str) -> str:
        """The id of the track's experiment: made where it is not there, restored where it was deleted."""
        if track not in self._experiments:
            found = self.client.get_experiment_by_name(track) or self._new_experiment(track)
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            for tag in view.first_tags(found.tags).items():
                self.client.set_experiment_tag(found.experiment_id, *tag)
            self._experiments[track] = str(found.experiment_id)
            self._close_orphans(track)
        return self._experiments[track]

    def _new_experiment(self, track: str) -> Any:
        from mlflow.exceptions import MlflowException

        location = local_artifacts(self.uri, self.home)
        place = (location / track).as_uri() if location else None
        try:
            self.client.create_experiment(track, artifact_location=place, tags=view.first_tags({}))
        except MlflowException:  # another process made it meanwhile, or it cannot be made, which is said next
            if not (found := self.client.get_experiment_by_name(track)):
                raise
            return found
        return self.client.get_experiment_by_name(track)

    def _search(self, track: str, words: str) -> Iterable[Any]:
        token, experiment = None, self.experiment(track)
        while True:
            page = self.client.search_runs([experiment], words, max_results=1000, page_token=token)
            yield from page
            if not (token := page.token):
                return

    def _close_orphans(self, track: str) -> None:
        """Ends runs whose process is gone (kill -9): their trials run again, under a new run."""
        for run in list(self._search(track, "attributes.status = 'RUNNING'")):
            host, _, pid = run.data.tags.get(PROCESS_TAG, "").partition(":")
            if host == platform.node() and not Path(f"/proc/{pid}").exists():
                whole = SHA_TAG in run.data.tags
                self.client.set_terminated(
                    run.info.run_id, fields.status(run.data.tags["prunemark.status"]) if whole else "KILLED"
                )

    def _parent(self, submission: Submission) -> str:
        from mlflow.entities import Param

        experiment = self.experiment(submission.track)
        ours = self._search(submission.track, f"tags.`{PARENT_TAG}` = '{submission.key}'")
        found = min(ours, key=lambda run: (run.info.start_time, run.info.run_id), default=None)
        if found is None:
            tags = {PARENT_TAG: submission.key, KIND_TAG: "submission", PROCESS_TAG: this_process()}
            tags |= fields.parent_tags(submission) | {SUBMISSIONS_TAG: short_key(submission.key)}
            name = f"{submission.name} under {submission.setup}"
            found = self.client.create_run(experiment, run_name=name, tags=tags)
        view.show(self.client, experiment, submission)
        params = [Param(name, value) for name, value in fields.parent_parameters(submission).items()]
        if not found.data.params:
            try:
                self.client.log_batch(found.info.run_id, params=params[:100])
            except Exception as problem:  # another machine's command logs the same ones
                if not TAKEN.search(str(problem)):
                    raise
        return str(found.info.run_id)

    def _look(self, wanted: Wanted) -> None:
        """What has arrived of a trial after an answer was lost."""
        found = next(iter(self._search(wanted.parent.track, f"tags.`{TOKEN_TAG}` = '{wanted.token}'")), None)
        if found is None:
            wanted.forget_run()
        else:
            wanted.run = found.info.run_id
            histories = [self.client.get_metric_history(wanted.run, name) for name in found.data.metrics]
            wanted.sent = {(point.key, point.step) for history in histories for point in history}
        wanted.unsure = False

    def _is_of_another_try(self, wanted: Wanted, record: Record) -> bool:
        """Whether epochs were logged that the record does not have: the trial ran twice, and on a GPU bits differ."""
        curve = {("retraining", point.epoch): point for point in record.outcome.curve}
        ours = {at: point for at, (point, _) in wanted.points.items() if at[0] == "retraining"}
        return bool(wanted.run and record.outcome.curve and any(curve.get(at) != point for at, point in ours.items()))

    def _metrics(self, wanted: Wanted, values: list[Any]) -> None:
        new = [metric for metric in values if (metric.key, metric.step) not in wanted.sent]
        for start in range(0, len(new), MOST_METRICS):
            part = new[start : start + MOST_METRICS]
            self.client.log_batch(wanted.run, metrics=part)
            wanted.sent |= {(metric.key, metric.step) for metric in part}

    def _data(self, run: str, record: Record) -> None:
        """MLflow fails where two runs bring the same new data at once: the first one goes alone.

        Where the other run is another process's, once more: now the data are there.
        """
        data = fields.dataset_of(record)
        where = (record.outcome.track, data.dataset.digest)
        with contextlib.nullcontext() if where in self._brought else self._one_at_a_time:
            try:
                self.client.log_inputs(run, datasets=[data])
            except Exception as problem:
                if not TAKEN.search(str(problem)):
                    raise
                self.client.log_inputs(run, datasets=[data])
        self._brought.add(where)

    def _finish(self, wanted: Wanted, record: Record) -> None:
        """Files first and the record's hash last: a run that has the hash is whole."""
        from mlflow.entities import Metric, Param, RunTag

        run, client = wanted.run, self.client
        client.log_text(run, dump(record), "record.json")
        if record.outcome.failure and record.outcome.failure.traceback:
            client.log_text(run, record.outcome.failure.traceback, "traceback.txt")
        for name, path in wanted.files.items():
            if path.is_file():
                client.log_artifact(run, str(path), None if name == path.name else name)
        self._data(run, record)
        when = fields.finished_ms(record)
        for point in record.outcome.curve:
            wanted.points.setdefault(("retraining", point.epoch), (point, when))
        rest = [
            *fields.curve(wanted.points),
            *(Metric(name, value, when, 0) for name, value in fields.final_metrics(record).items()),
        ]
        rest = [metric for metric in rest if (metric.key, metric.step) not in wanted.sent]
        self._metrics(wanted, rest[:-MOST_METRICS])
        params = [Param(name, value) for name, value in fields.parameters(record).items()]
        tags = fields.filterable_tags(record) | {SHA_TAG: record.record_sha256}
        client.log_batch(run, rest[-MOST_METRICS:], params[:100], [RunTag(*tag) for tag in tags.items()])
        client.set_terminated(run, fields.status(record.outcome.status))
        self.known(record.outcome.track, record.outcome.setup)[record.outcome.trial_key] = (run, record.record_sha256)
        self._serves[run] = short_key(wanted.parent.key)
        wanted.done = True


def this_process() -> str:
    """Who logs a run: by it the next process on this machine knows whether the run goes on."""
    return f"{platform.node()}:{os.getpid()}"
