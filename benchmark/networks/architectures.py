"""The architectures that the project has of its own: CIFAR's residual networks, VGG, WRN, MobileNetV2, and an MLP."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F


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
        inner = torch.relu(self.bn1(self.conv1(images)))
        out: torch.Tensor = torch.relu(self.bn2(self.conv2(inner)) + self.shortcut(images))
        return out


class ResNet(nn.Module):
    """A stem of one 3x3 convolution, residual blocks, average pooling and a linear classifier."""

    def __init__(
        self, channels: int, classes: int, widths: tuple[int, ...], blocks_per_width: int, padded: bool = False,
        stem_stride: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.stem = nn.Conv2d(channels, widths[0], 3, stem_stride, padding=1, bias=False)
        self.stem_bn = nn.BatchNorm2d(widths[0])
        blocks, channels = [], widths[0]
        for stage, width in enumerate(widths):
            for index in range(blocks_per_width):
                blocks.append(BasicBlock(channels, width, 2 if stage and not index else 1, padded))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) -> logits (batch, classes)."""
        features = self.blocks(torch.relu(self.stem_bn(self.stem(images))))
        logits: torch.Tensor = self.classifier(F.adaptive_avg_pool2d(features, 1).flatten(1))
        return logits


VGG16_WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)
VGG19_WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512)


class VGG(nn.Module):
    """VGG with batch norm for 32x32 images: 3x3 convolutions, pooling at the zeros of `widths`, one linear layer."""

    def __init__(self, channels: int, classes: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in widths:
            if not width:
                layers.append(nn.MaxPool2d(2))
                continue
            convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) -> logits (batch, classes)."""
        logits: torch.Tensor = self.classifier(F.adaptive_avg_pool2d(self.features(images), 1).flatten(1))
        return logits


class WideBlock(nn.Module):
    """BN-ReLU-conv twice plus a shortcut: the pre-activation block of WRN (Zagoruyko & Komodakis 2016, Table 1)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        same = stride == 1 and channels_in == channels_out
        self.shortcut = None if same else nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels_in, height, width) -> (batch, channels_out, height/stride, width/stride)."""
        active = torch.relu(self.bn1(images))
        inner = self.conv2(torch.relu(self.bn2(self.conv1(active))))
        out: torch.Tensor = inner + (images if self.shortcut is None else self.shortcut(active))
        return out


class WideResNet(nn.Module):
    """WRN-depth-factor without dropout: three stages of (depth - 4) / 6 blocks, 16, 32 and 64 times `factor` wide."""

    def __init__(self, channels: int, classes: int, depth: int, factor: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        blocks, width = [], 16
        for stage in range(3):
            for index in range((depth - 4) // 6):
                blocks.append(WideBlock(width, 16 * factor * 2**stage, 2 if stage and not index else 1))
                width = 16 * factor * 2**stage
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) -> logits (batch, classes)."""
        features = torch.relu(self.bn(self.blocks(self.stem(images))))
        logits: torch.Tensor = self.classifier(F.adaptive_avg_pool2d(features, 1).flatten(1))
        return logits


class InvertedBlock(nn.Module):
    """1x1 expansion, 3x3 depthwise, 1x1 projection without ReLU (Sandler et al. 2018, Fig. 4); a sum where it fits."""

    def __init__(self, channels_in: int, channels_out: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner = expansion * channels_in
        self.expand = nn.Conv2d(channels_in, inner, 1, bias=False) if expansion > 1 else None
        self.expand_bn = nn.BatchNorm2d(inner) if expansion > 1 else None
        self.depthwise = nn.Conv2d(inner, inner, 3, stride, padding=1, groups=inner, bias=False)
        self.depthwise_bn = nn.BatchNorm2d(inner)
        self.project = nn.Conv2d(inner, channels_out, 1, bias=False)
        self.project_bn = nn.BatchNorm2d(channels_out)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels_in, height, width) -> (batch, channels_out, height/stride, width/stride)."""
        inner = images
        if self.expand is not None and self.expand_bn is not None:
            inner = F.relu6(self.expand_bn(self.expand(images)))
        inner = F.relu6(self.depthwise_bn(self.depthwise(inner)))
        out: torch.Tensor = self.project_bn(self.project(inner))
        return images + out if self.residual else out


class MobileNetV2(nn.Module):
    """MobileNetV2 for 32x32 images: two of its strides of two are left out, so that 4x4 places remain.

    Each row of `ROWS` is (expansion, channels, repeats, stride), Table 2 of Sandler et al. 2018; the strides of the
    stem and of the second row are 1 instead of 2, as CIFAR versions of it commonly have them.
    """

    ROWS = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 32, 3, padding=1, bias=False)
        self.stem_bn = nn.BatchNorm2d(32)
        blocks, width = [], 32
        for expansion, channels_out, repeats, stride in self.ROWS:
            for index in range(repeats):
                blocks.append(InvertedBlock(width, channels_out, expansion, 1 if index else stride))
                width = channels_out
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Conv2d(width, 1280, 1, bias=False)
        self.head_bn = nn.BatchNorm2d(1280)
        self.classifier = nn.Linear(1280, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) -> logits (batch, classes)."""
        features = self.blocks(F.relu6(self.stem_bn(self.stem(images))))
        features = F.relu6(self.head_bn(self.head(features)))
        logits: torch.Tensor = self.classifier(F.adaptive_avg_pool2d(features, 1).flatten(1))
        return logits


class MLP(nn.Module):
    """Fully connected layers with ReLU between them; the founding paper's network for its exact analysis."""

    def __init__(self, pixels: int, classes: int, hidden: int, depth: int) -> None:
        super().__init__()
        sizes = [pixels, *[hidden] * (depth - 1), classes]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) -> logits (batch, classes)."""
        hidden = images.flatten(1)
        for layer in self.layers[:-1]:
            hidden = torch.relu(layer(hidden))
        logits: torch.Tensor = self.layers[-1](hidden)
        return logits
