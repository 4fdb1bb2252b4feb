"""The datasets a track can name, and how each is read from where `sources` says it lies."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from prunemark.benchmark.images import glyphs
from prunemark.benchmark.images.sources import IMAGE_FOLDER
from prunemark.benchmark.networks.registry import ImageShape
from prunemark.setups.errors import InputError, unknown_name

DIGITS = "datasets/data/digits.csv.gz"
Pixels = tuple[torch.Tensor, torch.Tensor]
"""Images (examples, channels, height, width) and labels (examples,)."""


@dataclass(frozen=True)
class Dataset:
    """A dataset: how to read its parts, and how many examples validation gets (and test, where it has none).

    `read` gives "train" and "test", or "all" where the harness makes the test split too. Pixels are uint8, or
    already between 0 and 1; `mean` and `sd` are of pixels between 0 and 1, one for each channel. `classes` is 0 where
    only the folder says, and `validation_examples` 0 for a tenth of the training images. `in_memory` is False where
    images are read from their files as they are needed.
    """

    read: Callable[[Path], dict[str, Pixels]]
    classes: int
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    validation_examples: int
    test_examples: int
    split_seed: int
    shape: ImageShape
    in_memory: bool = True


def dataset_of(name: str) -> Dataset:
    """The dataset of this name, or `folder:NAME@SIZE` for any folder of images. Raises InputError."""
    if match := IMAGE_FOLDER.fullmatch(name):
        size = int(match.group(2))
        in_memory = match.group(3) is None
        read = (lambda folder: _read_image_folder(folder, size)) if in_memory else _unread
        return Dataset(read, 0, IMAGENET_MEAN, IMAGENET_SD, 0, 0, 1, ImageShape(3, size, size, 0), in_memory)
    if name not in DATASETS:
        raise unknown_name("dataset", name, [*DATASETS, "folder:NAME@SIZE"])
    return DATASETS[name]


def _read_digits(_folder: Path) -> dict[str, Pixels]:
    """UCI handwritten digits in scikit-learn's copy: 1,797 grey images of 8x8, values 0 to 16.

    Its file is read as it lies in the package, which takes a tenth of a second; to import the package takes over one.
    """
    package = find_spec("sklearn")
    assert package is not None and package.submodule_search_locations
    table = np.loadtxt(Path(package.submodule_search_locations[0]) / DIGITS, delimiter=",")  # 64 pixels and the label
    images = torch.from_numpy(table[:, :64]).to(torch.float32).reshape(-1, 1, 8, 8) / 16
    return {"all": (images, torch.from_numpy(table[:, 64]).to(torch.int64))}


def _draw_glyphs(_folder: Path) -> dict[str, Pixels]:
    return {split: (torch.from_numpy(x), torch.from_numpy(y)) for split, (x, y) in glyphs.make_glyphs().items()}


def _through_torchvision(class_name: str) -> Callable[[Path], dict[str, Pixels]]:
    """A dataset that torchvision reads, and checks by its checksums, from its own layout."""

    def read(folder: Path) -> dict[str, Pixels]:
        from torchvision import datasets

        made = getattr(datasets, class_name)
        try:
            parts = {split: made(folder, train=split == "train", download=False) for split in ("train", "test")}
        except RuntimeError:
            raise InputError(
                f"{folder} has no {class_name} in torchvision's layout, or it is damaged.\nTo get it: python -c "
                f"\"from torchvision.datasets import {class_name}; {class_name}('{folder}', download=True)\""
            ) from None
        return {split: (_as_pixels(part.data), torch.as_tensor(part.targets)) for split, part in parts.items()}

    return read


def _as_pixels(data: Any) -> torch.Tensor:
    pixels = torch.as_tensor(data)
    return pixels.unsqueeze(1) if pixels.dim() == 3 else pixels.permute(0, 3, 1, 2)


def _read_image_folder(folder: Path, size: int) -> dict[str, Pixels]:
    """All images of a tree, each resized by its shorter side and cropped from the middle to a square."""
    parts = {}
    for split, paths in image_files(folder).items():
        images = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
        for index, (path, _label) in enumerate(paths):
            images[index] = read_image(path, size)
        parts[split] = (images, torch.tensor([label for _path, label in paths]))
    return parts


def _unread(_folder: Path) -> dict[str, Pixels]:
    raise AssertionError("a dataset that does not fit in memory is listed, not read")


def image_files(folder: Path) -> dict[str, list[tuple[Path, int]]]:
    """Files and labels of `folder/train` and `folder/test` (or `folder/val`), as torchvision's ImageFolder has them."""
    from torchvision.datasets import ImageFolder

    test = next((name for name in ("test", "val") if (folder / name).is_dir()), None)
    if test is None or not (folder / "train").is_dir():
        raise InputError(
            f"{folder} is not a folder of images: it needs train/CLASS/... and test/CLASS/... (or val/CLASS/...),\n"
            "as torchvision's ImageFolder reads them"
        )
    try:
        parts = {"train": ImageFolder(folder / "train"), "test": ImageFolder(folder / test)}
    except (FileNotFoundError, OSError) as problem:
        raise InputError(f"{folder} is not a folder of images: {problem}".splitlines()[0]) from None
    if parts["train"].classes != parts["test"].classes:
        raise InputError(f"{folder}: train and {test} have different classes: {_odd_ones(parts)}")
    return {split: [(Path(path), label) for path, label in part.samples] for split, part in parts.items()}


def _odd_ones(parts: dict[str, Any]) -> str:
    return ", ".join(sorted(set(parts["train"].classes) ^ set(parts["test"].classes))[:5])


def read_image(path: Path, size: int, sha256: bytes | None = None) -> torch.Tensor:
    """One image as uint8 (3, size, size): its shorter side resized to size (to 8/7 of it from 128 on), then cropped.

    256 for 224 is the field's evaluation on ImageNet. Raises UnreadableImage as `open_image` does.
    """
    from torchvision.transforms import functional as T

    image = open_image(path, sha256)
    if min(image.size) != size or image.size[0] != image.size[1]:
        image = T.resize(image, [size * 8 // 7 if size >= 128 else size])
    return torch.as_tensor(T.pil_to_tensor(T.center_crop(image, [size, size])))


class UnreadableImage(InputError):
    """A file of the user's images is missing, damaged or another than was prepared: no fault of any method."""


def open_image(path: Path, sha256: bytes | None = None) -> Any:
    """An RGB image of PIL's. Raises UnreadableImage for a file that is none, or has other bytes than its hash says."""
    from PIL import Image

    try:
        content = path.read_bytes()
        if sha256 is not None and hashlib.sha256(content).digest() != sha256:
            raise UnreadableImage(f"{path} has changed since it was prepared. Put it back, or take another --home")
        with Image.open(io.BytesIO(content)) as image:
            return as_rgb(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as problem:
        raise UnreadableImage(f"{path} cannot be read as an image: {problem}") from None


def as_rgb(image: Any) -> Any:
    """An image of PIL's in RGB. Raises ValueError for more than 8 bits a channel: Pillow would cut them off."""
    if image.mode[:1] in ("I", "F"):
        raise ValueError(f"it has more than 8 bits a channel (mode {image.mode}). Convert it to 8 bits first")
    if image.mode != "RGB":
        return image.convert("RGB")
    image.load()  # conversion would copy it
    return image


def _reduced(test_images: int | None) -> Callable[[Path], dict[str, Pixels]]:
    """Of each class the first 500 training images by file name; each 2x2 pixels are one, their mean.

    `test_images` is how many of each class the test split has, None for all.
    """

    def read(folder: Path) -> dict[str, Pixels]:
        parts = {}
        for split, paths in image_files(folder).items():
            most = TRAINING_IMAGES if split == "train" else test_images
            chosen = paths if most is None else list(_first_of_each_class(paths, most))
            images = torch.stack([read_image(path, 32) for path, _label in chosen])
            blocks = images.to(torch.int32).unflatten(2, (16, 2)).unflatten(4, (16, 2)).sum(dim=(3, 5))
            parts[split] = (((blocks + 2) // 4).to(torch.uint8), torch.tensor([label for _path, label in chosen]))
        return parts

    return read


def _first_of_each_class(paths: list[tuple[Path, int]], most: int) -> Iterator[tuple[Path, int]]:
    seen: dict[int, int] = {}
    for path, label in paths:
        seen[label] = seen.get(label, 0) + 1
        if seen[label] <= most:
            yield path, label


TRAINING_IMAGES = 500
"""Of each class, of the reduced datasets: a thousand of all classes together are validation images."""
CIFAR10_MEAN, CIFAR10_SD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
CIFAR100_MEAN, CIFAR100_SD = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
IMAGENET_MEAN, IMAGENET_SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_RGB = ImageShape(3, 32, 32, 10)
DATASETS: dict[str, Dataset] = {
    "digits": Dataset(_read_digits, 10, (0.3053,), (0.3761,), 200, 500, 1, ImageShape(1, 8, 8, 10)),
    "glyphs": Dataset(
        _draw_glyphs, glyphs.CLASSES, (0.4949,), (0.2044,), glyphs.VALIDATION_EXAMPLES, 0, 1,
        ImageShape(1, glyphs.SIDE, glyphs.SIDE, glyphs.CLASSES),
    ),
    "cifar10": Dataset(_through_torchvision("CIFAR10"), 10, CIFAR10_MEAN, CIFAR10_SD, 5000, 0, 1, _RGB),
    "cifar10-jpeg": Dataset(
        lambda folder: _read_image_folder(folder, 32), 10, CIFAR10_MEAN, CIFAR10_SD, 5000, 0, 1, _RGB
    ),
    "cifar10-jpeg-16": Dataset(_reduced(100), 10, CIFAR10_MEAN, CIFAR10_SD, 1000, 0, 1, ImageShape(3, 16, 16, 10)),
    "cifar10-jpeg-16-10k": Dataset(
        _reduced(None), 10, CIFAR10_MEAN, CIFAR10_SD, 1000, 0, 1, ImageShape(3, 16, 16, 10)
    ),
    "cifar100": Dataset(
        _through_torchvision("CIFAR100"), 100, CIFAR100_MEAN, CIFAR100_SD, 5000, 0, 1, ImageShape(3, 32, 32, 100)
    ),
    "fashionmnist": Dataset(
        _through_torchvision("FashionMNIST"), 10, (0.2860,), (0.3530,), 6000, 0, 1, ImageShape(1, 28, 28, 10)
    ),
    "imagenet": Dataset(
        _unread, 1000, IMAGENET_MEAN, IMAGENET_SD, 20000, 0, 1, ImageShape(3, 224, 224, 1000), in_memory=False
    ),
    "imagenet100": Dataset(
        _unread, 100, IMAGENET_MEAN, IMAGENET_SD, 5000, 0, 1, ImageShape(3, 224, 224, 100), in_memory=False
    ),
}  # fmt: skip
