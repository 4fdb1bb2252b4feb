"""A user's images become a track's splits: checked, split by a seeded hash, measured, written to files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from prunemark.benchmark.images.data import TERMS
from prunemark.benchmark.images.datasets import Pixels
from prunemark.benchmark.images.own_arrays import checked_images, checked_labels
from prunemark.setups.errors import InputError

SEED = 1
TEST_SHARE, VALIDATION_SHARE = 5, 10
"""Of all images a fifth is the test split where there is none, and of the training images a tenth validation."""
OTHER_SCALE = 20
"""Splits whose deviations differ by more than this are not scaled alike: 0 to 255 in one, 0 to 1 in the other."""
MANY, MOST_CLASSES = 1_000_000, 100_000


@dataclass(frozen=True)
class Measured:
    """What was found out: (channels, height, width), mean and deviation of each channel, and notes for the user."""

    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    notes: tuple[str, ...]


def write_splits(parts: Mapping[str, tuple[Any, Any]], layout: str | None, classes: int, folder: Path) -> Measured:
    """Checks the splits, makes those that are missing, and writes one file each. Raises InputError.

    Validation, and test where there is none, are taken out by the order of a seeded hash of each image's number and
    bytes: the same on every machine. With `classes` of 0 there are as many as the training labels have.
    """
    found = {}
    most = classes or MOST_CLASSES
    for split, (images, labels) in parts.items():
        pixels = checked_images(split, images, layout)
        found[split] = (pixels, checked_labels(split, labels, len(pixels), most))
    _check_alike(found)
    whole = found.pop("all", None)
    if whole is not None and found:
        raise InputError(f"there is a split {next(iter(found))!r} next to all: give all alone, or train and test")
    if whole is None and "train" not in found:
        raise InputError(f"there is no split train, only {', '.join(found) or 'nothing'}")
    made = _split(found, whole)
    classes = classes or int(max(labels.max() for _, labels in made.values())) + 1
    _check_classes(made["train"][1], classes)
    mean, sd, notes = _measure(made["train"][0])
    notes = [*notes, *_overlap(made)]
    _, *size = made["train"][0].shape
    terms = {"classes": classes, "mean": mean, "sd": sd, "shape": size}
    for split, (pixels, labels) in made.items():
        save_file(
            {"images": pixels.contiguous(), "labels": labels}, folder / f"{split}.safetensors",
            metadata={TERMS: json.dumps(terms)},
        )  # fmt: skip
    return Measured((size[0], size[1], size[2]), tuple(mean), tuple(sd), tuple(notes))


def _check_alike(found: Mapping[str, Pixels]) -> None:
    """Splits have images of one size and one kind of number: else one of them is scaled and the other not."""
    (first, (images, _)), *others = found.items()
    for split, (pixels, _) in others:
        if pixels.shape[1:] != images.shape[1:]:
            sizes = [" x ".join(map(str, each.shape[1:])) for each in (images, pixels)]
            raise InputError(f"images of {first} are {sizes[0]}, those of {split} {sizes[1]}: bring all to one size")
        if pixels.dtype != images.dtype:
            kinds = ["bytes" if each.dtype == torch.uint8 else "floats" for each in (images, pixels)]
            raise InputError(f"images of {first} are {kinds[0]}, those of {split} {kinds[1]}: scale all alike")
        spreads = [float(each.to(torch.float64).std(unbiased=False)) for each in (images, pixels)]
        if min(spreads) > 0 and max(spreads) > OTHER_SCALE * min(spreads):
            said = [f"{spread:.3g}" for spread in spreads]
            raise InputError(
                f"pixels of {first} have a deviation of {said[0]}, those of {split} of {said[1]}: scale all alike"
            )


def _split(found: dict[str, Pixels], whole: Pixels | None) -> dict[str, Pixels]:
    pixels, labels = whole or found["train"]
    count = len(labels)
    test = 0 if "test" in found else max(1, count // TEST_SHARE)
    validation = 0 if "validation" in found else max(1, (count - test) // VALIDATION_SHARE)
    if count < test + validation + 2:  # batch norm cannot train on one
        raise InputError(f"train has {count} images: too few to train on once validation and test are taken out")
    order = sorted(range(count), key=lambda i: _place(i, pixels[i])) if test + validation else list(range(count))
    chosen = {"test": order[:test], "validation": order[test : test + validation], "train": order[test + validation :]}
    made = {split: (pixels[indices], labels[indices]) for split, indices in chosen.items() if indices}
    return made | {split: found[split] for split in ("test", "validation") if split in found}


def _place(index: int, image: torch.Tensor) -> bytes:
    return hashlib.sha256(f"{SEED}/{index}/".encode() + image.contiguous().numpy().tobytes()).digest()


def _check_classes(labels: torch.Tensor, classes: int) -> None:
    counts = torch.bincount(labels, minlength=classes)
    if missing := (counts == 0).nonzero().flatten().tolist():
        named = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        word = "class" if len(missing) == 1 else "classes"
        raise InputError(
            f"train has no image of {word} {named}, and the track states {classes} classes, 0 to {classes - 1}"
        )


def _measure(images: torch.Tensor) -> tuple[list[float], list[float], list[str]]:
    """Mean and deviation of each channel, of bytes as numbers from 0 to 1; and what is odd about them."""
    scale = 255.0 if images.dtype == torch.uint8 else 1.0
    means, deviations, notes = [], [], []
    for channel in range(images.shape[1]):
        values = images[:, channel].to(torch.float64) / scale
        means.append(float(values.mean()))
        deviations.append(float(values.std(unbiased=False)))
        if deviations[-1] < 1e-9:
            deviations[-1] = 1.0
            notes.append(f"channel {channel} has one value in all training images")
    low, high = float(images.min()) / scale, float(images.max()) / scale
    if low < 0 or high > 1:
        notes.append(f"values are from {low:.4g} to {high:.4g}, not 0 to 1: taken as they are, and standardised")
    return means, deviations, notes


def _overlap(made: Mapping[str, Pixels]) -> list[str]:
    """How many test images are in another split too, by their bytes: their accuracy says less than it seems."""
    if sum(len(labels) for _, labels in made.values()) > MANY:
        return []
    hashes = {split: [hash(image.numpy().tobytes()) for image in pixels] for split, (pixels, _) in made.items()}
    notes = []
    for split in ("train", "validation"):
        seen = set(hashes[split])
        if again := sum(each in seen for each in hashes["test"]):
            notes.append(f"{again:,} of {len(hashes['test']):,} test images are in {split} too")
    return notes
