"""Jobs in processes: order, parallelism, failures, deaths."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from prunemark.benchmark.run import executor, fork_server
from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.run.retries import Retries
from prunemark.benchmark.sandbox import run_folder
from prunemark.setups.errors import InputError, WorkFailed

HERE = str(Path(__file__).parents[1])


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """The jobs' processes inherit sys.path."""
    monkeypatch.setattr(sys, "path", [HERE, *sys.path])


def job(id, function, *arguments, needs=()):
    return Job(id, f"support.executor_jobs:{function}", arguments, frozenset(needs))


def run(jobs, workers=2, pauses=(0.0,)):
    events = []
    LocalProcesses(workers, pauses).run(jobs, events.append)
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
    assert kinds(events, "a") == ["started", "again", "started", "done"] and events[-1].value == "alive"
    assert "a was killed by signal 9; it is tried again in 0 s" in [event.value for event in events]


def test_a_job_that_is_always_killed_is_lost_and_so_is_what_needs_it():
    """Another job was done meanwhile, so the machine can do work: the run goes on without the one."""
    events = run([job("a", "dies_always"), job("b", "double", 1, needs=["a"]), job("c", "double", 1)], pauses=(2.0,))
    assert kinds(events, "a") == ["started", "again", "started", "failed"]
    assert kinds(events, "b") == ["unreachable"] and kinds(events, "c")[-1] == "done"
    words = next(event.value for event in events if event.job.id == "a" and event.kind == "failed")
    assert words == "a was killed by signal 9"


def test_where_no_job_can_be_done_the_run_ends_with_the_reason():
    with pytest.raises(WorkFailed, match="killed by signal 9"):
        run([job(name, "dies_always") for name in "abcdef"], pauses=(0.0, 0.0))


def test_a_job_that_runs_well_is_not_ended_because_another_is_lost(tmp_path):
    events = run([job("a", "sleeps", str(tmp_path), "a", 1.5), job("b", "dies_always")])
    assert kinds(events, "a") == ["started", "done"] and kinds(events, "b")[-1] == "failed"


def test_pauses_grow_and_other_jobs_run_meanwhile():
    now = [0.0]
    retries = Retries((1.0, 5.0))
    assert retries.wait_seconds("a", 0.0) == 0
    for pause in (1.0, 5.0):
        assert retries.again("a", now[0]) == pause
        assert retries.wait_seconds("a", now[0]) == pause and retries.wait_seconds("b", now[0]) == 0
        now[0] += pause
        assert retries.wait_seconds("a", now[0]) == 0
    assert retries.again("a", now[0]) is None and retries.is_the_machine("a")
    retries.went_well()
    assert not retries.is_the_machine("a")


def test_a_disk_that_is_full_for_a_moment_costs_nothing(tmp_path):
    events = run([job("a", "finds_the_disk_full", str(tmp_path), 2)], pauses=(0.0, 0.1, 0.1))
    assert kinds(events, "a") == ["started", "again", "started", "again", "started", "done"]
    assert "No space left on device" in events[1].value


def test_a_base_that_diverged_is_not_tried_again():
    events = run([job("a", "diverges"), job("b", "double", 1, needs=["a"]), job("c", "double", 1)])
    assert kinds(events, "a") == ["started", "failed"] and kinds(events, "b") == ["unreachable"]
    assert kinds(events, "c")[-1] == "done"


def test_a_process_that_cannot_be_started_is_tried_again(monkeypatch):
    honest, refused = executor._started, []

    def started(context, job, *rest):
        if refused.count(job.id) < 2:
            refused.append(job.id)
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return honest(context, job, *rest)

    monkeypatch.setattr(executor, "_started", started)
    monkeypatch.setattr(executor, "stop_server", lambda: refused.append("another server"))  # which takes seconds
    events = run([job("a", "double", 1)], pauses=(0.0, 0.0))
    assert kinds(events, "a") == ["again", "again", "started", "report", "done"]
    assert refused == ["a", "another server"] * 2
    assert "Resource temporarily unavailable" in events[0].value


def test_temporary_files_of_jobs_lie_in_one_folder_that_goes(tmp_path, monkeypatch):
    """Also of a job that was killed, and what an earlier run left that was killed with its driver."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(run_folder, "_made", [])
    left = tmp_path / "prunemark-run-left"
    (left / "deep" / "er").mkdir(parents=True)
    (left / "lock").touch()
    young = tmp_path / "prunemark-run-young"  # no lock yet: somebody is making it
    young.mkdir()
    events = run([job("a", "leaves_a_file"), job("b", "dies_once", str(tmp_path))], workers=1)
    place = Path(next(event.value for event in events if event.kind == "done"))
    ours = run_folder.process_folder()
    assert place.parent.parent == ours and ours.parent == tmp_path
    assert sorted(tmp_path.iterdir()) == sorted([young, tmp_path / "died", ours])
    assert [path.name for path in ours.iterdir()] == ["lock"]
    run_folder.remove_surely(ours)


def test_a_living_folder_stays_when_a_cleaner_of_old_files_took_its_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(run_folder, "_made", [])
    ours = run_folder.process_folder()
    (ours / run_folder.LOCK).unlink()
    os.utime(ours, (0, 0))
    monkeypatch.setattr(run_folder, "_made", [])  # as in the next process
    assert run_folder.process_folder() != ours and ours.is_dir()
    run_folder.remove_all()
    run_folder.remove_surely(ours)


def test_a_folder_of_temporary_files_that_somebody_emptied_is_made_again(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(run_folder, "_made", [])
    fork_server.stop_server()  # so that its socket lies there
    events = run([job("a", "empties", str(tmp_path)), job("b", "leaves_a_file", needs=["a"])], pauses=(0.1, 0.1, 0.1))
    assert kinds(events, "b")[-1] == "done"
    fork_server.stop_server()
    run_folder.remove_all()


def test_a_long_temporary_folder_is_no_obstacle(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    monkeypatch.setattr(run_folder, "_made", [])
    with run_folder.temporary_files_there():
        assert tempfile.gettempdir() == "/tmp"
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    monkeypatch.setattr(run_folder, "_made", [])
    with run_folder.temporary_files_there():
        assert Path(tempfile.gettempdir()) == run_folder.process_folder()
    run_folder.remove_all()


def test_a_driver_that_is_killed_takes_its_processes_along(tmp_path):
    script = (
        "import sys\n"
        "from prunemark.benchmark.run.executor import LocalProcesses\n"
        "from prunemark.benchmark.run.jobs import Job\n"
        f"sys.path.insert(0, {HERE!r})\n"
        f"job = Job('a', 'support.executor_jobs:forks_and_waits', ({str(tmp_path)!r},))\n"
        "LocalProcesses(1).run([job], print)\n"
    )
    driver = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env={**os.environ, "PYTHONPATH": HERE})
    told = tmp_path / "pids"
    until(lambda: told.exists() and told.read_text().endswith("\n"))
    driver.kill()
    driver.wait()
    for pid in told.read_text().split():
        until(lambda pid=pid: not Path(f"/proc/{pid}").exists())


def until(holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_a_job_that_waits_for_nothing_is_refused():
    with pytest.raises(ValueError, match="b"):
        run([job("b", "double", 1, needs=["nobody"])])


def test_no_worker_is_refused():
    with pytest.raises(InputError, match="--workers is at least 1"):
        LocalProcesses(0)
