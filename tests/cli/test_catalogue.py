"""What `prunemark methods show` prints: read off the source, of a class and of what it derives from."""

import dataclasses
import json
from pathlib import Path

import pytest

from prunemark.benchmark.submission.describe import describe
from prunemark.benchmark.submission.locate import locate
from prunemark.cli import catalogue
from prunemark.records.about import About
from prunemark.records.card import shipped_cards
from prunemark.setups.errors import InputError
from prunemark.setups.track_files import released_tracks

HOUSE = Path(__file__).parents[2]
AXES = ("base model (when)", "granularity (what)", "ratio (how many)", "criterion (which)", "schedule (over time)")
BASE = """
from prunemark.benchmark.method import About, FilterCriterion, OwnRecipe, setting

class Base(FilterCriterion):
    about = About(paper="A, B, C", formula="a + b", criterion="the sum", passes=2, epochs=3)
    retraining = OwnRecipe(epochs=2, lr="1e-2")
    power: float = setting(2.0, "which norm")
"""
METHOD = """
import torch
from base import Base
from prunemark.benchmark.method import setting

NAME = "x"
RECIPE = "y"

class Mine(Base):
    '''One line,
    and its end.

    Not covered: the rest.'''

    granularity = "weight"
    prune_at = 4
    epochs: int = setting(7, "other epochs")

class Computed(Base):
    about = About(paper="by " + NAME, formula="", criterion="")
    retraining = RECIPE

class Ring(Ring):
    pass

raise SystemExit("executed")
"""


@pytest.fixture
def shown(tmp_path):
    (tmp_path / "original.py").write_text(BASE)
    (tmp_path / "base.py").write_text("from original import Base\n")
    (tmp_path / "mine.py").write_text(METHOD)
    return lambda name: catalogue.method(f"{tmp_path / 'mine.py'}:{name}")


def test_a_class_is_shown_with_what_it_inherits(shown):
    facts = shown("Mine")
    assert (facts["what"], facts["notes"]) == ("One line, and its end.", "Not covered: the rest.")
    assert (facts["paper"], facts["formula"], facts["criterion (which)"]) == ("A, B, C", "a + b", "the sum")
    assert facts["granularity (what)"] == "weight" and facts["setting power"] == "2.0: which norm"
    assert facts["setting epochs"] == "7: other epochs" and facts["setting allocation"].startswith("uniform: ")
    assert facts["cost"].startswith("2 passes") and ", 3 epochs" in facts["cost"]
    assert facts["own retraining recipe"] == "2 epochs, LR 1e-2" and facts["conformance test"] == "none"
    assert facts["own pretraining recipe"] == "none: the track's"
    assert facts["base under SX-A, SX-B"] == "epoch 4 of the dense run"


def test_what_is_not_literal_is_shown_as_it_is_written(shown):
    facts = shown("Computed")
    assert (facts["paper"], facts["own retraining recipe"]) == ("'by ' + NAME", "RECIPE")
    assert facts["base under SX-A, SX-B"] == "the trained one"


def test_a_class_that_is_no_method_is_shown_for_what_it_is(shown):
    facts = shown("Ring")
    assert facts["granularity (what)"] == "not stated" and "about = About(...)" in facts["about"]


@pytest.mark.parametrize("name", shipped_cards())
def test_every_shipped_method_says_what_it_is(name):
    facts = catalogue.method(name)
    assert all(facts.get(fact) for fact in (*AXES, "what", "paper", "formula", "cost")), facts
    test = HOUSE / facts["conformance test"]
    assert test.is_file() and shipped_cards()[name].class_name in test.read_text(), "a test that names the class"


def test_a_shipped_method_is_shown_with_its_card(prunemark):
    facts, card = catalogue.method("L1-norm"), shipped_cards()["L1-norm"]
    assert (facts["family"], facts["year"], facts["paper"]) == ("magnitude", 2017, card.citation)
    assert facts["link"] == "https://arxiv.org/abs/1608.08710" and "Igor Durdanovic" in facts["paper"]
    assert "see also" not in facts and "arXiv:1912.05671" in catalogue.method("Weight-rewinding")["see also"]
    assert catalogue.method("Random")["paper"] == "none: a control"
    by_json = {row["name"]: row for row in json.loads(prunemark("methods", "--format", "json")[1])}
    assert list(by_json) == list(shipped_cards())
    row = by_json["L1-norm"]
    assert (row["class"], row["family"], row["year"], row["venue"]) == (card.spec, "magnitude", 2017, "ICLR")
    assert (row["authors"], row["title"], row["link"]) == (", ".join(card.authors), card.title, card.link)
    header, first, *_ = prunemark("methods")[1].splitlines()
    assert header.split() == ["name", "family", "year", "what"] and first.split()[:3] == ["AGP", "magnitude", "2018"]


@pytest.mark.parametrize("name", shipped_cards())
def test_what_is_read_is_what_the_class_has(name):
    """The source as it is read and the class as it is loaded: the same settings and the same words."""
    facts, source = catalogue.method(name), locate(name)[1]
    description = describe(source, name)
    read = {fact[8:]: text for fact, text in facts.items() if fact.startswith("setting ")}
    assert read == {key: f"{s.default}: {s.meaning}" for key, s in description.settings.items()}
    assert facts["what"] == description.summary
    shown = {fact: text for fact, text in facts.items() if fact.startswith("own ") and not text.startswith("none")}
    declared = [
        (f"own {stage} recipe" if recipe.data == "all images" else f"own {stage} recipe, {recipe.data}", recipe)
        for stage in ("retraining", "pretraining")
        for recipe in getattr(description, stage)
    ]
    assert list(shown) == [fact for fact, _ in declared]
    for fact, recipe in declared:
        assert shown[fact].startswith(f"{recipe.epochs} epochs, LR {recipe.lr}")
        assert shown[fact].endswith(f" ({recipe.source})")
    base, pruning = facts["base under SX-A, SX-B"], facts["pruning epochs under SX-A, SX-B"]
    at, share = description.prune_at, description.pruning_share
    assert base.startswith({type(None): "the trained", int: f"epoch {at}", float: f"{100 * (at or 0):g} %"}[type(at)])
    assert pruning.startswith("at most all except" if share is None else f"at most {100 * share:g} %")


def test_an_about_that_is_none_is_refused(tmp_path):
    text = "from prunemark.benchmark.method import FilterCriterion\n\nclass Odd(FilterCriterion):\n    about = 'text'\n"
    text += "    def score(self, layer, context):\n        return layer.weight\n"
    (tmp_path / "odd.py").write_text(text)
    with pytest.raises(TypeError, match=r"about of Odd is About\(\.\.\.\) or None"):
        describe(locate(f"{tmp_path / 'odd.py'}:Odd")[1], "Odd")


def test_an_about_takes_words_only_by_name():
    with pytest.raises(TypeError):
        About("paper", "formula", "criterion")
    assert all(field.kw_only for field in dataclasses.fields(About))


def test_an_unknown_method_is_refused():
    with pytest.raises(InputError, match="unknown method"):
        catalogue.method("L0")


@pytest.mark.parametrize("id", released_tracks())
def test_a_track_is_shown_with_every_term_of_its_recipes(id):
    track, shown = released_tracks()[id], catalogue.track(id)
    assert ("pretraining" in shown) is (track.base is None) is not ("base model" in shown)
    for recipe, words in (
        (getattr(track, stage), shown[stage]) for stage in ("pretraining", "retraining") if stage in shown
    ):
        assert f"{recipe.epochs} epochs" in words and f"{recipe.optimiser}," in words
        assert ("momentum" in words) is (recipe.optimiser == "SGD")
        assert ("label smoothing" in words) is (recipe.label_smoothing > 0)
        assert ("Nesterov" in words) is recipe.nesterov
    assert (shown["arithmetic"] == "portable") is (track.arithmetic is not None)
    assert str(track.lr_stage_cap or "no bound") in shown["longest LR stage"]


def test_the_optimiser_shown_is_the_tracks_own():
    assert "AdamW, weight decay 0.05" in catalogue.track("imagenet-deit-tiny")["retraining"]


def test_versions_of_a_track_can_be_told_apart_in_the_list():
    titles = [row["title"] for row in catalogue.tracks()]
    assert len(set(titles)) == len(titles) == len(released_tracks())
