"""Broken installations are recognised, and the advice is the one that helps."""

import contextlib
import io
import sys
import threading

import pytest

from prunemark.benchmark.run import doctor

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
    assert set(found) == {"Python", "torch", "torchvision", "torch_pruning", "mlflow", "disk"}
    assert set(found.values()) == {"fine"}


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
