"""What the executor's tests run in its processes."""

import os
import time
from pathlib import Path

from prunemark.setups.errors import InputError


def double(report, number):
    report(("half way", number))
    return 2 * number


def fails(report):
    raise InputError("given 3, allowed 1 or 2")


def has_a_fault(report):
    raise ZeroDivisionError("by zero")


def sleeps(report, folder, name, seconds):
    begin = time.monotonic()
    time.sleep(seconds)
    (Path(folder) / name).write_text(f"{begin} {time.monotonic()} {os.getpid()}")


def dies_once(report, folder):
    mark = Path(folder) / "died"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), 9)
    return "alive"


def dies_always(report):
    os.kill(os.getpid(), 9)
