"""`prunemark tracks check`: all that could be refused later, found out in seconds, before anything trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch
from torch.nn import functional as F

from prunemark.benchmark.compression import surgery
from prunemark.benchmark.compression.budget_solver import CostModel, TargetMissed, choose_filters
from prunemark.benchmark.images.data import Images, load_split, pick_device
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.run.doctor import CheckResult
from prunemark.benchmark.training.loop import placed, steps_per_epoch
from prunemark.benchmark.trial.base_model import prepare_data
from prunemark.benchmark.trial.keys import stage_keys
from prunemark.benchmark.trial.preflight import check_network
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.setups.budget import budget_for
from prunemark.setups.comparison import SETUPS
from prunemark.setups.errors import InputError
from prunemark.setups.track import DENSE_LEVEL, Level, Track

DENSE = Entrant("Dense", "dense", "reference", None, ())
SETUP = "S3.2"
MEASURED_STEPS, LEAST_FILTERS = 3, 4  # with fewer a level is not for ranking: leaderboard/standings/levels.py


def check_track(track: Track, device: str, store: Store) -> list[CheckResult]:
    """What was found, in the order in which a run would meet it; the last one is 'broken' where it would end.

    Not covered: whether methods can be told apart on it, which `tracks measure` measures.
    """
    found: list[CheckResult] = []
    try:
        found.extend(_findings(track, device, store))
    except InputError as problem:
        found.append(CheckResult(_next(found), "broken", str(problem.args[0]), "correct the track's file"))
    return found


PARTS = ("data", "network", "levels", "a step")


def _next(found: list[CheckResult]) -> str:
    done = {each.what for each in found}
    return next((part for part in PARTS if part not in done), "the track")


def _findings(track: Track, device: str, store: Store) -> Iterator[CheckResult]:
    trial = Trial(
        track, DENSE_LEVEL, SETUPS[SETUP], 0, DENSE, budget_for(track, SETUPS[SETUP], DENSE_LEVEL, "dense"), device,
        track.pruning_seconds_limit,
    )  # fmt: skip
    folder = prepare_data(trial, stage_keys(trial), store)
    train = load_split(track.dataset, folder, "train", pick_device(device))
    sizes = [len(load_split(track.dataset, folder, part, torch.device("cpu"))) for part in ("validation", "test")]
    shape = train.shape
    yield CheckResult(
        "data", "fine",
        f"{len(train):,} images to train, {sizes[0]:,} to validate, {sizes[1]:,} to test; "
        f"{shape.channels} x {shape.height} x {shape.width}, {shape.classes} classes",
    )  # fmt: skip
    check_network(trial, store, shape)
    count = len(track.prunable)
    yield CheckResult("network", "fine", f"{track.network}: {count} layer{'s' * (count > 1)} can be pruned")
    yield _levels(track, train)
    yield _step(track, train, time.process_time)


def _levels(track: Track, train: Images) -> CheckResult:
    """Whether whole filters can meet every level. Raises InputError with the nearest that they can."""
    if not track.of_filters:
        return CheckResult("levels", "fine", f"{len(track.levels)}, met to the weight")
    model = build_network(track.network, train.shape, 0)
    costs = {level: surgery.cost_model(model, track, train.shape, level) for level in track.levels}
    least = {level.name: _least(cost.sizes, track, cost, level) for level, cost in costs.items()}
    reached = ", ".join(f"{name} ({count} filters or more)" for name, count in least.items())
    found = f"met within {100 * track.tolerance:g} %: {reached}"
    if few := [name for name, count in least.items() if count < LEAST_FILTERS]:
        advice = f"with fewer than {LEAST_FILTERS} filters in a layer, {', '.join(few)} will not be ranked"
        return CheckResult("levels", "note", found, advice)
    return CheckResult("levels", "fine", found)


def _least(sizes: dict[str, int], track: Track, cost: CostModel, level: Level) -> int:
    assert level.speedup is not None
    scores = {name: torch.arange(size, dtype=torch.float32) for name, size in sizes.items()}
    try:
        kept = choose_filters(scores, cost, level.speedup, track.tolerance, "uniform")
    except TargetMissed as problem:
        raise InputError(f"level {level.name!r} cannot be met: {problem}") from None
    return min(len(indices) for indices in kept.values())


def _step(track: Track, train: Images, clock: Callable[[], float]) -> CheckResult:
    """One batch forward and backward at the track's own batch size, and how long a base model would take of that."""
    recipe = track.pretraining
    model = placed(build_network(track.network, train.shape, 0), train.device).train()
    images = train.first(recipe.batch_size)
    labels = train.labels[: len(images)]
    taken = []
    for _ in range(MEASURED_STEPS):
        begun = clock()
        F.cross_entropy(model(images), labels).backward()
        if train.device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(clock() - begun)
    steps = steps_per_epoch(len(train), recipe.batch_size)
    minutes = min(taken) * steps * recipe.epochs / 60
    return CheckResult(
        "a step", "fine",
        f"batches of {recipe.batch_size} forward and backward; {recipe.epochs} epochs of the base model take about "
        f"{minutes:.1f} minutes, without reading and augmenting images",
    )  # fmt: skip
