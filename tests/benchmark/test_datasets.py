"""Images of a user: torchvision's layouts, any folder, in memory or from files; and real ones beside the clone."""

from __future__ import annotations

import contextlib
import gzip
import pickle
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.image_folders import picture, prepared, write_tree
from typer.testing import CliRunner

from prunemark.benchmark.images import sources
from prunemark.benchmark.images.augmentation import augment, crop_box
from prunemark.benchmark.images.data import Images, load_split, prepare
from prunemark.benchmark.images.datasets import DATASETS, dataset_of, read_image
from prunemark.benchmark.images.sources import VARIABLE, data_folder, source_of
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.networks.registry import ImageShape
from prunemark.benchmark.training.loop import predictions, served
from prunemark.benchmark.trial.stages import folder_sha256
from prunemark.cli.app import app
from prunemark.setups.errors import InputError
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule

CPU = torch.device("cpu")
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SPLITS = ("train", "validation", "test")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    return write_tree(tmp_path / "mine" / "insects")


def test_names_that_are_known_without_torch_are_those_that_are_read() -> None:
    known = {*sources.INSTALLED, *sources.CHECKED_BY_TORCHVISION, *sources.IN_FOLDERS}
    assert known == set(DATASETS)
    with pytest.raises(InputError, match=r"digitz.*Did you mean digits|unknown dataset 'digitz'"):
        source_of("digitz")


def test_any_folder_of_images_is_read_resized_and_split(tree: Path, tmp_path: Path) -> None:
    splits = prepared("folder:insects@16", tmp_path / "out")
    assert {split: len(data) for split, data in splits.items()} == {"train": 36, "validation": 4, "test": 6}
    for data in splits.values():
        assert data.shape == ImageShape(3, 16, 16, 2) and data.images.dtype == torch.uint8
    assert splits["test"].labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.equal(splits["test"].images[1], read_image(tree / "val" / "ant" / "001.png", 16))


def test_from_files_or_from_memory_a_batch_is_the_same(tree: Path, tmp_path: Path) -> None:
    memory, files = prepared("folder:insects@16", tmp_path / "a"), prepared("folder:insects@16/files", tmp_path / "b")
    assert files["test"].images.numel() == 0 and files["test"].shape == memory["test"].shape
    for one, other in zip(memory["test"].in_order(4), files["test"].in_order(4), strict=True):
        assert torch.equal(one, other) and one.dtype == torch.float32
    assert {len(data) for data in files.values()} == {36, 4, 6}
    assert torch.equal(memory["test"].first(2), files["test"].first(2))


def test_workers_change_nothing(tree: Path, tmp_path: Path) -> None:
    prepared("folder:insects@16/files", tmp_path / "out")
    recipe = Recipe(parse_schedule("1e-2", 1), batch_size=8, augmentation="resized-crop")
    batches = []
    for workers in (0, 2):
        data = load_split("folder:insects@16/files", tmp_path / "out", "train", CPU, workers=workers)
        batches.append(list(served(data, recipe, 0, "s", 0, Meter(0))))
    assert len(batches[0]) == len(batches[1]) == 5
    for (images, labels), (images2, labels2) in zip(*batches, strict=True):
        assert torch.equal(images, images2) and torch.equal(labels, labels2)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 256, 2))
    data = load_split("folder:insects@16/files", tmp_path / "out", "test", CPU, workers=0)
    assert len(predictions(model, data)) == 6


def test_the_checksum_is_of_the_images_themselves(tree: Path, tmp_path: Path) -> None:
    for name in ("folder:insects@16", "folder:insects@16/files"):
        sums = []
        for turn in range(3):
            place = tmp_path / f"{turn}{len(name)}"
            prepared(name, place)
            sums.append(folder_sha256(place))
            if turn == 1:
                picture(99 + len(name), 20, 24).save(tree / "train" / "bee" / "007.png")
        assert sums[0] == sums[1] != sums[2]


def test_pixels_are_normalised_by_channel() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1)
    data = Images(pixels, torch.zeros(1, dtype=torch.int64), 2, 0.0, (0.5, 0.2, 0.0), (0.5, 0.1, 2.0))
    assert data.first(1).flatten().tolist() == pytest.approx([-1.0, 0.0, 0.5])
    assert augment(pixels.expand(4, 3, 1, 1), "shift1", 0.0, torch.Generator()).dtype == torch.uint8


def test_resized_crops_stay_inside_and_cover_what_they_should() -> None:
    generator = torch.Generator().manual_seed(0)
    boxes = torch.stack([crop_box(32, 48, generator) for _ in range(2000)])
    top, left, bottom, right = boxes.unbind(1)
    assert bool((top >= 0).all() and (left >= 0).all() and (bottom <= 32).all() and (right <= 48).all())
    area, aspect = (bottom - top) * (right - left) / (32 * 48), (right - left) / (bottom - top)
    assert 0.07 < float(area.min()) < 0.1 and float(area.max()) > 0.7
    assert float(aspect.min()) > 0.7 and float(aspect.max()) < 1.45  # whole pixels
    assert crop_box(1, 100, generator).tolist() == [0, 49, 1, 50]  # nothing fits: the middle
    plain = torch.full((5, 3, 8, 8), 7.0)
    assert torch.allclose(augment(plain, "resized-crop", 0.0, generator), plain)
    ramp = torch.arange(64.0).repeat(1, 1, 64, 1)  # values are columns: a crop is a straight ramp between its ends
    out = augment(ramp.expand(50, 1, 64, 64), "resized-crop", 0.0, generator)
    steps = out[:, 0, 0].diff(dim=1)[:, 2:-2].abs()
    assert torch.allclose(steps, steps.mean(dim=1, keepdim=True).expand_as(steps), atol=1e-3)


def test_where_images_are_missing_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(InputError, match="cifar10 is read from your own folder: name it with --data"):
        prepare("cifar10", tmp_path)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="nowhere .*, and there is no such folder"):
        data_folder("cifar10")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    for name, words in (
        ("cifar10", "has no CIFAR10 in torchvision's layout, or it is damaged"),
        ("fashionmnist", "has no FashionMNIST in torchvision's layout"),
        ("imagenet", "is not a folder of images: it needs train/CLASS/... and test/CLASS/..."),
        ("folder:x@32", "is not a folder of images"),
    ):
        with pytest.raises(InputError, match=words):
            prepare(name, tmp_path)
    with pytest.raises(InputError, match="unknown dataset 'cifar'. Did you mean 'cifar10'?"):
        dataset_of("cifar")


def test_trees_that_are_wrong_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = write_tree(tmp_path / "insects", per_class=4)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match="the training images have 2 classes; this dataset has 100"):
        monkeypatch.setenv(VARIABLE, str(tree))
        prepare("imagenet100", tmp_path)
    (tree / "val" / "wasp").mkdir()
    picture(0, 9, 9).save(tree / "val" / "wasp" / "0.png")
    with pytest.raises(InputError, match="train and val have different classes: wasp"):
        prepare("folder:insects@16", tmp_path)
    (tree / "val" / "wasp" / "0.png").unlink()
    (tree / "val" / "wasp").rmdir()
    (tree / "val" / "ant" / "000.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"000\.png cannot be read as an image"):
        prepare("folder:insects@16", tmp_path)


def test_a_dataset_that_validation_would_use_up_is_refused(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tree))  # 40 images
    for name, in_memory in (("cifar10-jpeg", True), ("imagenet100", False)):
        for taken, fits in ((38, True), (39, False)):
            changed = replace(DATASETS[name], classes=2, validation_examples=taken, in_memory=in_memory)
            monkeypatch.setitem(DATASETS, name, changed)
            with contextlib.nullcontext() if fits else pytest.raises(InputError, match="there are 40 training images"):
                prepare(name, tmp_path)


def test_what_is_made_of_a_folder_is_filed_under_its_files(tree: Path) -> None:
    assert source_of("digits") == source_of("cifar10") == ""
    before = source_of("folder:insects@16")
    picture(0, 9, 9).save(tree / "train" / "ant" / "new.png")
    sources._listing_sha256.cache_clear()
    assert source_of("folder:insects@16") != before


def cifar_batches(root: Path, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """A CIFAR-10 of six files in torchvision's layout, two images of each class in each; returns the test pixels."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]:
        pixels = rng.integers(0, 256, (20, 3072), dtype=np.uint8)
        (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": [n % 10 for n in range(20)]}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [str(n) for n in range(10)]}))
    return pixels


def test_torchvisions_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import CIFAR10, cifar

    pixels = cifar_batches(tmp_path / "mine" / "cifar10", np.random.default_rng(0))
    monkeypatch.setattr(CIFAR10, "_check_integrity", lambda self: True)  # these are not the real files
    monkeypatch.setattr(cifar, "check_integrity", lambda *_: True)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    monkeypatch.setitem(DATASETS, "cifar10", DATASETS["cifar10"].__class__(
        **{**DATASETS["cifar10"].__dict__, "validation_examples": 30}
    ))  # fmt: skip
    splits = prepared("cifar10", tmp_path / "out")
    assert {split: len(data) for split, data in splits.items()} == {"train": 70, "validation": 30, "test": 20}
    assert splits["test"].images.numpy().tobytes() == pixels.tobytes()  # channel by channel, row by row
    assert splits["train"].shape == ImageShape(3, 32, 32, 10)


def test_torchvisions_fashion_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", 6020), ("t10k", 20)):
        pixels, labels = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8), np.arange(count, dtype=np.uint8) % 10
        for kind, head, body in (
            ("images-idx3", struct.pack(">IIII", 0x803, count, 28, 28), pixels),
            ("labels-idx1", struct.pack(">II", 0x801, count), labels),
        ):
            (raw / f"{part}-{kind}-ubyte").write_bytes(head + body.tobytes())
            (raw / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(b""))
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    before = source_of("fashionmnist")
    (raw / "t10k-labels-idx1-ubyte").write_bytes((raw / "t10k-labels-idx1-ubyte").read_bytes()[:-1] + b"\x03")
    sources._listing_sha256.cache_clear()
    assert source_of("fashionmnist") != before  # torchvision checks none of these files
    splits = prepared("fashionmnist", tmp_path / "out")
    assert splits["test"].images[:, 0].numpy().tobytes() == pixels.tobytes()
    assert splits["train"].shape == ImageShape(1, 28, 28, 10) and len(splits["train"]) == 20


@pytest.fixture(scope="module")
def some_of_cifar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first images of each class of the real ones, as `unpack.py` writes them: no copy of them is kept."""
    parquet = pytest.importorskip("pyarrow.parquet")
    if not (SHARED / "cifar10-jpeg-test.parquet").is_file():
        pytest.skip("no shared images")
    root = tmp_path_factory.mktemp("cifar")
    table = parquet.read_table(SHARED / "cifar10-jpeg-test.parquet")
    seen: dict[str, int] = {}
    for image, name in zip(table["image"].to_pylist(), table["class_name"].to_pylist(), strict=True):
        seen[name] = seen.get(name, 0) + 1
        split = "train" if seen[name] <= 120 else "test"
        if seen[name] <= 150:
            (root / split / name).mkdir(parents=True, exist_ok=True)
            (root / split / name / f"{seen[name]:04}.jpg").write_bytes(image)
    return root


def test_the_reduced_dataset_is_the_mean_of_four_pixels(
    some_of_cifar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(some_of_cifar))
    splits = prepared("cifar10-jpeg-16", tmp_path / "small")
    assert {split: len(data) for split, data in splits.items()} == {"train": 200, "validation": 1000, "test": 300}
    first = sorted((some_of_cifar / "test" / "airplane").iterdir())[0]
    whole = np.asarray(Image.open(first).convert("RGB")).astype(float)
    expected = whole.reshape(16, 2, 16, 2, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
    assert np.abs(splits["test"].images[0].numpy() - expected).max() <= 0.5
    more = prepared("cifar10-jpeg-16-10k", tmp_path / "all")  # of fewer than 100 a class, all
    assert all(torch.equal(splits[each].images, more[each].images) for each in SPLITS)
    data = splits["validation"]
    assert abs(float(data.first(1000).mean())) < 0.15 and 0.8 < float(data.first(1000).std()) < 1.1


def test_the_reduced_dataset_with_all_test_images_trains_on_the_same_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "images"
    for split, count in (("train", 505), ("test", 103)):
        for name, shade in (("cat", 0), ("dog", 128)):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = np.full((32, 32, 3), shade + number % 100, dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{number:04}.png")
    monkeypatch.setenv(VARIABLE, str(root))
    parts = {name: DATASETS[name].read(root) for name in ("cifar10-jpeg-16", "cifar10-jpeg-16-10k")}
    assert [len(part["train"][1]) for part in parts.values()] == [1000, 1000]
    assert [len(part["test"][1]) for part in parts.values()] == [200, 206]
    some, every = parts.values()
    assert torch.equal(some["train"][0], every["train"][0])
    assert torch.equal(some["test"][0][:100], every["test"][0][:100])


def test_the_command_line_names_the_folder(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["submit", "L1-norm", "--track", "cifar10-jpeg-small", "--seeds", "1", "--level", "50%", "--dry-run"]
    words += ["--home", str(tmp_path / "home"), "--format", "csv"]
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(InputError, match=f"name it with --data, or set {VARIABLE} to it"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    with pytest.raises(InputError, match="the training images have 2 classes; this dataset has 10"):
        CliRunner().invoke(app, [*words, "--data", str(tree)], catch_exceptions=False)
    with pytest.raises(InputError, match="insect \\(--data, or PRUNEMARK_DATA\\), and there is no such folder"):
        CliRunner().invoke(app, [*words, "--data", str(tree)[:-1]], catch_exceptions=False)
