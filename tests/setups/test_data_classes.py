"""Which class of data a dataset is of, and which of the declared recipes that gives."""

import dataclasses
import json

import pytest

from prunemark.benchmark.images.datasets import DATASETS, dataset_of
from prunemark.benchmark.submission.describe import describe
from prunemark.benchmark.submission.description import MethodDescription
from prunemark.benchmark.submission.locate import locate
from prunemark.records.card import shipped_methods
from prunemark.setups.budget import Own, budget_for
from prunemark.setups.comparison import SETUPS
from prunemark.setups.data_classes import (
    CLASS_OF,
    IMAGENET,
    LARGEST_SMALL_SIDE,
    SMALL_IMAGES,
    data_class,
    recipe_for,
    recipes_of,
)
from prunemark.setups.errors import InputError
from prunemark.setups.recipe import OwnRecipe
from prunemark.setups.track_files import find_track, released_tracks

SMALL, LARGE = OwnRecipe(40, "1e-3", data=SMALL_IMAGES), OwnRecipe(20, "1e-3", data=IMAGENET)
EVERY = OwnRecipe(10, "1e-2")


def test_every_dataset_has_its_class_and_small_images_are_small():
    assert set(CLASS_OF) == set(DATASETS)
    for name, of in CLASS_OF.items():
        shape = dataset_of(name).shape
        assert (max(shape.height, shape.width) <= LARGEST_SMALL_SIDE) is (of == SMALL_IMAGES), name


@pytest.mark.parametrize(
    ("name", "of"), [("folder:x@64", SMALL_IMAGES), ("folder:x@65", IMAGENET), ("folder:my.set-1@224/files", IMAGENET)]
)
def test_an_image_folder_goes_by_its_side(name, of):
    assert data_class(name) == of and dataset_of(name)


def test_an_unknown_dataset_is_refused_only_where_its_class_is_asked_for():
    with pytest.raises(InputError, match="unknown dataset 'cifar11'. Did you mean 'cifar10'"):
        recipe_for((SMALL,), "cifar11")
    assert recipe_for((EVERY,), "cifar11") == EVERY and recipe_for((), "cifar11") is None


@pytest.mark.parametrize(
    ("declared", "small", "large"),
    [(None, None, None), (EVERY, EVERY, EVERY), (SMALL, SMALL, None), ((LARGE, SMALL), SMALL, LARGE)],
)
def test_the_class_decides_which_recipe_is_used(declared, small, large):
    recipes = recipes_of(declared)
    assert (recipe_for(recipes, "cifar10"), recipe_for(recipes, "imagenet100")) == (small, large)


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("0:1e-3", "OwnRecipe(...), a tuple of them or None; got '0:1e-3'"),
        ([SMALL, LARGE], "a tuple of them or None"),
        ((SMALL, SMALL), "got recipes for small images, small images"),
        ((SMALL, EVERY), "got recipes for small images, all images"),
        (OwnRecipe(1, "1e-3", data="small"), "unknown class of data 'small'"),
    ],
)
def test_what_is_no_declaration_is_refused(declared, words):
    with pytest.raises(InputError) as refused:
        recipes_of(declared)
    assert words in str(refused.value)


def test_l1_norm_is_retrained_as_its_paper_says_for_each_class():
    described = describe(locate("L1-norm")[1], "L1-norm")
    for track, epochs in (("digits-resnet8", 40), ("cifar10-resnet56", 40), ("imagenet-resnet34", 20)):
        found = find_track(track)
        budget = budget_for(found, SETUPS["S2"], found.levels[0], "pruned", described.own_on(found.dataset))
        assert budget.retraining.epochs == epochs and set(budget.retraining.lr.vector) == {0.001}


@pytest.mark.parametrize("name", shipped_methods())
def test_a_description_crosses_as_json_and_every_recipe_names_its_source(name):
    described = describe(locate(name)[1], name)
    assert MethodDescription.from_dict(json.loads(json.dumps(dataclasses.asdict(described)))) == described
    for recipe in described.retraining:
        assert recipe.source and recipe.data in (SMALL_IMAGES, IMAGENET)
    for track in released_tracks().values():  # its own schedule fits into what S3.1 imposes
        budget_for(
            track, SETUPS["S3.1"], track.levels[0], "pruned", Own(retraining=described.own_on(track.dataset).retraining)
        )


@pytest.mark.parametrize("name", shipped_methods())
def test_a_shipped_method_leaves_retraining_its_lr_stages_by_its_own_choice(name):
    """Under SX-A on every track: what it wants to train, as far as granted, leaves a quarter of what it may spend."""
    described = describe(locate(name)[1], name)
    wanted = described.settings["epochs"].default if "epochs" in described.settings else 0
    for track in released_tracks().values():
        if track.base or track.retraining.lr.kind != "step":
            continue
        budget = budget_for(track, SETUPS["SX-A"], track.levels[0], "pruned", described.own_on(track.dataset))
        trained = min(wanted, budget.pruning_epochs)
        left = budget.retraining_after(trained, 1.0).epochs
        assert left >= (budget.total_epochs - budget.base_epochs) / 4, (track.id, trained, left)
