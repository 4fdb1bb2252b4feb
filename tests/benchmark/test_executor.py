"""Jobs in processes: order, parallelism, failures, deaths."""

import sys
from pathlib import Path

import pytest

from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.run.jobs import Job
from prunemark.setups.errors import InputError, WorkFailed

HERE = str(Path(__file__).parents[1])


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """The jobs' processes inherit sys.path."""
    monkeypatch.setattr(sys, "path", [HERE, *sys.path])


def job(id, function, *arguments, needs=()):
    return Job(id, f"support.executor_jobs:{function}", arguments, frozenset(needs))


def run(jobs, workers=2):
    events = []
    LocalProcesses(workers).run(jobs, events.append)
    return events


def kinds(events, id):
    return [event.kind for event in events if event.job.id == id]


def test_results_and_reports_come_back():
    events = run([job("a", "double", 21)])
    assert kinds(events, "a") == ["started", "report", "done"]
    assert events[-1].value == 42 and events[1].value == ("half way", 21)


def test_a_job_starts_when_what_it_needs_is_done():
    events = run([job("b", "double", 1, needs=["a"]), job("a", "double", 1)])
    order = [(event.job.id, event.kind) for event in events]
    assert order.index(("a", "done")) < order.index(("b", "started"))


def test_two_workers_work_at_the_same_time_each_in_a_process_of_its_own(tmp_path):
    run([job(name, "sleeps", str(tmp_path), name, 0.5) for name in "ab"])
    (a_from, a_to, a_pid), (b_from, b_to, b_pid) = ((tmp_path / n).read_text().split() for n in "ab")
    assert float(a_from) < float(b_to) and float(b_from) < float(a_to) and a_pid != b_pid


def test_one_worker_works_one_after_the_other(tmp_path):
    run([job(name, "sleeps", str(tmp_path), name, 0.1) for name in "ab"], workers=1)
    (_, a_to, _), (b_from, _, _) = ((tmp_path / n).read_text().split() for n in "ab")
    assert float(a_to) <= float(b_from)


def test_an_error_in_words_is_raised_here():
    with pytest.raises(InputError, match="given 3, allowed 1 or 2"):
        run([job("a", "fails")])


def test_a_fault_is_raised_with_its_name():
    with pytest.raises(WorkFailed, match="ZeroDivisionError: by zero"):
        run([job("a", "has_a_fault")])


def test_a_killed_job_is_run_once_more(tmp_path):
    events = run([job("a", "dies_once", str(tmp_path))])
    assert kinds(events, "a") == ["started", "started", "done"] and events[-1].value == "alive"


def test_a_job_that_is_always_killed_fails_and_so_does_what_needs_it():
    events = run([job("a", "dies_always"), job("b", "double", 1, needs=["a"]), job("c", "double", 1)])
    assert kinds(events, "a") == ["started", "started", "failed"]
    assert kinds(events, "b") == ["failed"] and kinds(events, "c")[-1] == "done"
    words = next(event.value for event in events if event.job.id == "a" and event.kind == "failed")
    assert words == "a was killed by signal 9, twice"


def test_a_job_that_waits_for_nothing_is_refused():
    with pytest.raises(ValueError, match="b"):
        run([job("b", "double", 1, needs=["nobody"])])


def test_no_worker_is_refused():
    with pytest.raises(InputError, match="--workers is at least 1"):
        LocalProcesses(0)
