"""Arrays of a user's images and labels, brought to one form: (examples, channels, height, width), uint8 or float32.

What cannot be told is refused, with the number of the image. Layouts are told from the sizes where these allow one
reading; else the user states it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from prunemark.setups.errors import InputError
from prunemark.setups.text import as_given

LAYOUTS = {"NCHW": (0, 1, 2, 3), "NHWC": (0, 3, 1, 2), "NHW": None, "NCL": None}
"""What a user may state: images with channels first or last, without channels, and signals of C channels."""
USUAL_CHANNELS = (1, 3, 4)
STATE_IT = 'State it: "layout": "{}" next to the splits (in a .npz file an array called layout)'


def checked_images(split: str, given: Any, layout: str | None) -> torch.Tensor:
    """The images of a split, (examples, channels, height, width): uint8, or float32 and finite.

    Whole numbers have to be from 0 to 255. Floats may have any range: a track's images are brought to mean 0 and
    deviation 1 of the training split. A signal (examples, channels, length) has height 1. Raises InputError.
    """
    images = _tensor(split, given)
    if not len(images):
        raise InputError(f"{split} has no images")
    images = _laid_out(split, images, layout)
    if 0 in images.shape:
        raise InputError(f"images of {split} are {_size(images)}: a side of them is 0")
    if images.is_floating_point():
        images = images.to(torch.float32)
        if (bad := _first(~torch.isfinite(images).flatten(1).all(dim=1))) is not None:
            raise InputError(f"image {bad} of {split}: it has values that are not finite (NaN or infinity)")
        return images.contiguous()
    if images.dtype == torch.bool:
        return images.to(torch.float32).contiguous()
    if images.dtype != torch.uint8:
        flat = images.flatten(1)
        if (bad := _first(((flat < 0) | (flat > 255)).any(dim=1))) is not None:
            low, high = int(flat[bad].min()), int(flat[bad].max())
            raise InputError(
                f"image {bad} of {split}: whole numbers from {low} to {high}; pixels are from 0 to 255. "
                "Give other values as floats"
            )
    return images.to(torch.uint8).contiguous()


def _tensor(split: str, given: Any) -> torch.Tensor:
    if isinstance(given, torch.Tensor):
        tensor = given.detach().cpu()
    else:
        array = np.asarray(given)
        if array.dtype.kind not in "biuf":
            raise InputError(f"images of {split} are an array of {array.dtype}: numbers of one shape are needed")
        if array.dtype.kind == "u" and array.dtype.itemsize > 1:
            array = array.astype(np.int64)
        tensor = torch.from_numpy(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))))
    if tensor.is_complex() or tensor.is_sparse or tensor.is_quantized:
        raise InputError(f"images of {split} are {tensor.dtype}: plain real numbers are needed")
    if not 2 <= tensor.dim() <= 4:
        raise InputError(
            f"images of {split} have shape {tuple(tensor.shape)}: (examples, channels, height, width) is needed"
        )
    return tensor


def _laid_out(split: str, images: torch.Tensor, layout: str | None) -> torch.Tensor:
    if layout is not None and layout not in LAYOUTS:
        raise InputError(f"layout is one of {', '.join(LAYOUTS)}; given {as_given(layout)}")
    if layout is not None and len(layout) != images.dim():
        raise InputError(f"images of {split} have shape {tuple(images.shape)}, which is not {layout}")
    if images.dim() == 2:
        return images[:, None, None, :]  # one channel of a length
    if images.dim() == 3:
        return images[:, :, None, :] if _is_signal(split, images, layout) else images[:, None, :, :]
    found = LAYOUTS[layout or _layout_of(split, tuple(images.shape))]
    assert found is not None
    return images.permute(found)


def _is_signal(split: str, images: torch.Tensor, layout: str | None) -> bool:
    _, first, second = images.shape
    if layout is not None:
        return layout == "NCL"
    if first in {1, second}:  # one channel of a length is also one row of an image; a square is an image
        return first == 1
    raise InputError(
        f"images of {split} have shape {tuple(images.shape)}: grey images of {first} x {second}, or signals of {first} "
        f"channels?\n{STATE_IT.format('NHW')}, or " + '"NCL" for signals'
    )


def _layout_of(split: str, shape: tuple[int, ...]) -> str:
    """Channels first or last: by square images and usual numbers of channels, where these do not contradict."""
    _, first, middle, last = shape
    square = {(True, False): "NCHW", (False, True): "NHWC"}.get((middle == last, first == middle))
    usual = {(True, False): "NCHW", (False, True): "NHWC"}.get((first in USUAL_CHANNELS, last in USUAL_CHANNELS))
    found = {square, usual} - {None}
    if len(found) != 1:
        raise InputError(
            f"images of {split} have shape {shape}: channels first or last?\n{STATE_IT.format('NCHW')}, or "
            + '"NHWC" where channels come last'
        )
    return str(found.pop())


def checked_labels(split: str, given: Any, examples: int, classes: int) -> torch.Tensor:
    """The class numbers of a split, (examples,) int64 from 0 to classes - 1. Raises InputError."""
    labels = given.detach().cpu().numpy() if isinstance(given, torch.Tensor) else np.asarray(given)
    if labels.dtype.kind not in "iuf":
        raise InputError(f"labels of {split} are {labels.dtype}: class numbers from 0 to {classes - 1} are needed")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise InputError(
            f"labels of {split} have shape {labels.shape}: one class number for each image is needed, such as "
            "labels.argmax(1)"
        )
    if len(labels) != examples:
        raise InputError(f"{split} has {examples:,} images and {len(labels):,} labels")
    wrong = ~np.isfinite(labels) if labels.dtype.kind == "f" else np.zeros(examples, dtype=bool)
    with np.errstate(invalid="ignore"):
        for is_wrong, why in (
            (wrong | (labels != np.floor(labels)), "is no whole number"),
            ((labels < 0) | (labels >= classes), f"is not one of the track's {classes} classes, 0 to {classes - 1}"),
        ):
            if is_wrong.any():
                number = int(np.argmax(is_wrong))
                raise InputError(f"image {number} of {split}: its label {labels[number].item()!r} {why}")
    return torch.from_numpy(labels.astype(np.int64))


def _first(found: torch.Tensor) -> int | None:
    return int(found.to(torch.uint8).argmax()) if bool(found.any()) else None


def _size(images: torch.Tensor) -> str:
    return " x ".join(map(str, images.shape[1:]))
