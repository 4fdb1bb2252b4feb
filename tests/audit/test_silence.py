"""Silence never pays: no leaf or part that a source leaves unsaid leads from exit code 3 or 4 to exit code 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from support.audit_documents import deletions, documents, entry, judged, made_up, put, without

from prunemark.setups.errors import InputError

EXAMPLES = sorted(path for path in (Path(__file__).parent / "examples").glob("*.yaml") if ".expected." not in path.name)
fixed = settings(derandomize=True, deadline=None, database=None, max_examples=40)


def paying(document: dict[str, Any]) -> list[str]:
    """Every deletion that pays, in words."""
    try:
        verdict = judged(document).verdict
    except InputError:
        return []
    if verdict.exit_code == 0 or verdict.word == "inconsistent-record":  # a line of it is not true
        return []
    found = []
    for gone in deletions(document):
        try:
            less = judged(without(document, gone)).verdict
        except InputError:
            continue
        if less.exit_code == 0:
            found.append(f"{verdict.word} -> {less.word} without {gone}")
    return found


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_of_the_examples(path: Path) -> None:
    assert paying(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)) == []


@fixed
@given(documents)
def test_of_documents_that_are_made_up(document: dict[str, Any]) -> None:
    assert paying(document) == []


@pytest.mark.slow
def test_of_two_thousand_documents() -> None:
    assert [fault for seed in range(10_000, 12_000) for fault in paying(made_up(seed))] == []


def of_two(**changes: Any) -> dict[str, Any]:
    """The equal pair, with changes of A such as `recipe__distillation="ResNet-101"`."""
    entries = {"A": entry("X", 75.5), "B": entry("Y", 74.0)}
    for path, value in changes.items():
        put(entries["A"], path.replace("__", "."), value)
    return {"schema": "prunemark-comparison/1", "claim": {"winner": "A", "loser": "B"}, "entries": entries}


@pytest.mark.parametrize(
    ("path", "value", "stated", "unsaid"),
    [
        ("recipe__distillation", "ResNet-101", "confounded", "distillation"),
        ("recipe__label_smoothing", 0.1, "confounded", "label_smoothing"),
        ("recipe__augmentation", "mixup", "confounded", "augmentation"),
        ("recipe__weight_decay", 5e-4, "confounded", "weight_decay"),
        ("result__selection", "best_epoch_on_test", "confounded", "selection"),
        ("granularity", "weight", "confounded", "granularity"),
        ("network__dense_macs_millions", 4089, "attributable", None),  # one base id says that it is one network
        ("result__top1_sd", 0.15, "attributable", "noise"),
        ("result__runs", 3, "attributable", "noise"),
    ],
)
def test_what_is_left_unsaid_is_presumed_and_never_better(
    path: str, value: Any, stated: str, unsaid: str | None
) -> None:
    assert judged(of_two(**{path: value})).verdict.word == stated
    silent = judged(of_two(**{path: None})).verdict
    assert silent.presumed == ((unsaid,) if unsaid else ())
    assert silent.word == ("attributable-presumed" if unsaid else "attributable")
    if unsaid:
        assert "which A does not report" in silent.why


def test_the_deletions_reach_every_leaf() -> None:
    tried = {".".join(map(str, gone[0][2:])) for gone in deletions(of_two()) if gone[0][1] == "A"}
    assert {
        "base",
        "base.id",
        "recipe.distillation",
        "stages.2.lr",
        "result.top1_sd",
        "network.dense_macs_millions",
    } <= tried
    assert "speedup" in tried and "kind" not in tried and "stages.2.stage" not in tried


def test_a_measure_of_compression_that_one_side_states_only_is_presumed() -> None:
    less = of_two(params_kept="50%")
    less["entries"]["B"]["params_kept"] = "40%"
    assert judged(less).verdict.word == "compression-mismatch" and paying(less) == []
    one = judged(of_two(params_kept="50%")).verdict
    assert (one.word, one.presumed) == ("attributable-presumed", ("compression",))
    rounded = of_two(speedup=None, macs_kept_millions="2.0G", network__dense_macs_millions="4.1G")
    rounded["entries"]["B"] |= {"macs_kept_millions": 2057}
    del rounded["entries"]["B"]["speedup"]
    assert judged(rounded).verdict.word == "undecided" and paying(rounded) == []
