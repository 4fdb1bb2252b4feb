"""What each record's pruning stage decided, beside the records: which filters, or which weights, were kept.

`decisions/<track id>/<sha256 of the unpacked text>.jsonl.xz`, one line a record, `{"kept": {layer: [indices]}, "masks":
{layer: {"bits": base64, "shape": [...]}}, "record_sha256": "..."}` in canonical JSON. Packs are never rewritten.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from prunemark.records.pack import check_track_id, packs_of, unpack, write_lines
from prunemark.records.record import canonical_json
from prunemark.setups.errors import InputError, RuleBroken

FIELDS = {"kept", "masks"}


def write_decisions(decisions: Iterable[tuple[str, str, Mapping[str, Any]]], folder: Path) -> list[Path]:
    """Packs (track id, record hash, decision) that no pack in `folder` has yet, one new pack a track; the packs.

    Raises InputError for a track whose id cannot name a folder, WorkFailed when the disk refuses.
    """
    held = read_decisions(folder)
    lines: dict[str, list[str]] = {}
    for track, record_sha256, decided in decisions:
        if record_sha256 not in held:
            entry = {name: decided[name] for name in FIELDS} | {"record_sha256": record_sha256}
            lines.setdefault(check_track_id(track), []).append(canonical_json(entry))
    return [write_lines(lines[track], folder / track) for track in sorted(lines)]


def read_decisions(folder: Path) -> dict[str, dict[str, Any]]:
    """All decisions of a folder, by the hash of their record; {} for a folder that is not there.

    Raises InputError for a file that is no such pack, RuleBroken for one that is not named by its content, or that
    decides twice for one record. Whether a decision is that of its record is not looked at here.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in packs_of(folder):
        add_decisions(found, path)
    return found


def add_decisions(found: dict[str, dict[str, Any]], path: Path) -> None:
    """Adds the decisions of one pack to those found already. Raises as `read_decisions` does."""
    for number, line in enumerate(unpack(path).split(b"\n"), 1):
        if not line:
            continue
        try:
            entry = json.loads(line)
            record_sha256 = entry.pop("record_sha256")
            sound = set(entry) == FIELDS and isinstance(record_sha256, str)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            sound = False
        if not sound:
            raise InputError(f"{path.name}, line {number} is not a decision")
        if record_sha256 in found:
            raise RuleBroken(f"{path.name}, line {number} decides for record {record_sha256[:12]} a second time")
        found[record_sha256] = entry
