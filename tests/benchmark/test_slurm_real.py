"""Trials as tasks of a real SLURM on loopback: a slurmctld and a slurmd, no accounting."""

import sys
import time
from threading import Timer

import pytest
from support.clusters import HERE, home_in, job, outcomes, trials_of
from support.slurm import ask, missing, slurm

from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.run.slurm_tasks import SlurmTasks
from prunemark.setups.errors import lacking

LACKING = missing() or ("the extra slurm is not installed" if lacking("slurm") else "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(LACKING), reason=LACKING or "all is there"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, slurm(tmp_path_factory.mktemp("slurm") / "of", patch):
        yield


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(HERE), *sys.path])
    return home_in(tmp_path / "home").root


def test_trials_have_the_records_of_this_machine(home, tmp_path):
    there, here = home_in(home), home_in(tmp_path / "here")
    found = outcomes(trials_of(there), there, SlurmTasks(home, 2, poll_seconds=0.2))
    mine = outcomes(trials_of(here), here, LocalProcesses(1))
    assert found.keys() == mine.keys() and {record.outcome.status for record in found.values()} == {"ok"}
    assert {label: record.outcome for label, record in found.items()} == {
        label: record.outcome for label, record in mine.items()
    }
    assert ask("squeue", "--noheader") == ""


def test_a_task_that_is_requeued_runs_again_and_costs_no_try(home, tmp_path):
    """As when a job of more weight preempts it. SLURM waits for two minutes by itself before it starts one again."""
    events, asked = [], []

    def listen(event):
        events.append(event)
        if event.kind == "started" and not asked:
            (number,) = ask("squeue", "--noheader", "--format=%i").split()
            asked.append(ask("scontrol", "requeue", number))
            Timer(10, ask, ["scontrol", "update", f"JobId={number}", "StartTime=now"]).start()

    SlurmTasks(home, 1, poll_seconds=0.2).run([job("a", "sleeps", str(tmp_path), "slept", 20)], listen)
    assert [event.kind for event in events] == ["started", "started", "done"], events and (tmp_path / "slept").exists()


def test_what_is_interrupted_leaves_nothing_in_the_queue(home, tmp_path):
    def listen(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SlurmTasks(home, 1, poll_seconds=0.2).run([job("a", "sleeps", str(tmp_path), "slept", 60)], listen)
    deadline = time.monotonic() + 30
    while ask("squeue", "--noheader"):
        assert time.monotonic() < deadline, "it is still in the queue"
        time.sleep(0.5)
    assert not (tmp_path / "slept").exists()


def test_what_sbatch_refuses_ends_the_run_in_its_words(home):
    heard, executor = [], SlurmTasks(home, 1, options={"partition": "nowhere"}, pauses_seconds=())
    executor.run([job("a", "double", 1)], heard.append)
    assert [event.kind for event in heard] == ["failed"] and "Invalid partition name specified" in heard[0].value
