"""What lies in a home, part by part, with its bytes: what `prunemark home du` lists, and the other verbs go through."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prunemark.benchmark.run.gpu_room import FOLDER as GPU_MEMORY
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.trial.entry import KINDS, kind_of
from prunemark.benchmark.trial.store import ASIDE, DRAFT, LOCKS
from prunemark.setups.errors import InputError
from prunemark.setups.given_base import BASES

KEY = re.compile(r"[0-9a-f]{64}")
CHECKPOINTS = "checkpoints"
FOLDERS = {
    "records": "records", "methods": "sources of methods", "timings": "timings", GPU_MEMORY: "GPU memory of trials",
    BASES: "files of given weights",
}  # fmt: skip
MLFLOW, DRAFTS, DAMAGED, LOCK_FILES = "MLflow", "drafts", "damaged", "locks"
UNKNOWN, OTHER = "unknown in the store", "other"
ORDER = (*KINDS.values(), CHECKPOINTS, *FOLDERS.values(), MLFLOW, OTHER, UNKNOWN, DAMAGED, DRAFTS, LOCK_FILES)

UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Part:
    """A file, or a folder that belongs together, such as an entry of the store."""

    kind: str
    path: Path

    @property
    def bytes(self) -> int:
        """Of its files."""
        return bytes_of(self.path)


def bytes_of(path: Path) -> int:
    """Of a file, or of all files of a folder; what goes meanwhile counts nothing."""
    if path.is_symlink() or not path.is_dir():
        return _size(path)
    return sum(_size(Path(folder) / name) for folder, _, names in os.walk(path) for name in names)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def existing(home: Home) -> Home:
    """The home. Raises InputError where there is none: nothing is made by looking."""
    if not home.store.root.is_dir():
        raise InputError(f"no home in {home.root}: it has no folder `store`. Give --home another folder")
    return home


def parts_of(home: Home) -> list[Part]:
    """Everything that lies in a home, in the order of their paths."""
    found = [*_store(home.store.root), *_rest(home)]
    return sorted(found, key=lambda part: part.path)


def _store(root: Path) -> Iterator[Part]:
    for place in root.iterdir():
        if place.name == LOCKS:
            yield from (Part(LOCK_FILES, path) for path in place.iterdir())
        elif place.name == CHECKPOINTS:
            yield from (Part(DRAFTS if DRAFT in path.name else CHECKPOINTS, path) for path in place.iterdir())
        elif place.is_dir():
            yield from (Part(_kind(path), path) for path in place.iterdir())
        else:
            yield Part(UNKNOWN, place)


def _kind(path: Path) -> str:
    if path.name.startswith(DRAFT):
        return DRAFTS
    if KEY.fullmatch(path.name.partition(ASIDE)[0]) and path.name[:2] == path.parent.name:
        return DAMAGED if ASIDE in path.name else kind_of(path) or UNKNOWN
    return UNKNOWN


def _rest(home: Home) -> Iterator[Part]:
    """Files outside the store. Collections, such as the records of one table, have folders of the same names."""
    for place, folders, names in os.walk(home.root):
        at = Path(place)
        folders[:] = [name for name in folders if (at / name) != home.store.root]
        kind = MLFLOW if home.mlflow_artifacts in (at, *at.parents) else FOLDERS.get(at.name, OTHER)
        for name in names:
            ours = MLFLOW if at == home.root and name.startswith("mlflow") else kind
            yield Part(DRAFTS if name.startswith((DRAFT, ".writable-")) else ours, at / name)


def usage(home: Home) -> list[dict[str, str | int]]:
    """By kind: how many there are, and their bytes; and the sum."""
    parts = parts_of(existing(home))
    rows: list[dict[str, str | int]] = []
    for kind in ORDER:
        sizes = [part.bytes for part in parts if part.kind == kind]
        if sizes:
            rows.append({"what": kind, "number": len(sizes), "bytes": sum(sizes), "size": readable(sum(sizes))})
    total = sum(int(row["bytes"]) for row in rows)
    return [*rows, {"what": "all", "number": len(parts), "bytes": total, "size": readable(total)}]


def readable(size: float) -> str:
    """Bytes as a person reads them: 1.5 MB."""
    power = next((power for power in range(len(UNITS)) if size < 1000 ** (power + 1)), len(UNITS) - 1)
    return f"{size / 1000**power:.{1 if power else 0}f} {UNITS[power]}"
