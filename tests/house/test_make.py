"""The Makefile: which room is tested, and which build of PyTorch is installed. Nothing is installed here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
ROOMS = ("setups", "records", "benchmark", "baselines", "leaderboard", "contributions", "audit", "cli", "house")
# A Python that makes environments in which pip only writes down what it is asked for; a dry run ends as DRY_RUN says.
PYTHON = """#!/bin/sh
case "$*" in
  *'-m venv .venv') mkdir -p .venv/bin && cp "$0" .venv/bin/python && touch .venv/pyvenv.cfg ;;
  *pip*--dry-run*) exit $DRY_RUN ;;
  *pip*) echo "$*" >> asked ;;
  *version_info*print*) echo python3.11 ;;
esac
"""
DRIVER = any(Path(place).exists() for place in ("/dev/nvidia0", "/proc/driver/nvidia")) or shutil.which("nvidia-smi")


def make(folder, *words, **environment):
    words = ["make", "--no-print-directory", "-C", str(folder), *words]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | environment)


@pytest.fixture
def clone(tmp_path):
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        shutil.copy(HOUSE / name, tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text(PYTHON)
    (tmp_path / "bin" / "python").chmod(0o755)
    return tmp_path


def installed(clone, **environment):
    """What make says of PyTorch, and what it asks pip to install."""
    done = make(clone, f"PYTHON={clone}/bin/python", ".venv/.installed", **environment)
    assert done.returncode == 0, done.stderr
    (said,) = (line for line in done.stdout.splitlines() if line.startswith("PyTorch: "))
    return said, (clone / "asked").read_text().split()


@pytest.mark.skipif(bool(DRIVER), reason="this machine has an NVIDIA driver")
def test_without_a_driver_the_cpu_build_is_taken_if_pip_finds_it(clone):
    said, asked = installed(clone, DRY_RUN="0")
    pinned = dict(line.split("==") for line in (HOUSE / "constraints.txt").read_text().splitlines() if "==" in line)
    assert said.startswith("PyTorch: the CPU build") and "no NVIDIA driver" in said
    assert {f"{name}=={pinned[name]}+cpu" for name in ("torch", "torchvision")} <= set(asked)
    assert asked[-2:] == ["-e", ".[dev]"]


@pytest.mark.skipif(bool(DRIVER), reason="this machine has an NVIDIA driver")
def test_the_usual_build_is_taken_where_pip_finds_no_other_and_that_is_said(clone):
    said, asked = installed(clone, DRY_RUN="1")
    assert "the usual build" in said and "pip finds no torch==" in said
    assert not any("+cpu" in word for word in asked)


def test_with_a_driver_the_usual_build_is_taken(clone):
    shutil.copy(clone / "bin" / "python", clone / "bin" / "nvidia-smi")
    said, asked = installed(clone, DRY_RUN="0", PATH=f"{clone}/bin:{os.environ['PATH']}")
    assert "with CUDA" in said
    assert not any("+cpu" in word for word in asked)


def test_one_room_is_tested(clone):
    (clone / ".venv").mkdir()
    (clone / ".venv" / ".installed").touch()
    for room in ROOMS:
        done = make(clone, "-n", "test", f"ROOM={room}")
        assert done.returncode == 0 and done.stdout.rstrip().endswith(f" tests/{room}")
        assert (HOUSE / "tests" / room).is_dir()
    done = make(clone, "-n", "test", "ROOM=kitchen")
    assert done.returncode == 2
    assert f"unknown ROOM 'kitchen'. Valid: {' '.join(ROOMS)}" in done.stderr
