"""A child process that only leaves files behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prunemark.benchmark.trial.child import ChildFailed, Limits, run_in_child

SOON = Limits(seconds=20)


def test_what_it_writes_stays(tmp_path):
    run_in_child(lambda: (tmp_path / "result").write_text(str(Path.cwd())), scratch=tmp_path, limits=SOON)
    assert (tmp_path / "result").read_text() == str(tmp_path)


def test_what_it_changes_in_memory_does_not(tmp_path):
    here = []
    run_in_child(here.append, 1, scratch=tmp_path, limits=SOON)
    assert here == []


def test_what_it_prints_goes_into_a_log(tmp_path, capfd):
    run_in_child(print, "hello", scratch=tmp_path, limits=SOON)
    assert capfd.readouterr().out == "" and (tmp_path / "output.log").read_text() == "hello\n"


def test_it_has_no_standard_input(tmp_path):
    run_in_child(lambda: (tmp_path / "got").write_text(sys.stdin.read() or "nothing"), scratch=tmp_path, limits=SOON)
    assert (tmp_path / "got").read_text() == "nothing"


def test_an_error_comes_back_in_words(tmp_path):
    def work():
        raise ValueError("three filters, eight expected")

    with pytest.raises(ChildFailed) as caught:
        run_in_child(work, scratch=tmp_path, limits=SOON)
    assert caught.value.status == "failed"
    assert caught.value.evidence == "ValueError: three filters, eight expected"
    assert "raise ValueError" in caught.value.trace


def test_leaving_early_with_a_code_is_a_failure(tmp_path):
    with pytest.raises(ChildFailed, match="exit code 3"):
        run_in_child(os._exit, 3, scratch=tmp_path, limits=SOON)


def test_too_long_is_stopped_with_everything_it_started(tmp_path):
    def work():
        started = subprocess.Popen(["sleep", "60"])
        (tmp_path / "pid").write_text(str(started.pid))
        time.sleep(60)

    with pytest.raises(ChildFailed) as caught:
        run_in_child(work, scratch=tmp_path, limits=Limits(seconds=1.0))
    assert caught.value.status == "timeout"
    time.sleep(0.2)
    state = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat").read_text().split()[2] if _alive(tmp_path) else "gone"
    assert state in ("gone", "Z")


def _alive(folder):
    try:
        os.kill(int((folder / "pid").read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def test_too_much_memory_is_stopped(tmp_path):
    def work():
        hoard = []
        while True:
            hoard.append(bytes(range(256)) * 2**16)
            time.sleep(0.001)

    with pytest.raises(ChildFailed) as caught:
        run_in_child(work, scratch=tmp_path, limits=Limits(seconds=20, memory_bytes=10**9))
    assert caught.value.status == "out_of_memory"
