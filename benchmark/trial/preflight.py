"""Before anything trains: can the track's network be built for its images, its layers be pruned, its levels be met?"""

from __future__ import annotations

import json
from pathlib import Path

from prunemark.benchmark.compression import surgery
from prunemark.benchmark.compression.dependency_graph import check_own_weights
from prunemark.benchmark.compression.properties import check_costs
from prunemark.benchmark.compression.prunable import check_kinds, check_prunable
from prunemark.benchmark.compression.reachable import least_filters
from prunemark.benchmark.networks.own_modules import is_kept
from prunemark.benchmark.networks.own_networks import check_own
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.sandbox.child import ChildFailed, Limits, run_in_child
from prunemark.benchmark.sandbox.machine import trouble
from prunemark.benchmark.sandbox.received import json_of
from prunemark.benchmark.sandbox.scratch import scratch_folder
from prunemark.benchmark.trial.environment import environment, libraries
from prunemark.benchmark.trial.store import Store, key_of
from prunemark.benchmark.trial.trial import Trial
from prunemark.benchmark.trial.versions import versions
from prunemark.setups.errors import InputError, WorkFailed
from prunemark.setups.track import Track

SECONDS = 60.0
CHECK = 7
"""Raise it when more is checked than before: networks that passed are then looked at again."""
SAID, FOUND = "said.json", "found.json"


def check_network(trial: Trial, store: Store, shape: ImageShape) -> None:
    """Raises InputError, with the layer's name, for a network that no trial of this track could prune.

    Done once a store for each network, image size and list of layers, in a child process: a library's code may do
    anything and take forever, so it gets a minute; and a backward pass, on a machine with a GPU, has autograd take
    that up, after which this process could not fork a pruning stage that uses it.
    """
    track = trial.track
    if track.classes != shape.classes:
        raise InputError(f"track {track.id} states {track.classes} classes; the images have {shape.classes}")
    key = key_of("network", {
        "network": track.network_id, "layers": track.prunable, "granularity": track.granularity,
        "pattern": track.pattern, "levels": [level.as_dict() for level in track.levels], "tolerance": track.tolerance,
        "shape": [shape.channels, shape.height, shape.width, shape.classes],
        "environment": environment() | libraries(track.network) | dict(track.own.packages if track.own else ()),
        "versions": versions("network"), "check": CHECK,
    })  # fmt: skip
    with store.lock(key):
        if store.read(key):
            return
        _check_in_child(track, shape)
        with store.writing(key) as draft:
            (draft / FOUND).write_text(json.dumps({"prunable": track.prunable}))


def _check(track: Track, shape: ImageShape) -> None:
    if is_kept(track.network):
        check_own(lambda seed: build_network(track.network, shape, seed), shape)
    model = build_network(track.network, shape, 0)
    if track.of_filters:
        check_prunable(model, track.prunable, shape)
        check_costs(model, track, shape)
        check_kinds(model, track, shape)
        least_filters(model, track, shape)
    else:
        check_own_weights(model)
        surgery.prunable_groups(model, track, shape)


def _check_in_child(track: Track, shape: ImageShape) -> None:
    with scratch_folder() as scratch:
        try:
            run_in_child(_say, track, shape, scratch, scratch=scratch, limits=Limits(SECONDS, memory_bytes=32 * 2**30))
            said = json_of(scratch, SAID)
        except ChildFailed as failure:
            if why := trouble((scratch,), 0, 0):
                raise WorkFailed(f"network {track.network_id} was not checked: {why}. ({failure.evidence})") from None
            raise InputError(
                f"network {track.network_id} cannot be checked for pruning: {failure.evidence}.\n"
                f"Its layers in question: {', '.join(track.prunable[:5])}{', ...' if len(track.prunable) > 5 else ''}"
            ) from None
    if said:
        raise InputError(said)


def _say(track: Track, shape: ImageShape, out: Path) -> None:
    """Leaves what is wrong in words, or nothing; for child processes."""
    try:
        _check(track, shape)
        words = ""
    except InputError as problem:
        words = str(problem)
    (out / SAID).write_text(json.dumps(words))
