"""What can leave a home: what dead processes left, what was set aside as damaged, and weights that no result needs.

Results, records, sources, prepared data, base models and decisions stay, so that the same commands still have nothing
to run and the same boards come out. Weights are only needed to train on from them, or to export them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.home_parts import (
    CHECKPOINTS,
    DAMAGED,
    DRAFTS,
    LOCK_FILES,
    Part,
    existing,
    parts_of,
    readable,
)
from prunemark.benchmark.run.quiet import alone
from prunemark.benchmark.sandbox.scratch import remove
from prunemark.benchmark.trial import locks
from prunemark.benchmark.trial.entry import MANIFEST, damage_of, kind_of
from prunemark.benchmark.trial.store import ASIDE, DRAFT, LOCKS
from prunemark.records.writer import storage_errors, write_atomically

YOUNG_SECONDS = 24 * 3600.0
"""A stage this young may be one of a trial that was interrupted and goes on tomorrow."""
DRAFT_SECONDS = 3600.0
"""The draft of a single file lives for milliseconds; nothing holds it, so its age has to tell."""
LEAST_BYTES = 1 << 16
"""Of a pruning stage's weights: taking away fewer saves nothing, and the stage would have to be made again."""
PRUNING, RETRAINED, RESULTS = "pruning stages", "retrained models", "results"
WEIGHT_FILES = ("weights.safetensors", "packed.json")


@dataclass(frozen=True)
class Removal:
    """Something that can go: what it is, the files that go, and how many bytes that frees."""

    what: str
    part: Part
    bytes: int


def removable(home: Home, now: float, *, weights: bool = False) -> list[Removal]:
    """What could go. With `weights`, also the weights of trials that have their result.

    Raises InputError where there is no home.
    """
    parts = parts_of(existing(home))
    results = [outcome for part in parts if part.kind == RESULTS and (outcome := _outcome(part.path))]
    curves = {_text(outcome["curve"]) for outcome in results}
    pruned: dict[str, list[dict[str, int]]] = {}
    for outcome in results:
        if compression := outcome["compression"]:
            pruned.setdefault(_text(outcome["pruning"]), []).append(compression["kept"])
    found: list[Removal] = []
    for part in parts:
        if part.kind == RETRAINED:
            has_result = _text(_json(part.path / "curve.json")) in curves
        elif part.kind == PRUNING:
            has_result = _has_result(part.path, pruned)
        else:
            if what := _left_over(part, home, now):
                found.append(Removal(what, part, part.bytes))
            continue
        young = now - part.path.stat().st_mtime < YOUNG_SECONDS
        if (weights if has_result else not young) and (part.kind == RETRAINED or _frees(part) >= LEAST_BYTES):
            what = f"weights of {part.kind} {'with' if has_result else 'without'} a result"
            found.append(Removal(what, part, _frees(part)))
    return found


def _left_over(part: Part, home: Home, now: float) -> str:
    """What is left of dead processes, or set aside; '' for anything else."""
    if part.kind == DAMAGED:
        return "" if _still_missed(part.path, home) else "set aside as damaged"
    if part.kind == LOCK_FILES:
        return "locks that nobody holds" if _free(part.path) else ""
    if part.kind == CHECKPOINTS:
        return "checkpoints of finished stages" if home.store.path(part.path.stem).exists() else ""
    if part.kind == DRAFTS:
        dead = _free(part.path) if part.path.is_dir() else now - part.path.stat().st_mtime > DRAFT_SECONDS
        return "drafts of dead processes" if dead else ""
    return ""


def _still_missed(aside: Path, home: Home) -> bool:
    """A decision that was not made again yet: that it lies here says that there was one."""
    return kind_of(aside) == PRUNING and not home.store.path(aside.name.partition(ASIDE)[0]).exists()


def _frees(part: Part) -> int:
    if part.kind != PRUNING:
        return part.bytes
    return sum(path.stat().st_size for name in WEIGHT_FILES if (path := part.path / name).is_file())


def _outcome(folder: Path) -> dict[str, Any] | None:
    """Of a result that is whole: one that is damaged is made again, and may need the weights."""
    outcome: dict[str, Any] | None = None if damage_of(folder) else _json(folder / "record.json")["outcome"]
    return outcome


def _has_result(folder: Path, pruned: Mapping[str, Sequence[dict[str, int]]]) -> bool:
    """Whether a result can be one of this pruning stage: it has its reading and counts. Others may have both too."""
    decided = _json(folder / "decision.json")
    counts = decided.get("counts") if isinstance(decided, dict) else None
    if not isinstance(counts, dict):  # damaged: a run makes it again
        return False
    return any(counts.items() <= kept.items() for kept in pruned.get(_text(_json(folder / "stage.json")), ()))


def _json(path: Path) -> Any:
    """What a file holds; None for one that is not there, or damaged: `home verify` says so."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _text(data: Any) -> str:
    return json.dumps(data, sort_keys=True)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[bool]:
    """Whether nobody else holds it; inside, this process does. Where that cannot be told, somebody may.

    Of a lease, and of a draft in a home with leases, it is looked at only.
    """
    if path.suffix == locks.END:
        yield not locks.is_leased(path)
        return
    if path.name.startswith(DRAFT) and locks.uses_leases(path.parents[2]):
        yield not locks.is_leased(path.parents[1] / LOCKS / f"{path.name}{locks.END}")
        return
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except OSError:
            free = False
        yield free
    finally:
        os.close(descriptor)


def _free(path: Path) -> bool:
    with _held(path) as free:
        return free


def collect(home: Home, removals: Sequence[Removal]) -> list[Removal]:
    """Removes what `removable` found, unless somebody holds it by now; what was removed.

    Raises WorkFailed while trials of the home run: what they need cannot be told from outside.
    """
    with alone(home.root, "what they need cannot be told", "home gc"), storage_errors(home.root):
        return [removal for removal in removals if _REMOVE.get(removal.part.kind, _remove)(removal.part.path)]


def _remove(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        remove(path)
    else:
        path.unlink(missing_ok=True)
    return not os.path.lexists(path)


def _remove_unheld(path: Path) -> bool:
    with _held(path) as free:
        return free and _remove(path)


def _remove_draft(path: Path) -> bool:
    return _remove_unheld(path) if path.is_dir() else _remove(path)


def _leave_the_decision(folder: Path) -> bool:
    """Takes the weights of a pruning stage away. Cut off in between it is damaged, and made again where needed."""
    if damage_of(folder):
        return False
    manifest = json.loads((folder / MANIFEST).read_bytes())
    kept = {name: digest for name, digest in manifest.items() if name not in WEIGHT_FILES}
    write_atomically(folder / MANIFEST, json.dumps(kept, indent=1, sort_keys=True))
    for name in WEIGHT_FILES:
        (folder / name).unlink(missing_ok=True)
    return True


_REMOVE: dict[str, Callable[[Path], bool]] = {
    PRUNING: _leave_the_decision, LOCK_FILES: _remove_unheld, DRAFTS: _remove_draft,
}  # fmt: skip


def by_kind(removals: Sequence[Removal]) -> list[dict[str, str | int]]:
    """How many of each, and what that frees; and the sum."""
    kinds = dict.fromkeys(removal.what for removal in sorted(removals, key=lambda removal: removal.what))
    sizes = {kind: [removal.bytes for removal in removals if removal.what == kind] for kind in kinds}
    sizes["all"] = [removal.bytes for removal in removals]
    return [{"what": k, "number": len(s), "bytes": sum(s), "size": readable(sum(s))} for k, s in sizes.items()]


def right_now() -> float:
    """Seconds since 1970: the clock by which files have their ages."""
    return time.time()
