"""Results in an object store (`s3://`, `gs://`): one object for one stage's result, so that none is there in part.

The home itself stays a folder of this machine, a copy. What it lacks is fetched when it is asked for, and what is made
here is given when it is whole. Results are named by what determines them and given only where there is none, so nothing
that is there is ever written over, and an upload that was cut short leaves nothing that can be seen.

Not covered: whoever can write to the bucket can put another whole result in the place of one. What is fetched has to
fit the checksums that came with it; a record also has to fit its own name.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import re
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prunemark.benchmark.trial.entry import MANIFEST, damage_of, kind_of
from prunemark.benchmark.trial.store import Store
from prunemark.records.writer import write_atomically
from prunemark.setups.bounded_files import read_bounded
from prunemark.setups.errors import InputError, RuleBroken, WorkFailed, need
from prunemark.setups.secrets import without_secrets

EXTRAS = {"s3": "s3", "gs": "gs"}
"""The extra that each kind of address needs."""
ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*):/+([a-z0-9][a-z0-9._-]+(?:/[A-Za-z0-9._=-]+)*)/*")
"""Of a bucket and a folder in it. A path collapses the two slashes of one into one."""
ENTRIES, END, REFUSED = "store", ".tar", "refused"
FOLDERS = ("records", "methods")
"""Folders of small files that are named by what they hold; those of a collection are in its own folder."""
STAY = ("prepared data",)
"""Kinds of results that every machine makes again in seconds, since it needs the images in any case."""
FRESH_SECONDS = 5.0
LONGEST_WORDS = 200


class Away(Exception):
    """The object store cannot be used now, in words without credentials."""


def address_in(text: str) -> str:
    """The address, where this is one and not a path; else ''. Raises InputError for one of an unknown kind."""
    if not re.match(r"[a-z][a-z0-9+.-]*:/", text):
        return ""
    found = ADDRESS.fullmatch(text)
    if not found or found[1] not in EXTRAS or ".." in found[2].split("/"):
        raise InputError(
            f"--home {without_secrets(text)} is no address of an object store.\n"
            f"Give {' or '.join(f'{kind}://bucket/folder' for kind in EXTRAS)}, or a folder"
        )
    return f"{found[1]}://{found[2]}"


@functools.cache
def objects_at(address: str) -> Objects:
    """The object store of this address. Raises InputError where its package is not installed or it cannot be read."""
    kind = address.partition(":")[0]
    need(EXTRAS[kind], f"a home at {kind}://")
    logging.getLogger("gcsfs").setLevel(logging.ERROR)  # it warns of each bucket that it cannot look up
    fsspec: Any = importlib.import_module("fsspec.core")  # it comes with the package that was looked for
    file_system, root = fsspec.url_to_fs(address, use_listings_cache=False, skip_instance_cache=True)
    made = Objects(file_system, root, address)
    try:
        made.look()
    except Away as problem:
        raise InputError(
            f"{problem}.\nIs there a bucket of this name, and do the variables or files with its keys lead to it?"
        ) from None
    return made


@dataclass
class Objects:
    """What lies under one address. `fs` is a file system of fsspec, whose `create` is a conditional write."""

    fs: Any
    root: str
    address: str
    clock: Callable[[], float] = time.monotonic
    _known: set[str] = field(default_factory=set)
    _listed: float = float("-inf")

    @contextlib.contextmanager
    def reaching(self) -> Iterator[None]:
        """Raises Away for whatever goes wrong: each library has its own errors, and none of them ends a run."""
        try:
            yield
        except Away:
            raise
        except Exception as problem:
            lines = without_secrets(problem).strip().splitlines() or [type(problem).__name__]
            raise Away(f"{self.address} cannot be used now: {lines[0][:LONGEST_WORDS]}") from None

    def look(self) -> None:
        """Lists the results that are there."""
        begins = f"{self.root}/{ENTRIES}/"
        with self.reaching():
            bucket = self.root.partition("/")[0]
            if not (names := self.fs.find(begins)):
                self.fs.ls(bucket)  # says where there is no bucket
        self._known |= {name.removeprefix(begins).removesuffix(END) for name in names if name.endswith(END)}
        self._listed = self.clock()

    def has(self, key: str) -> bool:
        """Whether there is a result, as far as this was looked at some seconds ago."""
        if key not in self._known and self.clock() - self._listed > FRESH_SECONDS:
            self.look()
        return key in self._known

    def look_for(self, key: str) -> None:
        """Looks now for one result: another machine may have sent it this second."""
        with contextlib.suppress(Away), self.reaching():
            if key not in self._known and self.fs.exists(self._object(key)):
                self._known.add(key)

    def fetch(self, key: str, store: Store) -> bool:
        """Puts a result into the store, every byte verified; whether it is there now.

        One that is not whole is refused, set aside under `refused/`, and made again: this is said.
        """
        try:
            if not self.has(key):
                return False
            with tempfile.TemporaryDirectory(prefix="prunemark-") as scratch:
                place = Path(scratch) / "object"
                with self.reaching():
                    self.fs.get_file(self._object(key), str(place))
                why = _put(place, key, store)
            if why:
                self.refuse(key)
                store.tell(f"{self.address}/{ENTRIES}/{key}{END} is refused ({why}): it is set aside there")
            return not why
        except Away as problem:
            self._known.discard(key)
            store.tell(f"{problem}. What is there is made again here")
            return False

    def fetch_all(self, store: Store) -> None:
        """Puts every result into the store that it lacks."""
        for key in sorted(key for key in self._known if "/" not in key and not store.path(key).exists()):
            self.fetch(key, store)

    def give(self, key: str, folder: Path) -> bool:
        """Sends a whole result; False where there was one already. Raises Away."""
        with tempfile.TemporaryDirectory(prefix="prunemark-") as scratch:
            place = Path(scratch) / "object"
            pack(folder, place)
            given = self.create(self._object(key), place)
        self._known.add(key)
        return given

    def give_new(self, store: Store) -> list[str]:
        """Sends what only the store has; the keys of results that others have sent meanwhile. Raises Away."""
        others = []
        for folder in sorted(store.root.glob("[0-9a-f][0-9a-f]/" + "[0-9a-f]" * 64)):
            if folder.name not in self._known and kind_of(folder) not in STAY and not damage_of(folder):
                others += [] if self.give(folder.name, folder) else [folder.name]
        return others

    def create(self, name: str, content: Path | bytes) -> bool:
        """A conditional write: whole and new, or not at all. False where there is an object of this name."""
        try:
            if isinstance(content, bytes):
                self.fs.pipe_file(name, content, mode="create")
            else:
                self.fs.put_file(str(content), name, mode="create")
        except Exception:
            with self.reaching():
                if self.fs.exists(name):
                    return False
                raise
        return True

    def forget(self, key: str) -> None:
        """Takes a result away, so that it is made again. Raises WorkFailed."""
        self._known.discard(key)
        try:
            with self.reaching():
                if self.fs.exists(self._object(key)):
                    self.fs.rm_file(self._object(key))
        except Away as problem:
            raise WorkFailed(str(problem)) from None

    def refuse(self, key: str) -> None:
        """Moves a result out of the way: it is no one's any more."""
        with contextlib.suppress(Away), self.reaching():
            aside = f"{self.root}/{REFUSED}/{key}-{time.time_ns()}{END}"
            self.fs.copy(self._object(key), aside)
            self.fs.rm_file(self._object(key))
        self._known.discard(key)

    def fetch_files(self, home: Path, tell: Callable[[str], None]) -> None:
        """Records and sources of methods that the home lacks. One whose content is not that of its name is refused."""
        with self.reaching():
            names = [name.removeprefix(f"{self.root}/") for name in self.fs.find(self.root)]
            self._known |= {name for name in names if _is_small(name)}
            wanted = [name for name in names if _is_small(name) and not (home / name).exists()]
            found = self.fs.cat([f"{self.root}/{name}" for name in wanted]) if wanted else {}
        for path, content in found.items():
            name = path.removeprefix(f"{self.root}/")
            if why := _wrong_with(Path(name), content):
                tell(f"{self.address}/{name} is refused: {why}")
            else:
                write_atomically(home / name, content)

    def give_files(self, home: Path) -> None:
        """Sends the records and sources that only the home has. Raises Away."""
        for path in sorted(each for folder in FOLDERS for each in home.glob(f"**/{folder}/*.json")):
            name = str(path.relative_to(home))
            if name not in self._known and _is_small(name):
                self.create(f"{self.root}/{name}", path.read_bytes())
                self._known.add(name)

    def _object(self, key: str) -> str:
        return f"{self.root}/{ENTRIES}/{key}{END}"


def pack(folder: Path, out: Path) -> None:
    """A result as one file, the same bytes wherever it is made."""
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(folder.iterdir()):
            about = tarfile.TarInfo(path.name)
            about.size, about.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                archive.addfile(about, content)


def _put(packed: Path, key: str, store: Store) -> str:
    """Into the store; why not, in words, where it is not whole."""
    try:
        with store.writing(key) as draft:
            with tarfile.open(packed, "r:") as archive:
                for member in archive:
                    if member.type != tarfile.REGTYPE or Path(member.name).name != member.name:
                        raise _Refused(f"{member.name[:80]!r} is not a plain file")
                    content = archive.extractfile(member)
                    assert content is not None
                    with (draft / member.name).open("xb") as file:
                        shutil.copyfileobj(content, file)
            if why := damage_of(draft):
                raise _Refused(why)
            (draft / MANIFEST).unlink()  # it is written again from the files, with the same bytes
    except _Refused as problem:
        return str(problem)
    except (tarfile.TarError, EOFError):
        return "it is not what was packed"
    return ""


class _Refused(Exception):
    pass


def _is_small(name: str) -> bool:
    """A file named by its hash in one of the folders; the path is one that a home can have."""
    return bool(re.fullmatch(rf"(?:[A-Za-z0-9_-]+/)*(?:{'|'.join(FOLDERS)})/[0-9a-f]{{64}}\.json", name))


def _wrong_with(name: Path, content: bytes) -> str:
    from prunemark.records.record import LONGEST_RECORD, load_exactly  # with numpy, which looking at a home needs not
    from prunemark.records.source import read_method

    with tempfile.TemporaryDirectory(prefix="prunemark-") as scratch:
        path = Path(scratch) / name.name
        path.write_bytes(content)
        try:
            if name.parent.name == "methods":
                read_method(path)
            else:
                load_exactly(read_bounded(path, LONGEST_RECORD, path.name), path.name, path.stem)
        except (InputError, RuleBroken) as problem:
            return str(problem).splitlines()[0]
    return ""
