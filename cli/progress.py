"""What a person sees while trials run: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from prunemark.benchmark.run.tracking import Tracker
from prunemark.benchmark.submission.place import place_of, said_and_advice
from prunemark.benchmark.trial.trial import Trial
from prunemark.records.outcome import EpochPoint
from prunemark.records.record import Record
from prunemark.setups.text import shown, shown_lines

LINE_SECONDS = 15.0


def in_words(seconds: float) -> str:
    """A time to wait, as precise as an estimate is: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


@dataclass
class Progress:
    """Shows trials done, epochs trained and what is running; a failed trial is said at once."""

    console: Console
    trials: int
    epochs: int
    clock: Callable[[], float] = time.monotonic
    _bar: Any = None
    _task: Any = None
    _done: int = 0
    _trained: int = 0
    _running: list[str] = field(default_factory=list)
    _began: float = 0.0
    _said: float = 0.0

    def __enter__(self) -> Progress:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bar

        self._began = self._said = self.clock()
        if self.console.is_terminal:
            self._bar = Bar(
                TextColumn("epochs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                TextColumn("left"), TimeRemainingColumn(), TextColumn("[dim]{task.description}"),
                console=self.console,
                transient=True,
            )  # fmt: skip
            self._bar.start()
            self._task = self._bar.add_task("starting", total=self.epochs)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def started(self, trial: Trial) -> None:
        """A trial has begun."""
        if trial.label not in self._running:  # else it was ended by the machine, and is tried again
            self._running.append(trial.label)
        self._show()

    def epoch(self, trial: Trial, stage: str, point: EpochPoint) -> None:
        """An epoch was trained."""
        self._trained += 1
        self._show()

    def finished(self, trial: Trial, record: Record, files: dict[str, Path]) -> None:
        """A trial has its record."""
        if trial.label not in self._running:  # it was stored already
            return
        self._running.remove(trial.label)
        self._done += 1
        if record.outcome.failure:
            self.console.print(failed_in_words(trial, record), markup=False, soft_wrap=True)
        self._show()

    def said(self, words: str) -> None:
        """Something that a person should know at once, and that is no method's result."""
        self.console.print(shown_lines(words), markup=False, soft_wrap=True)

    def _show(self) -> None:
        if self._bar:
            self._bar.update(self._task, completed=self._trained, description=", ".join(self._running))
        elif self.clock() - self._said > LINE_SECONDS:
            self._said = self.clock()
            self.console.print(
                f"{self._done} of {self.trials} trials, {self._trained} of {self.epochs} epochs, "
                f"{self._said - self._began:.0f} s{self._left()}"
            )

    def _left(self) -> str:
        """How long the epochs that are left take at the pace so far; `epochs` counts nothing that was stored before."""
        if not 0 < self._trained < self.epochs:
            return ""
        seconds = (self._said - self._began) * (self.epochs - self._trained) / self._trained
        return f", about {in_words(seconds)} left"


def failed_in_words(trial: Trial, record: Record) -> str:
    """How a trial ended, with the line of the method's file, and on a second line what to do."""
    failure, source = record.outcome.failure, trial.entrant.source
    assert failure is not None
    where = place_of(failure.traceback, source.path, source.class_name) if source else ""
    happened, advice = said_and_advice(failure.evidence)
    place = f" ({Path(source.path).name}, {where})" if source and where else ""
    return "\n".join(filter(None, (shown(f"{trial.label}: {record.outcome.status}: {happened}{place}"), shown(advice))))


@dataclass
class MlflowWatcher:
    """Passes what happens on to MLflow."""

    tracker: Tracker

    def started(self, trial: Trial) -> None:
        """Nothing is logged before there is something to see."""

    def said(self, words: str) -> None:
        """MLflow has runs of trials only."""

    def epoch(self, trial: Trial, stage: str, point: EpochPoint) -> None:
        """An epoch of retraining. A base model's belong to no trial, and a tuned one trains by several recipes."""
        if stage == "retraining" and not trial.tuning:
            self.tracker.epoch(trial, trial.label, stage, point)

    def finished(self, trial: Trial, record: Record, files: dict[str, Path]) -> None:
        """A trial has its record; one that MLflow has already is left alone."""
        self.tracker.finish(trial, trial.label, record, files)
