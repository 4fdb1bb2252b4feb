"""MLflow: where a run is watched and found. An experiment a track, a run a trial, under a run a submission.

Everything is logged by one thread of the main process, in batches, so trials never wait for a server and
no two processes open a new database at once. MLflow mirrors the records and never holds the only copy: a
trial whose run is missing there is logged from its record the next time the command is run.
"""

from __future__ import annotations

import os
import platform
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.mlflow_fields import KEY_TAG, SETUP_TAG, filterable_tags, final_metrics, parameters
from prunemark.benchmark.run.mlflow_store import KIND_TAG, SHA_TAG, connect, first_line, quiet_logs
from prunemark.records.outcome import EpochPoint
from prunemark.records.record import Record, dump
from prunemark.setups.errors import WorkFailed

PROCESS_TAG = "prunemark.process"
FLUSH_SECONDS = 2.0


@dataclass(frozen=True)
class Submission:
    """The parent run: what was submitted, where."""

    track: str
    setup: str
    name: str
    summary: str
    key: str


@dataclass
class Tracker:
    """Mirrors trials into MLflow from one thread. Use as a context manager; leaving it waits for the rest."""

    uri: str
    home: Home
    submission: Submission
    problem: Exception | None = None
    _queue: queue.Queue[Callable[[], None] | None] = field(default_factory=queue.Queue)
    _thread: threading.Thread | None = None
    _client: Any = None
    _experiment: str = ""
    _parent: str = ""
    _known: dict[str, tuple[str, str]] = field(default_factory=dict)
    _open: dict[str, str] = field(default_factory=dict)
    _pending: dict[str, list[tuple[str, EpochPoint]]] = field(default_factory=dict)
    _flushed: float = 0.0

    def __enter__(self) -> Tracker:
        self._client = connect(self.uri, self.home)
        with quiet_logs():
            self._experiment = self._find_experiment()
            self._known = self._known_runs()
            self._close_orphans()
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.put(self._close)
        self._queue.put(None)
        assert self._thread is not None
        self._thread.join()

    def missing(self, record: Record) -> bool:
        """Whether no finished run carries this record."""
        return self._known.get(record.outcome.trial_key, ("", ""))[1] != record.record_sha256

    def epoch(self, label: str, stage: str, point: EpochPoint) -> None:
        """An epoch of a running trial was finished."""
        self._queue.put(lambda: self._log_epoch(label, stage, point))

    def finish(self, label: str, record: Record, files: dict[str, Path]) -> None:
        """A trial is done: its parameters, metrics and files, and the tag that ties the run to the record."""
        self._queue.put(lambda: self._finish(label, record, files))

    def _work(self) -> None:
        while (action := self._queue.get()) is not None:
            if self.problem is None:
                try:
                    with quiet_logs():
                        action()
                except Exception as problem:  # a lost server must not end the trials: records are on disk
                    self.problem = problem

    def raise_problem(self) -> None:
        """Raises WorkFailed when something could not be logged; the records are safe all the same."""
        if self.problem is not None:
            raise WorkFailed(
                f"MLflow at {self.uri} stopped answering: {first_line(self.problem)}\n"
                "All records are kept; run the same command again to log what is missing"
            )

    def _find_experiment(self) -> str:
        """The track's experiment, made when it is not there."""
        from mlflow.exceptions import MlflowException

        name = self.submission.track
        if found := self._client.get_experiment_by_name(name):
            return str(found.experiment_id)
        local = self.uri == self.home.mlflow_uri
        location = (self.home.mlflow_artifacts / name).as_uri() if local else None
        try:
            return str(self._client.create_experiment(name, artifact_location=location))
        except MlflowException:  # another process made it meanwhile
            return str(self._client.get_experiment_by_name(name).experiment_id)

    def _known_runs(self) -> dict[str, tuple[str, str]]:
        """trial key -> (run id, record hash) of finished runs of this setup. Interrupted ones are closed."""
        known, token = {}, None
        while True:
            page = self._client.search_runs(
                [self._experiment],
                f"tags.`{SETUP_TAG}` = '{self.submission.setup}'",
                max_results=1000,
                page_token=token,
            )
            for run in page:
                if sha := run.data.tags.get(SHA_TAG):
                    known[run.data.tags[KEY_TAG]] = (run.info.run_id, sha)
            token = page.token
            if not token:
                return known

    def _close_orphans(self) -> None:
        """Marks runs whose process is gone (kill -9) as killed; their trials run again under a new run."""
        for run in self._client.search_runs([self._experiment], "attributes.status = 'RUNNING'", max_results=1000):
            host, _, pid = run.data.tags.get(PROCESS_TAG, "").partition(":")
            if host == platform.node() and not Path(f"/proc/{pid}").exists():
                self._client.set_terminated(run.info.run_id, "KILLED")

    def _parent_run(self) -> str:
        if not self._parent:
            tags = {
                "prunemark.submission_key": self.submission.key,
                KIND_TAG: "submission",
                PROCESS_TAG: _this_process(),
                "mlflow.note.content": self.submission.summary,
            }
            found = self._client.search_runs(
                [self._experiment],
                f"tags.`prunemark.submission_key` = '{self.submission.key}'",
                max_results=1,
            )
            name = f"{self.submission.name} under {self.submission.setup}"
            run = found[0] if found else self._client.create_run(self._experiment, run_name=name, tags=tags)
            self._parent = run.info.run_id
        return self._parent

    def _run_of(self, label: str) -> str:
        if label not in self._open:
            tags = {
                "mlflow.parentRunId": self._parent_run(),
                KIND_TAG: "trial",
                PROCESS_TAG: _this_process(),
            }
            run = self._client.create_run(self._experiment, run_name=label, tags=tags)
            self._open[label] = run.info.run_id
        return self._open[label]

    def _log_epoch(self, label: str, stage: str, point: EpochPoint) -> None:
        self._run_of(label)
        self._pending.setdefault(label, []).append((stage, point))
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            for waiting in list(self._pending):
                self._flush(waiting)
            self._flushed = time.monotonic()

    def _flush(self, label: str) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [
            Metric(f"{stage}.{name}", value, now, point.epoch)
            for stage, point in self._pending.pop(label, [])
            for name, value in (
                ("train_loss", point.train_loss),
                ("validation_accuracy_percent", point.validation_accuracy_percent),
                ("lr", point.lr),
            )
            if value is not None
        ]
        for start in range(0, len(metrics), 1000):
            self._client.log_batch(self._run_of(label), metrics=metrics[start : start + 1000])

    def _finish(self, label: str, record: Record, files: dict[str, Path]) -> None:
        from mlflow.entities import Metric, Param, RunTag

        if not self.missing(record):
            return
        if label not in self._pending and record.outcome.curve:
            self._pending[label] = [("retraining", point) for point in record.outcome.curve]
        run = self._run_of(label)
        self._flush(label)
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, 0) for name, value in final_metrics(record).items()]
        params = [Param(name, str(value)[:500]) for name, value in parameters(record).items()]
        self._client.log_batch(run, metrics=metrics, params=params)
        self._client.log_text(run, dump(record), "record.json")
        if record.outcome.failure and record.outcome.failure.traceback:
            self._client.log_text(run, record.outcome.failure.traceback, "traceback.txt")
        for name, path in files.items():
            if path.is_file():
                self._client.log_artifact(run, str(path), None if name == path.name else name)
        tags = filterable_tags(record) | {SHA_TAG: record.record_sha256}
        self._client.log_batch(run, tags=[RunTag(name, value) for name, value in tags.items()])
        self._client.set_terminated(run, "FINISHED" if record.outcome.status == "ok" else "FAILED")
        self._known[record.outcome.trial_key] = (run, record.record_sha256)
        del self._open[label]

    def _close(self) -> None:
        """Ends what is still open: trials that did not finish, and the submission's own run."""
        for run in self._open.values():
            self._client.set_terminated(run, "KILLED")
        if self._parent:
            self._client.set_terminated(self._parent, "FINISHED")


def _this_process() -> str:
    return f"{platform.node()}:{os.getpid()}"
