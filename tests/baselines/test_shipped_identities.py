"""The identities of the shipped methods: what results on a board are held under. A change of one is a decision."""

from __future__ import annotations

import json
from pathlib import Path

from prunemark.benchmark.submission.locate import locate
from prunemark.records.card import shipped_methods

GOLDEN = Path(__file__).parents[1] / "golden" / "methods.json"


def identities() -> dict[str, str]:
    return {name: locate(name)[1].sha256 for name in shipped_methods()}


def refresh() -> None:
    """After a method's code was changed on purpose: all its results have to be measured again."""
    GOLDEN.write_text(json.dumps(identities(), indent=2) + "\n")


def test_no_shipped_method_became_another_competitor_by_mistake() -> None:
    assert identities() == json.loads(GOLDEN.read_text())
