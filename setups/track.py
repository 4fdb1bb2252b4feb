"""Tracks: dataset x network x granularity x compression levels, with everything a comparison on them fixes.

A track is a frozen, versioned literal. What it states, no submission may change; a released version never
changes, a change is a new version.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import halving, parse_schedule

Granularity = Literal["filter", "weight"]
_PATTERN = re.compile(r"([1-9][0-9]?):([1-9][0-9]?)", re.ASCII)


@dataclass(frozen=True)
class SeedPrior:
    """What is known beforehand of the noise between seeds, for tracks where a run costs days.

    `sd_pp` is 1.25 times the standard deviation, in points, of the difference of two methods on one seed, as measured
    by `source`; `df` is its weight in degrees of freedom. The leaderboard then uses the moderated t.
    """

    sd_pp: float
    source: str
    df: float = 4.0


@dataclass(frozen=True)
class Level:
    """One compression level: its name on the command line and the target it stands for.

    For filters the target is a speed-up in MACs: the one that removing `ratio` of the prunable filters of
    every layer gives. For weights it is `ratio` itself, the share of prunable weights set to zero.
    """

    name: str
    ratio: float
    speedup: float | None = None


@dataclass(frozen=True)
class Track:
    """The terms of one competition. Sizes are in images, limits in seconds, `margin_pp` in points.

    `classes` is their number (chance accuracy is one of them). `family` is the dataset x network family: tracks of one
    family are no independent evidence (E4).

    `prunable` names the layers that may lose filters (or weights); all others are spared. `margin_pp` is the
    largest difference in accuracy that counts as none (equivalence). `tolerance` is relative, on the target.
    `pruning` is what S4.1 and S4.2 impose on the pruning stage; `pruning_epochs_limit` bounds it under the
    others, and `scoring_epochs_limit` the passes over the training split that train nothing. `lr_stage_cap` is
    the longest that one LR of a generated schedule lasts, in epochs (the paper's Rule 3).

    `pattern` "N:M" allows, of every M consecutive weights along a layer's input, exactly N to stay (N:M sparsity, as
    sparse tensor cores read it); a layer whose inputs M does not divide is spared, so it is not among the prunable.
    """

    name: str
    version: int
    title: str
    dataset: str
    classes: int
    network: str
    family: str
    granularity: Granularity
    prunable: tuple[str, ...]
    levels: tuple[Level, ...]
    pretraining: Recipe
    pruning: Recipe
    retraining: Recipe
    anchor: str
    margin_pp: float
    tolerance: float = 0.01
    pruning_seconds_limit: float = 60.0
    pruning_epochs_limit: int = 60
    scoring_epochs_limit: int = 2
    lr_stage_cap: int | None = None
    allocations: tuple[str, ...] = ("uniform", "global")
    prior: SeedPrior | None = None
    pattern: str | None = None

    @property
    def id(self) -> str:
        """`name@version`, which results are filed under."""
        return f"{self.name}@{self.version}"

    @property
    def n_of_m(self) -> tuple[int, int] | None:
        """The pattern as two numbers, None where single weights are free."""
        return None if self.pattern is None else parse_pattern(self.pattern)

    def level(self, name: str) -> Level:
        """The level of this name. Raises InputError with the valid names."""
        found = {level.name: level for level in self.levels}
        if name not in found:
            raise unknown_name(f"level of {self.id}", name, found)
        return found[name]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON with every field that is set: what stage keys and records hold of the track.

        What a track does not state (None) is left out, so that an optional field added later changes no released track.
        """
        plain = {name: value for name, value in asdict(self).items() if value is not None}
        recipes = ("pretraining", "pruning", "retraining")
        return plain | {name: getattr(self, name).as_dict() for name in recipes}


_BLOCKS = ("blocks.0.conv1", "blocks.1.conv1", "blocks.2.conv1")
_BLOCK_CONVOLUTIONS = (
    "blocks.0.conv1", "blocks.0.conv2",
    "blocks.1.conv1", "blocks.1.conv2", "blocks.1.shortcut.0",
    "blocks.2.conv1", "blocks.2.conv2", "blocks.2.shortcut.0",
)  # fmt: skip
_HIDDEN = tuple(f"layers.{index}" for index in range(6))
_DIGITS_PRETRAINING = Recipe(lr=parse_schedule("0:1e-1,15:1e-2,22:1e-3", 30), augmentation="shift1")
_DIGITS_RETRAINING = Recipe(lr=halving(1e-1, 1e-3, 20), augmentation="shift1")
_DIGITS_PRUNING = Recipe(lr=parse_schedule("1e-2", 10), augmentation="shift1")
_MLP_RECIPE = Recipe(lr=halving(1e-1, 1e-3, 60), augmentation="shift1")

_TRACKS = (
    Track(
        name="digits-resnet8", version=1,
        title="handwritten digits (8x8), residual network of three blocks, filters pruned",
        dataset="digits", classes=10, network="resnet8", family="digits x ResNet",
        granularity="filter", prunable=_BLOCKS,
        levels=(Level("50%", 0.5, 1.911), Level("90%", 0.9, 6.373), Level("95%", 0.95, 7.687)),
        pretraining=_DIGITS_PRETRAINING, pruning=_DIGITS_PRUNING, retraining=_DIGITS_RETRAINING,
        anchor="L1-norm", margin_pp=1.0,
    ),
    Track(
        name="digits-mlp7", version=1,
        title="handwritten digits (8x8), the founding paper's seven-layer MLP, neurons pruned",
        dataset="digits", classes=10, network="mlp7", family="digits x MLP",
        granularity="filter", prunable=_HIDDEN,
        levels=(Level("50%", 0.5, 3.543), Level("80%", 0.8, 16.494), Level("90%", 0.9, 46.29)),
        pretraining=_MLP_RECIPE, pruning=_DIGITS_PRUNING, retraining=_MLP_RECIPE,
        anchor="L1-norm", margin_pp=1.0,
    ),
    Track(
        name="digits-resnet8-weights", version=1,
        title="handwritten digits (8x8), residual network of three blocks, single weights pruned",
        dataset="digits", classes=10, network="resnet8", family="digits x ResNet",
        granularity="weight", prunable=_BLOCK_CONVOLUTIONS,
        levels=(Level("90%", 0.9), Level("95%", 0.95), Level("98%", 0.98)),
        pretraining=_DIGITS_PRETRAINING, pruning=_DIGITS_PRUNING, retraining=_DIGITS_RETRAINING,
        anchor="Magnitude", margin_pp=1.0,
    ),
    Track(
        name="digits-resnet8-2to4", version=1,
        title="handwritten digits (8x8), residual network of three blocks, 2 of every 4 weights kept",
        dataset="digits", classes=10, network="resnet8", family="digits x ResNet",
        granularity="weight", pattern="2:4", prunable=_BLOCK_CONVOLUTIONS,
        levels=(Level("50%", 0.5),),
        pretraining=_DIGITS_PRETRAINING, pruning=_DIGITS_PRUNING, retraining=_DIGITS_RETRAINING,
        anchor="Magnitude", margin_pp=1.0,
    ),
)  # fmt: skip
TRACKS: dict[str, Track] = {track.id: track for track in _TRACKS}


def parse_pattern(text: str) -> tuple[int, int]:
    """'2:4' -> (2, 4). Raises InputError unless it is N:M with N below M."""
    match = _PATTERN.fullmatch(text)
    if match is None or int(match[1]) >= int(match[2]):
        raise InputError(f"a pattern is N:M with N from 1 to below M, such as 2:4; given {text!r}")
    return int(match[1]), int(match[2])


def find_track(name: str) -> Track:
    """The track `name@version`, or the newest version of `name`. Raises InputError with the valid names."""
    if name in TRACKS:
        return TRACKS[name]
    versions = [track for track in TRACKS.values() if track.name == name]
    if versions:
        return max(versions, key=lambda track: track.version)
    if "@" in name and (known := [t.id for t in TRACKS.values() if t.name == name.split("@", maxsplit=1)[0]]):
        raise InputError(f"track {name!r} has no such version. Valid: {', '.join(known)}")
    raise unknown_name("track", name, {track.name for track in TRACKS.values()})
