"""Broken installations are recognised, and the advice is the one that helps."""

import contextlib
import io
import sys

import pytest

from prunemark.benchmark.experiments import doctor


def _here(code):
    """What `_try` does, in this process, which has imported most of it already."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
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


def test_a_full_disk_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "MINIMUM_FREE_BYTES", 2**80)
    assert doctor._disk(tmp_path).state == "broken"


def test_an_old_python_is_found(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    assert doctor._python().state == "broken"
