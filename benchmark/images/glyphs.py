"""Glyphs: digits and letters drawn under random affine maps, the same bytes on every machine, without a download.

Twenty classes (0 to 9, A to J) of a 5x7 font, on 12x12 grey images. Each image has a map of its own (scale, shear,
rotation, shift), contrast of either sign, a sloping background, two stray bars or dots, and noise. Only integers and a
counter-based generator have a part in it, so no library's rounding or version changes a byte: a test has the hash.

It is made to tell pruning methods apart in seconds: hard enough that accuracy is far from 100 %, with a test split of
10,000 images so that its noise is small. It is no substitute for photographs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

SIDE, CLASSES = 12, 20
TRAIN_EXAMPLES, VALIDATION_EXAMPLES, TEST_EXAMPLES = 5_000, 1_000, 10_000
SEED = 7
ONE = 256  # a pixel of the font, and of the map, in 8-bit fixed point
SCALE_SPREAD, SHEAR_SPREAD, SHIFT_SPREAD = 33, 56, 256  # of the map's entries around a plain enlargement
NOISE = 12  # grey levels, standard deviation
MARGIN = 4  # empty pixels around a glyph of the font

FONT = """
0 .###. #...# #..## #.#.# ##..# #...# .###.
1 ..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###.
2 .###. #...# ....# ...#. ..#.. .#... #####
3 ##### ...#. ..#.. ...#. ....# #...# .###.
4 ...#. ..##. .#.#. #..#. ##### ...#. ...#.
5 ##### #.... ####. ....# ....# #...# .###.
6 ..##. .#... #.... ####. #...# #...# .###.
7 ##### ....# ...#. ..#.. .#... .#... .#...
8 .###. #...# #...# .###. #...# #...# .###.
9 .###. #...# #...# .#### ....# ...#. .##..
A .###. #...# #...# #...# ##### #...# #...#
B ####. #...# #...# ####. #...# #...# ####.
C .###. #...# #.... #.... #.... #...# .###.
D ###.. #..#. #...# #...# #...# #..#. ###..
E ##### #.... #.... ####. #.... #.... #####
F ##### #.... #.... ####. #.... #.... #....
G .###. #...# #.... #.### #...# #...# .####
H #...# #...# #...# ##### #...# #...# #...#
I .###. ..#.. ..#.. ..#.. ..#.. ..#.. .###.
J ..### ...#. ...#. ...#. ...#. #..#. .##..
"""


def make_glyphs(seed: int = SEED) -> dict[str, tuple[NDArray[np.uint8], Integers]]:
    """Images (examples, 1, 12, 12) and labels (examples,) of "train", which validation is taken from, and "test"."""
    training = TRAIN_EXAMPLES + VALIDATION_EXAMPLES
    draw = _Stream(seed)
    count = training + TEST_EXAMPLES
    labels = np.argsort(draw.words("order", count), kind="stable") % CLASSES
    images = _drawn(labels, draw)
    return {"train": (images[:training], labels[:training]), "test": (images[training:], labels[training:])}


class _Stream:
    """Random integers by name: splitmix64 (Steele, Lea and Flood, OOPSLA 2014) over a counter, in uint64 only."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def words(self, name: str, count: int) -> NDArray[np.uint64]:
        """uint64 (count,); of another name another stream."""
        start = int.from_bytes(hashlib.sha256(f"{self.seed}/{name}".encode()).digest()[:8], "little")
        with np.errstate(over="ignore"):  # it is meant to wrap around
            z = np.uint64(start) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            return z ^ (z >> np.uint64(31))

    def integers(self, name: str, low: int, high: int, count: int) -> Integers:
        """From low to high, both included; int64 (count,). The remainder's bias is below 2^-24."""
        return (self.words(name, count) >> np.uint64(32)).astype(np.int64) % (high - low + 1) + low

    def noise(self, name: str, sd: int, count: int) -> Integers:
        """Sums of eight 16-bit numbers around zero, with this standard deviation; int64 (count,)."""
        parts = self.words(name, 2 * count).reshape(count, 2)
        shifts = np.arange(0, 64, 16, dtype=np.uint64)
        total = ((parts[:, :, None] >> shifts) & np.uint64(0xFFFF)).astype(np.int64).sum(axis=(1, 2))
        noise: Integers = (total - 8 * 32_768) * sd // 53_510  # sqrt(8 / 12) * 2^16: the deviation of such a sum
        return noise


def _glyphs() -> Integers:
    """The font with empty pixels around each glyph: (classes, 15, 13), `ONE` where there is ink."""
    rows = [line.split()[1:] for line in FONT.strip().splitlines()]
    ink = np.array([[[ONE * (pixel == "#") for pixel in row] for row in glyph] for glyph in rows], dtype=np.int64)
    padded: Integers = np.pad(ink, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))
    return padded


def _drawn(labels: Integers, draw: _Stream) -> NDArray[np.uint8]:
    """(examples, 1, 12, 12), each label drawn in its own way."""
    count = len(labels)

    def each(name: str, low: int, high: int) -> Integers:
        return draw.integers(name, low, high, count)[:, None, None]

    half_pixels = 2 * np.arange(SIDE) - (SIDE - 1)
    down, right = np.meshgrid(half_pixels, half_pixels, indexing="ij")
    ink = _sampled(labels, down, right, each)
    sloping = (each("slope down", -12, 12) * down + each("slope right", -12, 12) * right) // 4
    contrast = each("contrast", 60, 159) * (2 * each("sign", 0, 1) - 1)
    grey = each("background", 90, 165) + sloping + (ink * contrast // ONE)
    for stray in ("first", "second"):
        grey = grey + _stray(stray, each)
    grey = grey + draw.noise("noise", NOISE, count * SIDE * SIDE).reshape(grey.shape)
    pixels: NDArray[np.uint8] = np.clip(grey, 0, 255).astype(np.uint8)[:, None]
    return pixels


def _sampled(labels: Integers, down: Integers, right: Integers, each: Callable[[str, int, int], Integers]) -> Integers:
    """How much ink each pixel gets, 0 to `ONE`: where its centre lies in the font, between four of its pixels."""
    plain = ONE * 8 // SIDE  # seven rows of ink over about ten pixels
    font = _glyphs()
    height, width = font.shape[1:]

    def place(axis: str, along: Integers, across: Integers, centre: int, last: int) -> Integers:
        scale, shear = (
            each(f"scale {axis}", -SCALE_SPREAD, SCALE_SPREAD),
            each(f"shear {axis}", -SHEAR_SPREAD, SHEAR_SPREAD),
        )
        shift = each(f"shift {axis}", -SHIFT_SPREAD, SHIFT_SPREAD)
        at = ((plain + scale) * along + shear * across) // 2 + centre * ONE + shift
        inside: Integers = np.clip(at, 0, last * ONE - 1)
        return inside

    y = place("down", down, right, (height - 1) // 2, height - 1)
    x = place("right", right, down, (width - 1) // 2, width - 1)
    row, column, lower, later = y >> 8, x >> 8, y & 255, x & 255
    of = labels[:, None, None]
    upper = font[of, row, column] * (ONE - later) + font[of, row, column + 1] * later
    below = font[of, row + 1, column] * (ONE - later) + font[of, row + 1, column + 1] * later
    ink: Integers = (upper * (ONE - lower) + below * lower) >> 16
    return ink


def _stray(which: str, each: Callable[[str, int, int], Integers]) -> Integers:
    """A bar of up to five pixels, across or down, of another grey: (examples, 12, 12)."""
    row, column = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
    reach, lies = each(f"{which} reach", 0, 2), each(f"{which} lies", 0, 1)
    inside = (abs(row - each(f"{which} row", 0, SIDE - 1)) <= reach * (1 - lies)) & (
        abs(column - each(f"{which} column", 0, SIDE - 1)) <= reach * lies
    )
    return inside * each(f"{which} grey", -90, 90)
