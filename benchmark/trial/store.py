"""The content-addressed store: a stage's result lies under the hash of everything that determines it.

An entry is a folder of files with a manifest of their checksums. It is written beside its place and moved
there in one step, so a killed process leaves either the whole entry or none; it is verified when read.
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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prunemark.records.writer import storage_errors

MANIFEST = "manifest.json"


def key_of(stage: str, inputs: Mapping[str, Any]) -> str:
    """The name of a stage's result: SHA-256 over the stage and all its inputs, defaults included.

    Inputs are plain JSON; raises TypeError for anything else, so that nothing is hashed by its address.
    """
    text = json.dumps({"stage": stage, "inputs": inputs}, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _nobody(_words: str) -> None:
    """Who is told where nobody listens."""


@dataclass(frozen=True)
class Store:
    """All stage results under one folder, shared by every process and every run that uses it."""

    root: Path
    tell: Callable[[str], None] = field(default=_nobody, compare=False)

    def path(self, key: str) -> Path:
        """Where the entry of this key lies, or will lie."""
        return self.root / key[:2] / key

    def has(self, key: str) -> bool:
        """Whether the entry is there; its content is verified by `read`."""
        return (self.path(key) / MANIFEST).is_file()

    def read(self, key: str) -> Path | None:
        """The entry's folder, its checksums verified; None when there is none.

        An entry that fails verification is set aside (never deleted) and counts as absent.
        """
        folder = self.path(key)
        if not self.has(key):
            return None
        try:
            manifest = json.loads((folder / MANIFEST).read_text())
            sound = bool(manifest) and all(file_sha256(folder / name) == digest for name, digest in manifest.items())
        except (OSError, ValueError, AttributeError):
            sound = False
        if sound:
            return folder
        self._set_aside(folder)
        return None

    def _set_aside(self, folder: Path) -> None:
        number = 0
        while (aside := folder.with_name(f"{folder.name}.damaged{number}")).exists():
            number += 1
        folder.rename(aside)

    @contextlib.contextmanager
    def writing(self, key: str) -> Iterator[Path]:
        """A new folder to write the entry's files into; it becomes the entry when the block ends well."""
        target = self.path(key)
        with storage_errors(self.root):
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=target.parent))
        try:
            with storage_errors(self.root):
                yield draft
                seal(draft)
                _move(draft, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    @contextlib.contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Keeps other processes from computing the same entry meanwhile; a killed holder lets go."""
        with storage_errors(self.root):
            place = self.root / "locks"
            place.mkdir(parents=True, exist_ok=True)
            handle = (place / key).open("w")
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _move(draft: Path, target: Path) -> None:
    """One step. Where another process finished the same entry first, its content is the same: let it stand."""
    try:
        draft.rename(target)
    except OSError as problem:
        if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def seal(folder: Path) -> None:
    """Writes the manifest of a draft and forces everything to the disk."""
    digests = {path.name: file_sha256(path) for path in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(json.dumps(digests, indent=1, sort_keys=True))
    for path in folder.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
