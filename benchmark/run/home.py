"""Where a user's results lie: one folder with the store, the records and MLflow's files."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from prunemark.benchmark.trial.objects import Away, Objects, address_in, objects_at
from prunemark.benchmark.trial.store import Store, key_of
from prunemark.records.writer import storage_errors
from prunemark.setups.errors import InputError
from prunemark.setups.text import MOST_OF_A_TEXT, shown

VARIABLE = "PRUNEMARK_HOME"
DEFAULT = "prunemark-home"


def _on_stderr(words: str) -> None:
    print(shown(words, MOST_OF_A_TEXT), file=sys.stderr)


@dataclass(frozen=True)
class Home:
    """The folders of one user's results. Nothing is made until `open_home`.

    A `collection`, such as the records of one reproduced table, has records of its own and shares the store.
    `tell` hears of stage results that had to be set aside. With an `address` in an object store, the folder is this
    machine's copy of what lies there: see `objects.py`.
    """

    root: Path
    collection: str = ""
    tell: Callable[[str], None] = field(default=_on_stderr, compare=False)
    address: str = ""

    @property
    def objects(self) -> Objects | None:
        """What lies at the address; None where the home is this folder only."""
        return objects_at(self.address) if self.address else None

    @property
    def store(self) -> Store:
        """Stage results, by the hash of what determines them."""
        return Store(self.root / "store", self.tell, self.objects)

    @property
    def records(self) -> Path:
        """One JSON file a trial, named by its content; those of a named collection stay apart from the board's."""
        return self.root / self.collection / "records"

    @property
    def mlflow_uri(self) -> str:
        """The local MLflow store, stated in full: MLflow's own default would depend on the working folder."""
        return f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def mlflow_artifacts(self) -> Path:
        """Where the local MLflow store keeps files."""
        return self.root / "mlflow-artifacts"

    @property
    def page(self) -> Path:
        """The leaderboard page of this home."""
        return self.root / "leaderboard" / "index.html"


def home_at(given: Path | None, collection: str = "") -> Home:
    """The folder given, or $PRUNEMARK_HOME, or ./prunemark-home; as an absolute path.

    Of an address, this machine's copy, with all records and sources that lie there. Raises InputError where it cannot
    be reached.
    """
    place = given or Path(os.environ.get(VARIABLE) or DEFAULT)
    address = address_in(str(place))
    if not address:
        return Home(place.absolute(), collection)
    name = f"{re.sub('[^a-z0-9]+', '-', address)[:60]}-{key_of('home', {'at': address})[:8]}"
    home = Home(copies() / name, collection, address=address)
    try:
        objects_at(address).fetch_files(home.root, home.tell)
    except Away as problem:
        raise InputError(str(problem)) from None
    return home


def copies() -> Path:
    """Where this machine keeps its copies of homes in object stores."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "prunemark" / "homes"


def open_home(home: Home) -> Home:
    """Makes the folders. Raises InputError when the place is a file, WorkFailed when it cannot be written."""
    if home.root.exists() and not home.root.is_dir():
        raise InputError(f"--home {home.root} is a file. Give a folder, or one that does not exist yet")
    if odd := sorted(set("?#%") & set(str(home.root))):
        raise InputError(
            f"--home {home.root} has {' '.join(odd)} in its name, which MLflow cannot open. Give another folder"
        )
    with storage_errors(home.root):
        for folder in (home.root, home.store.root, home.records):
            folder.mkdir(parents=True, exist_ok=True)
        probe = home.root / f".writable-{uuid4().hex}"  # a process of another machine may have this one's number
        probe.touch()
        probe.unlink()
    return home
