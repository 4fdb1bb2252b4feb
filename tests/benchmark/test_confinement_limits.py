"""What a confined process may use: time, memory, files, seconds of a processor."""

import time
from pathlib import Path

import pytest
import torch

from prunemark.benchmark.sandbox.child import ChildFailed, Limits, run_in_child
from prunemark.benchmark.sandbox.confinement import Confinement, isolation_here

pytestmark = pytest.mark.skipif(isolation_here() != "landlock", reason="this machine has no Landlock and seccomp")


def confined(work, scratch, *arguments, limits=Limits(30.0), **more):  # noqa: B008
    return run_in_child(work, *arguments, scratch=scratch, limits=limits, confinement=Confinement("landlock", **more))


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def test_a_confined_process_is_stopped_in_time(scratch):
    """It has closed the descriptor by which Python's own `join` knows that a process lives."""
    began = time.monotonic()
    with pytest.raises(ChildFailed, match="stopped after 1 s") as caught:
        confined(time.sleep, scratch, 60, limits=Limits(seconds=1.0))
    assert caught.value.status == "timeout"
    assert time.monotonic() - began < 30


def test_files_are_bounded_one_by_one_and_together(scratch):
    with pytest.raises(ChildFailed, match="File too large"):
        confined(lambda: Path("big").write_bytes(bytes(1 << 21)), scratch, file_bytes=1 << 20)

    (again := scratch.with_name("again")).mkdir()

    def many():
        for number in range(64):
            Path(f"file{number}").write_bytes(bytes(1 << 20))

    with pytest.raises(ChildFailed, match=r"it left \d+ MiB in \d+ files") as caught:
        confined(many, again, limits=Limits(30.0, scratch_bytes=1 << 24))
    assert caught.value.status == "noncompliant"


@pytest.mark.parametrize("take", [lambda: torch.zeros(1 << 30), lambda: bytearray(1 << 32)], ids=["torch", "Python"])
def test_memory_is_refused_before_it_is_taken(take, scratch):
    with pytest.raises(ChildFailed) as caught:
        confined(take, scratch, memory_bytes=1 << 30)
    assert caught.value.status == "out_of_memory"


def test_seconds_of_the_processor_are_counted_and_bounded(scratch):
    def work(seconds):
        while time.process_time() < seconds:
            pass

    used = confined(work, scratch, 0.3)  # a fork begins to count anew
    assert 0.2 < used.cpu_seconds < 5
    with pytest.raises(ChildFailed) as caught:
        confined(work, scratch, 1e9, cpu_seconds=0)
    assert caught.value.status == "timeout"
