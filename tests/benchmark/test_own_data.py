"""A user's own images: each kind, each layout, and each mistake with the number of the image."""

import json

import numpy as np
import pytest
import torch

from prunemark.benchmark.images.own_arrays import checked_images, checked_labels
from prunemark.benchmark.images.own_datasets import from_arrays, from_function
from prunemark.benchmark.images.own_splits import write_splits
from prunemark.setups.errors import InputError

RNG = np.random.default_rng(0)
LABELS = np.arange(30) % 3
IMAGES = RNG.integers(0, 256, (30, 3, 8, 8), dtype=np.uint8)


def refused(words, call, *given):
    with pytest.raises(InputError) as raised:
        call(*given)
    assert words in str(raised.value), str(raised.value)
    assert len(str(raised.value).splitlines()) <= 2


@pytest.mark.parametrize(
    ("shape", "layout", "found"),
    [
        ((5, 3, 8, 8), None, (5, 3, 8, 8)), ((5, 8, 8, 3), None, (5, 3, 8, 8)), ((5, 10, 8, 8), None, (5, 10, 8, 8)),
        ((5, 8, 8, 10), None, (5, 10, 8, 8)), ((5, 3, 6, 9), None, (5, 3, 6, 9)), ((5, 6, 9, 1), None, (5, 1, 6, 9)),
        ((5, 8, 8), None, (5, 1, 8, 8)), ((5, 6, 9), "NHW", (5, 1, 6, 9)), ((5, 6, 9), "NCL", (5, 6, 1, 9)),
        ((5, 1, 9), None, (5, 1, 1, 9)), ((5, 9), None, (5, 1, 1, 9)), ((5, 3, 3, 3), "NHWC", (5, 3, 3, 3)),
        ((5, 2, 6, 9), "NCHW", (5, 2, 6, 9)),
    ],
)  # fmt: skip
def test_layouts_are_told_from_sizes_or_stated(shape, layout, found):
    given = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    made = checked_images("train", given, layout)
    assert made.shape == found
    if len(shape) == 4 and found[1] == shape[3] != shape[1]:
        assert torch.equal(made, torch.from_numpy(given).permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("shape", "layout", "words"),
    [
        ((5, 3, 3, 3), None, "channels first or last?"), ((5, 2, 6, 9), None, "channels first or last?"),
        ((5, 3, 3, 32), None, "channels first or last?"), ((5, 6, 9), None, "grey images of 6 x 9, or signals of 6"),
        ((5, 6, 9), "NCHW", "is not NCHW"), ((5, 6, 9), "HWC", "layout is one of NCHW, NHWC, NHW, NCL"),
        ((5,), None, "have shape (5,)"), ((5, 1, 2, 3, 4), None, "have shape"),
        ((0, 8, 8), None, "train has no images"),
        ((5, 0, 8, 8), "NCHW", "a side of them is 0"),
    ],
)  # fmt: skip
def test_what_could_be_two_layouts_is_refused_with_what_to_do(shape, layout, words):
    refused(words, checked_images, "train", np.zeros(shape), layout)


def test_kinds_of_numbers():
    assert checked_images("train", IMAGES, None).dtype == torch.uint8
    assert torch.equal(checked_images("train", IMAGES.astype(np.int64), None), torch.from_numpy(IMAGES))
    assert torch.equal(checked_images("train", IMAGES.astype(">u2"), None), torch.from_numpy(IMAGES))
    assert checked_images("train", IMAGES / 255, None).dtype == torch.float32
    assert checked_images("train", torch.from_numpy(IMAGES).half(), None).dtype == torch.float32
    assert checked_images("train", IMAGES > 100, None).max() == 1
    for value, words in ((np.nan, "not finite"), (np.inf, "not finite")):
        bad = IMAGES / 255
        bad[17, 1, 2, 3] = value
        refused(f"image 17 of train: it has values that are {words}", checked_images, "train", bad, None)
    bad = IMAGES.astype(np.int32)
    bad[4, 0, 0, 0] = 256
    refused("image 4 of test: whole numbers from", checked_images, "test", bad, None)
    refused("numbers of one shape are needed", checked_images, "train", np.array(["a", "b"]), None)
    refused("plain real numbers", checked_images, "train", torch.zeros(2, 3, 8, 8, dtype=torch.complex64), None)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1, 3], "image 2 of train: its label 3 is not one of the track's 3 classes, 0 to 2"),
        ([0, -1, 2], "image 1 of train: its label -1 is not"),
        ([0, 1.5, 2], "image 1 of train: its label 1.5 is no whole"),
        ([0, np.nan, 2], "image 1 of train: its label nan is no whole"), ([0, 1], "train has 3 images and 2 labels"),
        (np.eye(3), "labels of train have shape (3, 3)"),
        (["cat", "dog", "cat"], "class numbers from 0 to 2 are needed"),
    ],
)  # fmt: skip
def test_labels_that_are_no_class_numbers(labels, words):
    refused(words, checked_labels, "train", labels, 3, 3)


def test_labels_of_any_number_and_as_a_column():
    for given in ([0, 1, 2], torch.tensor([[0], [1], [2]]), np.array([0.0, 1.0, 2.0]), np.array([0, 1, 2], np.uint8)):
        assert checked_labels("train", given, 3, 3).tolist() == [0, 1, 2]


def written(tmp_path, parts, classes=3, layout=None):
    from prunemark.benchmark.images.data import load_split

    measured = write_splits(parts, layout, classes, tmp_path)
    cpu = torch.device("cpu")
    return measured, {
        split: load_split("data.py:load", tmp_path, split, cpu) for split in ("train", "validation", "test")
    }


def test_splits_are_made_by_a_seeded_hash_and_measured(tmp_path):
    measured, found = written(tmp_path, {"all": (IMAGES, LABELS)})
    assert [len(found[split]) for split in found] == [22, 2, 6] and measured.shape == (3, 8, 8)
    every = torch.cat([images.images for images in found.values()]).flatten(1)
    assert sorted(map(tuple, every.tolist())) == sorted(map(tuple, IMAGES.reshape(30, -1).tolist()))
    train = found["train"].first(30)
    assert (
        train.mean(dim=(0, 2, 3)).abs().max() < 1e-5 and (train.std(dim=(0, 2, 3), correction=0) - 1).abs().max() < 1e-5
    )
    again = written(tmp_path, {"all": (IMAGES, LABELS)})[1]
    assert torch.equal(found["test"].images, again["test"].images)


def test_stated_splits_stay_and_floats_are_standardised(tmp_path):
    values = IMAGES / 25.5 - 3
    parts = {"train": (values[:20], LABELS[:20]), "test": (values[20:], LABELS[20:])}
    measured, found = written(tmp_path, parts)
    assert [len(found[split]) for split in found] == [18, 2, 10]
    assert "values are from -3 to 7, not 0 to 1" in measured.notes[0]
    assert found["train"].first(18).mean(dim=(0, 2, 3)).abs().max() < 1e-5
    whole = parts | {"validation": (values[:6], LABELS[:6])}
    measured, found = written(tmp_path, whole)
    assert [len(found[split]) for split in found] == [20, 6, 10]
    again = written(tmp_path, whole | {"test": parts["train"]})[0].notes
    assert {"20 of 20 test images are in train too", "6 of 20 test images are in validation too"} <= set(again)


def test_a_channel_of_one_value_is_said(tmp_path):
    flat = IMAGES.copy()
    flat[:, 1] = 7
    measured, found = written(tmp_path, {"all": (flat, LABELS)})
    assert measured.notes == ("channel 1 has one value in all training images",) and measured.sd[1] == 1.0
    assert torch.isfinite(found["train"].first(5)).all()


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"train": (IMAGES, LABELS * 0)}, "train has no image of classes 1, 2, and the track states 3 classes"),
        ({"train": (IMAGES, np.minimum(LABELS, 1))}, "train has no image of class 2, and"),
        ({"train": (IMAGES, LABELS), "test": (IMAGES[:, :, :4], LABELS)}, "3 x 8 x 8, those of test 3 x 4 x 8"),
        ({"train": (IMAGES, LABELS), "test": (IMAGES / 255, LABELS)}, "of train are bytes, those of test floats"),
        ({"train": (IMAGES[:3], LABELS[:3])}, "train has 3 images: too few to train on"),
        ({"train": (IMAGES, LABELS), "test": (IMAGES[:0], LABELS[:0])}, "test has no images"),
        ({"test": (IMAGES, LABELS)}, "there is no split train, only test"),
        ({"all": (IMAGES, LABELS), "test": (IMAGES, LABELS)}, "there is a split 'test' next to all"),
    ],
)  # fmt: skip
def test_splits_that_no_track_could_use(tmp_path, parts, words):
    refused(words, write_splits, parts, "NCHW", 3, tmp_path)


class Items(torch.utils.data.Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        found = self.items[index]
        return found() if callable(found) else found


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter([])


PAIRS = [(torch.from_numpy(image), int(label)) for image, label in zip(IMAGES, LABELS, strict=True)]


def test_datasets_and_pictures_are_read_one_by_one():
    from PIL import Image

    pictures = [
        (Image.fromarray(image.transpose(1, 2, 0)), torch.tensor(label))
        for image, label in zip(IMAGES, LABELS, strict=True)
    ]
    parts, layout = from_function(lambda: {"train": Items(PAIRS), "val": Items(pictures), "layout": "NCHW"}, "load")
    assert set(parts) == {"train", "validation"} and layout == "NCHW"
    assert np.array_equal(parts["train"][0], IMAGES) and parts["train"][1].tolist() == LABELS.tolist()
    assert parts["validation"][0].shape == (30, 8, 8, 3)
    tensors = torch.utils.data.TensorDataset(torch.from_numpy(IMAGES), torch.from_numpy(LABELS))
    assert np.array_equal(from_function(lambda: {"all": tensors}, "load")[0]["all"][0], IMAGES)
    grey = Image.new("P", (8, 8))
    assert from_function(lambda: {"all": [(grey, 0)] * 3}, "load")[0]["all"][0].shape == (3, 8, 8, 3)


def _broken():
    raise OSError("truncated file")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([PAIRS, PAIRS], "load returns a list"), ({}, "load returns a dict"), (None, "load returns a NoneType"),
        ({"training": Items(PAIRS)}, "a split called 'training'"), ({"all": PAIRS, "layout": 3}, "layout is a text"),
        ({"train": torch.utils.data.DataLoader(Items(PAIRS))}, "train is a DataLoader: give its dataset"),
        ({"train": Stream()}, "without a length"), ({"train": IMAGES}, "train is a ndarray"),
        ({"train": 5}, "train is a int"),
        ({"train": Items([*PAIRS[:17], _broken])}, "image 17 of train cannot be read: OSError: truncated file"),
        ({"train": Items([*PAIRS[:4], (torch.zeros(3, 9, 8), 0)])}, "image 4 of train is 3 x 9 x 8, the others"),
        ({"train": Items([PAIRS[0], (PAIRS[1][0], "cat")])}, "image 1 of train: its label is a str"),
        ({"train": Items([lambda: (torch.rand(3, 8, 8), 0)])}, "another one each time it is read"),
        ({"train": Items([torch.zeros(3, 8, 8)])}, "image 0 of train cannot be read"),
    ],
)  # fmt: skip
def test_what_a_load_function_must_not_return(found, words):
    refused(words, from_function, lambda: found, "load")


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("x_train", "y_train", "x_test", "y_test"), {"train", "test"}), (("x", "y"), {"all"}), (("X", "y"), {"all"}),
        (("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"),
         {"train", "validation", "test"}),
        (("images", "labels"), {"all"}), (("x_train", "y_train", "x_val", "y_val"), {"train", "validation"}),
    ],
)  # fmt: skip
def test_arrays_in_a_file(tmp_path, names, splits):
    arrays = {name: LABELS if name[0] == "y" or "labels" in name else IMAGES for name in names}
    np.savez(tmp_path / "a.npz", **arrays)
    found, layout = from_arrays(tmp_path / "a.npz")
    assert set(found) == splits and layout is None
    assert all(np.array_equal(x, IMAGES) and np.array_equal(y, LABELS) for x, y in found.values())
    np.savez(tmp_path / "b.npz", **arrays, layout="NCHW")
    assert from_arrays(tmp_path / "b.npz")[1] == "NCHW"


def test_files_of_arrays_that_cannot_be_used(tmp_path):
    file = tmp_path / "a.npz"
    np.savez(file, x_train=IMAGES)
    refused("a.npz has no array 'y_train' for train. It has x_train", from_arrays, file)
    np.savez(file, pictures=IMAGES, classes=LABELS)
    refused("a.npz has pictures, classes: x_train, y_train", from_arrays, file)
    np.savez(file, x=np.array([{"an": "object"}], dtype=object), y=LABELS)
    refused("cannot be read as a .npz file of numbers", from_arrays, file)
    file.write_bytes(b"no zip at all")
    refused("cannot be read as a .npz file of numbers", from_arrays, file)
    with file.open("wb") as handle:
        np.save(handle, IMAGES)
    refused("holds a single array", from_arrays, file)
    np.savez(file, x=IMAGES, y=LABELS)
    file.write_bytes(file.read_bytes()[:2000])
    refused("cannot be read as a .npz file of numbers", from_arrays, file)


def test_terms_are_plain_json(tmp_path):
    from safetensors import safe_open

    write_splits({"all": (IMAGES, LABELS)}, None, 3, tmp_path)
    with safe_open(tmp_path / "test.safetensors", "pt") as file:
        assert json.loads(file.metadata()["terms"])["shape"] == [3, 8, 8]


def test_images_that_would_silently_become_others():
    """A palette's numbers are no colours, 16 bits would be cut off at white, and half of all flips change nothing."""
    from PIL import Image

    pictures = [Image.fromarray(image.transpose(1, 2, 0)) for image in IMAGES]
    found, _ = from_function(lambda: {"all": ([each.convert("P") for each in pictures], LABELS)}, "load")
    assert found["all"][0].shape == (len(IMAGES), 8, 8, 3)
    deep = [Image.fromarray(image[0].astype(np.uint16) * 257) for image in IMAGES]
    for part in (list(zip(deep, LABELS.tolist(), strict=True)), (deep, LABELS)):
        found, _ = from_function(lambda part=part: {"all": part}, "load")
        refused("whole numbers from", checked_images, "all", found["all"][0], None)
    refused(
        "image 1 of all is 8 x 7",
        from_function,
        lambda: {"all": ([np.zeros((8, 8)), np.zeros((8, 7))], [0, 1])},
        "load",
    )

    class Flipped(list):
        def __getitem__(self, index):
            return IMAGES[index][..., :: int(np.random.choice([1, -1]))], int(LABELS[index])

    for seed in range(5):
        np.random.seed(seed)
        refused("is another one each time it is read", from_function, lambda: {"all": Flipped(range(28))}, "load")


def test_splits_of_other_scales(tmp_path):
    parts = {"train": (IMAGES.astype(np.float32), LABELS), "test": (IMAGES / 255, LABELS)}
    refused("scale all alike", write_splits, parts, None, 3, tmp_path)
