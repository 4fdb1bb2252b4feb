"""Leases in an object store, which keep two machines from computing the same result at once.

A lease is an object that only one can create, and that its holder writes anew now and then. No clock is compared with
another: who waits sees by their own whether the object changes. A lease saves work and decides nothing: where two hold
one after all (a machine that stood still), both results are good, and the first one that is sent stands.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from prunemark.benchmark.trial.locks import HEARTBEAT_SECONDS, STALE_SECONDS
from prunemark.benchmark.trial.objects import Away, Objects

FOLDER = "leases"


@dataclass
class Leases:
    """Those that this process holds, and what it has seen of others. Use as a context manager."""

    objects: Objects
    clock: Callable[[], float] = time.monotonic
    _mine: set[str] = field(default_factory=set)
    _seen: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    _writing: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Leases:
        threading.Thread(target=self._beat, name="leases of objects", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for name in list(self._mine):
            self.let_go(name)

    def try_lease(self, name: str) -> bool:
        """Takes it if nobody has it, and what a dead machine left of one. True too while the store is away."""
        if name in self._mine:
            return True
        try:
            with self.objects.reaching():
                taken = self.objects.create(self._object(name), uuid4().hex.encode())
                if not taken and self._is_dead(name):
                    self.objects.fs.rm_file(self._object(name))
                    taken = self.objects.create(self._object(name), uuid4().hex.encode())
        except Away:
            return True  # to work twice is better than not to work
        if taken:
            self._mine.add(name)
            self._seen.pop(name, None)
        return taken

    def let_go(self, name: str) -> None:
        """Gives it back; where that cannot be done it counts as dead in two minutes."""
        with self._writing:
            if name in self._mine:
                self._mine.discard(name)
                with contextlib.suppress(Away), self.objects.reaching():
                    self.objects.fs.rm_file(self._object(name))

    def _is_dead(self, name: str) -> bool:
        """Whether the object has been the same for two minutes."""
        try:
            content: bytes = self.objects.fs.cat_file(self._object(name))
        except FileNotFoundError:
            return False
        before, since = self._seen.get(name, (b"", 0.0))
        if before != content:
            self._seen[name] = content, self.clock()
            return False
        return self.clock() - since > STALE_SECONDS

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            for name in list(self._mine):
                with self._writing, contextlib.suppress(Away), self.objects.reaching():
                    if name in self._mine:
                        self.objects.fs.pipe_file(self._object(name), uuid4().hex.encode())

    def _object(self, name: str) -> str:
        return f"{self.objects.root}/{FOLDER}/{name}"
