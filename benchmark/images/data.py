"""Images in memory: read once, split once by a seeded hash, augmented in batches on their device."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from prunemark.benchmark.images.augmentation import augment
from prunemark.benchmark.images.datasets import Dataset, Pixels, dataset_of, image_files
from prunemark.benchmark.images.sources import INSTALLED, data_folder
from prunemark.benchmark.images.streaming import ImageFiles, file_checksums, images_in_order, images_served, whole
from prunemark.benchmark.networks.registry import ImageShape
from prunemark.setups.errors import InputError

Split = Literal["train", "validation", "test"]
TERMS = "terms"


@dataclass(frozen=True)
class Images:
    """Images (examples, channels, height, width) and labels (examples,) int64.

    They are float32 and normalised, or pixels that `normalised` makes so, a batch at a time: uint8, a quarter of the
    memory, or float32 of a user's own dataset. `black` is the value of an empty pixel, which augmentation moves in at
    the borders. `mean` and `sd` are of the pixels (of bytes, between 0 and 1), one for each channel; empty where the
    images are normalised. `files`, where there is one, reads images as they are needed instead, and `images` is empty.
    """

    images: torch.Tensor
    labels: torch.Tensor
    classes: int
    black: float
    mean: tuple[float, ...] = ()
    sd: tuple[float, ...] = ()
    files: ImageFiles | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Images:
        """The same images on another device."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    @property
    def device(self) -> torch.device:
        """Where batches come out."""
        return self.labels.device

    @property
    def shape(self) -> ImageShape:
        """What a network for these images is built for."""
        channels, height, width = self.files.shape if self.files else self.images.shape[1:]
        return ImageShape(channels, height, width, self.classes)

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """A batch as a network takes it: float32, of mean 0 and deviation 1 over the training split."""
        if pixels.dtype != torch.uint8 and not self.mean:
            return pixels
        scale = 255 if pixels.dtype == torch.uint8 else 1
        mean, sd = (_per_channel(part).to(pixels.device, non_blocking=True) for part in (self.mean, self.sd))
        return (pixels.to(torch.float32) / scale - mean) / sd

    def served(
        self, batches: Iterator[torch.Tensor], kind: str, generator: torch.Generator, skip: int = 0,
        part: Callable[[int], slice] = whole,
    ) -> Iterator[Pixels]:  # fmt: skip
        """Augmented, normalised batches of the examples with these numbers; draws come from the generator.

        Of the first `skip` only the draws are made. `part` says of a batch of so many examples which are handed out:
        the draws are those of all of them. Files are read for these only; images in memory are augmented together.
        """
        if self.files is not None:
            for pixels, chosen in images_served(self.files, batches, kind, generator, skip, part):
                yield self.normalised(pixels.to(self.device, non_blocking=True)), self.labels[chosen]
            return
        for chosen in itertools.islice(batches, skip):
            augment(self.images[chosen], kind, self.black, generator)
        for chosen in batches:
            here = part(len(chosen))
            augmented = augment(self.images[chosen], kind, self.black, generator)
            yield self.normalised(augmented[here]), self.labels[chosen[here]]

    def in_order(self, batch_size: int) -> Iterator[torch.Tensor]:
        """All images as they are, normalised, in batches."""
        if self.files is not None:
            for pixels in images_in_order(self.files, batch_size):
                yield self.normalised(pixels.to(self.device, non_blocking=True))
            return
        for pixels in self.images.split(batch_size):
            yield self.normalised(pixels)

    def between(self, begin: int, end: int) -> Images:
        """The examples with these numbers, in order, without the last: none where both are the same."""
        files = self.files and replace(
            self.files, paths=self.files.paths[begin:end], sha256=self.files.sha256[begin:end]
        )
        return replace(self, images=self.images[begin:end], labels=self.labels[begin:end], files=files)

    def first(self, count: int) -> torch.Tensor:
        """The first images, normalised: (at most count, channels, height, width)."""
        return next(self.in_order(count))


def _per_channel(values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values).reshape(-1, 1, 1)


def prepare(name: str, folder: Path) -> None:
    """Reads a dataset and writes one file per split, so that a process can be given one and not another.

    Validation is taken out of the training images (and test, where the dataset has none) by the order of a seeded
    hash of each example's place and bytes: fixed on every machine. Of a dataset that does not fit in memory the file
    holds the labels, and for each image its path below the folder and the SHA-256 of its bytes. Raises InputError when
    the images are not where the user says.
    """
    dataset = dataset_of(name)
    source = Path() if name in INSTALLED else data_folder(name)
    if dataset.in_memory:
        _write_pixels(dataset, dataset.read(source), folder)
    else:
        _write_paths(dataset, source, folder)


def _write_pixels(dataset: Dataset, parts: dict[str, Pixels], folder: Path) -> None:
    images, labels = parts.get("all") or parts["train"]
    _check_labels(dataset, labels)
    order = sorted(range(len(labels)), key=lambda i: _place(dataset.split_seed, i, images[i].contiguous()))
    test, validation = dataset.test_examples, dataset.validation_examples or len(labels) // 10
    _check_enough(len(labels), test + validation)
    chosen = {"test": order[:test], "validation": order[test : test + validation], "train": order[test + validation :]}
    found = {split: (images[indices], labels[indices]) for split, indices in chosen.items()}
    if "test" in parts:
        found["test"] = parts["test"]
    for split, (pixels, classes) in found.items():
        tensors = {"images": _normal(pixels, dataset).contiguous(), "labels": classes.to(torch.int64)}
        about = _terms(dataset, int(labels.max()) + 1) if pixels.dtype == torch.uint8 else None
        save_file(tensors, folder / f"{split}.safetensors", metadata=about)


def _normal(pixels: torch.Tensor, dataset: Dataset) -> torch.Tensor:
    """Pixels that are no bytes are stored normalised."""
    if pixels.dtype == torch.uint8:
        return pixels
    (mean,), (sd,) = dataset.mean, dataset.sd
    return (pixels - mean) / sd


def _write_paths(dataset: Dataset, source: Path, folder: Path) -> None:
    parts = image_files(source)
    _check_labels(dataset, torch.tensor([label for _path, label in parts["train"]]))
    by_hash = sorted(
        parts["train"], key=lambda f: hashlib.sha256(f"{dataset.split_seed}/{f[0].name}".encode()).digest()
    )
    validation = dataset.validation_examples or len(by_hash) // 10
    _check_enough(len(by_hash), validation)
    found = {"test": parts["test"], "validation": by_hash[:validation], "train": by_hash[validation:]}
    classes = max(label for _path, label in parts["train"]) + 1
    for split, files in found.items():
        paths = [path for path, _label in files]
        tensors = {"labels": torch.tensor([label for _path, label in files]), "sha256": file_checksums(paths)}
        about = _terms(dataset, classes) | {
            "paths": json.dumps([path.relative_to(source).as_posix() for path in paths])
        }
        save_file(tensors, folder / f"{split}.safetensors", metadata=about)


def _terms(dataset: Dataset, classes: int) -> dict[str, str]:
    """What a reader of the file has to know besides the tensors."""
    shape = (dataset.shape.channels, dataset.shape.height, dataset.shape.width)
    terms = {"classes": dataset.classes or classes, "mean": dataset.mean, "sd": dataset.sd, "shape": shape}
    return {TERMS: json.dumps(terms)}


def _check_labels(dataset: Dataset, labels: torch.Tensor) -> None:
    found = int(labels.max()) + 1
    if dataset.classes and found != dataset.classes:
        raise InputError(f"the training images have {found} classes; this dataset has {dataset.classes}")


def _check_enough(found: int, taken: int) -> None:
    if found < taken + 2:  # batch norm cannot train on one
        raise InputError(
            f"there are {found} training images, and this dataset takes {taken} for validation and test: too few "
            'are left to train on.\nYour own track can take a folder of any size: dataset = "folder:NAME@PIXELS"'
        )


def _place(seed: int, index: int, image: torch.Tensor) -> bytes:
    return hashlib.sha256(f"{seed}/{index}/".encode() + image.numpy().tobytes()).digest()


def load_split(name: str, folder: Path, split: Split, device: torch.device, *, workers: int | None = None) -> Images:
    """One split from a folder that `prepare` wrote. Only the evaluation stage asks for 'test'.

    `workers` read images that do not fit in memory; by default as many as the machine has cores to spare.
    """
    try:
        with safe_open(folder / f"{split}.safetensors", "pt") as file:
            about = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"dataset {name} has no prepared {split} split in {folder}") from None
    if TERMS not in about:
        dataset = dataset_of(name)
        black = (0.0 - dataset.mean[0]) / dataset.sd[0]
        return Images(tensors["images"], tensors["labels"], dataset.classes, black).to(device)
    terms = json.loads(about[TERMS])
    files = None
    if "paths" in about:  # below the folder, which may lie elsewhere by now
        paths = tuple(str(data_folder(name) / path) for path in json.loads(about["paths"]))
        files = ImageFiles(paths, tensors["sha256"], tuple(terms["shape"]), workers)
    images = tensors.get("images", torch.empty(0, dtype=torch.uint8))
    mean, sd = tuple(terms["mean"]), tuple(terms["sd"])
    return Images(images, tensors["labels"], terms["classes"], 0.0, mean, sd, files).to(device)


def pick_device(name: str) -> torch.device:
    """'cpu', 'cuda' or 'cuda:1' as a device. Raises InputError when it is unknown or not there."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"unknown device {name!r}. Valid: cpu, cuda, cuda:0, cuda:1, ...") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device {name!r} was asked for, but torch sees no GPU here. Use --device cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device {name!r} was asked for; torch sees {torch.cuda.device_count()} GPUs here, from cuda:0 on"
        )
    return device


def tensor_dict(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    """A state dict as safetensors wants it: detached, on the CPU, contiguous, no shared storage."""
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}
