"""Killed at any moment and run again: the same records, bit for bit, nothing lost, nothing done twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prunemark.records.record import load_file

HERE = Path(__file__).parents[1]
WORDS = [
    "submit",
    f"{HERE / 'submissions' / 'samples.py'}:Trains",
    "--track",
    "quick",
    "--level",
    "90%",
    "--seeds",
    "0,",
]


def start(home, **how):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-W", "ignore", str(HERE / "support" / "quick_cli.py"), *WORDS, "--home", str(home)]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **how,
    )


def outcomes(home):
    """Identity of each trial -> the hash of its outcome."""
    records = [load_file(path) for path in (home / "records").glob("*.json")]
    named = [((r.outcome.method.name, r.outcome.level, r.outcome.seed), r.outcome_sha256) for r in records]
    assert len(named) == len(set(named)), "a trial has two records"
    return dict(named)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, furnish):
    home = furnish(tmp_path_factory.mktemp("whole"))
    process = start(home)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    return outcomes(home)


@pytest.mark.slow
def test_killed_again_and_again_gives_the_same_records(uninterrupted, tmp_path, furnish):
    """While the base model is trained, and while networks are pruned or retrained."""
    draw = random.Random(5)
    furnish(tmp_path)
    for _ in range(3):
        process = start(tmp_path)
        wait_for_work(tmp_path, process)
        time.sleep(draw.uniform(0.0, 0.5))
        assert process.poll() is None, "it had ended before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    process = start(tmp_path)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert outcomes(tmp_path) == uninterrupted
    assert not list((tmp_path / "records").glob(".draft-*"))


def wait_for_work(home, process):
    """Until something new is being written: killing the start-up again and again would test nothing."""
    before = entries(home)
    deadline = time.monotonic() + 60
    while process.poll() is None and entries(home) == before and time.monotonic() < deadline:
        time.sleep(0.02)


def entries(home):
    """Data that was prepared, and networks: not what methods declare, which is stored before anything trains."""
    return set((home / "store").glob("*/*/*.safetensors"))


def test_interrupted_from_the_keyboard_says_what_is_kept(tmp_path, furnish):
    process = start(furnish(tmp_path))
    wait_for_work(tmp_path, process)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in errors
    assert (
        errors.splitlines()[-1]
        == "prunemark: interrupted. What is finished is kept; the same command goes on from there"
    )


@pytest.mark.slow
def test_records_name_every_input(uninterrupted, tmp_path):
    assert len(uninterrupted) == 5
    assert {name for name, _, _ in uninterrupted} == {"Trains", "L1-norm", "Random", "Scratch", "Dense"}
    assert json.dumps(sorted(seed for _, _, seed in uninterrupted)) == json.dumps([0] * 5)
