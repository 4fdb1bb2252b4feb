"""Images in memory: read once, split once by a seeded hash, augmented in batches on their device."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from prunemark.benchmark.networks import ImageShape
from prunemark.setups.errors import InputError, unknown_name

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Images:
    """Normalised images (examples, channels, height, width) float32 and labels (examples,) int64.

    `black` is the normalised value of an empty pixel, which augmentation moves in at the borders.
    """

    images: torch.Tensor
    labels: torch.Tensor
    classes: int
    black: float

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Images:
        """The same images on another device."""
        return Images(self.images.to(device), self.labels.to(device), self.classes, self.black)

    @property
    def shape(self) -> ImageShape:
        """What a network for these images is built for."""
        channels, height, width = self.images.shape[1:]
        return ImageShape(channels, height, width, self.classes)


@dataclass(frozen=True)
class Dataset:
    """A dataset: how to read it and how many examples validation and test get; the rest trains."""

    read: Callable[[], tuple[torch.Tensor, torch.Tensor]]
    classes: int
    mean: float
    sd: float
    validation_examples: int
    test_examples: int
    split_seed: int
    shape: ImageShape


def _read_digits() -> tuple[torch.Tensor, torch.Tensor]:
    """UCI handwritten digits in scikit-learn's copy: 1,797 grey images of 8x8, values 0 to 16."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(pixels).to(torch.float32).reshape(-1, 1, 8, 8) / 16
    return images, torch.from_numpy(labels).to(torch.int64)


DATASETS: dict[str, Dataset] = {
    "digits": Dataset(
        _read_digits,
        10,
        mean=0.3053,
        sd=0.3761,
        validation_examples=200,
        test_examples=500,
        split_seed=1,
        shape=ImageShape(1, 8, 8, 10),
    ),
}


def prepare(name: str, folder: Path) -> None:
    """Reads a dataset and writes one file per split, so that a process can be given one and not another.

    The split is by the order of a seeded hash of each example's place and bytes: fixed on every machine.
    """
    if name not in DATASETS:
        raise unknown_name("dataset", name, DATASETS)
    dataset = DATASETS[name]
    images, labels = dataset.read()
    order = sorted(range(len(labels)), key=lambda i: _place(dataset.split_seed, i, images[i]))
    test, validation = dataset.test_examples, dataset.validation_examples
    parts = {
        "test": order[:test],
        "validation": order[test : test + validation],
        "train": order[test + validation :],
    }
    normalised = (images - dataset.mean) / dataset.sd
    for split, indices in parts.items():
        picked = torch.tensor(indices)
        save_file(
            {"images": normalised[picked].contiguous(), "labels": labels[picked]},
            folder / f"{split}.safetensors",
        )


def _place(seed: int, index: int, image: torch.Tensor) -> bytes:
    return hashlib.sha256(f"{seed}/{index}/".encode() + image.numpy().tobytes()).digest()


def load_split(name: str, folder: Path, split: Split, device: torch.device) -> Images:
    """One split from a folder that `prepare` wrote. Only the evaluation stage asks for 'test'."""
    dataset = DATASETS[name]
    try:
        tensors = load_file(folder / f"{split}.safetensors")
    except FileNotFoundError:
        raise InputError(f"dataset {name} has no prepared {split} split in {folder}") from None
    black = (0.0 - dataset.mean) / dataset.sd
    return Images(tensors["images"], tensors["labels"], dataset.classes, black).to(device)


def augment(images: torch.Tensor, kind: str, black: float, generator: torch.Generator) -> torch.Tensor:
    """One augmented copy of a batch (batch, channels, height, width), every image by its own draw.

    The draws come from a CPU generator, so that they are the same on every device.
    """
    if kind == "none":
        return images
    pixels = 1 if kind == "shift1" else 4
    moved = _shifted(images, pixels, black, generator)
    return _flipped(moved, generator) if kind == "crop-flip" else moved


def _shifted(images: torch.Tensor, pixels: int, black: float, generator: torch.Generator) -> torch.Tensor:
    """Crops each image from its padded self: one gather for the whole batch instead of a loop."""
    batch, channels, height, width = images.shape
    padded = F.pad(images, (pixels,) * 4, value=black)
    offsets = torch.randint(0, 2 * pixels + 1, (2, batch), generator=generator).to(images.device)
    rows = offsets[0, :, None] + torch.arange(height, device=images.device)  # (batch, height)
    columns = offsets[1, :, None] + torch.arange(width, device=images.device)  # (batch, width)
    places = (rows[:, :, None] * (width + 2 * pixels) + columns[:, None, :]).reshape(batch, 1, -1)
    flat = padded.flatten(2).gather(2, places.expand(batch, channels, -1))
    return flat.reshape(batch, channels, height, width)


def _flipped(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    chosen = torch.rand(len(images), generator=generator).to(images.device) < 0.5
    return torch.where(chosen[:, None, None, None], images.flip(3), images)


def pick_device(name: str) -> torch.device:
    """'cpu', 'cuda' or 'cuda:1' as a device. Raises InputError when it is unknown or not there."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"unknown device {name!r}. Valid: cpu, cuda, cuda:0, cuda:1, ...") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device {name!r} was asked for, but torch sees no GPU here. Use --device cpu")
    return device


def as_example(shape: ImageShape, device: torch.device | None = None) -> torch.Tensor:
    """One empty image (1, channels, height, width), to trace a network with."""
    return torch.zeros(1, shape.channels, shape.height, shape.width, device=device)


def tensor_dict(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    """A state dict as safetensors wants it: detached, on the CPU, contiguous, no shared storage."""
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}
