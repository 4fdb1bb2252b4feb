"""What can befall a run and a home: each fault is one function, told when it is over what it did.

`during` act on a running command, given its process and the places; `between` act on a home that nobody uses. All take
a seeded generator, so a fault can be had again by its number.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """Of one tortured home: itself, the folder of temporary files, and the command once more (for a second driver)."""

    home: Path
    temporary: Path
    again: Callable[[], subprocess.Popen[str]]


During = Callable[[subprocess.Popen[str], Places, random.Random], str]
Between = Callable[[Places, random.Random], str]


def descendants(pid: int) -> list[int]:
    """Everything that a process has started, directly or not, also in sessions of their own."""
    found, waiting = [], [pid]
    while waiting:
        try:
            text = Path(f"/proc/{waiting[0]}/task/{waiting[0]}/children").read_text()
        except OSError:
            text = ""
        started = [int(word) for word in text.split()]
        found += started
        waiting = [*waiting[1:], *started]
    return found


def kill_driver(process: subprocess.Popen[str], places: Places, draw: random.Random) -> str:
    process.kill()
    return "the driver was killed"


def kill_everything(process: subprocess.Popen[str], places: Places, draw: random.Random) -> str:
    for pid in [process.pid, *descendants(process.pid)]:
        _signal(pid, signal.SIGKILL)
    return "all processes were killed"


def kill_one(process: subprocess.Popen[str], places: Places, draw: random.Random) -> str:
    """A worker, a method's process, a trainer or the fork server."""
    some = descendants(process.pid)
    if not some:
        return kill_driver(process, places, draw)
    _signal(draw.choice(some), signal.SIGKILL)
    return "one of its processes was killed"


def interrupt(process: subprocess.Popen[str], places: Places, draw: random.Random) -> str:
    _signal(process.pid, draw.choice([signal.SIGINT, signal.SIGTERM]))
    return "it was interrupted"


def fill_temporary(process: subprocess.Popen[str], places: Places, draw: random.Random) -> str:
    """The folder of temporary files is full for some seconds. Needs a file system of its own (see `torture.py`)."""
    return _fill(places.temporary, draw)


def fill_home(process: subprocess.Popen[str], places: Places, draw: random.Random) -> str:
    return _fill(places.home, draw)


def take_permissions(process: subprocess.Popen[str], places: Places, draw: random.Random) -> str:
    """The store is another's for some seconds. Root does not notice: `torture.py` runs as somebody else."""
    store = places.home / "store"
    if not store.is_dir():
        return kill_driver(process, places, draw)
    before = store.stat().st_mode
    store.chmod(0o500)
    time.sleep(draw.uniform(0.5, 4))
    store.chmod(before)
    return "the store could not be written for a while"


def second_driver(process: subprocess.Popen[str], places: Places, draw: random.Random) -> str:
    other = places.again()
    time.sleep(draw.uniform(0, 6))
    if draw.random() < 0.5:
        other.kill()
    other.communicate()
    return "a second driver ran on the same home"


def _fill(folder: Path, draw: random.Random) -> str:
    ballast = folder / ".ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                _write_until_full(file, size)
        time.sleep(draw.uniform(0.5, 4))
    finally:
        ballast.unlink(missing_ok=True)
    return f"{folder.name} was full for a while"


def _write_until_full(file: object, size: int) -> None:
    try:
        while True:
            file.write(bytes(size))  # type: ignore[attr-defined]
    except OSError:
        return


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def flip_byte(places: Places, draw: random.Random) -> str:
    path = _some_file(places.home, draw)
    content = bytearray(path.read_bytes())
    if not content:
        return "an empty file was left as it was"
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)
    return f"a byte was flipped in {_kind(path, places.home)}"


def cut_file(places: Places, draw: random.Random) -> str:
    path = _some_file(places.home, draw)
    content = path.read_bytes()
    path.write_bytes(content[: draw.randrange(len(content) + 1) // 2])
    return f"{_kind(path, places.home)} was cut short"


def lose_file(places: Places, draw: random.Random) -> str:
    path = _some_file(places.home, draw)
    path.unlink()
    return f"{_kind(path, places.home)} was lost"


def half_copy(places: Places, draw: random.Random) -> str:
    """As a copy of the home that ended half way: of its files the first so many are there, the last one cut short."""
    files = sorted(path for path in places.home.rglob("*") if path.is_file())
    draw.shuffle(files)
    kept = draw.randrange(len(files))
    for path in files[kept:]:
        path.unlink()
    if kept:
        content = files[kept - 1].read_bytes()
        files[kept - 1].write_bytes(content[: len(content) // 2])
    return "half of the home was copied"


def lose_folder(places: Places, draw: random.Random) -> str:
    folder = draw.choice(sorted(path for path in places.home.rglob("*") if path.is_dir()))
    shutil.rmtree(folder)
    return f"the folder {folder.name[:12]} was lost"


def _some_file(home: Path, draw: random.Random) -> Path:
    """Each kind of file as likely as any other: there are more arrays than records."""
    kinds: dict[str, list[Path]] = {}
    for path in sorted(home.rglob("*")):
        if path.is_file():
            kinds.setdefault(_kind(path, home), []).append(path)
    return draw.choice(kinds[draw.choice(sorted(kinds))])


def _kind(path: Path, home: Path) -> str:
    place = path.relative_to(home).parts[0]
    return f"{place}: {path.name if place == 'store' else path.suffix or path.name}"


DURING: dict[str, During] = {
    function.__name__: function
    for function in (
        kill_driver, kill_everything, kill_one, interrupt, fill_temporary, fill_home, take_permissions, second_driver,
    )
}  # fmt: skip
BETWEEN: dict[str, Between] = {
    function.__name__: function for function in (flip_byte, cut_file, lose_file, half_copy, lose_folder)
}
