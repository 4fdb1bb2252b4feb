"""Verdicts, setups and confounders from real cases: each rule of the decision seen from both sides."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from support.audit_pairs import GREG, L1, LESS_OF_A, PRUNING_OF_A, RETRAINING_OF_A, STEPS, entry, judge, names, setups

from prunemark.audit.judgement.verdict import EXIT_CODES, VERDICTS


def test_everything_equal_is_attributable_at_equal_pruning_cost() -> None:
    found = judge(GREG, L1)
    assert found.verdict.word == "attributable" and "at equal pruning cost" in found.verdict.why
    assert (found.pair.assessment.established, found.missing, names(found)) == ("S4.2", (), {})
    assert found.next_experiments == ()


@pytest.mark.parametrize(
    ("change", "word", "favours"),
    [
        ({"retraining__epochs": 120}, "confounded", RETRAINING_OF_A),
        ({"retraining__lr": "0:2e-2,30:2e-3,60:2e-4,75:1e-5"}, "confounded", {"retraining_lr": "A"}),
        ({"retraining__epochs": 80}, "a-fortiori", LESS_OF_A),
        ({"base__id": "other", "base__top1": 76.3}, "confounded", {"base_model": "A"}),
        ({"base__id": "other", "base__top1": 75.5}, "a-fortiori", {"base_model": "B"}),
        ({"pruning__epochs": 10, "pruning__lr": "1e-3"}, "attributable", PRUNING_OF_A),
        ({"recipe__distillation": "teacher"}, "confounded", {"distillation": "A"}),
        ({"recipe__batch_size": 128}, "confounded", {"batch_size": None, "retraining_lr": "A"}),
        ({"recipe__weight_decay": "1.0e-4"}, "attributable", {}),
        ({"speedup": 2.0}, "compression-mismatch", {}),
        ({"speedup": 3.0}, "attributable", {"total_flops": "B"}),
        ({"dataset": "CIFAR-10"}, "not-comparable", {}),
        ({"network__dense_macs_millions": 4800}, "inconsistent-record", {"network": None}),
        ({"method": "l1 norm"}, "not-a-pruning-effect", {}),
        ({"source": {"quoted": True}}, "attributable", {"quoted": "B"}),
        ({"result__top1": 75.02}, "within-noise", {}),
        ({"result__top1": 74.0}, "claim-contradicted", {}),
        ({"result__top1_drop_printed": 0.13}, "attributable", {}),
        ({"result__top1_drop_printed": 0.31}, "inconsistent-record", {}),
        ({"base__id": None}, "undecided", {}),
        ({"retraining__lr": None}, "undecided", {}),
    ],
)
def test_one_change_of_the_winner(change: dict[str, Any], word: str, favours: dict[str, str | None]) -> None:
    found = judge(entry(change.get("method", "GReg-2"), 76.0, **{k: v for k, v in change.items() if k != "method"}), L1)
    assert (found.verdict.word, names(found)) == (word, favours)
    assert found.verdict.exit_code == EXIT_CODES[word] and word in VERDICTS


def test_a_code_default_alone_never_establishes_s32() -> None:
    graded = {"value": STEPS, "evidence": "code_default"}
    for change in (
        {"retraining__lr": graded},
        {"retraining__evidence": {"lr": "code_default"}},
        {"evidence": {"retraining.lr": "code_default"}},
    ):
        found = judge(entry("GReg-2", 76.0, **change), L1)
        assert (found.verdict.word, found.pair.assessment.established) == ("undecided", "S3.1")
        assert found.missing == ("retraining_lr",) and any("code_default" in note for note in found.notes)
    log = judge(entry("GReg-2", 76.0, retraining__lr={"value": STEPS, "evidence": "log"}), L1)
    assert log.verdict.word == "attributable"


def test_a_benchmark_that_declares_one_recipe_for_all_reaches_s42() -> None:
    """PruningBench states no retraining, but one for all: what is not reported was declared to be the same."""
    silent = entry("OBD-C", 75.0, retraining__epochs=None, retraining__lr=None)
    same = entry("FPGM", 76.0, retraining__epochs={"same_as": "B"}, retraining__lr={"same_as": "B"})
    found = judge(same, silent)
    assert (found.pair.assessment.established, found.verdict.word) == ("S4.2", "attributable")
    nothing = copy.deepcopy(silent)
    nothing["stages"] = [stage for stage in silent["stages"] if stage["stage"] != "retraining"]
    assert judge(same, nothing).pair.assessment.established == "S4.2"
    assert judge(entry("FPGM", 76.0, stages={"same_as": "B"}), silent).pair.assessment.established == "S4.2"
    assert judge(entry("FPGM", 76.0, base={"same_as": "B"}), L1).pair.assessment.established == "S4.2"
    assert judge(silent, copy.deepcopy(silent)).pair.assessment.established == "S2"


def test_conflicts_ranges_and_minima() -> None:
    hrank = {"conflict": ["0:1e-2,10:1e-3,20:1e-4", "0:1e-2,5:1e-3,10:1e-4"]}
    both_lose = judge(GREG, entry("HRank", 74.0, retraining__epochs=30, retraining__lr=hrank))
    assert "S3.2:refuted" in setups(both_lose) and names(both_lose)["retraining_lr"] == "A"
    one_wins = judge(GREG, entry("Taylor-FO", 74.0, retraining__lr={"conflict": [STEPS, "1e-3"]}))
    assert "S3.2:undecidable" in setups(one_wins) and one_wins.verdict.word == "undecided"
    assert "S3.1:undecidable" in setups(judge(GREG, entry("x", 74.0, retraining__epochs={"range": [80, 100]})))
    assert "S3.1:refuted" in setups(judge(GREG, entry("x", 74.0, retraining__epochs={"range": [20, 30]})))
    least = judge(entry("GReg-2", 76.0, pruning__epochs={"min": 1}), L1)
    assert "S4.1:refuted" in setups(least) and least.verdict.word == "attributable"
    assert names(least) == {"pruning_epochs": "A"} and "at equal pruning cost" not in least.verdict.why


def test_what_does_not_apply_is_vacuous_or_structural() -> None:
    na = {"retraining__epochs": "n/a", "retraining__lr": "n/a"}
    both = judge(entry("x", 76.0, **na), entry("y", 75.0, **na))
    assert "S3.2:holds" in setups(both) and any("vacuous" in note for note in both.notes)
    one = judge(entry("x", 76.0, **na), L1)
    assert "S3.1:refuted" in setups(one) and "structural" in one.pair.findings["retraining_epochs"].why


def test_a_field_the_method_owns_is_no_confounder() -> None:
    """STR sets its sparsity by weight decay: the difference is the method."""
    assert judge(entry("STR", 76.0, recipe__weight_decay=2e-5), L1).verdict.word == "confounded"
    owned = judge(entry("STR", 76.0, recipe__weight_decay=2e-5, method_owned=["weight_decay"]), L1)
    assert owned.verdict.word == "attributable" and any("part of its method" in note for note in owned.notes)


def test_at_least_as_good() -> None:
    claim = {"kind": "at_least_as_good", "margin": 0.5}
    assert judge(entry("x", 75.0), L1, **claim).verdict.word == "supported"
    assert judge(entry("x", 75.0, base__id="other"), L1, **claim).verdict.word == "supported-not-attributable"
    assert judge(entry("x", 74.55), L1, **claim).verdict.word == "within-noise"
    assert judge(entry("x", 74.0), L1, **claim).verdict.word == "claim-contradicted"


def test_when_bases_differ_the_claim_has_to_hold_on_the_drop_too() -> None:
    better_base = entry("x", 76.0, base__id="other", base__top1=77.1)
    found = judge(better_base, L1)  # +1.0 in accuracy, +0.03 in drop
    assert found.verdict.word == "within-noise" and found.verdict.why.startswith("drop: +0.03 points")
    opposite = judge(entry("x", 76.0, base__id="other", base__top1=79.0), L1)
    assert opposite.gap.position() == "mixed" and opposite.verdict.word == "confounded"


def test_the_credit_decides_what_has_to_be_equal() -> None:
    longer = entry("L1-norm", 76.0, retraining__epochs=120)
    assert judge(longer, L1).verdict.word == "not-a-pruning-effect"
    assert judge(longer, L1, credited_to="retraining").verdict.word == "attributable"
    other_base = entry("x", 76.0, base__id="other", base__top1=76.2)
    assert judge(other_base, L1, credited_to="base").verdict.word == "attributable"
    assert judge(other_base, L1, credited_to="retraining").verdict.word == "confounded"
    assert judge(longer | {"method": "x"}, L1, credited_to="pipeline").verdict.word == "attributable"


def test_flops_and_macs() -> None:
    flops = entry("x", 76.0, network__dense_macs_millions=8178)
    unclear = judge(flops | {"base": {}}, L1)
    assert unclear.pair.findings["network"].state == "undecidable" and "flops_convention" in names(unclear)
    one_base = judge(flops, L1)  # one checkpoint is one network, in whatever its cost is counted
    assert one_base.verdict.word == "attributable" and names(one_base) == {}
    declared = judge(flops | {"flops_convention": "FLOPs = 2*MACs"}, L1 | {"flops_convention": "MACs"})
    assert declared.verdict.word == "attributable" and names(declared) == {}


def test_percent_and_fraction_of_sparsity_are_one() -> None:
    found = judge(entry("x", 76.0, speedup=None, sparsity=0.9), entry("y", 75.0, speedup=None, sparsity="90%"))
    assert found.pair.assessment.established == "S4.2"
    assert (
        judge(entry("x", 76.0, speedup=None, sparsity=90), entry("y", 75.0, speedup=None, params_kept=0.1))
        .pair.findings["compression"]
        .state
        == "holds"
    )
