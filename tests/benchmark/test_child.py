"""A child process that only leaves files behind."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prunemark.benchmark.sandbox.child import ChildFailed, Limits, run_in_child
from prunemark.records.outcome import MACHINE_STATUSES
from prunemark.setups.errors import WorkFailed

SOON = Limits(seconds=20)


def test_what_it_writes_stays(tmp_path):
    run_in_child(lambda: (tmp_path / "result").write_text(str(Path.cwd())), scratch=tmp_path, limits=SOON)
    assert (tmp_path / "result").read_text() == str(tmp_path)


def test_what_it_changes_in_memory_does_not(tmp_path):
    here = []
    run_in_child(here.append, 1, scratch=tmp_path, limits=SOON)
    assert here == []


def test_what_it_says_is_heard_in_order_and_to_the_end(tmp_path):
    heard = []
    run_in_child(lambda count, say: [say(n) for n in range(count)], 9, scratch=tmp_path, limits=SOON, hear=heard.append)
    assert heard == list(range(9))


def _waiting_for(path):
    while not path.exists():
        time.sleep(0.01)


def test_what_it_says_is_heard_while_it_works(tmp_path):
    def work(say):
        say("begun")
        _waiting_for(tmp_path / "heard")

    run_in_child(work, scratch=tmp_path, limits=SOON, hear=lambda _: (tmp_path / "heard").touch())


def test_its_last_word_is_heard_when_it_ends_just_after_one_has_listened(tmp_path):
    def work(say):
        _waiting_for(tmp_path / "listened")
        say("last")

    def clock():  # is looked at before anything is heard, and then after each time
        if asked:
            (tmp_path / "listened").touch()
            _waiting_for(tmp_path / "done")
            time.sleep(0.5)
        asked.append(1)
        return 0.0

    asked, heard = [], []
    run_in_child(work, scratch=tmp_path, limits=SOON, hear=heard.append, clock=clock)
    assert heard == ["last"]


def test_one_that_ends_in_the_middle_of_a_word_is_a_failure(tmp_path):
    def work(say):
        say("all")
        os.write(say.__self__.fileno(), b"\0\0\1\0half")
        os._exit(3)

    heard = []
    with pytest.raises(ChildFailed, match="exit code 3"):
        run_in_child(work, scratch=tmp_path, limits=SOON, hear=heard.append)
    assert heard == ["all"]


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


def _killed(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _no_memory_for_torch(_: str) -> None:
    import torch

    torch.empty(2**60, dtype=torch.uint8)


def _no_memory_on_a_gpu(_: str) -> None:
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.mark.parametrize("work", [_no_memory_for_torch, _no_memory_on_a_gpu])
def test_whose_fault_it_is_that_memory_was_lacking_is_left_open(tmp_path, work):
    """Who asked for it decides: a trial is run again before its method is blamed (`test_blame.py`)."""
    with pytest.raises(ChildFailed) as failure:
        run_in_child(work, "", scratch=tmp_path, limits=Limits(60.0))
    assert failure.value.status == "out_of_memory" and failure.value.status in MACHINE_STATUSES
    assert failure.value.doubtful


class Mute(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


def _mute(_: str) -> None:
    raise Mute


def test_an_error_whose_message_cannot_be_read_is_named_all_the_same(tmp_path):
    with pytest.raises(ChildFailed) as failure:
        run_in_child(_mute, "", scratch=tmp_path, limits=Limits(60.0))
    assert str(failure.value) == "Mute: (its message cannot be read: ZeroDivisionError)"


def test_who_was_killed_was_killed_from_outside(tmp_path):
    with pytest.raises(WorkFailed, match="killed from outside"):
        run_in_child(_killed, "", scratch=tmp_path, limits=Limits(60.0))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_no_result_at_all(tmp_path, number):
    def write(_: str) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.raises(WorkFailed, match=rf"could not write: OSError: .*{number}.*run the same command again"):
        run_in_child(write, "", scratch=tmp_path, limits=Limits(60.0))


def test_a_file_that_the_method_misses_is_its_own_failure(tmp_path):
    def read(_: str) -> None:
        Path("nowhere").read_text()

    with pytest.raises(ChildFailed) as failure:
        run_in_child(read, "", scratch=tmp_path, limits=Limits(60.0))
    assert failure.value.status == "failed"
