"""A contribution: records, the sources that ran and what each pruning stage decided, as a board's folder holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prunemark.records.decision import Decided, add_decisions, read_decisions
from prunemark.records.load import read_counting, record_names
from prunemark.records.pack import PACKED, read_pack
from prunemark.records.record import Record, load_exactly
from prunemark.records.source import MethodFiles, read_method, read_methods
from prunemark.setups.errors import InputError, RuleBroken


@dataclass(frozen=True)
class Contribution:
    """Records with what belongs to them: sources by their own hash, decisions by the record's."""

    records: tuple[Record, ...]
    sources: Mapping[str, MethodFiles]
    decisions: Mapping[str, Decided]


def counting_records(folder: Path) -> Sequence[Record]:
    """The records of a board that count, of all versions of its tracks. None where there is no board yet."""
    return read_counting(folder / "records") if recorded_names(folder) else []


def recorded_names(folder: Path) -> set[str]:
    """The hashes of all records of a board, of those too that do not count."""
    return record_names(folder / "records") if (folder / "records").is_dir() else set()


def held_by(board: Path) -> Contribution:
    """What a board's folder holds that counts."""
    return Contribution(
        tuple(counting_records(board)), read_methods(board / "methods"), read_decisions(board / "decisions")
    )


def added_to(board: Path, added: Iterable[str], broken: list[str]) -> Contribution:
    """What the added files hold; what cannot be read of them goes to `broken`."""
    records: list[Record] = []
    sources: dict[str, MethodFiles] = {}
    decisions: dict[str, Decided] = {}
    for name in added:
        part, track = name.split("/")[0], Path(name).parent.name
        try:
            if part == "records" and name.endswith(PACKED):
                for line in read_pack(board / name):
                    records.append(load_exactly(line.text, line.place, line.sha256))
                    if records[-1].outcome.track != track:
                        broken.append(f"{name}: {line.place} is of track {records[-1].outcome.track}")
            elif part == "decisions":
                add_decisions(decisions, board / name)
            elif part == "methods":
                found = read_method(board / name)
                sources[found.source_sha256] = found
        except (InputError, RuleBroken) as problem:
            broken.append(f"{name}: {str(problem).splitlines()[0]}")
    return Contribution(tuple(records), sources, decisions)
