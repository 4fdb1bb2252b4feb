"""Classes of data: papers retrain on small images by one recipe and on ImageNet by another.

The class of a track's dataset follows from the tables here. A method has no say in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.recipe import ALL_IMAGES, OwnRecipe

SMALL_IMAGES, IMAGENET = "small images", "ImageNet"
CLASSES = (SMALL_IMAGES, IMAGENET)
LARGEST_SMALL_SIDE = 64
"""Pixels: the largest side of an image folder's images that still makes them small (Tiny ImageNet has 64)."""
CLASS_OF: Mapping[str, str] = MappingProxyType({
    "digits": SMALL_IMAGES,
    "glyphs": SMALL_IMAGES,
    "cifar10": SMALL_IMAGES,
    "cifar10-jpeg": SMALL_IMAGES,
    "cifar10-jpeg-16": SMALL_IMAGES,
    "cifar10-jpeg-16-10k": SMALL_IMAGES,
    "cifar100": SMALL_IMAGES,
    "fashionmnist": SMALL_IMAGES,
    "imagenet": IMAGENET,
    "imagenet100": IMAGENET,
})  # fmt: skip
"""The class of every dataset that has a name. Image folders go by their side."""
_FOLDER = re.compile(r"folder:[^@]+@([0-9]{1,5})(/files)?", re.ASCII)


def data_class(dataset: str) -> str:
    """`small images` or `ImageNet`. Raises InputError for a dataset that is in no table."""
    if match := _FOLDER.fullmatch(dataset):
        return SMALL_IMAGES if int(match.group(1)) <= LARGEST_SMALL_SIDE else IMAGENET
    if dataset not in CLASS_OF:
        raise unknown_name("dataset", dataset, [*CLASS_OF, "folder:NAME@SIZE"])
    return CLASS_OF[dataset]


def recipes_of(declared: object) -> tuple[OwnRecipe, ...]:
    """What a method declares: nothing, one recipe, or one for each class of data.

    Raises InputError for anything else, for an unknown class, and for two recipes that are for one class.
    """
    given = declared if isinstance(declared, tuple) else () if declared is None else (declared,)
    recipes = tuple(recipe for recipe in given if isinstance(recipe, OwnRecipe))
    if len(recipes) < len(given):
        raise InputError(f"a recipe is OwnRecipe(...), a tuple of them or None; got {declared!r}")
    for recipe in recipes:
        if recipe.data not in (*CLASSES, ALL_IMAGES):
            raise unknown_name("class of data", str(recipe.data), (*CLASSES, ALL_IMAGES))
    named = [recipe.data for recipe in recipes]
    if len(set(named)) < len(named) or (ALL_IMAGES in named and len(named) > 1):
        raise InputError(f"one class of data has one recipe; got recipes for {', '.join(named)}")
    return recipes


def recipe_for(recipes: tuple[OwnRecipe, ...], dataset: str) -> OwnRecipe | None:
    """The recipe that is declared for this dataset; None where there is none, so that the track's is used."""
    fitting = (r for r in recipes if r.data == ALL_IMAGES or r.data == data_class(dataset))
    return next(fitting, None)
