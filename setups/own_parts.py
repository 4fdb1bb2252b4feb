"""What a track takes from its author's own files, a network and images: where they lie, and what they are.

A track names its own network as `model.py:build` or `package.module:function`, and its own images as `data.py:load`,
`file.npz`, `file.parquet` or `parquet:FOLDER`. Paths are relative to the folder of the track's file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

LIBRARIES = ("timm", "torchvision")
"""Whose networks a track names as `timm:NAME`."""
NETWORK_POINTS = "prunemark.networks"
"""The entry points by which an installed package gives networks a name."""
PATH = r"(?:/|\.{1,2}/)*[\w-][\w./+-]*"
FUNCTION = r"[A-Za-z_]\w*"
_FILE = re.compile(rf"({PATH}\.py):({FUNCTION})", re.ASCII)
_MODULE = re.compile(rf"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+):({FUNCTION})", re.ASCII)
_ARRAYS = re.compile(rf"{PATH}\.npz", re.ASCII)
_PARQUET = re.compile(rf"(?:parquet:({PATH})|({PATH}\.parquet))(?:@([1-9]\d{{0,3}}))?", re.ASCII)
_NAMED = re.compile(rf"own:{FUNCTION}@[0-9a-f]{{12}}", re.ASCII)


@dataclass(frozen=True)
class OwnParts:
    """The own parts of a track. `folder` is that of its file; all else is known once it is bound (`run/own_parts.py`).

    `network_sha256` is the identity of the network's code, `packages` the installed packages that it imports, with
    their versions. `dataset_sha256` is that of the prepared images, which have `shape` (channels, height, width);
    `mean` and `sd` are of each channel over the training split, of bytes as numbers from 0 to 1.
    """

    folder: str = ""
    network_sha256: str | None = None
    packages: tuple[tuple[str, str], ...] = ()
    dataset_sha256: str | None = None
    shape: tuple[int, int, int] | None = None
    mean: tuple[float, ...] = ()
    sd: tuple[float, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON of what identifies the parts: neither a path nor the name of a file."""
        plain: dict[str, Any] = {"network_sha256": self.network_sha256} if self.network_sha256 else {}
        if self.dataset_sha256:
            plain |= {"dataset_sha256": self.dataset_sha256, "shape": self.shape, "mean": self.mean, "sd": self.sd}
        return plain


def function_of(name: str) -> tuple[str, str] | None:
    """(file or module, function) of a name of own code; None for any other name."""
    if match := _FILE.fullmatch(name):
        return match[1], match[2]
    match = _MODULE.fullmatch(name)
    return (match[1], match[2]) if match else None


def installed_network(name: str) -> str | None:
    """The `package.module:function` that an entry point gives this name; None where there is none."""
    from importlib.metadata import entry_points

    return next((point.value for point in entry_points(group=NETWORK_POINTS) if point.name == name), None)


def arrays_of(name: str) -> str | None:
    """The path of a `.npz` file."""
    return name if _ARRAYS.fullmatch(name) else None


def parquet_of(name: str) -> tuple[str, int | None] | None:
    """(path, size that images are brought to, None for as they are) of Parquet files."""
    match = _PARQUET.fullmatch(name)
    return (match[1] or match[2], int(match[3]) if match[3] else None) if match else None


def is_own_network(name: str) -> bool:
    """Whether a track's network is code of its author's."""
    return function_of(name) is not None


def is_own_dataset(name: str) -> bool:
    """Whether a track's images come from files or code of its author's; folders of images are read as ever."""
    return any(of(name) is not None for of in (function_of, arrays_of, parquet_of))


def is_name_of_own(name: str) -> bool:
    """Whether this is what records call a network of one's own: `own:build@1a2b3c4d5e6f`."""
    return _NAMED.fullmatch(name) is not None


def name_of_own(what: str, sha256: str) -> str:
    """What keys and records call a part: which function or kind of file it is, and the beginning of its hash."""
    return f"own:{what}@{sha256[:12]}"
