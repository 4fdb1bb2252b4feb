"""What must end, ends: a guard against input that keeps a program busy for ever. It measures nothing."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

PATIENCE_SECONDS = 60.0


@contextlib.contextmanager
def must_end(seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Fails after so many seconds of this process's processor time; other work on the machine does not count."""

    def give_up(_: int, frame: FrameType | None) -> None:
        raise AssertionError(f"still busy after {seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
