"""Times are taken while no trial of the home runs: trials share a lock, and a quiet pass needs it to itself."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from prunemark.benchmark.trial import locks
from prunemark.records.writer import storage_errors
from prunemark.setups.errors import WorkFailed

LOCK, ALONE = ".running", ".alone" + locks.END


@contextlib.contextmanager
def trials_running(root: Path) -> Iterator[None]:
    """Says, to quiet passes of the same home, that trials run; several processes may say so at once."""
    if locks.uses_leases(root):
        with storage_errors(root), locks.lease(root / f"{LOCK}-{uuid4().hex}{locks.END}"):
            while locks.is_leased(root / ALONE):
                time.sleep(locks.POLL_SECONDS)
            yield
        return
    with storage_errors(root), (root / LOCK).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def alone(root: Path, why: str = "times next to them could not be trusted", verb: str = "time") -> Iterator[None]:
    """Keeps trials of this home from starting meanwhile. Raises WorkFailed where some are running, and says why.

    A folder without a store is not a home, and runs no trials. What other programs do, or trials of other homes, is
    not seen here: the pass itself has to show it.
    """
    if not (root / "store").is_dir():
        yield
        return
    running = WorkFailed(f"trials are running in {root}, and {why}.\nRun `prunemark {verb}` when they have ended")
    if locks.uses_leases(root):
        with storage_errors(root):
            came = locks.try_lease(root / ALONE)
        if not came:
            raise running
        try:
            if any(locks.is_leased(path) for path in root.glob(f"{LOCK}-*{locks.END}")):
                raise running
            yield
        finally:
            locks.let_go(root / ALONE)
        return
    with storage_errors(root), (root / LOCK).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise running from None
        yield
