"""Weights and masks come back bit for bit from what is kept of them, and old entries are read as they are."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from prunemark.benchmark.networks.weights import weights_sha256
from prunemark.benchmark.trial.packing import (
    PACKED,
    WEIGHTS,
    DoesNotFit,
    base_of,
    read_masks,
    read_weights,
    shapes_of,
    write_masks,
    write_weights,
)

BASE = "ba" * 32


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / BASE
    folder.mkdir()
    save_file(dense(), folder / WEIGHTS)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def dense() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {
        "conv.weight": torch.randn(16, 8, 3, 3, generator=generator),
        "conv.bias": torch.randn(16, generator=generator),
        "norm.running_mean": torch.zeros(4096),
        "norm.num_batches_tracked": torch.tensor(7),
        "half.weight": torch.randn(64, 64, generator=generator).to(torch.bfloat16),
    }


def odd() -> torch.Tensor:
    """Nearly all zeros, and among the rest what compares unequal to itself or equal to zero."""
    tensor = torch.zeros(50, 41)
    tensor[1, :4] = torch.tensor([-0.0, -float("nan"), float("inf"), 1e-45])
    tensor[49, 40] = 3.0
    return tensor


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return weights_sha256(one) == weights_sha256(other)


def test_weights_that_the_base_has_are_not_kept_twice(base: Path, out: Path) -> None:
    write_weights(out, dense(), base)
    assert size(out) < 500 < size(base) and base_of(out) == BASE
    assert same_bits(read_weights(out, base), dense())
    assert shapes_of(out) == {}


def test_only_what_differs_is_kept(base: Path, out: Path) -> None:
    """A changed bit, another type and another shape are differences; so is a zero of the other sign."""
    state = dense()
    state["conv.bias"][3] += 1e-6
    state["norm.running_mean"][5] = -0.0
    state["half.weight"] = state["half.weight"].float()
    write_weights(out, state, base)
    assert same_bits(read_weights(out, base), state)
    assert json.loads((out / PACKED).read_text())["same"] == ["conv.weight", "norm.num_batches_tracked"]


def test_zeros_are_not_kept(out: Path) -> None:
    state = {"sparse": odd(), "dense": torch.ones(100, 10), "zeros": torch.zeros(3, 1000), "few": odd()[0]}
    write_weights(out, state)
    read = read_weights(out)
    assert same_bits(read, state) and base_of(out) is None
    assert all(tensor.is_contiguous() for tensor in read.values())
    assert size(out) < 6500 < sum(tensor.numel() * 4 for tensor in state.values())
    assert shapes_of(out) == {name: list(tensor.shape) for name, tensor in state.items()}


@pytest.mark.parametrize("type", [torch.float64, torch.float32, torch.bfloat16, torch.float8_e5m2])
def test_the_signs_of_zeros_come_back_in_a_bit_each(out: Path, type: torch.dtype) -> None:
    """As a mask leaves them."""
    generator = torch.Generator().manual_seed(1)
    masked = torch.randn(200, 100, generator=generator) * (torch.rand(200, 100, generator=generator) > 0.9)
    write_weights(out, {"a": masked.to(type)})
    assert torch.signbit(masked[masked == 0]).float().mean() > 0.4
    assert same_bits(read_weights(out), {"a": masked.to(type)})
    bytes_each = torch.empty(0, dtype=type).element_size()
    assert size(out) < 20_000 * (0.12 * bytes_each + 2 / 8) + 600


@pytest.mark.parametrize("type", [torch.float64, torch.float32, torch.float16, torch.int64, torch.uint8, torch.bool])
def test_every_type_of_number_comes_back(out: Path, type: torch.dtype) -> None:
    state = {"a": (torch.rand(300, 100, generator=torch.Generator().manual_seed(1)) > 0.9).to(type)}
    write_weights(out, state)
    assert same_bits(read_weights(out), state)
    assert size(out) < 30_000 * torch.empty(0, dtype=type).element_size() / 2


def test_an_entry_of_an_older_version_is_read_as_it_is(base: Path) -> None:
    assert same_bits(read_weights(base), dense()) and base_of(base) is None
    assert shapes_of(base) == {name: list(tensor.shape) for name, tensor in dense().items()}


def test_another_base_is_noticed(base: Path, out: Path) -> None:
    write_weights(out, dense(), base)
    with pytest.raises(DoesNotFit, match=f"packed against the base model {BASE[:12]}"):
        read_weights(out)
    other = base.with_name("cd" * 32)
    shutil.copytree(base, other)
    with pytest.raises(DoesNotFit, match="packed against the base model"):
        read_weights(out, other)
    anew = dense()
    anew["conv.weight"][0, 0, 0, 0] += 1e-6
    for bits in (anew, {name: tensor for name, tensor in anew.items() if name != "conv.weight"}):
        save_file(bits, base / WEIGHTS)
        with pytest.raises(DoesNotFit, match="made anew, with other bits"):
            read_weights(out, base)


def test_masks_take_a_bit_a_weight(tmp_path: Path) -> None:
    masks = {"b": torch.rand(13, 7, 3, 3) > 0.8, "a": torch.zeros(5, 3, dtype=torch.bool)}
    write_masks(tmp_path / "masks", masks)
    found = read_masks(tmp_path / "masks")
    assert {name: mask.tolist() for name, mask in found.items()} == {n: mask.tolist() for n, mask in masks.items()}
    assert all(mask.dtype == np.bool_ for mask in found.values())
    assert (tmp_path / "masks").stat().st_size < 400
    write_masks(tmp_path / "none", {})
    assert read_masks(tmp_path / "none") == {}
    save_file({name: mask.to(torch.uint8) for name, mask in masks.items()}, tmp_path / "old")
    old = read_masks(tmp_path / "old")
    assert {name: mask.tolist() for name, mask in old.items()} == {n: mask.tolist() for n, mask in masks.items()}
