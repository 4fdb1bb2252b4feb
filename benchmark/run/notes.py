"""What is known of commands that run on a home, for whoever asks from another terminal: a small file for each.

Only its own command writes it. It goes when the command ends; of one that was killed it stays, and says when it was
last written.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import uuid4

from prunemark.benchmark.run.home import Home
from prunemark.benchmark.trial.trial import Trial
from prunemark.records.outcome import EpochPoint
from prunemark.records.record import Record
from prunemark.records.writer import write_atomically
from prunemark.setups.errors import WorkFailed

FOLDER, END = "running", ".json"
SECONDS = 2.0
SILENT_SECONDS = 3600.0


@dataclass(frozen=True)
class Note:
    """How far a command is. Times are seconds since 1970; `left_seconds` None where nothing has been trained yet."""

    what: str
    track: str
    setup: str
    host: str
    pid: int
    began: float
    written: float
    trials: int
    trials_done: int
    epochs: int
    epochs_trained: int
    running: tuple[str, ...]

    @property
    def left_seconds(self) -> float | None:
        """At the pace so far."""
        if not self.epochs_trained:
            return None
        pace = (self.written - self.began) / self.epochs_trained
        return max(self.epochs - self.epochs_trained, 0) * pace


@dataclass
class Noted:
    """Keeps a command's note: a watcher of `submit.execute`. Use as a context manager."""

    home: Home
    what: str
    track: str
    setup: str
    trials: int
    epochs: int
    clock: Callable[[], float] = time.time
    _running: list[str] = field(default_factory=list)
    _done: int = 0
    _trained: int = 0
    _began: float = 0.0
    _written: float = 0.0
    _path: Path = field(init=False)

    def __enter__(self) -> Noted:
        self._path = self.home.root / FOLDER / f"{uuid4().hex}{END}"
        self._began = self.clock()
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink()

    def started(self, trial: Trial) -> None:
        """A trial has begun."""
        if trial.label not in self._running:
            self._running.append(trial.label)
        self._write()

    def epoch(self, trial: Trial, stage: str, point: EpochPoint) -> None:
        """An epoch was trained."""
        self._trained += 1
        if self.clock() - self._written >= SECONDS:
            self._write()

    def finished(self, trial: Trial, record: Record, files: dict[str, Path]) -> None:
        """A trial has its record; one that did not run here had it before."""
        if trial.label in self._running:
            self._running.remove(trial.label)
            self._done += 1
            self._write()

    def said(self, words: str) -> None:
        """Nothing to note."""

    def _write(self) -> None:
        self._written = self.clock()
        note = Note(
            self.what, self.track, self.setup, socket.gethostname(), os.getpid(), self._began, self._written,
            self.trials, self._done, self.epochs, self._trained, tuple(self._running),
        )  # fmt: skip
        with contextlib.suppress(WorkFailed):  # a run does not end because nobody can be told how far it is
            write_atomically(self._path, json.dumps(asdict(note)))


def read_notes(home: Home, now: float) -> list[Note]:
    """Of the commands that run; the oldest first. Of another machine, those that were written within the hour."""
    notes = []
    for path in (home.root / FOLDER).glob(f"*{END}"):
        try:
            found = json.loads(path.read_bytes())
            notes.append(Note(**found | {"running": tuple(found["running"])}))
        except (OSError, ValueError, TypeError, KeyError):  # gone meanwhile, or nobody's note
            continue
    return sorted((note for note in notes if _runs(note, now)), key=lambda note: note.began)


def _runs(note: Note, now: float) -> bool:
    if note.host != socket.gethostname():
        return now - note.written < SILENT_SECONDS
    try:
        os.kill(note.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def left_in_words(note: Note, in_words: Callable[[float], str]) -> str:
    """'' where it cannot be told."""
    return "" if note.left_seconds is None else f"about {in_words(note.left_seconds)}"
