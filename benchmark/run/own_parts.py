"""Binding a track's own parts: its network's code is found, hashed and kept, its images are read once, both are tried.

It is done before a plan is made, since every key holds what these parts are. From then on a track carries its network
as the store keeps it, so a file that is edited meanwhile changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from prunemark.benchmark.run.drive import Event, Executor
from prunemark.benchmark.run.jobs import WORKER, Job, confined_for
from prunemark.benchmark.trial.own_code import kept_in, locate_function
from prunemark.benchmark.trial.store import Store
from prunemark.setups.errors import InputError
from prunemark.setups.own_parts import OwnParts, is_own_dataset, is_own_network
from prunemark.setups.track import RECIPES, Track


def bound(
    track: Track, store: Store, executor: Executor, device: str = "cpu", isolation: str = "", *, tried: bool = True
) -> Track:
    """The track with its own parts looked at; one without own parts as it is. Nothing of them runs in this process.

    Not `tried` is the network of a track whose prunable layers are still to be found.

    Raises InputError, in one or two lines, for a network or images that no trial could use.
    """
    if not is_own_network(track.network) and not is_own_dataset(track.dataset):
        return track
    with_code = with_network(track, store)
    confined_for(with_code, isolation, device, store.root)
    jobs = Job("the track's images", f"{WORKER}:own_data_job", (with_code, store.root, isolation))
    found = _done(jobs, executor) if is_own_dataset(track.dataset) else (with_code.own, ())
    own, notes = found
    complete = replace(with_code, own=own)
    _check_augmentation(complete)
    for note in notes:
        store.tell(f"dataset {track.dataset}: {note}")
    if tried and is_own_network(track.network):
        confined = confined_for(complete, isolation, device, store.root)
        check = Job(
            "the track's network", f"{WORKER}:own_network_job", (complete, device, store.root), confined=confined
        )
        _done(check, executor)
    return complete


def _check_augmentation(track: Track) -> None:
    """Raises InputError where recipes would move a signal up and down out of its only row."""
    shape = track.own.shape if track.own else None
    moved = [name for name in RECIPES if getattr(track, name).augmentation != "none"]
    if shape is not None and shape[1] == 1 and moved:
        raise InputError(
            f"dataset {track.dataset} has signals, of height 1, and {moved[0]} moves images up and down.\n"
            'Leave augmentation out, or state augmentation = "none"'
        )


def with_network(track: Track, store: Store) -> Track:
    """The track with its own network as the store keeps it. Raises InputError where it is not found."""
    own = track.own or OwnParts()
    if not is_own_network(track.network):
        return replace(track, own=own)
    found = locate_function(track.network, own.folder or str(Path.cwd()), "network")
    own = replace(own, network_sha256=found.sha256, packages=found.packages)
    return replace(track, network=kept_in(store, found, "network"), own=own)


def _done(job: Job, executor: Executor) -> tuple[OwnParts | None, tuple[str, ...]]:
    heard: list[tuple[OwnParts | None, tuple[str, ...]]] = []

    def listen(event: Event) -> None:
        if event.kind == "done":
            heard.append(event.value or (None, ()))

    executor.run([job], listen)
    return heard[0]
