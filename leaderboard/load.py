"""Reading records and refusing, by name, whatever cannot be trusted.

A folder holds `<sha256>.json` files as `submit` writes them, or packed `*.jsonl.xz` files: one line a record,
`{"sha256": ..., "record": {...}}`.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from prunemark.benchmark.outcome import RATIOS_OF
from prunemark.benchmark.record import Record, canonical_json, load
from prunemark.setups.errors import InputError, RuleBroken

PACKED = ".jsonl.xz"


@dataclass(frozen=True)
class Refused:
    """A record that was left out: what it is called, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Loaded:
    """What was read: sound records, sorted by content, and what was refused."""

    records: tuple[Record, ...]
    refused: tuple[Refused, ...] = ()


def read_records(folder: Path) -> Loaded:
    """All records of a folder. Raises InputError when it is missing or holds none."""
    if not folder.is_dir():
        raise InputError(f"no folder {str(folder)!r}. Records lie in the folder `records` of --home")
    named: list[tuple[str, str, str]] = []
    refused: list[Refused] = []
    for path in sorted(folder.iterdir()):
        if path.name.endswith(PACKED):
            _unpack(path, named, refused)
        elif path.suffix == ".json" and not path.name.startswith("."):
            named.append((path.name, path.stem, path.read_text(encoding="utf-8", errors="replace")))
    if not named and not refused:
        raise InputError(f"no records in {str(folder)!r}. Run `prunemark submit` first")
    return _sift(named, refused)


def read_texts(named: Iterable[tuple[str, str, str]]) -> Loaded:
    """Records from elsewhere: (name, hash it should have, JSON text)."""
    return _sift(named, [])


def _unpack(path: Path, named: list[tuple[str, str, str]], refused: list[Refused]) -> None:
    try:
        lines = lzma.decompress(path.read_bytes()).decode("utf-8").splitlines()
    except (lzma.LZMAError, UnicodeDecodeError, EOFError):
        refused.append(Refused(path.name, "is truncated or not a packed file"))
        return
    for number, line in enumerate(lines, 1):
        place = f"{path.name}, line {number}"
        try:
            entry = json.loads(line)
            named.append((place, str(entry["sha256"]), canonical_json(entry["record"])))
        except (ValueError, KeyError, TypeError):
            refused.append(Refused(place, "is not a packed record"))


def _sift(named: Iterable[tuple[str, str, str]], refused: list[Refused]) -> Loaded:
    sound: dict[str, Record] = {}
    for name, sha256, text in named:
        try:
            record = load(text, name, sha256)
        except (InputError, RuleBroken) as problem:
            refused.append(Refused(name, str(problem).splitlines()[0].removeprefix(f"{name} ")))
            continue
        if sha256 in sound:
            refused.append(Refused(name, "is here twice"))
        else:
            sound[sha256] = record
    return _latest([sound[sha256] for sha256 in sorted(sound)], refused)


def _latest(records: Sequence[Record], refused: list[Refused]) -> Loaded:
    """Of several records of one trial, as after a change of the harness, the one that finished last counts."""
    newest: dict[str, Record] = {}
    for record in records:
        other = newest.setdefault(identity(record), record)
        old, new = sorted((other, record), key=lambda r: (r.observed.finished_at, r.record_sha256))
        newest[identity(record)] = new
        if old is not new:
            refused.append(Refused(f"{old.record_sha256}.json", f"superseded by {new.record_sha256[:12]}"))
    kept = sorted(newest.values(), key=lambda r: r.record_sha256)
    return Loaded(tuple(kept), tuple(sorted(refused, key=lambda r: r.name)))


def identity(record: Record) -> str:
    """What one trial is: the same track, setup, level, competitor and seed."""
    o = record.outcome
    return canonical_json([o.track, o.setup, o.level, o.seed, competitor(record)])


def competitor(record: Record) -> str:
    """Who competes: the method's name, code and settings; of a control, the layer ratios it was given too."""
    method, compression = record.outcome.method, record.outcome.compression
    given = method.role in ("control", "reference") and compression is not None and RATIOS_OF not in method.settings
    ratios = compression.kept if given and compression else None
    return canonical_json([method.name, method.kind, method.source_sha256, method.settings, ratios])


def pack_records(records: Iterable[Record], path: Path) -> None:
    """Writes records into one packed file: the same records give the same bytes."""
    import dataclasses

    lines = sorted(
        canonical_json({"sha256": record.record_sha256, "record": dataclasses.asdict(record)}) for record in records
    )
    path.write_bytes(lzma.compress("".join(f"{line}\n" for line in lines).encode("utf-8"), preset=9))
