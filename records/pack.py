"""Packs: many records in one compressed file that is named by its content and never rewritten.

`records/<track id>/<sha256 of the unpacked text>.jsonl.xz`, one line a record, `{"record": {...}, "sha256": "..."}`
in canonical JSON, the lines in ascending order. The name is that of the text and not of the compressed bytes,
which another version of the compressor may write differently.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from prunemark.records.record import LONGEST_RECORD, Record, canonical_json, dump
from prunemark.records.unpack import unpacked_lines
from prunemark.records.writer import write_once
from prunemark.setups.errors import InputError, RuleBroken

PACKED = ".jsonl.xz"
SHA256 = re.compile(r"[0-9a-f]{64}")
TRACK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}@[0-9]{1,9}")
PRESET = 9
ONE_PACK_BYTES, ONE_PACK_LINES = 2**26, 50_000
"""What is written into one pack at most: half of what is read of one."""

_HEAD, _MIDDLE, _END = b'{"record":', b',"sha256":"', b'"}'
_TAIL = len(_MIDDLE) + 64 + len(_END)


class Line(NamedTuple):
    """One line of a pack: where it is, the name that its record should have, and the record's JSON.

    `text` is empty when the line is no packed record.
    """

    place: str
    sha256: str
    text: bytes


def read_pack(path: Path, *, named: bool = True) -> Iterator[Line]:
    """The lines of a pack; whether they are sound records is for `record.load` to say.

    The whole pack is read before this returns, and bounded as `records/unpack.py` says. Raises InputError when the file
    is truncated, no pack or too large, RuleBroken when its content is not that of its name; with `named` false the file
    may be called anything.
    """
    lines = unpack(path, LONGEST_RECORD, named=named)
    return (_cut(f"{path.name}, line {number}", line) for number, line in enumerate(lines, 1))


def _cut(place: str, line: bytes) -> Line:
    """Of a canonical line the record's text is a slice; any other line is parsed and written canonically."""
    if line.startswith(_HEAD) and line.endswith(_END) and line[-_TAIL : -_TAIL + len(_MIDDLE)] == _MIDDLE:
        return Line(place, line[-66:-2].decode("utf-8", "replace"), line[len(_HEAD) : -_TAIL])
    try:
        entry = json.loads(line)
        return Line(place, str(entry["sha256"]), canonical_json(entry["record"]).encode())
    except (ValueError, KeyError, TypeError, RecursionError):
        return Line(place, "", b"")


def write_pack(records: Iterable[Record], folder: Path) -> list[Path]:
    """Packs the records that no pack in `folder` holds yet, one new pack a track; the packs written.

    Packing the same records again writes nothing. Raises InputError for a track whose id cannot name a folder,
    RuleBroken for a record whose content is not that of its name, WorkFailed when the disk refuses.
    """
    held = packed_hashes(folder)
    fresh: dict[str, dict[str, Record]] = {}
    for record in records:
        if record.record_sha256 not in held:
            fresh.setdefault(record.outcome.track, {})[record.record_sha256] = record
    for track in fresh:
        check_track_id(track)
    return [
        write_lines(part, folder / track)
        for track in sorted(fresh)
        for part in in_parts(map(line_of, fresh[track].values()))
    ]


def pack_records(records: Iterable[Record], path: Path) -> None:
    """Writes records into one packed file of any name, anew: the same records give the same bytes."""
    lines = sorted(map(line_of, records))
    path.write_bytes(lzma.compress(_text(lines), preset=PRESET))


def line_of(record: Record) -> str:
    """A record as a line of a pack. Raises RuleBroken when its content is not that of its name."""
    text = dump(record)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    if sha256 != record.record_sha256:
        raise RuleBroken(f"record {record.record_sha256} is not written canonically: its content is {sha256[:12]}")
    return f'{{"record":{text},"sha256":"{sha256}"}}'


def packed_hashes(folder: Path) -> set[str]:
    """The names of all records in the packs of a `records` folder. A pack that cannot be read holds none."""
    found: set[str] = set()
    for path in packs_of(folder):
        try:
            found |= {line.sha256 for line in read_pack(path)}
        except (InputError, RuleBroken):
            continue
    return found


def packs_of(folder: Path) -> list[Path]:
    """All packs in the folders of the tracks, in the order of their names."""
    return sorted(folder.glob(f"*/*{PACKED}"))


def write_lines(lines: Iterable[str], folder: Path, preset: int = PRESET) -> Path:
    """Writes lines, sorted, into a file named by them, unless it is there. `preset` is how hard xz tries, 0 to 9.

    Raises WorkFailed when the disk refuses. How many lines one file may have, `in_parts` says.
    """
    text = _text(sorted(lines))
    return write_once(folder / f"{hashlib.sha256(text).hexdigest()}{PACKED}", lzma.compress(text, preset=preset))


def in_parts(lines: Iterable[str]) -> Iterator[list[str]]:
    """Lines in parts, each of which a pack can hold and be read again."""
    part: list[str] = []
    size = 0
    for line in lines:
        if part and (size + len(line) > ONE_PACK_BYTES or len(part) == ONE_PACK_LINES):
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line) + 1
    if part:
        yield part


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def unpack(path: Path, longest_line: int, *, named: bool = True) -> list[bytes]:
    """The lines of a packed file. Raises as `read_pack` does, in words that follow the file's name."""
    stem = path.name.removesuffix(PACKED)
    if named and not SHA256.fullmatch(stem):
        raise RuleBroken(f"{path.name} is not named by its content, as packs here are")
    lines, sha256 = unpacked_lines(path, longest_line)
    if named and sha256 != stem:
        raise RuleBroken(f"{path.name} does not unpack to the content its name promises: it was edited")
    return lines


def check_track_id(track: str) -> str:
    """The id, where it can be the name of a folder. Raises InputError for one that strays out of it."""
    if not TRACK_ID.fullmatch(track):
        raise InputError(f"track {track!r} is not written name@version, so its records have no folder")
    return track
