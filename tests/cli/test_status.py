"""How far a running command is, seen from another terminal; what a plan takes; and a run that hours end."""

import json
import os
from types import SimpleNamespace

import pytest
from support.quick_cli import submit as submitted

from prunemark.benchmark.run import notes
from prunemark.benchmark.run.estimate import Estimate, estimate, timed_epoch
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.notes import Noted, read_notes
from prunemark.benchmark.trial.store import Store
from prunemark.cli.plans import say_estimate


@pytest.fixture
def home(tmp_path):
    (tmp_path / "store").mkdir()
    return Home(tmp_path)


def trial(label):
    return SimpleNamespace(label=label)


def test_a_running_command_is_seen_with_how_long_it_still_takes(home):
    now = [1000.0]
    with Noted(home, "FPGM", "digits@1", "S3.2", 3, 40, clock=lambda: now[0]) as noted:
        (note,) = read_notes(home, now[0])
        assert note.left_seconds is None
        noted.started(trial("FPGM seed 0"))
        for _ in range(10):
            now[0] += 6
            noted.epoch(trial("FPGM seed 0"), "retraining", None)
        (note,) = read_notes(home, now[0])
        assert (note.what, note.epochs_trained, note.running, note.left_seconds) == ("FPGM", 10, ("FPGM seed 0",), 180)
        noted.finished(trial("FPGM seed 0"), None, {})
        noted.finished(trial("Dense seed 0"), None, {})  # stored before
        (note,) = read_notes(home, now[0])
        assert (note.trials_done, note.trials, note.running) == (1, 3, ())
    assert read_notes(home, now[0]) == []


def test_what_dead_commands_left_is_not_shown(home, monkeypatch):
    with Noted(home, "FPGM", "digits@1", "S3.2", 3, 40, clock=lambda: 1000.0) as noted:
        path = noted._path
        about = json.loads(path.read_bytes())
        path.write_text(json.dumps(about | {"pid": 2**22 + 1}))
        assert read_notes(home, 1000.0) == []
        path.write_text(json.dumps(about | {"host": "another", "pid": 2**22 + 1}))
        assert len(read_notes(home, 1000.0 + notes.SILENT_SECONDS - 1)) == 1
        assert read_notes(home, 1000.0 + notes.SILENT_SECONDS + 1) == []
        for wrong in ("{", "[]", json.dumps(about | {"more": 1}), json.dumps({"pid": os.getpid()})):
            path.write_text(wrong)
            assert read_notes(home, 1000.0) == []


def test_a_disk_that_takes_no_note_ends_no_run(home, monkeypatch):
    def full(*_):
        raise notes.WorkFailed("the disk is full")

    monkeypatch.setattr(notes, "write_atomically", full)
    with Noted(home, "FPGM", "digits@1", "S3.2", 3, 40) as noted:
        noted.started(trial("a"))


def test_the_longest_chain_is_not_shortened_by_workers():
    found = Estimate(3600.0, 1200.0, 5e6, "3 trials timed here")
    assert [found.wall_seconds(workers) for workers in (1, 2, 3, 100)] == [3600, 1800, 1200, 1200]
    assert found.gpu_hours(0.25) == 0.25
    assert say_estimate(found, 2, 0.25) == (
        "about 30 min on 2 workers (60 min of work; the longest chain takes 20 min), 0.25 GPU-hours, 5.0 MB of disk; "
        "judged by 3 trials timed here"
    )
    assert "GPU" not in say_estimate(found, 1, 0.0)


def test_time_is_judged_by_trials_of_the_track_on_that_kind_of_device():
    def record(track, device, seconds, epochs):
        stage = SimpleNamespace(epochs=epochs) if epochs else None
        return SimpleNamespace(
            outcome=SimpleNamespace(track=track, retraining=stage),
            observed=SimpleNamespace(device=device, retraining_seconds=seconds, processes=1),
        )

    records = [record("a@1", "cuda:1", 10.0, 20), record("a@1", "cuda", 20.0, 10), record("a@1", "cpu", 999.0, 1),
               record("b@1", "cuda", 999.0, 1), record("a@1", "cuda", 999.0, 0)]  # fmt: skip
    assert timed_epoch(records, "a@1", "cuda:0") == (1.0, 2) and timed_epoch(records, "c@1", "cpu") == (0.0, 0)


def test_a_base_that_two_trials_share_counts_once(tmp_path, plan_of_two):
    """Of two seeds with a base of 30 epochs and 20 of retraining each; with one trial, its base is on the chain."""
    first = plan_of_two[0]
    bases, own = first.budget.base_epochs, first.recipe.epochs
    found = estimate(plan_of_two, Store(tmp_path / "store"), 2.0, "", 10.0, 100.0)
    assert (found.work_seconds, found.chain_seconds) == (4.0 * (bases + own), 2.0 * (bases + own))
    assert found.disk_bytes == 2 * 10 + 2 * 100


def test_hours_end_a_run_in_order(quick_prunemark, tmp_path):
    """A ten-thousandth of an hour: some trials are missing, code 4, and the same command goes on from there."""
    home = tmp_path / "home"
    code, _, errors = submitted(quick_prunemark, "L1-norm", home, "--hours", "0.0001", "--no-time", seeds="1")
    assert code == 4 and "stopped after --hours with" in errors, errors
    code, _, errors = submitted(quick_prunemark, "L1-norm", home, "--no-time", seeds="1")
    assert code == 0
    code, out, _ = quick_prunemark("status", "--home", home)
    assert code == 0 and "nothing runs on" in out
