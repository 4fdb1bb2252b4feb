"""A folder of made-up images, and what is prepared from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from prunemark.benchmark.images.data import Images, load_split, prepare

CPU = torch.device("cpu")
SPLITS = ("train", "validation", "test")


def picture(seed: int, width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def write_tree(root: Path, per_class: int = 20, test_name: str = "val", size: tuple[int, int] = (20, 24)) -> Path:
    for split, count in (("train", per_class), (test_name, 3)):
        for index, label in enumerate(("ant", "bee")):
            (root / split / label).mkdir(parents=True)
            for number in range(count):
                picture(1000 * index + number, *size).save(root / split / label / f"{number:03}.png")
    return root


def prepared(name: str, place: Path) -> dict[str, Images]:
    place.mkdir()
    prepare(name, place)
    return {split: load_split(name, place, split, CPU, workers=0) for split in SPLITS}  # type: ignore[arg-type]
