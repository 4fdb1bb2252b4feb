"""What each record's pruning stage decided, beside the records: which filters, or which weights, were kept.

`decisions/<track id>/<sha256 of the unpacked text>.jsonl.xz`, one line a record, `{"kept": {layer: [indices]}, "masks":
{layer: {"bits": base64, "shape": [...]}}, "record_sha256": "..."}` in canonical JSON. Packs are never rewritten.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from prunemark.records.outcome import Compression
from prunemark.records.pack import check_track_id, in_parts, packs_of, unpack, write_lines
from prunemark.records.record import canonical_json
from prunemark.setups.errors import InputError, RuleBroken

FIELDS = {"kept", "masks"}
LONGEST_LINE = 2**23
"""Bytes of one decision that are read: the masks of a network of 40 million weights."""
MOST_INDICES = 1 << 24  # of one layer's mask

Decided = Mapping[str, Any]
"""`kept`: indices of the filters kept in each layer. `masks`: per layer the packed bits of the weights kept (`bits`,
base64, as in a record's correctness) and the `shape`."""


def write_decisions(decisions: Iterable[tuple[str, str, Decided]], folder: Path) -> list[Path]:
    """Packs (track id, record hash, decision) that no pack in `folder` has yet, one new pack a track; the packs.

    Raises InputError for a track whose id cannot name a folder, WorkFailed when the disk refuses.
    """
    held = read_decisions(folder)
    lines: dict[str, list[str]] = {}
    for track, record_sha256, decided in decisions:
        if record_sha256 not in held:
            entry = {name: decided[name] for name in FIELDS} | {"record_sha256": record_sha256}
            lines.setdefault(check_track_id(track), []).append(canonical_json(entry))
    return [write_lines(part, folder / track) for track in sorted(lines) for part in in_parts(lines[track])]


def read_decisions(folder: Path) -> dict[str, Decided]:
    """All decisions of a folder, by the hash of their record; {} for a folder that is not there.

    Raises InputError for a file that is no such pack, RuleBroken for one that is not named by its content, or that
    decides twice for one record. Whether a decision is that of its record is not looked at here.
    """
    found: dict[str, Decided] = {}
    for path in packs_of(folder):
        add_decisions(found, path)
    return found


def add_decisions(found: dict[str, Decided], path: Path) -> None:
    """Adds the decisions of one pack to those found already. Raises as `read_decisions` does."""
    for number, line in enumerate(unpack(path, LONGEST_LINE), 1):
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


def disagreement(compression: Compression, decided: Decided) -> str:
    """What a decision and the counts on a record do not share, in words; '' when they agree. Strict on both."""
    try:
        counts = {layer: len(_indices(kept, compression.total[layer])) for layer, kept in decided["kept"].items()}
        counts |= {layer: _bits_set(mask, compression.total[layer]) for layer, mask in decided["masks"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        return f"it is malformed ({type(problem).__name__}: {problem})"
    for layer, kept in compression.kept.items():
        found = counts.get(layer, compression.total[layer])
        if found != kept:
            return f"layer {layer} keeps {kept} by the record, {found} by the decision"
    return ""


def _indices(kept: Any, total: int) -> list[int]:
    if not all(type(index) is int and 0 <= index < total for index in kept) or sorted(set(kept)) != kept:
        raise ValueError(f"indices are ascending whole numbers below {total}")
    return list(kept)


def _bits_set(mask: Mapping[str, Any], total: int) -> int:
    packed = base64.b64decode(mask["bits"], validate=True)
    if math.prod(mask["shape"]) != total or total > MOST_INDICES or len(packed) != -(-total // 8):
        raise ValueError(f"a mask of {total} weights is expected, not of shape {mask['shape']}")
    if total % 8 and packed[-1] & (0xFF >> total % 8):
        raise ValueError("bits behind the last weight are set")
    return int.from_bytes(packed, "big").bit_count()
