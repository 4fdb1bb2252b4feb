"""`tracks new`: from a network and images to a track file that can be run."""

import dataclasses

import pytest
from support.image_folders import write_tree

from prunemark.benchmark.compression import steps
from prunemark.benchmark.compression.budget_solver import CostModel, CostTerm
from prunemark.benchmark.images.sources import dataset_in
from prunemark.benchmark.networks.registry import ImageShape
from prunemark.benchmark.run import new_track
from prunemark.setups.errors import InputError
from prunemark.setups.track_files import find_track


@pytest.fixture
def new(prunemark, tmp_path):
    return lambda *words: prunemark("tracks", "new", *words, "--home", tmp_path / "home")


def test_a_track_for_a_folder_of_images_is_written_checked_and_runs(new, prunemark, tmp_path, monkeypatch):
    folder = write_tree(tmp_path / "my photos")
    code, out, said = new("photos", "--network", "resnet20", "--data", folder, "--size", "16")
    assert code == 0, said
    track = find_track("photos.toml")
    assert (track.dataset, track.classes, track.network) == ("folder:my-photos@16", 2, "resnet20")
    assert len(track.prunable) == 9 and [level.name for level in track.levels] == ["50%", "75%"]
    assert track.margin_pp == 13.0, "six test images tell little apart"
    assert "36 images to train" in out and "met within 1 %" in out and "broken" not in out
    assert "prunemark submit FPGM --track photos.toml --data" in said
    with monkeypatch.context() as patch:
        patch.delenv("PRUNEMARK_DATA", raising=False)
        words = ("--track", "photos.toml", "--data", folder, "--home", tmp_path / "home", "--seeds", "1", "--dry-run")
        code, out, errors = prunemark("submit", "FPGM", *words)
    assert code == 0 and "trials, 0 stored" in out, errors


@pytest.mark.parametrize("words", [("--pattern", "1:4"), ()])
def test_weights_and_patterns(new, words):
    assert new("sparse", "--network", "resnet8", "--data", "digits", "--granularity", "weight", *words)[0] == 0
    track = find_track("sparse.toml")
    assert [level.name for level in track.levels] == (["75%"] if words else ["80%", "90%", "95%"])
    assert track.anchor == "Magnitude" and "stem" not in " ".join(track.prunable) and "fc" not in track.prunable


MODEL = """
from torch import nn


def build(channels, height, width, classes):
    first = nn.Conv2d(channels, 8, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(16, classes))
"""
DATA = """
import numpy


def load():
    draw = numpy.random.default_rng(0)
    sizes = {"train": 60, "test": 30}
    return {name: (draw.random((n, 6, 6), dtype="float32"), numpy.arange(n) % 3) for name, n in sizes.items()}
"""


def test_own_code_is_named_as_its_author_does_and_classes_are_counted(new, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "images.py").write_text(DATA)
    code, out, said = new("mine", "--network", "model.py:build", "--data", "images.py:load")
    assert code == 0, said
    track = find_track("mine.toml")
    assert (track.network, track.dataset, track.classes) == ("model.py:build", "images.py:load", 3)
    assert (track.title, track.family) == ("images, model, filters pruned", "images x model")
    assert track.prunable == ("2",) and "54 images to train, 6 to validate, 30 to test; 1 x 6 x 6, 3 classes" in out
    assert track.pretraining.lr.initial == pytest.approx(0.01 / 8), "no norms, and batches of 16"


WRONG = {
    ("mine", "--network", "resnet9", "--data", "digits"): "resnet9",
    ("mine", "--network", "resnet8", "--data", "digitz"): "digits",
    ("digits-resnet8", "--network", "resnet8", "--data", "digits"): "ships with Prunemark",
    ("a b", "--network", "resnet8", "--data", "digits"): "name is letters, digits",
    ("mine", "--network", "resnet8", "--data", "digits", "--granularity", "channel"): "granularity is filter, stream",
    ("mine", "--network", "resnet8", "--data", "digits", "--granularity", "head"): "no heads that can be pruned",
    ("mine", "--network", "resnet8", "--data", "digits", "--pattern", "2:4"): "granularity weight",
    ("mine", "--network", "resnet8", "--data", "digits", "--granularity", "1:4", "--pattern", "2:4"): "give one",
    ("mine", "--network", "mlp7", "--data", "digits", "--granularity", "block"): "no block of this network can be",
    ("mine", "--network", "timm:vit_tiny_patch16_224", "--data", "digits"): "does not run on images of 1x8x8",
    ("mine", "--network", "mlp7", "--data", "."): "no images",
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_what_is_wrong_is_said_and_nothing_is_written(new, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _out, errors = new(*words)
    assert code == 2 and WRONG[words] in errors and len(errors.splitlines()) <= 3, errors
    assert not list(tmp_path.glob("*.toml"))


def test_a_file_that_is_there_is_not_written_over(new, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text("precious")
    code, _out, errors = new("mine", "--network", "resnet8", "--data", "digits")
    assert code == 2 and "is there already" in errors and (tmp_path / "mine.toml").read_text() == "precious"


def test_sizes_of_a_folder_come_from_its_images(tmp_path):
    folder = write_tree(tmp_path / "ants", size=(20, 24))
    assert dataset_in(str(folder), None) == ("folder:ants@20", folder)
    assert dataset_in(str(folder), 12) == ("folder:ants@12", folder)
    assert dataset_in("cifar10", None) == ("cifar10", None)
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "train-0.parquet").touch()
    assert dataset_in(str(tmp_path / "rows"), 8) == (f"parquet:{tmp_path / 'rows'}@8", None)
    (folder / "train" / "ant" / "000.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"000\.png cannot be read as an image"):
        dataset_in(str(folder), None)


def test_recipes_fit_the_number_of_images_and_the_network():
    grey, colour = ImageShape(1, 28, 28, 10), ImageShape(3, 32, 32, 10)
    few, _, again = new_track.starting_recipes(270, colour, "batch")
    assert (few.batch_size, few.epochs, few.lr.initial, few.augmentation) == (32, 120, 0.025, "crop-flip")
    assert again.epochs == 40 and again.lr.final == few.lr.final, "Rule 1: all end at one LR"
    many, short, _ = new_track.starting_recipes(50_000, grey, "batch")
    assert (many.batch_size, many.epochs, many.lr.initial, many.augmentation) == (128, 30, 0.1, "none")
    assert short.epochs == 3 and short.lr.initial == pytest.approx(0.01)
    assert new_track.starting_recipes(50_000, colour, "layer")[0].optimiser == "AdamW"
    assert new_track.starting_recipes(50_000, colour, "none")[0].lr.initial == pytest.approx(0.01)
    assert new_track.starting_recipes(50_000, colour, "batch", from_files=True)[0].augmentation == "resized-crop"


def test_margins_are_not_finer_than_the_test_images():
    assert [new_track.margin_pp(n) for n in (10_000, 1_000, 60)] == [1.0, 1.0, 4.5]


def test_levels_leave_filters_enough_to_be_ranked_where_they_can():
    def cost(filters):
        return CostModel({"a": filters}, (CostTerm(1000 * filters, "a", None), CostTerm(1000, None, None)))

    assert [level.name for level in new_track.filter_levels(cost(16))] == ["50%", "75%"]
    assert [level.name for level in new_track.filter_levels(cost(8))] == ["50%"]
    (only,) = new_track.filter_levels(cost(4))
    thirds = new_track.filter_levels(dataclasses.replace(cost(12), steps={"a": steps.blocks(12, 4)}))
    assert [level.name for level in thirds] == ["50%"], "of three steps one stays under both"
    assert dataclasses.astuple(only)[:3] == ("50%", 0.5, round(5000 / 3000, 3))
