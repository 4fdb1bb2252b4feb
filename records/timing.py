"""A timing: what forward passes of one architecture took in a quiet pass, next to the records and never part of one.

The cost of a pass depends on the architecture and not on its weights, so all records of one architecture share a
timing. `HOME/timings/<key>.json` (of a board: `timings/` next to `records/`) holds the seconds themselves, block by
block; what they say, and whether they can be trusted, is worked out from them in `speed.py` whenever it is asked for.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from prunemark.records.admission import Refused
from prunemark.records.outcome import Compression, Outcome
from prunemark.records.part import RecordPart
from prunemark.records.record import canonical_json
from prunemark.records.speed import Blocks
from prunemark.records.writer import write_atomically
from prunemark.setups.bounded_files import read_bounded
from prunemark.setups.errors import InputError
from prunemark.setups.track_files import released_tracks

FOLDER, SCHEMA = "timings", "prunemark-timing/1"
LARGEST = 2**20  # bytes of a timing that are read; they have some 5 kB
OWN_IMAGES = "own:"
"""Before the size of a user's own images, as own:3x32x32: an architecture's cost depends on that."""
BACKENDS = {"eager": "eager", "compile": "torch.compile", "onnx": "ONNX Runtime", "2to4": "2:4 kernels"}
"""What runs the network, by the word of `--backend`, and its name."""


@dataclass(frozen=True)
class Architecture(RecordPart):
    """All that a forward pass costs: the network, its images, and how many filters are left in layers that lost some.

    A network of masked weights has the architecture of the dense one: it computes as much.
    """

    network: str
    dataset: str
    classes: int
    filters_kept: dict[str, int]

    @cached_property
    def key(self) -> str:
        """The name of this architecture."""
        return _sha256(self)


def architecture_of(outcome: Outcome) -> Architecture | None:
    """The architecture of a trial's final model; None where it has none, or its track does not say the classes."""
    terms, known = outcome.track_terms, released_tracks().get(outcome.track)
    classes = terms.get("classes", known.classes if known else None)
    if outcome.compression is None or not isinstance(classes, int):
        return None
    network, dataset = str(terms["network"]), str(terms["dataset"])
    if isinstance(own := terms.get("own"), dict):  # by all of its hash, and by the size of its images
        if sha256 := own.get("network_sha256"):
            network = f"{network.partition('@')[0]}@{sha256}"
        if isinstance(shape := own.get("shape"), list):
            dataset = OWN_IMAGES + "x".join(map(str, shape))
    return Architecture(network, dataset, classes, filters_kept(outcome.compression))


def filters_kept(compression: Compression) -> dict[str, int]:
    """Of each layer that lost filters; a network of masked weights keeps all of its own."""
    if compression.target_sparsity is not None:
        return {}
    return {name: kept for name, kept in compression.kept.items() if kept < compression.total[name]}


@dataclass(frozen=True)
class Conditions(RecordPart):
    """Where passes ran. Only timings under the same conditions are compared."""

    device: str
    hardware: str
    threads: int
    versions: dict[str, str]

    @property
    def text(self) -> str:
        """One text for one value."""
        return canonical_json(self)


@dataclass(frozen=True)
class Timing(RecordPart):
    """One quiet pass: an architecture and its dense network in turns, on one backend, with one size of batch.

    `backend` is one of BACKENDS. `passes_a_visit` is how many forward passes each number in `blocks` is the median of.
    """

    architecture: Architecture
    backend: str
    batch_size: int
    conditions: Conditions
    measured_at: str
    passes_a_visit: int
    blocks: Blocks
    schema: str = SCHEMA

    @property
    def key(self) -> str:
        """What the file is named by: all that is held fixed. The same key measured anew takes the file's place."""
        return timing_key(self.architecture, self.backend, self.batch_size, self.conditions)


def timing_key(architecture: Architecture, backend: str, batch_size: int, conditions: Conditions) -> str:
    """The key of a timing, known before it is measured."""
    fixed = {"architecture": architecture, "backend": backend, "batch_size": batch_size, "conditions": conditions}
    return _sha256(fixed)


def timings_folder(records: Path) -> Path:
    """Where the timings of a folder of records lie: next to a folder that is called records, else inside."""
    return (records.parent if records.name == "records" else records) / FOLDER


def write_timing(timing: Timing, folder: Path) -> Path:
    """Writes a timing into the folder, in place of one with the same key. Raises WorkFailed when the disk refuses."""
    return write_atomically(folder / f"{timing.key}.json", canonical_json(timing) + "\n")


def read_timings(folder: Path) -> tuple[tuple[Timing, ...], tuple[Refused, ...]]:
    """The timings of a folder in the order of their keys, and what is not one; () for a folder that is not there."""
    paths = sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))
    if not paths:
        return (), ()
    import pydantic

    reader = pydantic.TypeAdapter(Timing)
    found: list[Timing] = []
    wrong: list[Refused] = []
    for path in paths:
        try:
            timing = reader.validate_json(read_bounded(path, LARGEST), strict=True)
        except (InputError, ValueError):
            wrong.append(Refused(f"{FOLDER}/{path.name}", "is not a timing that this Prunemark can read"))
            continue
        why = _why_refused(timing, path.stem)
        if why:
            wrong.append(Refused(f"{FOLDER}/{path.name}", why))
        else:
            found.append(timing)
    return tuple(found), tuple(wrong)


def _why_refused(timing: Timing, name: str) -> str:
    if timing.schema != SCHEMA or timing.backend not in BACKENDS:
        return "is of a schema or a backend that this Prunemark does not know: update it"
    if timing.key != name:
        return "does not have the key that its name promises: it was edited or renamed"
    return timing.blocks.why_unusable


def _sha256(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
