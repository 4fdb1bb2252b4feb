"""What papers set is what methods have by default: a change of one is a change of the method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prunemark.baselines.registry import METHODS
from prunemark.benchmark.submissions.submission import load_class, locate

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


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_defaults_are_the_papers(name: str) -> None:
    method = load_class(locate(name, METHODS)[1])()
    assert {setting: getattr(method, setting) for setting in PUBLISHED[name]} == PUBLISHED[name]


def test_the_page_names_the_methods_that_declare_a_recipe() -> None:
    """All others are retrained by the track's recipe, under S2 too."""
    declaring = [name for name in METHODS if load_class(locate(name, METHODS)[1]).retraining is not None]
    page = " ".join((Path(__file__).parents[1] / "docs" / "fairness.md").read_text().split())
    assert f"these declare one: {', '.join(declaring[:-1])} and {declaring[-1]}." in page


@pytest.mark.parametrize("name", ["OBD-C", "Kron-OBD"])
def test_a_paper_that_has_a_recipe_which_is_not_declared_is_said(name: str) -> None:
    method = load_class(locate(name, METHODS)[1])
    assert method.retraining is None
    assert "That recipe is not declared as the method's own" in str(method.__doc__)
