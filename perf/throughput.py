"""Ratios that the documentation claims, measured in one run: `make bench`.

Each ratio compares two ways of doing the same work, in turns on one thread, and takes the median of the pairs.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import dataclasses
import functools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from prunemark.benchmark.compression.budget_solver import uniform_counts
from prunemark.benchmark.compression.surgery import cost_model, cut, first_filters
from prunemark.benchmark.images.data import Images, load_split, prepare
from prunemark.benchmark.images.datasets import DATASETS
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.metering.watch import watching
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.training.loop import train
from prunemark.setups.track_files import find_track

TRACK = find_track("digits-resnet8")
EPOCHS = 3


def harness(data: Images, model: nn.Module) -> None:
    """The harness's own loop, metered, with a validation pass an epoch left out as in the others."""
    train(model, data, TRACK.retraining, seed=0, stream="bench", meter=Meter(1), epochs=range(EPOCHS))


def bare_loop(data: Images, model: nn.Module) -> None:
    """What one would write by hand: tensors in memory, the same augmentation, nothing counted."""
    optimiser = _sgd(model)
    model.train()
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(data)).split(TRACK.retraining.batch_size):
            images = _shift_by_hand(data.images[chosen], data.black)
            loss = F.cross_entropy(model(images), data.labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def context_train(data: Images, model: nn.Module) -> None:
    """The harness's loop as `context.train` runs it, in a process whose torch is watched."""
    meter = Meter(1)
    with watching(meter, TRACK.retraining.batch_size) as watch, watch.paused():
        train(model, data, TRACK.retraining, seed=0, stream="bench", meter=meter, epochs=range(EPOCHS))


def watched_loop(data: Images, model: nn.Module) -> None:
    """The hand-written loop as a submission with an optimiser of its own runs it, every product counted."""
    with watching(Meter(1), TRACK.retraining.batch_size):
        bare_loop(data, model)


def loader_loop(pictures: list[Any], data: Images, model: nn.Module) -> None:
    """The tutorials' way: PIL images as torchvision's datasets give them, a chain of transforms, a DataLoader."""
    from torchvision.transforms import Compose, Normalize, RandomCrop, ToTensor

    (mean,), (sd,) = DATASETS[TRACK.dataset].mean, DATASETS[TRACK.dataset].sd
    transform = Compose([RandomCrop(data.shape.height, padding=1), ToTensor(), Normalize((mean,), (sd,))])
    _loop(model, OneByOne(pictures, data.labels, transform))


def as_pictures(data: Images) -> list[Any]:
    """The training split as PIL images."""
    from torchvision.transforms.functional import to_pil_image

    (mean,), (sd,) = DATASETS[TRACK.dataset].mean, DATASETS[TRACK.dataset].sd
    return [to_pil_image((image * sd + mean).clamp(0, 1)) for image in data.images]


def tensor_loader_loop(data: Images, model: nn.Module) -> None:
    """The same DataLoader over tensors that are normalised already: only the crop is left to do."""
    from torchvision.transforms import RandomCrop

    transform = RandomCrop(data.shape.height, padding=1, fill=data.black)
    _loop(model, OneByOne(list(data.images), data.labels, transform))


def _loop(model: nn.Module, dataset: OneByOne) -> None:
    optimiser = _sgd(model)
    loader = DataLoader(dataset, batch_size=TRACK.retraining.batch_size, shuffle=True)
    model.train()
    for _ in range(EPOCHS):
        for images, labels in loader:
            loss = F.cross_entropy(model(images), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


class OneByOne(Dataset[tuple[torch.Tensor, int]]):
    """Transforms one image at a time, as torchvision's datasets do."""

    def __init__(self, images: list[Any], labels: torch.Tensor, transform: Callable[[Any], torch.Tensor]) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[index]), int(self.labels[index])


def _shift_by_hand(images: torch.Tensor, black: float) -> torch.Tensor:
    """One common shift a batch would be cheaper and weaker; this gives each image its own."""
    padded = F.pad(images, (1, 1, 1, 1), value=black)
    rows, columns = torch.randint(0, 3, (2, len(images)))
    size = torch.arange(images.shape[-1])
    every = torch.arange(len(images))[:, None, None]
    return padded[every, 0, (rows[:, None] + size)[:, :, None], (columns[:, None] + size)[:, None, :]][:, None]


def _sgd(model: nn.Module) -> torch.optim.SGD:
    recipe = TRACK.retraining
    return torch.optim.SGD(model.parameters(), 0.1, momentum=recipe.momentum, weight_decay=recipe.weight_decay)


def seconds(work: Callable[[Images, nn.Module], None], data: Images) -> float:
    """The wall time of one call, on a network as it is retrained at 90 %, in the layout the harness uses."""
    model = build_network(TRACK.network, data.shape, 0)
    counts = uniform_counts(cost_model(model, TRACK, data.shape).sizes, TRACK.level("90%").ratio)
    model = cut(model, first_filters(model, counts, data.shape), data.shape)
    model = model.to(memory_format=torch.channels_last)
    begin = time.perf_counter()
    work(data, model)
    return time.perf_counter() - begin


def ratio(
    a: Callable[[Images, nn.Module], None], b: Callable[[Images, nn.Module], None], data: Images, pairs: int
) -> str:
    """How many times as fast `a` is as `b`: the median over pairs, with the smallest and the largest."""
    found = [seconds(b, data) / seconds(a, data) for _ in range(pairs)]
    return f"{statistics.median(found):.2f} (of {pairs} pairs, {min(found):.2f} to {max(found):.2f})"


def overhead(pairs: int) -> str:
    """Seconds of a whole trial that are neither training nor evaluation, in the steady state."""
    from prunemark.benchmark.run.executor import LocalProcesses
    from prunemark.benchmark.run.jobs import Job
    from prunemark.benchmark.submission.locate import locate
    from prunemark.benchmark.trial.plan import Request, make_trials
    from prunemark.benchmark.trial.trial import Entrant
    from prunemark.records.record import load
    from prunemark.setups.comparison import SETUPS

    name, source = locate("L1-norm")
    method = Entrant(name, "pruned", "submission", source, (("allocation", "uniform"),))
    short = dataclasses.replace(TRACK, pretraining=dataclasses.replace(TRACK.retraining))
    trials = make_trials(Request(short, SETUPS["S3.2"], short.levels[:1], range(pairs + 1)), method)
    began: dict[str, float] = {}
    spent: list[float] = []

    def listen(event: object) -> None:
        if event.kind == "started":
            began[event.job.id] = time.perf_counter()
        elif event.kind == "done" and event.job.call.endswith("trial_job"):
            observed = load(event.value).observed
            wall = time.perf_counter() - began[event.job.id]
            spent.append(wall - observed.retraining_seconds - observed.evaluation_seconds)

    with tempfile.TemporaryDirectory() as store:
        for trial in trials:
            base = Job(f"base {trial.seed}", "prunemark.benchmark.run.worker:pretrain_job", (trial, Path(store)))
            run = Job(
                f"trial {trial.seed}",
                "prunemark.benchmark.run.worker:trial_job",
                (trial, Path(store)),
                frozenset({base.id}),
            )
            LocalProcesses(1).run([base, run], listen)
    return f"{statistics.median(spent[1:]):.2f} s (pruning stage and its process included; first trial left out)"


def main() -> None:
    """Prints one line a claim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    pairs = parser.parse_args().pairs
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        prepare(TRACK.dataset, Path(folder))
        data = load_split(TRACK.dataset, Path(folder), "train", torch.device("cpu"))
    print(f"torch {torch.__version__}, Python {sys.version.split()[0]}, one thread, {EPOCHS} epochs of {TRACK.id}")
    seconds(harness, data), seconds(bare_loop, data)
    print("harness / bare loop, throughput:      ", ratio(harness, bare_loop, data, pairs))
    pictures = functools.partial(loader_loop, as_pictures(data))
    print("harness / DataLoader of PIL images:   ", ratio(harness, pictures, data, pairs))
    print("harness / DataLoader of tensors:      ", ratio(harness, tensor_loader_loop, data, pairs))
    print("context.train / harness unwatched:    ", ratio(context_train, harness, data, pairs))
    print("own loop watched / bare loop:         ", ratio(watched_loop, bare_loop, data, pairs))
    print("overhead of a trial:                  ", overhead(min(pairs, 5)))


if __name__ == "__main__":
    main()
