"""The SQLite database of a local MLflow store: whole or not there, and never what ends a run.

A new one is made under another name and renamed when it is whole: MLflow makes its tables in many steps, and stopped
between two of them it leaves a file that never opens again. A file that is damaged is set aside, and never deleted: the
records are the truth, and the runs are logged again from them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from prunemark.benchmark.trial import locks

BUSY_SECONDS = 3.0
LOCK_SECONDS = 60.0
"""How long another process may take to make the database: 4 to 20 s on two busy cores."""
DRAFT = ".mlflow-draft-"
SIBLINGS = ("", "-journal", "-wal", "-shm")
"""What SQLite keeps next to a database. A journal that stays behind would be played into the next one."""

Say = Callable[[str], None]


class Unavailable(Exception):
    """MLflow cannot be used now, by no fault of the database: it is locked, the disk is full, MLflow is older."""


@contextlib.contextmanager
def turn(path: Path, seconds: float) -> Iterator[bool]:
    """One process at a time; False when the turn did not come within the seconds."""
    deadline = time.monotonic() + seconds
    if locks.uses_leases(path.parent):
        place = path.with_suffix(locks.END)
        while not (came := locks.try_lease(place)) and time.monotonic() < deadline:
            time.sleep(locks.POLL_SECONDS)
        try:
            yield came
        finally:
            locks.let_go(place)
        return
    with path.with_suffix(".lock").open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                came = True
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    came = False
                    break
                time.sleep(0.05)
        yield came


@contextlib.contextmanager
def making(path: Path) -> Iterator[None]:
    """Keeps others from making the same database meanwhile, and removes what a killed one left of it.

    Raises Unavailable when another process does not end.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with turn(path, LOCK_SECONDS) as came:
        if not came:
            raise Unavailable(f"another process has been making {path.name} for a minute")
        for left in path.parent.glob(f"{DRAFT}*"):
            left.unlink(missing_ok=True)
        yield


def make(path: Path, artifacts: Path) -> None:
    """An empty store, whole or not at all. To be called within `making`."""
    with _draft(path) as draft:
        _fill(draft, artifacts)
        _put(draft, path)


def look(path: Path) -> str:
    """Why a database is damaged, as far as SQLite can tell quickly; '' where nothing is found.

    Raises Unavailable when it cannot be looked at: another program has it locked, or it must not be read.
    """
    try:
        with contextlib.closing(_open(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            half = next((name for name in sorted(names) if name.startswith("_alembic_tmp_")), "")
            versions = connection.execute("SELECT * FROM alembic_version").fetchall() if _VERSION in names else []
            connection.rollback()
    except sqlite3.OperationalError as problem:  # locked, read-only, full: of the machine
        raise Unavailable(f"{path.name}: {problem}") from None
    except sqlite3.DatabaseError as problem:
        return str(problem)
    if half:
        return f"half-made: it has a table {half}"
    return "" if len(versions) == 1 else "half-made: it does not say its version"


def repair(path: Path, artifacts: Path, problem: str, say: Say) -> None:
    """Of a database that MLflow cannot open: an older one is brought up to date, a damaged one set aside and made anew.

    To be called within `making`. A new one is made first, so that a good one is never set aside where MLflow itself is
    what fails. Raises Unavailable where the file is sound, or of a newer MLflow.
    """
    with _draft(path) as draft:
        _fill(draft, artifacts)
        damage = look(path) or _damage_within(path)
        if not damage and _version_of(path) != _version_of(draft):
            damage = _update(path, say)
            if not damage:
                return
        if not damage and _tables_of(draft) <= _tables_of(path):
            raise Unavailable(problem)
        aside = set_aside(path)
        _put(draft, path)
    say(
        f"{path.name} was damaged ({damage or 'it lacks tables'}): kept as {aside.name}, and made anew. "
        "Records are whole; `prunemark mlflow rebuild` logs their runs again"
    )


def is_current(path: Path) -> bool:
    """Whether its version and tables are this MLflow's, which otherwise changes some databases where they lie."""
    from mlflow.store.db import utils

    mlflow_utils: Any = utils
    same = _version_of(path) == mlflow_utils._get_latest_schema_revision()
    return bool(same and set(mlflow_utils.Base.metadata.tables) <= _tables_of(path))


def let_go(uri: str) -> None:
    """Closes what MLflow keeps open of a database: it would go on writing into a file that is set aside."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    if engine := getattr(SqlAlchemyStore, "_engine_map", {}).get(uri):
        engine.dispose()


def set_aside(path: Path) -> Path:
    """Renames a database, with what SQLite keeps next to it; its new name."""
    number = 0
    while (aside := path.with_name(f"{path.name}.damaged{number}")).exists():
        number += 1
    for end in reversed(SIBLINGS):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
    return aside


_VERSION = "alembic_version"


@contextlib.contextmanager
def _draft(path: Path, of: str = "new") -> Iterator[Path]:
    draft = path.with_name(f"{DRAFT}{of}-{os.getpid()}.db")
    try:
        yield draft
    finally:
        for end in SIBLINGS:
            draft.with_name(draft.name + end).unlink(missing_ok=True)


def _fill(draft: Path, artifacts: Path) -> None:
    """Makes MLflow's tables, and lets go of the file."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store: Any = SqlAlchemyStore
    try:
        store(f"sqlite:///{draft}", artifacts.as_uri())
    finally:
        let_go(f"sqlite:///{draft}")


def _put(draft: Path, path: Path) -> None:
    """In one step. What is left of a database that is gone must not be played into this one."""
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    for end in SIBLINGS[1:]:
        path.with_name(path.name + end).unlink(missing_ok=True)
    draft.rename(path)


def _update(path: Path, say: Say) -> str:
    """Brings an older database up to date, in a copy: MLflow's own steps are not undone when one of them fails.

    '' when it is done, or why this database cannot be: another one was stopped half-way. Raises Unavailable for one
    of a newer MLflow.
    """
    from mlflow.store.db import utils

    mlflow_utils: Any = utils
    with _draft(path, "copy") as draft:
        with contextlib.closing(_open(path)) as old, contextlib.closing(sqlite3.connect(draft)) as new:
            old.backup(new)
        engine = mlflow_utils.create_sqlalchemy_engine(f"sqlite:///{draft}")
        try:
            mlflow_utils._upgrade_db(engine)
        except Exception as problem:  # alembic, SQLAlchemy and the steps themselves each raise their own kind
            if "locate revision" in str(problem):
                raise Unavailable(f"{path.name} was made by a newer MLflow: update MLflow") from None
            if "is full" in str(problem):
                raise Unavailable(f"no room to bring {path.name} up to date") from None
            return f"half-made: {str(problem).splitlines()[0][:100]}"
        finally:
            engine.dispose()
        kept = path.with_name(f"{path.name}.before-update")
        kept.unlink(missing_ok=True)
        os.link(path, kept)
        _put(draft, path)
    say(f"{path.name} was made by an older MLflow: brought up to date; {kept.name} is how it was")
    return ""


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _damage_within(path: Path) -> str:
    """Reads every page: seconds for a large store, so only once something is wrong with it."""
    try:
        with contextlib.closing(_open(path)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as problem:
        raise Unavailable(f"{path.name}: {problem}") from None
    except sqlite3.DatabaseError as problem:
        return str(problem)
    return "" if found == "ok" else str(found).splitlines()[-1]


def _version_of(path: Path) -> str:
    with contextlib.closing(_open(path)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def _tables_of(path: Path) -> set[str]:
    with contextlib.closing(_open(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
