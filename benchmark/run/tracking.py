"""MLflow: where a run is watched and found. An experiment a track, a run a trial, under a run a submission.

Everything is logged by a thread of the main process, in batches, so trials never wait for a server and no two processes
open a new database at once. MLflow mirrors the records and never holds the only copy. A store that goes away is tried
again, each time after a longer wait, and gets what it missed when it is back. What it still lacks in the end is said,
and logged when the same command runs again, or by `prunemark mlflow rebuild`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.mlflow_address import is_server, reason
from prunemark.benchmark.run.mlflow_database import Say
from prunemark.benchmark.run.mlflow_fields import Standing, Submission
from prunemark.benchmark.run.mlflow_runs import Runs, Wanted
from prunemark.benchmark.run.mlflow_store import connect, quiet_logs
from prunemark.records.outcome import EpochPoint
from prunemark.records.record import Record
from prunemark.setups.errors import InputError
from prunemark.setups.secrets import without_secrets

FLUSH_SECONDS = 2.0
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 60.0
"""Between two tries to reach a store that went away; each wait is twice the one before."""
PATIENCE_SECONDS = 60.0
"""At the end of a run: how long a slow store is waited for."""
AWAY_PATIENCE_SECONDS = 10.0
"""And how long one that does not answer."""
INTERRUPTED_PATIENCE_SECONDS = 2.0
SAY_AFTER_SECONDS = 2.0
LANES = 8
"""Trials that are sent to a server at once: each is eight requests, one after the other."""


@dataclass
class Tracker:
    """Mirrors trials into MLflow from one thread. Use as a context manager; leaving it waits for the rest, for a time.

    Entering raises InputError for an address that does not lead to MLflow. Afterwards nothing raises: what cannot be
    logged is said.
    """

    uri: str
    home: Home
    submission: Submission
    say: Say = lambda _: None
    patience_seconds: float = PATIENCE_SECONDS
    clock: Callable[[], float] = time.monotonic
    _queue: queue.Queue[Callable[[], None] | None] = field(default_factory=queue.Queue)
    _thread: threading.Thread | None = None
    _runs: Runs | None = None
    _wanted: dict[Hashable, Wanted] = field(default_factory=dict)
    _standings: dict[Submission, Standing] = field(default_factory=dict)
    _away: bool = False
    _wait: float = FIRST_WAIT_SECONDS
    _next: float = 0.0
    _deadline: float = 0.0
    _news: bool = False
    _stopped: bool = False
    _finished: set[Hashable] = field(default_factory=set)

    def __enter__(self) -> Tracker:
        try:
            with quiet_logs():
                self._reach()
        except InputError:
            raise
        except Exception as problem:
            if self.uri == self.home.mlflow_uri:
                self._lost(problem)
            else:
                raise InputError(
                    f"MLflow at {without_secrets(self.uri)} takes no runs: {reason(problem, self.uri)}"
                ) from None
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        patience = self.patience_seconds if kind is None else INTERRUPTED_PATIENCE_SECONDS
        self._deadline = self.clock() + patience
        self._queue.put(None)
        assert self._thread is not None
        self._thread.join(min(patience, SAY_AFTER_SECONDS))
        if self._thread.is_alive() and not self._away and self.lacking and patience <= PATIENCE_SECONDS:
            self.say(f"logging {self.lacking} more trials to MLflow, for {patience:.0f} s at most")
        self._thread.join(max(0.0, self._deadline - self.clock()))
        self._stopped = True
        self._say_what_is_lacking()

    @property
    def lacking(self) -> int:
        """Trials that have their record and are not in MLflow yet."""
        return len(self._finished) - sum(wanted.done for wanted in list(self._wanted.values()))

    @property
    def added(self) -> int:
        """Trials that were logged from here."""
        return sum(wanted.done and bool(wanted.run) for wanted in list(self._wanted.values()))

    def epoch(self, trial: Hashable, label: str, stage: str, point: EpochPoint) -> None:
        """An epoch of a running trial was finished. The first value of an epoch counts: a trial may be tried again."""
        now = int(time.time() * 1000)

        def take() -> None:
            self._of(trial, label).points.setdefault((stage, point.epoch), (point, now))

        self._queue.put(take)

    def finish(
        self, trial: Hashable, label: str, record: Record, files: dict[str, Path], under: Submission | None = None
    ) -> None:
        """A trial is done: its parameters, metrics and files, and the tag that ties the run to the record."""

        def take() -> None:
            wanted = self._of(trial, label, under)
            wanted.record, wanted.files = record, files

        self._finished.add(trial)
        self._queue.put(take)

    def describe(self, standing: Standing, of: Submission | None = None) -> None:
        """What the run of a submission says of it: seeds, verdicts and tables as they are now."""
        self._queue.put(lambda: self._standings.update({of or self.submission: standing}))

    def _of(self, trial: Hashable, label: str, under: Submission | None = None) -> Wanted:
        if trial not in self._wanted:
            self._wanted[trial] = Wanted(label, under or self.submission)
        return self._wanted[trial]

    def _work(self) -> None:
        while self._take():
            self._push()
        ended = self.clock()
        while not self._push() and not self._stopped:
            patience = min(self._deadline, ended + AWAY_PATIENCE_SECONDS)
            if self.clock() + FIRST_WAIT_SECONDS > patience:
                break
            time.sleep(FIRST_WAIT_SECONDS)
        self._close()

    def _take(self) -> bool:
        """Hears all that has happened, and waits until it is time to log; False at the end."""
        while True:
            left = max(0.0, self._next - self.clock()) if self._news else None
            try:
                action = self._queue.get(timeout=left) if left != 0.0 else self._queue.get_nowait()
            except queue.Empty:
                return True
            if action is None:
                return False
            action()
            self._news = True

    def _push(self) -> bool:
        """Logs all there is; whether that went well. Whatever raises is the store's: records are on disk."""
        try:
            with quiet_logs():
                self._send(self._runs or self._reach())
        except Exception as problem:
            self._lost(problem)
            return False
        if self._away:
            self.say(f"MLflow at {without_secrets(self.uri)} answers again, and has what it missed")
        self._away, self._wait, self._news = False, FIRST_WAIT_SECONDS, False
        self._next = self.clock() + FLUSH_SECONDS
        return True

    def _reach(self) -> Runs:
        runs = Runs(connect(self.uri, self.home, self.say), self.uri, self.home)
        runs.prepare(self.submission)
        for wanted in self._wanted.values():
            if wanted.done and wanted.record and not runs.has(wanted.record):  # the database was made anew
                wanted.done = False
                wanted.forget_run()
        self._runs = runs
        return runs

    def _send(self, runs: Runs) -> None:
        """The trials that failed most come last: one that MLflow refuses does not keep back the others."""
        waiting = sorted((w for w in self._wanted.values() if w.has_news), key=lambda wanted: wanted.failures)
        for wanted in waiting:
            runs.prepare(wanted.parent)
        problems: list[Exception] = []

        def send(wanted: Wanted) -> None:
            if len(problems) >= LANES or self._stopped:
                return
            try:
                runs.send(wanted)
            except Exception as problem:
                wanted.unsure, wanted.failures = True, wanted.failures + 1
                problems.append(problem)

        with ThreadPoolExecutor(LANES if is_server(self.uri) else 1) as pool:
            list(pool.map(send, waiting))
        if problems:
            raise problems[0]
        for submission, standing in list(self._standings.items()):
            runs.describe(submission, standing)
            del self._standings[submission]

    def _lost(self, problem: Exception) -> None:
        """Says it once, and waits twice as long as before until the next try."""
        if not self._away:
            self.say(
                f"MLflow at {without_secrets(self.uri)} takes nothing: {reason(problem, self.uri)}. Trials go on; "
                "what it misses is logged when it answers again"
            )
        self._away, self._runs = True, None
        for wanted in self._wanted.values():
            wanted.unsure = wanted.unsure or bool(wanted.run)
        self._next = self.clock() + self._wait
        self._wait = min(2 * self._wait, LONGEST_WAIT_SECONDS)

    def _close(self) -> None:
        if self._runs is None:
            return
        try:
            with quiet_logs():
                self._runs.close(self._wanted.values())
        except Exception as problem:  # the runs stay open there; the next process on this machine ends them
            self._lost(problem)

    def _say_what_is_lacking(self) -> None:
        where, asked = without_secrets(self.uri), len(self._finished)
        if self.lacking:
            self.say(
                f"MLflow at {where} lacks {self.lacking} of {asked} trials. All records are kept: "
                "`prunemark mlflow rebuild` with the same --home and --tracking-uri logs them"
            )
        elif self._standings:
            self.say(f"MLflow at {where} lacks the tables of this run; no trial is missing there")
