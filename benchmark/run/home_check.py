"""Is every byte of a home what was written? Nothing is changed here: a run sets aside what it finds damaged."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.home_parts import CHECKPOINTS, FOLDERS, UNKNOWN, Part, existing, parts_of
from prunemark.benchmark.trial.entry import KINDS, damage_of
from prunemark.records.invalidations import FILE, read_invalidations
from prunemark.records.pack import PACKED, read_pack
from prunemark.records.record import LONGEST_RECORD, load_exactly
from prunemark.records.source import read_method
from prunemark.setups.bounded_files import read_bounded
from prunemark.setups.errors import InputError, RuleBroken

HEAD = hashlib.sha256().digest_size
ENTRY = "the next run that needs it sets it aside and makes it again"
RECORD = "run the command again that made it: it is written anew from the store"
METHOD = "delete it and run the method again: its source is kept anew"
CHECKPOINT = "delete it: the stage starts anew"
STRANGE = "nobody reads it; Prunemark did not write it so"
ADVICE = {CHECKPOINTS: CHECKPOINT, FOLDERS["records"]: RECORD, FOLDERS["methods"]: METHOD, UNKNOWN: STRANGE}


@dataclass(frozen=True)
class Damage:
    """One thing that is not whole: where it lies, what is wrong with it, and what to do."""

    path: Path
    why: str
    advice: str


@dataclass
class Checked:
    """One kind of thing: how many are whole, and what is found about the others."""

    kind: str
    whole: int = 0
    findings: list[Damage] = field(default_factory=list)


def check_home(home: Home) -> list[Checked]:
    """Every entry, record, source and checkpoint of a home. Raises InputError where there is no home.

    WorkFailed for what cannot be read at the moment. Not covered: timings, pages, MLflow's files (which mirror the
    records), and whether the numbers are true.
    """
    kinds = {kind: Checked(kind) for kind in (*KINDS.values(), CHECKPOINTS, "records", FOLDERS["methods"], UNKNOWN)}
    for part in parts_of(existing(home)):
        if part.kind not in kinds:
            continue
        found = kinds[part.kind]
        if why := _wrong_with(part, home):
            found.findings.append(Damage(part.path, why, ADVICE.get(part.kind, ENTRY)))
        else:
            found.whole += 1
    return [found for found in kinds.values() if found.whole or found.findings]


def _wrong_with(part: Part, home: Home) -> str:
    if part.kind in KINDS.values():
        return damage_of(part.path) or _of_another(part.path) or _unpacked(part.path, home)
    if part.kind == UNKNOWN:
        return damage_of(part.path) or "it is not an entry of the store"
    if part.kind == CHECKPOINTS:
        content = part.path.read_bytes()
        whole = hashlib.sha256(content[HEAD:]).digest() == content[:HEAD]
        return "" if whole else "it has not the bytes that were written"
    try:
        return _wrong_with_file(part)
    except (InputError, RuleBroken) as problem:
        return str(problem).splitlines()[0].removeprefix(f"{part.path.name} ")


def _wrong_with_file(part: Part) -> str:
    """Of a source, a record, a pack of records, or the list of what was withdrawn. Raises InputError, RuleBroken."""
    path = part.path
    if part.kind == FOLDERS["methods"]:
        read_method(path)
    elif path.name == FILE:
        return next((f"{place} {why}" for place, why in read_invalidations(path.parent)[1]), "")
    elif path.name.endswith(PACKED):
        for line in read_pack(path):
            load_exactly(line.text, line.place, line.sha256)
    else:
        load_exactly(read_bounded(path, LONGEST_RECORD, path.name), path.name, path.stem)
    return ""


def _of_another(folder: Path) -> str:
    """Of a whole result: whether it lies under the key of another trial."""
    from prunemark.benchmark.trial.keys import OF_ANOTHER, RECORD

    record = folder / RECORD
    return (
        OF_ANOTHER if record.exists() and json.loads(record.read_bytes())["outcome"]["trial_key"] != folder.name else ""
    )


def _unpacked(folder: Path, home: Home) -> str:
    """Of an entry that is whole by itself: whether it still fits the base model that it is packed against."""
    from prunemark.benchmark.trial.packing import PACKED, DoesNotFit, base_of, read_weights

    if not (folder / PACKED).exists():
        return ""
    key = base_of(folder)
    base = home.store.path(key) if key else None
    if base is not None and (why := "it is not there" if not base.exists() else damage_of(base)):
        return f"the base model that it is packed against ({base.name[:12]}) is damaged: {why}"
    try:
        read_weights(folder, base)
    except DoesNotFit as problem:
        return str(problem)
    return ""
