"""The content-addressed store: a stage's result lies under the hash of everything that determines it.

An entry is written beside its place and moved there in one step, so a killed process leaves either the whole entry or
none. It is verified when read; one that is not whole is set aside, never deleted, and whoever uses the store is told.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol
from uuid import uuid4

from prunemark.benchmark.trial import locks
from prunemark.benchmark.trial.entry import damage_of, in_words, kind_of, seal
from prunemark.records.writer import storage_errors

ASIDE, DRAFT, LOCKS = ".damaged", ".draft-", "locks"
SETTING_ASIDE = "setting-aside"


def key_of(stage: str, inputs: Mapping[str, Any]) -> str:
    """The name of a stage's result: SHA-256 over the stage and all its inputs, defaults included.

    Inputs are plain JSON; raises TypeError for anything else, so that nothing is hashed by its address.
    """
    text = json.dumps({"stage": stage, "inputs": inputs}, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _nobody(_words: str) -> None:
    """Who is told where nobody listens."""


class Others(Protocol):
    """Where results of other machines lie: see `objects.py`."""

    def fetch(self, key: str, store: Store) -> bool:
        """Puts a result into the store; whether it is there now."""
        ...

    def fetch_all(self, store: Store) -> None:
        """Puts everything into the store."""
        ...

    def forget(self, key: str) -> None:
        """Takes a result away."""
        ...

    def refuse(self, key: str) -> None:
        """Takes a result out of the way that is whole and wrong."""
        ...


@dataclass(frozen=True)
class Store:
    """All stage results under one folder, shared by every process and every run that uses it.

    `tell` hears, in one line, of an entry that was set aside. What is not here is looked for with the `others`.
    Reading raises WorkFailed where a file cannot be read for a reason that is not its own.
    """

    root: Path
    tell: Callable[[str], None] = field(default=_nobody, compare=False)
    others: Others | None = field(default=None, compare=False)

    def path(self, key: str) -> Path:
        """Where the entry of this key lies, or will lie. What is there is only known from `read`."""
        return self.root / key[:2] / key

    def read(self, key: str, *needed: str) -> Path | None:
        """The entry's folder, every byte verified; None when there is none. `needed` are files that it has to have.

        An entry that is not whole is set aside and counts as absent; `was_damaged` knows the difference.
        """
        return self._verified(key, lambda folder: damage_of(folder, needed))

    def read_part(self, key: str, *names: str) -> Path | None:
        """The same, where only these files are read: the bytes of the others, which can be many, are not verified."""
        return self._verified(key, lambda folder: damage_of(folder, names, only_needed=True))

    def _verified(self, key: str, damage: Callable[[Path], str]) -> Path | None:
        folder = self.path(key)
        whole = self._whole(folder, damage)
        return whole or (self._whole(folder, damage) if self.others and self.others.fetch(key, self) else None)

    def _whole(self, folder: Path, damage: Callable[[Path], str]) -> Path | None:
        if not os.path.lexists(folder):
            return None
        return folder if not damage(folder) else self._set_aside(folder, damage)

    def was_damaged(self, key: str) -> bool:
        """Whether there was an entry that had to be set aside, and none has taken its place yet."""
        folder = self.path(key)
        return not os.path.lexists(folder) and any(folder.parent.glob(f"{key}{ASIDE}*"))

    def discard(self, key: str, why: str) -> None:
        """Sets aside an entry that is whole by itself and no longer fits what it refers to."""
        if os.path.lexists(folder := self.path(key)):
            self.tell(self._rename_aside(folder, why))
            if self.others:
                self.others.refuse(key)

    def _set_aside(self, folder: Path, damage: Callable[[Path], str]) -> Path | None:
        """One process at a time, and each looks again: what another has just made anew is not taken for damaged."""
        with self.lock(SETTING_ASIDE):
            if not os.path.lexists(folder):
                return None
            if not (why := damage(folder)):
                return folder
            words = self._rename_aside(folder, why)
        self.tell(words)
        return None

    def _rename_aside(self, folder: Path, why: str) -> str:
        number = 0
        while os.path.lexists(aside := folder.with_name(f"{folder.name}{ASIDE}{number}")):
            number += 1
        what = in_words(kind_of(folder))
        with storage_errors(self.root):
            folder.rename(aside)
        return f"{what} was damaged ({why}): it is set aside as {aside} and made again where it is needed"

    def forget(self, key: str) -> None:
        """Takes the entry away, so that it is made again. Raises WorkFailed where that cannot be done."""
        with self.lock(key), storage_errors(self.root):
            if os.path.lexists(folder := self.path(key)):
                shutil.rmtree(folder)
        if self.others:
            self.others.forget(key)

    @contextlib.contextmanager
    def writing(self, key: str) -> Iterator[Path]:
        """A new folder to write the entry's files into; it becomes the entry when the block ends well.

        Where another process finished the same entry first, its content is the same and stands.
        """
        target = self.path(key)
        with storage_errors(self.root):
            target.parent.mkdir(parents=True, exist_ok=True)
            draft, let_go = self._new_draft(target.parent)
        try:
            with storage_errors(self.root):
                yield draft
                seal(draft)
                while not _moved(draft, target):
                    if self.read(key):  # else it was damaged, and has just been moved out of the way
                        break
        finally:
            shutil.rmtree(draft, ignore_errors=True)
            let_go()

    @contextlib.contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Keeps other processes from computing the same entry meanwhile; a killed holder lets go: see `locks`."""
        with storage_errors(self.root):
            place = self.root / LOCKS / key
            place.parent.mkdir(parents=True, exist_ok=True)
        if self.with_leases:
            with contextlib.ExitStack() as held:
                with storage_errors(self.root):
                    held.enter_context(locks.lease(place.with_name(key + locks.END)))
                yield
            return
        with storage_errors(self.root):
            handle = place.open("w")
            while not _locked(handle, place):
                handle.close()
                handle = place.open("w")
        with handle:
            yield

    @property
    def with_leases(self) -> bool:
        """Whether it lies in a home whose locks are leases."""
        return locks.uses_leases(self.root.parent)

    def _new_draft(self, parent: Path) -> tuple[Path, Callable[[], None]]:
        """A draft, held as long as this process lives, and what lets it go: `home gc` removes none that is held."""
        if not self.with_leases:
            draft, descriptor = _new_draft(parent)
            return draft, lambda: os.close(descriptor)
        for left in parent.glob(f"{DRAFT}*"):
            self.remove_unheld(left)
        (self.root / LOCKS).mkdir(exist_ok=True)
        draft = parent / f"{DRAFT}{uuid4().hex}"
        held = self.root / LOCKS / f"{draft.name}{locks.END}"
        if not locks.try_lease(held):
            raise FileExistsError(held)
        draft.mkdir(mode=0o700)
        return draft, lambda: locks.let_go(held)

    def remove_unheld(self, draft: Path) -> bool:
        """Takes away a draft whose maker is dead; whether it is gone. One that was made just now is left."""
        if not self.with_leases:
            _remove_unheld(draft)
        elif not locks.is_leased(self.root / LOCKS / f"{draft.name}{locks.END}"):
            with contextlib.suppress(OSError):
                if time.time() - draft.stat().st_mtime > locks.STALE_SECONDS:
                    shutil.rmtree(draft, ignore_errors=True)
        return not draft.exists()


def _locked(handle: IO[str], place: Path) -> bool:
    """Waits for the lock; False where the file was removed meanwhile (`home gc`): then it locks nobody out."""
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        return os.path.samestat(os.fstat(handle.fileno()), place.stat())
    except FileNotFoundError:
        return False


def _new_draft(parent: Path) -> tuple[Path, int]:
    """A draft, and what holds it for as long as this process lives: `home gc` removes none that is held."""
    for left in parent.glob(f"{DRAFT}*"):
        _remove_unheld(left)
    while True:
        draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=parent))
        try:
            held = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        fcntl.flock(held, fcntl.LOCK_SH)
        if draft.exists():
            return draft, held
        os.close(held)


def _remove_unheld(draft: Path) -> None:
    """Takes away a draft whose maker was killed."""
    with contextlib.suppress(OSError):
        held = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(draft, ignore_errors=True)
        finally:
            os.close(held)


def _moved(draft: Path, target: Path) -> bool:
    """One step. False where something is in the way."""
    try:
        draft.rename(target)
    except OSError as problem:
        if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        return False
    return True
