"""Whose fault a failure is: the method's when it comes again on a machine that can do the work; else nobody's."""

import dataclasses
import os
import shutil
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support.quick_cli import quick_track

from prunemark.benchmark.run.submit import stored_record
from prunemark.benchmark.sandbox import machine
from prunemark.benchmark.sandbox.child import ChildFailed, Limits, run_in_child
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial import blame, pipeline, pruning_stage, stages
from prunemark.benchmark.trial.base_model import pretrain
from prunemark.benchmark.trial.keys import stage_keys
from prunemark.benchmark.trial.pipeline import run_trial
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant
from prunemark.records.outcome import EpochPoint
from prunemark.setups.comparison import SETUPS
from prunemark.setups.errors import Diverged, WorkFailed
from prunemark.setups.schedule import parse_schedule

SAMPLES = Path(__file__).parents[1] / "submissions" / "samples.py"
FULL = OSError(28, "No space left on device")


def trial_of(name, track=None, seconds=60.0):
    _, source = locate(f"{SAMPLES}:{name}")
    track = track or quick_track()
    request = Request(track, SETUPS["S3.2"], [track.level("90%")], [0], pruning_seconds_limit=seconds)
    return make_trials(request, Entrant(name, "pruned", "submission", source, ()), ())[0]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A store with the data and the base model."""
    store = Store(tmp_path_factory.mktemp("store"))
    trial = trial_of("Fine")
    pretrain(trial, stage_keys(trial), store, lambda *_: None)
    return store


@pytest.fixture
def store(filled, tmp_path):
    shutil.copytree(filled.root, tmp_path / "store")
    return Store(tmp_path / "store")


def run(trial, store):
    return run_trial(trial, store, lambda *_: None)


@pytest.fixture
def attempts(monkeypatch):
    """Makes the first attempts of the pruning stage fail as a child does whose machine lacks something."""
    honest, failures = pruning_stage.run_in_child, []

    def attempt(*given, **how):
        if failures:
            raise failures.pop(0)
        return honest(*given, **how)

    monkeypatch.setattr(pruning_stage, "run_in_child", attempt)
    return failures


LACKS = [
    ("failed", "the method raised an error", "SafetensorError: I/O error: No space left on device (os error 28)"),
    ("failed", "the method's process ended", "its process ended with exit code -7"),
    ("failed", "the method's process ended", "it ended before the harness was done with it"),
    ("failed", "the method raised an error", "OSError: [Errno 24] Too many open files"),
    ("failed", "the method raised an error", "OSError: [Errno 116] Stale file handle"),
    ("failed", "the method raised an error", "RuntimeError: CUDA error: unspecified launch failure"),
    ("out_of_memory", "memory", "MemoryError: "),
]


@pytest.mark.parametrize(("status", "rule", "evidence"), LACKS)
def test_what_passes_when_it_is_tried_again_was_no_fault_of_the_method(store, attempts, status, rule, evidence):
    attempts.append(ChildFailed(status, rule, evidence, doubtful=True))
    assert run(trial_of("Fine"), store).outcome.status == "ok" and not attempts


@pytest.mark.parametrize(("status", "rule", "evidence"), LACKS)
def test_on_a_machine_in_trouble_nobody_is_blamed_and_nothing_is_stored(
    store, attempts, monkeypatch, status, rule, evidence
):
    trial = trial_of("Fine")
    attempts.append(ChildFailed(status, rule, evidence, doubtful=True))
    monkeypatch.setattr(blame, "trouble", lambda *_: "nothing can be written to /tmp: No space left on device")
    with pytest.raises(WorkFailed, match="was not run: nothing can be written"):
        run(trial, store)
    assert stored_record(trial, store) is None
    monkeypatch.undo()
    assert run(trial, store).outcome.status == "ok"


def test_what_comes_again_is_the_methods_own(store, attempts):
    first, second = (ChildFailed("failed", "the method raised an error", words, doubtful=True) for words in "ab")
    attempts.extend([first, second])
    record = run(trial_of("Fine"), store)
    assert record.outcome.status == "failed" and record.outcome.failure.evidence == "b"


def test_seconds_of_a_busy_machine_are_no_broken_budget(store, monkeypatch):
    """They have to be too many twice: of a method whose own code trains, once more than its reading accounts for."""
    honest, taken = pruning_stage.believed.check_cpu_seconds, [1000.0]
    monkeypatch.setattr(
        pruning_stage.believed, "check_cpu_seconds", lambda used, *rest: honest(taken.pop() if taken else used, *rest)
    )
    assert run(trial_of("Trains"), store).outcome.status == "ok" and not taken
    taken += [1000.0, 1000.0]
    store.forget(stage_keys(trial_of("Trains")).prune)
    store.forget(stage_keys(trial_of("Trains")).evaluate)
    assert run(trial_of("Trains"), store).outcome.status == "budget_exceeded"


def test_a_broken_rule_is_not_tried_again(store, attempts):
    attempts.extend([ChildFailed("noncompliant", "matched compression", "too few"), AssertionError("tried again")])
    assert run(trial_of("Fine"), store).outcome.status == "noncompliant"


def test_a_temporary_folder_that_is_full_is_not_a_methods_failure(store, monkeypatch):
    """The disk is full while base model and images are handed over, and in the child; nothing at 10 % is stored."""
    trial = trial_of("Fine")

    def full(*_given, **_how):
        raise FULL

    monkeypatch.setattr(pruning_stage.shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        run(trial, store)
    assert stored_record(trial, store) is None


def test_a_method_that_only_says_so_is_failed(store):
    """It claims a full disk, twice; the harness can write there."""
    record = run(trial_of("ClaimsAFullDisk"), store)
    assert record.outcome.status == "failed" and "No space left" in record.outcome.failure.evidence


def test_a_process_that_gets_no_processor_is_not_too_slow(tmp_path, monkeypatch):
    monkeypatch.setattr("prunemark.benchmark.sandbox.child.waited_seconds", lambda _: 6.0)
    with pytest.raises(WorkFailed, match="too busy"):
        run_in_child(time.sleep, 60, scratch=tmp_path, limits=Limits(0.5))
    monkeypatch.undo()
    with pytest.raises(ChildFailed) as caught:
        run_in_child(time.sleep, 60, scratch=tmp_path, limits=Limits(0.5))
    assert caught.value.status == "timeout"


def test_waiting_for_a_processor_is_counted():
    from prunemark.benchmark.sandbox.usage import waited_seconds

    assert waited_seconds(os.getpid()) >= 0
    assert waited_seconds(None) == 0 and waited_seconds(2**30) == 0


def test_trouble_is_found_by_trying(tmp_path, monkeypatch):
    assert machine.trouble((tmp_path,), 0, 0) == "" and not list(tmp_path.iterdir())
    assert "nothing can be written" in machine.trouble((tmp_path / "gone",), 0, 0)
    assert "MiB are free" in machine.trouble((tmp_path,), 1 << 60, 0)
    assert "GiB of memory are available" in machine.trouble((tmp_path,), 0, 1 << 60)
    monkeypatch.setattr(machine.os, "fork", lambda: (_ for _ in ()).throw(BlockingIOError(11, "try again")))
    assert machine.trouble((tmp_path,), 0, 0) == "no process can be started: try again"
    monkeypatch.setattr(machine.os, "pipe", lambda: (_ for _ in ()).throw(OSError(24, "Too many open files")))
    assert machine.trouble((tmp_path,), 0, 0) == "no process can be started: Too many open files"


def test_a_gpu_is_tried_in_a_process_of_its_own(monkeypatch):
    asked = torch.ones
    monkeypatch.setattr(torch, "ones", lambda size, device: asked(size))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (4 << 30, 8 << 30))
    assert blame.gpu_trouble("cuda", 2 << 30) == ""
    assert "4.0 GiB are free" in blame.gpu_trouble("cuda", 8 << 30)
    monkeypatch.setattr(torch, "ones", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("CUDA error")))
    assert blame.gpu_trouble("cuda", 0).startswith("cuda cannot do the work: RuntimeError: CUDA error")


def diverging():
    """A track whose base model gets no numbers, within two epochs."""
    wild = dataclasses.replace(quick_track().pretraining, lr=parse_schedule("0:1e30", 2))
    return dataclasses.replace(quick_track(), pretraining=wild)


def test_a_base_model_that_diverges_is_said_to_have_and_no_method_runs(store, monkeypatch):
    trial = trial_of("Fine", diverging())
    monkeypatch.setattr(pipeline, "prune", lambda *_: pytest.fail("a method was run"))
    with pytest.raises(Diverged, match=r"seed 0, diverged: .* after epoch \d of 2. No method was run on it"):
        run(trial, store)
    assert stored_record(trial, store) is None and store.read(stage_keys(trial).pretrain) is None


def test_one_that_was_stored_before_this_was_looked_at_is_found_too(store):
    trial = trial_of("Fine")
    weights = load_file(store.path(stage_keys(trial).pretrain) / "weights.safetensors")
    curve = [EpochPoint(0, 0.1, 1.0, 50.0), EpochPoint(1, 0.1, None, 10.0)]
    with pytest.raises(Diverged, match="after epoch 2 of"):
        stages.check_base(trial, curve, weights)
    name = next(name for name, tensor in weights.items() if tensor.is_floating_point())
    with pytest.raises(Diverged):
        stages.check_base(trial, curve[:1], weights | {name: weights[name] * float("nan")})
    stages.check_base(trial, curve[:1], weights)
