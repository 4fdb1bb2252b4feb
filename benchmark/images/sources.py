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

from prunemark.setups.errors import InputError

VARIABLE = "PRUNEMARK_DATA"
CONFINED = "PRUNEMARK_CONFINED"
"""The variable that a worker has which cannot start programs or share memory: see `sandbox/worker.py`."""
INSTALLED = ("digits", "glyphs")
CHECKED_BY_TORCHVISION = ("cifar10", "cifar100")  # of FashionMNIST it asks only whether the files are there
IMAGE_FOLDER = re.compile(r"folder:([\w.-]+)@([1-9]\d{0,3})(/files)?", re.ASCII)
"""`folder:NAME@SIZE`: any folder of images, brought to SIZE; with `/files`, read as they are needed."""


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
    data_sha256, and compared whenever one is read. Of FashionMNIST, a few files, over their bytes too.
    """
    if name in (*INSTALLED, *CHECKED_BY_TORCHVISION):
        return ""
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
