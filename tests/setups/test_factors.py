"""Factors: one thing two pipelines can share. Each rule by hand, with its tolerance on both sides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from prunemark.setups.factors import FACTORS, show
from prunemark.setups.pipeline import Base, Pipeline, Training
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED, Between, Conflict, NotReported

PAPER = parse_schedule("0:1e-2,30:1e-3,60:1e-4,75:1e-5", 90)
SAME, CONSTANT = parse_schedule("0:.01,30:.001,60:.0001,75:.00001", 90), parse_schedule("1e-2", 30)
NOTHING = Pipeline("A", "L1-norm")
OF_THE_PRUNED = {"base_accuracy", "base_model", "retraining_epochs", "retraining_lr", "pruning_epochs", "pruning_lr"}


def state(factor: str, left: Pipeline, right: Pipeline) -> str:
    """Of one factor, asked both ways."""
    there, back = FACTORS[factor].compare(left, right), FACTORS[factor].compare(right, left)
    assert there.state == back.state and (there.left, there.right) == (back.right, back.left)
    assert there.why and there.factor == factor
    return there.state


def of(**leaves: Any) -> Pipeline:
    return replace(NOTHING, **leaves)


def retrained(epochs: Any = NOT_REPORTED, lr: Any = NOT_REPORTED) -> Pipeline:
    return of(retraining=Training(epochs, lr))


def test_the_factors_are_those_of_table_2_and_four_of_ours() -> None:
    assert set(FACTORS) == OF_THE_PRUNED | {
        "dataset", "network", "compression", "total_epochs", "total_flops", "final_lr", "overall_lr",
    }  # fmt: skip
    assert {id for id, factor in FACTORS.items() if factor.of_the_pruned} == OF_THE_PRUNED
    assert all(id == factor.id and factor.title and factor.source for id, factor in FACTORS.items())


@pytest.mark.parametrize("factor", sorted(FACTORS))
def test_not_reported_never_equals_not_reported(factor: str) -> None:
    assert state(factor, NOTHING, NOTHING) == "undecidable"
    assert "not reported" in FACTORS[factor].compare(NOTHING, NOTHING).why or factor == "compression"


@pytest.mark.parametrize("factor", sorted(OF_THE_PRUNED))
def test_what_belongs_to_pruning_does_not_apply_against_scratch(factor: str) -> None:
    scratch = of(kind="scratch")
    assert state(factor, NOTHING, scratch) == "not_applicable"
    assert state(factor, scratch, scratch) == "undecidable"
    na = Training(NOT_APPLICABLE, NOT_APPLICABLE)
    base = Base(NOT_APPLICABLE, NOT_APPLICABLE, NOT_APPLICABLE)
    alike = of(kind="scratch", pruning=na, base=base, retraining=Training(90.0, PAPER))
    assert state(factor, alike, alike) == "holds"  # vacuously, but for the training itself


@pytest.mark.parametrize(
    ("factor", "left", "right", "expected"),
    [
        ("dataset", of(dataset="CIFAR-10"), of(dataset="cifar10"), "holds"),
        ("dataset", of(dataset="CIFAR-10"), of(dataset="CIFAR-100"), "refuted"),
        ("network", of(network="ResNet-50"), of(network="resnet_50"), "holds"),
        ("network", of(network="ResNet-50"), of(network="ResNet-56"), "refuted"),
        # one VGG-19 skips a pooling layer: 513 M MACs against 400 M under one name
        ("network", of(network="VGG-19", dense_macs=513e6), of(network="VGG-19", dense_macs=400e6), "refuted"),
        ("network", of(network="VGG-19", dense_macs=400e6), of(network="VGG-19", dense_macs=411e6), "holds"),
        ("network", of(network="VGG-19", dense_macs=400e6), of(network="VGG-19", dense_macs=413e6), "refuted"),
        ("network", of(network="VGG-19", dense_macs=400e6), of(network="VGG-19"), "holds"),
        ("compression", of(speedup=2.31), of(speedup=2.31), "holds"),
        ("compression", of(speedup=2.00), of(speedup=2.04), "holds"),
        ("compression", of(speedup=2.00), of(speedup=2.05), "refuted"),
        ("compression", of(speedup=2.31), of(speedup=1.78), "refuted"),
        ("compression", of(sparsity=0.95), of(sparsity=0.95), "holds"),
        ("compression", of(sparsity=0.90), of(sparsity=0.95), "refuted"),  # 10x against 20x
        ("compression", of(sparsity=0.95), of(sparsity=0.96), "refuted"),  # 20x against 25x
        ("compression", of(sparsity=1.0), of(sparsity=1.0), "undecidable"),
        ("compression", of(sparsity=0.5), of(speedup=2.0), "undecidable"),
        ("base_accuracy", of(base=Base(top1_percent=76.15)), of(base=Base(top1_percent=76.05)), "holds"),
        ("base_accuracy", of(base=Base(top1_percent=76.15)), of(base=Base(top1_percent=76.04)), "refuted"),
        ("retraining_epochs", retrained(90.0), retrained(90), "holds"),
        ("retraining_epochs", retrained(90.0), retrained(100.0), "refuted"),
        ("retraining_epochs", retrained(Between(20, 30)), retrained(90.0), "refuted"),
        ("retraining_lr", retrained(lr=PAPER), retrained(lr=SAME), "holds"),
        ("retraining_lr", retrained(lr=PAPER), retrained(lr=parse_schedule("cosine:1e-2", 90)), "refuted"),
        ("retraining_lr", retrained(lr=PAPER), retrained(lr=Conflict((CONSTANT, CONSTANT))), "refuted"),
        ("retraining_lr", retrained(lr=PAPER), retrained(lr=Conflict((PAPER, CONSTANT))), "undecidable"),
        ("retraining_lr", retrained(lr=PAPER), retrained(lr=Between(0, 1)), "undecidable"),
        ("pruning_epochs", of(pruning=Training(0.0)), of(pruning=Training(Between(1))), "refuted"),
        ("pruning_epochs", of(pruning=Training(0.0)), of(pruning=Training(NOT_APPLICABLE)), "refuted"),
        ("final_lr", retrained(lr=parse_schedule("0:1,5:1e-5", 9)), retrained(lr=parse_schedule("1e-5", 2)), "holds"),
        ("final_lr", retrained(lr=parse_schedule("1e-2", 9)), retrained(lr=parse_schedule("1.04e-2", 9)), "holds"),
        ("final_lr", retrained(lr=parse_schedule("1e-2", 9)), retrained(lr=parse_schedule("1.05e-2", 9)), "refuted"),
        ("total_flops", of(training_flops=100.0), of(training_flops=105.0), "holds"),
        ("total_flops", of(training_flops=100.0), of(training_flops=106.0), "refuted"),
    ],
)  # fmt: skip
def test_rules(factor: str, left: Pipeline, right: Pipeline, expected: str) -> None:
    assert state(factor, left, right) == expected


def lasting(pretraining: float, pruning: float, retraining: float) -> Pipeline:
    return of(pretraining=Training(pretraining), pruning=Training(pruning), retraining=Training(retraining))


def test_total_epochs_add_up_within_one_percent() -> None:
    assert state("total_epochs", lasting(30, 0, 90), lasting(60, 10, 50)) == "holds"
    assert state("total_epochs", lasting(100, 0, 100), lasting(100, 2, 100)) == "holds"
    assert state("total_epochs", lasting(100, 0, 100), lasting(100, 3, 100)) == "refuted"


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (Base("a"), Base("a"), "holds"),
        (Base("a"), Base("b"), "refuted"),
        (Base("a", "torchvision", 76.13), Base("a", "elsewhere", 70.0), "holds"),  # the id decides
        (Base("a", "torchvision"), Base("b", "torchvision"), "refuted"),
        (Base(source="torchvision"), Base(source="torchvision"), "undecidable"),  # a source has more than one model
        (Base(source="torchvision", top1_percent=76.13), Base(source="torchvision", top1_percent=76.15), "holds"),
        (Base(source="torchvision", top1_percent=76.13), Base(source="torchvision", top1_percent=76.30), "refuted"),
        (Base(top1_percent=76.13), Base(top1_percent=76.30), "refuted"),
        (Base(top1_percent=76.13), Base(top1_percent=76.13), "undecidable"),  # equal accuracy is not one checkpoint
        (Base(source="torchvision"), Base(source="own"), "refuted"),
        (Base(source="torchvision"), Base(), "undecidable"),
        (Base(), Base(), "undecidable"),
        (Base(NotReported("B")), Base(NotReported("B")), "holds"),
        (Base("a", "torchvision", 76.13), Base(source="torchvision", top1_percent=76.13), "holds"),
        (Base(NOT_APPLICABLE), Base(NOT_APPLICABLE), "holds"),
        (Base(NOT_APPLICABLE), Base("a"), "refuted"),
        (Base(Conflict(("a", "b"))), Base("c"), "refuted"),
    ],
)
def test_the_base_model_is_the_checkpoint_else_its_source(left: Base, right: Base, expected: str) -> None:
    assert state("base_model", of(base=left), of(base=right)) == expected


def test_a_finding_shows_both_values_and_the_reason() -> None:
    found = FACTORS["retraining_epochs"].compare(retrained(90.0), retrained(NOT_REPORTED))
    assert (found.left, found.right, found.why) == ("90", "not reported", "not reported on the right")
    found = FACTORS["compression"].compare(of(speedup=2.31), of(speedup=1.78))
    assert found.why == "2.31 against 1.78 (within 2 %)"
    found = FACTORS["network"].compare(of(network="V", dense_macs=513e6), of(network="V", dense_macs=400e6))
    assert found.why == "one name, but 5.13e+08 against 4e+08 dense MACs: different networks"
    vacuous = of(pruning=Training(NOT_APPLICABLE))
    assert FACTORS["pruning_epochs"].compare(vacuous, vacuous).why == "both are n/a: holds vacuously"
    assert show(PAPER) == "0:1e-2,30:1e-3,60:1e-4,75:1e-5" and show(Between(1)) == "at least 1"


def test_a_conflict_about_the_schedule_is_decided_by_the_final_lrs() -> None:
    """HRank in Table 3 (audit example 1): 10/20 in the paper, 5/10 in the repository, one final LR."""
    hrank = Conflict((parse_schedule("0:1e-2,10:1e-3,20:1e-4", 30), parse_schedule("0:1e-2,5:1e-3,10:1e-4", 30)))
    assert state("final_lr", retrained(lr=PAPER), retrained(lr=hrank)) == "refuted"
    assert state("final_lr", retrained(lr=parse_schedule("1e-4", 3)), retrained(lr=hrank)) == "holds"


@pytest.mark.parametrize("leaf", [Between(0.85, 0.95), Conflict((0.9, 0.5)), Conflict((0.9, 0.9))])
def test_an_uncertain_sparsity_does_not_refute_one_that_it_may_be(leaf: Any) -> None:
    assert state("compression", of(sparsity=leaf), of(sparsity=0.9)) != "refuted"


def test_a_speed_up_declared_to_be_the_same_holds() -> None:
    unknown = of(speedup=NotReported("B"))
    assert state("compression", unknown, unknown) == "holds"


def test_compression_is_compared_by_what_both_sides_state() -> None:
    assert state("compression", of(speedup=2.0, sparsity=0.9), of(sparsity=0.9)) == "holds"
