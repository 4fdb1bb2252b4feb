"""The store: whole entries or none, whatever happens meanwhile; other processes are real ones."""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.stored import HOLDER, KEY, child, go, put, says

from prunemark.benchmark.trial.entry import MANIFEST, file_sha256
from prunemark.benchmark.trial.store import Store, key_of
from prunemark.setups.errors import WorkFailed


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def everything(store: Store) -> list[str]:
    return sorted(str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file())


def test_what_is_written_is_read(store: Store) -> None:
    assert store.read(KEY) is None
    put(store)
    folder = store.read(KEY)
    assert folder == store.path(KEY) == store.root / "ab" / KEY
    assert folder is not None and (folder / "a.txt").read_text() == "whole"
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest == {name: file_sha256(folder / name) for name in ("a.txt", "b.txt")}
    assert len(everything(store)) == 3  # no draft is left


@pytest.mark.parametrize("problem", [ValueError("no"), KeyboardInterrupt(), SystemExit(1)])
def test_an_exception_while_writing_leaves_nothing(store: Store, problem: BaseException) -> None:
    with pytest.raises(type(problem)), store.writing(KEY) as folder:
        (folder / "a.txt").write_text("half")
        raise problem
    assert store.read(KEY) is None and everything(store) == []
    assert list((store.root / "ab").iterdir()) == []
    put(store)
    assert store.read(KEY) is not None


KILLED = """
import os, sys
from pathlib import Path
from prunemark.benchmark.trial.store import Store
with Store(Path(sys.argv[1])).writing(sys.argv[2]) as folder:
    (folder / "a.txt").write_text("half")
    os.kill(os.getpid(), 9)
"""


def test_a_killed_process_leaves_no_entry(store: Store) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(store.root), KEY], check=False)
    assert done.returncode == -signal.SIGKILL
    assert store.read(KEY) is None
    put(store)
    assert store.read(KEY) is not None


def test_a_full_disk_is_put_into_words(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorkFailed) as problem:
        put(store)
    assert str(problem.value).splitlines() == [
        f"cannot write to {store.root}: the disk is full.",
        "Nothing half-written was kept: make room or choose another folder (--home), and run the command again",
    ]
    assert isinstance(problem.value.__cause__, OSError)
    monkeypatch.undo()
    assert everything(store) == []
    put(store)
    assert store.read(KEY) is not None


def test_a_place_that_is_a_file_is_put_into_words(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(WorkFailed, match="cannot write to .*store"):
        put(Store(tmp_path / "store"))
    with pytest.raises(WorkFailed, match="cannot write to"), Store(tmp_path / "store").lock(KEY):
        pass


def test_a_file_that_exists_already_in_the_draft_is_an_error(store: Store) -> None:
    with pytest.raises((WorkFailed, FileExistsError)), store.writing(KEY) as folder:
        (folder / "a.txt").write_text("half")
        (folder / "a.txt").mkdir()


WRITER = """
import sys
from pathlib import Path
from prunemark.benchmark.trial.store import Store
with Store(Path(sys.argv[1])).writing(sys.argv[2]) as folder:
    (folder / "a.txt").write_text("whole" * 10000)
    (folder / "b.txt").write_text("more")
    print("ready", flush=True)
    sys.stdin.readline()
"""


def test_two_processes_that_write_one_key_leave_one_whole_entry(store: Store) -> None:
    with child(WRITER, str(store.root), KEY) as one, child(WRITER, str(store.root), KEY) as other:
        assert [says(one), says(other)] == ["ready", "ready"]
        for writer in (one, other):  # both have their drafts; now both finish at once
            go(writer)
    assert one.returncode == other.returncode == 0
    folder = store.read(KEY)
    assert folder is not None and (folder / "a.txt").read_text() == "whole" * 10000
    assert [path.name for path in folder.parent.iterdir()] == [KEY]


def test_the_first_to_finish_is_kept(store: Store) -> None:
    with store.writing(KEY) as late:
        (late / "a.txt").write_text("late")
        put(store, text="first")
    folder = store.read(KEY)
    assert folder is not None and (folder / "a.txt").read_text() == "first"


def test_a_lock_keeps_other_processes_out_until_it_is_let_go(store: Store) -> None:
    with child(HOLDER, str(store.root), KEY) as holder, child(HOLDER, str(store.root), KEY) as waiter:
        try:
            assert [says(holder), says(waiter)] == ["ready", "ready"]
            go(holder)
            assert says(holder) == "held"
            go(waiter)
            assert select.select([waiter.stdout], [], [], 0.3)[0] == []  # asked for it, and not in
            with store.lock("cd" * 32):  # another key is another lock
                pass
            go(holder)
            assert [says(holder), says(waiter)] == ["letting go", "held"]
        finally:
            holder.kill()
            waiter.kill()
    with store.lock(KEY):  # the waiter held it still, and let go by dying
        pass


def test_the_key_depends_on_everything_and_on_no_order() -> None:
    inputs = {"seed": 0, "recipe": {"lr": "1e-2", "batch": 128}, "level": None}
    key = key_of("prune", inputs)
    assert key == key_of("prune", dict(reversed(inputs.items()))) and len(key) == 64
    others = [{"seed": 1}, {"seed": 0.0}, {"level": 0}, {"recipe": {"lr": "1e-2", "batch": 64}}, {"more": 1}]
    keys = {key_of("prune", inputs | change) for change in others} | {key_of("retrain", inputs), key}
    assert len(keys) == len(others) + 2
    with pytest.raises(TypeError):
        key_of("prune", {"model": object()})  # nothing is hashed by its address
    with pytest.raises(ValueError, match="JSON"):
        key_of("prune", {"lr": float("nan")})
