"""The jobs of a plan: one a trial, each after what it needs."""

import pytest

from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.run.home import home_at, open_home
from prunemark.benchmark.run.jobs import make_jobs
from prunemark.cli import requests


@pytest.fixture
def place(tmp_path):
    return open_home(home_at(tmp_path / "home"))


def plan(method, place, **settings):
    request = requests.read("digits-resnet8", "S3.2", ["90%"], "0,", "cpu", None)
    return requests.plan(method, settings, request, place, LocalProcesses(1))[1]


def jobs_of(trials, place):
    jobs, trial_of = make_jobs(trials, place.store)
    return [job for job in jobs if job.call.endswith(":trial_job")], trial_of


def test_controls_of_two_submissions_are_two_trials(place):
    """They have one label: each is random pruning at 90 %, seed 0, with another method's layer ratios."""
    trials = list(dict.fromkeys((*plan("OBD", place), *plan("Group-norm", place))))
    matched = [trial for trial in trials if trial.submission]
    assert len(matched) == 4 and len({trial.label for trial in matched}) == 2
    jobs, trial_of = jobs_of(trials, place)
    assert [trial_of[job.id] for job in jobs] == trials
    for job in jobs:
        if trial_of[job.id].submission:
            assert trial_of[job.id].of(trial_of[job.id].submission) in {trial_of.get(need) for need in job.needs}


def test_one_method_in_two_settings_is_two_trials(place):
    trials = [t for n in ("3", "4") for t in plan("GReg-1", place, epochs=n) if t.entrant.name == "GReg-1"]
    jobs, trial_of = jobs_of(trials, place)
    assert len({trial.label for trial in trials}) == 1 and [trial_of[job.id] for job in jobs] == trials
