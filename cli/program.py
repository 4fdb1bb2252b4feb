"""What the console script runs: first what Ctrl-C does, then the rest is loaded.

An interrupt can come at any moment, also while torch loads, and whatever code it meets may swallow it. So it is noted
besides being raised, and if the program has not ended some seconds later, it is ended. That loses nothing: a store
holds whole entries only, and the processes of a run end with the one that started them.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import time
from types import FrameType

PATIENCE_SECONDS = 5.0
WORDS = "prunemark: interrupted. What is finished is kept; the same command goes on from there\n"
SHOW_CURSOR = "\x1b[?25h"
_came: list[int] = []
_said: list[bool] = []


def main() -> None:
    """The console script."""
    listen()
    try:
        from prunemark.cli.app import main as run

        run()
    except KeyboardInterrupt:
        _end()
    finally:
        if _came:
            _end()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done: there is nothing left to interrupt


def listen() -> None:
    """From here on SIGINT and SIGTERM end the program in one line; one that is ignored stays so, as under nohup."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _end() -> None:
    """Ends the program in order: one line, and the code that shells expect of a signal."""
    _say()
    sys.exit(128 + (_came[0] if _came else signal.SIGINT))


def _leave() -> None:
    """Ends the program now, whatever it is at, and what it has started."""
    _say()
    if server := sys.modules.get("prunemark.benchmark.run.fork_server"):
        server.stop_server()
    if made := sys.modules.get("prunemark.benchmark.sandbox.run_folder"):
        made.remove_all()
    os._exit(128 + (_came[0] if _came else signal.SIGINT))


def _say() -> None:
    """The line, once."""
    if not _said:
        _said.append(True)
        with contextlib.suppress(OSError, ValueError):
            os.write(2, ((SHOW_CURSOR if sys.stderr.isatty() else "") + WORDS).encode())


def _stop(number: int, _frame: FrameType | None) -> None:
    if _came:  # asked twice
        _leave()
    _came.append(number)
    _thread.start_new_thread(_leave_later, ())  # `threading` may be in the middle of starting one, and hold its lock
    raise KeyboardInterrupt


def _leave_later() -> None:
    time.sleep(PATIENCE_SECONDS)
    _leave()
