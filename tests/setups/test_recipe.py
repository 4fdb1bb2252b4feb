"""Recipes: plain data and back, and values no training can have."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.setups.errors import InputError
from prunemark.setups.recipe import AUGMENTATIONS, USUAL, OwnRecipe, Recipe, recipe_from_dict
from prunemark.setups.schedule import halving, parse_schedule

fixed = settings(derandomize=True, deadline=None, database=None)
LR = halving(1e-1, 1e-3, 20)

recipes = st.builds(
    Recipe,
    lr=st.sampled_from((LR, parse_schedule("cosine:1e-2->1e-4+warmup5", 120), parse_schedule("1e-3", 0))),
    batch_size=st.integers(2, 4096),
    momentum=st.floats(0, 1, exclude_min=True, exclude_max=True),
    nesterov=st.booleans(),
    weight_decay=st.floats(0, 1e3),
    augmentation=st.sampled_from(sorted(AUGMENTATIONS)),
    label_smoothing=st.floats(0, 1, exclude_max=True),
)


@fixed
@given(recipes)
def test_a_recipe_goes_through_json_and_back(recipe: Recipe) -> None:
    assert recipe_from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe


def test_the_plain_form_covers_every_field() -> None:
    """So that a changed default changes the identity of a result."""
    plain = Recipe(LR).as_dict()
    assert set(plain) == {field.name for field in dataclasses.fields(Recipe)} - USUAL.keys() | {"epochs"}
    whole = Recipe(LR, optimiser="AdamW", distillation="temperature=4,weight=0.9", regulariser="l1:1 on all").as_dict()
    assert set(whole) == {field.name for field in dataclasses.fields(Recipe)} | {"epochs"}
    assert Recipe(LR, optimiser="AdamW").as_dict() == plain | {"optimiser": "AdamW"}
    assert plain == {
        "epochs": 20, "lr": "0:1e-1,10:1e-2,15:1e-3", "batch_size": 128, "momentum": 0.9, "nesterov": False,
        "weight_decay": 5e-4, "augmentation": "none", "label_smoothing": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"batch_size": 0}, "batch_size is a whole number, at least 2; given 0"),
        ({"momentum": 1.0}, "momentum is a number from 0 to below 1; given 1.0"),
        ({"momentum": -0.1}, "momentum is a number"),
        ({"momentum": math.nan}, "momentum is a number"),
        ({"weight_decay": -1e-4}, "weight_decay is a number from 0 to below inf"),
        ({"weight_decay": math.inf}, "weight_decay is a number"),
        ({"label_smoothing": 1.0}, "label_smoothing is a number from 0 to below 1"),
        ({"optimiser": "Adam"}, "optimiser is one of SGD, AdamW; given 'Adam'"),
        ({"augmentation": "mixup"}, "augmentation is one of none, shift1, crop-flip, resized-crop; given 'mixup'"),
    ],
)
def test_values_no_training_can_have_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Recipe(LR, **values)
    with pytest.raises(InputError, match=words):
        recipe_from_dict(Recipe(LR).as_dict() | values)


@pytest.mark.parametrize(
    "change",
    [{"colour": 1}, {"lr": "fast"}, {"lr": None}, {"epochs": 5}, {"batch_size": "8"}, {"momentum": None}],
)
def test_what_is_not_a_recipe_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        recipe_from_dict(Recipe(LR).as_dict() | change)
    for field in ("lr", "epochs"):
        with pytest.raises(InputError, match="a recipe needs epochs and lr"):
            recipe_from_dict({key: value for key, value in Recipe(LR).as_dict().items() if key != field})


@pytest.mark.parametrize("epochs", ["twenty", math.inf, math.nan])
def test_epochs_that_are_no_number_are_refused(epochs: object) -> None:
    with pytest.raises(InputError):
        recipe_from_dict(Recipe(LR).as_dict() | {"epochs": epochs})


@pytest.mark.parametrize("batch_size", [math.nan, 2.5])
def test_a_batch_size_is_a_whole_number(batch_size: Any) -> None:
    with pytest.raises(InputError):
        Recipe(LR, batch_size=batch_size)


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(InputError):
        Recipe(LR, momentum=0.0, nesterov=True)


def test_what_a_method_does_not_declare_is_the_tracks() -> None:
    reference = Recipe(LR, batch_size=64, weight_decay=1e-3, augmentation="shift1", label_smoothing=0.1)
    own = OwnRecipe(epochs=60, lr="0:1e-2,36:1e-3", weight_decay=0.0, momentum=0.5, source="DCP")
    assert own.over(reference) == dataclasses.replace(
        reference, lr=parse_schedule("0:1e-2,36:1e-3", 60), weight_decay=0.0, momentum=0.5
    )
    assert OwnRecipe(20, str(LR)).over(reference) == reference
    with pytest.raises(InputError, match="cannot read"):
        OwnRecipe(20, "slow").over(reference)
    with pytest.raises(InputError, match="batch_size"):
        OwnRecipe(20, "1e-3", batch_size=0).over(reference)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"lr": 0.01}, r'an LR schedule is a text; given 0.01.\nWrite lr="0.01"'),
        ({"lr": "0:1e-2,20:1e-3"}, "lies past the end"),
        ({"epochs": 0}, "epochs of a recipe are a whole number, at least 1"),
        ({"weight_decay": "1e-4"}, "weight_decay of a recipe is a number"),
    ],
)
def test_what_a_method_declares_is_read_where_it_is_declared(given, words):
    with pytest.raises(InputError, match=words):
        OwnRecipe(**({"epochs": 10, "lr": "1e-2"} | given))
