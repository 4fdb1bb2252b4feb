"""Tracks: dataset x network x granularity x compression levels, with everything a comparison on them fixes.

A track is a frozen, versioned literal. What it states, no submission may change; a released version never
changes, a change is a new version. `find_track` also takes a user's: a TOML file, or one of an installed package.
"""

from __future__ import annotations

from dataclasses import replace

from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.image_tracks import IMAGE_TRACKS
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import halving, parse_schedule
from prunemark.setups.terms import PORTABLE, Granularity, Level, SeedPrior, Track, parse_pattern
from prunemark.setups.user_tracks import installed_tracks, track_from_file

__all__ = ["TRACKS", "Granularity", "Level", "SeedPrior", "Track", "find_track", "parse_pattern"]

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
# Measured again in portable arithmetic, their terms unchanged: these can be extended on any kind of processor.
_PORTABLE = ("digits-mlp7", "digits-resnet8-weights", "digits-resnet8-2to4", "cifar10-jpeg-small-weights")
_SECOND = tuple(
    replace(track, version=2, arithmetic=PORTABLE) for track in (*_TRACKS, *IMAGE_TRACKS) if track.name in _PORTABLE
)
TRACKS: dict[str, Track] = {track.id: track for track in (*_TRACKS, *IMAGE_TRACKS, *_SECOND)}


def find_track(name: str) -> Track:
    """The track `name@version`, the newest version of `name`, or the one that a TOML file states.

    Tracks of installed packages (entry points `prunemark.tracks`) are found after the project's own, which they
    cannot replace. Raises InputError with the valid names.
    """
    if name.endswith(".toml"):
        track = track_from_file(name)
        if track.name in {known.name for known in TRACKS.values()}:
            raise InputError(f"{name} states a track named {track.name!r}, which ships with Prunemark.\nName it anew")
        return track
    if name in TRACKS:
        return TRACKS[name]
    versions = [track for track in TRACKS.values() if track.name == name]
    if versions:
        return max(versions, key=lambda track: track.version)
    if "@" in name and (known := [t.id for t in TRACKS.values() if t.name == name.split("@", maxsplit=1)[0]]):
        raise InputError(f"track {name!r} has no such version. Valid: {', '.join(known)}")
    installed = installed_tracks()
    if found := [track for track in installed if name in (track.id, track.name)]:
        return max(found, key=lambda track: track.version)
    raise unknown_name("track", name, {track.name for track in (*TRACKS.values(), *installed)})
