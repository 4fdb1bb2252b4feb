"""The files of tracks: those that ship with Prunemark, and those of a user.

Each shipped track is one file of `setups/tracks/`, NAME@VERSION.toml, in the form in which a user writes one. To add a
track is to add a file; a released file never changes, a change is a file with the next version.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from prunemark.setups.bounded_files import TOML_BYTES, read_bounded, read_toml
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.execution import SIGN, execution_from_dict, with_execution
from prunemark.setups.given_base import NOT_PRETRAINED, bases_from
from prunemark.setups.own_parts import OwnParts, installed_network, is_own_dataset, is_own_network
from prunemark.setups.recipe import recipe_from_dict
from prunemark.setups.text import as_given, shown
from prunemark.setups.track import RECIPES, Level, SeedPrior, Track, as_pattern
from prunemark.setups.track_checks import NETWORKS, check_track

SHIPPED = Path(__file__).parent / "tracks"
ENTRY_POINTS = "prunemark.tracks"


def find_track(name: str) -> Track:
    """The track `name@version`, the newest version of `name`, or the one that a TOML file states.

    Behind a name or a file, `+bf16` and the like ask for terms of execution: see `with_execution`. Tracks of installed
    packages (entry points `prunemark.tracks`) are found after the project's own, which they cannot replace. Raises
    InputError with the valid names.
    """
    plain, words = _apart(name)
    if words:
        return with_execution(find_track(plain), words)
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


def _apart(name: str) -> tuple[str, list[str]]:
    """`name+bf16@1` -> `name@1` and its words; of `file.toml+bf16` too."""
    file, toml, words = name.rpartition(".toml" + SIGN)
    if toml:
        return f"{file}.toml", words.split(SIGN)
    if name.endswith(".toml"):
        return name, []
    plain, at, version = name.partition("@")
    return plain.partition(SIGN)[0] + at + version, plain.split(SIGN)[1:]


def known_track(id: str) -> Track | None:
    """The released track of this id, or one on terms of execution; None for others."""
    released = released_tracks()
    plain, words = _apart(id)
    if plain not in released:
        return None
    try:
        found = with_execution(released[plain], words)
    except InputError:
        return None
    return found if found.id == id else None


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
        check_track(track)
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
    return read_bounded(path, TOML_BYTES).decode("utf-8")


def track_from_file(path: str | Path, *, released: bool = False) -> Track:
    """The track that a TOML file states, with the fields of `Track` as keys. Raises InputError, with the file's name.

    `levels` is a list of tables and each recipe a table; docs/networks-and-data.md has one to copy. Only a `released`
    track has a prior of the noise.
    """
    data = read_toml(Path(path), f"the track {path}")
    try:
        return track_from_dict(data, released=released, folder=str(Path(path).resolve().parent))
    except InputError as problem:
        raise InputError(f"the track {path}: {problem}") from None


def track_from_dict(data: dict[str, Any], *, released: bool = False, folder: str = "") -> Track:
    """The inverse of `Track.as_dict`. Raises InputError for what is missing, unknown, or of the wrong kind.

    `folder` is where paths of own code, images and given bases start; `data` is another word for the key `dataset`, and
    `granularity` "2:4" for "weight" with that `pattern`. The
    own parts of a track that ran are not read back: they are found out from the files.
    """
    if "data" in data:
        if "dataset" in data:
            raise InputError("a track has data or dataset, which mean the same; given both")
        data = {"dataset" if name == "data" else name: value for name, value in data.items()}
    _refuse_unknown("a track", Track, data, frozenset({"own"}))
    rest = dict(data)
    if (pattern := as_pattern(rest.get("granularity"))) is not None:
        if rest.get("pattern", pattern) != pattern:
            raise InputError(
                f"granularity {pattern} is a pattern, and pattern is {as_given(rest['pattern'])}: state one"
            )
        rest |= {"granularity": "weight", "pattern": pattern}
    try:
        given = rest.get("base") is not None
        for name in RECIPES:
            needless = given and name == "pretraining" and name not in rest
            rest[name] = NOT_PRETRAINED if needless else recipe_from_dict(rest[name])
        if given:
            rest["base"] = bases_from(rest["base"], folder)
        rest["levels"] = tuple(_level(level) for level in rest["levels"])
        rest["prunable"] = tuple(rest["prunable"])
        if "allocations" in rest:
            rest["allocations"] = tuple(rest["allocations"])
        rest["execution"] = execution_from_dict(rest.get("execution"))
        if rest.get("prior") is not None:
            rest["prior"] = _prior(rest["prior"], released)
        if isinstance(network := rest.get("network"), str) and not released:
            rest["network"] = _by_entry_point(network)
        if any(own(str(rest.get(field, ""))) for field, own in OWN.items()):
            rest["own"] = OwnParts(folder)
        track = Track(**rest)
        check_track(track)
    except KeyError as problem:
        raise InputError(f"a track needs {problem.args[0]}") from None
    except (TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as problem:
        needed = ", ".join(f.name for f in fields(Track)[:15])
        raise InputError(f"a track needs {needed}: {shown(problem, 200)}") from None
    return track


OWN = {"network": is_own_network, "dataset": is_own_dataset}


def _by_entry_point(network: str) -> str:
    """`package.module:function` for the name that an installed package gives its network; else the name."""
    known = network in NETWORKS or ":" in network
    return network if known else installed_network(network) or network


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


def _refuse_unknown(
    what: str, kind: type[Track | Level | SeedPrior], data: dict[str, Any], hidden: frozenset[str] = frozenset()
) -> None:
    known = {field.name for field in fields(kind)} - hidden
    if unknown := sorted(set(data) - known):
        raise InputError(f"{what} has no {shown(', '.join(unknown), 80)}. It has {', '.join(sorted(known))}")
