"""Whether a trial could run on a track, and its names can stand in a table, a path and a page: a track file is input.

Every name has a plain alphabet and a length, every number its bounds, and the network is one that is known.
"""

from __future__ import annotations

import re

from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.execution import check_execution
from prunemark.setups.given_base import check_bases
from prunemark.setups.own_parts import LIBRARIES, is_own_dataset, is_own_network
from prunemark.setups.text import as_given, shown
from prunemark.setups.track import ALLOCATIONS, ANY_TIME, OF_FILTERS, PORTABLE, RECIPES, Level, Track, parse_planned

WORDS = {  # longest, pattern, in words
    "name": (64, r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*", "letters, digits, '_', '-' and single dots"),
    "title": (200, r"[^<>\\]*", "a text on one line, without <, > and backslash"),
    "dataset": (120, r"[A-Za-z0-9][\w.@:/-]*", "a name, such as cifar10 or folder:NAME@SIZE"),
    "network": (120, r"[A-Za-z0-9][\w.:-]*", "a name, such as resnet56 or timm:NAME"),
    "family": (80, r"[A-Za-z0-9][\w .x+-]*", "letters, digits, spaces, '_', '.', '+' and '-'"),
    "anchor": (64, r"[A-Za-z0-9][\w.-]*", "the name of a method, such as L1-norm"),
}  # fmt: skip
OWN, LONGEST_SPEC = {"network": is_own_network, "dataset": is_own_dataset}, 400
LEVEL_NAME = r"[A-Za-z0-9][A-Za-z0-9 _.,:+%-]*"
LAYER_NAME = r"\w[\w.]*"
LONGEST_LEVEL_NAME, LONGEST_LAYER_NAME, MOST_LEVELS, MOST_LAYERS = 40, 200, 100, 5_000
NETWORKS = (
    "mlp7", "mobilenetv2", "resnet8", "resnet8-even", "resnet14-thin", "resnet20", "resnet20b", "resnet32",
    "resnet32b", "resnet56", "resnet56b", "resnet110", "resnet110b", "vgg16", "vgg19", "wrn16-8", "wrn28-10",
    "wrn40-2",
)  # fmt: skip
"""The project's own networks, which `benchmark/networks/registry.py` builds; a test holds the two together."""
NUMBERS = {  # least, most, whole
    "version": (1, 9999, True), "classes": (2, 10**6, True), "margin_pp": (1e-6, 100, False),
    "tolerance": (1e-6, 0.1, False), "pruning_seconds_limit": (1, 10**8, False),
    "pruning_epochs_limit": (0, 10**5, True), "scoring_epochs_limit": (0, 10**5, True),
}  # fmt: skip


def check_track(track: Track) -> None:
    """Raises InputError for a track that no trial could run on, or whose names cannot be shown or name a folder."""
    for name, (longest, form, words) in WORDS.items():
        if name not in OWN or not OWN[name](str(getattr(track, name))):
            check_word(name, getattr(track, name), longest, form, words)
        elif len(getattr(track, name)) > LONGEST_SPEC:
            raise InputError(f"{name} has at most {LONGEST_SPEC} characters; given {len(getattr(track, name)):,}")
    _check_network(track.network)
    for name, (least, most, whole) in NUMBERS.items():
        _check_number(name, getattr(track, name), least, most, whole)
    _check_options(track)
    if track.arithmetic not in (None, PORTABLE):
        raise InputError(f"arithmetic is {PORTABLE}, or is left out; given {as_given(track.arithmetic)}")
    if track.arithmetic and "AdamW" in [getattr(track, recipe).optimiser for recipe in RECIPES]:
        raise InputError("AdamW takes square roots, which are not portable: train by SGD, or leave arithmetic out")
    check_execution(track)
    if track.judged not in (None, ANY_TIME):
        parse_planned(as_given(track.judged).strip("'"))
    if track.granularity not in (*OF_FILTERS, "weight"):
        known = f"{', '.join(OF_FILTERS)}, weight or a pattern such as 2:4"
        raise InputError(f"granularity is {known}; given {as_given(track.granularity)}")
    _check_names(track)
    if track.pattern is not None and (not isinstance(track.pattern, str) or track.granularity != "weight"):
        raise InputError("a pattern is a text such as 2:4, on a track of granularity weight")
    track.n_of_m  # noqa: B018 - raises InputError for what is no pattern
    _check_images(track)
    check_bases(track)
    _check_levels(track)


def _check_options(track: Track) -> None:
    """Numbers that a track need not state, and what only a method states."""
    if track.lr_stage_cap is not None:
        _check_number("lr_stage_cap", track.lr_stage_cap, 1, 10**5, True)
    if track.prior is not None:
        _check_number("sd_pp of the prior", track.prior.sd_pp, 1e-6, 100, False)
        _check_number("df of the prior", track.prior.df, 1e-6, 10**4, False)
    for name in RECIPES:
        if (recipe := getattr(track, name)).distillation or recipe.regulariser:
            raise InputError(f"distillation and a regulariser are declared by methods: leave them out of [{name}]")


def check_word(name: str, value: object, longest: int, form: str, words: str) -> None:
    """Raises InputError for what is no text of this form and length, or has letters that cannot be seen."""
    if not isinstance(value, str) or not value:
        raise InputError(f"{name} is a text; given {as_given(value)}")
    if len(value) > longest:
        raise InputError(f"{name} has at most {longest} characters; given {len(value):,}: {as_given(value, 40)}")
    if shown(value, longest) != value or not re.fullmatch(form, value, re.ASCII):
        raise InputError(f"{name} is {words}; given {as_given(value)}")


def _check_names(track: Track) -> None:
    for name in ("prunable", "allocations"):
        if not getattr(track, name) or not all(isinstance(part, str) for part in getattr(track, name)):
            raise InputError(f"{name} is a list of names")
        if len(getattr(track, name)) > MOST_LAYERS:
            raise InputError(f"{name} has at most {MOST_LAYERS:,} names; given {len(getattr(track, name)):,}")
    for layer in track.prunable:
        check_word("the name of a layer", layer, LONGEST_LAYER_NAME, LAYER_NAME, "letters, digits, '_' and '.'")


def _check_network(name: str) -> None:
    library, _, model = name.partition(":")
    if is_own_network(name):
        return
    if name not in NETWORKS and (library not in LIBRARIES or not re.fullmatch(r"[A-Za-z]\w*", model, re.ASCII)):
        own = ["path/to/model.py:function", "package.module:function"]
        raise unknown_name("network", name, [*NETWORKS, *(f"{library}:NAME" for library in LIBRARIES), *own])


def _check_levels(track: Track) -> None:
    if unknown := sorted(set(track.allocations) - set(ALLOCATIONS)):
        raise InputError(f"allocations are of {', '.join(ALLOCATIONS)}; given {shown(', '.join(unknown), 80)}")
    names = [level.name for level in track.levels]
    if len(names) > MOST_LEVELS:
        raise InputError(f"a track has at most {MOST_LEVELS} levels; given {len(names):,}")
    for name in names:
        check_word("the name of a level", name, LONGEST_LEVEL_NAME, LEVEL_NAME, "a word such as 50% or 2.31x")
    if not names or len(set(names)) < len(names):
        raise InputError(f"a track has at least one level, and no two of one name; given {shown(', '.join(names), 80)}")
    for level in track.levels:
        _check_level(level, track.of_filters)
        _check_fits(level, track)


def _check_images(track: Track) -> None:
    """Images that are read from files are of any size: they are cropped to one, or taken from the middle."""
    own = is_own_dataset(track.dataset)
    if not own and (track.dataset.endswith("/files") or track.dataset.startswith("imagenet")):
        for name in RECIPES:
            if (found := getattr(track, name).augmentation) not in ("none", "resized-crop"):
                raise InputError(
                    f"{name}: augmentation {found} is for images in memory; those of {track.dataset} are read\n"
                    "from files. Take resized-crop or none"
                )


def _check_fits(level: Level, track: Track) -> None:
    if track.n_of_m is not None:
        kept, of = track.n_of_m
        ratio = 1 - kept / of
        if abs(level.ratio - ratio) > 1e-9:
            said = f"pattern {track.pattern} removes a ratio of {ratio:g}; given {level.ratio:g}"
            raise InputError(f"level {level.name}: {said}")
    for start, _ratio in level.layer_ratios or ():
        if not any(layer.startswith(start) for layer in track.prunable):
            raise InputError(f"level {level.name}: no prunable layer begins with {as_given(start)}, which has a ratio")
    if level.layer_ratios is not None and not level.layer_ratios:
        raise InputError(f"level {level.name}: layer_ratios names no layer. Leave it out for one ratio in all")


def _check_level(level: Level, filters: bool) -> None:
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
        raise InputError(f"{name} is {kind} from {least:g} to {most:g}; given {as_given(value)}")
