"""`prunemark tracks new`: a track for a network and images of a user, with everything that a track has to state.

What it writes is a beginning: the layers and speed-ups are found, the recipe and the margin are rules of thumb that the
file says, to be changed before the first result. Nothing is trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from prunemark.benchmark.compression.budget_solver import CostModel, uniform_counts
from prunemark.benchmark.compression.prunable import kinds, propose, propose_blocks, weight_layers
from prunemark.benchmark.compression.steps import step_of
from prunemark.benchmark.compression.surgery import cost_model
from prunemark.benchmark.images.data import load_split
from prunemark.benchmark.networks.own_modules import is_kept
from prunemark.benchmark.networks.own_networks import check_own
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.run.check_track import LEAST_FILTERS, check_track, dense_trial
from prunemark.benchmark.run.doctor import CheckResult
from prunemark.benchmark.sandbox.child import ChildFailed, Limits, run_in_child
from prunemark.benchmark.sandbox.received import json_of
from prunemark.benchmark.sandbox.scratch import scratch_folder
from prunemark.benchmark.trial.base_model import prepare_data
from prunemark.benchmark.trial.keys import stage_keys
from prunemark.benchmark.trial.stages import write_json
from prunemark.benchmark.trial.store import Store
from prunemark.setups.errors import InputError
from prunemark.setups.own_parts import LIBRARIES, OwnParts, is_own_dataset, is_own_network
from prunemark.setups.recipe import Augmentation, Recipe
from prunemark.setups.schedule import LRSchedule, halving
from prunemark.setups.track import OF_FILTERS, Level, Track, parse_pattern

SECONDS = 60.0
FOUND = "found.json"
FILTER_RATIOS, WEIGHT_RATIOS = (0.5, 0.75), (0.8, 0.9, 0.95)
STEPS, LEAST_EPOCHS, MOST_EPOCHS = 2_000, 30, 120
"""A base model trains for so many steps, within so many epochs: enough to begin with on a CPU."""
TO_BE_COUNTED = 0
"""The classes of a draft."""
LARGEST_BATCH, LEAST_BATCH, STEPS_AN_EPOCH = 128, 16, 8
DISAGREEMENT = 0.1
"""The share of test images on which two networks of about equal accuracy disagree, for the margin's rule of thumb."""


@dataclass(frozen=True)
class NewTrack:
    """The track, what its file says beside it (a comment by field), and what a check of it found."""

    track: Track
    comments: dict[str, str]
    findings: list[CheckResult]


def draft(name: str, network: str, dataset: str, granularity: str, pattern: str | None, folder: str) -> Track:
    """A track of which all that has to be found out is still a placeholder. Raises InputError for no pattern."""
    schedule = LRSchedule("step", 3, ((0, 0.1),))
    recipe = Recipe(schedule)
    filters = granularity in OF_FILTERS
    own = OwnParts(folder) if is_own_network(network) or is_own_dataset(dataset) else None
    data, net = _plain(dataset), _plain(network)
    ratio = _removed(pattern) if pattern else 0.5
    return Track(
        name, 1, f"{data}, {net}, {granularity}s pruned", dataset, TO_BE_COUNTED, network, f"{data} x {net}",
        granularity,  # type: ignore[arg-type]
        ("unknown",), (Level(f"{100 * ratio:g}%", ratio, 1.5 if filters else None),), recipe, recipe, recipe,
        "L1-norm" if filters else "Magnitude", 1.0, pattern=pattern, own=own,
    )  # fmt: skip


def _removed(pattern: str) -> float:
    kept, of = parse_pattern(pattern)
    return 1 - kept / of


def _plain(name: str) -> str:
    """What a reader is told of a dataset or network: the name without its library, path, ending and size."""
    kind, _, rest = name.partition(":")
    known = rest if kind in (*LIBRARIES, "folder", "parquet") else kind
    return Path(known.partition("@")[0]).stem


def new_track(begun: Track, device: str, store: Store, streams: bool) -> NewTrack:
    """Fills in a draft. Raises InputError for images that cannot be read and a network that cannot be pruned."""
    trial = dense_trial(begun, device)
    folder = prepare_data(trial, stage_keys(trial), store)
    train, test = (load_split(begun.dataset, folder, part, torch.device("cpu")) for part in ("train", "test"))
    shape = train.shape
    track = replace(
        begun,
        classes=shape.classes,
        margin_pp=margin_pp(len(test)),
    )
    found = _found_in_child(track, shape, streams)
    track = replace(track, prunable=tuple(found["prunable"]), levels=tuple(Level(**each) for each in found["levels"]))
    recipe, short, again = starting_recipes(len(train), shape, found["norm"], from_files=train.files is not None)
    track = replace(track, pretraining=recipe, pruning=short, retraining=again)
    return NewTrack(track, _comments(track, len(test), found), check_track(track, device, store))


def _found_in_child(track: Track, shape: ImageShape, streams: bool) -> dict[str, Any]:
    """What the network allows, found out in a child: code of a library or a user may do anything, and take forever."""
    with scratch_folder() as scratch:
        try:
            limits = Limits(SECONDS, memory_bytes=32 * 2**30)
            run_in_child(_find, track, shape, streams, scratch, scratch=scratch, limits=limits)
            found: dict[str, Any] = json_of(scratch, FOUND)
        except ChildFailed as failure:
            raise InputError(f"network {track.network_id} cannot be tried for pruning: {failure.evidence}") from None
    if "refused" in found:
        raise InputError(str(found["refused"]))
    return found


def _find(track: Track, shape: ImageShape, streams: bool, out: Path) -> None:
    try:
        found = _allowed(track, shape, streams)
    except InputError as problem:
        found = {"refused": str(problem)}
    write_json(out / FOUND, found)


def _allowed(track: Track, shape: ImageShape, streams: bool) -> dict[str, Any]:
    if is_kept(track.network):
        check_own(lambda seed: build_network(track.network, shape, seed), shape)
    model = build_network(track.network, shape, 0)
    filters = track.of_filters
    names = _of_filters(model, track, shape, streams) if filters else weight_layers(model, shape, track.n_of_m)
    found: dict[str, Any] = {"prunable": names, "norm": _norm(model)}
    if filters:
        cost = cost_model(model, replace(track, prunable=names), shape)
        most = cost.dense_macs / cost.macs({name: cost.least * step_of(name, cost.steps) for name in cost.sizes})
        return found | {"levels": [each.as_dict() for each in filter_levels(cost)], "most": most}
    ratios = [_removed(track.pattern)] if track.pattern else WEIGHT_RATIOS
    return found | {"levels": [Level(f"{100 * ratio:g}%", ratio).as_dict() for ratio in ratios]}


def _of_filters(model: nn.Module, track: Track, shape: ImageShape, streams: bool) -> tuple[str, ...]:
    wanted = track.granularity
    if wanted == "filter":
        return propose(model, shape, streams=streams)
    if wanted == "block":
        return propose_blocks(model, shape)
    of_kind = kinds(model, propose(model, shape, streams=True), shape)
    found = tuple(name for name, kind in of_kind.items() if kind == wanted)
    if not found:
        raise InputError(f"network {track.network_id} has no {wanted}s that can be pruned. Try --granularity filter")
    return found


def _norm(model: nn.Module) -> str:
    """Which kind of norm a recipe has to reckon with: layer, batch or none."""
    if any(isinstance(module, nn.LayerNorm) for module in model.modules()):
        return "layer"
    kinds = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.InstanceNorm2d)
    return "batch" if any(isinstance(module, kinds) for module in model.modules()) else "none"


def filter_levels(cost: CostModel) -> list[Level]:
    """Half and three quarters of the filters of every layer, where enough stay to be ranked; at least the half."""
    found: list[Level] = []
    before: dict[str, int] = {}
    for ratio in FILTER_RATIOS:
        counts = uniform_counts(cost.sizes, ratio, None, cost.steps, cost.least)
        alike = found and counts == before  # coarse steps, such as three heads
        before = counts
        if not found or (min(counts.values()) >= LEAST_FILTERS * cost.least and not alike):
            found.append(Level(f"{100 * ratio:g}%", ratio, round(cost.dense_macs / cost.macs(counts), 3)))
    return found


def starting_recipes(
    images: int, shape: ImageShape, norm: str, *, from_files: bool = False
) -> tuple[Recipe, Recipe, Recipe]:
    """Pretraining, the pruning stage and retraining to begin with, for so many training images.

    SGD with momentum by the paper's Rule 2, its LR in proportion to the batch (Goyal et al. 2017), a tenth of it for a
    network without norms; AdamW for one with layer norms, where SGD does badly.
    """
    batch = LARGEST_BATCH
    while batch > LEAST_BATCH and images < batch * STEPS_AN_EPOCH:
        batch //= 2
    epochs = math.ceil(STEPS / max(images // batch, 1) / 10) * 10
    epochs = min(max(epochs, LEAST_EPOCHS), MOST_EPOCHS)
    adam = norm == "layer"
    initial = 1e-3 if adam else {"batch": 0.1, "none": 0.01}[norm] * batch / LARGEST_BATCH
    small = shape.channels != 3 or min(shape.height, shape.width) < 16
    augmentation: Augmentation = "resized-crop" if from_files else "none" if small else "crop-flip"
    recipe = Recipe(
        halving(initial, initial / 100, epochs), batch, optimiser="AdamW" if adam else "SGD",
        weight_decay=0.05 if adam else 5e-4, augmentation=augmentation,
    )  # fmt: skip
    short = replace(recipe, lr=halving(initial / 10, initial / 10, max(3, epochs // 10)))
    return recipe, short, replace(recipe, lr=halving(initial, initial / 100, max(10, epochs // 3)))


def margin_pp(test_images: int) -> float:
    """1 pp, or what so few test images can tell apart at all: the standard error of a difference on them."""
    return max(1.0, math.ceil(2 * 100 * math.sqrt(DISAGREEMENT / test_images)) / 2)


def _comments(track: Track, test_images: int, found: dict[str, Any]) -> dict[str, str]:
    """What stands beside the fields in the file."""
    counted, most = f"{len(track.prunable)} layers", found.get("most", 0.0)
    comments = {
        "": "Written by `prunemark tracks new`. Change what you like before the first result, and nothing after it:\n"
        "then make it version 2.",
        "margin_pp": f"the largest difference that counts as none, in points; {test_images:,} test images",
        "pretraining": "a recipe to start from: train until the dense network no longer gains (`prunemark tracks\n"
        "measure` says so)",
    }
    if track.granularity == "block":
        comments["levels"] = (
            "the speed-up in MACs that removing the ratio of the blocks of every stage gives; all of them gone would\n"
            f"give {most:.2f}x"
        )
        comments["prunable"] = f"{len(track.prunable)} stages, by their first block: whole blocks can be taken out"
    elif track.of_filters:
        comments["levels"] = (
            "the speed-up in MACs that removing the ratio of every prunable layer gives; one filter left in each\n"
            f"would give {most:.2f}x"
        )
        comments["prunable"] = f"{counted} whose filters can be removed: tried on copies of the network"
    else:
        comments["prunable"] = f"{counted}: all but the first and the last that run"
    return comments
