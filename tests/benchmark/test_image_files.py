"""Images that are read from files while a trial runs: changed, moved, damaged ones."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
import torch
from support.image_folders import picture, prepared, write_tree

from prunemark.benchmark.images.data import load_split
from prunemark.benchmark.images.datasets import UnreadableImage, read_image
from prunemark.benchmark.images.sources import CONFINED, VARIABLE
from prunemark.benchmark.networks.registry import ImageShape
from prunemark.benchmark.trial.base_model import prepare_data
from prunemark.benchmark.trial.keys import stage_keys
from prunemark.benchmark.trial.pipeline import run_trial
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.setups.budget import OWN_NOTHING, budget_for
from prunemark.setups.comparison import SETUPS
from prunemark.setups.errors import InputError
from prunemark.setups.track import DENSE_LEVEL
from prunemark.setups.track_files import find_track, track_from_dict

CPU = torch.device("cpu")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    return write_tree(tmp_path / "mine" / "insects")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_changed_after_it_was_prepared_is_named(tree: Path, tmp_path: Path, workers: int) -> None:
    """Its bytes are what the record's checksum stands for: other pixels under the old sum would be a false record."""
    name, place = "folder:insects@16/files", tmp_path / "out"
    prepared(name, place)
    (tmp_path / "mine").rename(tmp_path / "moved")  # that alone changes nothing
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(tmp_path / "moved"))
        first = tmp_path / "moved" / "insects" / "val" / "bee" / "001.png"
        data = load_split(name, place, "test", CPU, workers=workers)
        assert data.shape == ImageShape(3, 16, 16, 2) and len(list(data.in_order(4))) == 2
        before = first.read_bytes()
        picture(5, 20, 24).save(first)
        with pytest.raises(UnreadableImage, match=r"^\S+bee/001\.png has changed since it was prepared\. Put it back"):
            list(data.in_order(4))
        first.write_bytes(before)
        assert len(list(data.in_order(4))) == 2


def test_a_worker_that_cannot_start_processes_reads_the_same_images_in_threads(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared("folder:insects@16/files", tmp_path / "out")
    data = load_split("folder:insects@16/files", tmp_path / "out", "train", CPU, workers=0)
    order = [torch.tensor([3, 0]), torch.tensor([1]), torch.tensor([2, 4])]
    before = list(data.in_order(3)), [*data.served(iter(order), "resized-crop", torch.Generator().manual_seed(1))]
    monkeypatch.setenv(CONFINED, "1")
    after = list(data.in_order(3)), [*data.served(iter(order), "resized-crop", torch.Generator().manual_seed(1))]
    assert all(torch.equal(one, other) for one, other in zip(before[0], after[0], strict=True))
    assert all(torch.equal(one[0], other[0]) for one, other in zip(before[1], after[1], strict=True))


def test_damaged_images_are_wrong_input_whatever_pillow_calls_it(tmp_path: Path) -> None:
    whole = tmp_path / "whole.png"
    picture(0, 30, 30).save(whole)
    content = whole.read_bytes()
    header = content[:16] + struct.pack(">II", 20_000, 20_000) + content[24:29]
    bomb = header + struct.pack(">I", zlib.crc32(header[12:])) + content[33:]
    for name, damaged in (("cut", content[:200]), ("chunk", content.replace(b"IDAT", b"ID\0T")), ("bomb", bomb)):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(UnreadableImage, match=rf"{name} cannot be read as an image"):
            read_image(tmp_path / name, 16)


def test_an_image_that_cannot_be_read_is_no_result_of_any_method(tree: Path, tmp_path: Path) -> None:
    """Nothing of such a trial is kept: with the image put back, the same command runs it."""
    terms = find_track("digits-resnet8").as_dict() | {
        "name": "insects",
        "classes": 2,
        "dataset": "folder:insects@8/files",
    }
    terms["levels"] = [{"name": "50%", "ratio": 0.5, "speedup": 1.9}]
    for stage in ("pretraining", "pruning", "retraining"):
        terms[stage] = terms[stage] | {"epochs": 1, "lr": "1e-2", "augmentation": "none"}
    track = track_from_dict(terms)
    dense = Entrant("Dense", "dense", "reference", None, (), "filter", OWN_NOTHING)
    setup = SETUPS["S3.2"]
    budget = budget_for(track, setup, DENSE_LEVEL, "dense")
    trial = Trial(track, DENSE_LEVEL, setup, 0, dense, budget, "cpu", 60.0)
    store = Store(tmp_path / "store")
    prepare_data(trial, stage_keys(trial), store)
    image = tree / "train" / "ant" / "003.png"
    before = image.read_bytes()
    image.write_bytes(before[:60])
    with pytest.raises(InputError, match=r"003\.png has changed since it was prepared"):
        run_trial(trial, store, lambda *_: None)
    image.write_bytes(before)
    assert run_trial(trial, store, lambda *_: None).outcome.status == "ok"


@pytest.mark.parametrize("name", ["deep.png", "deep.tif", "floats.tif"])
def test_images_of_more_than_eight_bits_are_refused(tmp_path: Path, name: str) -> None:
    """Pillow turns them into RGB by cutting off at 255: all but the darkest pixels would be white."""
    import numpy as np
    from PIL import Image

    pixels = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    Image.fromarray(pixels.astype(np.float32) if name == "floats.tif" else pixels).save(tmp_path / name)
    with pytest.raises(UnreadableImage, match="more than 8 bits a channel"):
        read_image(tmp_path / name, 16)
