"""How many trials fit on a GPU at once, by what the first of each kind was seen to take.

The first trial of a kind has a GPU to itself, and the growth of the memory in use there is noted in the home: its
processes, their CUDA contexts and what torch reserves, all together. Later ones start wherever that much is free, with
a margin. Memory is read by `nvidia-smi`, because the process that starts trials must not use CUDA itself.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.trial.store import key_of
from prunemark.benchmark.trial.trial import Trial
from prunemark.records.writer import write_atomically
from prunemark.setups.errors import InputError
from prunemark.setups.track import WORDS

FOLDER = "gpu-memory"
"""Of a home: one small file for each kind of trial and of GPU."""
MARGIN = 0.1
"""Of a GPU's memory: left free, for what grows between two looks and for what fragments."""
LOOK_SECONDS, LEAST_LOOKS, SLOW_SECONDS = 1.0, 3, 20.0
MIB = 2**20


@dataclass(frozen=True)
class Card:
    """A GPU as it is now: its kind, and bytes."""

    name: str
    used_bytes: int
    total_bytes: int


def card_of(device: str) -> Card:
    """The GPU of this number or UUID. Raises InputError where its memory cannot be read."""
    command = ["nvidia-smi", "-i", device, "--query-gpu=name,memory.used,memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SLOW_SECONDS).stdout
        name, used, total = said.strip().rsplit(",", 2)
        return Card(name.strip(), int(used) * MIB, int(total) * MIB)
    except (OSError, ValueError, subprocess.SubprocessError) as problem:
        raise InputError(
            f"--workers auto reads the memory of GPU {device} by nvidia-smi, which failed ({type(problem).__name__}).\n"
            "Say how many trials share a GPU: --workers 4"
        ) from None


@dataclass
class _Alone:
    """A job that is being measured: what was used before it, the most since, and how often was looked."""

    path: Path
    before: int
    peak: int = 0
    looks: int = 0


@dataclass
class GpuRoom:
    """Gives jobs a GPU on which they fit. `folder` is a home's; `look` reads a GPU's memory."""

    devices: tuple[str, ...]
    folder: Path
    look: Callable[[str], Card] = card_of
    _running: dict[str, dict[str, int]] = field(default_factory=dict)
    _alone: dict[str, _Alone] = field(default_factory=dict)
    _before: dict[str, int] = field(default_factory=dict)

    @property
    def measuring(self) -> bool:
        """Whether a job is being measured: `note` has to be called every `LOOK_SECONDS`."""
        return bool(self._alone)

    def place(self, job: Job) -> str | None:
        """The GPU on which a job starts now; None where it has to wait. Each job is placed once, and then `ended`."""
        for device in sorted(self.devices, key=lambda name: len(self._running.get(name, ()))):
            running = self._running.setdefault(device, {})
            if any(id in self._alone for id in running):
                continue
            card = self.look(device)
            path = self._file(job, card)
            needed = _noted(path) if path else 0
            if not running:
                self._before[device] = card.used_bytes
                if needed is None and path:
                    self._alone[job.id] = _Alone(path, card.used_bytes)
            elif needed is None or needed > self._free(device, card):
                continue
            running[job.id] = needed or 0
            return device
        return None

    def _free(self, device: str, card: Card) -> float:
        """Of jobs that have just begun, what they will take counts, not what they have taken."""
        taken = self._before[device] + sum(self._running[device].values())
        return (1 - MARGIN) * card.total_bytes - max(card.used_bytes, taken)

    def note(self) -> None:
        """Looks at the GPUs where a job is being measured."""
        for device, running in self._running.items():
            for alone in (self._alone[id] for id in running if id in self._alone):
                alone.peak = max(alone.peak, self.look(device).used_bytes - alone.before)
                alone.looks += 1

    def ended(self, job: Job, well: bool) -> None:
        """Frees its room; what it took is noted, if it ended well and ran long enough to be seen."""
        for running in self._running.values():
            running.pop(job.id, None)
        alone = self._alone.pop(job.id, None)
        if alone and well and alone.looks >= LEAST_LOOKS and alone.peak > 0:
            write_atomically(alone.path, json.dumps({"bytes": alone.peak, "job": job.id.partition(": ")[2] or job.id}))

    def _file(self, job: Job, card: Card) -> Path | None:
        """Where the memory of this kind of job is noted; None for one that is no trial's, or trains nothing."""
        trial = next((argument for argument in job.arguments if isinstance(argument, Trial)), None)
        if trial is None or job.call.endswith(":prepare_job"):
            return None
        track, entrant = trial.track, trial.entrant
        stated = {name: value for name, value in track.as_dict().items() if name not in WORDS}
        source = entrant.source.code_sha256 if entrant.source else ""
        kind = {
            "gpu": card.name, "call": job.call, "track": stated, "setup": trial.setup.id,
            "level": trial.level.as_dict(), "method": entrant.name, "source": source,
            "settings": dict(entrant.settings),
        }  # fmt: skip
        base = {name: kind[name] for name in ("gpu", "call", "track")}  # a base model is the same for all
        return self.folder / f"{key_of(FOLDER, base if job.call.endswith(':pretrain_job') else kind)}.json"


def _noted(path: Path) -> int | None:
    """Bytes; None where nothing is noted, or nothing that can be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads(path.read_text())["bytes"]
        return noted if isinstance(noted, int) and noted > 0 else None
    return None
