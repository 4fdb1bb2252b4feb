"""Trials that are run in this process, on tracks of two epochs: for tests of what becomes of a home."""

import dataclasses
from collections.abc import Callable, Sequence

from prunemark.benchmark.run.drive import Event, Hold
from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.run.worker import prepare_job, pretrain_job, trial_job
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial.pipeline import run_trial
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.records.record import Record
from prunemark.setups.comparison import SETUPS
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import find_track

SHORT = Recipe(lr=parse_schedule("0:1e-1,1:1e-2", 2), augmentation="shift1")
CONTROL = {"filter": "Random", "weight": "Random-weights"}
CALLS = {call.__name__: call for call in (prepare_job, pretrain_job, trial_job)}


def planned(like: str, method: str, level: str) -> tuple[Trial, Trial]:
    """A submission that ranks all layers together, and random pruning with its layer ratios."""
    short = {"pretraining": SHORT, "pruning": SHORT, "retraining": SHORT}
    track = dataclasses.replace(find_track(like), arithmetic=None, **short)  # which a process can choose but once
    settings = (("allocation", "global"),) if track.granularity == "filter" else ()
    mine = Entrant(method, "pruned", "submission", locate(method)[1], settings, track.granularity)
    name = CONTROL[track.granularity]
    random = Entrant(name, "pruned", "control", locate(name)[1], (), track.granularity, shares_ratios=True)
    request = Request(track, SETUPS["S3.2"], [track.level(level)], [0])
    first, second = make_trials(request, mine, [random])
    return first, second


def run(trial: Trial, store: Store) -> Record:
    return run_trial(trial, store, lambda stage, point: None)


class Here:
    """Runs jobs in this process, one after the other. `began` are those that had something to do or to look at."""

    hold: Hold | None = None

    def __init__(self) -> None:
        self.began: list[str] = []

    def run(self, jobs: Sequence[Job], listen: Callable[[Event], None]) -> None:
        for job in jobs:
            assert self.hold is None or self.hold(job) == 0.0
            self.began.append(job.id)
            call = CALLS[job.call.partition(":")[2]]
            result = call(lambda said, job=job: listen(Event(job, "report", said)), *job.arguments)  # type: ignore[operator]
            listen(Event(job, "done", result))
