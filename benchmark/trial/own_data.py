"""A user's own images, read once in a confined child and kept in the store under the hash of what came out.

The child runs the user's `load`, or opens the user's file; it reads the installed packages, the folder of the track's
file (nothing hidden in it) and the folder of --data. What it reads from there is not known beforehand, so the reading
is done again when a file there is new or changed; results follow the images themselves, and stay if these do.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from prunemark.benchmark.images.data import load_split, prepare
from prunemark.benchmark.images.own_datasets import from_arrays, from_function, from_parquet
from prunemark.benchmark.images.own_splits import write_splits
from prunemark.benchmark.images.sources import VARIABLE
from prunemark.benchmark.networks.own_modules import own_function
from prunemark.benchmark.sandbox.barriers import put_up_barriers
from prunemark.benchmark.sandbox.child import ChildFailed, Limits, run_in_child
from prunemark.benchmark.sandbox.confinement import Confinement, isolation_of
from prunemark.benchmark.sandbox.machine import trouble
from prunemark.benchmark.sandbox.received import NotReadable, json_of
from prunemark.benchmark.sandbox.scratch import scratch_folder
from prunemark.benchmark.trial.environment import environment
from prunemark.benchmark.trial.keys import SPLITS, own_data_key
from prunemark.benchmark.trial.own_code import kept_in, locate_function
from prunemark.benchmark.trial.stages import folder_sha256
from prunemark.benchmark.trial.store import Store, key_of
from prunemark.benchmark.trial.versions import versions
from prunemark.setups.errors import InputError, WorkFailed
from prunemark.setups.own_parts import OwnParts, arrays_of, function_of, parquet_of
from prunemark.setups.track import Track

SAID, READ, OUT = "said.json", "read.json", "out"
SECONDS, MEMORY_BYTES, FILES_BYTES = 3600.0, 64 << 30, 64 << 30
NOT_DATA = (".py", ".pyc", ".toml", ".md", ".ipynb", ".log")
MOST_RULES = 2_000


@dataclass(frozen=True)
class Reading:
    """What the child reads: the kept function, or a file or folder; `track` has the classes, `data` is --data or ''."""

    track: Track
    function: str | None
    place: Path | None
    data: str


def with_images(track: Track, store: Store, isolation: str = "") -> tuple[Track, tuple[str, ...]]:
    """The track with hash, shape, mean and deviation of its own images, which the store then has; and notes on them.

    Raises InputError for images that cannot be a track's, WorkFailed where the machine cannot do it.
    """
    reading = _located(track, store)
    key = _reading_key(reading, store)
    with store.lock(key):
        folder = store.read(key, READ)
        about = json.loads((folder / READ).read_text()) if folder else None
        if about is None or not store.read(own_data_key(about["sha256"]), *SPLITS):
            about = _read(reading, store, isolation)
            if folder is None:
                with store.writing(key) as draft:
                    (draft / READ).write_text(json.dumps(about))
    own = replace(
        track.own or OwnParts(), dataset_sha256=about["sha256"], shape=tuple(about["shape"]), mean=tuple(about["mean"]),
        sd=tuple(about["sd"]),
    )  # fmt: skip
    return replace(track, own=own), tuple(about["notes"])


def prepared(track: Track, store: Store, folder: Path) -> Path:
    """Where the splits lie: own ones in the store, others written into the folder, which is made."""
    if track.own and track.own.dataset_sha256:
        return store.path(own_data_key(track.own.dataset_sha256))
    folder.mkdir()
    prepare(track.dataset, folder)
    return folder


def images_again(track: Track, store: Store) -> None:
    """Reads them again where the store lost them. Raises InputError where others come out."""
    found, _ = with_images(track, store)
    if found.dataset_id != track.dataset_id:
        raise InputError(f"the images of {track.id} ({track.dataset}) have changed since this run began. Run it again")


def _located(track: Track, store: Store) -> Reading:
    folder, data = track.own.folder if track.own else "", os.environ.get(VARIABLE, "")
    if function_of(track.dataset):
        found = locate_function(track.dataset, folder, "dataset")
        return Reading(track, kept_in(store, found, "dataset"), None, data)
    place = arrays_of(track.dataset) or (parquet_of(track.dataset) or ("",))[0]
    tried = [Path(folder, place)] + ([Path(data, place)] if data else [])
    for path in tried:
        if path.exists():
            return Reading(track, None, path.resolve(), data)
    raise InputError(f"dataset {track.dataset}: there is no {' and no '.join(str(path) for path in tried)}")


def _reading_key(reading: Reading, store: Store) -> str:
    """Names what is read by the code or the file, and by size and time of change of all files that it may read."""
    track, files = reading.track, {}
    for folder in _folders(reading):
        for path in _data_files(folder, store.root.parent):
            about = path.stat()
            files[str(path)] = [about.st_size, about.st_mtime_ns]
    code = Path(reading.function.rpartition(":")[0]).parent.name if reading.function else None
    return key_of("own data", {
        "dataset": track.dataset, "code": code, "files": files, "classes": track.classes,
        "environment": environment(), "versions": versions("data"),
    })  # fmt: skip


def _folders(reading: Reading) -> list[Path]:
    """What may be read: a file or folder that is named; by a function, the track's folder and that of --data."""
    if reading.place:
        return [reading.place]
    given = [reading.track.own.folder if reading.track.own else "", reading.data]
    return [Path(folder).resolve() for folder in given if folder]


def _data_files(folder: Path, home: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not _is_no_data(Path(place, f), home))
        yield from (Path(place, n) for n in sorted(names) if n[0] != "." and Path(n).suffix not in NOT_DATA)


def _is_no_data(folder: Path, home: Path) -> bool:
    """Hidden folders, caches of Python, and homes: this one and others, which change with every run."""
    is_home = folder == home or ((folder / "store").is_dir() and (folder / "records").is_dir())
    return folder.name[0] == "." or folder.name == "__pycache__" or is_home


def _readable(reading: Reading) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Files and folders that are read, and folders that are only listed: nothing hidden (keys, settings) is read."""
    if reading.place:
        return (reading.place,), ()
    assert reading.function is not None
    code = Path(reading.function.rpartition(":")[0])
    own = reading.track.own.folder if reading.track.own else ""
    listed = [Path(own).resolve()] if own else []
    entries = [entry for folder in listed for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
    data = [Path(reading.data).resolve()] if reading.data else []
    if len(entries) > MOST_RULES:
        raise InputError(f"{listed[0]} has more than {MOST_RULES} entries: put the images into a folder below it")
    return (code, *data, *entries), tuple(listed)


def _read(reading: Reading, store: Store, isolation: str) -> dict[str, Any]:
    readable, listed = _readable(reading)
    confinement = Confinement(
        isolation_of(isolation), readable, file_bytes=FILES_BYTES, memory_bytes=MEMORY_BYTES, cpu_seconds=2 * SECONDS,
        listed=listed,
    )  # fmt: skip
    limits = Limits(SECONDS, MEMORY_BYTES, FILES_BYTES)
    what = f"dataset {reading.track.dataset}"
    with scratch_folder() as scratch:
        (scratch / OUT).mkdir()
        try:
            run_in_child(_carry_out, reading, scratch, scratch=scratch, limits=limits, confinement=confinement)
            about = json_of(scratch, SAID)
            if about.get("wrong"):
                raise InputError(f"{what}: {about['wrong']}")
            return _kept(reading, about, scratch / OUT, store)
        except ChildFailed as failure:
            if failure.doubtful and (why := trouble((scratch,), 0, 0)):
                raise WorkFailed(f"{what} was not read: {why}. ({failure.evidence})") from None
            raise InputError(f"{what} cannot be read: {failure.evidence}") from None
        except (NotReadable, KeyError, TypeError, ValueError, AttributeError) as problem:
            raise InputError(f"{what}: its process left no splits that can be read: {problem}") from None


def _carry_out(reading: Reading, out: Path) -> None:
    """Leaves the splits and what was measured of them, or what is wrong in words; for child processes."""
    put_up_barriers()
    try:
        parts, layout = _parts(reading)
        measured = write_splits(parts, layout, reading.track.classes, out / OUT)
        said: dict[str, Any] = {"shape": measured.shape, "mean": measured.mean, "sd": measured.sd}
        said["notes"] = measured.notes
    except InputError as problem:
        said = {"wrong": str(problem)}
    (out / SAID).write_text(json.dumps(said))


def _parts(reading: Reading) -> tuple[Mapping[str, tuple[Any, Any]], str | None]:
    if reading.function:
        from prunemark.benchmark.networks.own_networks import in_words

        name = reading.function.rpartition(":")[2]
        torch.manual_seed(0)
        with in_words(name):
            modules, load = own_function(reading.function)
            if not callable(load):
                raise InputError(f"{name} is a {type(load).__name__}, no function")
            with modules.found(), contextlib.chdir((reading.track.own and reading.track.own.folder) or "."):
                if reading.data:
                    os.environ[VARIABLE] = reading.data
                return from_function(load, name)  # relative paths start where the track's file lies
    assert reading.place is not None
    if arrays_of(reading.track.dataset):
        return from_arrays(reading.place)
    found = parquet_of(reading.track.dataset)
    return from_parquet(reading.place, found[1] if found else None)


def _kept(reading: Reading, about: dict[str, Any], made: Path, store: Store) -> dict[str, Any]:
    """Keeps the splits under the hash of their content. Reads them as every later stage does: they are a stranger's."""
    shapes = set()
    for split in ("train", "validation", "test"):
        images = load_split(reading.track.dataset, made, split, torch.device("cpu"))
        shapes.add((images.shape.channels, images.shape.height, images.shape.width))
        if (
            not len(images)
            or images.classes != (reading.track.classes or images.classes)
            or len(images.images) != len(images.labels)
        ):
            raise NotReadable(f"{split} is not what was agreed")
    if shapes != {tuple(about["shape"])}:
        raise NotReadable("its images have several sizes")
    sha256 = folder_sha256(made)
    key = own_data_key(sha256)
    if not store.read(key, *SPLITS):
        with store.writing(key) as draft:
            for name in SPLITS:
                shutil.copyfile(made / name, draft / name)
    floats = {name: [float(value) for value in about[name]] for name in ("mean", "sd")}
    return {"sha256": sha256, "shape": [int(side) for side in about["shape"]], **floats,
            "notes": [str(note)[:300] for note in about["notes"]][:20]}  # fmt: skip
