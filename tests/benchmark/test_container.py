"""The child under bubblewrap: the same barriers in another root, counted and bounded like any other child."""

import ast
import multiprocessing
import time

import pytest
from support import in_container

from prunemark.benchmark.sandbox import container
from prunemark.benchmark.sandbox.child import ChildFailed, Limits, run_in_child
from prunemark.benchmark.sandbox.confinement import Confinement, isolation_here, isolation_of
from prunemark.setups.errors import InputError, WorkFailed

NOT_HERE = isolation_here() != "landlock" or bool(container.why_not())
needs_a_container = pytest.mark.skipif(NOT_HERE, reason="this machine makes no containers")


def contained(work, scratch, *arguments, limits=None, keep=(), **more):
    return run_in_child(
        work, *arguments, scratch=scratch, limits=limits or Limits(60.0), confinement=Confinement("container", **more),
        keep=keep,
    )  # fmt: skip


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@needs_a_container
def test_it_has_another_root_and_is_counted_from_its_own_work_on(scratch, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "secret")
    secret = scratch.parent / "secret"
    secret.touch()
    places = [str(secret), "/etc/passwd", "/usr/bin/env", "/proc/2/stat", "/sys/class/net", "/dev/shm", str(scratch)]
    used = contained(in_container.look_around, scratch, places)
    there, pid, threads, environment = ast.literal_eval((scratch / "said").read_text())
    assert there == ["/dev/shm", str(scratch)]
    assert (pid, threads) == (1, 1) and "MY_TOKEN" not in environment
    assert used.cpu_seconds < 0.5  # and not the three that it takes to load torch


@needs_a_container
def test_its_pipe_leads_out(scratch):
    ours, theirs = multiprocessing.Pipe()
    ours.send_bytes(b"a word")
    contained(in_container.echo, scratch, theirs, keep=(theirs.fileno(),))
    assert ours.recv_bytes() == b"heard a word"


@needs_a_container
def test_landlock_and_the_list_of_calls_hold_in_it_too(scratch):
    with pytest.raises(ChildFailed, match="PermissionError"):
        contained(in_container.read, scratch, "/proc/version")
    (again := scratch.with_name("again")).mkdir()
    with pytest.raises(ChildFailed, match="PermissionError"):
        contained(in_container.fork, again)


@needs_a_container
def test_its_seconds_are_counted_and_bounded(scratch):
    assert 0.4 < contained(in_container.compute, scratch, 0.5).cpu_seconds < 3.0
    (again := scratch.with_name("again")).mkdir()
    with pytest.raises(ChildFailed, match="of the processor") as caught:
        contained(in_container.compute, again, 1e9, cpu_seconds=6)
    assert caught.value.status == "timeout"
    (third := scratch.with_name("third")).mkdir()
    began = time.monotonic()
    with pytest.raises(ChildFailed, match="stopped after 6 s"):
        contained(in_container.compute, third, 1e9, limits=Limits(6.0))
    assert time.monotonic() - began < 30


@needs_a_container
def test_its_memory_is_bounded(scratch):
    with pytest.raises(ChildFailed) as caught:
        contained(in_container.fill_memory, scratch, limits=Limits(60.0, memory_bytes=600 << 20))
    assert caught.value.status == "out_of_memory"


def test_a_container_that_cannot_begin_is_no_fault_of_the_method(scratch, monkeypatch, tmp_path):
    bwrap = tmp_path / "bwrap"
    bwrap.write_text("#!/bin/sh\necho setting up uid map: no >&2\nexit 1\n")
    bwrap.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(WorkFailed, match="a container could not begin: setting up uid map: no"):
        contained(in_container.fork, scratch)


@pytest.mark.skipif(isolation_here() != "landlock", reason="this machine has no Landlock and seccomp")
def test_a_container_that_is_not_to_be_had_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(container, "why_not", lambda: "bubblewrap is not installed")
    with pytest.raises(InputError, match="--isolation container was asked for, and bubblewrap is not installed"):
        isolation_of("container")
    with pytest.raises(InputError, match="unknown isolation 'contaner'"):
        isolation_of("contaner")
