"""The files of tracks: those that ship with Prunemark, and those of a user.

Each shipped track is one file of `setups/tracks/`, NAME@VERSION.toml, in the form in which a user writes one. To add a
track is to add a file; a released file never changes, a change is a file with the next version.
"""

from __future__ import annotations

import tomllib
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.recipe import recipe_from_dict
from prunemark.setups.track import ALLOCATIONS, ANY_TIME, PORTABLE, RECIPES, Level, SeedPrior, Track, parse_planned

SHIPPED = Path(__file__).parent / "tracks"
ENTRY_POINTS = "prunemark.tracks"


def find_track(name: str) -> Track:
    """The track `name@version`, the newest version of `name`, or the one that a TOML file states.

    Tracks of installed packages (entry points `prunemark.tracks`) are found after the project's own, which they
    cannot replace. Raises InputError with the valid names.
    """
    released = released_tracks()
    if name.endswith(".toml"):
        track = track_from_file(name)
        if track.name in {known.name for known in released.values()}:
            raise InputError(f"{name} states a track named {track.name!r}, which ships with Prunemark.\nName it anew")
        return track
    if name in released:
        return released[name]
    versions = [track for track in released.values() if track.name == name]
    if versions:
        return max(versions, key=lambda track: track.version)
    if "@" in name and (known := [t.id for t in released.values() if t.name == name.split("@", maxsplit=1)[0]]):
        raise InputError(f"track {name!r} has no such version. Valid: {', '.join(known)}")
    installed = installed_tracks()
    if found := [track for track in installed if name in (track.id, track.name)]:
        return max(found, key=lambda track: track.version)
    raise unknown_name("track", name, {track.name for track in (*released.values(), *installed)})


@cache
def released_tracks() -> dict[str, Track]:
    """The tracks that ship with Prunemark, by id, in the order of their names. Their files are read once."""
    return tracks_in(SHIPPED)


def tracks_in(folder: Path) -> dict[str, Track]:
    """The tracks of all TOML files in a folder, by id, in the order of names and versions.

    Raises InputError for a file that is no track, or that has another name than its track.
    """
    found = []
    for path in folder.glob("*.toml"):
        track = track_from_file(path, released=True)
        if path.stem != track.id:
            raise InputError(f"the track {path} is {track.id}: call the file {track.id}.toml")
        found.append(track)
    return {track.id: track for track in sorted(found, key=lambda track: (track.name, track.version))}


def installed_tracks() -> tuple[Track, ...]:
    """Tracks of installed packages: each entry point `prunemark.tracks` names a Track. Raises InputError for others."""
    from importlib.metadata import entry_points  # takes longer than reading all shipped tracks

    found = []
    for point in entry_points(group=ENTRY_POINTS):
        try:
            track = point.load()
        except Exception as problem:  # a stranger's package, whatever is wrong with it
            raise InputError(f"the installed track {point.name!r} cannot be loaded: {problem}") from None
        if not isinstance(track, Track):
            raise InputError(
                f"the installed track {point.name!r} ({point.value}) is a {type(track).__name__}, no Track"
            )
        _check(track)
        found.append(track)
    return tuple(found)


def text_of(name: str) -> str:
    """The TOML text that states a track, to copy for another one. Raises InputError as `find_track` does.

    A track that an installed package makes in Python has no such text: InputError too.
    """
    track = find_track(name)
    path = Path(name) if name.endswith(".toml") else SHIPPED / f"{track.id}.toml"
    if not path.exists():
        raise InputError(f"{track.id} has no TOML file: an installed package makes it in Python")
    return path.read_text(encoding="utf-8")


def track_from_file(path: str | Path, *, released: bool = False) -> Track:
    """The track that a TOML file states, with the fields of `Track` as keys. Raises InputError, with the file's name.

    `levels` is a list of tables and each recipe a table; docs/networks-and-data.md has one to copy. Only a `released`
    track has a prior of the noise.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        return track_from_dict(tomllib.loads(text), released=released)
    except (OSError, UnicodeError) as problem:
        raise InputError(f"the track {path} cannot be read: {problem}") from None
    except tomllib.TOMLDecodeError as problem:
        raise InputError(f"the track {path} is not TOML: {problem}") from None
    except InputError as problem:
        raise InputError(f"the track {path}: {problem}") from None


def track_from_dict(data: dict[str, Any], *, released: bool = False) -> Track:
    """The inverse of `Track.as_dict`. Raises InputError for what is missing, unknown, or of the wrong kind."""
    _refuse_unknown("a track", Track, data)
    rest = dict(data)
    try:
        for name in RECIPES:
            rest[name] = recipe_from_dict(rest[name])
        rest["levels"] = tuple(_level(level) for level in rest["levels"])
        rest["prunable"] = tuple(rest["prunable"])
        if "allocations" in rest:
            rest["allocations"] = tuple(rest["allocations"])
        if rest.get("prior") is not None:
            rest["prior"] = _prior(rest["prior"], released)
        track = Track(**rest)
    except KeyError as problem:
        raise InputError(f"a track needs {problem.args[0]}") from None
    except (TypeError, ValueError, AttributeError) as problem:
        raise InputError(f"a track needs {', '.join(f.name for f in fields(Track)[:15])}: {problem}") from None
    _check(track)
    return track


def _level(data: dict[str, Any]) -> Level:
    ratios = data.get("layer_ratios")
    _refuse_unknown("a level", Level, data)
    as_pairs = ratios.items() if isinstance(ratios, dict) else ratios
    pairs = None if as_pairs is None else tuple((str(layer), ratio) for layer, ratio in as_pairs)
    return Level(**dict(data, layer_ratios=pairs))


def _prior(data: dict[str, Any], released: bool) -> SeedPrior:
    if not released:
        raise InputError("a prior of the noise is for tracks that ship with Prunemark")
    _refuse_unknown("a prior", SeedPrior, data)
    return SeedPrior(**data)


def _refuse_unknown(what: str, kind: type[Track | Level | SeedPrior], data: dict[str, Any]) -> None:
    known = {field.name for field in fields(kind)}
    if unknown := sorted(set(data) - known):
        raise InputError(f"{what} has no {', '.join(unknown)}. It has {', '.join(sorted(known))}")


TEXTS = ("name", "title", "dataset", "network", "family", "anchor")
NUMBERS = {  # least, most, whole
    "version": (1, 9999, True), "classes": (2, 10**6, True), "margin_pp": (1e-6, 100, False),
    "tolerance": (1e-6, 0.1, False), "pruning_seconds_limit": (1, 10**8, False),
    "pruning_epochs_limit": (0, 10**5, True), "scoring_epochs_limit": (0, 10**5, True),
}  # fmt: skip


def _check(track: Track) -> None:
    """Raises InputError for a track that no trial could run on."""
    for name in TEXTS:
        if not isinstance(getattr(track, name), str) or not getattr(track, name):
            raise InputError(f"{name} is a text; given {getattr(track, name)!r}")
    for name, (least, most, whole) in NUMBERS.items():
        _check_number(name, getattr(track, name), least, most, whole)
    if track.lr_stage_cap is not None:
        _check_number("lr_stage_cap", track.lr_stage_cap, 1, 10**5, True)
    if track.prior is not None:
        _check_number("sd_pp of the prior", track.prior.sd_pp, 1e-6, 100, False)
        _check_number("df of the prior", track.prior.df, 1e-6, 10**4, False)
    if track.arithmetic not in (None, PORTABLE):
        raise InputError(f"arithmetic is {PORTABLE}, or is left out; given {track.arithmetic!r}")
    if track.arithmetic and "AdamW" in [getattr(track, recipe).optimiser for recipe in RECIPES]:
        raise InputError("AdamW takes square roots, which are not portable: train by SGD, or leave arithmetic out")
    if track.judged not in (None, ANY_TIME):
        parse_planned(str(track.judged))
    if track.granularity not in ("filter", "weight"):
        raise InputError(f"granularity is filter or weight; given {track.granularity!r}")
    for name in ("prunable", "allocations"):
        if not getattr(track, name) or not all(isinstance(part, str) for part in getattr(track, name)):
            raise InputError(f"{name} is a list of names")
    if track.pattern is not None and (not isinstance(track.pattern, str) or track.granularity != "weight"):
        raise InputError("a pattern is a text such as 2:4, on a track of granularity weight")
    track.n_of_m  # noqa: B018 - raises InputError for what is no pattern
    _check_images(track)
    _check_levels(track)


def _check_levels(track: Track) -> None:
    if unknown := sorted(set(track.allocations) - set(ALLOCATIONS)):
        raise InputError(f"allocations are of {', '.join(ALLOCATIONS)}; given {', '.join(unknown)}")
    names = [level.name for level in track.levels]
    if not names or len(set(names)) < len(names):
        raise InputError(f"a track has at least one level, and no two of one name; given {', '.join(map(str, names))}")
    for level in track.levels:
        _check_level(level, track.granularity == "filter")
        _check_fits(level, track)


def _check_images(track: Track) -> None:
    """Images that are read from files are of any size: they are cropped to one, or taken from the middle."""
    if track.dataset.endswith("/files") or track.dataset.startswith("imagenet"):
        for name in RECIPES:
            if (given := getattr(track, name).augmentation) not in ("none", "resized-crop"):
                raise InputError(
                    f"{name}: augmentation {given} is for images in memory; those of {track.dataset} are read\n"
                    "from files. Take resized-crop or none"
                )


def _check_fits(level: Level, track: Track) -> None:
    if track.n_of_m is not None:
        kept, of = track.n_of_m
        ratio = 1 - kept / of
        if abs(level.ratio - ratio) > 1e-9:
            given = f"pattern {track.pattern} removes a ratio of {ratio:g}; given {level.ratio:g}"
            raise InputError(f"level {level.name}: {given}")
    for start, _ratio in level.layer_ratios or ():
        if not any(layer.startswith(start) for layer in track.prunable):
            raise InputError(f"level {level.name}: no prunable layer begins with {start!r}, which has a ratio")
    if level.layer_ratios is not None and not level.layer_ratios:
        raise InputError(f"level {level.name}: layer_ratios names no layer. Leave it out for one ratio in all")


def _check_level(level: Level, filters: bool) -> None:
    if not isinstance(level.name, str) or not level.name:
        raise InputError(f"the name of a level is a text; given {level.name!r}")
    for ratio in (level.ratio, *(ratio for _start, ratio in level.layer_ratios or ())):
        _check_number(f"level {level.name}: a ratio", ratio, 1e-6, 1 - 1e-6, False)
    if filters:
        _check_number(f"level {level.name}: a speed-up, which filters need,", level.speedup, 1.0, 10**6, False)
    elif level.speedup is not None or level.layer_ratios is not None:
        raise InputError(f"level {level.name}: a speed-up is for filters; weights have a ratio")


def _check_number(name: str, value: object, least: float, most: float, whole: bool) -> None:
    kind = "a whole number" if whole else "a number"
    right = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not right or not least <= value <= most:  # type: ignore[operator]
        raise InputError(f"{name} is {kind} from {least:g} to {most:g}; given {value!r}")
