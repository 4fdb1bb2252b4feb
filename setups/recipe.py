"""A recipe: everything that turns weights into trained weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from prunemark.setups.errors import InputError
from prunemark.setups.extras import NONE, READERS
from prunemark.setups.schedule import LRSchedule, parse_schedule
from prunemark.setups.text import as_given, shown

Augmentation = Literal["none", "shift1", "crop-flip", "resized-crop"]
ALL_IMAGES = "all images"
MOST_IMAGES = 10**6  # in a batch
OPTIMISERS = ("SGD", "AdamW")
USUAL = {"optimiser": "SGD", "distillation": NONE, "regulariser": NONE}
"""What a recipe leaves out, and what it then is."""
AUGMENTATIONS = {
    "none": "images as they are",
    "shift1": "each image moved by at most one pixel in each direction, zeros moving in",
    "crop-flip": "random crop after padding by 4 pixels, and a horizontal flip (He et al. 2016)",
    "resized-crop": "a random part, 8 to 100 % of the area, stretched over the whole, and a horizontal flip",
}


@dataclass(frozen=True)
class Recipe:
    """Training over `lr.epochs` epochs; one LR per epoch. Raises InputError for values no training can have.

    `optimiser` is SGD with `momentum`, or AdamW (Loshchilov & Hutter 2019) with its usual betas, which has no use for
    `momentum` and `nesterov`.
    """

    lr: LRSchedule
    batch_size: int = 128
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 5e-4
    augmentation: Augmentation = "none"
    label_smoothing: float = 0.0
    optimiser: Literal["SGD", "AdamW"] = "SGD"
    distillation: str | None = None
    regulariser: str | None = None

    def __post_init__(self) -> None:
        # batch norm cannot train on one image
        if not isinstance(self.batch_size, int) or not 2 <= self.batch_size <= MOST_IMAGES:
            raise InputError(f"batch_size is a whole number, at least 2; given {as_given(self.batch_size)}")
        for name, value, top in (
            ("momentum", self.momentum, 1.0),
            ("weight_decay", self.weight_decay, math.inf),
            ("label_smoothing", self.label_smoothing, 1.0),
        ):
            if not 0 <= value < top:
                raise InputError(f"{name} is a number from 0 to below {top:g}; given {as_given(value)}")
        if self.nesterov and not self.momentum:
            raise InputError("Nesterov's method needs a momentum above 0")
        if self.optimiser not in OPTIMISERS:
            raise InputError(f"optimiser is one of {', '.join(OPTIMISERS)}; given {as_given(self.optimiser)}")
        if self.augmentation not in AUGMENTATIONS:
            raise InputError(f"augmentation is one of {', '.join(AUGMENTATIONS)}; given {as_given(self.augmentation)}")
        for name, read in READERS.items():
            if getattr(self, name) is not None:
                read(getattr(self, name))

    @property
    def epochs(self) -> int:
        """How many passes over the training split."""
        return self.lr.epochs

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON; the LR in the paper's notation. `recipe_from_dict` reads it back, equal.

        Left out are the optimiser where it is SGD, and distillation and regulariser where there is none, as in recipes
        of before there were any.
        """
        left_out = {"lr", *(name for name in READERS if getattr(self, name) is None)}
        left_out |= {"optimiser"} if self.optimiser == "SGD" else set()
        return {"epochs": self.epochs, "lr": str(self.lr)} | {
            key: value for key, value in asdict(self).items() if key not in left_out
        }


def recipe_from_dict(data: dict[str, Any]) -> Recipe:
    """The inverse of `Recipe.as_dict`. Raises InputError on unknown or missing fields."""
    rest = dict(data)
    try:
        epochs = rest.pop("epochs")
        if isinstance(epochs, bool) or int(epochs) != epochs:
            raise InputError(f"epochs are a whole number; given {as_given(epochs)}")
        lr = parse_schedule(str(rest.pop("lr")), int(epochs))
        return Recipe(lr=lr, **rest)
    except (KeyError, TypeError, ValueError, OverflowError) as problem:
        raise InputError(f"a recipe needs epochs and lr, and knows {_names()}: {shown(problem, 200)}") from None


def added_in_words(recipe: Mapping[str, Any]) -> str:
    """What a recipe as plain JSON adds to the loss, to follow other words; "" for nothing."""
    return "".join(f", with {name} {recipe[name]}" for name in READERS if recipe.get(name))


def _names() -> str:
    return ", ".join(name for name in Recipe.__dataclass_fields__ if name != "lr")


@dataclass(frozen=True)
class OwnRecipe:
    """The retraining recipe a method declares as its own; what it leaves out is the track's.

    `lr` is in the paper's notation over `epochs` epochs. It is used under S2 as it is, under S3.1 stretched
    over the imposed epochs, and not at all from S3.2 on. `distillation` ("temperature=4,weight=0.9", from the base
    model) and `regulariser` ("l1:1e-4 on scales") are added to the loss by the harness; a method that declares one does
    not run from S3.2 on. `data` is the class of data that it is for: "small images",
    "ImageNet", or "all images". `source` names the paper and the place, and says in short what is written there.
    """

    epochs: int
    lr: str
    batch_size: int | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    label_smoothing: float | None = None
    source: str = ""
    data: str = ALL_IMAGES
    distillation: str | None = None
    regulariser: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.epochs, bool) or not isinstance(self.epochs, int) or self.epochs < 1:
            raise InputError(f"epochs of a recipe are a whole number, at least 1; given {as_given(self.epochs)}")
        parse_schedule(self.lr, self.epochs)
        for name in ("batch_size", "momentum", "weight_decay", "label_smoothing"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise InputError(f"{name} of a recipe is a number; given {as_given(value)}")
        for name, read in READERS.items():
            if getattr(self, name) is not None:
                read(getattr(self, name))

    @property
    def extras(self) -> tuple[str, ...]:
        """Which of distillation and regulariser it declares."""
        return tuple(name for name in READERS if getattr(self, name) is not None)

    def over(self, reference: Recipe) -> Recipe:
        """The full recipe: the reference with everything declared here put in its place."""
        declared = {
            name: getattr(self, name)
            for name in ("batch_size", "momentum", "weight_decay", "label_smoothing")
            if getattr(self, name) is not None
        }
        added: dict[str, Any] = {name: str(READERS[name](getattr(self, name))) for name in self.extras}
        return replace(reference, lr=parse_schedule(self.lr, self.epochs), **declared, **added)
