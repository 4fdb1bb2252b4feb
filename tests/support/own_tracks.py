"""Tracks with a network and images of their author's: small ones, and what has to be in their files."""

from pathlib import Path

NETWORK = """
from torch import nn


class Net(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        )
        self.head = nn.Linear(8, classes)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


def build(channels, height, width, classes):
    return Net(channels, classes)
"""
SIGNALS = """
from torch import nn


class Net(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv1d(channels, 8, 5, padding=2, bias=False), nn.BatchNorm1d(8)
        self.depthwise = nn.Conv1d(8, 8, 3, padding=1, groups=8)
        self.conv2 = nn.Conv1d(8, 8, 3, padding=1, stride=2)
        self.hidden, self.head = nn.Linear(64, 16), nn.Linear(16, classes)

    def forward(self, x):
        x = self.depthwise(self.bn1(self.conv1(x.squeeze(2))).relu())
        return self.head(self.hidden(self.conv2(x).relu().flatten(1)).relu())


def build(classes, channels):
    return Net(channels, classes)
"""
LOAD = """
import numpy as np


def load():
    labels = np.arange(60) % 3
    images = np.zeros((60, 8, 8), dtype=np.uint8)
    for number, label in enumerate(labels):
        images[number, 2 * label : 2 * label + 2] = 100 + number
    return {"train": (images[:45], labels[:45]), "test": (images[45:], labels[45:])}
"""
TRACK = """
name = "{name}"
version = 1
title = "a track of one's own"
data = "{data}"
classes = 3
network = "{network}"
family = "own"
granularity = "{granularity}"
prunable = {prunable}
anchor = "{anchor}"
margin_pp = 1.0
tolerance = 0.05

[[levels]]
name = "50%"
ratio = 0.5
{speedup}

[pretraining]
epochs = 1
lr = "1e-2"
batch_size = 16

[pruning]
epochs = 1
lr = "1e-2"

[retraining]
epochs = 1
lr = "1e-2"
batch_size = 16
"""


def write_track(
    folder: Path,
    *,
    network: str = "model.py:build",
    data: str = "data.py:load",
    prunable: str = '["body.0", "body.3"]',
    weights: bool = False,
    name: str = "own",
) -> Path:
    """Writes own.toml with these parts into the folder, and model.py, signals.py and data.py where they are missing."""
    for file, text in (("model.py", NETWORK), ("signals.py", SIGNALS), ("data.py", LOAD)):
        if not (folder / file).exists():
            (folder / file).write_text(text)
    about = {"granularity": "weight", "anchor": "LAMP", "speedup": ""} if weights else {
        "granularity": "filter", "anchor": "L1-norm", "speedup": "speedup = 2.0"
    }  # fmt: skip
    path = folder / "own.toml"
    path.write_text(TRACK.format(name=name, network=network, data=data, prunable=prunable, **about))
    return path
