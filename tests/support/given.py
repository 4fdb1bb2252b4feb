"""The smallest ResNet of timm, trained here for a moment, its files, and a track that starts from them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.images.data import Images, load_split, prepare, tensor_dict
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.training.loop import accuracy_percent, predictions

CPU = torch.device("cpu")
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "cifar10-jpeg-test.parquet"
DATASET, NETWORK, SMALL = "folder:shades@32", "timm:test_resnet", "resnet8"
PRUNABLE = {
    NETWORK: ["layer1.0.conv1", "layer2.0.conv1", "layer4.0.conv1"],
    SMALL: ["blocks.0.conv1", "blocks.1.conv1"],
    "torchvision:resnet18": ["layer1.0.conv1", "layer1.1.conv1", "layer2.0.conv1", "layer2.1.conv1"],
}
CLASSES = ("dark", "light", "red")
TRACK = """
name = "given"
version = 1
title = "shades, a ResNet whose base is given"
dataset = "{dataset}"
classes = {classes}
network = "{network}"
family = "shades x ResNet"
granularity = "filter"
prunable = {prunable}
anchor = "L1-norm"
margin_pp = 0.5
pruning_epochs_limit = 1

[[levels]]
name = "half"
ratio = 0.5
speedup = 1.32

[pruning]
epochs = 1
lr = "1e-3"
batch_size = 30

[retraining]
epochs = 1
lr = "1e-3"
batch_size = 30
"""
BASE = """
[[base]]
weights = "{weights}"
sha256 = "{sha256}"
top1_percent = {percent}
source = "trained by a test"
"""


def write_shades(root: Path, per_class: int = 30) -> Path:
    """Images of three classes, by their mean colour: a network learns them in a few steps."""
    random = np.random.default_rng(0)
    for split, count in (("train", per_class), ("test", 10)):
        for name, shade in zip(CLASSES, ((60, 60, 60), (180, 180, 180), (200, 60, 60)), strict=True):
            (root / "shades" / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = np.clip(random.normal(shade, 40, (32, 32, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(root / "shades" / split / name / f"{number:03}.png")
    return root


def write_cifar(root: Path, per_class: int = 60) -> bool:
    """Some of the real CIFAR-10 in JPEG, for the dataset `folder:cifar@32`; False where it is not on this machine."""
    if not SHARED.is_file():
        return False
    parquet = pytest.importorskip("pyarrow.parquet")
    table, seen = parquet.read_table(SHARED), dict[str, int]()
    for image, name in zip(table["image"].to_pylist(), table["class_name"].to_pylist(), strict=True):
        seen[name] = seen.get(name, 0) + 1
        folder = root / "cifar" / ("test" if seen[name] <= 10 else "train") / name
        if seen[name] <= per_class:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{seen[name]:04}.jpg").write_bytes(image)
    return True


def trained(data: Images, steps: int = 6, seed: int = 0, network: str = NETWORK) -> nn.Module:
    """A network after a few steps on images that it has seen."""
    model = build_network(network, data.shape, seed)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    images, labels = data.first(60), data.labels[:60]
    for _ in range(steps):
        optimiser.zero_grad()
        F.cross_entropy(model.train()(images), labels).backward()
        optimiser.step()
    return model.eval()


def percent_of(model: nn.Module, data: Images) -> float:
    return accuracy_percent(predictions(model, data) == data.labels)


def prepared(place: Path, dataset: str = DATASET) -> dict[str, Images]:
    place.mkdir()
    prepare(dataset, place)
    return {split: load_split(dataset, place, split, CPU, workers=0) for split in ("train", "test")}  # type: ignore[arg-type]


def save(model: nn.Module, path: Path) -> Path:
    """By its ending: safetensors, or what `torch.save` writes of published checkpoints."""
    if path.suffix == ".safetensors":
        save_file(tensor_dict(model.state_dict()), path)
    else:
        wrapped = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
        torch.save({"epoch": 3, "state_dict": wrapped, "optimizer": {"state": {}, "param_groups": []}}, path)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def base(path: Path, percent: float, weights: str = "") -> str:
    return BASE.format(weights=weights or f"file:{path.name}", sha256=sha256(path), percent=percent)


def track(
    folder: Path, *bases: str, network: str = NETWORK, dataset: str = DATASET, classes: int = 3, name: str = "given"
) -> Path:
    """The file of a track, next to the weights."""
    terms = {"network": network, "dataset": dataset, "classes": classes, "prunable": json.dumps(PRUNABLE[network])}
    text = TRACK.format(**terms) + "".join(bases)
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path
