"""The networks a track can name, as plain modules. Randomness comes from the seed that is passed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from prunemark.setups.errors import unknown_name


@dataclass(frozen=True)
class ImageShape:
    """What a network is built for: (channels, height, width) images of `classes` classes."""

    channels: int
    height: int
    width: int
    classes: int


class PaddedShortcut(nn.Module):
    """Option A of He et al. 2016: every second pixel, and zeros for the new channels; it has no parameters."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.new_channels, self.stride = channels_out - channels_in, stride

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels_in, height, width) -> (batch, channels_out, height/stride, width/stride)."""
        before = self.new_channels // 2
        pad = (0, 0, 0, 0, before, self.new_channels - before)
        return F.pad(images[:, :, :: self.stride, :: self.stride], pad)


class BasicBlock(nn.Module):
    """conv-BN-ReLU-conv-BN plus a shortcut (He et al. 2016, Fig. 2); where shapes change, 1x1 or padded."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, padded: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.shortcut = nn.Sequential()
        if padded and (stride != 1 or channels_in != channels_out):
            self.shortcut = nn.Sequential(PaddedShortcut(channels_in, channels_out, stride))
        elif stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels_in, height, width) -> (batch, channels_out, height/stride, width/stride)."""
        inner = F.relu(self.bn1(self.conv1(images)))
        out: torch.Tensor = F.relu(self.bn2(self.conv2(inner)) + self.shortcut(images))
        return out


class ResNet(nn.Module):
    """A stem of one 3x3 convolution, residual blocks, average pooling and a linear classifier."""

    def __init__(self, shape: ImageShape, widths: tuple[int, ...], blocks_per_width: int, padded: bool = False) -> None:
        super().__init__()
        self.stem = nn.Conv2d(shape.channels, widths[0], 3, padding=1, bias=False)
        self.stem_bn = nn.BatchNorm2d(widths[0])
        blocks, channels = [], widths[0]
        for stage, width in enumerate(widths):
            for index in range(blocks_per_width):
                blocks.append(BasicBlock(channels, width, 2 if stage and not index else 1, padded))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(channels, shape.classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) -> logits (batch, classes)."""
        features = self.blocks(F.relu(self.stem_bn(self.stem(images))))
        logits: torch.Tensor = self.classifier(F.adaptive_avg_pool2d(features, 1).flatten(1))
        return logits


VGG19_WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512)


class VGG(nn.Module):
    """VGG with batch norm for 32x32 images: 3x3 convolutions, pooling at the zeros of `widths`, one linear layer."""

    def __init__(self, shape: ImageShape, widths: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = shape.channels
        for width in widths:
            if not width:
                layers.append(nn.MaxPool2d(2))
                continue
            convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, shape.classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) -> logits (batch, classes)."""
        logits: torch.Tensor = self.classifier(F.adaptive_avg_pool2d(self.features(images), 1).flatten(1))
        return logits


class MLP(nn.Module):
    """Fully connected layers with ReLU between them; the founding paper's network for its exact analysis."""

    def __init__(self, shape: ImageShape, hidden: int, depth: int) -> None:
        super().__init__()
        sizes = [shape.channels * shape.height * shape.width, *[hidden] * (depth - 1), shape.classes]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) -> logits (batch, classes)."""
        hidden = images.flatten(1)
        for layer in self.layers[:-1]:
            hidden = F.relu(layer(hidden))
        logits: torch.Tensor = self.layers[-1](hidden)
        return logits


NETWORKS: dict[str, Callable[[ImageShape], nn.Module]] = {
    "resnet8": lambda shape: ResNet(shape, widths=(8, 16, 32), blocks_per_width=1),
    "resnet56": lambda shape: ResNet(shape, widths=(16, 32, 64), blocks_per_width=9, padded=True),
    "vgg19": lambda shape: VGG(shape, VGG19_WIDTHS),
    "mlp7": lambda shape: MLP(shape, hidden=100, depth=7),
}


def build_network(name: str, shape: ImageShape, seed: int) -> nn.Module:
    """The named network with random weights drawn from `seed`; the global generator is left as it was.

    He initialisation (He et al. 2015): fan-out for convolutions, fan-in for linear layers. Raises
    InputError for an unknown name.
    """
    if name not in NETWORKS:
        raise unknown_name("network", name, NETWORKS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = NETWORKS[name](shape)
        initialise(model)
    return model


def initialise(model: nn.Module) -> None:
    """Draws the weights anew from the global generator, by the shapes the layers have now."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            module.reset_parameters()
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            nn.init.zeros_(module.bias)
