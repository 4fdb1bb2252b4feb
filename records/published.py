"""A board as it is published: its files as they are, and `index.json`, which names each with its size and SHA-256.

Any place that serves files is enough; a site of a board has both in its folder `board`. Who reads it gets only what is
not held yet, into a folder of one's own, and trusts the address for the index and the index for all else.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

from prunemark.records.fresh_seeds import FILE as DRAWS
from prunemark.records.record import canonical_json
from prunemark.records.writer import write_atomically
from prunemark.setups.errors import InputError, RuleBroken, WorkFailed
from prunemark.setups.text import shown

SCHEMA = "prunemark-published/1"
FOLDER, INDEX = "board", "index.json"
TRACK, SHA256 = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}@[0-9]{1,9}", "[0-9a-f]{64}"
NAMES = re.compile(
    rf"(records|decisions)/{TRACK}/{SHA256}\.jsonl\.xz|methods/{SHA256}\.json|timings/{SHA256}\.json"
    rf"|releases/[A-Za-z0-9][A-Za-z0-9._-]{{0,99}}\.json|records/(invalidations\.jsonl|{re.escape(DRAWS)})|board\.toml"
)
"""Files of a board, by their names in its folder: nothing else is published or fetched."""
NOT_READ = "decisions/"
"""What no table and no page shows: it is published for those who verify, and not fetched."""
LARGEST_INDEX, LARGEST_FILE = 2**26, 2**27
SECONDS, AT_ONCE = 30, 8
SCHEMES = ("https", "http", "file")


@dataclass(frozen=True)
class File:
    """What the index says of a file: its SHA-256, and its size in bytes."""

    sha256: str
    size: int


def files_of(board: Path) -> dict[str, Path]:
    """The files of a board that are published, by their names in its folder; links are left out."""
    paths = (path for path in sorted(board.rglob("*")) if path.is_file() and not path.is_symlink())
    found = {path.relative_to(board).as_posix(): path for path in paths}
    return {name: path for name, path in found.items() if NAMES.fullmatch(name)}


def index_of(files: Mapping[str, Path], identifier: str) -> str:
    """The index of these files, in canonical JSON. `identifier` names this state of the board."""
    stated = {
        name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for name, path in files.items()
    }
    return canonical_json({"schema": SCHEMA, "identifier": identifier, "files": stated}) + "\n"


def is_address(given: str) -> bool:
    """Whether this names a published board and not a folder."""
    return urlsplit(given).scheme in SCHEMES


def cache_folder(address: str) -> Path:
    """Where the files of a published board are kept: in the user's cache, a folder for each address."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "prunemark" / "boards" / hashlib.sha256(address.rstrip("/").encode()).hexdigest()[:16]


def fetch(address: str, folder: Path) -> tuple[str, int]:
    """Brings a folder to the state of a published board: the board's identifier, and how many files were fetched.

    `address` is that of a site, or of its folder `board`. A file that is held is not fetched again. Raises InputError
    when there is no board, or one of another schema, RuleBroken when a file is not what the index says, WorkFailed when
    the place does not answer or the disk refuses.
    """
    place, index = _index_at(address.rstrip("/"))
    identifier, stated = _read_index(index, address)
    wanted = {name: file for name, file in stated.items() if not name.startswith(NOT_READ)}
    missing = [name for name, file in wanted.items() if not _held(folder / name, file)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(partial(_fetch_one, place, folder, wanted), missing))
    for name, path in files_of(folder).items():
        if name not in wanted:
            path.unlink()
    return identifier, len(missing)


def _index_at(address: str) -> tuple[str, bytes]:
    """Where a board's files lie, and its index."""
    if not is_address(address):
        raise InputError(f"{shown(address)!r} is no address of a board. It begins with https://, http:// or file://")
    for place in (f"{address}/{FOLDER}", address):
        try:
            return place, _get(f"{place}/{INDEX}", LARGEST_INDEX)
        except FileNotFoundError:
            continue
    raise InputError(f"no board is published at {shown(address)}: neither {FOLDER}/{INDEX} nor {INDEX} is there")


def _read_index(content: bytes, address: str) -> tuple[str, dict[str, File]]:
    try:
        data: dict[str, Any] = json.loads(content)
        schema = data["schema"]
        if schema == SCHEMA:
            files = {name: File(str(each["sha256"]), int(each["bytes"])) for name, each in data["files"].items()}
            if all(NAMES.fullmatch(name) for name in files):
                return shown(str(data["identifier"]), 200), files
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        schema = None
    if isinstance(schema, str) and schema != SCHEMA:
        raise InputError(f"the board at {shown(address)} has schema {schema[:60]!r}; this version reads {SCHEMA!r}")
    raise InputError(f"{INDEX} at {shown(address)} is not the index of a board that this version reads ({SCHEMA})")


def _held(path: Path, file: File) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size != file.size:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256


def _fetch_one(place: str, folder: Path, files: Mapping[str, File], name: str) -> None:
    try:
        content = _get(f"{place}/{quote(name)}", min(files[name].size, LARGEST_FILE))
    except FileNotFoundError:
        raise RuleBroken(f"{name} is in the index of {shown(place)} and is not there") from None
    if hashlib.sha256(content).hexdigest() != files[name].sha256:
        raise RuleBroken(f"{name} at {shown(place)} is not what its index says: its SHA-256 differs")
    write_atomically(folder / name, content)


def _get(address: str, most_bytes: int) -> bytes:
    """What lies at an address, cut where it is longer. Raises FileNotFoundError, WorkFailed where nothing answers."""
    try:
        with urlopen(address, timeout=SECONDS) as answer:  # the schemes are checked in _index_at
            return bytes(answer.read(most_bytes + 1))
    except (OSError, ValueError) as problem:  # HTTPError and URLError are OSErrors; ValueError: no such address
        reason = problem.reason if isinstance(problem, URLError) else problem
        if (isinstance(problem, HTTPError) and problem.code in (404, 410)) or isinstance(reason, FileNotFoundError):
            raise FileNotFoundError(address) from None
        raise WorkFailed(f"cannot read {shown(address)}: {shown(str(reason))}") from problem
