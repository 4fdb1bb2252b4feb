"""What a run does for a home in an object store: it fetches what others made, gives what it makes, and waits its turn.

Whatever the object store does, the run goes on: what it does not take stays here, and the next command sends it.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prunemark.benchmark.run.drive import Event, Executor
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.trial.keys import pretrain_key, resolved_keys, stage_keys
from prunemark.benchmark.trial.object_leases import Leases
from prunemark.benchmark.trial.objects import Away, Objects
from prunemark.benchmark.trial.trial import Trial

POLL_SECONDS = 2.0


@dataclass
class Sharing:
    """One run's part in it. `say` hears once of an object store that is away."""

    home: Home
    objects: Objects
    leases: Leases
    trial_of: Mapping[str, Trial]
    say: Callable[[str], None]
    _next: dict[str, float] = field(default_factory=dict)
    _away: bool = False

    def hold(self, job: Job) -> float:
        """0 where it may start: nobody else is at it. What others made of it by then is fetched."""
        name = self._lease_of(job)
        if not name:
            return 0.0
        if (left := self._next.get(job.id, 0.0) - time.monotonic()) > 0:
            return left
        if not self.leases.try_lease(name):
            self._next[job.id] = time.monotonic() + POLL_SECONDS
            return POLL_SECONDS
        self._fetch(job)
        return 0.0

    def ended(self, job: Job) -> None:
        """It is done, or lost: what it made is given, and the others may go on with it."""
        self.give()
        self.leases.let_go(self._lease_of(job))

    def give(self) -> None:
        """Sends what only this machine has. Where another one was quicker, its result takes the place of ours."""
        try:
            for key in self.objects.give_new(self.home.store):
                shutil.rmtree(self.home.store.path(key), ignore_errors=True)
                self.home.store.read(key)
            self.objects.give_files(self.home.root)
            self._away = False
        except Away as problem:
            if not self._away:
                self.say(f"{problem}. Trials go on; what it misses is sent later")
            self._away = True

    def end(self) -> None:
        """Sends what is left, and says where it cannot."""
        self.give()
        if self._away:
            self.say(
                f"results are only in {self.home.root}: the next command with --home {self.home.address} sends them"
            )

    def _lease_of(self, job: Job) -> str:
        """A result that only this job makes; '' where it is not worth one: prepared data are made by everybody."""
        trial, function = self.trial_of[job.id], job.call.rpartition(":")[2]
        key = {"pretrain_job": pretrain_key, "trial_job": lambda trial: stage_keys(trial).evaluate}.get(function)
        return key(trial) if key else ""

    def _fetch(self, job: Job) -> None:
        """What the job would make: where others have made it, it only looks."""
        trial, store = self.trial_of[job.id], self.home.store
        self._fetch_all(pretrain_key(trial))
        if job.call.endswith(":trial_job"):
            if trial.submission:
                self._fetch_all(stage_keys(trial.of(trial.submission)).prune)  # which the keys of a control depend on
            if keys := resolved_keys(trial, store):
                self._fetch_all(keys.evaluate, keys.prune, keys.evaluate_base)

    def _fetch_all(self, *keys: str) -> None:
        for key in filter(None, keys):
            if not self.home.store.path(key).exists():
                self.objects.look_for(key)
                self.home.store.read(key)


@contextlib.contextmanager
def sharing(
    home: Home, executor: Executor, trial_of: Mapping[str, Trial], say: Callable[[str], None]
) -> Iterator[Callable[[Event], None]]:
    """Yields what is to hear of each event first. A home that is a folder only shares nothing."""
    if (objects := home.objects) is None:
        yield lambda event: None
        return
    with Leases(objects) as leases:
        shared = Sharing(home, objects, leases, trial_of, say)

        def hear(event: Event) -> None:
            if event.kind in ("done", "failed", "unreachable"):
                shared.ended(event.job)

        before, executor.hold = executor.hold, shared.hold
        try:
            yield hear
        finally:
            executor.hold = before
            shared.end()
