"""Whether a board's folder has only grown: files are added under the names they may have, and none is touched.

A board's folder holds `records`, `methods`, `decisions` and `releases`; what else lies in it is not looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prunemark.benchmark.trial.entry import file_sha256
from prunemark.records import board_terms, fresh_seeds

PARTS = ("records", "methods", "decisions", "releases")
INVALIDATIONS = "records/invalidations.jsonl"  # the one file that is written on, at its end
_TRACK, _SHA256 = r"[A-Za-z0-9][A-Za-z0-9._-]*@[0-9]+", "[0-9a-f]{64}"
NAMES = (
    rf"(records|decisions)/{_TRACK}/{_SHA256}\.jsonl\.xz",
    rf"methods/{_SHA256}\.json",
    r"releases/[A-Za-z0-9][A-Za-z0-9._-]*\.json",
    re.escape(INVALIDATIONS),
)
DRAWS = f"records/{fresh_seeds.FILE}"
KEEPERS = {
    DRAWS: "was changed. `prunemark confirm` draws seeds, and the board's maintainers run it: put it back",
    board_terms.FILE: "was changed. Its maintainers say what a board asks: put it back",
}
"""What no contribution writes, and what is said of one that does."""


@dataclass(frozen=True)
class Additions:
    """Paths that were added, relative to the folder, and in words whatever else was done to it."""

    added: tuple[str, ...]
    broken: tuple[str, ...]


def additions(folder: Path, base: Path) -> Additions:
    """What a board's folder has that it had not. A folder that is not there has nothing in it."""
    now, before = set(_files(folder)), set(_files(base))
    broken = [f"{name} was removed. A board only grows: put it back" for name in sorted(before - now - {DRAWS})]
    keepers = KEEPERS if before else {DRAWS: KEEPERS[DRAWS]}  # a board that nothing is on yet asks for nothing
    broken += [f"{name} {why}" for name, why in keepers.items() if _held(folder / name) != _held(base / name)]
    now, before = now - {DRAWS}, before - {DRAWS}
    added = sorted(now - before)
    for name in sorted(now):
        if (folder / name).is_symlink() or not (folder / name).is_file():
            broken.append(f"{name} is a link, or no plain file")
        elif name not in before:
            if not any(re.fullmatch(pattern, name) for pattern in NAMES):
                broken.append(f"{name} is not a file of a board. `prunemark submit --contribute` writes those")
        elif name == INVALIDATIONS:
            if not (folder / name).read_bytes().startswith((base / name).read_bytes()):
                broken.append(f"{name} was changed. Lines are only added at its end")
        elif file_sha256(folder / name) != file_sha256(base / name):
            broken.append(f"{name} was changed. What is written is never rewritten: put it back")
    return Additions(tuple(added), tuple(broken))


def _held(path: Path) -> bytes | None:
    """What a file holds; None where there is none. A link is another thing than the file that it leads to."""
    if path.is_symlink() or not path.is_file():
        return b"a link or a folder" if path.is_symlink() or path.exists() else None
    return path.read_bytes()


def _files(folder: Path) -> Iterator[str]:
    """All that lies in the folder's parts, links to folders included; links are not followed."""
    for part in PARTS:
        if (folder / part).is_symlink():
            yield part
            continue
        for place, folders, files in os.walk(folder / part):
            links = [name for name in folders if (Path(place) / name).is_symlink()]
            for name in (*files, *links):
                yield (Path(place) / name).relative_to(folder).as_posix()
