"""What papers set is what methods have by default, or a known deviation that the method's docstring names.

A change of a default is a change of the method. Settings in neither table are the harness's own terms (`allocation`,
`schedule`) or have no counterpart in a paper (`growing`, `picking`, `warm_up`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prunemark.benchmark.submission.load import load_class
from prunemark.benchmark.submission.locate import locate
from prunemark.records.card import shipped_methods

PUBLISHED: dict[str, dict[str, Any]] = {
    "GraSP": {"temperature": 200.0, "images_per_class": 10},  # authors' code
    "GReg-1": {"every": 5, "ceiling": 1.0},  # section 4: K_u = 5 (ImageNet), tau = 1
    "GReg-2": {"every": 5, "ceiling": 1.0},
    "Group-norm": {"penalty": 5e-4, "alpha": 4.0, "top": 1},  # CIFAR runs of the paper's code
    "Lottery-ticket": {"rate": 0.2},  # figure 2
    "LR-rewinding": {"rate": 0.2},  # section 3
    "RigL": {"every_steps": 100, "fraction": 0.3, "until": 0.75, "densities": "erk"},  # section 3
    "SET": {"zeta": 0.3},  # Methods
    "Slimming": {"penalty": 1e-4},  # VGG
    "SNIP": {"batches": 1},  # algorithm 1
    "SR-STE": {"decay": 2e-4},  # section 4
    "SynFlow": {"rounds": 100},  # section 6
    "Weight-rewinding": {"rate": 0.2, "rewind_to": 2},
    "WoodFisher": {"damping": 1e-5},  # appendix
}

# method and setting -> the default here, the paper's value, and the words of the docstring that name it
DEVIATIONS: dict[tuple[str, str], tuple[Any, Any, str]] = {
    ("AGP", "schedule"): ("agp:10", "every 100 to 1,000 steps", "The paper prunes every 100 to 1,000 steps"),
    ("GReg-1", "epochs"): (30, "50,000 iterations and more", "That is 50,000 iterations and more of growth"),
    ("GReg-1", "lr"): (0.01, 0.001, "up to 1, at an LR of 0.001, and then stays"),
    ("GReg-2", "lr"): (0.01, 0.001, "the LR among them, 0.01 for its 0.001"),
    ("GReg-2", "recovery"): (5e-4, 1e-4, "The authors' code has 1e-4 by default"),
    ("Group-norm", "epochs"): (20, 100, "penalty 5e-4, 100 epochs at an LR of 0.01"),
    ("LR-rewinding", "epochs"): (60, "each round as long as the base", "trains every round as long as the base"),
    ("Lottery-ticket", "epochs"): (60, "each round in full", "The paper trains every round in full"),
    ("LAMP", "schedule"): ("one-shot", "rounds of 20 %", "The paper prunes in rounds of 20 % of what is left"),
    ("Magnitude", "schedule"): ("one-shot", "rounds", "One-shot by default; the paper repeats pruning and retraining"),
    ("SET", "epochs"): (30, "hundreds", "The paper trains for hundreds of epochs"),
    ("SET", "lr"): (0.1, 0.01, "at a constant LR of 0.01"),
    ("SFP", "epochs"): (20, 200, "it trains for 200 epochs on CIFAR"),
    ("Slimming", "epochs"): (20, 160, "CIFAR: 160 epochs, LR 0.1"),
    ("TPP", "epochs"): (30, "20,000 iterations and more", "for 10,000 to 40,000 more"),
    ("TPP", "lr"): (0.01, 0.001, "up to 1, at an LR of 0.001, and stays"),
    ("Taylor-FO", "schedule"): ("one-shot", "every 30 minibatches", "every 30 of them 100 filters go"),
    ("Weight-rewinding", "epochs"): (60, "each round as long as the base", "trains every round as long as the base"),
    ("WoodFisher", "gradients"): (100, 1000, "the paper takes 1,000 gradients"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_defaults_are_the_papers(name: str) -> None:
    method = load_class(locate(name)[1])()
    assert {setting: getattr(method, setting) for setting in PUBLISHED[name]} == PUBLISHED[name]


@pytest.mark.parametrize(("name", "setting"), DEVIATIONS)
def test_what_deviates_from_a_paper_is_named_with_the_papers_value(name: str, setting: str) -> None:
    method = load_class(locate(name)[1])
    here, paper, words = DEVIATIONS[name, setting]
    assert getattr(method(), setting) == here != paper and setting not in PUBLISHED.get(name, {})
    assert words in " ".join(str(method.__doc__).split())


def test_the_page_names_the_methods_that_declare_a_recipe() -> None:
    """All others are retrained by the track's recipe, under S2 too."""
    declaring = [name for name in shipped_methods() if load_class(locate(name)[1]).retraining is not None]
    page = " ".join((Path(__file__).parents[2] / "docs" / "fairness.md").read_text().split())
    assert f"these declare one: {', '.join(declaring[:-1])} and {declaring[-1]}." in page


@pytest.mark.parametrize("name", ["OBD-C", "Kron-OBD"])
def test_a_paper_that_has_a_recipe_which_is_not_declared_is_said(name: str) -> None:
    method = load_class(locate(name)[1])
    assert method.retraining is None
    assert "That recipe is not declared as the method's own" in str(method.__doc__)
