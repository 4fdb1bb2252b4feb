"""A board on all cores of the machine: each process reads the packs of some tracks and makes their tables.

The tables of a track rest on its own records alone, so nothing but tables has to come back from the other processes,
which are forked. What these tables cannot decide by themselves is left to one process that reads everything.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

from prunemark.leaderboard.standings.board import Board, make_board
from prunemark.leaderboard.standings.overall import make_overall
from prunemark.records.admission import track_name
from prunemark.records.load import Contents, Loaded, flat_packs_of, loose_records_of, read_records, read_tracks
from prunemark.records.pack import packs_of
from prunemark.setups.comparison import HARNESS_SETUPS
from prunemark.setups.errors import InputError
from prunemark.setups.processes import die_with_parent, uninterrupted

Packs = Sequence[Path]
Found = TypeVar("Found")
MOST_PROCESSES = 8
WORTH_A_PROCESS_BYTES = 2**18
"""Bytes of packs, some hundred records, that take about as long as it takes to start a process and hear from it."""
WORTH_A_PROCESS = 1000
"""Records that are read already whose tables take about as long."""


def board_of(folder: Path, processes: int | None = None) -> Board:
    """`make_board(read_records(folder))`, in parallel: the same board in less time.

    `processes` is how many may work, by default one for each core that this process may use. Raises as they do.
    """
    work = split_packs(folder, cores() if processes is None else processes)
    parts = _parts(folder, work) if work else None
    return joined(parts) if parts else make_board(read_records(folder))


def board_of_loaded(loaded: Loaded, processes: int | None = None) -> Board:
    """`make_board(loaded)`, in parallel: each process makes the tables of some tracks of the records that are read."""
    count: Counter[str] = Counter(record.outcome.track for record in loaded.records)
    wanted = min(cores() if processes is None else processes, len(count), len(loaded.records) // WORTH_A_PROCESS)
    if wanted < 2:
        return make_board(loaded)
    parts: list[list[str]] = [[] for _ in range(wanted)]
    for track, _ in count.most_common():
        min(parts, key=lambda part: sum(count[each] for each in part)).append(track)
    alone = [replace(loaded, records=tuple(r for r in loaded.records if r.outcome.track in part)) for part in parts]
    found = in_processes([partial(_board, each) for each in alone])
    boards = [board for board in found if board is not None]
    return joined(boards) if len(boards) == len(found) else make_board(loaded)


def _board(loaded: Loaded) -> Board | None:
    try:
        return make_board(loaded)
    except InputError:  # as in _boards
        return None


def cores() -> int:
    """How many processes may work at once; 1 where forking is not safe."""
    return min(len(os.sched_getaffinity(0)), MOST_PROCESSES) if sys.platform == "linux" else 1


def split_packs(folder: Path, processes: int) -> list[list[Packs]]:
    """The packs of a folder, those under one name of a track together, in parts of about one size for each process.

    None where it is not worth more processes than one, or where there are records that lie under no track.
    """
    by_name: dict[str, list[Path]] = {}
    for path in packs_of(folder):
        by_name.setdefault(track_name(path.parent.name), []).append(path)
    sizes = {name: sum(path.stat().st_size for path in packs if path.is_file()) for name, packs in by_name.items()}
    count = min(processes, len(by_name), sum(sizes.values()) // WORTH_A_PROCESS_BYTES)
    if count < 2 or flat_packs_of(folder) or loose_records_of(folder):
        return []
    names: list[list[str]] = [[] for _ in range(count)]
    for name in sorted(by_name, key=lambda name: -sizes[name]):
        min(names, key=lambda part: sum(sizes[each] for each in part)).append(name)
    return [[by_name[name] for name in part] for part in names]


def joined(parts: Sequence[Board]) -> Board:
    """One board of several, none of which has a track by the name of another's."""
    tables = [table for part in parts for table in part.tables]
    tables.sort(key=lambda table: (table.track, list(HARNESS_SETUPS).index(table.setup)))
    refused = dict.fromkeys(each for part in parts for each in part.refused)  # each names what is wrong in all
    return Board(
        tuple(tables),
        make_overall(tables),
        tuple(sorted(refused, key=lambda each: each.name)),
        sum(part.records for part in parts),
        dict(sorted((sha256, why) for part in parts for sha256, why in part.invalid.items())),
        None,
        dict(sorted((id, count) for part in parts for id, count in part.other_versions.items())),
        Contents(
            tuple(sorted(sha256 for part in parts for sha256 in part.contents.counting)),
            max(part.contents.as_of for part in parts),
            parts[0].contents.draws,  # each process reads all of them
        ),
    )


def _parts(folder: Path, work: Sequence[Sequence[Packs]]) -> list[Board] | None:
    """The boards of all tracks; None when one of them cannot be made by itself, or a process was killed."""
    found = in_processes([partial(_boards, folder, part) for part in work])
    return None if None in found else [board for boards in found for board in boards or ()]


def in_processes(work: Sequence[Callable[[], Found | None]]) -> list[Found | None]:
    """What each piece of work returns: the first is done here, every other by a forked process of its own.

    None for one that failed, or whose process was killed: whoever asked does it again where its error is seen.
    """
    forking = multiprocessing.get_context("fork")
    helpers = [_helper(forking, each) for each in work[1:]]
    try:
        first = work[0]()
    except BaseException:
        for process, _ in helpers:  # none may go on after whoever asked has given up
            process.kill()
            process.join()
        raise
    return [first, *(_heard(*helper) for helper in helpers)]


def _boards(folder: Path, part: Sequence[Packs]) -> list[Board] | None:
    """One after the other, so that no more than one track's records are in memory."""
    boards = []
    for packs in part:
        try:
            loaded = read_tracks(folder, packs)
            if loaded is None:
                return None
            boards.append(make_board(loaded))
        except InputError:  # whether it is one of the whole folder as well, only who reads all of it can say
            return None
    return boards


def _helper(forking: Any, work: Callable[[], Any]) -> tuple[BaseProcess, Connection]:
    ear, mouth = forking.Pipe(duplex=False)
    process = forking.Process(target=_tell, args=(mouth, work, os.getpid()), daemon=True)
    with uninterrupted():
        process.start()
    mouth.close()
    return process, ear


def _tell(mouth: Connection, work: Callable[[], Any], parent: int) -> None:
    die_with_parent(parent)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that forked this one, and ends it too
    try:
        found = work()
    except Exception:  # it is raised again where somebody sees it, by the process that reads everything
        found = None
    with contextlib.suppress(OSError):  # nobody listens any more
        mouth.send(found)


def _heard(process: BaseProcess, ear: Connection) -> Any:
    try:
        found = ear.recv()
    except EOFError:
        found = None
    ear.close()
    process.join()
    return found
