"""Which setups hold: one changed leaf refutes exactly what contains it, and the experts' cases come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.setups.assessment import assess, combine, violations
from prunemark.setups.comparison import SETUPS
from prunemark.setups.factors import FACTORS
from prunemark.setups.pipeline import Base, Pipeline, Training
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED, Between, Conflict, NotReported, State

fixed = settings(derandomize=True, deadline=None, database=None)
ROW = ("S1", "S2", "S3.1", "S3.2", "S4.1", "S4.2")  # Table 2
PAPER = "0:1e-2,30:1e-3,60:1e-4,75:1e-5"

WHOLE = Pipeline(
    name="A", method="L1-norm", dataset="ImageNet100", network="ResNet-34", dense_macs=3.66e9, granularity="filter",
    speedup=1.93, base=Base("ckpt-1", "own", 84.56), pretraining=Training(30.0, parse_schedule("1e-1", 30)),
    pruning=Training(10.0, parse_schedule("1e-3", 10)), retraining=Training(90.0, parse_schedule(PAPER, 90)),
    training_flops=1e18,
)  # fmt: skip
Change = Callable[[Pipeline], Pipeline]


def leaf(name: str, value: Any) -> Change:
    """A change of one leaf, such as base.id."""
    part, _, inner = name.rpartition(".")
    if not part:
        return lambda p: replace(p, **{name: value})
    return lambda p: replace(p, **{part: replace(getattr(p, part), **{inner: value})})


# leaf -> (another value, the factors that read it)
LEAVES: dict[str, tuple[Any, set[str]]] = {
    "method": ("HRank", set()),
    "granularity": ("weight", set()),
    "dataset": ("ImageNet", {"dataset"}),
    "network": ("ResNet-50", {"network"}),
    "dense_macs": (4.1e9, {"network"}),
    "speedup": (2.5, {"compression"}),
    "sparsity": (0.5, set()),  # the speed-up decides where both sides state one
    "base.id": ("ckpt-2", {"base_model"}),
    "base.source": ("torchvision", set()),  # the id decides
    "base.top1_percent": (84.0, {"base_accuracy"}),
    "pretraining.epochs": (60.0, {"total_epochs"}),
    "pretraining.lr": (parse_schedule("2e-1", 30), {"overall_lr"}),
    "pruning.epochs": (12.0, {"pruning_epochs", "total_epochs"}),
    "pruning.lr": (parse_schedule("1e-2", 10), {"pruning_lr", "overall_lr"}),
    "retraining.epochs": (120.0, {"retraining_epochs", "total_epochs"}),
    "retraining.lr": (parse_schedule("1e-2", 90), {"retraining_lr", "overall_lr", "final_lr"}),
    "training_flops": (1.2e18, {"total_flops"}),
    "details.batch_size": (64, set()),
    "result.top1_percent": (84.0, set()),
}


def interval(refuted: set[str], unknown: set[str]) -> tuple[str | None, str | None]:
    """Established and ceiling, read off Table 2 by hand."""
    clean = [id for id in ROW if not SETUPS[id].factors & (refuted | unknown)]
    possible = [id for id in ROW if not SETUPS[id].factors & refuted]
    return clean[-1] if clean else None, possible[-1] if possible else None


def test_identical_pipelines_satisfy_everything() -> None:
    found = assess([WHOLE, replace(WHOLE, name="B")])
    assert set(found.setups.values()) == {"holds"} and len(found.findings) == len(FACTORS)
    assert (found.established, found.ceiling, found.differing, found.unknown) == ("S4.2", "S4.2", (), ())


@pytest.mark.parametrize("name", LEAVES)
def test_one_changed_leaf_refutes_exactly_the_setups_that_contain_it(name: str) -> None:
    value, expected = LEAVES[name]
    found = assess([WHOLE, leaf(name, value)(WHOLE)])
    assert set(found.differing) == expected and found.unknown == ()
    for id, setup in SETUPS.items():
        assert found.setups[id] == ("refuted" if setup.factors & expected else "holds")
    assert (found.established, found.ceiling) == interval(expected, set())


def test_every_factor_can_be_refuted_by_some_leaf() -> None:
    assert set().union(*(factors for _, factors in LEAVES.values())) == set(FACTORS)


changes = st.sets(st.sampled_from(sorted(LEAVES)))


@fixed
@given(changes)
def test_several_changed_leaves_refute_the_union(names: set[str]) -> None:
    changed = WHOLE
    for name in names:
        changed = leaf(name, LEAVES[name][0])(changed)
    expected = set().union(*(LEAVES[name][1] for name in names))
    found = assess([WHOLE, changed])
    assert set(found.differing) == expected
    assert {id for id, state in found.setups.items() if state == "refuted"} == {
        id for id, setup in SETUPS.items() if setup.factors & expected
    }
    assert (found.established, found.ceiling) == interval(expected, set())


silent = st.sampled_from(["dataset", "base.top1_percent", "pruning.epochs", "retraining.lr", "training_flops"])


@fixed
@given(st.sets(silent), st.sampled_from(sorted(LEAVES)))
def test_silence_never_refutes_and_never_satisfies(names: set[str], other: str) -> None:
    mute = leaf(other, LEAVES[other][0])(WHOLE)
    for name in names:
        mute = leaf(name, NOT_REPORTED)(mute)
    unknown = set().union(*(LEAVES[name][1] for name in names))
    refuted = LEAVES[other][1] - unknown
    found = assess([WHOLE, mute])
    assert set(found.unknown) == unknown and set(found.differing) == refuted
    assert (found.established, found.ceiling) == interval(refuted, unknown)


WEAKEST_FIRST = ["refuted", "not_applicable", "undecidable", "holds_a_fortiori", "holds"]


@pytest.mark.parametrize(("a", "b"), list(product(State, State)))
def test_three_valued_and(a: State, b: State) -> None:
    assert combine([a, b]) == min(a, b, key=WEAKEST_FIRST.index) == combine([b, a, a])


def test_nothing_to_combine_holds() -> None:
    assert combine([]) == "holds"


numbers = st.sampled_from((0.0, 1.0, 90.0))
special = st.sampled_from((NOT_REPORTED, NOT_APPLICABLE, NotReported("B")))
lrs = st.sampled_from([parse_schedule(text, 90) for text in (PAPER, "1e-2", "1e-5")]) | special
counts = numbers | special | st.just(Between(1)) | st.just(Conflict((1.0, 90.0)))
names = st.sampled_from(("A", "B")) | special | st.just(Conflict(("A", "B")))
trainings = st.builds(Training, counts, lrs)
pipelines = st.builds(
    Pipeline, name=st.just("x"), method=st.just("m"), kind=st.sampled_from(("pruned", "scratch", "dense")),
    dataset=names, network=names, dense_macs=counts, speedup=counts, sparsity=st.sampled_from((0.5, NOT_REPORTED)),
    base=st.builds(Base, names, names, counts), pretraining=trainings, pruning=trainings, retraining=trainings,
    training_flops=counts,
)  # fmt: skip


@fixed
@given(pipelines, pipelines)
def test_assessing_is_symmetric_and_never_raises(a: Pipeline, b: Pipeline) -> None:
    there, back = assess([a, b]), assess([b, a])
    assert there.setups == back.setups
    assert (there.established, there.ceiling) == (back.established, back.ceiling)
    assert (there.differing, there.unknown) == (back.differing, back.unknown)
    for low, high in product(SETUPS.values(), SETUPS.values()):
        if high.implies(low) and there.setups[high.id].satisfied:
            assert there.setups[low.id].satisfied  # the order between setups holds in every verdict


@fixed
@given(st.lists(pipelines, min_size=3, max_size=3))
def test_of_several_the_weakest_pair_decides(three: list[Pipeline]) -> None:
    """Equality within a tolerance is not transitive, so every pair is looked at."""
    pairs = [assess([three[i], three[j]]) for i, j in ((0, 1), (0, 2), (1, 2))]
    for id, state in assess(three).setups.items():
        assert state == combine(pair.setups[id] for pair in pairs)
    for id, setup in SETUPS.items():
        with_first = [assess([three[0], other]).setups[id].satisfied for other in three[1:]]
        assert (violations(three, setup) == []) == all(with_first)


def test_within_a_tolerance_is_not_transitive() -> None:
    steps = [replace(WHOLE, speedup=speedup) for speedup in (2.0, 2.03, 2.06)]
    assert assess(steps[:2]).established == assess(steps[1:]).established == "S4.2"
    assert assess(steps).established is None
    assert [finding.factor for finding in violations(steps, SETUPS["S1"])] == ["compression"]


def test_one_pipeline_is_no_comparison() -> None:
    with pytest.raises(ValueError, match="at least two"):
        assess([WHOLE])


def test_other_setups_can_be_given() -> None:
    setups = {id: SETUPS[id] for id in ("S1", "S2")}
    found = assess([WHOLE, WHOLE], setups=setups)
    assert found.setups == {"S1": "holds", "S2": "holds"} and found.ceiling == "S2"


# The cases that experts judged, from published tables


def published(method: str, epochs: float, lr: str, pruning: Any = 0.0, **leaves: Any) -> Pipeline:
    common = {"dataset": "ImageNet", "network": "ResNet-50"} | leaves
    return Pipeline(
        "x", method, pruning=Training(pruning), retraining=Training(epochs, parse_schedule(lr, int(epochs))), **common
    )


def resnet34(method: str, **leaves: Any) -> Pipeline:
    return Pipeline("x", method, dataset="ImageNet100", network="ResNet-34", speedup=12.06, **leaves)


NA = Training(NOT_APPLICABLE, NOT_APPLICABLE)
ONE_SHOT = Training(0.0, NOT_APPLICABLE)
TORCHVISION = Base(source="torchvision", top1_percent=76.13)
TP = Base("tp-v1.1.4", top1_percent=93.53)
STEPS = parse_schedule("0:1e-2,60:1e-3,80:1e-4", 100)


def depgraph(method: str, speedup: float) -> Pipeline:
    return Pipeline(
        "x", method, dataset="CIFAR-10", network="ResNet-56", speedup=speedup, base=TP, pruning=ONE_SHOT,
        retraining=Training(100.0, STEPS),
    )  # fmt: skip


def test_case_2_one_missing_word_about_the_base() -> None:
    greg = published("GReg-2", 90, PAPER, Between(1), speedup=2.31, base=TORCHVISION)
    l1 = published("L1", 90, PAPER, 0.0, speedup=2.31)
    found = assess([greg, l1])
    expected = dict(zip(ROW, ["holds", *["undecidable"] * 3, *["refuted"] * 2], strict=True))
    assert {id: found.setups[id] for id in ROW} == expected
    assert (found.established, found.ceiling) == ("S1", "S3.2") and found.differing == ("pruning_epochs",)
    found = assess([greg, replace(l1, base=Base(source="torchvision", top1_percent=76.13))])  # with that word
    assert (found.established, found.ceiling) == ("S3.2", "S3.2")


def test_case_1_another_schedule_and_a_conflict_that_does_not_matter() -> None:
    """Compression is judged apart here: holds a fortiori depends on who claims to win."""
    hrank = Conflict((parse_schedule("0:1e-2,10:1e-3,20:1e-4", 30), parse_schedule("0:1e-2,5:1e-3,10:1e-4", 30)))
    a = published("L1", 90, PAPER, speedup=2.31)
    b = published("HRank", 30, "1e-2", 1560.0, speedup=1.78, base=Base(top1_percent=76.15))
    b = replace(b, retraining=Training(30.0, hrank))
    states = {id: FACTORS[id].compare(a, b).state for id in SETUPS["S4.2"].factors}
    assert states["compression"] == "refuted" and states["base_model"] == states["pruning_lr"] == "undecidable"
    assert states["retraining_epochs"] == states["retraining_lr"] == states["pruning_epochs"] == "refuted"
    a_fortiori = states | {"compression": State.HOLDS_A_FORTIORI}
    expected = dict(zip(ROW, ["holds_a_fortiori", "undecidable", *["refuted"] * 4], strict=True))
    assert {id: combine(a_fortiori[f] for f in SETUPS[id].factors) for id in ROW} == expected


def test_case_4_pruning_against_scratch() -> None:
    macs = 3.66e9
    flops = (30 * macs + 90 * macs / 12.06, 120 * macs / 12.06)  # of the network that was trained
    pruned = resnet34(
        "L1", base=Base("scratch-recipe@30"), pretraining=Training(30.0, parse_schedule("1e-1", 30)), pruning=ONE_SHOT,
        retraining=Training(90.0, parse_schedule(PAPER, 90)), training_flops=flops[0],
    )  # fmt: skip
    schedule = parse_schedule("0:1e-1,30:1e-2,60:1e-3,90:1e-4,105:1e-5", 120)
    scratch = resnet34(
        "scratch", kind="scratch", base=Base(NOT_APPLICABLE, NOT_APPLICABLE, NOT_APPLICABLE), pretraining=NA,
        pruning=NA, retraining=Training(120.0, schedule), training_flops=flops[1],
    )  # fmt: skip
    found = assess([pruned, scratch])
    assert found.setups["S1"] == found.setups["SX-A"] == "holds"
    assert found.setups["SX-B"] == "refuted" and found.differing == ("total_flops",)
    assert {found.setups[id] for id in ROW[1:]} == {"not_applicable"} and found.ceiling == "S1"
    by_factor = {finding.factor: finding.state for finding in found.findings}
    assert by_factor["overall_lr"] == by_factor["final_lr"] == "holds"


def test_case_7_the_same_method_at_two_lrs_fails_at_s32() -> None:
    base = Base("scratch-recipe@60")
    fast = Training(60.0, parse_schedule("0:1e-2,30:1e-3,45:1e-4,53:1e-5", 60))
    slow = Training(60.0, parse_schedule("0:1e-3,30:1e-4,45:1e-5", 60))
    found = assess([resnet34("L1", base=base, pruning=ONE_SHOT, retraining=stage) for stage in (fast, slow)])
    states = [found.setups[id] for id in ROW]
    assert states == ["holds", "holds", "holds", "refuted", "refuted", "refuted"]
    assert (found.established, found.ceiling, found.differing) == ("S3.1", "S3.1", ("retraining_lr",))


def test_case_9_the_only_fully_s42_comparison() -> None:
    found = assess([depgraph("DepGraph-norm", 2.11), depgraph("Group-L1", 2.12)])
    assert {found.setups[id] for id in ROW} == {"holds"} and found.established == "S4.2"
