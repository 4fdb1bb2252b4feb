"""What training costs in the harness, against loops as one would write them by hand, in turns on one thread."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import figures
import torch
from figures import Figure
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
EPOCHS, REPEATS = 1, 30
OF = f"Network and recipe of {TRACK.id}, retrained at 90 %, one thread, processor time."
Work = Callable[[Images, nn.Module], None]


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
    """Processor time of one call, on a network as it is retrained at 90 %, in the layout that the harness uses."""
    model = build_network(TRACK.network, data.shape, 0)
    counts = uniform_counts(cost_model(model, TRACK, data.shape).sizes, TRACK.level("90%").ratio)
    model = cut(model, first_filters(model, counts, data.shape), data.shape)
    model = model.to(memory_format=torch.channels_last)
    return figures.seconds(lambda: work(data, model))


def digits() -> Images:
    """The training split, on one thread."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        prepare(TRACK.dataset, Path(folder))
        return load_split(TRACK.dataset, Path(folder), "train", torch.device("cpu"))


def _ratio(what: str, a: Work, b: Work, at_least: float | None = None, repeats: int = REPEATS) -> Figure:
    data = digits()
    return figures.ratio(what, lambda: seconds(a, data), lambda: seconds(b, data), repeats, at_least)


def of_the_loop() -> tuple[list[Figure], list[str]]:
    """The harness's own loop."""
    found = [
        _ratio("the loop of a trial, against a loop by hand", harness, bare_loop, 0.95),
        _ratio("`context.train`, against the loop of a trial", context_train, harness),
    ]
    return found, [OF]


def of_an_own_loop() -> tuple[list[Figure], list[str]]:
    """A submission that trains with an optimiser of its own."""
    return [_ratio("own loop, metered against not metered", watched_loop, bare_loop, 0.95)], [OF]


def of_a_loader() -> tuple[list[Figure], list[str]]:
    """The tutorials' way."""
    pictures = functools.partial(loader_loop, as_pictures(digits()))
    found = [
        _ratio("against a DataLoader of PIL images", harness, pictures, 3.0, REPEATS // 3),
        _ratio("against a DataLoader of tensors, normalised before", harness, tensor_loader_loop, None, REPEATS // 3),
    ]
    return found, [OF]
