"""Data: splits that never move, augmentation checked image by image against every place it may go."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from prunemark.benchmark.images.data import Images, augment, load_split, pick_device, prepare, tensor_dict
from prunemark.benchmark.networks.registry import ImageShape, as_example
from prunemark.setups.errors import InputError

fixed = settings(derandomize=True, deadline=None, database=None)
CPU = torch.device("cpu")
SIZES = {"train": 1097, "validation": 200, "test": 500}
# SHA-256 of the labels (int64) and images (float32) of each split: results depend on every bit of them
CHECKSUMS = {
    "train": "4f2795fa49bb9c1ebc122af7f825631dc71c10d9192fc35faf37fc24aa36a49a",
    "validation": "e1c7551f336dbf69b5b843bc1fbafdb73d51dab5e2589f2067417d52462aeecf",
    "test": "c9513a09075eb309e405eeec573c6fda2cfbf202176f3a800c878109b3167c32",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("digits")
    prepare("digits", place)
    return place


@pytest.fixture(scope="module")
def splits(folder: Path) -> dict[str, Images]:
    return {split: load_split("digits", folder, split, CPU) for split in ("train", "validation", "test")}


def test_sizes_and_shapes(splits: dict[str, Images]) -> None:
    assert {split: len(data) for split, data in splits.items()} == SIZES
    for data in splits.values():
        assert data.shape == ImageShape(1, 8, 8, 10)
        assert data.images.dtype == torch.float32 and data.labels.dtype == torch.int64
        assert set(data.labels.tolist()) == set(range(10))


def test_the_splits_share_nothing_and_leave_nothing_out(splits: dict[str, Images]) -> None:
    """Against scikit-learn's own copy, by the pixels and the label of each image."""
    pixels, labels = load_digits(return_X_y=True)
    original = sorted((image.astype(int).tobytes(), int(label)) for image, label in zip(pixels, labels, strict=True))
    found: list[tuple[bytes, int]] = []
    for data in splits.values():
        raw = ((data.images.double() * 0.3761 + 0.3053) * 16).round().flatten(1).numpy().astype(int)
        found += [(image.tobytes(), int(label)) for image, label in zip(raw, data.labels, strict=True)]
    assert sorted(found) == original and len(set(original)) == 1797  # no image twice, so none in two splits


def test_the_splits_never_change(splits: dict[str, Images]) -> None:
    for split, data in splits.items():
        digest = hashlib.sha256(data.labels.numpy().tobytes() + data.images.contiguous().numpy().tobytes()).hexdigest()
        assert digest == CHECKSUMS[split], f"{split} changed: all results on digits would"


def test_preparing_again_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    prepare("digits", tmp_path)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["test.safetensors", "train.safetensors", "validation.safetensors"]
    assert all((folder / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)


def test_the_training_split_is_normalised(splits: dict[str, Images]) -> None:
    data = splits["train"]
    assert abs(float(data.images.mean())) < 0.02 and float(data.images.std()) == pytest.approx(1, abs=0.02)
    assert float(data.images.min()) == pytest.approx(data.black)  # an empty pixel


def test_training_needs_no_other_split(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "train.safetensors").write_bytes((folder / "train.safetensors").read_bytes())
    assert len(load_split("digits", tmp_path, "train", CPU)) == 1097
    with pytest.raises(InputError, match="dataset digits has no prepared test split in"):
        load_split("digits", tmp_path, "test", CPU)


def test_an_unknown_dataset_gets_the_valid_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown dataset 'digit'. Did you mean 'digits'?"):
        prepare("digit", tmp_path)


def moved(image: np.ndarray, rows: int, columns: int, black: float) -> np.ndarray:
    """The image moved by so many places, pixel by pixel, black moving in."""
    _channels, height, width = image.shape
    out = np.full_like(image, black)
    for row in range(height):
        for column in range(width):
            if 0 <= row + rows < height and 0 <= column + columns < width:
                out[:, row, column] = image[:, row + rows, column + columns]
    return out


shapes = st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))


@fixed
@given(shapes, st.integers(0, 99))
def test_every_shifted_image_is_one_of_its_nine_shifts(shape: tuple[int, int, int, int], seed: int) -> None:
    images = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    out = augment(images, "shift1", -0.5, torch.Generator().manual_seed(seed + 1))
    assert out.shape == images.shape
    for image, result in zip(images.numpy(), out.numpy(), strict=True):
        nine = [moved(image, rows, columns, -0.5) for rows in (-1, 0, 1) for columns in (-1, 0, 1)]
        assert any(np.array_equal(result, one) for one in nine)


def test_every_shift_is_drawn_equally_often() -> None:
    image = torch.arange(64.0).reshape(1, 1, 8, 8)
    out = augment(image.expand(9000, 1, 8, 8), "shift1", -1.0, torch.Generator().manual_seed(0))
    _, counts = out.flatten(1).unique(dim=0, return_counts=True)
    assert len(counts) == 9 and all(850 < count < 1150 for count in counts.tolist())  # 1000 +- 5 sd of 30


@fixed
@given(st.integers(0, 30))
def test_crop_flip_is_a_shift_by_up_to_four_and_perhaps_a_mirror(seed: int) -> None:
    images = torch.randn(4, 2, 6, 7, generator=torch.Generator().manual_seed(seed))
    out = augment(images, "crop-flip", 0.25, torch.Generator().manual_seed(seed + 1))
    assert out.shape == images.shape
    for image, result in zip(images.numpy(), out.numpy(), strict=True):
        all_shifts = [moved(image, rows, columns, 0.25) for rows in range(-4, 5) for columns in range(-4, 5)]
        assert any(np.array_equal(side, one) for one in all_shifts for side in (result, result[:, :, ::-1]))


def test_half_of_the_images_are_mirrored() -> None:
    image = torch.zeros(1, 1, 1, 9)
    image[..., :5] = torch.arange(1.0, 6.0)
    out = augment(image.expand(4000, 1, 1, 9), "crop-flip", 0.0, torch.Generator().manual_seed(0))
    whole = out[(out.flatten(1) > 0).sum(dim=1) >= 2].flatten(1)
    rising = (whole.diff(dim=1) == 1).any(dim=1)
    assert 0.45 < float(rising.float().mean()) < 0.55


def test_no_augmentation_is_none_and_the_draws_come_from_the_generator() -> None:
    images = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert augment(images, "none", 0.0, torch.Generator()) is images
    for kind in ("shift1", "crop-flip"):
        one, again, other = (augment(images, kind, 0.0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
        assert torch.equal(one, again) and not torch.equal(one, other)


def test_devices() -> None:
    assert pick_device("cpu") == CPU
    with pytest.raises(InputError, match=r"unknown device 'gpu'. Valid: cpu, cuda, cuda:0"):
        pick_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="torch sees no GPU here. Use --device cpu"):
            pick_device("cuda")


def test_a_state_dict_is_copied() -> None:
    weight = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
    copy = tensor_dict({"w": weight, "t": weight.t()})
    assert not copy["w"].requires_grad and copy["t"].is_contiguous()
    with torch.no_grad():
        weight.zero_()
    assert copy["w"].sum() == copy["t"].sum() == 15
    assert as_example(ImageShape(3, 4, 5, 2)).shape == (1, 3, 4, 5)
