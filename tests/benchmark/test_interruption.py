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
from support import faults

from prunemark.cli import program
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


def start(home, temporary=None):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1"}
    environment |= {"TMPDIR": str(temporary)} if temporary else {}
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-W", "ignore", str(HERE / "support" / "quick_cli.py"), *WORDS, "--home", str(home)]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
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


def interrupted(process, number=signal.SIGINT):
    """What is left to say and to see after a signal to the program, or to all of its group as from a keyboard."""
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number and "Traceback" not in errors
    assert errors.splitlines()[-1] == program.WORDS.strip()


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_interrupted_while_it_works_it_says_one_line_and_nothing_stays(tmp_path, furnish, number):
    home, temporary = furnish(tmp_path / "home"), tmp_path / "temporary"
    temporary.mkdir()
    process = start(home, temporary=temporary)
    wait_for_work(home, process)
    assert process.poll() is None, process.communicate()[1]
    started = faults.descendants(process.pid)
    interrupted(process, number)
    assert not [path for path in temporary.iterdir() if not path.name.startswith("torchinductor_")]
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in started):
        assert time.monotonic() < deadline, "a process lives on"
        time.sleep(0.05)


@pytest.mark.parametrize("seconds", [0.0, 0.3, 1.5])
def test_interrupted_while_it_loads_it_says_the_same(tmp_path, furnish, seconds):
    """From the moment on at which the program has said what an interrupt does."""
    process = start(furnish(tmp_path))
    while b"prunemark/cli/program" not in Path(f"/proc/{process.pid}/maps").read_bytes() and not listens(process.pid):
        assert process.poll() is None
        time.sleep(0.005)
    time.sleep(seconds)
    interrupted(process)


def listens(pid):
    """Whether the process has a handler of its own for SIGTERM, which Python itself has not."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("swallows", ["pass", "raise ImportError('numpy is broken')", "time.sleep(600)"])
def test_an_interrupt_that_some_code_swallows_ends_the_program_all_the_same(tmp_path, swallows):
    script = f"""
import os, signal, sys, time, types
from prunemark.cli import program
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
program.PATIENCE_SECONDS = 1.0
def run():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(600)
    except BaseException:
        {swallows}
sys.modules["prunemark.cli.app"] = types.SimpleNamespace(main=run)
program.main()
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 130 and ended.stderr == program.WORDS


def test_what_has_ended_well_is_not_interrupted_any_more():
    script = """
import os, signal, sys, types
from prunemark.cli import program
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.modules["prunemark.cli.app"] = types.SimpleNamespace(main=lambda: print("done"))
program.main()
os.kill(os.getpid(), signal.SIGINT)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


@pytest.mark.slow
def test_records_name_every_input(uninterrupted, tmp_path):
    assert len(uninterrupted) == 5
    assert {name for name, _, _ in uninterrupted} == {"Trains", "L1-norm", "Random", "Scratch", "Dense"}
    assert json.dumps(sorted(seed for _, _, seed in uninterrupted)) == json.dumps([0] * 5)
