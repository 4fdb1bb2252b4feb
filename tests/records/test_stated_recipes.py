"""A recipe is read off a source as it is written, and never run."""

import ast
from pathlib import Path

import pytest

from prunemark.benchmark.submission.describe import describe
from prunemark.benchmark.submission.locate import locate
from prunemark.records.card import shipped_cards
from prunemark.records.source import MethodFiles
from prunemark.records.stated_recipes import TRACKS, recipes_stated, stated

FILES = MethodFiles(
    "Mine",
    (
        ("base.py", "class Base:\n    retraining = (OwnRecipe(20, '1e-3', data='ImageNet', source='a place'),)\n"),
        ("mine.py", "raise SystemExit\nclass Mine(Base):\n    pass\nclass Loop(Loop):\n    pass\n"),
        ("broken.py", "class"),
    ),
)  # fmt: skip


def read(text):
    return recipes_stated(ast.parse(text, mode="eval").body)


def test_what_a_class_states_is_found_in_the_class_that_it_derives_from():
    assert recipes_stated(stated(FILES, "Mine", "retraining")) == {
        "ImageNet": "20 epochs, LR 1e-3 (a place)", "small images": TRACKS
    }  # fmt: skip
    assert stated(FILES, "Mine", "pretraining") is None and stated(FILES, "Loop", "retraining") is None
    assert stated(FILES, "Unknown", "retraining") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("None", {"all images": TRACKS}),
        ("OwnRecipe(2, '1e-2', momentum=0.5)", {"all images": "2 epochs, LR 1e-2, momentum 0.5"}),
        ("OwnRecipe(**read())", {"all images": "OwnRecipe(**read())"}),
        ("MADE", {"all images": "MADE"}),
    ],
)
def test_what_is_written_is_told(text, told):
    assert read(text) == told


@pytest.mark.parametrize("name", shipped_cards())
def test_of_every_shipped_method_each_recipe_is_read_as_it_is(name):
    source = locate(name)[1]
    files = MethodFiles(source.class_name, ((source.path, Path(source.path).read_text()),))
    told = recipes_stated(stated(files, source.class_name, "retraining"))
    recipes = {recipe.data: recipe for recipe in describe(source, name).retraining}
    assert {of for of, text in told.items() if text != TRACKS} == set(recipes)
    for of, recipe in recipes.items():
        assert told[of].startswith(f"{recipe.epochs} epochs, LR {recipe.lr}")
