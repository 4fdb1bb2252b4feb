"""A base model that a track gives: weights from a library or a file, in place of pretraining.

They are named by the hash of their file, and by the accuracy that is stated for them. Both are checked before anything
is pruned. All methods start from them. One base serves all seeds; of several, seed i has base i.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from prunemark.setups.comparison import ComparisonSetup, listed_where
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.factors import BASE_ACCURACY_TOLERANCE_PP
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import from_vector
from prunemark.setups.text import as_given, shown

if TYPE_CHECKING:
    from prunemark.setups.track import Track

FILE = "file"
LIBRARIES = ("torchvision", "timm")
BASES = "bases"
"""The folder of a home for files of given weights."""
FORMS = "torchvision:TAG, timm:TAG or file:PATH"
TAG = r"[A-Za-z0-9][\w.-]{0,79}"
SHA256 = r"[0-9a-f]{64}"
LONGEST_PATH, LONGEST_SOURCE, MOST_BASES = 500, 300, 100
NOT_PRETRAINED = Recipe(from_vector(()))
"""The pretraining of a track whose base is given: none."""


@dataclass(frozen=True)
class GivenBase:
    """Weights that a track states. Raises InputError for what names none.

    `weights` is `torchvision:TAG` (such as IMAGENET1K_V1), `timm:TAG` (such as fb_in1k), or `file:PATH`, relative to
    `folder`, where the track's own file lies. `sha256` is of the file's bytes, all 64 digits. `top1_percent` is the
    accuracy on the test split that `source` states. The measured one has to agree within `tolerance_pp` points, by
    default within as many as S1-acc allows between bases that count as equally accurate: a checkpoint that is read
    right, on the same images, differs by less. Where a library states it for another resizing of the images, the track
    states a larger one.
    """

    weights: str
    sha256: str
    top1_percent: float
    source: str
    tolerance_pp: float = BASE_ACCURACY_TOLERANCE_PP
    folder: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.sha256, str):  # PowerShell's Get-FileHash prints upper case
            object.__setattr__(self, "sha256", self.sha256.lower())
        self._check_texts()
        for name, value, most in (("top1_percent", self.top1_percent, 100.0), ("tolerance_pp", self.tolerance_pp, 5.0)):
            right = isinstance(value, int | float) and not isinstance(value, bool)
            if not right or not 0 <= value <= most:
                raise InputError(f"{name} of a base is a number from 0 to {most:g}; given {as_given(value)}")

    def _check_texts(self) -> None:
        if not isinstance(self.weights, str) or not re.fullmatch(
            rf"(?:{'|'.join(LIBRARIES)}):{TAG}|{FILE}(?::[^\x00-\x1f<>]{{1,{LONGEST_PATH}}})?", self.weights, re.ASCII
        ):
            raise InputError(f"weights of a base are {FORMS}; given {as_given(self.weights)}")
        if not isinstance(self.sha256, str) or not re.fullmatch(SHA256, self.sha256):
            raise InputError(
                f"sha256 of a base has 64 digits, 0 to 9 and a to f; given {as_given(self.sha256)}.\n"
                "`sha256sum FILE` prints it for the file of the weights"
            )
        source = self.source
        if not isinstance(source, str) or not source or shown(source, LONGEST_SOURCE) != source or "<" in source:
            raise InputError(
                f"source of a base says where it comes from, on one line of at most {LONGEST_SOURCE} characters; given "
                f"{as_given(source)}"
            )

    @property
    def library(self) -> str:
        """torchvision, timm or file: who reads it."""
        return self.weights.partition(":")[0]

    @property
    def tag(self) -> str:
        """What the library calls it; of a file, its path as written. '' where only the hash is known."""
        return self.weights.partition(":")[2]

    @property
    def name(self) -> str:
        """Without a path, which differs from machine to machine."""
        return FILE if self.library == FILE else self.weights

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON of what determines it: a path does not, its file's hash does."""
        plain = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "folder"}
        return plain | {"weights": self.name}


def bases_from(data: Any, folder: str = "") -> tuple[GivenBase, ...]:
    """The bases that a track's file states, as one table or a list of them. Raises InputError."""
    tables = [data] if isinstance(data, dict) else data
    if not isinstance(tables, list | tuple) or not tables or not all(isinstance(each, dict) for each in tables):
        raise InputError('base is a table: base = { weights = "...", sha256 = "...", top1_percent = ..., source = "" }')
    if len(tables) > MOST_BASES:
        raise InputError(f"a track gives at most {MOST_BASES} bases; given {len(tables):,}")
    known = [each.name for each in fields(GivenBase) if each.name != "folder"]
    for table in tables:
        for name in table:
            if name not in known:
                raise unknown_name("field of a base", str(name), known)
        if missing := [name for name in known[:4] if name not in table]:
            raise InputError(f"a base states {', '.join(known[:4])}; {' and '.join(missing)} is missing")
    return tuple(GivenBase(**table, folder=folder) for table in tables)


def check_bases(track: Track) -> None:
    """Raises InputError for bases that are not for the track's network, or with which something is trained besides."""
    if (not track.base) != (track.pretraining != NOT_PRETRAINED):
        raise InputError(
            "a track states [pretraining], or a base that is given and not trained.\n"
            "Leave out [pretraining] where there is a base"
        )
    for given in track.base or ():
        if given.library != FILE and not track.network.startswith(f"{given.library}:"):
            raise InputError(
                f"{given.weights} are weights of networks {given.library}:NAME; this track's network is "
                f"{track.network}.\nGive weights of that network, or those of a file: file:PATH"
            )
    hashes = [given.sha256 for given in track.base or ()]
    if len(set(hashes)) < len(hashes):
        raise InputError("two of the given bases are the same file: one base for all seeds is given once")


def base_of(track: Track, seed: int) -> GivenBase | None:
    """The base of a seed: the only one, or the seed's own. None where it is trained.

    Raises InputError for a seed that several bases do not reach.
    """
    bases: tuple[Any, ...] = track.base or ()  # Any: a module that imports this one, which pyright takes for two
    if not bases:
        return None
    if len(bases) > 1 and not 0 <= seed < len(bases):
        raise InputError(
            f"track {track.id} gives {len(bases)} base models, for seeds 0 to {len(bases) - 1}; seed {seed} has none.\n"
            "Ask for fewer seeds"
        )
    found: GivenBase = bases[seed if len(bases) > 1 else 0]
    return found


def check_seeds(track: Track, seeds: Sequence[int]) -> None:
    """Raises InputError where a seed has no base."""
    for seed in seeds:
        base_of(track, seed)


def check_known_length(track: Track, setup: ComparisonSetup, kind: str) -> None:
    """Raises InputError for what asks how long a given base was trained: an imposed sum, and training from scratch."""
    if not track.base:
        return
    unknown = f"track {track.id} gives its base model, so the epochs and FLOPs of its training are not known"
    if setup.whole_pipeline:
        others = listed_where(lambda other: not other.whole_pipeline)
        raise InputError(f"{unknown}: {setup.id} imposes their sum and cannot hold.\nValid on this track: {others}")
    if kind == "scratch":
        raise InputError(f"{unknown}: training from scratch has nothing to be as long as.\nUse a track without a base")
