"""Unpacking a file of a stranger, in bounded memory and time: a few bytes of xz can stand for gigabytes.

A pack is unpacked piece by piece, and refused as soon as it is larger, has more lines or a longer line than any pack
of this project. A pack of 100 kB may fill some 20 MB, and none more than 96 MiB.
"""

from __future__ import annotations

import hashlib
import lzma
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from prunemark.setups.bounded_files import open_plain
from prunemark.setups.errors import InputError

LARGEST = 3 * 2**25
"""Bytes that a pack may unpack to. The largest of the board has 47 MB."""
MOST_LINES = 100_000
MOST_TIMES = 100
"""How many times its own size a pack may unpack to, where that is more than `UNSUSPECTED`. On the board: 26."""
UNSUSPECTED = 2**24
MOST_REFUSED, UNSOUND_BYTES = 1000, 2**22
"""Unsound lines of one file, and their bytes, after which the rest of it is not read.

More refused lines than this are only counted.
"""
PIECE = 2**18
DICTIONARY = 80 * 2**20
"""Bytes of memory that the decompressor may take: what the hardest preset needs, 65 MiB, and no more."""


def pack_of(place: str) -> str:
    """The file of a line, by the place that `read_pack` gives it."""
    return place.partition(", line ")[0]


class Patience:
    """How much of one file is still read, and reported line by line, when its lines turn out to be unsound."""

    def __init__(self) -> None:
        self._named: Counter[str] = Counter()
        self._unsound: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._rest: Counter[str] = Counter()

    def ended(self, place: str) -> bool:
        """Whether a line is not read any more: too many of its file, or too long ones, were unsound before it."""
        pack = pack_of(place)
        ended = self._bytes[pack] > UNSOUND_BYTES or self._unsound[pack] >= MOST_REFUSED
        self._rest[pack] += ended
        return ended

    def unsound(self, place: str, size: int) -> None:
        """Notes a line of so many bytes that is no record."""
        pack = pack_of(place)
        self._unsound[pack] += 1
        self._bytes[pack] += size

    def names(self, place: str) -> bool:
        """Whether a refused line is reported by itself; `rest` counts the others."""
        pack = pack_of(place)
        self._named[pack] += 1
        named = self._named[pack] <= MOST_REFUSED
        self._rest[pack] += not named
        return named

    def rest(self) -> Iterator[tuple[str, str]]:
        """Each file of which not every line was read or reported, and in words how much of it was not."""
        for pack, lines in self._rest.items():
            if lines:
                yield pack, f"has {lines:,} more lines that are refused or not read, after those that are named"


def unpacked_lines(path: Path, longest_line: int) -> tuple[list[bytes], str]:
    """The lines of a packed file, and the SHA-256 of its text. Raises InputError, in words after the file's name."""
    lines: list[bytes] = []
    digest = hashlib.sha256()
    rest, size = b"", 0
    with open_plain(path, path.name) as file:
        most = min(LARGEST, max(UNSUSPECTED, MOST_TIMES * os.fstat(file.fileno()).st_size))
        for piece in _pieces(file, path.name):
            digest.update(piece)
            size += len(piece)
            *whole, rest = (rest + piece).split(b"\n")
            lines += whole
            if size > most or len(lines) > MOST_LINES:
                words = f"{most / 2**20:,.0f} MiB or {MOST_LINES:,} lines"
                raise InputError(f"{path.name} unpacks to more than {words}, which no pack of its size does")
            if len(rest) > longest_line or any(not 0 < len(line) <= longest_line for line in whole):
                words = f"an empty line, or one of more than {longest_line:,} bytes"
                raise InputError(f"{path.name} has {words}, which no pack has")
    return ([*lines, rest] if rest else lines), digest.hexdigest()


def _pieces(file: BinaryIO, name: str) -> Iterator[bytes]:
    """What a file of one xz stream unpacks to, in pieces of at most `PIECE` bytes."""
    reader = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=DICTIONARY)
    try:
        while not reader.eof:
            packed = file.read(PIECE) if reader.needs_input else b""
            if reader.needs_input and not packed:
                break
            yield reader.decompress(packed, max_length=PIECE)
        if reader.eof and not reader.unused_data and not file.read(1):
            return
    except (lzma.LZMAError, EOFError, OSError, MemoryError):
        pass
    raise InputError(f"{name} is truncated or not a packed file")
