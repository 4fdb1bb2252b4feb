"""Augmentation of whole batches on their device. Draws come from a CPU generator: the same on every device."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

PIXELS = {"shift1": 1, "crop-flip": 4}
AREA, ASPECT, TRIES = (0.08, 1.0), (3 / 4, 4 / 3), 10


def augment(images: torch.Tensor, kind: str, black: float, generator: torch.Generator) -> torch.Tensor:
    """One augmented copy of a batch (batch, channels, height, width), every image by its own draw.

    Pixels may be normalised float32, or uint8; `black` is what moves in at the borders. The kinds are those of
    `setups.recipe.AUGMENTATIONS`.
    """
    if kind == "none":
        return images
    if kind == "resized-crop":
        return _flipped(_resized(images, generator), generator)
    moved = _shifted(images, PIXELS[kind], black, generator)
    return _flipped(moved, generator) if kind == "crop-flip" else moved


def _shifted(images: torch.Tensor, pixels: int, black: float, generator: torch.Generator) -> torch.Tensor:
    """Crops each image from its padded self: one gather for the whole batch instead of a loop."""
    batch, channels, height, width = images.shape
    padded = F.pad(images, (pixels,) * 4, value=black)
    offsets = torch.randint(0, 2 * pixels + 1, (2, batch), generator=generator).to(images.device, non_blocking=True)
    rows = offsets[0, :, None] + torch.arange(height, device=images.device)  # (batch, height)
    columns = offsets[1, :, None] + torch.arange(width, device=images.device)  # (batch, width)
    places = (rows[:, :, None] * (width + 2 * pixels) + columns[:, None, :]).reshape(batch, 1, -1)
    flat = padded.flatten(2).gather(2, places.expand(batch, channels, -1))
    return flat.reshape(batch, channels, height, width)


def _flipped(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    chosen = (torch.rand(len(images), generator=generator) < 0.5).to(images.device, non_blocking=True)
    return torch.where(chosen[:, None, None, None], images.flip(3), images)


def _resized(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A random part of each image, stretched over the whole (Szegedy et al. 2015), bilinear; one sampling a batch."""
    batch, _channels, height, width = images.shape
    boxes = torch.stack([crop_box(height, width, generator) for _ in range(batch)])  # (batch, top left bottom right)
    top, left, bottom, right = boxes.unbind(1)
    theta = torch.zeros(batch, 2, 3)  # from output places to input places, both from -1 to 1
    theta[:, 0, 0], theta[:, 0, 2] = (right - left) / width, (right + left) / width - 1
    theta[:, 1, 1], theta[:, 1, 2] = (bottom - top) / height, (bottom + top) / height - 1
    grid = F.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
    out = F.grid_sample(images.to(torch.float32), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return out.round().to(torch.uint8) if images.dtype == torch.uint8 else out


def crop_box(height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """The part to keep, float32 (top, left, bottom, right) in pixels: 8 to 100 % of the area, sides 3:4 to 4:3.

    A shape that does not fit is drawn anew, ten times at most; then the largest part from the middle that has an
    allowed shape is taken.
    """
    for area, aspect, down, along in torch.rand(TRIES, 4, generator=generator).tolist():
        kept = height * width * (AREA[0] + area * (AREA[1] - AREA[0]))
        ratio = math.exp(math.log(ASPECT[0]) + aspect * (math.log(ASPECT[1]) - math.log(ASPECT[0])))
        across, high = round(math.sqrt(kept * ratio)), round(math.sqrt(kept / ratio))
        if 0 < across <= width and 0 < high <= height:
            top, left = int(down * (height - high + 1)), int(along * (width - across + 1))
            return torch.tensor([top, left, top + high, left + across], dtype=torch.float32)
    high = min(height, round(width / ASPECT[0]))
    across = min(width, round(height * ASPECT[1]))
    top, left = (height - high) // 2, (width - across) // 2
    return torch.tensor([top, left, top + high, left + across], dtype=torch.float32)
