"""Running something that a stranger's input could make endless: in a fork, with so much memory and so many seconds."""

import os
import resource
import select
import signal
import time
import warnings
from pathlib import Path
from typing import NamedTuple

from prunemark.setups.errors import InputError, RuleBroken, WorkFailed

MEMORY_BYTES, SECONDS = 200 * 2**20, 20
WORDS = (InputError, RuleBroken, WorkFailed)


class Answer(NamedTuple):
    """How it ended: `kind` is the error in words, "fault" for any other, "value", "killed" or "endless"."""

    kind: str
    text: str
    seconds: float


def _data_bytes():
    return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()


def answer(work, *arguments, memory_bytes=MEMORY_BYTES, seconds=SECONDS):
    """What `work(*arguments)` gives or raises when it may take so many bytes more than there are in use now."""
    ear, mouth = os.pipe()
    began = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # forking a process that has threads
        child = os.fork()
    if child == 0:
        os.close(ear)
        limit = _data_bytes() + memory_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        try:
            said = ("value", repr(work(*arguments)))
        except WORDS as problem:
            said = (type(problem).__name__, str(problem))
        except BaseException as problem:
            said = ("fault", f"{type(problem).__name__}: {problem}"[:500])
        os.write(mouth, f"{said[0]}\n{said[1]}"[:60_000].encode(errors="replace"))
        os._exit(0)
    os.close(mouth)
    try:
        heard = select.select([ear], [], [], seconds)[0]
        text = os.read(ear, 65_536).decode() if heard else "endless\n"
    finally:
        os.close(ear)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    kind, _, rest = text.partition("\n")
    return Answer(kind or "killed", rest, time.monotonic() - began)
