"""Broken installations are recognised, and the advice is the one that helps."""

import contextlib
import io
import os
import sys
import threading
from pathlib import Path

import pytest

from prunemark.benchmark.run import doctor
from prunemark.benchmark.sandbox import attempts
from prunemark.benchmark.sandbox.confinement import isolation_here

ONE_AT_A_TIME = threading.Lock()


def _here(code):
    """What `_try` does, in this process, which has imported most of it already."""
    printed = io.StringIO()
    with ONE_AT_A_TIME, contextlib.redirect_stdout(printed):
        exec(code, {})
    return True, printed.getvalue().strip().splitlines()[-1]


@pytest.mark.parametrize("apart", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_sound_installation_is_fine(tmp_path, monkeypatch, apart):
    if not apart:  # a process for each library takes longer than all other tests here
        monkeypatch.setattr(doctor, "_try", _here)
    found = {finding.what: finding.state for finding in doctor.examine(tmp_path / "not" / "there")}
    assert found.pop("GPU") in ("fine", "note")
    assert found.pop("container") in ("fine", "note")
    barriers = {name: state for name, state in found.items() if name.startswith("sandbox")}
    assert set(barriers.values()) == ({"fine"} if isolation_here() == "landlock" else {"fine", "note"})
    assert set(found) - set(barriers) == {"Python", "torch", "torchvision", "torch_pruning", "mlflow", "disk"}
    assert {found[name] for name in set(found) - set(barriers)} == {"fine"}


@pytest.mark.parametrize(
    "said",
    [
        "RuntimeError: operator torchvision::nms does not exist",
        "ImportError: libtorch_cuda.so: undefined symbol: _ZN3c104cuda",
    ],
)
def test_a_mismatched_pair_is_recognised(said):
    advice = doctor.advice_for(said)
    assert "not a pair" in advice and "pip install" in advice and "torchvision" in advice


def test_a_missing_torchvision_is_not_called_a_mismatch():
    assert doctor.advice_for("ModuleNotFoundError: No module named 'torchvision'") == "pip install torchvision"


def test_a_torchvision_that_breaks_on_import_is_found(tmp_path, monkeypatch):
    broken = tmp_path / "torchvision"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = doctor._torchvision()
    assert finding.state == "broken" and "not a pair" in finding.advice


@pytest.mark.parametrize(
    ("said", "state", "words"),
    [
        ("none", "note", "none seen"),
        ("NVIDIA H100 80GB HBM3", "fine", "H100"),
        ("broken: CUDA error: no kernel image is available for execution on the device", "broken", "no kernel image"),
    ],
)
def test_a_gpu_counts_if_it_computes(monkeypatch, said, state, words):
    monkeypatch.setattr(doctor, "_try", lambda code: (True, said))
    finding = doctor._gpu()
    assert finding.state == state and words in finding.found and "broken: " not in finding.found


class _Sum:
    def sum(self):
        raise RuntimeError("CUDA error: no kernel image is available\nCompile with")


def test_what_computes_on_the_gpu_says_what_is_wrong(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.ones", lambda *_, **__: _Sum())
    assert _here(doctor.ON_THE_GPU) == (True, "broken: CUDA error: no kernel image is available")


def test_a_full_disk_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "MINIMUM_FREE_BYTES", 2**80)
    assert doctor._disk(tmp_path).state == "broken"


def test_an_old_python_is_found(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    assert doctor._python().state == "broken"


def barriers(monkeypatch, isolation, holds):
    held = {about: dict.fromkeys(tried, holds) for about, tried in attempts.ATTEMPTS.items()}
    monkeypatch.setattr(doctor, "tried_apart", lambda: (isolation, "bubblewrap is not installed", held))
    return {finding.what: finding for finding in doctor._sandbox()}


def test_every_promised_barrier_is_tried_and_holds_here():
    isolation, _, held = doctor.tried_apart()
    assert isolation == isolation_here()
    assert {about: set(tried) for about, tried in attempts.ATTEMPTS.items()} == {
        about: set(tried) - {"time", "memory"} for about, tried in held.items()
    }
    assert held["limits"]["time"] and held["limits"]["memory"]
    if isolation == "landlock":
        assert [name for tried in held.values() for name, holds in tried.items() if not holds] == []


def test_without_barriers_every_attempt_gets_through(tmp_path, monkeypatch):
    """So an attempt that fails by itself, and would always be called stopped, is found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(attempts.CANARY, "x")
    (tmp_path / "store").mkdir()
    (tmp_path / "secret").write_text("x")
    with (tmp_path / "secret").open() as file:
        outside = attempts.Outside(tmp_path / "secret", tmp_path / "store", os.getppid(), file.fileno())
        made = {n: a for tried in attempts.ATTEMPTS.values() for n, a in tried.items()}
        for name in ("seconds of the processor", "memory dumps"):  # how this process is bounded is not ours to say
            del made[name]
        stopped = [name for name, attempt in made.items() if attempts._holds(attempt, outside)]
    os.close(300)
    (Path("/dev/shm") / "prunemark-doctor").unlink()
    assert stopped == []


def test_a_barrier_that_does_not_hold_is_broken_and_without_a_sandbox_a_note(monkeypatch):
    fine, note = barriers(monkeypatch, "landlock", True), barriers(monkeypatch, "process", False)
    broken = barriers(monkeypatch, "landlock", False)
    assert {f.state for name, f in fine.items() if name != "container"} == {"fine"}
    assert {f.state for f in note.values()} == {"note"} and "Linux 6.2" in note["sandbox"].advice
    assert broken["sandbox: files"].state == "broken"
    assert broken["sandbox: files"].found.startswith("not stopped: reading outside, writing outside")


def test_a_sandbox_that_cannot_be_tried_is_broken(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert [(f.what, f.state) for f in doctor._sandbox()] == [("sandbox", "broken")]
