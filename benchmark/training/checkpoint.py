"""Checkpoints of a training stage under way: saved now and then, and gone when its result is stored.

A stage that was killed goes on from its last one with the same bits. It is one file, the SHA-256 of its content and the
content as safetensors, put in place in one step: there is a whole checkpoint, or none. A damaged one is told and taken
for none, which costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load, save

from prunemark.benchmark.training.snapshot import Place, Snapshot
from prunemark.records.outcome import EpochPoint, MeteredStage
from prunemark.records.writer import write_atomically
from prunemark.setups.errors import WorkFailed

FOLDER, SUFFIX = "checkpoints", ".checkpoint"
EVERY_EPOCHS, EVERY_SECONDS, WORTH_SECONDS = 10, 300.0, 30.0
ABOUT, LOSSES = "about", "losses"
DIGEST_BYTES = 32
PARTS = ("weights", "momentum", "generators")


@dataclass
class Checkpoint:
    """Where a stage's checkpoint lies, and how often it is saved: every k epochs, and every so many seconds.

    Seconds count within an epoch too, so a stage of long epochs loses no whole one.
    """

    path: Path
    start: Snapshot | None = None
    every_epochs: int = EVERY_EPOCHS
    every_seconds: float = EVERY_SECONDS
    clock: Callable[[], float] = time.monotonic
    _saved: tuple[int, float] = field(init=False)
    _begun: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun = self.clock()
        self._saved = (-1, self._begun)

    def keep(self, place: Place, snapshot: Callable[[], Snapshot]) -> None:
        """Saves it if it is time, and if the disk takes it."""
        epoch, at = self._saved
        if epoch < 0:
            self._saved = (epoch := place.epoch - (1 if place.step == 0 else 0), at)
        due = not place.step and place.epoch - epoch >= self.every_epochs
        if due or self.clock() - at >= self.every_seconds:
            self._save(snapshot)
            self._saved = (place.epoch, self.clock())

    def _save(self, snapshot: Callable[[], Snapshot]) -> None:
        with contextlib.suppress(WorkFailed):  # a stage that could end well does not end for want of a checkpoint
            write_atomically(self.path, to_bytes(snapshot()))

    def ended(self, snapshot: Callable[[], Snapshot]) -> None:
        """The training is over and more may follow before its result is stored: saved where it took long."""
        if self.clock() - self._begun >= WORTH_SECONDS:
            self._save(snapshot)

    def remove(self) -> None:
        """The stage's result is stored: nothing goes on from here any more."""
        with contextlib.suppress(OSError):
            self.path.unlink()


def checkpoint_of(root: Path, key: str, tell: Callable[[str], None]) -> Checkpoint:
    """The checkpoint of a stage in a store, by its key, with what it goes on from; `tell` hears of a damaged one."""
    path = root / FOLDER / f"{key}{SUFFIX}"
    start = None
    try:
        start = from_bytes(path.read_bytes())
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as problem:
        tell(f"the checkpoint {path} is damaged ({problem}): its stage starts anew")
    return Checkpoint(path, start)


def remove_those_of(root: Path, key: str) -> None:
    """All checkpoints of a stage with several trainings: see `part_of`."""
    for path in (root / FOLDER).glob(f"{key}-*{SUFFIX}"):
        with contextlib.suppress(OSError):
            path.unlink()


def part_of(key: str, *tensors: Mapping[str, torch.Tensor], words: object) -> str:
    """The key of one training of a stage: what it starts from, and how it is done."""
    digest = hashlib.sha256(json.dumps(words).encode())
    for each in tensors:
        digest.update(save({name: tensor.detach().cpu().contiguous() for name, tensor in sorted(each.items())}))
    return f"{key}-{digest.hexdigest()}"


def to_bytes(snapshot: Snapshot) -> bytes:
    """The file's content."""
    tensors = {
        f"{part}/{name}": tensor.contiguous()
        for part in PARTS
        for name, tensor in _part(snapshot, part).items()
    }  # fmt: skip
    if snapshot.losses:
        tensors[LOSSES] = torch.stack(list(snapshot.losses))
    about = {
        "place": asdict(snapshot.place), "reading": asdict(snapshot.reading),
        "points": [asdict(point) for point in snapshot.points],
    }  # fmt: skip
    content = save(tensors, {ABOUT: json.dumps(about, allow_nan=False)})
    return hashlib.sha256(content).digest() + content


def from_bytes(given: bytes) -> Snapshot:
    """The snapshot; the inverse of `to_bytes`. Raises ValueError for anything but what that wrote."""
    digest, content = given[:DIGEST_BYTES], given[DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("its bytes are not those that were written")
    length = int.from_bytes(content[:8], "little")
    about = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][ABOUT])
    found: dict[str, dict[str, torch.Tensor]] = {part: {} for part in PARTS}
    tensors = load(content)
    losses = tuple(tensors.pop(LOSSES, torch.empty(0)).unbind())
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        found[part][rest] = tensor
    reading = about["reading"]
    return Snapshot(
        Place(**about["place"]), found["weights"], found["momentum"], losses,
        tuple(EpochPoint(**point) for point in about["points"]),
        MeteredStage(**reading | {"lr": tuple(reading["lr"])}), found["generators"],
    )  # fmt: skip


def _part(snapshot: Snapshot, part: str) -> Mapping[str, torch.Tensor]:
    tensors: Mapping[str, torch.Tensor] = getattr(snapshot, part)
    return tensors
