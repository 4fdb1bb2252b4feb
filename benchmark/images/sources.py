"""Where a dataset's images lie on this machine, and which files they are: known without loading torch.

`digits` comes with scikit-learn, and `glyphs` is drawn. Everything else lies in a folder that the user names with
--data or PRUNEMARK_DATA: in `DIR/NAME` where there is such a folder, else in `DIR` itself. Nothing is ever downloaded.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from pathlib import Path

from prunemark.setups.errors import InputError, unknown_name

VARIABLE = "PRUNEMARK_DATA"
CONFINED = "PRUNEMARK_CONFINED"
"""The variable that a worker has which cannot start programs or share memory: see `sandbox/worker.py`."""
READERS, MOST_READERS = "PRUNEMARK_READERS", 256
"""How many processes read the image files of a trial, where a user says so. No pixel and no key depends on it."""
INSTALLED = ("digits", "glyphs")
CHECKED_BY_TORCHVISION = ("cifar10", "cifar100")  # of FashionMNIST it asks only whether the files are there
IN_FOLDERS = (
    "cifar10-jpeg", "cifar10-jpeg-16", "cifar10-jpeg-16-10k", "fashionmnist", "imagenet", "imagenet100",
)  # fmt: skip
"""The other datasets that have a name; a test holds all of them together with `datasets.DATASETS`."""
IMAGE_FOLDER = re.compile(r"folder:([\w.-]+)@([1-9]\d{0,3})(/files)?", re.ASCII)
"""`folder:NAME@SIZE`: any folder of images, brought to SIZE; with `/files`, read as they are needed."""
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
LARGEST_SIDE, MOST_BYTES, A_FEW = 224, 4 * 2**30, 25


def readers() -> int | None:
    """What --readers or PRUNEMARK_READERS says; None where nobody says anything. Raises InputError."""
    stated = os.environ.get(READERS, "")
    if not stated:
        return None
    if not stated.isascii() or not stated.isdigit() or len(stated) > 3 or int(stated) > MOST_READERS:
        raise InputError(f"--readers (or {READERS}) is a whole number from 0 to {MOST_READERS}; given {stated}")
    return int(stated)


def data_folder(name: str) -> Path:
    """The folder of this dataset. Raises InputError when none is named, or there is no such folder."""
    given = os.environ.get(VARIABLE)
    if not given:
        raise InputError(
            f"dataset {name} is read from your own folder: name it with --data, or set {VARIABLE} to it.\n"
            "Nothing is downloaded; docs/networks-and-data.md says what has to lie in it"
        )
    root = Path(given).absolute()
    if not root.is_dir():
        raise InputError(f"the images are said to lie in {root} (--data, or {VARIABLE}), and there is no such folder")
    inside = root / (match.group(1) if (match := IMAGE_FOLDER.fullmatch(name)) else name)
    return inside if inside.is_dir() else root


def source_of(name: str) -> str:
    """What identifies the files that a dataset is read from: part of the key of everything made from them.

    '' where the dataset's name says it all: its reader checks it by checksums. Else SHA-256 over the paths of all
    files below the folder, not over their bytes: those are hashed when they are prepared, into the record's
    data_sha256, and compared whenever one is read. Of FashionMNIST, a few files, over their bytes too. Raises
    InputError for an unknown name.
    """
    if name in (*INSTALLED, *CHECKED_BY_TORCHVISION):
        return ""
    if name not in IN_FOLDERS and not IMAGE_FOLDER.fullmatch(name):
        raise unknown_name("dataset", name, [*INSTALLED, *CHECKED_BY_TORCHVISION, *IN_FOLDERS, "folder:NAME@SIZE"])
    return _listing_sha256(data_folder(name), bytes_too=name == "fashionmnist")


@functools.cache
def _listing_sha256(folder: Path, bytes_too: bool) -> str:
    digest = hashlib.sha256()
    for place, folders, files in os.walk(folder, followlinks=True):
        folders.sort()
        for file in sorted(files):
            digest.update(f"{Path(place).relative_to(folder)}/{file}\n".encode(errors="surrogateescape"))
            if bytes_too:
                digest.update(hashlib.sha256((Path(place) / file).read_bytes()).digest())
    return digest.hexdigest()


def dataset_in(given: str, size: int | None) -> tuple[str, Path | None]:
    """What a track calls the images that a user names, and the folder that --data has to name for it.

    A name of a dataset stays what it is. A folder of images becomes `folder:NAME@SIZE`, of `size` pixels or, where none
    is given, as many as the shorter side of most of its images has; read from files where they would take too much
    memory. A folder of Parquet files is named as such. Raises InputError for a folder without images.
    """
    folder = Path(given)
    if not folder.is_dir():
        return given, None
    if any(folder.glob("*.parquet")):
        return f"parquet:{given}" + (f"@{size}" if size else ""), None
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise InputError(f"{given} has no images: it needs train/CLASS/... and test/CLASS/... (or val/CLASS/...)")
    side = size or min(_common_side(files), LARGEST_SIDE)
    name = re.sub(r"[^\w.-]+", "-", folder.resolve().name, flags=re.ASCII)
    in_memory = len(files) * 3 * side * side <= MOST_BYTES
    return f"folder:{name}@{side}" + ("" if in_memory else "/files"), folder


def _common_side(files: list[Path]) -> int:
    """The median of the shorter sides of a few images. Raises InputError for one that cannot be opened."""
    from PIL import Image

    sides = []
    for path in files[:: max(len(files) // A_FEW, 1)]:
        try:
            with Image.open(path) as image:
                sides.append(min(image.size))
        except (OSError, SyntaxError, ValueError) as problem:
            raise InputError(f"{path} cannot be read as an image: {problem}") from None
    return sorted(sides)[len(sides) // 2]
