"""What a user's `load` returns, a `.npz` file or Parquet files: the images and labels of each split, as they come.

Executed in a confined child process: it runs a user's code, or reads files that may be damaged.
"""

from __future__ import annotations

import importlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from prunemark.benchmark.images.datasets import as_rgb
from prunemark.setups.errors import InputError
from prunemark.setups.text import as_given, shown

SPLITS = ("train", "validation", "test", "all")
OTHER_NAMES = {"val": "validation", "valid": "validation"}
LAYOUT = "layout"
READ_TWICE = 32
CONTRACT = (
    'It returns {"train": ..., "test": ...}, with "validation" or without, or {"all": ...}, which is split by seed; '
    "each is a torch Dataset or (images, labels)"
)
ARRAYS = (("x_{}", "y_{}"), ("{}_images", "{}_labels"), ("X_{}", "y_{}"))
WHOLE = (("images", "labels"), ("x", "y"), ("X", "y"))
_SPLIT_OF = re.compile(r"(train|test|validation|valid|val)(?![a-z])", re.ASCII)
Pair = tuple[Any, Any]


def from_function(load: Callable[..., Any], function: str) -> tuple[dict[str, Pair], str | None]:
    """What `load()` returns, by split, and the layout it states. Raises InputError for another kind of value."""
    found = load()
    if not isinstance(found, dict) or not found:
        raise InputError(f"{function} returns a {type(found).__name__}.\n{CONTRACT}")
    layout = found.get(LAYOUT)
    parts = {OTHER_NAMES.get(str(name), str(name)): part for name, part in found.items() if name != LAYOUT}
    if odd := sorted(set(parts) - set(SPLITS)):
        raise InputError(f"{function} returns a split called {shown(odd[0], 40)!r}.\n{CONTRACT}")
    if layout is not None and not isinstance(layout, str):
        raise InputError(f"layout is a text such as NCHW; {function} gives {as_given(layout)}")
    return {name: _pair(name, part) for name, part in parts.items()}, layout


def _pair(split: str, part: Any) -> Pair:
    """Images and labels of a Dataset, read one by one, or as they are given."""
    if isinstance(part, tuple) and len(part) == 2:
        images, labels = part
        if isinstance(images, list | tuple) and images and not isinstance(images[0], int | float):
            images, _ = together(split, ((_as_array(image), 0) for image in images))
        return images, labels
    if isinstance(part, torch.utils.data.DataLoader):
        raise InputError(f"{split} is a DataLoader: give its dataset; Prunemark makes the batches")
    if isinstance(part, dict | str | np.ndarray | torch.Tensor) or not hasattr(part, "__getitem__"):
        raise InputError(f"{split} is a {type(part).__name__}: a map-style Dataset or (images, labels) is needed")
    try:
        size = len(part)
    except (TypeError, NotImplementedError):
        raise InputError(
            f"{split} is a {type(part).__name__} without a length: a map-style Dataset is needed"
        ) from None
    for index in range(min(size, READ_TWICE)):  # a random flip leaves half of them as they are
        if not _same(_sample(split, part, index)[0], _sample(split, part, index)[0]):
            raise InputError(
                f"image {index} of {split} is another one each time it is read: leave random transforms to the "
                "track's recipes"
            )
    return together(split, (_sample(split, part, index) for index in range(size)))


def _sample(split: str, part: Any, index: int) -> Pair:
    try:
        image, label = part[index]
        image = _as_array(image)
        label = label.item() if hasattr(label, "item") else label
    except InputError:
        raise
    except Exception as problem:  # a stranger's dataset, whatever it does
        said = shown(f"{type(problem).__name__}: {problem}".splitlines()[0], 200)
        raise InputError(f"image {index} of {split} cannot be read: {said}") from None
    if isinstance(label, bool) or not isinstance(label, int | float):
        raise InputError(f"image {index} of {split}: its label is a {type(label).__name__}, no class number")
    return image, label


def _as_array(image: Any) -> np.ndarray[Any, Any]:
    """An image of PIL's as its pixels, and an array or tensor; a palette becomes its colours."""
    if isinstance(image, torch.Tensor):
        return image.detach().cpu().numpy()
    if hasattr(image, "convert"):
        plain = image.mode in ("L", "RGB") or image.mode[:1] in ("I", "F")  # 16 bits are whole numbers above 255
        return np.asarray(image if plain else image.convert("RGB"))
    return np.asarray(image)


def _same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    return one.shape == other.shape and bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))


def together(split: str, samples: Iterator[Pair]) -> Pair:
    """All samples as one array. Raises InputError for the first image of another shape."""
    images: list[np.ndarray[Any, Any]] = []
    labels: list[Any] = []
    for index, (image, label) in enumerate(samples):
        if images and image.shape != images[0].shape:
            raise InputError(
                f"image {index} of {split} is {_of(image)}, the others are {_of(images[0])}: bring all to one size"
            )
        images.append(image)
        labels.append(label)
    return np.stack(images) if images else np.zeros((0, 1, 1, 1), dtype=np.uint8), np.asarray(labels or [0][:0])


def _of(image: np.ndarray[Any, Any]) -> str:
    return " x ".join(map(str, image.shape))


def from_arrays(path: Path) -> tuple[dict[str, Pair], str | None]:
    """The arrays of a `.npz` file: x_train, y_train, ... or train_images, train_labels, ... (MedMNIST), or x and y."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:  # numpy leaves a damaged one open
            names = list(file.files)
            layout = str(file[LAYOUT]) if LAYOUT in names else None
            return {split: (file[x], file[y]) for split, x, y in _named(path, names)}, layout
    except InputError:
        raise
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as problem:
        why = shown(str(problem).splitlines()[0] if str(problem) else type(problem).__name__, 200)
        raise InputError(f"{path.name} cannot be read as a .npz file of numbers: {why}") from None
    except (AttributeError, TypeError):  # a single array, which numpy loads as one
        raise InputError(f"{path.name} holds a single array: write images and labels with np.savez") from None


def _named(path: Path, names: list[str]) -> Iterator[tuple[str, str, str]]:
    """(split, name of its images, name of its labels)."""
    spelled = [(split, split) for split in SPLITS[:3]] + [(split, name) for name, split in OTHER_NAMES.items()]
    found = [
        (split, x.format(name), y.format(name))
        for x, y in ARRAYS
        for split, name in spelled
        if x.format(name) in names or (y.format(name) in names and "images" in x)
    ]
    found = found or [("all", x, y) for x, y in WHOLE if x in names][:1]
    for split, x, y in found:
        if missing := [name for name in (x, y) if name not in names]:
            raise InputError(
                f"{path.name} has no array {missing[0]!r} for {split}. It has {shown(', '.join(names), 200)}"
            )
        yield split, x, y
    if not found:
        raise InputError(
            f"{path.name} has {shown(', '.join(names), 200) or 'no arrays'}: x_train, y_train, x_test, y_test, or "
            "train_images, train_labels, ... are needed, or x and y"
        )


def from_parquet(place: Path, size: int | None) -> tuple[dict[str, Pair], str | None]:
    """Hugging Face's Parquet files: one of all images, or all below a folder, whose names begin with their split."""
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise InputError("Parquet files need the package pyarrow: pip install pyarrow") from None
    files = [place] if place.is_file() else sorted(place.rglob("*.parquet"))
    if not files:
        raise InputError(f"{place} has no .parquet files")
    splits: dict[str, list[Path]] = {}
    for file in files:
        match = None if place.is_file() else _SPLIT_OF.match(file.name) or _SPLIT_OF.fullmatch(file.parent.name)
        splits.setdefault(OTHER_NAMES.get(match[1], match[1]) if match else "all", []).append(file)
    if "all" in splits and len(splits) > 1:
        raise InputError(f"{splits['all'][0].name} names no split: begin its name with train, validation or test")
    found = {}
    for split, paths in splits.items():
        samples = ((image, label) for path in paths for image, label in _rows(parquet, path))
        found[split] = together(split, _decoded(split, samples, size))
    return found, "NHWC"


def _rows(parquet: Any, path: Path) -> Iterator[Pair]:
    """(bytes of an image, label), in order."""
    try:
        file = parquet.ParquetFile(path)
        image, label = _columns(file.schema_arrow, path)
        for batch in file.iter_batches(columns=[image, label], batch_size=256):
            for row in batch.to_pylist():
                value = row[image]
                yield (value.get("bytes") if isinstance(value, dict) else value), row[label]
    except InputError:
        raise
    except Exception as problem:  # pyarrow has an error for each part of the format
        said = shown(str(problem).splitlines()[0] if str(problem) else type(problem).__name__, 200)
        raise InputError(f"{path.name} cannot be read as Parquet: {said}") from None


def _columns(schema: Any, path: Path) -> tuple[str, str]:
    """The columns of images and of labels: the one of this type, or of several the one with the usual name."""
    pa: Any = importlib.import_module("pyarrow")

    def is_image(kind: Any) -> bool:
        if pa.types.is_struct(kind):
            return any(part.name == "bytes" for part in kind)
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    images = [part.name for part in schema if is_image(part.type)]
    labels = [part.name for part in schema if pa.types.is_integer(part.type)]
    there = shown(", ".join(f"{part.name} ({part.type})" for part in schema), 200)
    chosen = []
    for what, names, usual in (("image", images, ("image", "img")), ("label", labels, ("label", "labels"))):
        best = [name for name in usual if name in names] or names
        if len(best) != 1 and best[:1] != [usual[0]]:
            many = f"several columns could be the {what}" if names else f"no column is the {what}"
            raise InputError(f"{path.name}: {many}. It has {there}; an {usual[0]} column is needed, or a load function")
        chosen.append(best[0])
    return chosen[0], chosen[1]


def _decoded(split: str, rows: Iterator[Pair], size: int | None) -> Iterator[Pair]:
    """Images as uint8 (height, width, 3)."""
    from PIL import Image
    from torchvision.transforms import functional as T

    for index, (content, label) in enumerate(rows):
        if content is None:
            raise InputError(f"image {index} of {split} has no bytes in its file, only a path")
        if label is None:
            raise InputError(f"image {index} of {split} has no label")
        try:
            with Image.open(io.BytesIO(content)) as opened:
                image: Any = as_rgb(opened)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as problem:
            raise InputError(f"image {index} of {split} cannot be decoded: {shown(problem, 120)}") from None
        if size is not None:
            image = T.center_crop(T.resize(image, [size * 8 // 7 if size >= 128 else size]), [size, size])
        yield np.asarray(image), label
