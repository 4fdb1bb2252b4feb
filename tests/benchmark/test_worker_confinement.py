"""A worker that runs code of a track's author: what it cannot do, and that it says nothing but plain data."""

import pickle
from pathlib import Path

import pytest
from support import own_escapes

from prunemark.benchmark.run.crossing_words import heard
from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.run.jobs import Job, confined_for
from prunemark.benchmark.sandbox.confinement import isolation_here
from prunemark.benchmark.sandbox.worker import ConfinedWorker
from prunemark.setups.errors import InputError, WorkFailed

needs_landlock = pytest.mark.skipif(isolation_here() != "landlock", reason="this machine has no Landlock and seccomp")


def outcome(call, *arguments, **confined):
    """What a job of tests/support/own_escapes.py returns in a confined worker."""
    found = []
    confinement = ConfinedWorker("landlock", **confined)
    job = Job("escape", f"support.own_escapes:{call}", arguments, confined=confinement)
    LocalProcesses(1).run([job], lambda event: found.append(event.value) if event.kind == "done" else None)
    return found[0]


@needs_landlock
@pytest.mark.parametrize("attempt", own_escapes.ATTEMPTS)
def test_it_cannot(tmp_path, attempt):
    (tmp_path / "store").mkdir()
    (tmp_path / "secret").write_text("secret")
    said = outcome("attempt", attempt, tmp_path, writable=(str(tmp_path / "store"),))
    assert said == "refused", f"{attempt}: {said}"


@needs_landlock
def test_it_can_do_the_harness_s_work(tmp_path):
    (tmp_path / "store").mkdir()
    assert outcome("work", tmp_path / "store", writable=(str(tmp_path / "store"),)) == ["written", "child 7", "trained"]


@needs_landlock
def test_what_it_prints_drives_no_terminal(tmp_path, capfd):
    outcome("shout", writable=(str(tmp_path),))
    assert capfd.readouterr().out == ""


class _Evil:
    def __reduce__(self):
        return (Path.touch, (Path("/tmp/prunemark-evil"),))


class _Pipe:
    def __init__(self, value):
        self.content = value if isinstance(value, bytes) else pickle.dumps(value)

    def recv_bytes(self):
        return self.content


@pytest.mark.parametrize("said", [("done", _Evil()), b"not a pickle", 5, ("done", print), (5, "done")])
def test_a_pickle_that_would_run_something_is_not_read(said):
    job = Job("mine", "x:y", (), confined=ConfinedWorker("landlock", ()))
    kind, value = heard(_Pipe(said), job)
    assert kind == "error" and isinstance(value, WorkFailed) and "mine said what cannot be read" in str(value)
    assert not Path("/tmp/prunemark-evil").exists()


def test_plain_words_are_read():
    job = Job("mine", "x:y", (), confined=ConfinedWorker("landlock", ()))
    for value in ("text", 1.5, [1, None], {"a": (1, 2)}):
        assert heard(_Pipe(("report", value)), job) == ("report", value)
    kind, value = heard(_Pipe(("error", InputError("in words"))), job)
    assert kind == "error" and isinstance(value, InputError) and value.args == ("in words",)


def test_a_container_is_refused_and_other_networks_are_not_confined(tmp_path):
    from dataclasses import replace

    from prunemark.setups.track_files import find_track

    track = find_track("digits-resnet8")
    assert confined_for(track, "", "cpu", tmp_path) is None
    own = replace(track, network=f"{tmp_path}/own.json:build")
    assert confined_for(own, "", "cpu", tmp_path).writable == (str(tmp_path),)
    with pytest.raises(InputError, match="so no container"):
        confined_for(own, "container", "cpu", tmp_path)
