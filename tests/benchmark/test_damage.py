"""Entries that are not whole: set aside, told of, never deleted, never taken for absent, and made again."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from support.stored import HOLDER, KEY, child, go, put, says

from prunemark.benchmark.trial import entry
from prunemark.benchmark.trial.entry import MANIFEST, file_sha256
from prunemark.benchmark.trial.store import Store
from prunemark.setups.errors import WorkFailed


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def linked(path: Path) -> None:
    """What was there lies elsewhere now, behind a link."""
    elsewhere = Path(tempfile.mkdtemp(dir=path.parents[2])) / "it"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


DAMAGES = {
    "edited": lambda folder: (folder / "a.txt").write_text("whole?"),
    "one bit": lambda folder: (folder / "a.txt").write_bytes(b"whnle"),
    "missing": lambda folder: (folder / "b.txt").unlink(),
    "manifest missing": lambda folder: (folder / MANIFEST).unlink(),
    "manifest cut short": lambda folder: (folder / MANIFEST).write_text((folder / MANIFEST).read_text()[:50]),
    "manifest of another kind": lambda folder: (folder / MANIFEST).write_text("[1, 2]"),
    "manifest of nothing": lambda folder: (folder / MANIFEST).write_text("{}"),
    "manifest too deep": lambda folder: (folder / MANIFEST).write_text("[" * 100_000),
    "a file more": lambda folder: (folder / "c.txt").write_text("more"),
    "a folder in it": lambda folder: (folder / "c").mkdir(),
    "a folder for a file": lambda folder: ((folder / "a.txt").unlink(), (folder / "a.txt").mkdir()),
    "a link in it": lambda folder: linked(folder / "a.txt"),
    "itself a link": linked,
    "a file": lambda folder: (shutil.rmtree(folder), folder.write_text("no folder")),
    "empty": lambda folder: (shutil.rmtree(folder), folder.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_set_aside_told_and_never_deleted(tmp_path: Path, damage: str) -> None:
    told: list[str] = []
    store = Store(tmp_path / "store", told.append)
    for turn in range(2):
        put(store)
        folder = store.path(KEY)
        DAMAGES[damage](folder)
        assert store.read(KEY) is None and store.was_damaged(KEY) and not os.path.lexists(folder)
        aside = folder.with_name(f"{KEY}.damaged{turn}")
        assert os.path.lexists(aside) and len(told) == turn + 1
        assert f"is set aside as {aside} and made again" in told[-1] and "\n" not in told[-1]
        assert store.read(KEY) is None and len(told) == turn + 1
    put(store)
    assert store.read(KEY) is not None and not store.was_damaged(KEY)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_that_nobody_read_is_not_in_the_way_of_a_new_one(tmp_path: Path, damage: str) -> None:
    told: list[str] = []
    store = Store(tmp_path / "store", told.append)
    put(store)
    DAMAGES[damage](store.path(KEY))
    put(store, text="whole again")
    folder = store.read(KEY)
    assert folder is not None and (folder / "a.txt").read_text() == "whole again"
    assert len(told) == (damage != "empty")  # nothing lies in an empty folder


def test_an_entry_that_never_had_what_is_needed_is_damaged(store: Store) -> None:
    put(store)
    assert store.read(KEY, "a.txt", "b.txt") is not None
    assert store.read(KEY, "a.txt", "weights.safetensors") is None and store.was_damaged(KEY)


def test_of_a_part_only_its_own_bytes_are_verified(store: Store) -> None:
    """Who reads a decision does not wait for megabytes of weights; that they are there counts all the same."""
    put(store)
    (store.path(KEY) / "b.txt").write_text("wrong")
    assert store.read_part(KEY, "a.txt") is not None
    assert store.read_part(KEY, "a.txt", "b.txt") is None and store.was_damaged(KEY)
    put(store)
    (store.path(KEY) / "b.txt").unlink()
    assert store.read_part(KEY, "a.txt") is None
    put(store)
    assert store.read_part(KEY, "a.txt", "c.txt") is None


def test_the_words_say_which_stage_it_was(tmp_path: Path) -> None:
    told: list[str] = []
    store = Store(tmp_path / "store", told.append)
    with store.writing(KEY) as folder:
        (folder / "decision.json").write_text("{}")
        (folder / "weights.safetensors").write_text("many")
    (store.path(KEY) / "decision.json").unlink()  # its manifest still says what it was
    assert store.read(KEY) is None
    assert told[0].startswith("a pruning stage was damaged (decision.json is missing): it is set aside as ")


@pytest.mark.parametrize("problem", [errno.EACCES, errno.ESTALE, errno.EMFILE, errno.ENOMEM])
def test_what_cannot_be_read_now_is_not_taken_for_damaged(
    store: Store, monkeypatch: pytest.MonkeyPatch, problem: int
) -> None:
    def refused(_: Path) -> str:
        raise OSError(problem, os.strerror(problem))

    put(store)
    monkeypatch.setattr(entry, "file_sha256", refused)
    with pytest.raises(WorkFailed, match=f"cannot read .*: {os.strerror(problem)}.\nNothing is taken for damaged"):
        store.read(KEY)
    monkeypatch.undo()
    assert store.read(KEY) is not None


def test_a_file_that_the_disk_does_not_give_back_is_damaged(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Path) -> str:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    put(store)
    monkeypatch.setattr(entry, "file_sha256", broken)
    assert store.read(KEY) is None and store.was_damaged(KEY)


def test_what_another_process_has_made_anew_is_not_set_aside(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looked, found damage, and had to wait: meanwhile the other one set it aside and wrote it again."""
    put(store)
    (store.path(KEY) / "a.txt").write_text("wrong")
    lock = Store.lock

    def late(self: Store, key: str) -> Any:
        shutil.rmtree(self.path(KEY))
        monkeypatch.setattr(Store, "lock", lock)
        put(self, text="anew")
        return lock(self, key)

    monkeypatch.setattr(Store, "lock", late)
    folder = store.read(KEY)
    assert folder is not None and (folder / "a.txt").read_text() == "anew" and not store.was_damaged(KEY)
    assert not list(folder.parent.glob("*.damaged*"))


def test_a_file_is_hashed_once_for_as_long_as_it_is_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store)
    monkeypatch.setattr(entry, "SETTLED_NS", -1)
    hashed: list[str] = []
    honest = file_sha256
    monkeypatch.setattr(entry, "file_sha256", lambda path: hashed.append(path.name) or honest(path))
    assert store.read(KEY) and store.read(KEY) and sorted(hashed) == ["a.txt", "b.txt"]
    file = store.path(KEY) / "a.txt"
    about = file.stat()
    file.write_text("whnle")
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))  # as large and as old as before
    assert store.read(KEY) is None and len(hashed) > 2


def test_a_draft_is_held_for_as_long_as_its_process_lives(store: Store) -> None:
    with store.writing(KEY) as draft:
        (draft / "a.txt").write_text("whole")
        descriptor = os.open(draft, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


def test_a_lock_whose_file_was_removed_is_taken_anew(store: Store) -> None:
    """Who waits for a lock while its file is removed would hold one that locks nobody out."""
    put(store)
    with child(HOLDER, str(store.root), KEY) as holder:
        try:
            assert says(holder) == "ready"
            with store.lock(KEY):
                go(holder)
                assert select.select([holder.stdout], [], [], 0.5)[0] == []
                (store.root / "locks" / KEY).unlink()
            assert says(holder) == "held"
            with (store.root / "locks" / KEY).open("w") as handle, pytest.raises(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            holder.kill()
