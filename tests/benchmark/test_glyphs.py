"""Glyphs: the same bytes on every machine, and what the page says of them."""

import hashlib

import numpy as np
import torch

from prunemark.benchmark.images import glyphs
from prunemark.benchmark.images.data import load_split, prepare
from prunemark.benchmark.images.datasets import DATASETS

SHA256 = "e97e0b696fad3c8bb7c6842ef0034d2952454d73a1b9525884510fa2fccb3deb"


def test_the_bytes_are_the_same_everywhere():
    made = glyphs.make_glyphs()
    content = b"".join(part.tobytes() for split in ("train", "test") for part in made[split])
    assert hashlib.sha256(content).hexdigest() == SHA256


def test_the_splits_are_as_large_as_promised_and_hold_every_class_alike(tmp_path):
    prepare("glyphs", tmp_path)
    for split, size in (("train", 5_000), ("validation", 1_000), ("test", 10_000)):
        images = load_split("glyphs", tmp_path, split, torch.device("cpu"))
        counts = torch.bincount(images.labels, minlength=20)
        assert len(images) == size and images.shape.classes == 20
        assert counts.min() > 0.6 * size / 20 and counts.max() < 1.4 * size / 20


def test_mean_and_deviation_are_those_of_the_training_images():
    pixels = glyphs.make_glyphs()["train"][0] / 255
    stated = DATASETS["glyphs"]
    assert abs(pixels.mean() - stated.mean[0]) < 1e-3 and abs(pixels.std() - stated.sd[0]) < 1e-3


def test_a_font_is_twenty_different_glyphs():
    font = glyphs._glyphs()
    assert font.shape == (20, 15, 13) and len({glyph.tobytes() for glyph in font}) == 20


def test_streams_of_two_names_or_seeds_share_nothing():
    one, other = glyphs._Stream(7), glyphs._Stream(8)
    drawn = [set(stream.words(name, 1000).tolist()) for stream, name in ((one, "a"), (one, "b"), (other, "a"))]
    assert len(set.union(*drawn)) == 3000
    noise = one.noise("n", 12, 50_000)
    assert abs(noise.mean()) < 0.7 and abs(noise.std() - 12) < 0.2  # whole numbers are rounded down
    whole = one.integers("i", -3, 3, 70_000)
    assert set(np.unique(whole)) == set(range(-3, 4)) and np.bincount(whole + 3).min() > 9_500
