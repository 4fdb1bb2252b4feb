"""`prunemark tracks check`: all that could be refused later, found out in seconds, before anything trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.compression.reachable import least_filters
from prunemark.benchmark.images.data import Images, load_split, pick_device
from prunemark.benchmark.metering.footprint import step_memory
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.run.doctor import CheckResult
from prunemark.benchmark.run.estimate import Step
from prunemark.benchmark.training.loop import placed, steps_per_epoch
from prunemark.benchmark.trial.base_model import measured, prepare_data, pretrain
from prunemark.benchmark.trial.keys import stage_keys
from prunemark.benchmark.trial.preflight import check_network
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.setups.budget import budget_for
from prunemark.setups.comparison import SETUPS
from prunemark.setups.errors import InputError
from prunemark.setups.track import DENSE_LEVEL, Track

DENSE = Entrant("Dense", "dense", "reference", None, ())
SETUP = "S3.2"
MEASURED_STEPS, FEW_IMAGES = 3, 16
LEAST_FILTERS = 4  # with fewer a level is not for ranking: leaderboard/standings/levels.py


def check_track(track: Track, device: str, store: Store) -> list[CheckResult]:
    """What was found, in the order in which a run would meet it; the last one is 'broken' where it would end.

    Not covered: whether methods can be told apart on it, which `tracks measure` measures.
    """
    found: list[CheckResult] = []
    try:
        found.extend(_findings(track, device, store))
    except InputError as problem:
        found.append(CheckResult(_next(found, track), "broken", str(problem.args[0]), "correct the track's file"))
    return found


PARTS = ("data", "network", "levels", "base", "a step")


def _next(found: list[CheckResult], track: Track) -> str:
    done = {each.what for each in found} | (set() if track.base else {"base"})
    return next((part for part in PARTS if part not in done), "the track")


def try_network(track: Track, device: str, store: Store) -> None:
    """Reads the images and tries the network on their size. Raises InputError for what no trial could use."""
    trial = dense_trial(track, device)
    folder = prepare_data(trial, stage_keys(trial), store)
    check_network(trial, store, load_split(track.dataset, folder, "validation", torch.device("cpu")).shape)


def _findings(track: Track, device: str, store: Store) -> Iterator[CheckResult]:
    trial = dense_trial(track, device)
    folder = prepare_data(trial, stage_keys(trial), store)
    train = load_split(track.dataset, folder, "train", torch.device("cpu"))  # what is forked below may use the GPU
    sizes = [len(load_split(track.dataset, folder, part, torch.device("cpu"))) for part in ("validation", "test")]
    shape = train.shape
    yield CheckResult(
        "data", "fine",
        f"{len(train):,} images to train, {sizes[0]:,} to validate, {sizes[1]:,} to test; "
        f"{shape.channels} x {shape.height} x {shape.width}, {shape.classes} classes",
    )  # fmt: skip
    check_network(trial, store, shape)
    count = len(track.prunable)
    what = f"stage{'s' * (count > 1)} of blocks" if track.granularity == "block" else f"layer{'s' * (count > 1)}"
    yield CheckResult("network", "fine", f"{track.network_id}: {count} {what} can be pruned")
    yield from _outputs(track, train)
    yield _levels(track, train)
    yield from _bases(trial, store)
    yield _step(track, train.to(pick_device(device)), time.process_time)


def dense_trial(track: Track, device: str) -> Trial:
    """The dense network's trial on seed 0: what the images and the network of a track are looked up by."""
    budget = budget_for(track, SETUPS[SETUP], DENSE_LEVEL, "dense")
    return Trial(track, DENSE_LEVEL, SETUPS[SETUP], 0, DENSE, budget, device, track.pruning_seconds_limit)


def _outputs(track: Track, train: Images) -> Iterator[CheckResult]:
    """A note where the network ends in a softmax: the loss takes logits, and takes the softmax itself."""
    model = build_network(track.network, train.shape, 0).eval()
    with torch.no_grad():
        outputs = model(train.first(FEW_IMAGES))
    for name, shares, twice in (
        ("softmax", outputs, "twice, it slows training"), ("log-softmax", outputs.exp(), "twice is the same to it")
    ):  # fmt: skip
        if bool((shares >= 0).all()) and bool(((shares.sum(dim=1) - 1).abs() < 1e-4).all()):
            advice = (
                f"cross-entropy expects logits and takes a softmax itself ({twice}): return the last layer's output"
            )
            yield CheckResult("logits", "note", f"the network ends in a {name}", advice)


def _levels(track: Track, train: Images) -> CheckResult:
    """Whether whole filters can meet every level, and how few would stay."""
    if not track.of_filters:
        return CheckResult("levels", "fine", "met to the weight: " + ", ".join(level.name for level in track.levels))
    least = least_filters(build_network(track.network, train.shape, 0), track, train.shape)
    unit = "block" if track.granularity == "block" else "filter"
    reached = ", ".join(f"{name} ({count} {unit}{'s'[: count != 1]} or more)" for name, count in least.items())
    found = f"met within {100 * track.tolerance:g} %: {reached}"
    if track.granularity == "block":
        return CheckResult("levels", "fine", found)
    if few := [name for name, count in least.items() if count < LEAST_FILTERS]:
        advice = f"with fewer than {LEAST_FILTERS} filters in a layer, {', '.join(few)} will not be ranked"
        return CheckResult("levels", "note", found, advice)
    return CheckResult("levels", "fine", found)


def _bases(trial: Trial, store: Store) -> Iterator[CheckResult]:
    """The bases that the track gives: found, of the stated hash, fitting the network, as accurate as stated."""
    for seed, given in enumerate(trial.track.base or ()):
        of_seed = replace(trial, seed=seed)
        keys = stage_keys(of_seed)
        folder = pretrain(of_seed, keys, store, lambda stage, point: None)
        assert folder is not None
        found = measured(of_seed, keys, store, folder)
        yield CheckResult(
            "base", "fine", f"{given.weights}: {found.test_percent:.2f} % on the test split; SHA-256 {given.sha256}"
        )


def _step(track: Track, train: Images, clock: Callable[[], float]) -> CheckResult:
    """A step forward and backward, and what a base model takes of it: time, and the memory of a whole batch.

    On a CPU a few images stand for the batch: a step of a large network at 256 images could take all of its memory.
    """
    recipe = track.retraining if track.base else track.pretraining
    model = placed(build_network(track.network, train.shape, 0), train.device, track.execution).train()
    images = train.first(min(recipe.batch_size, FEW_IMAGES) if train.device.type == "cpu" else recipe.batch_size)
    labels = train.labels[: len(images)]
    taken = [_seconds(model, images, labels, clock) for _ in range(MEASURED_STEPS)]
    minutes = _epoch_seconds(min(taken), len(images), len(train), recipe.batch_size) * recipe.epochs / 60
    on_gpu = train.device.type == "cuda"
    memory = torch.cuda.max_memory_allocated() if on_gpu else step_memory(model, images, labels, recipe.batch_size)
    return CheckResult(
        "a step", "fine",
        f"forward and backward; {recipe.epochs} epochs of {'retraining' if track.base else 'the base model'} take "
        f"about {minutes:.1f} minutes, without reading and augmenting images; a batch of {recipe.batch_size} takes "
        f"about {memory / 2**20:,.0f} MiB",
    )  # fmt: skip


def _epoch_seconds(taken: float, images: int, examples: int, batch_size: int) -> float:
    return taken * min(batch_size, examples) / images * steps_per_epoch(examples, batch_size)


def measured_step(track: Track, device: str, store: Store) -> Step:
    """For a plan of which nothing has been timed: an epoch of the dense network, without reading and augmenting."""
    trial = dense_trial(track, device)
    folder = prepare_data(trial, stage_keys(trial), store)
    train = load_split(track.dataset, folder, "train", pick_device(device))
    batch_size = track.retraining.batch_size
    model = placed(build_network(track.network, train.shape, 0), train.device, track.execution).train()
    images = train.first(min(batch_size, FEW_IMAGES) if train.device.type == "cpu" else batch_size)
    labels = train.labels[: len(images)]
    taken = min(_seconds(model, images, labels, time.perf_counter) for _ in range(MEASURED_STEPS))
    size = sum(each.numel() * each.element_size() for each in model.state_dict().values())
    return Step(_epoch_seconds(taken, len(images), len(train), batch_size), size)


def _seconds(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, clock: Callable[[], float]) -> float:
    begun = clock()
    F.cross_entropy(model(images), labels).backward()
    if images.device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - begun
