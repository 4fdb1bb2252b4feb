"""What lies under a key of the store: plain files and a manifest of their checksums, verified when read."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import time
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

from prunemark.setups.errors import WorkFailed

MANIFEST = "manifest.json"
DAMAGE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EIO)
"""Errors that say what a file is. All others say how the machine fares now, and mark nothing as damaged."""
SETTLED_NS = 2_000_000_000
"""A file that was changed this recently can change again within one tick of its clock: its hash is not remembered."""
KINDS = {  # by a file that only such an entry has
    "record.json": "results", "test_accuracy.json": "accuracies of bases", "decision.json": "pruning stages",
    "jsv.json": "retrained models", "momentum.safetensors": "base models", "train.safetensors": "prepared data",
    "description.json": "descriptions", "found.json": "checks of networks", "name.json": "names of files",
    "own.json": "code of tracks", "read.json": "readings of own images",
}  # fmt: skip
ONE = {
    "results": "the result of a trial", "accuracies of bases": "the accuracy of a base model",
    "pruning stages": "a pruning stage", "retrained models": "a retrained model", "base models": "a base model",
    "prepared data": "prepared data", "descriptions": "what a method declares",
    "code of tracks": "the code of a track's author", "readings of own images": "the reading of own images",
    "checks of networks": "the check of a network", "names of files": "the name of a method's file",
}  # fmt: skip


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(folder: Path) -> None:
    """Writes the manifest of a draft and forces everything to the disk."""
    digests = {path.name: file_sha256(path) for path in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(json.dumps(digests, indent=1, sort_keys=True))
    for path in (*folder.iterdir(), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def damage_of(folder: Path, needed: Collection[str] = (), *, only_needed: bool = False) -> str:
    """What is wrong with an entry, in words; '' where it is whole.

    Whole: a real folder of plain files, exactly those of its manifest, `needed` among them, each with its checksum; or
    with `only_needed`, these with theirs: of the others it only counts that they are there.

    A file is hashed once a process for as long as it stays the same file. Raises WorkFailed where that cannot be told
    now (no permission, no memory, a disk that does not answer): that is no damage.
    """
    try:
        if folder.is_symlink():
            return "it is a link, not a folder"
        with os.scandir(folder) as entries:
            plain = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
        if MANIFEST not in plain:
            return "it has no manifest"
        if odd := sorted(name for name, is_file in plain.items() if not is_file):
            return f"{odd[0]} is not a plain file"
        return _against_manifest(folder, set(plain) - {MANIFEST}, needed, only_needed)
    except OSError as problem:
        if problem.errno in DAMAGE:
            return f"{Path(problem.filename or folder).name} cannot be read ({problem.strerror})"
        raise WorkFailed(
            f"cannot read {folder}: {problem.strerror or problem}.\n"
            "Nothing is taken for damaged: mend that, and run the command again"
        ) from problem


def _against_manifest(folder: Path, there: set[str], needed: Collection[str], only_needed: bool) -> str:
    try:
        promised = json.loads((folder / MANIFEST).read_bytes())
    except (ValueError, RecursionError):
        promised = None
    if not isinstance(promised, dict) or not promised:
        return "its manifest is not one"
    if missing := sorted({*promised, *needed} - there):
        return f"{missing[0]} is missing"
    if more := sorted(there - set(promised)):
        return f"{more[0]} is not in its manifest"
    hashed = needed if only_needed else promised
    wrong = (name for name in hashed if _digest(folder / name) != promised[name])
    return next((f"{name} has not the bytes that were written" for name in wrong), "")


def _digest(path: Path) -> str:
    about = path.stat()
    if abs(time.time_ns() - about.st_ctime_ns) < SETTLED_NS:
        return file_sha256(path)
    return _remembered(path, (about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns))


@lru_cache(maxsize=1 << 14)
def _remembered(path: Path, _as_it_is: tuple[int, ...]) -> str:
    return file_sha256(path)


def kind_of(folder: Path) -> str:
    """Which stage's results lie there, by the files that are left or that the manifest names; '' where nothing says."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set[str]()
    try:
        manifest: Any = json.loads((folder / MANIFEST).read_bytes())
        names |= set(manifest)
    except (OSError, ValueError, TypeError, RecursionError):
        pass
    return next((kind for marker, kind in KINDS.items() if marker in names), "")


def in_words(kind: str) -> str:
    """One entry of a kind."""
    return ONE.get(kind, "a stage's result")
