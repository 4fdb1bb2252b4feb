"""Grain checks: what k runs on N images gave is never called impossible, and what they cannot give is."""

from __future__ import annotations

import itertools
import math
from statistics import mean, pstdev, stdev

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from prunemark.audit.document.comparison import loads
from prunemark.audit.judgement.grain import reachable_mean, reachable_sd
from prunemark.audit.judgement.network_totals import ALIKE, NETWORK_TOTALS, totals_of
from prunemark.audit.judgement.odd_numbers import odd_numbers
from prunemark.audit.judgement.test_sets import TEST_SETS
from prunemark.audit.literature.repeats import FAR_PP, far_from_repeats, published_repeats
from prunemark.audit.literature.results import published
from prunemark.audit.report.remarks import remarks

quick = settings(deadline=None, max_examples=300, database=None, derandomize=True)
images = st.sampled_from(sorted({n for test in TEST_SETS.values() for n in test.images} | {7, 100, 360}))
decimals = st.integers(0, 4)


@st.composite
def runs_of(draw: st.DrawFn, least: int = 1) -> tuple[int, list[int]]:
    """(images, right answers of each run)."""
    count = draw(images)
    middle = draw(st.integers(0, count))
    spread = draw(st.integers(0, min(count, 60)))
    low, high = max(0, middle - spread), min(count, middle + spread)
    return count, draw(st.lists(st.integers(low, high), min_size=least, max_size=12))


def cut(value: float, places: int) -> float:
    return math.floor(value * 10**places + 1e-9) / 10**places


@quick
@given(runs_of(), decimals, st.booleans())
def test_a_mean_that_was_measured_is_never_flagged(case: tuple[int, list[int]], places: int, cutting: bool) -> None:
    count, right = case
    value = 100 * mean(right) / count
    printed = cut(value, places) if cutting else round(value, places)
    assert reachable_mean(printed, places, count, len(right))


@quick
@given(runs_of(least=2), decimals, decimals, st.sampled_from([stdev, pstdev, "error"]))
def test_an_sd_that_was_measured_is_never_flagged(
    case: tuple[int, list[int]], of_mean: int, of_sd: int, kind: object
) -> None:
    count, right = case
    accuracies = [100 * answers / count for answers in right]
    spread = stdev(accuracies) / math.sqrt(len(right)) if kind == "error" else kind(accuracies)  # type: ignore[operator]
    value, sd = round(mean(accuracies), of_mean), round(spread, of_sd)
    assert reachable_sd(value, of_mean, sd, of_sd, count, len(right))


@quick
@given(st.integers(1, 5), st.integers(0, 10**6))
def test_a_mean_off_the_grid_is_flagged(runs: int, number: int) -> None:
    """Between two neighbours of the grid of 872 sentences, with four decimals."""
    step = 100 / (872 * runs)
    value = round(number % (872 * runs) * step + step / 2, 4)
    assert not reachable_mean(value, 4, 872, runs)


def test_an_sd_off_the_grid_is_flagged_as_trying_all_says() -> None:
    """Of three runs on seven images: every printed sd that no three numbers give is found."""
    count, of_mean, of_sd = 7, 2, 1
    given_by: dict[float, set[float]] = {}
    for right in itertools.product(range(count + 1), repeat=3):
        accuracies = [100 * answers / count for answers in right]
        kinds = (stdev(accuracies), pstdev(accuracies), stdev(accuracies) / math.sqrt(3))
        near = {round(kind, of_sd) for kind in kinds} | {cut(kind, of_sd) for kind in kinds}
        given_by.setdefault(round(mean(accuracies), of_mean), set()).update(near)
    wrong = missed = 0
    for value, sds in given_by.items():
        for tenth in range(0, 600):
            sd = tenth / 10
            says = reachable_sd(value, of_mean, sd, of_sd, count, 3)
            wrong += sd in sds and not says
            missed += says and sd not in sds
    assert wrong == 0 and missed < 0.02 * 600 * len(given_by)


def test_by_hand() -> None:
    assert reachable_mean(76.130, 3, 50_000, 1) and not reachable_mean(76.131, 3, 50_000, 1)
    assert reachable_mean(76.131, 3, 50_000, 2)
    assert not reachable_mean(91.825, 3, 10_000, 3) and reachable_mean(91.825, 3, 8_000, 3)
    assert reachable_sd(50.0, 1, 0.0, 1, 100, 2) and not reachable_sd(50.5, 1, 0.0, 1, 100, 2)
    assert reachable_sd(99.0, 1, 1.4, 1, 100, 2) and not reachable_sd(99.0, 1, 2.1, 1, 100, 2)
    with pytest.raises(ValueError, match="needs images and runs"):
        reachable_mean(50, 0, 0, 1)


def entry(**changes: object) -> str:
    said = {"dataset": "ImageNet", "network": "{name: ResNet-50}", "result": "{top1: 75.0, runs: 1}"} | changes
    side = "".join(f"    {key}: {value}\n" for key, value in said.items())
    return (
        "schema: prunemark-comparison/1\nclaim: {winner: A, loser: B}\nentries:\n"
        f"  A:\n    method: X\n{side}  B:\n    method: Y\n    dataset: SVHN\n    network: N\n"
    )


def odd(**changes: object) -> str:
    found = loads(entry(**changes)).entries
    return "; ".join(remarks(found["A"], found["B"]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"result": "{top1: 75.001, runs: 1}"}, "a top-1 of 75.001 cannot come from one run on 50,000 images"),
        ({"result": "{top1: 75.001, runs: 2}"}, ""),
        ({"result": "{top1: 75.001}"}, ""),
        ({"result": "{top1: 75.001, runs: {min: 3}}"}, ""),
        ({"result": "{top1: 75.001, runs: 4, selection: best_of_runs}"}, "cannot come from one run"),
        ({"dataset": "ImageNet (subset)", "result": "{top1: 75.001, runs: 1}"}, ""),
        ({"dataset": "SST-2", "network": "BERT", "result": "{top1: 92.10, runs: 1}"}, "872 images"),
        ({"dataset": "RTE", "network": "BERT", "result": "{top1: 66.43, top1_sd: 0.01, runs: 2}"}, "cannot scatter by"),
        ({"network": "{name: ResNet-50, dense_macs_millions: 8178}"}, "Is it FLOPs, two to a multiply-add?"),
        ({"network": "{name: ResNet-50, dense_macs_millions: 8178}", "flops_convention": "2*MACs"}, ""),
        ({"network": "{name: ResNet-50, dense_macs_millions: 4111}"}, ""),
        ({"network": "{name: ResNet-50, dense_params_millions: 42.0}"}, "42 M dense parameters; this network has 25.5"),
        ({"dataset": "CIFAR-10", "network": "{name: VGG16, dense_macs_millions: 14.72, dense_params_millions: 313.75}"},
         "changed places"),
        ({"macs_kept_millions": 1770, "speedup": 4.0}, "mean 7080 M dense MACs"),
        ({"macs_kept_millions": 1770, "speedup": 2.31}, ""),
        ({"macs_kept_millions": 1770, "macs_kept": "43.3%"}, ""),
        ({"macs_kept_millions": 5000}, "5000 M MACs left; this network has 4089"),
        ({"base": "{source: torchvision, top1: 77.6}"}, "its weights have 76.13 or 80.858 %"),
        ({"base": "{source: torchvision, top1: 76.15}"}, ""),
    ],
)  # fmt: skip
def test_what_looks_odd_in_an_entry(changes: dict[str, object], said: str) -> None:
    found = odd(**changes)
    assert said in found and bool(found) == bool(said)


def test_remarks_decide_nothing() -> None:
    from prunemark.audit.judgement.audit_claim import audit_comparison

    plain, marked = (
        audit_comparison(loads(entry(result=r))) for r in ("{top1: 75.0, runs: 1}", "{top1: 75.001, runs: 1}")
    )
    assert marked.verdict == plain.verdict and odd(result="{top1: 75.001, runs: 1}")


L1 = {"kind": "pruned", "dataset": "ImageNet100", "network": "ResNet-34", "speedup": 12.06,
      "stages": '[{stage: retraining, epochs: 90, lr: "0:1e-2,30:1e-3,60:1e-4,75:1e-5"}]'}  # fmt: skip


@pytest.mark.parametrize(("top1", "far"), [(77.64, False), (78.3, False), (74.0, True), (84.0, True)])
def test_a_result_far_from_published_repeats(top1: float, far: bool) -> None:
    text = entry(**L1, result=f"{{top1: {top1}}}").replace("method: X", "method: L1-norm")
    found = far_from_repeats(loads(text).entries["A"])
    assert bool(found) == far
    if far:
        assert "arXiv2301.05219, Table 4" in found[0] and "published runs" in found[0]


@quick
@given(st.sampled_from(range(len(published_repeats()))), st.floats(-4, 4))
def test_what_a_repeat_could_give_is_never_far(index: int, sds: float) -> None:
    repeats = published_repeats()[index]
    row = next(row for row in published() if row.id == repeats.row)
    top1 = repeats.mean + sds * repeats.sd
    assume(0 < top1 < 100 and abs(sds * repeats.sd) < 4 * FAR_PP)
    assert far_from_repeats(row.entry) == ()


def test_the_published_results_that_look_odd_are_those_on_a_held_out_split() -> None:
    """The runs of lottery-ticket/rewinding-iclr20-public were measured on 8,000 images (noise_priors.csv says so)."""
    off_grid = [row for row in published() if any("cannot come from" in said for said in odd_numbers(row.entry))]
    assert len(off_grid) >= 10
    assert {row.row["source_key"].partition("@")[0] for row in off_grid} == {"lottery-ticket/rewinding-iclr20-public"}
    for row in off_grid:
        assert reachable_mean(float(row.row["pruned_top1"]), 3, 8_000, 3)


def test_the_facts_have_sources_and_sane_ranges() -> None:
    assert all(test.source and min(test.images) > 0 for test in TEST_SETS.values())
    for totals in NETWORK_TOTALS.values():
        assert totals.source and totals.macs_millions[0] <= totals.macs_millions[1]
        assert totals.params_millions[0] <= totals.params_millions[1]
    assert set(ALIKE.values()) <= {dataset for dataset, _ in NETWORK_TOTALS}
    assert totals_of("cifar100", "vgg16bn") == totals_of("cifar10", "vgg16")


@pytest.mark.slow
def test_the_totals_are_those_of_torchvision_and_of_our_counter() -> None:
    from torchvision.models import get_model_weights

    from prunemark.benchmark.networks.cost import count
    from prunemark.benchmark.networks.registry import ImageShape, build_network

    for (dataset, network), totals in NETWORK_TOTALS.items():
        if "torchvision" in totals.source:
            name = {"vgg16bn": "vgg16_bn", "vgg19bn": "vgg19_bn", "mobilenetv2": "mobilenet_v2"}.get(network, network)
            weights = [
                w.meta for w in get_model_weights(name) if not math.isnan(w.meta["_metrics"]["ImageNet-1K"]["acc@1"])
            ]
            assert totals.torchvision_top1 == tuple(w["_metrics"]["ImageNet-1K"]["acc@1"] for w in weights)
            assert totals.macs_millions[0] == pytest.approx(weights[0]["_ops"] * 1000, rel=1e-3)
            low, high = totals.params_millions
            assert low - 0.01 <= weights[0]["num_params"] / 1e6 <= high + 0.01
        elif "own counter" in totals.source:
            shape = ImageShape(3, 32, 32, 10)
            cost = count(build_network(network, shape, 0), shape)
            assert totals.macs_millions[0] == pytest.approx(cost.macs / 1e6, rel=1e-4), network
            assert totals.params_millions[0] == pytest.approx(cost.params / 1e6, abs=0.01), dataset
