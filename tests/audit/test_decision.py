"""The rows of the decision, each seen from both sides: what is presumed, what contradicts, what a protocol declares."""

from __future__ import annotations

from typing import Any

import pytest
from support.audit_pairs import GREG, L1, entry, judge, names

A_BETTER = {"kind": "at_least_as_good", "margin": 0.5}


def test_a_fortiori_needs_s1() -> None:
    worse = judge(entry("x", 76.0, base={"id": "other", "top1": 75.5}, speedup={"range": [2.0, 2.31]}), L1)
    assert worse.pair.findings["compression"].state == "undecidable" and worse.verdict.word == "undecided"
    known = judge(entry("x", 76.0, base={"id": "other", "top1": 75.5}), L1)
    assert known.verdict.word == "a-fortiori" and known.presumed == ()
    silent = judge(entry("x", 76.0, base={"id": "other", "top1": 75.5}, recipe__distillation=None), L1)
    assert (silent.verdict.word, silent.presumed) == ("a-fortiori", ("distillation",))
    assert "not stated: distillation, which A does not report" in silent.verdict.why


def test_contradicting_a_claim_needs_the_fairness_of_supporting_it() -> None:
    assert judge(entry("x", 74.0), L1).verdict.word == "claim-contradicted"
    presumed = judge(entry("x", 74.0, recipe__distillation=None), L1)
    assert presumed.verdict.word == "claim-contradicted"  # swapped, it is attributable-presumed
    unfair = judge(entry("x", 74.0, retraining__epochs=60, retraining__lr="0:1e-2,30:1e-3"), L1)
    assert (unfair.verdict.word, unfair.verdict.exit_code) == ("undecided", 4)
    assert "the numbers point the other way, in an unequal comparison" in unfair.verdict.why
    against_odds = judge(entry("x", 74.0, retraining__epochs=120), L1)  # the loser wins with less retraining
    assert against_odds.verdict.word == "claim-contradicted"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({}, "supported"),
        ({"recipe__distillation": "ResNet-101"}, "supported-not-attributable"),
        ({"recipe__distillation": None}, "supported-presumed"),
        ({"result__selection": "best_epoch_on_test"}, "supported-not-attributable"),
        ({"retraining__epochs": 120}, "supported-not-attributable"),
        ({"pruning__epochs": 10, "pruning__lr": "1e-3"}, "supported"),
    ],
)
def test_at_least_as_good_respects_confounders(change: dict[str, Any], word: str) -> None:
    assert judge(entry("x", 75.0, **change), L1, **A_BETTER).verdict.word == word


def test_selection_blocks_and_never_makes_noise() -> None:
    better = {"result__selection": "best_of_runs"}
    found = judge(entry("x", 75.4, **better), L1)
    assert found.verdict.word == "confounded" and names(found) == {"selection": "A"}
    assert judge(GREG, entry("y", 75.0, **better)).verdict.word == "attributable"  # in the loser's favour
    k = {n: judge(entry("x", 76.0, result__selection=f"best of {n}"), entry("y", 75.0, result__selection="best of 3"))
         for n in (3, 10)}  # fmt: skip
    assert k[3].verdict.word == "attributable" and names(k[10]) == {"selection": "A"}
    either = judge(entry("x", 76.0, result__selection="best of 3"), entry("y", 75.0, result__selection="best_epoch"))
    assert names(either) == {"selection": None}


@pytest.mark.parametrize(
    ("a", "b", "favours"),
    [
        ("weight", "filter", "A"), ("2:4", "block", "A"), ("block", "channel", "A"), ("filter", "layer", "A"),
        ("filter", "2:4", "B"), ("2:4", "1:4", None), ("weight", "2:4", "A"), ("odd", "filter", None),
    ],
)  # fmt: skip
def test_the_finer_granularity_is_favoured(a: str, b: str, favours: str | None) -> None:
    found = judge(entry("x", 76.0, granularity=a), entry("y", 75.0, granularity=b))
    assert names(found) == {"granularity": favours}
    assert found.verdict.word == ("a-fortiori" if favours == "B" else "confounded") or favours == "B"
    assert names(judge(entry("x", 76.0, granularity="head"), entry("y", 75.0, granularity="channel"))) == {}


def test_a_shared_protocol_states_what_is_not_stated() -> None:
    silent = {"recipe": {}, "granularity": None, "result__selection": None, "network": {"name": "ResNet-50"}}
    a, b = entry("x", 76.0, **silent), entry("y", 75.0, **silent)
    protocol = {"shared": True, "locator": "Section 4.1"}
    assert judge(a, b).verdict.word == "attributable-presumed"
    declared = judge(a, b, protocol=protocol)
    assert declared.verdict.word == "attributable" and any("Section 4.1" in note for note in declared.notes)
    excepted = judge(a, b, protocol=protocol | {"except": ["selection", "network"]})
    assert excepted.presumed == ("selection",)  # one base id says that it is one network
    against = judge(entry("x", 76.0, recipe__batch_size=128), L1, protocol=protocol)
    assert (
        against.verdict.word == "inconsistent-record"
        and "batch_size differs and is not excepted" in against.verdict.why
    )
    teacher = judge(entry("x", 76.0, recipe__distillation="t"), L1, protocol=protocol | {"except": ["distillation"]})
    assert teacher.verdict.word == "confounded"


def test_one_base_of_two_networks_contradicts_itself() -> None:
    found = judge(entry("x", 76.0, network={"name": "ResNet-101", "dense_macs_millions": 7801}), L1)
    assert found.verdict.word == "inconsistent-record" and "of two networks" in found.verdict.why
    other = judge(entry("x", 76.0, network={"name": "ResNet-101", "dense_macs_millions": 7801}, base__id="other"), L1)
    assert other.verdict.word == "not-comparable"


@pytest.mark.parametrize(
    ("a", "b", "state"),
    [
        ({"speedup": "2.0"}, {"speedup": 2.0}, "holds"),
        ({"speedup": "2.0"}, {"speedup": "2.04"}, "undecidable"),  # 1.95 to 2.05
        ({"speedup": "2.00"}, {"speedup": "2.01"}, "holds"),
        ({"speedup": 2.31}, {"speedup": 1.78}, "holds_a_fortiori"),
        ({"speedup": 1.78}, {"speedup": 2.31}, "refuted"),
        ({"speedup": 2.31, "sparsity": "50.0%"}, {"speedup": 2.31, "sparsity": "60.0%"}, "refuted"),
        ({"speedup": 2.31, "sparsity": "60.0%"}, {"speedup": 2.31, "sparsity": "50.0%"}, "holds_a_fortiori"),
        ({"speedup": 2.31}, {"speedup": None, "sparsity": "50%"}, "undecidable"),
        ({"speedup": None, "macs_kept_millions": "2.0G"}, {"speedup": None, "macs_kept_millions": "2.0G"}, "holds"),
        ({"speedup": None, "macs_kept": "43.3%"}, {"speedup": 2.31}, "holds"),
    ],
)
def test_a_printed_number_is_what_rounds_to_it(a: dict[str, Any], b: dict[str, Any], state: str) -> None:
    found = judge(entry("x", 76.0) | a, entry("y", 75.0) | b)
    assert found.pair.findings["compression"].state == state


def test_an_lr_is_compared_over_one_batch_size() -> None:
    """1.6 at 4096 is 0.1 at 256 (Goyal et al. 2017)."""
    scaled = entry("x", 76.0, recipe__batch_size=4096, retraining__lr="0:1.6e-1,30:1.6e-2,60:1.6e-3,75:1.6e-4")
    found = judge(scaled, L1)
    assert found.pair.findings["retraining_lr"].state == "holds" and names(found) == {"batch_size": None}
    assert "scaled to one batch size" in found.pair.findings["retraining_lr"].why


def dense_to_sparse(method: str, top1: float, **changes: Any) -> dict[str, Any]:
    made = entry(method, top1, kind="dense_to_sparse", base="n/a", speedup=None, sparsity="80.0%", granularity="weight")
    made["stages"] = [{"stage": "training", "epochs": 100, "lr": "cosine:2.56e-1"}]
    return made | changes


def test_dense_to_sparse_costs_the_dense_network() -> None:
    assert judge(dense_to_sparse("STR", 76.0), dense_to_sparse("GMP", 75.0)).verdict.word == "attributable"
    sparse = dense_to_sparse("RigL", 75.0, kind="sparse_training")
    found = judge(dense_to_sparse("STR", 76.0), sparse)
    assert found.pair.left.training_flops == pytest.approx(5 * found.pair.right.training_flops)
    assert names(found) == {"total_flops": "A"} and found.verdict.word == "attributable"  # SX-A holds, SX-B does not
    assert "not shown at equal compute (SX-B)" in found.verdict.why
    masked = dense_to_sparse("STR", 76.0)
    masked["stages"].append({"stage": "retraining", "epochs": 100, "lr": "cosine:2.56e-1"})
    later = judge(masked, dense_to_sparse("GMP", 75.0))
    assert later.pair.left.training_flops == pytest.approx(1.2 * later.pair.right.training_flops)


def test_without_batch_sizes_an_overall_lr_that_differs_is_open() -> None:
    other = dense_to_sparse("RigL", 75.0, stages=[{"stage": "training", "epochs": 100, "lr": "cosine:1.6"}])
    stated = judge(dense_to_sparse("STR", 76.0), other)
    assert stated.pair.findings["overall_lr"].state == "refuted"
    silent = [made | {"recipe": {}} for made in (dense_to_sparse("STR", 76.0), other)]
    found = judge(*silent)
    states = {name: str(found.pair.findings[name].state) for name in ("overall_lr", "pruning_lr", "final_lr")}
    assert states["overall_lr"] == states["pruning_lr"] == "undecidable"


def crossed(a: float, b: float, **result: Any) -> list[dict[str, Any]]:
    both = (("A", "B", a), ("B", "A", b))
    return [
        {"method": x, "retraining": y, "result": {"top1": top1, "top1_sd": 0.1, "runs": 5} | result}
        for x, y, top1 in both
    ]


def test_crossed_recipes_need_the_base_and_nothing_presumed() -> None:
    winner = entry("x", 76.0, retraining__epochs=120, recipe__distillation="teacher")
    assert judge(winner, L1, crossed(75.5, 75.2)).verdict.word == "attributable-cross-validated"
    no_sd = judge(winner, L1, crossed(75.5, 75.2, top1_sd=None))
    assert (no_sd.verdict.word, no_sd.presumed) == ("attributable-presumed", ("noise",))
    finer = judge(winner | {"granularity": "weight"}, L1, crossed(75.5, 75.2))
    assert finer.verdict.word == "confounded"
    other_base = judge(winner | {"base": {"id": "other", "top1": 76.5}}, L1, crossed(75.5, 75.2))
    assert other_base.verdict.word == "confounded"
    loses = judge(winner | {"base": {"id": "other", "top1": 76.5}}, L1, crossed(73.0, 77.0))
    assert loses.verdict.word != "claim-contradicted"


def test_a_code_default_states_nothing() -> None:
    graded = {"value": "none", "evidence": "code_default"}
    found = judge(entry("x", 76.0, recipe__distillation=graded), L1)
    assert (found.verdict.word, found.presumed) == ("attributable-presumed", ("distillation",))
    sd = judge(entry("x", 76.0, result__top1_sd={"value": 0.1, "evidence": "code_default"}), L1)
    assert sd.presumed == ("noise",)


def test_what_to_ask_the_authors_for() -> None:
    found = judge(entry("x", 76.0, recipe__distillation=None, result__top1_sd=None), L1)
    assert found.next_experiments == ("ask the authors of A for: distillation, sd over two or more runs",)
