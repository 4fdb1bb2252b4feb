"""Weights and masks as the store keeps them: what the base model has already is not kept twice, nor are zeros.

Lossless, bit for bit: the hash of the whole is kept too, and compared whenever it is put together again. Entries of
older versions hold every tensor whole, and are read as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file

from prunemark.benchmark.networks.weights import weights_sha256

WEIGHTS, PACKED = "weights.safetensors", "packed.json"
BITS, SIGNS, SHAPES = "::bits", "::signs", "shapes"
SUFFIXES = ("", BITS, SIGNS)
INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
LEAST_SAVED = 1024
"""Bytes that packing a tensor has to save: below that its own words would cost as much."""
Weights = dict[str, torch.Tensor]


class DoesNotFit(Exception):
    """What is kept cannot be put together again: it was packed against other bits than the base model has now."""


def write_weights(folder: Path, state: Mapping[str, torch.Tensor], base: Path | None = None) -> None:
    """Writes the tensors of a model, on the CPU and contiguous; `base` is the entry that unchanged ones are left to."""
    known = load_file(base / WEIGHTS) if base else {}
    same = sorted(name for name, tensor in state.items() if name in known and _identical(tensor, known[name]))
    kept: Weights = {}
    sparse: dict[str, list[int]] = {}
    for name in state.keys() - set(same):
        if packed := _packed(state[name]):
            kept |= {name + suffix: part for suffix, part in packed.items()}
            sparse[name] = list(state[name].shape)
        else:
            kept[name] = state[name]
    save_file(kept, folder / WEIGHTS)
    if same or sparse:
        about = {"base": base.name if base and same else None, "same": same, "sparse": sparse}
        (folder / PACKED).write_text(json.dumps(about | {"sha256": weights_sha256(state)}))


def read_weights(folder: Path, base: Path | None = None) -> Weights:
    """The tensors that `write_weights` was given. Raises DoesNotFit where the base model has other bits now."""
    state = load_file(folder / WEIGHTS)
    if (about := _about(folder)) is None:
        return state
    if about["same"]:
        if base is None or base.name != about["base"]:
            raise DoesNotFit(f"it is packed against the base model {about['base'][:12]}")
        known = load_file(base / WEIGHTS)
        state |= {name: known[name] for name in about["same"] if name in known}
    for name, shape in about["sparse"].items():
        state[name] = _unpacked(
            {suffix: state.pop(name + suffix) for suffix in SUFFIXES if name + suffix in state}, shape
        )
    if weights_sha256(state) != about["sha256"]:
        raise DoesNotFit("the base model that it is packed against was made anew, with other bits")
    return state


def shapes_of(folder: Path) -> dict[str, list[int]]:
    """The shape of every tensor that an entry holds, by headers only; without those that it leaves to a base model."""
    with safe_open(folder / WEIGHTS, "pt") as opened:
        shapes = {name: list(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    whole = {name: shape for name, shape in shapes.items() if not name.endswith((BITS, SIGNS))}
    return whole | (about["sparse"] if (about := _about(folder)) else {})


def base_of(folder: Path) -> str | None:
    """The key of the base model that an entry is packed against; None of one that stands by itself."""
    about = _about(folder)
    return about["base"] if about else None


def _about(folder: Path) -> dict[str, Any] | None:
    path = folder / PACKED
    return json.loads(path.read_text()) if path.exists() else None


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor's own bits, in a row: a zero has a sign, and a NaN equals itself."""
    return tensor.reshape(-1).view(INTEGERS[tensor.element_size()])


def _identical(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and torch.equal(_bits(one), _bits(other))


def _packed(tensor: torch.Tensor) -> Weights | None:
    """What is not zero, where it is, and the signs of the zeros, by suffix; None where that takes no less room.

    A mask leaves zeros of the weight's own sign, so about half of them are negative.
    """
    bits = _bits(tensor)
    where = (bits << 1 if tensor.is_floating_point() else bits) != 0
    negative = bits[~where] != 0
    found = {"": tensor.reshape(-1)[where], BITS: _bit_a_piece(where)}
    if negative.any():
        found[SIGNS] = _bit_a_piece(negative)
    needed = sum(part.numel() * part.element_size() for part in found.values())
    return found if needed + LEAST_SAVED < tensor.numel() * tensor.element_size() else None


def _unpacked(parts: Weights, shape: Iterable[int]) -> torch.Tensor:
    values = parts[""]
    whole = torch.zeros(tuple(shape), dtype=values.dtype)
    bits, where = _bits(whole), _as_bools(parts[BITS], whole.numel())
    if SIGNS in parts:
        sign = 1 << 7 if bits.dtype == torch.uint8 else torch.iinfo(bits.dtype).min
        bits[~where] = _as_bools(parts[SIGNS], int((~where).sum())).to(bits.dtype) * sign
    bits[where] = _bits(values)
    return whole


def _bit_a_piece(bools: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.packbits(bools.numpy()))


def _as_bools(packed: torch.Tensor, count: int) -> torch.Tensor:
    return torch.from_numpy(np.unpackbits(packed.numpy(), count=count).astype(bool))


def write_masks(path: Path, masks: Mapping[str, torch.Tensor]) -> None:
    """Writes masks as a bit a weight, with their shapes."""
    bits = {name: np.packbits(mask.reshape(-1).numpy().astype(bool)) for name, mask in masks.items()}
    save_arrays(bits, path, {SHAPES: json.dumps({name: list(mask.shape) for name, mask in masks.items()})})


def read_masks(path: Path) -> dict[str, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Masks by layer; older files have a byte a weight."""
    with safe_open(path, "np") as opened:
        about = opened.metadata() or {}
    shapes = json.loads(about.get(SHAPES, "{}"))
    return {
        name: np.unpackbits(array, count=int(np.prod(shapes[name]))).astype(bool).reshape(shapes[name])
        if name in shapes else array.astype(bool)
        for name, array in load_arrays(path).items()
    }  # fmt: skip
